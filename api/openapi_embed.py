"""Turns openapi.yaml into a C++ array of its JSON bytes: openapi_embed.py FROM TO."""

import json
import sys

import yaml


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as source:
        document = yaml.safe_load(source)
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    with open(sys.argv[2], "w", encoding="ascii") as target:
        target.write("constexpr unsigned char kOpenApi[] = {\n")
        for start in range(0, len(text), 32):
            target.write(",".join(str(byte) for byte in text[start : start + 32]) + ",\n")
        target.write("};\n")


main()

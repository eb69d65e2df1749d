#!/usr/bin/env python3
"""Our JSON Patches (RFC 6902), applied by an implementation that is not ours (python3-jsonpatch).

    json_patch.py PROGRAM [SUITE.json...]

PROGRAM is json_patch_of. Pairs of random documents are given to it, and its patch must make the second of the first.
A SUITE is a file of the tests of json-patch.org: `doc` and `expected` of each of its cases are one more pair.
"""

import json
import random
import subprocess
import sys

import jsonpatch

# No "-": the other implementation takes it for the end of an array, in an object too.
NAMES = ["", "a", "b", "c", "a/b", "m~n", "~1", "\u00e9", "\U0001f600", "\"", "\\", "\n", "0", "very long name " * 3]


def random_value(random_, depth):
    kind = random_.randrange(8) if depth > 0 else 4 + random_.randrange(4)
    if kind < 2:
        return {random_.choice(NAMES): random_value(random_, depth - 1) for _ in range(random_.randrange(7))}
    if kind < 4:
        return [random_value(random_, depth - 1) for _ in range(random_.randrange(7))]
    return random_.choice([None, True, False, 0, 1, -3, 2.5, 10**20, "", "x", "a\u0000b", "\u00e9", [], {}])


def changed(random_, value):
    """`value` with a few changes here and there, or another value."""
    if random_.randrange(10) == 0:
        return random_value(random_, 3)
    if isinstance(value, dict):
        members = list(value.items())
        random_.shuffle(members)
        return {name: changed(random_, member) if random_.randrange(3) == 0 else member
                for name, member in members if random_.randrange(8) != 0}
    if isinstance(value, list):
        elements = [changed(random_, element) if random_.randrange(5) == 0 else element for element in value]
        for _ in range(random_.randrange(3)):
            elements.insert(random_.randrange(len(elements) + 1), random_value(random_, 1))
        if elements and random_.randrange(3) == 0:
            del elements[random_.randrange(len(elements)):]
        return elements
    return value


def pairs_of_suite(path):
    with open(path, encoding="utf-8") as file:
        cases = json.load(file)
    return [(case["doc"], case["expected"]) for case in cases
            if "doc" in case and "expected" in case and not case.get("disabled")]


def same(a, b):
    """Equal as JSON: in Python true equals 1."""
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def main():
    program, suites = sys.argv[1], sys.argv[2:]
    seed = random.randrange(2**32)
    print("seed", seed)
    random_ = random.Random(seed)
    pairs = []
    for _ in range(5000):
        original = random_value(random_, 4)
        pairs.append((original, changed(random_, original)))
    for suite in suites:
        from_suite = pairs_of_suite(suite)
        print(suite, "has", len(from_suite), "pairs")
        pairs += from_suite
    # Half of them with white space and escapes where there could be some.
    lines = "".join(
        json.dumps(pair, ensure_ascii=number % 2 == 0, separators=None if number % 2 == 0 else (",", ":")) + "\n"
        for number, pair in enumerate(pairs))
    output = subprocess.run([program], input=lines, capture_output=True, encoding="utf-8", check=True).stdout
    patches = output.split("\n")[:-1]
    if len(patches) != len(pairs):
        sys.exit(f"{len(patches)} patches of {len(pairs)} pairs")
    operations = 0
    for (original, wanted), text in zip(pairs, patches):
        patch = json.loads(text)
        operations += len(patch)
        made = jsonpatch.JsonPatch(patch).apply(original)
        if not same(made, wanted):
            sys.exit(f"{json.dumps(original)}\nwith {text}\nbecomes {json.dumps(made)}\nnot {json.dumps(wanted)}")
        if same(original, wanted) != (patch == []):
            sys.exit(f"{json.dumps(original)}\nand {json.dumps(wanted)}\ndiffer by {text}")
    print(len(pairs), "patches with", operations, "operations")


main()

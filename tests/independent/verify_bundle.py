#!/usr/bin/python3
"""Verifies a bundle of events (format-spec.md, "Bundle") with nothing of ours: hashlib, and Ed25519 from python3-cryptography.

verify_bundle.py FILE VKEY: prints how many events it holds, or why it does not hold, with exit status 3.
"""

import base64
import hashlib
import json
import struct
import sys
import uuid

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class DoesNotHold(Exception):
    pass


def check(holds, why):
    if not holds:
        raise DoesNotHold(why)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def read_key(vkey):
    """C2SP signed-note: <name>+<key id>+<base64 of 0x01 and the public key>."""
    name, key_id, encoded = vkey.split("+", 2)
    key = base64.b64decode(encoded, validate=True)
    check(len(key) == 33 and key[0] == 1, "the key is no Ed25519 key")
    check(sha(name.encode(), b"\n", key)[:4].hex() == key_id, "the key id is not that of the key")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(key[1:])


def read_checkpoint(note, key):
    """C2SP tlog-checkpoint, signed by the key: origin, size, root."""
    name, key_id, public = key
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    signed = False
    for line in signatures.splitlines():
        dash, signer, encoded = line.split(" ")
        check(dash == "\u2014", "a signature line does not begin with a dash")
        signature = base64.b64decode(encoded, validate=True)
        if signer != name or signature[:4] != key_id:
            continue
        try:
            public.verify(signature[4:], text.encode())
        except InvalidSignature:
            raise DoesNotHold("the signature of the checkpoint is false") from None
        signed = True
    check(signed, "the key has not signed the checkpoint")
    lines = text.splitlines()
    check(lines[0] == name, "the checkpoint is of another log than the key")
    return lines[0], int(lines[1]), base64.b64decode(lines[2], validate=True)


def included(leaf, index, size, path, root):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    fn, sn, r = index, size - 1, leaf
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = sha(b"\x01", p, r)
            while not fn & 1 and fn != 0:
                fn >>= 1
                sn >>= 1
        else:
            r = sha(b"\x01", r, p)
        fn >>= 1
        sn >>= 1
    return sn == 0 and r == root


def check_event(proof, key, head):
    origin, size, root = read_checkpoint(proof["checkpoint"], key)
    check(origin == head["origin"], "an event is of another log")
    preimage = base64.b64decode(proof["leaf"]["preimage"], validate=True)
    header, body_digest = preimage[:-32], preimage[-32:]
    flags, header_length = struct.unpack_from("<HH", header, 2)
    position, sequence = struct.unpack_from("<QQ", header, 8)
    lengths = struct.unpack_from("<III", header, 64)
    check(header_length == len(header), "the header has another length")
    check(position == proof["index"], "the proof is of another record")
    event_id = str(uuid.UUID(bytes=header[40:56]))
    check(proof.get("eventId", event_id) == event_id, "the proof is of another event")
    check(proof.get("treeSize", size) == size, "the checkpoint is of another size")
    aggregate_id = header[81 : 81 + header[80]].decode()
    digests = []
    for bit, name in enumerate(("data", "metadata", "private")):
        member = proof["leaf"]["members"].get(name)
        check((member is not None) == bool(flags >> bit & 1), f"the member {name} is not shown, or there is none")
        if member is None:
            digests.append(bytes(32))
        elif "digest" in member:
            digests.append(base64.b64decode(member["digest"], validate=True))
        else:
            content = base64.b64decode(member["bytes"], validate=True)
            check(len(content) == lengths[bit], f"the member {name} has another length")
            digests.append(sha(base64.b64decode(member["salt"], validate=True), content))
    check(sha(*digests) == body_digest, "the members are not those of the leaf")
    leaf = sha(b"\x00", preimage)
    for said, is_so in (("bodyDigest", body_digest), ("leafHash", leaf)):
        if said in proof["leaf"]:
            check(base64.b64decode(proof["leaf"][said], validate=True) == is_so, f"{said} is another one")
    path = [base64.b64decode(h, validate=True) for h in proof["hashes"]]
    check(included(leaf, position, size, path, root), "the record is not in the tree that was signed")
    if "aggregateId" in head:
        check(aggregate_id == head["aggregateId"], "an event is of another aggregate")
    return position, sequence


def main(path, vkey):
    key = read_key(vkey)
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if line.strip()]
    check(lines and lines[0].get("bundle") == "stele/bundle/v1", "this is no bundle")
    check(vkey in lines[0].get("keys", [vkey]), "the bundle does not name the key")
    check("events" in lines[-1] and "leaf" not in lines[-1], "the bundle has no end")
    last_position, sequences = -1, []
    for proof in lines[1:-1]:
        position, sequence = check_event(proof, key, lines[0])
        check(position > last_position, "the events are out of order")
        last_position = position
        sequences.append(sequence)
    check(lines[-1]["events"] == len(sequences), "events are missing")
    print(f"{len(sequences)} events hold")
    if "aggregateId" in lines[0] and sequences == list(range(1, len(sequences) + 1)):
        print(f"all numbers from 1 to {len(sequences)}")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except DoesNotHold as reason:
        print(f"it does not hold: {reason}")
        sys.exit(3)

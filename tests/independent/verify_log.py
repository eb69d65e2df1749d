#!/usr/bin/python3
"""Verifies a running log with nothing of ours: hashlib, and Ed25519 from python3-cryptography.

verify_log.py URL EVENT_ID LOG_VKEY WITNESS_VKEY: the checkpoint's signature and cosignature, the proof of an event down to its
bytes, as JSON and as C2SP tlog-proof, inclusion by position, consistency, tiles of level 0 and 1, and entries. Says "good", or why not.
"""

import base64
import hashlib
import json
import struct
import sys
import urllib.request

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TILE = 256


def check(holds, why):
    if not holds:
        sys.exit(why)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def node(left, right):
    return sha(b"\x01", left, right)


def decoded(text):
    return base64.b64decode(text, validate=True)


class Key:
    """C2SP signed-note and tlog-cosignature."""

    def __init__(self, vkey):
        self.name, key_id, encoded = vkey.split("+", 2)
        key = decoded(encoded)
        check(len(key) == 33 and sha(self.name.encode(), b"\n", key)[:4].hex() == key_id, "the key id is another")
        self.id, self.kind = bytes.fromhex(key_id), key[0]
        self.public = Ed25519PublicKey.from_public_bytes(key[1:])

    def check_signed(self, note):
        text, _, lines = note.rpartition("\n\n")
        signed = (text + "\n").encode()
        for line in lines.splitlines():
            dash, name, encoded = line.split(" ")
            check(dash == "\u2014", "a signature line does not begin with a dash")
            key_id, signature = decoded(encoded)[:4], decoded(encoded)[4:]
            if (name, key_id) != (self.name, self.id):
                continue
            if self.kind == 4:
                (time,) = struct.unpack(">Q", signature[:8])
                signed = b"cosignature/v1\ntime %d\n" % time + signed
                signature = signature[8:]
            self.public.verify(signature, signed)  # raises if it is false
            return
        sys.exit(f"{self.name} has not signed the checkpoint")


def read_checkpoint(note, log):
    log.check_signed(note)
    origin, size, root = note.splitlines()[:3]
    check(origin == log.name, "the checkpoint is of another log")
    return int(size), decoded(root)


def root_of(hashes):
    """RFC 9162, 2.1.1, by its definition."""
    if not hashes:
        return sha(b"")
    if len(hashes) == 1:
        return hashes[0]
    k = 1 << (len(hashes) - 1).bit_length() - 1
    return node(root_of(hashes[:k]), root_of(hashes[k:]))


def inclusion_root(leaf, index, size, path):
    """The root that an audit path leads to, from the top down: RFC 9162, 2.1.3.1."""
    if size == 1:
        check(not path, "the path is too long")
        return leaf
    check(path, "the path is too short")
    k = 1 << (size - 1).bit_length() - 1
    if index < k:
        return node(inclusion_root(leaf, index, k, path[:-1]), path[-1])
    return node(path[-1], inclusion_root(leaf, index - k, size - k, path[:-1]))


def consistency_roots(first, second, path, old_root, is_whole=True):
    """The roots of both trees that a path leads to, from the top down: RFC 9162, 2.1.4.1."""
    if first == second:
        if is_whole:
            check(not path, "the path is too long")
            return old_root, old_root
        check(len(path) == 1, "the path has another length")
        return path[0], path[0]
    check(path, "the path is too short")
    k = 1 << (second - 1).bit_length() - 1
    if first <= k:
        old, new = consistency_roots(first, k, path[:-1], old_root, is_whole)
        return old, node(new, path[-1])
    old, new = consistency_roots(first - k, second - k, path[:-1], old_root, False)
    return node(path[-1], old), node(path[-1], new)


def leaf_of(proof):
    members = proof["leaf"]["members"]
    digests = []
    for name in ("data", "metadata", "private"):
        member = members.get(name)
        if member is None:
            digests.append(bytes(32))
        elif "digest" in member:
            digests.append(decoded(member["digest"]))
        else:
            digests.append(sha(decoded(member["salt"]), decoded(member["bytes"])))
    preimage = decoded(proof["leaf"]["preimage"])
    check(preimage[-32:] == sha(*digests), "the members are not those of the leaf")
    check(struct.unpack_from("<Q", preimage, 8)[0] == proof["index"], "the leaf is that of another position")
    return preimage, sha(b"\x00", preimage)


def main(url, event_id, log_key, witness_key):
    def get(path, accept="*/*"):
        with urllib.request.urlopen(urllib.request.Request(url + path, headers={"Accept": accept})) as answer:
            return answer.read()

    def tile(kind, index, width):
        name = f"{index:03d}" + (f".p/{width}" if width < TILE else "")
        return get(f"/log/tile/{kind}/{name}")

    def hashes_of(level, count):
        hashes = []
        for index in range(0, (count + TILE - 1) // TILE):
            width = min(TILE, count - index * TILE)
            body = tile(level, index, width)
            check(len(body) == 32 * width, "a tile has another length")
            hashes += [body[at : at + 32] for at in range(0, len(body), 32)]
        return hashes

    log = Key(log_key)
    note = get("/log/checkpoint").decode()
    size, root = read_checkpoint(note, log)
    Key(witness_key).check_signed(note)

    leaves = hashes_of(0, size)
    check(root_of(leaves) == root, "the tiles have another root")
    check(size >= TILE, "there is no full tile")
    above = hashes_of(1, size // TILE)
    check(above == [root_of(leaves[i * TILE : (i + 1) * TILE]) for i in range(size // TILE)], "level 1 is another")

    entries = []
    for index in range(0, (size + TILE - 1) // TILE):
        body, at = tile("entries", index, min(TILE, size - index * TILE)), 0
        while at < len(body):
            (length,) = struct.unpack_from(">H", body, at)
            entries.append(body[at + 2 : at + 2 + length])
            at += 2 + length
    check([sha(b"\x00", entry) for entry in entries] == leaves, "the entries are not those of the leaves")

    proof = json.loads(get(f"/v1/events/{event_id}/proof"))
    preimage, leaf = leaf_of(proof)
    index = proof["index"]
    check(preimage == entries[index] and leaf == leaves[index], "the event is another entry")
    covered, its_root = read_checkpoint(proof["checkpoint"], log)
    check(covered == proof["treeSize"], "the checkpoint is of another size")
    path = [decoded(h) for h in proof["hashes"]]
    check(inclusion_root(leaf, index, covered, path) == its_root, "the event is not in the tree")

    head, _, its_note = get(f"/v1/events/{event_id}/proof", "text/plain").decode().partition("\n\n")
    lines = head.splitlines()
    check(lines[:2] == ["c2sp.org/tlog-proof@v1", f"index {index}"], "this is no tlog-proof")
    covered, its_root = read_checkpoint(its_note, log)
    path = [decoded(line) for line in lines[2:]]
    check(inclusion_root(leaf, index, covered, path) == its_root, "the tlog-proof does not hold")

    for position in (0, 1, TILE - 1, TILE, size - 1):
        shown = json.loads(get(f"/v1/audit/inclusion?position={position}&treeSize={size}"))
        path = [decoded(h) for h in shown["hashes"]]
        check(inclusion_root(leaves[position], position, size, path) == root, f"record {position} is not in the tree")
    for first in (1, 2, 3, TILE, TILE + 1, size - 1, size):
        shown = json.loads(get(f"/v1/audit/consistency?from={first}&to={size}"))
        old_root = root_of(leaves[:first])
        path = [decoded(h) for h in shown["hashes"]]
        check(consistency_roots(first, size, path, old_root) == (old_root, root), f"it does not continue {first}")
    print("good")


if __name__ == "__main__":
    main(*sys.argv[1:])

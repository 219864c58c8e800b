"""Checks the published vectors of the compact chain with nothing but the standard library.

Written from the description in the vectors' own file, not from the Rust code, so that each vouches for the other.
"""

import hashlib
import hmac
import json
import struct
import sys


def hkdf(master: bytes, info: bytes) -> bytes:
    """RFC 5869 without salt, one block of output."""
    extracted = hmac.new(bytes(32), master, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


def verify(chain: bytes, keys: dict, holder: bytes, now: int, min_epoch: int):
    size = len(chain) - 48
    if size <= 0 or size % 48 or size > 8 * 48:
        return "length"
    body, tag = chain[:-32], chain[-32:]
    version, algorithm, count, zero, key_id, epoch, rest = struct.unpack(">BBBBIII", body[:16])
    if key_id not in keys:
        return "key_id"
    if not hmac.compare_digest(hmac.new(keys[key_id], body, hashlib.sha256).digest(), tag):
        return "tag"
    if version != 1 or zero or rest:
        return "version"
    if algorithm != 1:
        return "algorithm"
    links = [struct.unpack(">20s20sQ", body[at : at + 48]) for at in range(16, len(body), 48)]
    if count != len(links):
        return "length"
    if epoch < min_epoch:
        return "revoked"
    for before, after in zip(links, links[1:]):
        if after[2] > before[2]:
            return "widened"
    last_holder, scope, expires = links[-1]
    if now >= expires:
        return "expired"
    if last_holder != holder[:20]:
        return "holder"
    return {"links": count, "scope": scope.hex(), "expires_at_s": expires, "epoch": epoch}


def main(path: str) -> int:
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    wrong = 0
    keys = {}
    for key in document["keys"]:
        info = b"creto-chain-key-v1" + struct.pack(">I", key["id"]) + key["sidecar"].encode()
        derived = hkdf(bytes.fromhex(key["master"]), info)
        if derived.hex() != key["key"]:
            print(f"key {key['name']}: derived {derived.hex()}, the file says {key['key']}")
            wrong += 1
        keys[key["name"]] = (key["id"], derived)
    for vector in document["vectors"]:
        accepted = dict(keys[name] for name in vector["accepts"])
        got = verify(
            bytes.fromhex(vector["chain"]),
            accepted,
            bytes.fromhex(vector["holder"]),
            vector["now_s"],
            vector["min_epoch"],
        )
        expected = vector["ok"] if "ok" in vector else vector["error"]
        if got != expected:
            print(f"{vector['name']}: got {got}, the file says {expected}")
            wrong += 1
    print(f"{len(document['vectors'])} vectors, {wrong} wrong")
    return 1 if wrong or not document["vectors"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

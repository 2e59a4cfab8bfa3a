#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes keymat.txt: SK_*, KEYMAT and the PSK AUTH of RFC 7296 2.13-2.17, split into the keys of each side, computed
with nothing but hmac and hashlib. `gen_keymat.py --check` compares instead."""
import hashlib
import hmac
import os
import sys

HASHES = {"prfsha256": hashlib.sha256, "prfsha384": hashlib.sha384, "prfsha512": hashlib.sha512}
# proposal, ESP proposal, PRF, integrity key, encryption key with salt, Child SA's encryption key with salt
SUITES = [
    ("aes128gcm16-prfsha256-x25519", "aes128gcm16-esn", "prfsha256", 0, 20, 20),
    ("aes256gcm16-prfsha384-x25519", "aes256gcm16-noesn", "prfsha384", 0, 36, 36),
    ("aes256-sha512-x25519", "aes128gcm16-esn", "prfsha512", 64, 32, 20),
    ("aes192-sha256-x25519", "aes256gcm16-esn", "prfsha256", 32, 24, 36),
]
PSK = b"an example of a shared secret"


def data(label, length):
    out = b""
    while len(out) < length:
        out += hashlib.sha256(f"{label} {len(out)}".encode()).digest()
    return out[:length]


def prf(name, key, text):
    return hmac.new(key, text, HASHES[name]).digest()


def prf_plus(name, key, seed, length):
    out, block, number = b"", b"", 1
    while len(out) < length:
        block = prf(name, key, block + seed + bytes([number]))
        out += block
        number += 1
    return out[:length]


def case(suite):
    ike, esp, name, integ, encr, child = suite
    v = {"case": ike, "ike": ike, "esp": esp}
    ni, nr, shared = data(ike + " ni", 32), data(ike + " nr", 32), data(ike + " shared", 32)
    spi_i, spi_r = data(ike + " spi i", 8), data(ike + " spi r", 8)
    v.update(ni=ni, nr=nr, shared=shared, spi_i=spi_i, spi_r=spi_r)
    size = HASHES[name]().digest_size
    parts = [("d", size), ("ai", integ), ("ar", integ), ("ei", encr), ("er", encr), ("pi", size), ("pr", size)]
    stream = prf_plus(name, prf(name, ni + nr, shared), ni + nr + spi_i + spi_r, sum(length for _, length in parts))
    for part, length in parts:
        v["sk_" + part], stream = stream[:length], stream[length:]
    keymat = prf_plus(name, v["sk_d"], ni + nr, 2 * child)
    v["child_from_initiator"], v["child_from_responder"] = keymat[:child], keymat[child:]
    # AUTH of both sides over example messages
    v["message_i"], v["message_r"] = data(ike + " message i", 200), data(ike + " message r", 180)
    key = prf(name, PSK, b"Key Pad for IKEv2")
    id_i, id_r = bytes([2, 0, 0, 0]) + b"a.example.net", bytes([2, 0, 0, 0]) + b"b.example.net"
    v["auth_i"] = prf(name, key, v["message_i"] + nr + prf(name, v["sk_pi"], id_i))
    v["auth_r"] = prf(name, key, v["message_r"] + ni + prf(name, v["sk_pr"], id_r))
    return v


def render():
    lines = [
        "# SPDX-License-Identifier: BSD-3-Clause",
        "# IKEv2 keys and AUTH of one SA, written by gen_keymat.py: an independent computation with Python's hmac.",
    ]
    for suite in SUITES:
        lines.append("")
        for key, value in case(suite).items():
            lines.append(f"{key} = {value.hex() if isinstance(value, bytes) else value}")
    return "\n".join(lines) + "\n"


def main():
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keymat.txt")
    if "--check" in sys.argv:
        with open(path, encoding="ascii") as f:
            if f.read() != render():
                sys.exit("keymat.txt differs from the computation")
        return
    with open(path, "w", encoding="ascii") as f:
        f.write(render())


if __name__ == "__main__":
    main()

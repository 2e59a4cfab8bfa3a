#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes ikev2_kdf.txt: the key derivation of RFC 7296 2.13-2.18 computed with nothing but hmac and hashlib.

Deterministic: inputs are SHA-512 of a label, so running it again must reproduce the committed file byte by byte
(`gen_ikev2_kdf.py --check`).
"""
import hashlib
import hmac
import os
import sys

HASHES = {"prfsha256": hashlib.sha256, "prfsha384": hashlib.sha384, "prfsha512": hashlib.sha512}
# nonce lengths (initiator, responder), length of g^ir, length of the key material
SHAPES = [(16, 16, 32, 100), (32, 32, 32, 304), (32, 48, 48, 372), (64, 32, 256, 448), (256, 256, 256, 512)]
PRF_PLUS_LENGTHS = [1, 31, 32, 33, 63, 64, 65, 128, 255 * 32]
HERE = os.path.dirname(os.path.abspath(__file__))


def data(label, length):
    out = b""
    while len(out) < length:
        out += hashlib.sha512(f"{label} {len(out)}".encode()).digest()
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


def kdf_case(name, shape):
    ni_len, nr_len, secret_len, length = shape
    label = f"{name} {shape}"
    ni, nr = data(label + " ni", ni_len), data(label + " nr", nr_len)
    gir, gir_new = data(label + " gir", secret_len), data(label + " gir new", secret_len)
    spii, spir = data(label + " spii", 8), data(label + " spir", 8)
    skeyseed = prf(name, ni + nr, gir)
    dkm = prf_plus(name, skeyseed, ni + nr + spii + spir, length)
    sk_d = dkm[: HASHES[name]().digest_size]
    return {
        "case": f"kdf-{name}-{ni_len}-{nr_len}-{secret_len}",
        "prf": name,
        "ni": ni,
        "nr": nr,
        "gir": gir,
        "gir_new": gir_new,
        "spii": spii,
        "spir": spir,
        "skeyseed": skeyseed,
        "dkm": dkm,
        "dkm_child": prf_plus(name, sk_d, ni + nr, length),
        "dkm_child_dh": prf_plus(name, sk_d, gir_new + ni + nr, length),
        "skeyseed_rekey": prf(name, sk_d, gir_new + ni + nr),
    }


def prf_plus_case(name, length):
    key, seed = data(f"{name} {length} key", 40), data(f"{name} {length} seed", 77)
    out = prf_plus(name, key, seed, length)
    # long outputs by their hash
    value = {"output": out} if length <= 128 else {"output_sha1": hashlib.sha1(out).digest()}
    return {"case": f"prf+-{name}-{length}", "prf": name, "key": key, "seed": seed, "length": length, **value}


def render():
    lines = [
        "# SPDX-License-Identifier: BSD-3-Clause",
        "# IKEv2 key derivation (RFC 7296 2.13, 2.14, 2.17, 2.18), written by gen_ikev2_kdf.py: an independent computation",
        "# with Python's hmac and hashlib. Names as in ikev2_kdf_nist.txt.",
    ]
    cases = [kdf_case(name, shape) for name in HASHES for shape in SHAPES]
    cases += [prf_plus_case(name, length) for name in HASHES for length in PRF_PLUS_LENGTHS]
    for case in cases:
        lines.append("")
        for key, value in case.items():
            lines.append(f"{key} = {value.hex() if isinstance(value, bytes) else value}")
    return "\n".join(lines) + "\n"


def main():
    path = os.path.join(HERE, "ikev2_kdf.txt")
    text = render()
    if "--check" in sys.argv:
        with open(path, encoding="ascii") as f:
            if f.read() != text:
                sys.exit("ikev2_kdf.txt differs from the computation")
        return
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


if __name__ == "__main__":
    main()

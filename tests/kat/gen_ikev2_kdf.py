#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes ikev2_kdf.txt: the key derivation of RFC 7296 2.13-2.18 computed with nothing but hmac, hashlib and (for CMAC)
the AES block of python3-cryptography.

Deterministic: inputs are SHA-512 of a label, so running it again must reproduce the committed file byte by byte
(`gen_ikev2_kdf.py --check`).
"""
import hashlib
import hmac
import os
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

HASHES = {"prfsha256": hashlib.sha256, "prfsha384": hashlib.sha384, "prfsha512": hashlib.sha512,
          "prfsha1": hashlib.sha1}
# nonce lengths (initiator, responder), length of g^ir, length of the key material
SHAPES = [(16, 16, 32, 100), (32, 32, 32, 304), (32, 48, 48, 372), (64, 32, 256, 448), (256, 256, 256, 512)]
PRF_PLUS_LENGTHS = [1, 31, 32, 33, 63, 64, 65, 128, 255 * 16, 255 * 32]
CMAC = "prfaescmac"
PRFS = [*HASHES, CMAC]
HERE = os.path.dirname(os.path.abspath(__file__))


def data(label, length):
    out = b""
    while len(out) < length:
        out += hashlib.sha512(f"{label} {len(out)}".encode()).digest()
    return out[:length]


def aes(key, block):
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def xor(one, two):
    return bytes(a ^ b for a, b in zip(one, two))


def doubled(block):
    value = int.from_bytes(block, "big") << 1
    return (value ^ 0x87 if value >> 128 else value).to_bytes(17, "big")[1:]


def cmac(key, text):
    """RFC 4493 2.4."""
    k1 = doubled(aes(key, bytes(16)))
    blocks = [text[i : i + 16] for i in range(0, len(text), 16)] or [b""]
    last = blocks.pop()
    last = xor(last, k1) if len(last) == 16 else xor(last + b"\x80" + bytes(15 - len(last)), doubled(k1))
    state = bytes(16)
    for block in blocks + [last]:
        state = aes(key, xor(state, block))
    return state


def prf(name, key, text):
    if name == CMAC:  # RFC 4615 3
        return cmac(key if len(key) == 16 else cmac(bytes(16), key), text)
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
    # RFC 7296 2.14: with AES-CMAC half of the key is of each nonce
    skeyseed = prf(name, ni[:8] + nr[:8] if name == CMAC else ni + nr, gir)
    dkm = prf_plus(name, skeyseed, ni + nr + spii + spir, length)
    sk_d = dkm[: 16 if name == CMAC else HASHES[name]().digest_size]
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


def fits(name, length):
    """The block counter is one octet; the longest of the PRFs with small blocks is theirs alone."""
    small = name in (CMAC, "prfsha1")
    return length <= 255 * 16 if small else length != 255 * 16


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
        "# with Python's hmac and hashlib, for CMAC with an AES block. Names as in ikev2_kdf_nist.txt.",
    ]
    cases = [kdf_case(name, shape) for name in PRFS for shape in SHAPES]
    cases += [prf_plus_case(name, length) for name in PRFS for length in PRF_PLUS_LENGTHS if fits(name, length)]
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

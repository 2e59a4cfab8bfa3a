# SPDX-License-Identifier: BSD-3-Clause
"""The ESP suites that are compared: key material of SA number N, sealing and opening by OpenSSL (through
python3-cryptography), and ipsec-secgw's words. Keys of AES-GCM-128 are those of perf/bench/lab.h."""
import hashlib
import hmac
from collections import namedtuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

SALT = b"perf"
ICV = 16


class Bad(Exception):
    """a packet that does not open"""


def key(sa, size):
    return sa.to_bytes(4, "big") + bytes(range(4, size))


class Aead:
    iv_bytes, block, salt, integ = 8, 4, SALT, 0

    def __init__(self, make, encr, secgw, gcm):
        self.make, self.encr, self.secgw, self.gcm = make, encr, secgw, gcm

    def iv(self, sequence):
        return sequence.to_bytes(8, "big")

    def seal(self, sa, head, iv, text):
        return self.make(key(sa, self.encr)).encrypt(SALT + iv, text, head)

    def open(self, sa, head, iv, sealed):
        try:
            return self.make(key(sa, self.encr)).decrypt(SALT + iv, sealed, head)
        except InvalidTag:
            raise Bad("ICV does not match") from None


class CbcSha256:
    iv_bytes, block, salt, gcm = 16, 16, b"", False

    def __init__(self, encr, integ, secgw):
        self.encr, self.integ, self.secgw = encr, integ, secgw

    def iv(self, sequence):
        return hashlib.sha256(sequence.to_bytes(8, "big")).digest()[:16]

    def cipher(self, sa, iv):
        return Cipher(algorithms.AES(key(sa, self.encr)), modes.CBC(iv))

    def icv(self, sa, data):
        return hmac.new(key(sa, self.integ), data, "sha256").digest()[:ICV]

    def seal(self, sa, head, iv, text):
        encryptor = self.cipher(sa, iv).encryptor()
        sealed = encryptor.update(text) + encryptor.finalize()
        return sealed + self.icv(sa, head + iv + sealed)

    def open(self, sa, head, iv, sealed):
        text, icv = sealed[:-ICV], sealed[-ICV:]
        if not hmac.compare_digest(icv, self.icv(sa, head + iv + text)):
            raise Bad("ICV does not match")
        decryptor = self.cipher(sa, iv).decryptor()
        return decryptor.update(text) + decryptor.finalize()


ALGORITHMS = {
    "aes128gcm16": Aead(AESGCM, 16, "aead_algo aes-128-gcm aead_key {encr}", True),
    "aes256gcm16": Aead(AESGCM, 32, "aead_algo aes-256-gcm aead_key {encr}", True),
    "chacha20poly1305": Aead(ChaCha20Poly1305, 32, "aead_algo chacha20-poly1305 aead_key {encr}", False),
    "aes128-sha256": CbcSha256(16, 32, "cipher_algo aes-128-cbc cipher_key {encr} auth_algo sha256-hmac auth_key {integ}"),
}

Material = namedtuple("Material", "encr integ")


def material(algorithm, sa):
    """what a configuration is given: encryption key with its salt, integrity key"""
    a = ALGORITHMS[algorithm]
    return Material(key(sa, a.encr) + a.salt, key(sa, a.integ) if a.integ else b"")

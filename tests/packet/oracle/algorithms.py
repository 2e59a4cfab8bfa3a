# SPDX-License-Identifier: BSD-3-Clause
"""Ciphers and MACs of ESP and AH by IANA number (IKEv2 transform types 1 and 3). The sizes stand here once more on
purpose: were they read from the gateway's table, a wrong size there would look right."""
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import cmac, hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, ChaCha20Poly1305

from . import OracleError

BLOCK = 16


class Aead:
    """What combined-mode ciphers share. A nonce is the salt, then the IV."""
    salt_bytes, iv_bytes, block_bytes, icv_bytes, implicit = 4, 8, 1, 16, False
    combined = True

    def __init__(self, key, icv_bytes=16, implicit=False):
        self.key, self.salt = key[:len(key) - self.salt_bytes], key[len(key) - self.salt_bytes:]
        self.icv_bytes, self.implicit = icv_bytes, implicit
        if implicit:
            self.iv_bytes = 0

    def nonce(self, iv):
        return self.salt + iv


class Gcm(Aead):
    """RFC 4106. Not AESGCM of the library, whose tag is always 16 bytes."""

    def seal(self, iv, aad, text):
        run = Cipher(algorithms.AES(self.key), modes.GCM(self.nonce(iv))).encryptor()
        run.authenticate_additional_data(aad)
        sealed = run.update(text) + run.finalize()
        return sealed + run.tag[:self.icv_bytes]

    def open(self, iv, aad, sealed):
        text, tag = sealed[:-self.icv_bytes], sealed[-self.icv_bytes:]
        mode = modes.GCM(self.nonce(iv), tag, min_tag_length=self.icv_bytes)
        run = Cipher(algorithms.AES(self.key), mode).decryptor()
        run.authenticate_additional_data(aad)
        try:
            return run.update(text) + run.finalize()
        except InvalidTag:
            raise OracleError("the ICV is wrong") from None


class Gmac(Gcm):
    """RFC 4543 3: GCM without plaintext. The IV and the payload are authenticated data."""

    def seal(self, iv, aad, text):
        return text + super().seal(iv, aad + iv + text, b"")

    def open(self, iv, aad, sealed):
        text, tag = sealed[:-self.icv_bytes], sealed[-self.icv_bytes:]
        super().open(iv, aad + iv + text, tag)
        return text


class Library(Aead):
    """An AEAD class of the library as it is."""
    library = None

    def seal(self, iv, aad, text):
        return self.library.encrypt(self.nonce(iv), text, aad)

    def open(self, iv, aad, sealed):
        try:
            return self.library.decrypt(self.nonce(iv), sealed, aad)
        except InvalidTag:
            raise OracleError("the ICV is wrong") from None


class Ccm(Library):
    """RFC 4309: three bytes of salt, so that the length field has four bytes."""
    salt_bytes = 3

    def __init__(self, key, icv_bytes=16, implicit=False):
        super().__init__(key, icv_bytes, implicit)
        self.library = AESCCM(self.key, tag_length=icv_bytes)


class Chacha(Library):
    """RFC 7634."""

    def __init__(self, key, icv_bytes=16, implicit=False):
        super().__init__(key, icv_bytes, implicit)
        self.library = ChaCha20Poly1305(self.key)


class Classic:
    """A cipher without integrity of its own."""
    salt_bytes, iv_bytes, block_bytes, icv_bytes, implicit = 0, 0, 1, 0, False
    combined = False

    def __init__(self, key):
        self.key = key

    def encrypt(self, _iv, text):
        return text

    def decrypt(self, _iv, sealed):
        return sealed


class Mode(Classic):
    """One of the library's block cipher modes."""

    def cipher(self, iv):
        raise NotImplementedError

    def encrypt(self, iv, text):
        run = self.cipher(iv).encryptor()
        return run.update(text) + run.finalize()

    def decrypt(self, iv, sealed):
        run = self.cipher(iv).decryptor()
        return run.update(sealed) + run.finalize()


class Cbc(Mode):
    """RFC 3602."""
    iv_bytes = block_bytes = BLOCK

    def cipher(self, iv):
        return Cipher(algorithms.AES(self.key), modes.CBC(iv))


class TripleDes(Mode):
    """RFC 2451."""
    iv_bytes = block_bytes = 8

    def cipher(self, iv):
        return Cipher(algorithms.TripleDES(self.key), modes.CBC(iv))


class Ctr(Mode):
    """RFC 3686: the counter block is nonce, IV and a block number from 1."""
    salt_bytes, iv_bytes = 4, 8

    def __init__(self, key):
        super().__init__(key[:-4])
        self.salt = key[-4:]

    def cipher(self, iv):
        return Cipher(algorithms.AES(self.key), modes.CTR(self.salt + iv + struct.pack("!I", 1)))


class Mac:
    """A truncated MAC. salt_bytes and iv_bytes are GMAC's only."""
    salt_bytes = iv_bytes = 0

    def __init__(self, key, icv_bytes):
        self.key, self.icv_bytes = key, icv_bytes

    def icv(self, data, _iv=b""):
        return self.whole(data)[:self.icv_bytes]

    def whole(self, data):
        raise NotImplementedError


class Hmac(Mac):
    def __init__(self, key, icv_bytes, digest):
        super().__init__(key, icv_bytes)
        self.keyed = hmac.HMAC(key, digest)

    def whole(self, data):
        run = self.keyed.copy()
        run.update(data)
        return run.finalize()


class Cmac(Mac):
    """RFC 4494."""

    def whole(self, data):
        run = cmac.CMAC(algorithms.AES(self.key))
        run.update(data)
        return run.finalize()


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


class Xcbc(Mac):
    """RFC 3566: CBC-MAC under K1, the last block masked with K2, or padded and masked with K3."""

    def __init__(self, key, icv_bytes):
        super().__init__(key, icv_bytes)
        run = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        self.k1, self.k2, self.k3 = (run.update(bytes([i]) * BLOCK) for i in (1, 2, 3))

    def whole(self, data):
        whole_blocks = max(0, (len(data) - 1) // BLOCK) * BLOCK
        head, last = data[:whole_blocks], data[whole_blocks:]
        if len(last) == BLOCK:
            last = xor(last, self.k2)
        else:
            last = xor((last + b"\x80").ljust(BLOCK, b"\0"), self.k3)
        run = Cipher(algorithms.AES(self.k1), modes.CBC(bytes(BLOCK))).encryptor()
        return (run.update(head + last) + run.finalize())[-BLOCK:]


class GmacMac(Mac):
    """RFC 4543 4, for AH: an IV travels in front of the tag."""
    salt_bytes, iv_bytes = 4, 8

    def __init__(self, key, icv_bytes):
        super().__init__(key, icv_bytes)
        self.gcm = Gcm(key)

    def icv(self, data, iv=b""):
        return self.gcm.seal(iv, data, b"")


# IANA number: class, arguments behind the key, key lengths in bytes without salt
CIPHERS = {
    3: (TripleDes, (), (24,)),
    11: (Classic, (), (0,)),
    12: (Cbc, (), (16, 24, 32)),
    13: (Ctr, (), (16, 24, 32)),
    14: (Ccm, (8,), (16, 24, 32)),
    15: (Ccm, (12,), (16, 24, 32)),
    16: (Ccm, (16,), (16, 24, 32)),
    18: (Gcm, (8,), (16, 24, 32)),
    19: (Gcm, (12,), (16, 24, 32)),
    20: (Gcm, (16,), (16, 24, 32)),
    21: (Gmac, (16,), (16, 24, 32)),
    28: (Chacha, (16,), (32,)),
    29: (Ccm, (8, True), (16, 24, 32)),
    30: (Gcm, (16, True), (16, 24, 32)),
    31: (Chacha, (16, True), (32,)),
}
MACS = {
    2: (Hmac, (12, hashes.SHA1()), 20),
    5: (Xcbc, (12,), 16),
    8: (Cmac, (12,), 16),
    9: (GmacMac, (16,), 16),
    10: (GmacMac, (16,), 24),
    11: (GmacMac, (16,), 32),
    12: (Hmac, (16, hashes.SHA256()), 32),
    13: (Hmac, (24, hashes.SHA384()), 48),
    14: (Hmac, (32, hashes.SHA512()), 64),
}


def cipher_create(number, key_bits, key):
    """The cipher with this key (salt behind it). key_bits is the Key Length attribute, 0 where there is none."""
    if number not in CIPHERS:
        raise OracleError(f"no oracle for encryption algorithm {number}")
    kind, arguments, lengths = CIPHERS[number]
    key_bytes = len(key) - kind.salt_bytes
    if key_bytes not in lengths or key_bits not in (0, key_bytes * 8):
        raise OracleError(f"encryption algorithm {number} takes no key of {key_bytes} bytes")
    return kind(key, *arguments)


def mac_create(number, key):
    if number not in MACS:
        raise OracleError(f"no oracle for integrity algorithm {number}")
    kind, arguments, key_bytes = MACS[number]
    if len(key) != key_bytes + kind.salt_bytes:
        raise OracleError(f"integrity algorithm {number} takes no key of {len(key)} bytes")
    return kind(key, *arguments)

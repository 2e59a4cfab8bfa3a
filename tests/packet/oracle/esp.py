# SPDX-License-Identifier: BSD-3-Clause
"""The body of an ESP packet, from the SPI to the ICV. RFC 4303, with the documents of each cipher."""
import os
import struct

from . import OracleError

ALIGN = 4  # RFC 4303 2.4


def sequence_parts(sequence):
    return struct.pack("!I", sequence >> 32), struct.pack("!I", sequence & 0xffffffff)


def associated_data(sa, sequence):
    """RFC 4106 5: with ESN all 64 bits."""
    high, low = sequence_parts(sequence)
    return sa.spi_bytes + (high if sa.esn else b"") + low


def trailer(sa, payload_bytes, next_header, extra_blocks=0):
    align = max(sa.cipher.block_bytes, ALIGN)
    pad = -(payload_bytes + 2) % align + extra_blocks * align
    return bytes(range(1, pad + 1)) + bytes([pad, next_header])


def implicit_iv(sa, sequence):
    """RFC 8750 4: the sequence number, 64 bits wide with or without ESN."""
    return struct.pack("!Q", sequence if sa.esn else sequence & 0xffffffff)


def seal(sa, sequence, next_header, payload, extra_blocks=0):
    high, low = sequence_parts(sequence)
    text = payload + trailer(sa, len(payload), next_header, extra_blocks)
    wire_iv = os.urandom(sa.cipher.iv_bytes)
    head = sa.spi_bytes + low + wire_iv
    if sa.cipher.combined:
        iv = implicit_iv(sa, sequence) if sa.cipher.implicit else wire_iv
        return head + sa.cipher.seal(iv, associated_data(sa, sequence), text)
    body = head + sa.cipher.encrypt(wire_iv, text)
    return body + sa.mac.icv(body + (high if sa.esn else b""))


def text_of(sa, sequence, body):
    """Checks the ICV and decrypts: payload with its trailer."""
    iv_end = 8 + sa.cipher.iv_bytes
    wire_iv = body[8:iv_end]
    if sa.cipher.combined:
        iv = implicit_iv(sa, sequence) if sa.cipher.implicit else wire_iv
        return sa.cipher.open(iv, associated_data(sa, sequence), body[iv_end:])
    signed, icv = body[:-sa.mac.icv_bytes], body[-sa.mac.icv_bytes:]
    high = sequence_parts(sequence)[0] if sa.esn else b""
    if sa.mac.icv(signed + high) != icv:
        raise OracleError("the ICV is wrong")
    return sa.cipher.decrypt(wire_iv, signed[iv_end:])


def open(sa, sequence, body):
    """(next header, payload); also checks that the padding is the shortest allowed."""
    if body[:4] != sa.spi_bytes:
        raise OracleError(f"SPI {body[:4].hex()}")
    if body[4:8] != sequence_parts(sequence)[1]:
        raise OracleError(f"sequence {body[4:8].hex()}, expected {sequence:#x}")
    text = text_of(sa, sequence, body)
    pad, next_header = text[-2], text[-1]
    payload = text[:-2 - pad]
    if text[len(payload):] != trailer(sa, len(payload), next_header):
        raise OracleError(f"trailer {text[len(payload):].hex()}")
    return next_header, payload

# SPDX-License-Identifier: BSD-3-Clause
"""The Authentication Header: what of a packet is authenticated, and the header itself. RFC 4302, RFC 4543 4."""
import os
import struct

from . import OracleError
from .headers import DESTINATION, HOP_BY_HOP, ROUTING, extensions, version

FIXED_BYTES = 12
# RFC 4302 A1, by option number without the copy bit and class: those that stay. The rest is zeroed whole.
IMMUTABLE_IPV4_OPTIONS = {0, 1, 2, 5, 6, 20, 21}
CHANGES_EN_ROUTE = 0x20  # RFC 8200 4.2


def ipv4_options_immutable(options):
    """Mutable options become zeros, type and length included (RFC 4302 3.3.3.1.1.2)."""
    result, at = bytearray(options), 0
    while at < len(options):
        kind = options[at]
        length = 1 if kind in (0, 1) else options[at + 1]
        if kind & 0x1f not in IMMUTABLE_IPV4_OPTIONS:
            result[at:at + length] = bytes(length)
        at += length
        if kind == 0:
            break
    return bytes(result)


def ipv4_immutable(head):
    """TOS, flags and offset, TTL and checksum are zero."""
    fixed = head[:1] + b"\0" + head[2:6] + b"\0\0\0" + head[9:10] + b"\0\0" + head[12:20]
    return fixed + ipv4_options_immutable(head[20:])


def ipv6_options_immutable(header):
    """Of hop-by-hop or destination options: data that may change en route is zero, type and length stay."""
    result, at = bytearray(header), 2
    while at < len(header):
        if header[at] == 0:  # Pad1
            at += 1
            continue
        length = header[at + 1]
        if header[at] & CHANGES_EN_ROUTE:
            result[at + 2:at + 2 + length] = bytes(length)
        at += 2 + length
    return bytes(result)


def routing_arrived(head, offset, length):
    """The headers as they will be at the destination (RFC 4302 3.3.3.1.2.2): a type 0 routing header used up."""
    head = bytearray(head)
    left = head[offset + 3]
    count = (length - 8) // 16
    for i in range(count - left, count):
        place = offset + 8 + 16 * i
        head[24:40], head[place:place + 16] = head[place:place + 16], head[24:40]
    head[offset + 3] = 0
    return bytes(head)


def ipv6_immutable(head):
    """Class, flow label and hop limit are zero; extension headers each by their own rule."""
    head = b"\x60\0\0\0" + head[4:7] + b"\0" + head[8:]
    for offset, number, length in list(extensions(head)):
        if number == ROUTING and length:
            head = routing_arrived(head, offset, length)
        elif number in (HOP_BY_HOP, DESTINATION) and length:
            head = head[:offset] + ipv6_options_immutable(head[offset:offset + length]) + head[offset + length:]
    return head


def icv_field_bytes(sa, head):
    """IV, ICV and padding: to 32 bits with IPv4, to 64 with IPv6 (RFC 4302 2.6, RFC 4543 erratum 3643)."""
    length = FIXED_BYTES + sa.mac.iv_bytes + sa.mac.icv_bytes
    return length - FIXED_BYTES + -length % (4 if version(head) == 4 else 8)


def authenticated(sa, sequence, head, header, payload):
    """RFC 4302 3.3.3: the ICV is zero, GMAC's IV in front of it and the padding behind it are as they are (RFC 4543
    figure 5, and the packet in tests/kat/ah_packets.txt); the high half of the ESN comes at the end."""
    immutable = ipv4_immutable(head) if version(head) == 4 else ipv6_immutable(head)
    icv_at = FIXED_BYTES + sa.mac.iv_bytes
    covered = header[:icv_at] + bytes(sa.mac.icv_bytes) + header[icv_at + sa.mac.icv_bytes:]
    high = struct.pack("!I", sequence >> 32) if sa.esn else b""
    return immutable + covered + payload + high


def seal(sa, sequence, head, next_header, payload):
    """The AH and what it covers. `head` are the headers in front with final lengths and next header."""
    field = icv_field_bytes(sa, head)
    words = (FIXED_BYTES + field) // 4 - 2
    iv = os.urandom(sa.mac.iv_bytes)
    start = struct.pack("!BBHII", next_header, words, 0, sa.spi, sequence & 0xffffffff) + iv
    header = start.ljust(FIXED_BYTES + field, b"\0")
    icv = sa.mac.icv(authenticated(sa, sequence, head, header, payload), iv)
    return (start + icv).ljust(len(header), b"\0") + payload


def open(sa, sequence, head, body):
    """(next header, payload) when everything is as it must be."""
    next_header, words, reserved, spi, low = struct.unpack("!BBHII", body[:FIXED_BYTES])
    length = (words + 2) * 4
    if spi != sa.spi or low != sequence & 0xffffffff:
        raise OracleError(f"SPI {spi:#x}, sequence {low:#x}, expected {sequence:#x}")
    if reserved or length != FIXED_BYTES + icv_field_bytes(sa, head):
        raise OracleError(f"reserved {reserved}, length field {words}")
    header, payload = body[:length], body[length:]
    iv_end = FIXED_BYTES + sa.mac.iv_bytes
    icv = sa.mac.icv(authenticated(sa, sequence, head, header, payload), header[FIXED_BYTES:iv_end])
    if header[iv_end:iv_end + sa.mac.icv_bytes] != icv:
        raise OracleError("the ICV is wrong")
    return next_header, payload

# SPDX-License-Identifier: BSD-3-Clause
"""IPv4 and IPv6 headers as bytes: built, split where a security header goes in, joined again, summed. RFC 791, RFC 8200,
RFC 768. Addresses are packed bytes; their length is the family."""
import struct

from . import OracleError

HOP_BY_HOP, IPV4, TCP, UDP, IPV6, ROUTING, ESP, AH, ICMPV6, NONE, DESTINATION = 0, 4, 6, 17, 41, 43, 50, 51, 58, 59, 60
ICMP = 1
IPV6_BYTES, UDP_BYTES = 40, 8
NATT_PORT = 4500
DF = 0x4000


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def pseudo_header(src, dst, protocol, length):
    """RFC 768 and RFC 8200 8.1."""
    if len(src) == 4:
        return src + dst + struct.pack("!BBH", 0, protocol, length)
    return src + dst + struct.pack("!IHBB", length, 0, 0, protocol)


def transport_checksum(src, dst, protocol, segment):
    """Of TCP, UDP or ICMPv6; UDP sends 0 as 0xffff."""
    value = checksum(pseudo_header(src, dst, protocol, len(segment)) + segment)
    return 0xffff if protocol == UDP and value == 0 else value


def version(packet):
    return packet[0] >> 4


def addresses(packet):
    return (packet[12:16], packet[16:20]) if version(packet) == 4 else (packet[8:24], packet[24:40])


def ipv4(src, dst, protocol, payload, tos=0, ident=0, df=False, ttl=64, options=b""):
    length = 20 + len(options) + len(payload)
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, tos, length, ident, DF if df else 0, ttl, protocol, 0,
                       src, dst) + options
    return ipv4_resum(head) + payload


def ipv4_resum(head):
    """The header with a right checksum."""
    head = head[:10] + b"\0\0" + head[12:]
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def ipv6(src, dst, next_header, payload, traffic_class=0, flow_label=0, hop_limit=64):
    word = 6 << 28 | traffic_class << 20 | flow_label
    return struct.pack("!IHBB16s16s", word, len(payload), next_header, hop_limit, src, dst) + payload


def ip(src, dst, protocol, payload, tos=0, ttl=64, **more):
    """Either family, by the addresses. more: ident, df, options or flow_label."""
    if len(src) == 4:
        return ipv4(src, dst, protocol, payload, tos=tos, ttl=ttl, **more)
    return ipv6(src, dst, protocol, payload, traffic_class=tos, hop_limit=ttl, **more)


def tos(packet):
    """TOS or traffic class."""
    return packet[1] if version(packet) == 4 else (packet[0] << 4 | packet[1] >> 4) & 0xff


def flow_label(packet):
    return struct.unpack("!I", packet[:4])[0] & 0xfffff


def whole(packet):
    """The packet without what Ethernet padded; checks what the IP header says of itself."""
    if version(packet) == 4:
        head, length = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
        if head < 20 or length < head or checksum(packet[:head]):
            raise OracleError("IPv4 header or its checksum is wrong")
    elif version(packet) == 6:
        length = IPV6_BYTES + struct.unpack("!H", packet[4:6])[0]
    else:
        raise OracleError(f"IP version {version(packet)}")
    if length > len(packet):
        raise OracleError(f"IP length {length}, {len(packet)} bytes are there")
    return packet[:length]


def extensions(packet):
    """(offset, number, bytes) of each IPv6 extension header that may stand in front of a security header; the last
    tuple is the first header that may not, with 0 bytes. Of IPv4: only that tuple."""
    if version(packet) == 4:
        yield (packet[0] & 15) * 4, packet[9], 0
        return
    offset, number = IPV6_BYTES, packet[6]
    while number in (HOP_BY_HOP, ROUTING, DESTINATION):
        length = (packet[offset + 1] + 1) * 8
        yield offset, number, length
        offset, number = offset + length, packet[offset]
    yield offset, number, 0


def split(packet):
    """(headers in front, next header, the rest) for a security header between them. RFC 4303 3.1.1: destination options
    go in front only when they belong to a routing header."""
    chain = list(extensions(packet))
    numbers = [number for _, number, _ in chain]
    for i, (offset, number, _) in enumerate(chain):
        if number == DESTINATION and ROUTING not in numbers[i:]:
            return packet[:offset], number, packet[offset:]
    offset, number, _ = chain[-1]
    return packet[:offset], number, packet[offset:]


def join(head, next_header, payload):
    """The packet with these headers in front; next header, length and checksum set to match."""
    if version(head) == 4:
        length = struct.pack("!H", len(head) + len(payload))
        return ipv4_resum(head[:2] + length + head[4:9] + bytes([next_header]) + head[10:]) + payload
    head = bytearray(head)
    head[4:6] = struct.pack("!H", len(head) - IPV6_BYTES + len(payload))
    place, offset = 6, IPV6_BYTES
    while offset < len(head):
        place, offset = offset, offset + (head[offset + 1] + 1) * 8
    head[place] = next_header
    return bytes(head) + payload


def front(packet):
    """(headers in front, next header, the rest) of a packet that has ESP, AH or UDP already."""
    offset, number, _ = list(extensions(packet))[-1]
    return packet[:offset], number, packet[offset:]


def udp_wrap(src, dst, body, with_checksum):
    """RFC 3948 2.1. IPv4 should have no checksum; IPv6 must."""
    head = struct.pack("!HHHH", NATT_PORT, NATT_PORT, UDP_BYTES + len(body), 0)
    if with_checksum or len(src) == 16:
        head = head[:6] + struct.pack("!H", transport_checksum(src, dst, UDP, head + body))
    return head + body


def udp_unwrap(src, dst, datagram):
    """What is inside; checks ports, length and checksum: none over IPv4, a right one over IPv6."""
    sport, dport, length, value = struct.unpack("!HHHH", datagram[:UDP_BYTES])
    if (sport, dport) != (NATT_PORT, NATT_PORT):
        raise OracleError(f"UDP ports {sport} and {dport}")
    if length != len(datagram):
        raise OracleError(f"UDP length {length} of {len(datagram)} bytes")
    if len(src) == 4 and value:
        raise OracleError("a UDP checksum over IPv4 (RFC 3948 2.1)")
    if len(src) == 16 and (not value or checksum(pseudo_header(src, dst, UDP, length) + datagram)):
        raise OracleError(f"UDP checksum {value:#x} over IPv6")
    return datagram[UDP_BYTES:]

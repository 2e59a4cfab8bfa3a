#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends an ICMP error that quotes a packet of one's choice (raw socket; run it in the WAN's namespace).

usage: icmp_error.py frag-needed OUTER_SRC SPI OUTER_DST MTU    about an ESP packet, to its sender
       icmp_error.py too-big OUTER_SRC SPI OUTER_DST MTU        the same over IPv6
       icmp_error.py unreachable OUTER_SRC SPI OUTER_DST        host unreachable about an ESP packet
       icmp_error.py about-clear INNER_SRC INNER_DST VIA [FROM] host unreachable from 192.0.2.254, or FROM, about a UDP
                                                                packet in clear, to its sender; VIA: the next hop
"""
import socket
import struct
import sys

PROTO_ICMP, PROTO_UDP, PROTO_ESP = 1, 17, 50
UNREACHABLE, HOST, FRAGMENTATION_NEEDED = 3, 1, 4
ICMPV6_TOO_BIG = 2


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def ip4(src, dst, proto, payload):
    fields = [0x45, 0, 20 + len(payload), 0, 0x4000, 64, proto, 0, socket.inet_aton(src), socket.inet_aton(dst)]
    fields[7] = checksum(struct.pack("!BBHHHBBH4s4s", *fields))
    return struct.pack("!BBHHHBBH4s4s", *fields) + payload


def icmp(code, mtu, quoted):
    fields = [UNREACHABLE, code, 0, 0, mtu]
    fields[2] = checksum(struct.pack("!BBHHH", *fields) + quoted)
    return struct.pack("!BBHHH", *fields) + quoted


def esp(spi):
    return struct.pack("!II", int(spi, 0), 7) + bytes(64)


def send4(dst, message, src="0.0.0.0", via=None):
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        s.sendto(ip4(src, dst, PROTO_ICMP, message), (via or dst, 0))


def send6(dst, message):
    # the kernel fills in the checksum
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as s:
        s.sendto(message, (dst, 0))


def main():
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    kind, args = sys.argv[1], sys.argv[2:]
    if kind == "frag-needed":
        send4(args[0], icmp(FRAGMENTATION_NEEDED, int(args[3]), ip4(args[0], args[2], PROTO_ESP, esp(args[1]))))
    elif kind == "unreachable":
        send4(args[0], icmp(HOST, 0, ip4(args[0], args[2], PROTO_ESP, esp(args[1]))))
    elif kind == "too-big":
        src, dst = (socket.inet_pton(socket.AF_INET6, a) for a in (args[0], args[2]))
        quoted = struct.pack("!IHBB", 6 << 28, 72, PROTO_ESP, 64) + src + dst + esp(args[1])
        send6(args[0], struct.pack("!BBHI", ICMPV6_TOO_BIG, 0, 0, int(args[3])) + quoted)
    elif kind == "about-clear":
        quoted = ip4(args[0], args[1], PROTO_UDP, struct.pack("!HHHH", 7, 7, 24, 0) + bytes(16))
        send4(args[0], icmp(HOST, 0, quoted), src=(args[3:] or ["192.0.2.254"])[0], via=args[2])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()

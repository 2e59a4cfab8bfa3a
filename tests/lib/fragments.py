#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends IPv4 fragments nobody should send (packet socket; run it in the namespace of the attacker's interface).

usage: fragments.py IFACE DST_MAC SRC DST endless | tiny | overlap | contradicting | beyond | odd | duplicate COUNT
The sources are SRC and the 19 addresses behind it; each of COUNT datagrams has an identification of its own.
"""
import ipaddress
import socket
import struct
import sys

MORE = 0x2000
UDP, TCP = 17, 6
SOURCES = 20

# (protocol, offset, data, more) of what is sent of each datagram
KINDS = {
    "endless": [(UDP, at, bytes(64), True) for at in range(0, 512, 64)],
    "tiny": [(TCP, 0, bytes(8), True), (TCP, 8, bytes(64), False)],
    "overlap": [(UDP, 0, bytes(64), True), (UDP, 32, b"x" * 64, True), (UDP, 96, bytes(8), False)],
    "contradicting": [(UDP, 64, bytes(8), False), (UDP, 128, bytes(8), False)],
    "beyond": [(UDP, 65528, bytes(64), False)],
    "odd": [(UDP, 0, bytes(61), True)],
    "duplicate": [(UDP, 0, bytes(64), True), (UDP, 0, bytes(64), True)],
}


def checksum(header):
    total = sum(struct.unpack("!10H", header))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff


def fragment(src, dst, identification, proto, offset, data, more):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), identification, offset // 8 | (MORE if more else 0),
                         64, proto, 0, src, dst)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + data


def main():
    iface, mac, src, dst, kind, count = sys.argv[1:]
    first, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst).packed
    out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    out.bind((iface, 0))
    ethernet = bytes.fromhex(mac.replace(":", "")) + bytes.fromhex("020000000099") + b"\x08\x00"
    # what one kind left in a table must not meet the next kind
    start = list(KINDS).index(kind) * 5000
    for n in range(int(count)):
        for piece in KINDS[kind]:
            out.send(ethernet + fragment((first + n % SOURCES).packed, dst, (start + n) % 65536, *piece))


if __name__ == "__main__":
    main()

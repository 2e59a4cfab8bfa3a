#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# A flood on eth0 for some seconds: neighbour_flood.py arp|nd SECONDS GATEWAY-MAC. Every frame comes from another sender
# that asks for the gateway's address. As many as the machine has time for, in bursts that leave others room.
import random
import socket
import struct
import sys
import time

FRAMES = 4096
RATE = 20000
BURST = 50


def arp(mac, number):
    sender = bytes([10, 1, 1 + number // 250, 1 + number % 250])
    body = struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + mac + sender + bytes(6) + bytes([10, 1, 0, 1])
    return b"\xff" * 6 + mac + b"\x08\x06" + body + bytes(18)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def solicitation(mac, number, gateway):
    source = socket.inet_pton(socket.AF_INET6, f"2001:db8:1::6:{number + 1:x}")
    target = socket.inet_pton(socket.AF_INET6, "2001:db8:1::1")
    message = struct.pack("!BBHI", 135, 0, 0, 0) + target + b"\x01\x01" + mac
    pseudo = source + target + struct.pack("!II", len(message), 58)
    message = message[:2] + struct.pack("!H", checksum(pseudo + message)) + message[4:]
    header = struct.pack("!IHBB", 0x60000000, len(message), 58, 255) + source + target
    return gateway + mac + b"\x86\xdd" + header + message


def main():
    kind, seconds, gateway = sys.argv[1], float(sys.argv[2]), bytes.fromhex(sys.argv[3].replace(":", ""))
    frames = []
    for number in range(FRAMES):
        mac = b"\x02" + random.randbytes(5)
        frames.append(arp(mac, number) if kind == "arp" else solicitation(mac, number, gateway))
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    link.bind(("eth0", 0))
    start, sent = time.monotonic(), 0
    while time.monotonic() - start < seconds:
        for n in range(BURST):
            link.send(frames[(sent + n) % FRAMES])
        sent += BURST
        ahead = start + sent / RATE - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


main()

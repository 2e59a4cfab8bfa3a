#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends IKE messages of peers that do not exist, each from a source of its own or all in the name of SOURCE, as fast as
it can or at RATE a second (raw socket; run it in the WAN's namespace). Prints how many were sent.

usage: ike_flood.py DST init | auth | fragments | informational COUNT [RATE [SOURCE]]
init: IKE_SA_INIT requests that a gateway for anybody accepts; auth: IKE_AUTH requests, fragments: their fragments,
informational: requests as of a peer that asks whether we are there, of IKE SAs that nobody has.
"""
import os
import random
import socket
import struct
import sys
import time

UDP, IKE_PORT = 17, 500
SA_INIT, AUTH, INFORMATIONAL, FLAG_INITIATOR = 34, 35, 37, 0x08
SA, KE, NONCE, NONE, IDI, SK, SKF = 33, 34, 40, 0, 35, 46, 53
SOURCES = 0x64400001  # 100.64.0.1 and on: 4 million of them (RFC 6598)


def payload(following, body):
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def proposal():
    """AES-GCM-256, PRF-HMAC-SHA2-384, ECP-384"""
    transforms = [(1, 20, struct.pack("!HH", 0x800e, 256)), (2, 6, b""), (4, 20, b"")]
    data = b""
    for i, (kind, number, attributes) in enumerate(transforms):
        more = 0 if i == len(transforms) - 1 else 3
        data += struct.pack("!BBHBBH", more, 0, 8 + len(attributes), kind, 0, number) + attributes
    return struct.pack("!BBHBBBB", 0, 0, 8 + len(data), 1, 1, 0, len(transforms)) + data


def message(kind, spi_i, noise):
    spi_r, exchange, message_id = noise[:8], AUTH, 1
    if kind == "init":
        spi_r, exchange, message_id, first = bytes(8), SA_INIT, 0, SA
        body = payload(KE, proposal()) + payload(NONCE, struct.pack("!HH", 20, 0) + noise[:96]) + payload(NONE, noise[:32])
    elif kind in ("auth", "informational"):
        exchange = AUTH if kind == "auth" else INFORMATIONAL
        first, body = SK, payload(IDI, noise[:200])
    else:
        first, body = SKF, payload(IDI, struct.pack("!HH", 1, 3) + noise)
    head = struct.pack("!8s8sBBBBII", spi_i, spi_r, first, 0x20, exchange, FLAG_INITIATOR, message_id, 28 + len(body))
    return head + body


def datagram(source, destination, data):
    """Checksums: the kernel fills in that of IP, UDP has none."""
    udp = struct.pack("!HHHH", IKE_PORT, IKE_PORT, 8 + len(data), 0) + data
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, UDP, 0, source, destination) + udp


def main():
    destination, kind, count = socket.inet_aton(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    rate = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    source = int.from_bytes(socket.inet_aton(sys.argv[5]), "big") if len(sys.argv) > 5 else None
    sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    template = bytearray(datagram(bytes(4), destination, message(kind, bytes(8), os.urandom(320))))
    start, to = time.monotonic(), (sys.argv[1], 0)
    for i in range(count):
        struct.pack_into("!I", template, 12, source or SOURCES + i % 0x3ffffe)
        struct.pack_into("!Q", template, 28, random.getrandbits(63) + 1)
        sock.sendto(template, to)
        if rate and i % 100 == 0:
            time.sleep(max(0.0, start + i / rate - time.monotonic()))
    print(f"sent {count} in {time.monotonic() - start:.1f} s", flush=True)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sends a packet nobody should send, with a source address of one's choice (raw socket; run it in the WAN's namespace).

usage: inject.py SRC DST esp-unknown-spi | esp-short | esp-replayed PCAP | esp-bad-icv PCAP
       inject.py SRC DST ike-truncated | ike-length | ike-version | ike-critical | ike-unknown-spi | ike-bad-icv PCAP
       inject.py SRC DST clear INNER_SRC INNER_DST
PCAP holds packets from SRC to DST seen before, captured whole. Waits for no answer.
"""
import os
import socket
import struct
import sys

PROTO_UDP, PROTO_ESP = 17, 50
IKE_PORT = 500
SA_INIT, INFORMATIONAL = 34, 37
FLAG_INITIATOR = 0x08
PAYLOAD_NONE, PAYLOAD_SK, PAYLOAD_UNASSIGNED = 0, 46, 200
CRITICAL = 0x80


def frames(path):
    with open(path, "rb") as f:
        order = "<" if f.read(24)[:4] == b"\xd4\xc3\xb2\xa1" else ">"
        while len(record := f.read(16)) == 16:
            yield f.read(struct.unpack(order + "4I", record)[2])


def seen_payloads(path, src, dst, proto):
    """IP payloads from src to dst of that protocol, in order"""
    for frame in frames(path):
        ip = frame[14:]
        if frame[12:14] == b"\x08\x00" and ip[9] == proto and (ip[12:16], ip[16:20]) == (src, dst):
            yield ip[(ip[0] & 15) * 4:struct.unpack("!H", ip[2:4])[0]]


def last_esp(path, src, dst):
    found = list(seen_payloads(path, src, dst, PROTO_ESP))
    if not found:
        sys.exit("inject.py: no ESP packet in the capture")
    return found[-1]


def ike_header(spi_i, spi_r, following, exchange, message_id, length, version=0x20):
    return spi_i + spi_r + struct.pack("!BBBBII", following, version, exchange, FLAG_INITIATOR, message_id, length)


def seen_spis(path, src, dst):
    for udp in seen_payloads(path, src, dst, PROTO_UDP):
        body = udp[8:]
        if body[:4] == b"\0\0\0\0":
            body = body[4:]
        # the first message of an IKE SA has no responder SPI yet
        if len(body) >= 28 and body[8:16] != bytes(8):
            return body[:8], body[8:16]
    sys.exit("inject.py: no IKE message with both SPIs in the capture")


def ike_message(kind, arguments, src, dst):
    fresh = os.urandom(8)
    if kind == "truncated":
        return fresh + b"\0\0"
    if kind == "length":
        return ike_header(fresh, bytes(8), PAYLOAD_NONE, SA_INIT, 0, 4000)
    if kind == "version":
        return ike_header(fresh, bytes(8), PAYLOAD_NONE, SA_INIT, 0, 28, version=0x30)
    if kind == "critical":
        return ike_header(fresh, bytes(8), PAYLOAD_UNASSIGNED, SA_INIT, 0, 36) + struct.pack(
            "!BBHI", PAYLOAD_NONE, CRITICAL, 8, 0)
    if kind == "unknown-spi":
        return ike_header(fresh, os.urandom(8), PAYLOAD_SK, INFORMATIONAL, 0, 92) + struct.pack(
            "!BBH", PAYLOAD_NONE, 0, 64) + os.urandom(60)
    if kind == "bad-icv":
        # the message ID after IKE_SA_INIT and IKE_AUTH
        return ike_header(*seen_spis(arguments[0], src, dst), PAYLOAD_SK, INFORMATIONAL, 2, 92) + struct.pack(
            "!BBH", PAYLOAD_NONE, 0, 64) + os.urandom(60)
    sys.exit("inject.py: unknown kind " + kind)


def esp_packet(kind, arguments, src, dst):
    if kind == "unknown-spi":
        return struct.pack("!II", 0x00BADBAD, 1) + os.urandom(64)
    if kind == "short":
        return os.urandom(7)
    packet = last_esp(arguments[0], src, dst)
    if kind == "replayed":
        return packet
    if kind == "bad-icv":
        # a sequence number ahead, so that the replay check lets it through to the ICV
        sequence = struct.unpack("!I", packet[4:8])[0] + 50
        return packet[:4] + struct.pack("!I", sequence) + packet[8:-1] + bytes([packet[-1] ^ 1])
    sys.exit("inject.py: unknown kind " + kind)


def send(src, dst, proto, payload):
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, proto, 0, src, dst)
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
        s.sendto(header + payload, (socket.inet_ntoa(dst), 0))


def udp(sport, dport, body):
    # checksum 0: none, legal on IPv4
    return struct.pack("!HHHH", sport, dport, 8 + len(body), 0) + body


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    src, dst = (socket.inet_aton(a) for a in sys.argv[1:3])
    family, _, kind = sys.argv[3].partition("-")
    arguments = sys.argv[4:]
    if family == "esp":
        send(src, dst, PROTO_ESP, esp_packet(kind, arguments, src, dst))
    elif family == "ike":
        send(src, dst, PROTO_UDP, udp(IKE_PORT, IKE_PORT, ike_message(kind, arguments, src, dst)))
    elif family == "clear":
        inner_src, inner_dst = (socket.inet_aton(a) for a in arguments)
        header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 48, 0, 0, 64, PROTO_UDP, 0, inner_src, inner_dst)
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as s:
            s.sendto(header + udp(7, 7, b"SALLYPORT-CLEAR-" + bytes(4)), (socket.inet_ntoa(dst), 0))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sorts the packets of an Ethernet capture by what an observer of the WAN sees, and finds a marked payload.

usage: pcap.py FILE [NEEDLE]   prints one JSON object of counts. Does not decrypt anything.
"""
import json
import struct
import sys

ETHERTYPE_IPV4, ETHERTYPE_ARP = 0x0800, 0x0806
PROTO_ICMP, PROTO_TCP, PROTO_UDP, PROTO_ESP = 1, 6, 17, 50


def frames(path):
    with open(path, "rb") as f:
        head = f.read(24)
        if len(head) < 24:
            return
        order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}[head[:4]]
        while True:
            record = f.read(16)
            if len(record) < 16:
                return
            yield f.read(struct.unpack(order + "4I", record)[2])


def udp_kind(udp):
    if len(udp) < 8:
        return "other"
    ports = struct.unpack("!2H", udp[:4])
    body = udp[8:]
    if 500 in ports:
        return "ike"
    if 4500 not in ports:
        return "other"
    if body[:4] == b"\0\0\0\0":
        return "ike"
    # RFC 3948 2.3: a single octet 0xff
    if struct.unpack("!H", udp[4:6])[0] == 9 and body[:1] == b"\xff":
        return "keepalive"
    return "udp_esp"


def ip_kind(ip):
    if len(ip) < 20:
        return "other"
    fragment = struct.unpack("!H", ip[6:8])[0]
    if fragment & 0x1FFF:
        return "fragment"
    payload = ip[(ip[0] & 15) * 4:]
    if ip[9] == PROTO_ESP:
        return "esp"
    if ip[9] == PROTO_UDP:
        return udp_kind(payload)
    return {PROTO_ICMP: "icmp", PROTO_TCP: "tcp"}.get(ip[9], "other")


def kind(frame):
    ethertype = struct.unpack("!H", frame[12:14])[0] if len(frame) >= 14 else 0
    if ethertype == ETHERTYPE_ARP:
        return "arp"
    if ethertype != ETHERTYPE_IPV4:
        return "not_ip"
    return ip_kind(frame[14:])


def main():
    needle = sys.argv[2].encode() if len(sys.argv) > 2 and sys.argv[2] else None
    counts = dict.fromkeys(
        "ike esp udp_esp keepalive fragment icmp tcp other arp not_ip needle packets clear protected".split(), 0)
    for frame in frames(sys.argv[1]):
        counts["packets"] += 1
        counts[kind(frame)] += 1
        if needle and needle in frame:
            counts["needle"] += 1
    counts["protected"] = sum(counts[k] for k in ("ike", "esp", "udp_esp", "keepalive"))
    counts["clear"] = sum(counts[k] for k in ("icmp", "tcp", "other", "fragment"))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()

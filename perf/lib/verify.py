# SPDX-License-Identifier: BSD-3-Clause
"""Is it right what was measured so fast? A capture passes once through each system into a file, and what came out is
opened by OpenSSL (encap) or compared (decap) packet by packet with what went in."""
import struct

from algorithms import ALGORITHMS, Bad
from captures import ESP, ESP_HEAD, ETH, IP4, IPIP, checksum, inner_packets, read_pcap, spi
from systems import Failed


def same_but_for_hops(packet, expected):
    """a gateway may lower the TTL, and with it the checksum"""
    return (len(packet) == len(expected) and packet[:8] == expected[:8] and packet[9] == expected[9] and
            packet[12:] == expected[12:] and expected[8] - 1 <= packet[8] <= expected[8] and
            checksum(packet[:IP4]) == 0)


def ip_of(frame):
    packet = frame[ETH:]
    if frame[12:14] != b"\x08\x00" or len(packet) < IP4:
        raise Bad("not IPv4")
    return packet[:struct.unpack("!H", packet[2:4])[0]]


def opened(point, frame):
    """(SA, sequence number, inner packet) of an ESP packet"""
    packet, a = ip_of(frame), ALGORITHMS[point.algorithm]
    if packet[9] != ESP or checksum(packet[:IP4]):
        raise Bad("not ESP, or a wrong outer checksum")
    head, iv = packet[IP4:IP4 + ESP_HEAD], packet[IP4 + ESP_HEAD:IP4 + ESP_HEAD + a.iv_bytes]
    number, sequence = struct.unpack("!II", head)
    text = a.open(number - spi(0), head, iv, packet[IP4 + ESP_HEAD + a.iv_bytes:])
    pad = text[-2]
    if text[-1] != IPIP or text[-2 - pad:-2] != bytes(range(1, pad + 1)):
        raise Bad("a wrong trailer")
    return number - spi(0), sequence, text[:-2 - pad]


def check_encap(point, sample):
    """problem or None"""
    expected = {packet[16:]: (number % point.sas, packet) for number, packet in enumerate(inner_packets(point))}
    seen = set()
    for frame in sample:
        sa, sequence, inner = opened(point, frame)
        wanted_sa, packet = expected.pop(inner[16:], (None, b""))
        if wanted_sa != sa or not same_but_for_hops(inner, packet):
            return f"an inner packet of SA {sa} that was not sent so"
        if (sa, sequence) in seen:
            return f"sequence number {sequence} of SA {sa} twice"
        seen.add((sa, sequence))
    return f"{len(expected)} packets are missing" if expected else None


def check_decap(point, sample):
    expected = {packet[12:]: packet for packet in inner_packets(point)}
    for frame in sample:
        inner = ip_of(frame)
        if not same_but_for_hops(inner, expected.pop(inner[12:], b"")):
            return "a packet that was not in the tunnel"
    return f"{len(expected)} packets are missing" if expected else None


def check(lab, system, point):
    """problem or None. lab is a SampleLab."""
    try:
        system.pass_through(lab, point)
        sample = list(read_pcap(lab.output()))
        return (check_encap if point.direction == "encap" else check_decap)(point, sample)
    except (Failed, Bad) as e:
        return str(e)

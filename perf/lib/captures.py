# SPDX-License-Identifier: BSD-3-Clause
"""The captures that everything measured reads: clear packets, and the ESP packets of the same inner ones.

Packet n goes to (or comes from) address n of a shuffled 10.2.0.0/16, and where there are several SAs it belongs to SA n.
SPIs are those of perf/bench/lab.h; the configurations of sallyport.py and secgw.py use the functions below.
"""
import ipaddress
import os
import random
import struct
import zlib

from algorithms import ALGORITHMS

PORT_MACS = [bytes.fromhex(f"02706361700{n}") for n in range(2)]  # of the net_pcap devices of a process, in order
PEER_MAC = bytes.fromhex("020000000099")
INNER_LOCAL = ipaddress.ip_address("10.1.0.5").packed
INNER_REMOTE = ipaddress.ip_address("10.2.0.0")
OUTER_LOCAL = ipaddress.ip_address("192.0.2.1").packed
OUTER_REMOTE = ipaddress.ip_address("198.18.0.1")
SPI_FIRST = 0x1000  # 50,000 from here name slots of the SAD, which manual SAs are lent then
LEAST = 512  # packets of a capture: more than a burst or a ring holds
IMIX = (64,) * 7 + (576,) * 4 + (1420,)
UDP, ESP, IPIP = 17, 50, 4
ETH, IP4, ESP_HEAD = 14, 20, 8


def spi(sa):
    return SPI_FIRST + sa


def permutation(count):
    """remote address numbers of packets 0, 1, ...: all different, in no order; the same in every run"""
    numbers = list(range(1, count + 1))
    random.Random(count).shuffle(numbers)
    return numbers


def inner_remote(number):
    return INNER_REMOTE + number


def outer_remote(sa):
    return OUTER_REMOTE + sa


def packets_for(sas, size="64"):
    """packets of a capture: as many as SAs; of one SA, a few rounds of IMIX"""
    if sas > 1:
        return sas
    return LEAST if size != "imix" else -(-LEAST // len(IMIX)) * len(IMIX)


def checksum(head):
    total = sum(struct.unpack(f"!{len(head) // 2}H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ip_packet(src, dst, protocol, number, body):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, IP4 + len(body), number & 0xFFFF, 0, 64, protocol, 0, src, dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def inner_packet(number, address, size, inbound):
    """UDP without checksum; the payload tells packets apart"""
    ends = (INNER_LOCAL, inner_remote(address).packed)
    payload = (zlib.crc32(struct.pack("!I", number)).to_bytes(4, "big") * (size // 4))[:size - 28]
    udp = struct.pack("!HHHH", 1024 + number % 4096, 2000, 8 + len(payload), 0) + payload
    return ip_packet(*(reversed(ends) if inbound else ends), UDP, number, udp)


def esp_packet(algorithm, inner, sa, sequence):
    a = ALGORITHMS[algorithm]
    pad = -(len(inner) + 2) % a.block
    text = inner + bytes(range(1, pad + 1)) + bytes([pad, IPIP])
    head, iv = struct.pack("!II", spi(sa), sequence), a.iv(sequence)
    return ip_packet(outer_remote(sa).packed, OUTER_LOCAL, ESP, sequence, head + iv + a.seal(sa, head, iv, text))


def sizes(size, count):
    if size != "imix":
        return [int(size)] * count
    mixed = list(IMIX) * (count // len(IMIX))
    random.Random(count).shuffle(mixed)
    return mixed


def inner_packets(point):
    count = point.packets
    for number, (address, length) in enumerate(zip(permutation(count), sizes(point.size, count))):
        yield inner_packet(number, address, length, point.direction == "decap")


def frames(point, port):
    for number, packet in enumerate(inner_packets(point)):
        if point.direction == "decap":
            packet = esp_packet(point.algorithm, packet, number % point.sas, number // point.sas + 1)
        yield PORT_MACS[port] + PEER_MAC + b"\x08\x00" + packet


def write_pcap(path, frames):
    with open(path + ".new", "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            f.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    os.rename(path + ".new", path)


def read_pcap(path):
    """as far as it is written"""
    with open(path, "rb") as f:
        f.read(24)
        while len(record := f.read(16)) == 16:
            size = struct.unpack("<4I", record)[2]
            if len(frame := f.read(size)) == size:
                yield frame


def capture(folder, point, port=0):
    """the path of the point's capture for that net_pcap device, made when it is not there yet"""
    words = [point.direction, point.size, str(point.packets), f"port{port}"]
    if point.direction == "decap":
        words += [point.algorithm, f"{point.sas}sa", f"spi{SPI_FIRST:x}"]
    path = os.path.join(folder, "-".join(words) + ".pcap")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        write_pcap(path, frames(point, port))
    return path

# SPDX-License-Identifier: BSD-3-Clause
"""The captures that everything measured reads: clear packets and the ESP packets of the same inner ones.

Packet n goes to address n of a shuffled 10.2.0.0/16, and where there are several SAs it belongs to SA n. Keys and SPIs
are those of perf/bench/lab.h; the configurations of systems.py use the functions below.
"""
import ipaddress
import os
import random
import struct
import zlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PORT_MAC = bytes.fromhex("027063617000")  # net_pcap gives it to the first device of a process
PEER_MAC = bytes.fromhex("020000000099")
INNER_LOCAL = ipaddress.ip_address("10.1.0.5").packed
INNER_REMOTE = ipaddress.ip_address("10.2.0.0")
OUTER_LOCAL = ipaddress.ip_address("192.0.2.1").packed
OUTER_REMOTE = ipaddress.ip_address("198.18.0.1")
SPI_FIRST = 0x10000
SALT = b"perf"
KEY_BYTES = 16
LEAST = 512  # packets of a capture: more than a burst or a ring holds
IMIX = (64,) * 7 + (576,) * 4 + (1420,)


def key(sa):
    return sa.to_bytes(4, "big") + bytes(range(4, KEY_BYTES))


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
    """packets of the capture: as many as SAs, or a few rounds of them"""
    step = len(IMIX) if size == "imix" else 1
    count = -(-max(sas, LEAST) // sas) * sas
    return -(-count // step) * step if step > 1 else count


def checksum(head):
    total = sum(struct.unpack(f"!{len(head) // 2}H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def ip_packet(src, dst, protocol, number, body):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), number & 0xFFFF, 0, 64, protocol, 0, src, dst)
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + body


def inner_packet(number, address, size, inbound):
    """UDP without checksum; the payload tells packets apart"""
    ends = (INNER_LOCAL, inner_remote(address).packed)
    payload = (zlib.crc32(struct.pack("!I", number)).to_bytes(4, "big") * (size // 4))[:size - 28]
    udp = struct.pack("!HHHH", 1024 + number % 4096, 2000, 8 + len(payload), 0) + payload
    return ip_packet(*(reversed(ends) if inbound else ends), 17, number, udp)


def esp_packet(inner, sa, sequence):
    pad = -(len(inner) + 2) & 3
    text = inner + bytes(range(1, pad + 1)) + bytes([pad, 4])
    head, iv = struct.pack("!II", spi(sa), sequence), struct.pack("!Q", sequence)
    sealed = AESGCM(key(sa)).encrypt(SALT + iv, text, head)
    return ip_packet(outer_remote(sa).packed, OUTER_LOCAL, 50, sequence, head + iv + sealed)


def sizes(size, count):
    if size != "imix":
        return [int(size)] * count
    mixed = list(IMIX) * (count // len(IMIX))
    random.Random(count).shuffle(mixed)
    return mixed


def frames(direction, size, sas, count):
    for number, (address, length) in enumerate(zip(permutation(count), sizes(size, count))):
        packet = inner_packet(number, address, length, direction == "decap")
        if direction == "decap":
            packet = esp_packet(packet, number % sas, number // sas + 1)
        yield PORT_MAC + PEER_MAC + b"\x08\x00" + packet


def write_pcap(path, frames):
    with open(path + ".new", "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            f.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)
    os.rename(path + ".new", path)


def read_pcap(path):
    with open(path, "rb") as f:
        f.read(24)
        while len(record := f.read(16)) == 16:
            yield f.read(struct.unpack("<4I", record)[2])


def capture(folder, direction, size, sas, count):
    """the path of that capture, made when it is not there yet"""
    path = os.path.join(folder, f"{direction}-{size}-{sas if direction == 'decap' else 1}sa-{count}.pcap")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        write_pcap(path, frames(direction, size, sas, count))
    return path

#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Sequence-numbered UDP, paced: a receiver that accounts for every number and compares every byte, and its sender.

usage: udpseq.py receive ADDRESS PORT COUNT SECONDS   prints "ready", then what came; 0 when all of it came as it was sent;
                       after a SIGUSR1 (all is sent) it waits for what is under way only
       udpseq.py send SOURCE ADDRESS PORT COUNT PACKETS_PER_SECOND BYTES   of up to BYTES each
"""
import random
import signal
import socket
import struct
import sys
import time

MAGIC = b"SEQ!"
SO_RCVBUFFORCE = 33  # root is not bound to net.core.rmem_max
UNDER_WAY_SECONDS = 4  # from the sender to us, on a busy machine
SIZES = 64  # the lengths differ by less than this: all remainders of a cipher's block


def body(number, size):
    return MAGIC + struct.pack("!I", number) + random.Random(number).randbytes(size - 8)


def receive(address, port, count, seconds):
    seen, duplicate, late, changed, highest = set(), 0, 0, 0, -1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 4 << 20)
        s.bind((address, port))
        ends = [time.monotonic() + seconds]
        signal.signal(signal.SIGUSR1, lambda *_: ends.append(time.monotonic() + UNDER_WAY_SECONDS))
        print("ready", flush=True)
        while len(seen) < count and (left := min(ends) - time.monotonic()) > 0:
            s.settimeout(min(left, 0.2))
            try:
                data = s.recv(65535)
            except socket.timeout:
                continue
            if data[:4] != MAGIC:
                continue
            number = struct.unpack("!I", data[4:8])[0]
            changed += data != body(number, len(data))
            duplicate += number in seen
            late += number < highest
            highest = max(highest, number)
            seen.add(number)
    # at its end the interpreter would give the signal its default back
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    print(f"received {len(seen)} of {count} distinct, {duplicate} duplicate, {late} late, {changed} changed", flush=True)
    return 0 if len(seen) == count and not duplicate and not changed else 1


def send(source, address, port, count, rate, size):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        start = time.monotonic()
        for number in range(count):
            ahead = start + number / rate - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            s.sendto(body(number, size - number % SIZES), (address, port))
    return 0


def main():
    if sys.argv[1:2] == ["receive"] and len(sys.argv) == 6:
        sys.exit(receive(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
    if sys.argv[1:2] == ["send"] and len(sys.argv) == 8:
        sys.exit(send(sys.argv[2], sys.argv[3], *map(int, sys.argv[4:8])))
    sys.exit(__doc__)


if __name__ == "__main__":
    main()

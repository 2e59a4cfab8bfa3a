# SPDX-License-Identifier: BSD-3-Clause
"""Sends probes through a gateway and collects what comes out. Paced by what comes back: a few packets are under way at
a time, and a pause without any means that those are lost."""
import struct
import time

from oracle import headers

from .probes import clear_key, sealed_key

WINDOW = 96
PAUSE_SECONDS = 0.25
LAST_SECONDS = 1.0
LOCAL_PER_SECOND = 1200  # the gateway limits its own answers (2,000 a second)


def output_key(port, packet):
    """What probes.py calls the key of a packet that came out."""
    if port == "lan":
        return clear_key(packet)
    head, number, body = headers.front(packet)
    if number == headers.UDP:
        body = body[headers.UDP_BYTES:]
    offset = 4 if number == headers.AH else 0
    spi, low = struct.unpack("!II", body[offset:offset + 8])
    return sealed_key(spi, low)


def is_discovery(packet):
    """Neighbour solicitations and advertisements (RFC 4861), reports of multicast listeners (RFC 3810, behind a hop-by-hop
    header): a gateway asks and tells at any time, never through an SA."""
    if packet[0] >> 4 != 6:
        return False
    report = packet[6:8] == b"\x00\x01" and packet[40] == 0x3a and packet[48] == 143
    return report or (packet[6:8] == b"\x3a\xff" and packet[40] in (135, 136))


class Traffic:
    def __init__(self, namespace):
        self.namespace = namespace
        self.got = {}  # key: packet
        self.strays = []  # (port, packet) nobody waits for, or a second time
        self.wanted = set()
        self.under_way = 0

    def take(self, seconds):
        """Waits for the next packets; false when none came."""
        came = self.namespace.receive(seconds)
        for port, packet in came:
            try:
                key = output_key(port, packet)
            except (struct.error, IndexError):
                key = None
            if key in self.wanted and key not in self.got:
                self.got[key] = packet
                self.under_way -= 1
            elif not is_discovery(packet):
                self.strays.append((port, packet))
        return bool(came)

    def room(self):
        """Until there is room in the window."""
        while self.under_way >= WINDOW:
            if not self.take(PAUSE_SECONDS):
                self.under_way = 0

    def send(self, probe):
        self.room()
        self.wanted.add(probe.key)
        self.under_way += 1
        self.namespace.send(probe.port, probe.packet)
        self.take(0)

    def settle(self):
        """Until all that is under way has come out, or is lost."""
        while self.under_way > 0:
            if not self.take(PAUSE_SECONDS):
                self.under_way = 0

    def run(self, rows):
        """Sends all of them in this order. A packet of ours is known by its sequence number, and among different flows
        of one SA a gateway need not keep the order: so each row comes out before the next one goes in."""
        local_due = time.monotonic()
        for row in rows:
            for probe in row:
                if probe.local:
                    local_due = max(local_due + 1 / LOCAL_PER_SECOND, time.monotonic())
                    while (wait := local_due - time.monotonic()) > 0:
                        self.take(wait)
                self.send(probe)
            self.settle()
        while len(self.got) < len(self.wanted) and self.take(LAST_SECONDS):
            pass

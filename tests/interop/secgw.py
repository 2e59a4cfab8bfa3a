#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The cases against ipsec-secgw: both configurations from one table, numbered traffic through both gateways, verdicts.

usage: secgw.py RUN cases | gateway | secrets | peer        names of the cases, and what configures either side
       secgw.py RUN traffic COUNT                           in the hosts' namespace, interfaces left (ours) and right
       secgw.py RUN wire COUNT TO_PEER.pcap FROM_PEER.pcap  what passed between the gateways
       secgw.py macs                                        "KEY INTERFACE MAC" of the topology
RUN is plain or esn; SECGW_CASES is a regular expression that picks cases by name. traffic and wire print lines
"CASE ROLE ok" or "CASE ROLE reason"; ROLE is initiator where Sallyport sends, responder where it receives.
"""
import hashlib
import ipaddress
import itertools
import os
import random
import re
import select
import socket
import struct
import sys
import time
from array import array
from collections import Counter, namedtuple

# ---- the cases ----

# One algorithm: our proposal, ipsec-secgw's words for it, bytes of our keys (encr with its salt). Without auth it is an
# AEAD; ipsec-secgw takes GMAC for an authentication, we for an encryption.
Suite = namedtuple("Suite", "proposal cipher auth encr integ")

SUITES = (
    Suite("aes128gcm16", "aes-128-gcm", None, 20, 0),
    Suite("aes192gcm16", "aes-192-gcm", None, 28, 0),
    Suite("aes256gcm16", "aes-256-gcm", None, 36, 0),
    Suite("aes128ccm16", "aes-128-ccm", None, 19, 0),
    Suite("aes256ccm16", "aes-256-ccm", None, 35, 0),
    Suite("chacha20poly1305", "chacha20-poly1305", None, 36, 0),
    Suite("aes128-sha1", "aes-128-cbc", "sha1-hmac", 16, 20),
    Suite("aes128-sha256", "aes-128-cbc", "sha256-hmac", 16, 32),
    Suite("aes192-sha256", "aes-192-cbc", "sha256-hmac", 24, 32),
    Suite("aes256-sha384", "aes-256-cbc", "sha384-hmac", 32, 48),
    Suite("aes256-sha512", "aes-256-cbc", "sha512-hmac", 32, 64),
    Suite("aes128-aesxcbc", "aes-128-cbc", "aes-xcbc-mac-96", 16, 16),
    Suite("aes128ctr-sha256", "aes-128-ctr", "sha256-hmac", 20, 32),
    Suite("aes192ctr-sha384", "aes-192-ctr", "sha384-hmac", 28, 48),
    Suite("aes256ctr-sha512", "aes-256-ctr", "sha512-hmac", 36, 64),
    Suite("3des-sha1", "3des-cbc", "sha1-hmac", 24, 20),
    Suite("null-sha1", "null", "sha1-hmac", 0, 20),
    Suite("null-sha256", "null", "sha256-hmac", 0, 32),
    Suite("aes128gmac", "null", "aes-gmac", 20, 0),
)
# (outer, inner)
FAMILIES = {(4, 4): "ipv4", (6, 6): "ipv6", (4, 6): "ipv6-in-ipv4", (6, 4): "ipv4-in-ipv6"}
# The ESN run begins here on both sides, so that the low half wraps on the way (RFC 4303 2.2.1, A2). DPDK's library puts
# the high half behind the payload for GMAC as it does for HMAC, instead of between SPI and low half (RFC 4543 3.3).
ESN_START = 2**32 - 500
NO_ESN = ("aes128gmac",)

Case = namedtuple("Case", "name index suite outer inner esn")
ROLES = ("initiator", "responder")


def cases_of(run):
    wanted = re.compile(os.environ.get("SECGW_CASES", ""))
    for index, (suite, families) in enumerate(itertools.product(SUITES, FAMILIES), 1):
        esn = run == "esn"
        if esn and suite.proposal in NO_ESN:
            continue
        word = re.sub("cm16$", "cm", suite.proposal) + ("-esn" if esn else "")
        name = f"esp-{word}-{FAMILIES[families]}"
        if wanted.search(name):
            yield Case(name, index, suite, *families, esn)


# ---- addresses: every case has its own inner subnets and SPIs ----

MACS = {
    ("hosts", "left"): "02:53:47:00:00:01",
    ("ga", "lan"): "02:53:47:00:00:02",
    ("ga", "wan"): "02:53:47:00:00:03",
    ("peer", "wan"): "02:53:47:00:00:04",
    ("peer", "lan"): "02:53:47:00:00:05",
    ("hosts", "right"): "02:53:47:00:00:06",
}
OUTER = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
LAN_ROUTER = {4: "10.0.0.2", 6: "fd00::2"}
NETS = {4: ("10.1.0.0/16", "10.2.0.0/16"), 6: ("fd01::/16", "fd02::/16")}


def inner_net(case, side):
    """side 0 is ours, 1 the peer's"""
    return f"10.{side + 1}.{case.index}.0/24" if case.inner == 4 else f"fd0{side + 1}:0:0:{case.index:x}::/64"


def inner_host(case, side):
    return ipaddress.ip_network(inner_net(case, side))[2].packed


def spi(case, role):
    return (0x2000 if role == "initiator" else 0x1000) + case.index


# ---- configurations ----


def key(case, role, part):
    """A lab key of its own for every SA, the same in every run."""
    size = getattr(case.suite, part)
    return hashlib.shake_256(f"{case.name} {role} {part}".encode()).digest(size)


GATEWAY_SA = """  - name: {c.name}
    protocol: esp
    mode: tunnel
    proposal: {proposal}
    local: "{local}"
    remote: "{remote}"
    spi_in: {spi_in}
    spi_out: {spi_out}
    keys: {c.name}
    replay_window: 128
    lab_keys: true
    allow_weak: true
    local_selectors: ["{ours}"]
    remote_selectors: ["{theirs}"]"""


def print_gateway(cases):
    families = sorted({c.outer for c in cases} | {c.inner for c in cases})
    print("routes:")
    for f in families:
        print(f'  - {{prefix: "{NETS[f][0]}", via: "{LAN_ROUTER[f]}"}}')
    print("neighbours:")
    for f in families:
        print(f'  - {{interface: lan, address: "{LAN_ROUTER[f]}", mac: "{MACS["hosts", "left"]}"}}')
        print(f'  - {{interface: wan, address: "{OUTER[f][1]}", mac: "{MACS["peer", "wan"]}"}}')
    print("manual_sas:")
    for c in cases:
        local, remote = OUTER[c.outer]
        print(GATEWAY_SA.format(
            c=c, proposal=c.suite.proposal + ("-esn" if c.esn else ""), local=local, remote=remote,
            spi_in=spi(c, "responder"), spi_out=spi(c, "initiator"), ours=inner_net(c, 0), theirs=inner_net(c, 1)))
        if c.esn:
            print(f"    sequence_in: {ESN_START}\n    sequence_out: {ESN_START}")


def print_secrets(cases):
    print("manual_keys:")
    for c in cases:
        words = [f"name: {c.name}"]
        for part in ("encr", "integ"):
            for way, role in (("in", "responder"), ("out", "initiator")):
                secret = key(c, role, part).hex()
                if secret:
                    words.append(f'{part}_{way}: "0x{secret}"')
        print(f"  - {{{', '.join(words)}}}")


def colons(data):
    return ":".join(f"{b:02x}" for b in data)


def peer_algorithm(case, role):
    s, encr, integ = case.suite, key(case, role, "encr"), key(case, role, "integ")
    if not s.auth:
        # a CCM salt is of three bytes (RFC 4309 4); ipsec-secgw wants a fourth, which it does not use
        return f"aead_algo {s.cipher} aead_key {colons(encr + bytes('ccm' in s.cipher))}"
    cipher_key = "" if s.cipher == "null" else f" cipher_key {colons(encr)}"
    return f"cipher_algo {s.cipher}{cipher_key} auth_algo {s.auth} auth_key {colons(integ or encr)}"


def print_peer(cases):
    # what "esn" says is the last number seen to a receiver (source 0), the first one to send to a sender
    for c in cases:
        for role, way, source in (("initiator", "in", 0), ("responder", "out", 1)):
            print(f"sp ipv{c.inner} {way} esp protect {spi(c, role)} pri 1 src {inner_net(c, source)} "
                  f"dst {inner_net(c, 1 - source)} sport 0:65535 dport 0:65535")
            print(f"sa {way} {spi(c, role)} {peer_algorithm(c, role)} mode ipv{c.outer}-tunnel "
                  f"src {OUTER[c.outer][source]} dst {OUTER[c.outer][1 - source]}"
                  + (f" esn {ESN_START + source}" if c.esn else ""))
    for family, host_bits in ((4, 32), (6, 128)):
        print(f"rt ipv{family} dst {OUTER[family][0]}/{host_bits} port 1")
        print(f"rt ipv{family} dst {NETS[family][1]} port 0")
    print(f"neigh port 0 {MACS['hosts', 'right']}\nneigh port 1 {MACS['ga', 'wan']}")


# ---- packets ----

ETHERTYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}
UDP, ESP = 17, 50
HOP_LIMIT = 64
SMALLEST, LARGEST = 4, 1320  # UDP payload; the largest fits an MTU of 1500 with any suite and IPv6 twice


def checksum(data):
    words = array("H", data + bytes(len(data) % 2))
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("=H", ~total & 0xFFFF)


def udp(src, dst, port, payload):
    length = 8 + len(payload)
    head = struct.pack("!HHH", port, port, length)
    pseudo = src + dst + (struct.pack("!BBH", 0, UDP, length) if len(src) == 4 else struct.pack("!II", length, UDP))
    total = checksum(pseudo + head + b"\0\0" + payload)
    return head + (b"\xff\xff" if total == b"\0\0" else total) + payload


def ip_packet(src, dst, body):
    if len(src) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), UDP, HOP_LIMIT) + src + dst + body
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), 0, 0, HOP_LIMIT, UDP)
    return head + checksum(head + b"\0\0" + src + dst) + src + dst + body


def passed_on(packet, hop_limit):
    """what a gateway may change on the way: the hop limit and with it the checksum of IPv4"""
    if packet[0] >> 4 == 6:
        return packet[:7] + bytes([hop_limit]) + packet[8:]
    head = packet[:8] + bytes([hop_limit]) + packet[9:10]
    return head + checksum(head + b"\0\0" + packet[12:20]) + packet[12:]


def split(frame):
    """(IP packet without what the link has added, its hop limit), or None"""
    packet = frame[14:]
    if frame[12:14] == ETHERTYPE[4] and len(packet) >= 28:
        return packet[:struct.unpack("!H", packet[2:4])[0]], packet[8]
    if frame[12:14] == ETHERTYPE[6] and len(packet) >= 48:
        return packet[:40 + struct.unpack("!H", packet[4:6])[0]], packet[7]
    return None


class Flow:
    """The numbered packets of one case in one direction: what is under way, what has come, what was wrong."""

    def __init__(self, case, role, count):
        self.case, self.role, self.count = case, role, count
        sides = (0, 1) if role == "initiator" else (1, 0)
        self.src, self.dst = (inner_host(case, side) for side in sides)
        self.random = random.Random(f"{case.name} {role}")
        self.sent, self.under_way, self.arrived, self.wrong = 0, {}, 0, []

    def next_packet(self):
        # the first ones step through all lengths of a cipher's block, from the smallest on
        size = SMALLEST + self.sent if self.sent < 64 else self.random.randint(SMALLEST, LARGEST)
        payload = struct.pack("!I", self.sent) + self.random.randbytes(size - 4)
        packet = ip_packet(self.src, self.dst, udp(self.src, self.dst, 7000 + self.case.index, payload))
        self.under_way[self.sent] = packet
        self.sent += 1
        return ETHERTYPE[self.case.inner] + packet

    def take(self, packet, hop_limit):
        head = 20 if self.case.inner == 4 else 40
        number = struct.unpack("!I", packet[head + 8:head + 12])[0] if len(packet) >= head + 12 else -1
        expected = self.under_way.pop(number, None)
        if expected is None:
            self.wrong.append(f"number {number} came twice or was never sent")
        elif packet != passed_on(expected, hop_limit) or not HOP_LIMIT - 2 <= hop_limit <= HOP_LIMIT:
            self.wrong.append(f"packet {number} ({len(expected)} bytes) came changed ({len(packet)} bytes)")
        else:
            self.arrived += 1

    def open(self):
        return self.sent < self.count or self.under_way

    def verdict(self):
        if self.wrong:
            return f"{len(self.wrong)} wrong packets, {self.wrong[0]}"
        if self.arrived == self.count:
            return "ok"
        return f"{self.arrived} of {self.count} arrived, first missing {min(self.under_way, default=self.sent)}"


# ---- traffic ----

SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 263, 23, 33
ETH_P_ALL = 3
WINDOW = 4        # packets under way in each case: bursts mix the SAs, and all of them fit the rings of the ports
STALL_SECONDS = 5
POLL_SECONDS = 0.05


def open_link(interface):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
    s.bind((interface, 0))
    s.setblocking(False)
    return s


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def send_window(link, head, flows):
    for flow in flows:
        while flow.sent < flow.count and len(flow.under_way) < WINDOW:
            link.send(head + flow.next_packet())


def receive(link, by_address):
    """takes all that has come; the number of packets that belong to a flow"""
    taken = 0
    while True:
        try:
            frame = link.recv(4096)
        except BlockingIOError:
            return taken
        packet, hop_limit = split(frame) or (b"", 0)
        ends = (packet[12:20] if len(packet) and packet[0] >> 4 == 4 else packet[8:40])
        if flow := by_address.get(ends):
            flow.take(packet, hop_limit)
            taken += 1


def run_flows(flows, tx, rx, head):
    """sends no faster than it receives, until all has come or nothing moves any more"""
    by_address = {flow.src + flow.dst: flow for flow in flows}
    moved = time.monotonic()
    while any(flow.open() for flow in flows) and time.monotonic() - moved < STALL_SECONDS:
        send_window(tx, head, flows)
        select.select([rx], [], [], POLL_SECONDS)
        if receive(rx, by_address):
            moved = time.monotonic()


def traffic(cases, count):
    left, right = open_link("left"), open_link("right")
    to_gateway = mac(MACS["ga", "lan"]) + mac(MACS["hosts", "left"])
    to_peer = mac(MACS["peer", "lan"]) + mac(MACS["hosts", "right"])
    for role, tx, rx, head in (("initiator", left, right, to_gateway), ("responder", right, left, to_peer)):
        flows = [Flow(c, role, count) for c in cases]
        start = time.monotonic()
        run_flows(flows, tx, rx, head)
        print(f"# {role}: {sum(f.arrived for f in flows)} packets in {time.monotonic() - start:.1f} s", flush=True)
        for flow in flows:
            print(flow.case.name, role, flow.verdict(), flush=True)


# ---- the wire between the gateways ----


def captured(path):
    with open(path, "rb") as f:
        order = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">"}[f.read(24)[:4]]
        while len(record := f.read(16)) == 16:
            yield f.read(struct.unpack(order + "4I", record)[2])


def wire_key(frame):
    """(outer source, outer destination, SPI) of an ESP packet, else what it is instead"""
    if frame[12:14] == ETHERTYPE[4] and frame[23] == ESP:
        return frame[26:30], frame[30:34], struct.unpack("!I", frame[34:38])[0]
    if frame[12:14] == ETHERTYPE[6] and frame[20] == ESP:
        return frame[22:38], frame[38:54], struct.unpack("!I", frame[54:58])[0]
    if frame[12:14] == ETHERTYPE[6] and frame[38:40] == b"\xff\x02":
        return "other"  # of the link itself: neighbour discovery (RFC 4861), reports of listeners (RFC 3810)
    return "clear" if frame[12:14] in ETHERTYPE.values() else "other"


def wire(cases, count, to_peer, from_peer):
    for role, path in (("initiator", to_peer), ("responder", from_peer)):
        seen = Counter(wire_key(frame) for frame in captured(path))
        for c in cases:
            ends = [ipaddress.ip_address(a).packed for a in OUTER[c.outer]]
            found = seen[(*(ends if role == "initiator" else ends[::-1]), spi(c, role))]
            verdict = "ok" if found == count else f"{found} ESP packets of its SPI between the gateways"
            print(c.name, role, f"{seen['clear']} clear packets between the gateways" if seen["clear"] else verdict)


def main(run, command="", *arguments):
    if run == "macs":
        for (where, interface), address in MACS.items():
            print(where, interface, address)
        return
    cases = list(cases_of(run))
    if command == "cases":
        print("\n".join(c.name for c in cases))
    elif command == "traffic":
        traffic(cases, int(arguments[0]))
    elif command == "wire":
        wire(cases, int(arguments[0]), *arguments[1:])
    else:
        {"gateway": print_gateway, "secrets": print_secrets, "peer": print_peer}[command](cases)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])

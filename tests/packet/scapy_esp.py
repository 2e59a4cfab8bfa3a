#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""ESP against scapy as an independent oracle: what scapy seals we open, what we seal scapy opens, the inner bytes compared.

Each scenario is one line PASS|FAIL packet/NAME; the first difference goes with it. Drives esp_tool of the build in
$SALLYPORT_BUILD_DIR (or the first argument).
"""
import itertools
import os
import random
import subprocess
import sys

try:
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.ipsec import ESP, SecurityAssociation
    from scapy.packet import Raw
except ImportError:
    print("SKIP packet/scapy_esp scapy is not installed")
    sys.exit(0)

LEFT, RIGHT = "192.0.2.1", "198.51.100.2"  # outer ends of the tool's SAs: out goes left to right
LENGTHS = [*range(0, 68), 127, 128, 255, 256, 511, 512, 1023, 1024, 1372, 1400, 1401, 1402, 1403, 1960]
RNG = random.Random(4303)


class Tool:
    """esp_tool behind a pipe."""

    def __init__(self, build):
        self.process = subprocess.Popen([os.path.join(build, "tests/packet/esp_tool")], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.count = 0

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer or answer[0] == "error":
            raise AssertionError(f"tool: {' '.join(answer) or 'ended'}")
        return answer

    def sa(self, direction, **settings):
        self.count += 1
        name = f"sa{self.count}"
        self.ask(f"sa {name} {direction} " + " ".join(f"{k}={v}" for k, v in settings.items()))
        return name

    def packet(self, command, name, data):
        return self.ask(f"{command} {name} {bytes(data).hex()}")

    def good(self, command, name, data):
        answer = self.packet(command, name, data)
        if answer[0] != "ok":
            raise AssertionError(f"{command}: {' '.join(answer)}")
        return bytes.fromhex(answer[1])

    def close(self):
        self.process.stdin.close()
        if self.process.wait(timeout=20):
            raise AssertionError("esp_tool ended badly")


class Kind:
    """A sort of SA: ours and scapy's with the same keys."""

    def __init__(self, bits, udp, esn):
        self.bits, self.udp, self.esn = bits, udp, esn
        self.key = RNG.randbytes(bits // 8 + 4)
        self.spi = RNG.randrange(0x1000, 2**32)
        self.start = 0x2fffffff8 if esn else 0  # crosses the 2^32 boundary
        self.name = f"gcm{bits}_{'udp' if udp else 'raw'}{'_esn' if esn else ''}"

    def ours(self, tool, direction, **more):
        return tool.sa(direction, encr=f"aes{self.bits}gcm16", key=self.key.hex(), spi=self.spi, udp=int(self.udp),
                       esn=int(self.esn), sequence=self.start, window=128, **more)

    def scapys(self, source, destination):
        return SecurityAssociation(ESP, spi=self.spi, crypt_algo="AES-GCM", crypt_key=self.key,
                                   tunnel_header=IP(src=source, dst=destination),
                                   nat_t_header=UDP(sport=4500, dport=4500) if self.udp else None, esn_en=self.esn)

    def seal(self, sa, packet, sequence):
        sa.seq_num = sequence & 0xffffffff  # scapy takes a seq_num of 0 for "none given"
        sealed = sa.encrypt(packet, seq_num=sa.seq_num, esn_en=self.esn, esn=sequence >> 32)
        if sa.nat_t_header:
            sealed[UDP].len = len(sealed[UDP])  # scapy counts the UDP header alone
        return bytes(sealed)

    def open(self, sa, data, sequence):
        return bytes(sa.decrypt(IP(data), esn_en=self.esn, esn=sequence >> 32))


def inner(length):
    """An inner packet with this many payload bytes; the kind of packet changes with the length."""
    head = IP(src="10.1.0.5", dst="10.2.0.7", id=length, tos=length % 64 << 2, flags="DF" if length % 3 == 0 else 0)
    layer = [UDP(sport=1000, dport=2000), TCP(sport=1000, dport=80, flags="PA"), ICMP(), None][length % 4]
    packet = head / layer if layer else head
    return IP(bytes(packet / Raw(RNG.randbytes(length))))


def same(what, expected, got):
    if expected != got:
        raise AssertionError(f"{what}: {got.hex()[:80]} is not {expected.hex()[:80]}")


def outer_checked(kind, data, packet):
    """The outer header of a packet we made, as scapy reads and recomputes it."""
    outer = IP(data)
    again = outer.copy()
    del again.chksum
    checks = [
        ("addresses", (outer.src, outer.dst), (LEFT, RIGHT)),
        ("protocol", outer.proto, 17 if kind.udp else 50),
        ("length", outer.len, len(data)),
        ("checksum", outer.chksum, IP(bytes(again)).chksum),
        ("DSCP and ECN", outer.tos, packet.tos),
        ("DF", outer.flags.DF, packet.flags.DF),
        ("SPI", outer[ESP].spi, kind.spi),
    ]
    if kind.udp:
        checks += [("UDP checksum", outer[UDP].chksum, 0), ("UDP length", outer[UDP].len, len(data) - 20)]
    for what, got, expected in checks:
        if got != expected:
            raise AssertionError(f"outer {what}: {got} is not {expected}")


def we_open_scapys(tool, kind):
    sa, name = kind.scapys(RIGHT, LEFT), kind.ours(tool, "in")
    for sequence, length in enumerate(LENGTHS, kind.start + 1):
        packet = inner(length)
        same(f"length {length}", bytes(packet), tool.good("in", name, kind.seal(sa, packet, sequence)))


def scapy_opens_ours(tool, kind):
    sa, name = kind.scapys(LEFT, RIGHT), kind.ours(tool, "out")
    for sequence, length in enumerate(LENGTHS, kind.start + 1):
        packet = inner(length)
        data = tool.good("out", name, packet)
        outer_checked(kind, data, packet)
        if IP(data)[ESP].seq != sequence & 0xffffffff:
            raise AssertionError(f"sequence {IP(data)[ESP].seq}, not {sequence & 0xffffffff}")
        same(f"length {length}", bytes(packet), kind.open(sa, data, sequence))


def expect_drop(tool, name, data, reason):
    answer = tool.packet("in", name, data)
    if answer != ["drop", reason]:
        raise AssertionError(f"{' '.join(answer)[:60]} is not drop {reason}")


def we_refuse_scapys_bad_ones(tool, kind):
    sa, name = kind.scapys(RIGHT, LEFT), kind.ours(tool, "in")
    good = kind.seal(sa, inner(100), kind.start + 1)
    expect_drop(tool, name, good[:-1] + bytes([good[-1] ^ 1]), "bad_icv")
    expect_drop(tool, name, good[:-4], "short")
    tool.good("in", name, good)
    expect_drop(tool, name, good, "replayed")
    other = SecurityAssociation(ESP, spi=kind.spi, crypt_algo="AES-GCM", crypt_key=bytes(len(kind.key)),
                                tunnel_header=IP(src=RIGHT, dst=LEFT), nat_t_header=sa.nat_t_header, esn_en=kind.esn)
    expect_drop(tool, name, kind.seal(other, inner(100), kind.start + 2), "bad_icv")


def encapsulation_is_checked(tool, kind):
    twin = Kind(kind.bits, not kind.udp, kind.esn)
    twin.key, twin.spi = kind.key, kind.spi
    strict, both = kind.ours(tool, "in"), kind.ours(tool, "in", natt=1)
    data = kind.seal(twin.scapys(RIGHT, LEFT), inner(64), kind.start + 1)
    expect_drop(tool, strict, data, "encap")
    tool.good("in", both, data)


def selectors_are_checked(tool, kind):
    sa, name = kind.scapys(RIGHT, LEFT), kind.ours(tool, "in", local="10.2.0.0/24", remote="10.1.0.0/24")
    tool.good("in", name, kind.seal(sa, inner(64), kind.start + 1))
    stray = IP(src="10.9.0.5", dst="10.2.0.7") / UDP() / Raw(b"stray")
    expect_drop(tool, name, kind.seal(sa, stray, kind.start + 2), "selector_in")


SCENARIOS = [we_open_scapys, scapy_opens_ours, we_refuse_scapys_bad_ones, encapsulation_is_checked,
             selectors_are_checked]


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SALLYPORT_BUILD_DIR", "build")
    failed = 0
    for bits, udp, esn in itertools.product((128, 256), (False, True), (False, True)):
        kind, tool = Kind(bits, udp, esn), Tool(build)
        for scenario in SCENARIOS:
            name = f"packet/{scenario.__name__}_{kind.name}"
            try:
                scenario(tool, kind)
                print(f"PASS {name}", flush=True)
            except Exception as e:  # whatever goes wrong is the scenario's failure
                failed += 1
                print(f"FAIL {name} {e}", flush=True)
        tool.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""AH through a running gateway with IPv4 options and IPv6 extension headers in front: what may change on the way does,
and the packet is good; one byte more changes, and it is dropped. RFC 4302 3.3.3.1, appendix A.

One line a sample, mode and algorithm; in transport mode the sealed answer to a sealed echo request is the proof.
"""
import dataclasses
import random
import sys
import tempfile

try:
    from matrix import cells, probes, verdict
except ImportError as e:
    print(f"SKIP ah_mutable/all {e.name} is not installed")
    sys.exit(0)
from lab import gateway, results, table
from lab.namespace import Namespace
from lab.results import check
from matrix.probes import Probe
from matrix.traffic import Traffic
from oracle import headers
from oracle.samples import IPV4_OPTIONS, IPV6_EXTENSIONS
from oracle.sa import Shape

RNG = random.Random(4302)
SUITES = ("ah_sha256", "ah_aesxcbc", "ah_aes128gmac")
SHAPES = ("tunnel_4in4", "tunnel_4in6", "transport_4", "transport_6")
SAMPLES = {4: IPV4_OPTIONS, 6: IPV6_EXTENSIONS}
OFFSET = {4: 20, 6: 40}
TOS_ARRIVING = 0x28


def wanted_pairs():
    names = {f"{suite}_{shape}" for suite in SUITES for shape in SHAPES}
    return cells.pairs([c for c in cells.combinations(table.rows()) if c.name in names], 1)[0]


def on_the_way(packet, offset, changes):
    """What routers do: another TTL and TOS, bytes of options {place: what of it}; the IPv4 checksum to match."""
    b = bytearray(probes.changed(packet, tos=TOS_ARRIVING, ttl=7))
    for at, flip in changes.items():
        b[offset + at] ^= flip
    if headers.version(b) == 6:
        return bytes(b)
    head = (b[0] & 15) * 4
    return headers.ipv4_resum(bytes(b[:head])) + bytes(b[head:])


def head_with(packet, sample):
    """(IP header with the options or the extension header, what is in the packet, its payload)."""
    if headers.version(packet) == 4:
        return bytes([packet[0] + len(sample.data) // 4]) + packet[1:20] + sample.data, packet[9], packet[20:]
    return packet[:6] + bytes([sample.number]) + packet[7:40] + sample.data, packet[6], packet[40:]


def tunnel_probe(pair, index, sample):
    local, remote = pair.ends()
    inner = probes.inner_packet(RNG, remote, local, index, 40, 0, probes.HOP)
    shape = Shape(extra=(("options", sample.data),)) if pair.combination.outer == 4 else Shape(
        chain_first=sample.number, chain=sample.data)
    sealed = pair.inbound.seal(inner, pair.start + 1 + index, shape)
    return sealed, probes.clear_key(inner), probes.changed(inner, ttl=probes.HOP - 1)


def transport_probe(pair, index, sample):
    plain, key, answer = probes.echo_pair(pair, RNG, index, 40, 0)
    sealed = pair.inbound.seal_ah(pair.start + 1 + index, *head_with(plain, sample))
    # the answer takes over the TOS
    return sealed, key, probes.changed(answer, tos=TOS_ARRIVING)


def probe(pair, index, sample, broken):
    """What arrives, and what has to come of it when it is not broken."""
    make = tunnel_probe if pair.combination.tunnel else transport_probe
    sealed, key, expected = make(pair, index, sample)
    changes = dict.fromkeys(sample.changes, 0x55) | ({sample.stays: sample.flip} if broken else {})
    arriving = on_the_way(sealed, OFFSET[pair.combination.outer], changes)
    return Probe(pair, index, "wan", arriving, key, expected, not pair.combination.tunnel)


class Run:
    def __init__(self, running, traffic):
        self.running, self.traffic = running, traffic
        self.answers = {}  # pair: packets that its outbound SA has sent

    def good(self, pair, index, sample):
        sent = probe(pair, index, sample, False)
        if not pair.combination.tunnel:
            # answers are numbered without gaps
            answered = self.answers.get(pair, 0)
            key = probes.sealed_key(pair.spi_out, pair.start + 1 + answered)
            sent = dataclasses.replace(sent, index=answered, key=key)
        self.traffic.run([[sent]])
        self.answers[pair] = self.answers.get(pair, 0) + (sent.key in self.traffic.got)
        reason = verdict.probe_reason(sent, self.traffic.got.get(sent.key))
        assert not reason, f"{reason}; drops {self.running.drops()}"

    def bad(self, pair, index, sample):
        """Another byte has changed: dropped under a name, and nothing comes out."""
        before, strays = sum(self.running.drops().values()), len(self.traffic.strays)
        self.traffic.namespace.send("wan", probe(pair, index, sample, True).packet)
        while self.traffic.take(0.05):
            pass
        assert len(self.traffic.strays) == strays, "something came out"
        assert sum(self.running.drops().values()) == before + 1, "no drop was counted"

    def sample(self, pair, index, sample):
        name = f"ah_mutable/{pair.combination.name}_{sample.name}"
        check(name, self.good, pair, index, sample)
        if sample.stays is not None:
            check(f"{name}_refused", self.bad, pair, index + 1, sample)

    def buffers_back(self, free):
        assert self.running.wait_free_buffers(free), f"{self.running.free_buffers()} of {free} buffers"


def go(pairs):
    with tempfile.TemporaryDirectory(prefix="sallyport-ah-") as work, Namespace("ah") as namespace:
        lines = gateway.network(namespace, [4, 6], work) + ["manual_sas:", *(cells.setting(p) for p in pairs)]
        secrets = ["manual_keys:", *(cells.secret(p, False) for p in pairs)]
        program = table.build_dir() / "app/sallyportd/sallyportd"
        with gateway.Gateway(namespace, work, program, lines, secrets) as running:
            run, free = Run(running, Traffic(namespace)), running.all_buffers()
            for pair in pairs:
                for at, sample in enumerate(SAMPLES[pair.combination.outer]):
                    run.sample(pair, 2 * at, sample)
            check("ah_mutable/buffers_all_back", run.buffers_back, free)


def main():
    pairs = wanted_pairs()
    assert len(pairs) == len(SUITES) * len(SHAPES)
    check("ah_mutable/gateway", go, pairs)
    sys.exit(1 if results.failures else 0)


if __name__ == "__main__":
    main()

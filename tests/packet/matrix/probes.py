# SPDX-License-Identifier: BSD-3-Clause
"""The packets of a cell and what has to come out for each. A probe goes in at one port and is expected as exactly one
packet at a port, recognised there by a key."""
import os
import struct
from dataclasses import dataclass

from oracle import by_scapy, headers
from oracle.sa import Shape

LENGTHS = (0, 1, 15, 16, 17, 64, 1000)
if os.environ.get("SALLYPORT_LONG") == "1":
    LENGTHS += (*range(2, 15), *range(18, 50), 63, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024, 1025, 1300)
BY_SCAPY = (3, 6)  # the probes whose packets scapy makes or opens as well, where it knows the suite; 3 begins a new high half
OUTER_TTL = 64
HOP = 63  # any TTL of a packet on its way
CE = 3


@dataclass(frozen=True)
class Probe:
    pair: object
    index: int
    port: str  # where it is sent
    packet: bytes  # what is sent
    key: tuple  # what is looked for
    expected: bytes  # after the oracle has opened it, or as it is in clear
    local: bool = False  # answered by the gateway itself

    @property
    def sequence(self):
        return self.pair.start + 1 + self.index


def ecn_after(inner, outer):
    """RFC 6040 4.2, figure 4; None: dropped."""
    if outer == CE:
        return CE if inner else None
    return 1 if (inner, outer) == (2, 1) else inner


# inner and outer ECN fields that go together
ECN = [(inner, outer) for inner in range(4) for outer in range(4) if ecn_after(inner, outer) is not None]


def payload(rng, src, dst, index, length):
    """(protocol, bytes): UDP, TCP, or a protocol without ports (253, RFC 3692), with this many bytes inside."""
    data = rng.randbytes(length)
    kind = index % 3
    if kind == 0:
        return 253, data
    if kind == 1:
        head = struct.pack("!HHHH", 4000 + index, 5000, 8 + length, 0)
        number, at = headers.UDP, 6
    else:
        head = struct.pack("!HHIIBBHHH", 4000 + index, 80, index, 0, 0x50, 0x18, 1000, 0, 0)
        number, at = headers.TCP, 16
    value = headers.transport_checksum(src, dst, number, head + data)
    return number, head[:at] + struct.pack("!H", value) + head[at + 2:] + data


def marks(family, index):
    """The field that tells the probes of an SA apart in clear."""
    return {"ident": index, "df": bool(index & 1)} if family == 4 else {"flow_label": index}


def inner_packet(rng, src, dst, index, length, tos, ttl):
    protocol, body = payload(rng, src, dst, index, length)
    return headers.ip(src, dst, protocol, body, tos=tos, ttl=ttl, **marks(4 if len(src) == 4 else 6, index))


def changed(packet, tos=None, ttl=None):
    """The same packet with other mutable fields."""
    b = bytearray(packet)
    if headers.version(packet) == 4:
        b[1] = b[1] if tos is None else tos
        b[8] = b[8] if ttl is None else ttl
        head = (b[0] & 15) * 4
        return headers.ipv4_resum(bytes(b[:head])) + bytes(b[head:])
    if tos is not None:
        b[0:2] = struct.pack("!H", 6 << 12 | tos << 4 | b[1] & 15)
    b[7] = b[7] if ttl is None else ttl
    return bytes(b)


def clear_key(packet):
    """Recognises a packet in clear by its source and mark."""
    src, _ = headers.addresses(packet)
    mark = struct.unpack("!H", packet[4:6])[0] if len(src) == 4 else headers.flow_label(packet)
    return "clear", src, mark


def sealed_key(spi, sequence):
    return "sealed", spi, sequence & 0xffffffff


def seal(pair, packet, index, shape):
    """By scapy for some of the probes, else by oracle B, which also uses the freedom a sender has."""
    sequence = pair.start + 1 + index
    if index in BY_SCAPY and by_scapy.knows(pair.inbound):
        return by_scapy.ScapySa(pair.inbound).seal(packet, sequence, shape)
    return pair.inbound.seal(packet, sequence, shape)


def freedom(c, index):
    """What no receiver may stumble over: long padding, bytes behind the inner packet, UDP checksums; options or an
    extension header in front."""
    more = {}
    if index == 5 and c.tunnel:
        more = {"extra": (("options", b"\x01\x01\x01\0"),)} if c.outer == 4 else {"chain": b"\0\0\x01\x04\0\0\0\0"}
    if c.suite.protocol == "esp":
        more["pad_blocks"] = 3 if index == 1 else 0
        more["tfc_bytes"] = 77 if index == 4 and c.tunnel else 0
        more["udp_checksum"] = bool(index & 1)
    return more


def tunnel_in(pair, rng):
    """Sealed at the WAN port, clear at the LAN port: one hop older, ECN combined."""
    c = pair.combination
    local, remote = pair.ends()
    for index, length in enumerate(LENGTHS):
        inner_ecn, outer_ecn = ECN[(pair.number + index) % len(ECN)]
        dscp = rng.randrange(64) << 2
        inner = inner_packet(rng, remote, local, index, length, dscp | inner_ecn, HOP)
        shape = Shape(tos=rng.randrange(64) << 2 | outer_ecn, ttl=rng.randrange(2, 256), **freedom(c, index))
        expected = changed(inner, tos=dscp | ecn_after(inner_ecn, outer_ecn), ttl=HOP - 1)
        yield Probe(pair, index, "wan", seal(pair, inner, index, shape), clear_key(inner), expected)


def tunnel_out(pair, rng, lengths=LENGTHS):
    """Clear at the LAN port, sealed at the WAN port."""
    local, remote = pair.ends()
    for index, length in enumerate(lengths):
        inner = inner_packet(rng, local, remote, index, length, rng.randrange(256), HOP)
        key = sealed_key(pair.spi_out, pair.start + 1 + index)
        yield Probe(pair, index, "lan", inner, key, changed(inner, ttl=HOP - 1))


def echo(family, src, dst, request, index, data):
    """An echo request or reply: RFC 792, RFC 4443 4."""
    kind = {(4, True): 8, (4, False): 0, (6, True): 128, (6, False): 129}[family, request]
    message = struct.pack("!BBHHH", kind, 0, 0, 0x5a11, index) + data
    value = headers.checksum(message) if family == 4 else headers.transport_checksum(src, dst, headers.ICMPV6, message)
    return message[:2] + struct.pack("!H", value) + message[4:]


def echo_pair(pair, rng, index, length, tos):
    """(request to the gateway, key of its sealed answer, the answer in clear)."""
    family = pair.combination.outer
    local, remote = pair.ends()
    protocol = headers.ICMP if family == 4 else headers.ICMPV6
    data, more = rng.randbytes(length), marks(family, index)
    ask = headers.ip(remote, local, protocol, echo(family, remote, local, True, index, data), tos=tos, ttl=HOP, **more)
    answer = headers.ip(local, remote, protocol, echo(family, local, remote, False, index, data), tos=tos, **more)
    return ask, sealed_key(pair.spi_out, pair.start + 1 + index), answer


def transport(pair, rng):
    """A sealed echo request for the gateway; its sealed answer proves both directions."""
    for index, length in enumerate(LENGTHS):
        ask, key, answer = echo_pair(pair, rng, index, length, rng.randrange(64) << 2)
        sealed = seal(pair, ask, index, Shape(**freedom(pair.combination, index)))
        yield Probe(pair, index, "wan", sealed, key, answer, local=True)


def of_pair(pair, rng):
    """{direction: probes}; those of transport mode are the same for both."""
    if pair.combination.tunnel:
        return {"in": list(tunnel_in(pair, rng)), "out": list(tunnel_out(pair, rng))}
    both = list(transport(pair, rng))
    return {"in": both, "out": both}

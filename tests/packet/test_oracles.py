#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The oracles against each other and against published vectors: before they judge the gateway, they have to agree.

One PASS or FAIL line a suite of the algorithm table (all modes, families and encapsulations), and one a set of vectors.
"""
import ipaddress
import itertools
import random
import sys

try:
    from oracle import OracleError, ah, headers
    from oracle.algorithms import cipher_create, mac_create
    from oracle.by_scapy import ScapySa, dissect, knows
    from oracle.samples import IPV4_OPTIONS, IPV6_EXTENSIONS
    from oracle.sa import Sa, Shape
except ImportError as e:
    print(f"SKIP oracles/all {e.name} is not installed")
    sys.exit(0)
from lab import results, table
from lab.results import check, same

RNG = random.Random(4303)
OUTER = {4: ("192.0.2.1", "198.51.100.2"), 6: ("2001:db8:1::1", "2001:db8:2::2")}
INNER = {4: ("10.1.0.5", "10.2.0.7"), 6: ("fd00:1::5", "fd00:2::7")}
LENGTHS = (0, 1, 15, 16, 17, 64, 1000)
MODES = [(True, inner, outer) for inner in (4, 6) for outer in (4, 6)] + [(False, 4, 4), (False, 6, 6)]


def packet(ends, length):
    """An IP packet with a protocol nobody knows (253, RFC 3692), so that nobody sees anything in it."""
    src, dst = (ipaddress.ip_address(a).packed for a in ends)
    return headers.ip(src, dst, 253, RNG.randbytes(length), tos=length % 256)


def sas(suite):
    """An SA of the suite in every mode, encapsulation and sequence width."""
    numbers = suite.oracle(RNG)
    for (tunnel, inner, outer), udp, esn in itertools.product(MODES, (False, True), (False, True)):
        if udp and suite.protocol == "ah":
            continue
        sa = Sa(numbers, RNG.randrange(256, 2**32), *OUTER[outer], tunnel=tunnel, udp=udp, esn=esn)
        yield sa, INNER[inner] if tunnel else OUTER[outer]


def sequences(sa):
    """Starts in front of the boundary of the low half."""
    return range(0x3fffffffd if sa.esn else 1, 2**64)


def oracles_agree(suite):
    """Oracle B opens what it seals; where scapy knows the suite, each opens what the other seals."""
    for sa, ends in sas(suite):
        scapy = ScapySa(sa) if knows(sa) else None
        for sequence, length in zip(sequences(sa), LENGTHS):
            inner = packet(ends, length)
            sealed = sa.seal(inner, sequence)
            same(f"{sa} length {length}", sa.open(sealed, sequence), inner)
            refuses_changed(sa, sealed, sequence)
            if scapy:
                same(f"scapy opens, {sa} length {length}", scapy.open(sealed, sequence), inner)
                same(f"scapy seals, {sa} length {length}", sa.open(scapy.seal(inner, sequence), sequence), inner)


def refuses_changed(sa, sealed, sequence):
    for at in (-1, -len(sealed) // 3):
        broken = bytearray(sealed)
        broken[at] ^= 0x10
        refused(sa, bytes(broken), sequence, f"{sa}, byte {at} changed")


def ah_suite():
    return next(s for s in table.suites(table.rows()) if s.name == "ah_sha256").oracle(RNG)


def shape_of(sample, family):
    if family == 4:
        return Shape(extra=(("options", sample.data),))
    return Shape(chain_first=sample.number, chain=sample.data)


def with_options(function):
    """Each sample of both families, as (function's SA, shape, offset of the sample in the packet, sample)."""
    for family, offset, samples in ((4, 20, IPV4_OPTIONS), (6, 40, IPV6_EXTENSIONS)):
        sa = Sa(ah_suite(), 0x1234, *OUTER[family])
        for sample in samples:
            function(sa, shape_of(sample, family), offset, sample)


def resummed(packet):
    if headers.version(packet) == 6:
        return packet
    head = (packet[0] & 15) * 4
    return headers.ipv4_resum(packet[:head]) + packet[head:]


def ah_options_agree():
    """AH over IPv4 options and IPv6 extension headers, mutable ones among them."""
    def agree(sa, shape, _offset, sample):
        inner = packet(INNER[4], 50)
        sealed = sa.seal(inner, 7, shape)
        same(sample.name, sa.open(sealed, 7), inner)
        same(f"scapy opens {sample.name}", ScapySa(sa).open(sealed, 7), inner)
    with_options(agree)


def ah_ignores_what_changes():
    """Routers change TTL, TOS and mutable options; the ICV holds. It does not hold over what must not change."""
    def changed(sa, shape, offset, sample):
        inner = packet(INNER[4], 50)
        sealed = bytearray(sa.seal(inner, 7, shape))
        for at in sample.changes:
            sealed[offset + at] ^= 0x55
        same(sample.name, sa.open(resummed(bytes(sealed)), 7), inner)
        if sample.stays is not None:
            sealed[offset + sample.stays] ^= 0x55
            refused(sa, resummed(bytes(sealed)), 7, f"{sample.name} changed")
    with_options(changed)


def refused(sa, sealed, sequence, what):
    try:
        sa.open(sealed, sequence)
    except OracleError:
        return
    raise AssertionError(f"opened: {what}")


def routing_header_at_destination():
    """The sender computes over what will arrive (RFC 4302 3.3.3.1.2.2)."""
    ends = [ipaddress.ip_address(a).packed for a in ("2001:db8::1", "2001:db8::a", "2001:db8::b", "2001:db8::c")]
    src, first, second, last = ends

    def head(dst, left, hops):
        chain = bytes([51, 4, 0, left]) + bytes(4) + b"".join(hops)
        return headers.ipv6(src, dst, 43, chain)
    sent, arrived = head(first, 2, (second, last)), head(last, 0, (first, second))
    same("headers", ah.ipv6_immutable(sent), ah.ipv6_immutable(arrived))


def xcbc_vectors():
    """RFC 3566 4."""
    mac = mac_create(5, bytes(range(16)))
    for length, expected in ((0, "75f0251d528ac01c4573dfd584d79f29"), (3, "5b376580ae2f19afe7219ceef172756f"),
                             (16, "d2a246fa349b68a79998a4394ff7a263"), (20, "47f51b4564966215b8985c63055ed308"),
                             (32, "f54f0ec8d2b9f3d36807734bd5283fd4"), (34, "becbb3bccdb518a30677d5481fb6b4d8")):
        same(f"length {length}", mac.whole(bytes(range(length))), bytes.fromhex(expected))
    same("length 1000", mac.whole(bytes(1000)), bytes.fromhex("f0dafee895db30253761103b5d84528f"))


def cmac_vectors():
    """RFC 4493 4."""
    mac = mac_create(8, bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"))
    message = bytes.fromhex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411")
    for length, expected in ((0, "bb1d6929e95937287fa37d129b756746"), (16, "070a16b46b4d4144f79bdd9dd04a287c"),
                             (40, "dfa66747de9ae63030ca32611497c827")):
        same(f"length {length}", mac.whole(message[:length]), bytes.fromhex(expected))


def gmac_vector():
    """draft-mcgrew-gcm-test-01: a whole ESP packet under ENCR_NULL_AUTH_AES_GMAC."""
    cipher = cipher_create(21, 128, bytes.fromhex("4c80cdefbb5d10da906ac73c3613a63422433c64"))
    text = bytes.fromhex("45000030da3a00008001df3bc0a80005c0a800010800c6cd0200070061626364"
                         "65666768696a6b6c6d6e6f707172737401020201")
    sealed = cipher.seal(bytes(8), bytes.fromhex("0000432100000007"), text)
    same("ICV", sealed[len(text):], bytes.fromhex("f2a9a836e155106aa8dcd618e4099aaa"))


def headers_as_scapy_builds_them():
    """Fields and checksums of the headers that oracle B writes, read and computed anew by scapy."""
    for family, ends in OUTER.items():
        src, dst = (ipaddress.ip_address(a).packed for a in ends)
        more = {"ident": 7, "df": True} if family == 4 else {"flow_label": 0x12345}
        made = headers.ip(src, dst, 17, headers.udp_wrap(src, dst, b"odd" * 7, True), tos=0xb9, ttl=9, **more)
        read = dissect(made)
        for layer in (read, read["UDP"]):
            for name in ("chksum", "len", "plen"):
                if name in layer.fields:
                    delattr(layer, name)
        same(f"IPv{family}", bytes(read), made)


def main():
    suites = list(table.suites(table.rows()))
    for suite in suites:
        check(f"oracles/{suite.name}", oracles_agree, suite)
    for function in (ah_options_agree, ah_ignores_what_changes, routing_header_at_destination, xcbc_vectors, cmac_vectors,
                     gmac_vector, headers_as_scapy_builds_them):
        check(f"oracles/{function.__name__}", function)
    sys.exit(1 if results.failures else 0)


if __name__ == "__main__":
    main()

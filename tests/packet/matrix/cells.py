# SPDX-License-Identifier: BSD-3-Clause
"""The combinations, computed from the algorithm table, and for each SA pair what both ends have to know: addresses,
SPIs, keys, selectors. A pair is two cells, one a direction."""
import ipaddress
import itertools
import random
from dataclasses import dataclass

from lab.gateway import PEER, WAN
from lab.table import TableSuite, suites
from oracle.sa import Sa

DIRECTIONS = ("in", "out")
# inner and outer family; of transport mode they are the same
TUNNELS = tuple(itertools.product((4, 6), (4, 6)))
TRANSPORTS = ((4, 4), (6, 6))
SPI_IN, SPI_OUT = 0x51000000, 0x52000000
ESN_START = 0x2fffffffc  # so that a few packets cross the boundary of the low half, with a high half that is not zero
PAIRS_MAX = 4096  # networks of 172.16.0.0/12, and what the gateway keeps of foreign SPIs


@dataclass(frozen=True)
class Combination:
    suite: TableSuite
    tunnel: bool
    inner: int
    outer: int
    udp: bool
    esn: bool

    @property
    def shape(self):
        """The name of everything but the algorithm."""
        mode = f"tunnel_{self.inner}in{self.outer}" if self.tunnel else f"transport_{self.outer}"
        return mode + ("_udp" if self.udp else "") + ("_esn" if self.esn else "")

    @property
    def name(self):
        return f"{self.suite.name}_{self.shape}"


def combinations(table):
    for suite in suites(table):
        modes = [(True, *f) for f in TUNNELS] + [(False, *f) for f in TRANSPORTS]
        encapsulations = (False, True) if suite.protocol == "esp" else (False,)
        for (tunnel, inner, outer), udp, esn in itertools.product(modes, encapsulations, (False, True)):
            yield Combination(suite, tunnel, inner, outer, udp, esn)


def inner_networks(number, family):
    """(local, remote) networks that no other pair has."""
    if family == 4:
        return f"10.{number >> 8}.{number & 255}.0/24", f"172.{16 + (number >> 8)}.{number & 255}.0/24"
    return f"fd00:a:{number:x}::/64", f"fd00:b:{number:x}::/64"


def peer_host(number, family):
    """The other end of a transport SA."""
    base = ipaddress.ip_address("100.64.0.1" if family == 4 else "2001:db8:f::1")
    return str(base + number)


class Pair:
    """A combination with a number, keys and addresses; `inbound` and `outbound` are the oracle's SAs."""

    def __init__(self, combination, number, rng):
        assert number < PAIRS_MAX, "more SA pairs than addresses"
        self.combination, self.number = combination, number
        self.spi_in, self.spi_out = SPI_IN + number, SPI_OUT + number
        self.start = ESN_START if combination.esn else 0
        self.keys_in, self.keys_out = combination.suite.oracle(rng), combination.suite.oracle(rng)
        c = combination
        if c.tunnel:
            self.local, self.remote = inner_networks(number, c.inner)
            self.peer = PEER[c.outer]
        else:
            self.local, self.remote = WAN[c.outer], peer_host(number, c.outer)
            self.peer = self.remote
        more = {"tunnel": c.tunnel, "udp": c.udp, "esn": c.esn}
        self.inbound = Sa(self.keys_in, self.spi_in, self.peer, WAN[c.outer], **more)
        self.outbound = Sa(self.keys_out, self.spi_out, WAN[c.outer], self.peer, **more)

    @property
    def setting_name(self):
        """Of the manual SA; the prefix is what lab_gateway looks for."""
        return ("iiv_" if self.combination.suite.implicit else "") + self.combination.name

    def ends(self):
        """(local, remote) hosts that talk through the pair, as packed addresses."""
        def host(network, at):
            return (ipaddress.ip_network(network)[at] if "/" in network else ipaddress.ip_address(network)).packed
        return host(self.local, 5), host(self.remote, 7)


def proposal(combination):
    """In the configuration's words; an implicit-IV suite is named by its explicit sibling (lab_gateway)."""
    words = [word.removesuffix("iiv") if combination.suite.implicit else word for word in combination.suite.words]
    return "-".join(words + ["esn" if combination.esn else "noesn"])


def setting(pair):
    """The pair's entry of manual_sas."""
    c = pair.combination
    entry = {"name": pair.setting_name, "proposal": proposal(c), "local": f'"{WAN[c.outer]}"',
             "remote": f'"{pair.peer}"', "spi_in": hex(pair.spi_in), "spi_out": hex(pair.spi_out),
             "keys": pair.setting_name, "encap": "udp" if c.udp else "none", "allow_weak": "true",
             "local_selectors": f'["{pair.local}"]', "remote_selectors": f'["{pair.remote}"]'}
    if c.suite.protocol == "ah":
        entry["protocol"] = "ah"
    if not c.tunnel:
        entry["mode"] = "transport"
    if c.suite.counter:
        entry["lab_keys"] = "true"
    if pair.start:
        entry |= {"sequence_in": pair.start, "sequence_out": pair.start}
    return "  - {" + ", ".join(f"{k}: {v}" for k, v in entry.items()) + "}"


def secret(pair, broken):
    """The pair's entry of manual_keys; with a wrong byte when it is to be broken."""
    fields = [f"name: {pair.setting_name}"]
    for direction, keys in (("in", pair.keys_in), ("out", pair.keys_out)):
        if keys.protocol == "esp":
            fields.append(f'encr_{direction}: "{hex_key(keys.encr_key, broken)}"')
        if keys.integ:
            fields.append(f'integ_{direction}: "{hex_key(keys.integ_key, broken)}"')
    return "  - {" + ", ".join(fields) + "}"


def hex_key(key, broken):
    if broken and key:
        key = bytes([key[0] ^ 0x10]) + key[1:]
    return "0x" + key.hex() if key else ""


def pairs(chosen, seed):
    """(pairs, [(combination, why it has no oracle)])."""
    rng = random.Random(seed)
    good, without = [], []
    for number, combination in enumerate(chosen):
        try:
            good.append(Pair(combination, number, rng))
        except Exception as e:  # whatever keeps the oracle from being there
            without.append((combination, f"no oracle: {e}"))
    return good, without

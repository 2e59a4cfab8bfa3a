#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every combination of algorithm, mode, families, encapsulation, ESN and direction through a running gateway, against
oracles: packets that an oracle made come out in clear, packets of ours are opened by an oracle, compared byte for byte.

usage: oracle_matrix.py [--only REGEX] [--break NAME]
Always all of them; SALLYPORT_LONG=1 sends more packets in each. --only takes the combinations whose name has the
pattern; --break gives the gateway other keys for one of them, which has to be noticed. Keys and payloads come from the
printed seed; SALLYPORT_SEED repeats it. Prints FAIL matrix/NAME for a cell that disagrees, PASS matrix/GROUP when all
of a group agree, and last the sums. Suites with implicit IV, which is refused with manual keys, run in lab_gateway.
"""
import argparse
import itertools
import os
import random
import re
import sys
import tempfile
import time

try:
    from matrix import cells, probes, verdict
except ImportError as e:
    print(f"SKIP matrix/all {e.name} is not installed")
    sys.exit(0)
from lab import gateway, results, table
from lab.namespace import Namespace
from lab.results import check, failed, passed
from matrix.traffic import Traffic

NOT_RUN = "the gateway did not run"
TOLD_MAX = 200  # cells that disagree; the sums count all


class Run:
    """One gateway with some of the pairs."""

    def __init__(self, key, program, pairs, seed, broken):
        self.key, self.program, self.pairs, self.broken = key, program, pairs, broken
        rng = random.Random(seed)
        self.probes = {(pair, d): p for pair in pairs for d, p in probes.of_pair(pair, rng).items()}
        self.traffic = None  # until the gateway runs

    def rows(self):
        """The first packets of all cells, then the second ones: bursts mix SAs of all kinds."""
        once = [p for (pair, d), p in self.probes.items() if pair.combination.tunnel or d == "in"]
        return [[probe for probe in row if probe] for row in itertools.zip_longest(*once)]

    def go(self):
        with tempfile.TemporaryDirectory(prefix="sallyport-matrix-") as work, Namespace(self.key) as namespace:
            families = sorted({f for p in self.pairs for f in (p.combination.inner, p.combination.outer)})
            lines = gateway.network(namespace, families, work)
            lines += ["manual_sas:", *(cells.setting(p) for p in self.pairs)]
            secrets = ["manual_keys:", *(cells.secret(p, p.combination.name == self.broken) for p in self.pairs)]
            with gateway.Gateway(namespace, work, self.program, lines, secrets) as running:
                self.drive(running)

    def drive(self, running):
        free = running.all_buffers()
        self.traffic = Traffic(running.namespace)
        self.traffic.run(self.rows())
        check(f"matrix/no_unexpected_drops_{self.key}", self.no_drops, running)
        check(f"matrix/buffers_all_back_{self.key}", self.buffers_back, running, free)
        check(f"matrix/nothing_else_came_out_{self.key}", self.no_strays)

    @staticmethod
    def no_drops(running):
        drops = running.drops()
        assert not drops, f"counted: {drops}"

    @staticmethod
    def buffers_back(running, free):
        assert running.wait_free_buffers(free), f"{running.free_buffers()} of {free} buffers"

    def no_strays(self):
        strays = self.traffic.strays
        assert not strays, f"{len(strays)} packets, the first at {strays[0][0]}: {results.shown(strays[0][1])}"

    def reasons(self):
        """{(combination, direction): None or why it disagrees}"""
        if not self.traffic:
            return {(pair.combination, d): NOT_RUN for pair, d in self.probes}
        return {(pair.combination, d): verdict.cell_reason(p, self.traffic.got) for (pair, d), p in self.probes.items()}


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--only", default="")
    parser.add_argument("--break", dest="broken")
    return parser.parse_args()


def runs(pairs, seed, broken):
    """The daemon with most of them, lab_gateway with the implicit IVs."""
    programs = (("daemon", table.build_dir() / "app/sallyportd/sallyportd", False),
                ("lab", table.build_dir() / "tests/packet/lab_gateway", True))
    for key, program, implicit in programs:
        mine = [p for p in pairs if p.combination.suite.implicit == implicit]
        if mine:
            yield Run(key, program, mine, seed, broken)


def report(reasons):
    """FAIL lines of cells, PASS lines of whole groups, the sums."""
    groups, told = {}, 0
    for (combination, direction), reason in reasons.items():
        group = f"{combination.suite.protocol}_{combination.shape}_{direction}"
        groups[group] = groups.get(group, True) and not reason
        # why a gateway did not run is in a line of its own
        if reason and reason != NOT_RUN and told < TOLD_MAX:
            failed(f"matrix/{combination.name}_{direction}", reason)
            told += 1
    for group, agrees in groups.items():
        if agrees:
            passed(f"matrix/{group}")
    disagreed = sum(1 for reason in reasons.values() if reason)
    print(f"packet matrix: {len(reasons)} combinations, {len(reasons) - disagreed} agreed, {disagreed} disagreed")


def main():
    chosen = options()
    seed = int(os.environ.get("SALLYPORT_SEED") or time.time())
    print(f"# seed {seed}")
    combinations = [c for c in cells.combinations(table.rows()) if re.search(chosen.only, c.name)]
    pairs, without = cells.pairs(combinations, seed)
    reasons = {(c, d): why for c, why in without for d in cells.DIRECTIONS}
    for run in runs(pairs, seed, chosen.broken):
        check(f"matrix/gateway_{run.key}", run.go)
        reasons |= run.reasons()
    report(reasons)
    sys.exit(1 if results.failures else 0)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-3-Clause
"""The programs that measure parts rather than gateways: perf/bench/micro (single parts of the packet path) and
perf/bench/bench_ike (a handshake at the responder, memory of an IKE SA)."""
import json
import os

from marks import Mark
from systems import CORE, Failed, eal, run

MICRO_SECONDS = 120
IKE_SECONDS = 600
IKE_US_MOST, IKE_KIB_MOST = 177.0, 6.0
STRONGSWAN_US, STRONGSWAN_KIB = 530.0, 12.8  # 6.0.6, PSK over P-256, on an AMD EPYC at 2.6 GHz


def lines_of(name, command, seconds):
    code, output = run(command, seconds)
    if code:
        raise Failed(f"{name}: code {code}: {output.strip()[-200:]}")
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def micro(lab, exclusive):
    exclusive.take()
    return lines_of("micro", [os.path.join(lab.bench, "micro"), *eal(), "--log-level", "error"], MICRO_SECONDS)


def ike(lab, exclusive, group, counts):
    found = []
    for count in counts:
        exclusive.take()
        command = ["taskset", "-c", str(CORE), os.path.join(lab.bench, "bench_ike"), group, str(count)]
        found += lines_of("bench_ike", command, IKE_SECONDS)
    return found


def print_micro(found):
    print(f"\n{'part of the packet path':48} {'cycles':>9}")
    for row in found:
        print(f"{row['part']:48} {row['cycles']:9.1f}")


def print_ike(found):
    for row in found:
        print(f"\nresponder, PSK, {row['group']}, {row['handshakes']} IKE SAs: {row['us_per_handshake']:.1f} us a handshake, "
              f"{row['bytes_per_sa'] / 1024:.2f} KiB an IKE SA with one child")
        for step, us in row["us_by_step"].items():
            print(f"  {step:44} {us:8.1f} us")


def ike_marks(found):
    """the peer's figures are of another run: a target, not a comparison"""
    marks = []
    for row in found:
        us, kib = row["us_per_handshake"], row["bytes_per_sa"] / 1024
        words = f"{row['group']}, {row['handshakes']} IKE SAs"
        marks += [Mark(f"us a handshake, {words}", us, None, STRONGSWAN_US, us, IKE_US_MOST, us <= IKE_US_MOST),
                  Mark(f"KiB an IKE SA, {words}", kib, None, STRONGSWAN_KIB, kib, IKE_KIB_MOST, kib <= IKE_KIB_MOST)]
    return marks

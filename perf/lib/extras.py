# SPDX-License-Identifier: BSD-3-Clause
"""The programs that measure parts rather than gateways: perf/bench/micro (single parts of the packet path),
perf/bench/churn (SAs replaced under traffic) and perf/bench/bench_ike (a handshake at the responder, memory of an IKE SA);
latency.py has what a packet waits."""
import json
import os
import time

from marks import Mark
from quiet import SLACK
from rounds import OWN_LEAST
from systems import CORE, Failed, eal, run

PARTS_SECONDS = 120
CHURN_MOST = 1.02  # of the worker's cycles without
CHURN_RATE = 10000
CHURN_RUNS = 3  # the middle one counts
IKE_SECONDS = 600
IKE_PATIENCE = 60  # seconds, for OWN_LEAST runs on a core of our own
RUN_KEYS = ("us_per_handshake", "us_of_all_batches", "batches_of_own_core", "probe_us", "own")
IKE_US_MOST, IKE_KIB_MOST = 177.0, 6.0
STRONGSWAN_US, STRONGSWAN_KIB = 530.0, 12.8  # 6.0.6, PSK over P-256, on an AMD EPYC at 2.6 GHz


def lines_of(name, command, seconds):
    code, output = run(command, seconds)
    if code:
        raise Failed(f"{name}: code {code}: {output.strip()[-200:]}")
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise Failed(f"{name}: it says nothing: {output.strip()[-200:]}")
    return lines


def parts(lab, name, exclusive, main_core):
    exclusive.take()
    command = [os.path.join(lab.bench, name), *eal("1,0"), "--main-lcore", str(main_core), "--log-level", "error"]
    return lines_of(name, command, PARTS_SECONDS)


def micro(lab, exclusive):
    return parts(lab, "micro", exclusive, CORE)


def churn(lab, exclusive):
    """the worker on the core that forwards, the rekeying beside it; too few rekeys or wrong packets of any run are told"""
    runs = sorted((row for _ in range(CHURN_RUNS) for row in parts(lab, "churn", exclusive, 1 - CORE)), key=lambda row: row["ratio_used"])
    return [{**runs[len(runs) // 2], "rekeys_per_second": min(row["rekeys_per_second"] for row in runs),
             **{key: sum(row[key] for row in runs) for key in ("packets", "wrong")}, "ratios": [row["ratio_used"] for row in runs]}]


def ike(lab, exclusive, group, counts):
    found = []
    for count in counts:
        exclusive.take()
        command = ["taskset", "-c", str(CORE), os.path.join(lab.bench, "bench_ike"), group, str(count)]
        runs, end = [], time.monotonic() + IKE_PATIENCE
        while not runs or len(quiet(runs)) < OWN_LEAST and time.monotonic() < end:
            runs += lines_of("bench_ike", command, IKE_SECONDS)
        found.append(middle(runs))
    return found


def quiet(runs):
    """those in which the core was our own for a while, by the fastest probe of all"""
    fastest = min(run["probe_us"] for run in runs)
    return [run for run in runs if run["own"] and run["probe_us"] <= SLACK * fastest]


def middle(runs):
    """of the quiet ones, if there are any; with what all have said"""
    counted = sorted(quiet(runs) or runs, key=lambda run: run["us_per_handshake"])
    told = [{key: run[key] for key in RUN_KEYS} for run in runs]
    return {**counted[len(counted) // 2], "runs": told}


def daemons(repo, exclusive):
    """sallyportd and Debian's charon: CPU of both for the same handshakes"""
    exclusive.take()
    try:
        return lines_of("ike_daemons.sh", [os.path.join(repo, "perf", "ike_daemons.sh"), "100"], IKE_SECONDS)
    except Failed as e:
        print(f"  {e}", flush=True)
        return []


def print_daemons(found):
    for row in found:
        print(f"\nwhole daemons, {row['handshakes']} tunnels up and down, CPU a tunnel: sallyportd {row['sallyportd_us']} us, "
              f"charon {row['charon']} {row['charon_us']} us (with what swanctl asks of it)")


def print_micro(found):
    print(f"\n{'part of the packet path':48} {'cycles':>9}")
    for row in found:
        print(f"{row['part']:48} {row['cycles']:9.1f}")


def print_churn(found):
    for row in found:
        print(f"\n{row['rekeys_per_second']} rekeys/s under the packets of {row['tunnels']} tunnels: {row['wrong']} of {row['packets']} packets "
              f"wrong; worker, cycles in and out again: {row['cycles_rest']:.1f} without, {row['cycles_aside']:.1f} of other SAs, "
              f"{row['cycles_used']:.1f} of its own; control {row['us_per_rekey']:.1f} us a rekey")


def print_ike(found):
    for row in found:
        print(f"\nresponder, PSK, {row['group']}, {row['handshakes']} IKE SAs: {row['us_per_handshake']:.1f} us a handshake, "
              f"{row['bytes_per_sa'] / 1024:.2f} KiB an IKE SA with one child; {row['batches_of_own_core']} of {row['batches']} batches "
              f"had a core of their own, {row['us_of_all_batches']:.1f} us in all of them")
        for step, us in row["us_by_step"].items():
            print(f"  {step:44} {us:8.1f} us")


def churn_marks(found):
    """too few rekeys, or a wrong packet, fail it too"""
    marks = []
    for row in found:
        value = row["ratio_used"]
        enough = row["rekeys_per_second"] > 0.98 * CHURN_RATE
        marks += [Mark("10,000 rekeys/s: the worker's cycles", row["cycles_used"], row["cycles_rest"], None, value, CHURN_MOST,
                       value <= CHURN_MOST and enough and not row["wrong"])]
    return marks


def ike_marks(found):
    """the peer's figures are of another run: a target, not a comparison"""
    marks = []
    for row in found:
        us, kib = row["us_per_handshake"], row["bytes_per_sa"] / 1024
        words = f"{row['group']}, {row['handshakes']} IKE SAs"
        marks += [Mark(f"us a handshake, {words}", us, None, STRONGSWAN_US, us, IKE_US_MOST, us <= IKE_US_MOST, row["own"]),
                  Mark(f"KiB an IKE SA, {words}", kib, None, STRONGSWAN_KIB, kib, IKE_KIB_MOST, kib <= IKE_KIB_MOST)]
    return marks

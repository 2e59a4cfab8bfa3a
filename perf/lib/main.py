#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The measuring part of perf/run.sh, which has built and set up everything: runs a profile, prints its tables, writes the
JSON. Exit code 0 when every mark holds."""
import argparse
import re
import signal
import sys
import traceback

import captures
import plan
import report
import rounds
import systems


def options():
    p = argparse.ArgumentParser(prog="perf/run.sh")
    for name in ("repo", "work", "captures", "bench", "sallyportd", "sallyctl", "secgw", "profile"):
        p.add_argument("--" + name, required=True)
    p.add_argument("--rounds", type=int)
    p.add_argument("--seconds", type=float)
    p.add_argument("--only", default="")
    p.add_argument("--out")
    p.add_argument("--exclusive", default="")
    return p.parse_args()


def best_secgw_modes(lab, tasks, hz, exclusive):
    """{point: mode}, by one short look at each of them"""
    best = {}
    for point in dict.fromkeys(t.point for t in tasks if t.system == "secgw"):
        found = {}
        for mode in systems.SECGW_MODES:
            exclusive.take()
            try:
                found[mode] = systems.Secgw(hz, mode).measure(lab, point).cycles()
            except systems.Failed as e:
                print(f"  {point.name()} ipsec-secgw {mode}: {e}", file=sys.stderr)
        if found:
            best[point] = min(found, key=found.get)
            print(f"  {point.name():28} " + ", ".join(f"{m} {c:.0f}" for m, c in found.items()), flush=True)
    return best


def tsc_hz(lab):
    return systems.Bench("source", "source").measure(lab, systems.Point()).hz


def main():
    o = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    profile = plan.PROFILES[o.profile]
    lab = systems.Lab(o.work, o.captures, o.bench, o.sallyportd, o.sallyctl, o.secgw, o.seconds or profile.seconds)
    exclusive = rounds.Exclusive(o.exclusive)
    tasks = [t for t in plan.tasks(o.profile) if re.search(o.only, f"{t.point.name()} {t.system}")]
    for task in tasks:
        lab.capture(task.point)
    hz = tsc_hz(lab)
    print("ipsec-secgw: the best of its modes")
    modes = best_secgw_modes(lab, tasks, hz, exclusive)
    makers = {
        "source": lambda point: systems.Bench("source", "source"),
        "loop": lambda point: systems.Bench("loop"),
        "sallyport": lambda point: systems.Sallyport(hz),
        "secgw": lambda point: systems.Secgw(hz, modes.get(point, next(iter(systems.SECGW_MODES)))),
    }
    rows = rounds.run(lab, tasks, lambda t: makers[t.system](t.point), o.rounds or profile.rounds, exclusive)
    marks = plan.marks(rows)
    report.print_commands(rows)
    report.print_rows(rows, hz, captures.IMIX)
    report.print_marks(marks)
    path = o.out or report.default_path(o.repo)
    report.write_json(path, report.machine(o.repo, hz), rows, marks, hz, {"profile": o.profile})
    print(f"\nresults: {path}")
    failed = [m.name for m in marks if not m.holds] + [f"{t.point.name()} {t.system}" for t, r in rows.items() if r.failure]
    print(f"perf: FAIL {len(failed)} of {len(marks)} marks, first: {failed[0]}" if failed else
          f"perf: PASS {len(marks)} marks")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # 1 means that a mark does not hold
        traceback.print_exc()
        sys.exit(2)

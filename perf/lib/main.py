#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The measuring part of perf/run.sh, which has built and set up everything: checks a sample of what each system makes,
runs a profile, prints its tables, writes the JSON. Exit code 0 when every mark that was measured holds, 1 when one does not or
something could not be measured."""
import argparse
import re
import signal
import sys
import traceback

import captures
import extras
import latency
import marks
import plan
import plots
import quiet
import replay
import report
import rounds
import secgw
import systems
import telemetry
import turns
import verify
import workers
from sallyport import Sallyport

MODE_LOOKS = 3  # at the modes of ipsec-secgw, until the core was our own


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


class Run:
    """one profile on one lab"""

    def __init__(self, o):
        profile = plan.PROFILES[o.profile]
        where = (o.work, o.captures, o.bench, o.sallyportd, o.sallyctl, o.secgw, o.seconds or profile.seconds)
        self.lab, self.sample_lab = systems.Lab(*where), systems.SampleLab(*where)
        self.rounds = o.rounds or profile.rounds
        self.exclusive = rounds.Exclusive(o.exclusive)
        self.tasks = [t for t in plan.tasks(o.profile) if re.search(o.only, f"{t.point.name()} {t.system}") and
                      (o.secgw or t.system != "secgw")]
        self.hz = systems.Loop("source", alone=True).run(self.lab, systems.Point())["hz"]
        self.exclusive.take()
        self.core = quiet.Core(self.lab)
        self.patience, self.more = profile.patience, 0 if o.rounds else profile.more
        self.modes = {}  # of ipsec-secgw by point

    def system_of(self, task):
        if task.system == "secgw":
            return secgw.Secgw(self.hz, self.modes.get(task.point, secgw.modes_for(task.point)[-1]))
        return {
            "source": lambda: systems.Loop("source", self.hz, alone=True),
            "loop": lambda: systems.Loop("loop", self.hz),
            "crypto": lambda: systems.Crypto("direct" if "gcm" in task.point.algorithm else "burst"),
            "crypto-burst": lambda: systems.Crypto("burst", "crypto-burst"),
            "sallyport": lambda: Sallyport(self.hz),
        }[task.system]()

    def make_captures(self):
        for point in dict.fromkeys(t.point for t in self.tasks):
            self.lab.capture(point)

    def best_secgw_modes(self):
        """by a short look at each of them"""
        self.core.patience = self.patience / 4
        compared = list(dict.fromkeys(t.point for t in self.tasks if t.system == "secgw"))
        if compared:
            print("ipsec-secgw, cycles in each of its modes; the best one is compared with")
        for point in compared:
            for _ in range(MODE_LOOKS):
                if self.best_secgw_mode(point):
                    break

    def best_secgw_mode(self, point):
        """whether the core was our own meanwhile"""
        self.exclusive.take()
        points = {secgw.Secgw(self.hz, mode): point for mode in secgw.modes_for(point)}
        found, failures = turns.measure(self.lab, points, self.core)
        alone = all(f.alone for f in found.values())
        found = {system.mode: f.sample.cycles() for system, f in found.items()}
        for why in failures.values():
            print(f"  {why}")
        if found:
            self.modes[point] = min(found, key=found.get)
        print(f"  {point.name():34} " + ", ".join(f"{m} {c:.0f}" for m, c in found.items()) + ("" if alone else ", disturbed"), flush=True)
        return alone

    def check_samples(self, profile):
        """the problems"""
        print("samples, opened by OpenSSL and compared packet by packet")
        problems = []
        for point in plan.samples(profile):
            checked = [Sallyport(self.hz)] + ([systems.Loop("loop")] if point.algorithm == "aes128gcm16" else [])
            for system in checked:
                problem = verify.check(self.sample_lab, system, point)
                print(f"  {point.name():34} {system.name:10} {problem or f'{point.packets} packets right'}", flush=True)
                problems += [f"sample of {system.name}, {point.name()}: {problem}"] if problem else []
        return problems


# what is not a gateway at a point: (how it is measured, how it is printed)
PARTS = {
    "micro": (lambda o, run: extras.micro(run.lab, run.exclusive), extras.print_micro),
    "churn": (lambda o, run: extras.churn(run.lab, run.exclusive), extras.print_churn),
    "replay": (lambda o, run: replay.measure(run.lab, run.hz, run.exclusive), replay.print_replay),
    "latency": (lambda o, run: latency.measure(run.lab, run.hz, run.exclusive), latency.print_latency),
    "workers": (lambda o, run: workers.measure(run.lab, run.hz, run.exclusive), workers.print_workers),
    "ike": (lambda o, run: extras.ike(run.lab, run.exclusive, "ecp256", plan.PROFILES[o.profile].ike_sas), extras.print_ike),
    "daemons": (lambda o, run: extras.daemons(o.repo, run.exclusive), extras.print_daemons),
}


def measure_parts(o, run, problems):
    """{} in profiles that are about the gateways alone. What could not be measured is one of the problems."""
    if not plan.PROFILES[o.profile].ike_sas:
        return {}
    found = {}
    try:
        for name, (measure, _) in PARTS.items():
            if re.search(o.only, f"part {name}"):
                print(f"part {name}", flush=True)
                try:
                    found[name] = measure(o, run)
                except systems.Failed as e:
                    problems.append(f"part {name}: {e}")
    finally:
        run.exclusive.release()
    return found


def finish(o, run, rows, problems, parts):
    judged = marks.judged(rows) + extras.churn_marks(parts.get("churn", [])) + extras.ike_marks(parts.get("ike", []))
    report.print_commands(rows)
    report.print_rows(rows, run.hz, captures.IMIX)
    report.print_stages(rows)
    report.print_engines(marks.engines(rows))
    for name, found in parts.items():
        PARTS[name][1](found)
    report.print_marks(judged)
    path = o.out or report.default_path(o.repo, bool(o.only))
    report.write_json(path, report.machine(o.repo, run.hz), rows, judged, run.hz, {"profile": o.profile, "problems": problems, **parts})
    if o.profile != "smoke":
        for plot in plots.draw(rows, run.hz, path.removesuffix(".json")):
            print(f"plot: {plot}")
    print(f"\nresults: {path}")
    failures = problems + [f"{t.point.name()} {t.system}: {r.failure}" for t, r in rows.items()
                           if r.failure and (t.system != "secgw" or not r.cycles)] + [f"mark {m.name}" for m in judged if not m.holds]
    if o.profile == "smoke":
        # one short round says that the harness works, nothing of speed
        failures = problems + [f"{t.point.name()} {t.system}: {r.failure}" for t, r in rows.items() if r.failure]
    print(f"perf: {verdict(o.profile, failures, judged)}")
    return 1 if failures else 0


def verdict(profile, failures, judged):
    """A disturbed core is said, and no failure by itself: what a ratio compares took turns, so a neighbour was in all of it."""
    held, disturbed = sum(m.holds for m in judged), sum(not m.own for m in judged)
    beside = f", {disturbed} of them of a core that was not our own" if disturbed else ""
    if failures:
        return f"FAIL {held} of {len(judged)} marks hold; first problem: {failures[0]}"
    if profile == "smoke":
        return "PASS the harness runs"
    return f"PASS all {held} marks hold{beside}" if judged else "no mark was measured"


def main():
    o = options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run = Run(o)
        run.make_captures()
        problems = run.check_samples(o.profile)
        if o.profile != "smoke":
            run.best_secgw_modes()
        run.core.patience = run.patience * 3 / 4
        rows = rounds.Rounds(run.lab, run.tasks, run.system_of, run.exclusive, run.core).run(run.rounds, run.more)
        return finish(o, run, rows, problems, measure_parts(o, run, problems))
    finally:
        systems.stop_all()
        telemetry.forget(systems.PREFIX)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Exception:  # 1 means that a mark does not hold
        traceback.print_exc()
        sys.exit(2)

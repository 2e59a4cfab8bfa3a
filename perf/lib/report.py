# SPDX-License-Identifier: BSD-3-Clause
"""What a run says: the table of rows, the table of marks, the JSON file."""
import json
import os
import platform
import re
import subprocess
import time


def number(value, format_spec=".1f"):
    return "-" if value is None else format(value, format_spec)


def inner_bytes(size, imix):
    return sum(imix) / len(imix) if size == "imix" else int(size)


def print_rows(rows, hz, imix):
    print(f"\n{'point':36} {'system':12} {'cycles':>8} {'spread':>7} {'mean':>8} {'Mpps':>8} {'Gbit/s':>7} {'stolen':>7}  mode")
    for task, row in rows.items():
        median, spread = row.median(), row.spread()
        mpps = hz / median / 1e6 if median else None
        bits = mpps * inner_bytes(task.point.size, imix) * 8 / 1e3 if mpps else None
        steal = max(row.steal, default=None)
        disturbed = f"{row.disturbed()} of {len(row.alone)} disturbed" if row.disturbed() else ""
        print(f"{task.point.name():36} {task.system:12} {number(median):>8} "
              f"{'-' if spread is None else f'{100 * spread:.1f} %':>7} {number(row.mean()):>8} "
              f"{number(mpps, '.3f'):>8} {number(bits, '.2f'):>7} {'-' if steal is None else f'{steal:.1f} %':>7}  "
              f"{'  '.join(filter(None, (row.mode, disturbed, row.failure)))}")


def print_stages(rows):
    """where sallyportd's cycles go, by its own clock, which is part of what it measures: a few cycles a packet in all"""
    told = {task: row.stage_medians() for task, row in rows.items() if row.stages}
    if not told:
        return
    names = list(next(iter(told.values())))
    print(f"\n{'sallyportd, cycles by stage':32} " + " ".join(f"{name:>8}" for name in names))
    for task, stages in told.items():
        print(f"{task.point.name():32} " + " ".join(f"{stages[name]:8.1f}" for name in names))


def print_marks(marks, title="mark", verdicts=("holds", "FAILS")):
    print(f"\n{title:48} {'measured':>9} {'floor':>9} {'peer':>9} {'value':>7} {'target':>7}")
    for m in marks:
        print(f"{m.name:48} {number(m.measured):>9} {number(m.floor):>9} {number(m.peer):>9} "
              f"{number(m.value, '.2f'):>7} {number(m.target, '.2f'):>7}  {verdicts[not m.holds]}{'' if m.own else ', disturbed'}")


def print_engines(found):
    """floor: the engine alone; value: over 1.15 times that plus what AES-GCM-128 adds to its own"""
    if found:
        print_marks(found, "other algorithms, over what the engine predicts", ("within", "above"))


def cpu_model():
    with open("/proc/cpuinfo") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), "unknown")


def output_of(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def machine(repo, hz):
    version = "-f=${source:Version}"
    return {
        "method": "windows of 40 ms, by turns in groups: their median on a core of our own, else their mean",
        "cpu": cpu_model(), "kernel": platform.release(), "tsc_hz": hz, "cpus": os.cpu_count(),
        "commit": output_of("git", "-C", repo, "describe", "--always", "--dirty", "--abbrev=12"),
        "dpdk": output_of("dpkg-query", "-W", version, "libdpdk-dev"),
        "ipsec_mb": output_of("dpkg-query", "-W", version, "libipsec-mb-dev"),
        "openssl": output_of("dpkg-query", "-W", version, "libssl-dev"),
    }


def row_json(task, row, hz):
    return {
        "point": task.point.name(), "fields": vars(task.point), "system": task.system, "mode": row.mode,
        "cycles": row.median(), "spread": row.spread(), "samples": row.cycles, "rounds": row.rounds, "means": row.means,
        "disturbed": row.disturbed(), "alone": row.alone, "steal_percent": row.steal,
        "preempted": row.preempted, "stages": row.stage_medians(),
        "packets_per_second": hz / row.median() if row.median() else None, "command": row.command,
        "failure": row.failure,
    }


def default_path(repo, part):
    """perf/results/<date>-<cpu>.json; of a part of a profile ...-part.json, so that it does not replace a whole run"""
    cpu = re.sub(r"[^a-z0-9]+", "-", cpu_model().lower()).strip("-")
    return os.path.join(repo, "perf", "results", f"{time.strftime('%Y-%m-%d')}-{cpu}{'-part' if part else ''}.json")


def write_json(path, about, rows, marks, hz, more):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    data = {"machine": about, **more, "rows": [row_json(t, r, hz) for t, r in rows.items()],
            "marks": [m._asdict() for m in marks]}
    with open(path + ".new", "w") as f:
        json.dump(data, f, indent=1)
        f.write("\n")
    os.rename(path + ".new", path)


def print_commands(rows):
    print("\ncommands")
    seen = set()
    for task, row in rows.items():
        if row.command and task.system not in seen:
            seen.add(task.system)
            print(f"  {task.system}: {row.command}")

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Compares two results of perf/run.sh.

usage: compare.py OLD.json NEW.json [PERCENT]
Flags what Sallyport lost (over 3 % more cycles unless PERCENT says otherwise), and names what the bare loop and the peer
did meanwhile: when these moved too, the machine did. Exit code 1 when something is flagged.
"""
import json
import sys

OURS = "sallyport"
DEFAULT_PERCENT = 3.0


def load(path):
    with open(path) as f:
        data = json.load(f)
    return data, {(row["point"], row["system"]): row["cycles"] for row in data["rows"] if row["cycles"]}


def change(old, new):
    return 100.0 * (new - old) / old


def others(point, old, new):
    words = []
    for system in ("loop", "secgw"):
        if (point, system) in old and (point, system) in new:
            words.append(f"{system} {change(old[point, system], new[point, system]):+.1f} %")
    return ", ".join(words)


def main(old_path, new_path, percent=DEFAULT_PERCENT):
    (old_data, old), (new_data, new) = load(old_path), load(new_path)
    for field in ("method", "cpu", "dpdk", "ipsec_mb"):
        if old_data["machine"].get(field) != new_data["machine"].get(field):
            print(f"other {field}: {old_data['machine'].get(field)}, now {new_data['machine'].get(field)}")
    lost = 0
    for point, system in new:
        if system != OURS or (point, system) not in old:
            continue
        was, now = old[point, system], new[point, system]
        flag = change(was, now) > float(percent)
        lost += flag
        print(f"{point:36} {was:8.1f} -> {now:8.1f} {change(was, now):+6.1f} %  {'LOST' if flag else '':4}  "
              f"({others(point, old, new)})")
    print(f"{lost} of the points lost over {float(percent):g} %")
    return 1 if lost else 0


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))

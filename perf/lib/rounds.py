# SPDX-License-Identifier: BSD-3-Clause
"""Runs a plan in rounds, in each of which the systems of a group, all that a mark compares, are started anew and measured
by turns, and keeps every sample with the time the hypervisor stole."""
import statistics
import subprocess
import sys
import time
from collections import namedtuple

import turns

Task = namedtuple("Task", "point system")  # system: its name

PREEMPTED_MANY = 100  # in one measurement: something else runs on its core
SLICE_SECONDS = 40  # of one turn of an exclusive machine
OWN_LEAST = 3  # samples


class Exclusive:
    """Holds a machine that others use too, for a slice of time: COMMAND runs a program when nobody else measures."""

    def __init__(self, command):
        self.command, self.holder, self.since = command, None, 0.0

    def take(self):
        """Returns when we are alone; gives others a turn in between."""
        if not self.command:
            return
        if self.holder and time.monotonic() - self.since < SLICE_SECONDS:
            return
        self.release()
        self.holder = subprocess.Popen([*self.command.split(), "sh", "-c", "echo alone; cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.holder.stdout.readline()
        self.since = time.monotonic()

    def release(self):
        if self.holder:
            self.holder.stdin.close()
            self.holder.wait()
            self.holder = None


class Row:
    """all samples of one system at one point"""

    def __init__(self, task, mode=""):
        self.task, self.mode = task, mode
        self.rounds, self.cycles, self.means, self.steal, self.preempted, self.command, self.failure = [], [], [], [], [], "", ""
        self.stages = []
        self.alone = []  # whether the core was our own in each sample

    def add(self, found, number):
        """number: of the round"""
        self.rounds.append(number)
        self.cycles.append(found.sample.cycles())
        self.means.append(found.sample.mean())
        self.steal.append(found.steal)
        self.preempted.append(found.preempted)
        self.alone.append(found.alone)
        self.command = found.sample.command
        self.stages += [found.sample.stages] if found.sample.stages else []

    def stage_medians(self):
        """{stage: cycles a packet}"""
        return {name: statistics.median(s[name] for s in self.stages) for name in self.stages[0]} if self.stages else {}

    def disturbed(self):
        return self.alone.count(False)

    def doubtful(self):
        """its median has samples whose core was not our own"""
        return self.disturbed() > 0 and self.alone.count(True) < OWN_LEAST

    def counted(self):
        """the samples whose core was our own, where they are enough; else all"""
        own = [cycles for cycles, alone in zip(self.cycles, self.alone) if alone]
        return own if len(own) >= OWN_LEAST else self.cycles

    def median(self):
        return statistics.median(self.counted()) if self.cycles else None

    def mean(self):
        """of all samples, with what other guests of the host have taken"""
        return statistics.median(self.means) if self.means else None

    def spread(self):
        """half of the samples lie within this part of the median"""
        samples = self.counted()
        if len(samples) < 4:
            return None
        low, _, high = statistics.quantiles(samples, n=4)
        return (high - low) / self.median()


def notes(found):
    return ((f", {found.steal:.1f} % stolen" if found.steal >= 0.5 else "") +
            (f", {found.preempted} times preempted" if found.preempted >= PREEMPTED_MANY else "") +
            ("" if found.alone else ", disturbed"))


def groups_of(tasks):
    """those that take turns: the systems of the points that marks compare with one, in the order of the plan"""
    groups = {}
    for task in tasks:
        groups.setdefault(task.point.base(), []).append(task)
    return list(groups.values())


class Rounds:
    """system_of(task) is what measures it; rows: {task: Row}, what was found"""

    def __init__(self, lab, tasks, system_of, exclusive, core):
        self.lab, self.system_of, self.exclusive, self.core = lab, system_of, exclusive, core
        self.groups = groups_of(tasks)
        self.rows = {task: Row(task) for task in tasks}

    def run(self, count, more_seconds):
        """so many rounds; then others of those groups of which too few had a core of their own, for so long at most"""
        try:
            for number in range(count):
                print(f"round {number + 1} of {count}", flush=True)
                self.round(number, self.groups)
            self.more(count, time.monotonic() + more_seconds)
        finally:
            self.exclusive.release()
        return self.rows

    def more(self, number, end):
        while (groups := self.disturbed()) and time.monotonic() < end:
            print(f"round {number + 1}, of {len(groups)} groups that a neighbour had disturbed", flush=True)
            for group in groups:
                self.core.patience = max(0, end - time.monotonic())
                if self.core.patience:
                    self.round(number, [group])
            number += 1

    def disturbed(self):
        """the worst first: time may be over before all had their turn"""
        groups = [group for group in self.groups if any(self.rows[task].doubtful() for task in group)]
        return sorted(groups, key=lambda group: min(self.rows[task].alone.count(True) for task in group))

    def round(self, number, groups):
        for group in groups:
            self.exclusive.take()
            self.measure(number, {task: self.system_of(task) for task in group})

    def measure(self, number, systems):
        """systems: {task: what measures it}, of one group"""
        for task, system in systems.items():
            self.rows[task].mode = getattr(system, "mode", "") or ""
        found, failures = turns.measure(self.lab, {system: task.point for task, system in systems.items()}, self.core)
        for task, system in systems.items():
            name = f"  {task.point.name():34} {task.system:10}"
            if system in failures:
                self.rows[task].failure = failures[system]
                print(f"{name} FAILED {failures[system]}", file=sys.stderr, flush=True)
                continue
            self.rows[task].add(found[system], number)
            print(f"{name} {found[system].sample.cycles():8.1f} cycles/packet{notes(found[system])}", flush=True)

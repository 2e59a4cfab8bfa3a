# SPDX-License-Identifier: BSD-3-Clause
"""Runs a plan in interleaved rounds (A B C, A B C, ...), and keeps every sample with the time the hypervisor stole."""
import itertools
import resource
import statistics
import subprocess
import sys
import time
from collections import namedtuple

from quiet import AT_ONCE_SECONDS
from systems import CORE, Failed

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


def cpu_ticks():
    """(stolen, all) of the core that forwards"""
    with open("/proc/stat") as f:
        fields = next(line.split()[1:] for line in f if line.startswith(f"cpu{CORE} "))
    ticks = [int(x) for x in fields[:8]]
    return ticks[7], sum(ticks)


def preemptions():
    """how often what we ran had to leave its core for something else"""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_nivcsw


class Row:
    """all samples of one system at one point"""

    def __init__(self, task, mode=""):
        self.task, self.mode = task, mode
        self.cycles, self.means, self.steal, self.preempted, self.command, self.failure = [], [], [], [], "", ""
        self.stages = []
        self.alone = []  # whether the core was our own in each sample

    def add(self, found):
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


class Look:
    """a measurement, and what was with the core in the meantime"""

    def __init__(self, lab, system, point, core):
        core.wait()
        (stolen, ticks), preempted, began = cpu_ticks(), preemptions(), time.monotonic()
        self.sample = system.measure(lab, point)
        now_stolen, now_ticks = cpu_ticks()
        self.steal = 100.0 * (now_stolen - stolen) / max(now_ticks - ticks, 1)
        self.preempted = preemptions() - preempted
        self.alone = core.counts(time.monotonic() - began)

    def notes(self):
        return ((f", {self.steal:.1f} % stolen" if self.steal >= 0.5 else "") +
                (f", {self.preempted} times preempted" if self.preempted >= PREEMPTED_MANY else "") +
                ("" if self.alone else ", disturbed"))


def look(lab, system, point, core):
    """(the first Look whose core was our own, how many it took), as long as there is patience"""
    began = time.monotonic()
    for number in itertools.count(1):
        found = Look(lab, system, point, core)
        if found.alone or core.patience <= 0 or time.monotonic() - began > AT_ONCE_SECONDS:
            return found, number


def measure(lab, system, row, core):
    name = f"  {row.task.point.name():34} {system.name:10}"
    try:
        found, number = look(lab, system, row.task.point, core)
    except Failed as e:
        row.failure = str(e)
        print(f"{name} FAILED {e}", file=sys.stderr, flush=True)
        return
    row.add(found)
    again = f", measured {number} times" if number > 1 else ""
    print(f"{name} {row.cycles[-1]:8.1f} cycles/packet{again}{found.notes()}", flush=True)


def run(lab, tasks, system_of, rounds, exclusive, core):
    """{task: Row}. system_of(task) is what measures it."""
    rows = {task: Row(task) for task in tasks}
    try:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for task in tasks:
                exclusive.take()
                system = system_of(task)
                rows[task].mode = getattr(system, "mode", "") or ""
                measure(lab, system, rows[task], core)
    finally:
        exclusive.release()
    return rows

# SPDX-License-Identifier: BSD-3-Clause
"""Runs a plan in interleaved rounds (A B C, A B C, ...), and keeps every sample with the time the hypervisor stole."""
import resource
import statistics
import subprocess
import sys
import time
from collections import namedtuple

from quiet import Core
from systems import CORE, Failed

Task = namedtuple("Task", "point system")  # system: its name

PREEMPTED_MANY = 100  # in one measurement: something else runs on its core
SLICE_SECONDS = 40  # of one turn of an exclusive machine


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
        self.disturbed = 0  # samples whose core was not our own

    def add(self, sample, steal, preempted, disturbed):
        self.cycles.append(sample.cycles())
        self.means.append(sample.mean())
        self.steal.append(steal)
        self.preempted.append(preempted)
        self.disturbed += disturbed
        self.command = sample.command
        self.stages += [sample.stages] if sample.stages else []

    def stage_medians(self):
        """{stage: cycles a packet}"""
        return {name: statistics.median(s[name] for s in self.stages) for name in self.stages[0]} if self.stages else {}

    def median(self):
        return statistics.median(self.cycles) if self.cycles else None

    def mean(self):
        """with what other guests of the host have taken"""
        return statistics.median(self.means) if self.means else None

    def spread(self):
        """half of the samples lie within this part of the median"""
        if len(self.cycles) < 4:
            return None
        low, _, high = statistics.quantiles(self.cycles, n=4)
        return (high - low) / self.median()


def measure(lab, system, row, core):
    name, again = f"  {row.task.point.name():34} {system.name:10}", 0
    while True:
        core.wait()
        (stolen, ticks), preempted, began = cpu_ticks(), preemptions(), time.monotonic()
        try:
            sample = system.measure(lab, row.task.point)
        except Failed as e:
            row.failure = str(e)
            print(f"{name} FAILED {e}", file=sys.stderr, flush=True)
            return
        now_stolen, now_ticks = cpu_ticks()
        alone = core.counts(time.monotonic() - began)
        if alone or core.patience <= 0:
            break
        again += 1
    row.add(sample, 100.0 * (now_stolen - stolen) / max(now_ticks - ticks, 1), preemptions() - preempted, not alone)
    print(f"{name} {row.cycles[-1]:8.1f} cycles/packet"
          f"{f', {row.steal[-1]:.1f} % stolen' if row.steal[-1] >= 0.5 else ''}"
          f"{f', {row.preempted[-1]} times preempted' if row.preempted[-1] >= PREEMPTED_MANY else ''}"
          f"{f', measured {again + 1} times' if again else ''}{'' if alone else ', disturbed'}", flush=True)


def run(lab, tasks, system_of, rounds, exclusive):
    """{task: Row}. system_of(task) is what measures it."""
    rows = {task: Row(task) for task in tasks}
    core = Core(lab)
    try:
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", flush=True)
            for task in tasks:
                exclusive.take()
                system = system_of(task)
                rows[task].mode = getattr(system, "mode", "") or ""
                measure(lab, system, rows[task], core)
    finally:
        core.end()
        exclusive.release()
    return rows

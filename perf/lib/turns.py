# SPDX-License-Identifier: BSD-3-Clause
"""The systems of a group by turns on one core: all of them run, but each is stopped while it is not its turn. So what a
neighbour on the host does to one of them it does to the others, too, and of windows in which the core was our own
(quiet.py) all have some, however short its visits and absences are.
"""
import os
import signal
import time
from collections import namedtuple

from systems import CORE, START_SECONDS, WINDOW_SECONDS, Crypto, Failed, Sample, stop, tail
from telemetry import TROUBLE, Telemetry

WARM_SECONDS = 0.015  # of each turn, in front of its window
OWN_LEAST = 5  # windows of a sample
AT_ONCE_SECONDS = 30  # of patience, for one group

# preempted: how often its threads had to leave their core; alone: whether the core was our own in all windows that count
Found = namedtuple("Found", "sample steal preempted alone")


def cpu_ticks():
    """(stolen, all) of the core that forwards"""
    with open("/proc/stat") as f:
        fields = next(line.split()[1:] for line in f if line.startswith(f"cpu{CORE} "))
    ticks = [int(x) for x in fields[:8]]
    return ticks[7], sum(ticks)


def preemptions(pid):
    count = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as f:
            count += sum(int(line.split()[1]) for line in f if line.startswith("nonvoluntary_ctxt_switches"))
    return count


class Player:
    """A system at a point, between its turns. What goes wrong is Failed."""

    def __init__(self, lab, system, point):
        self.lab, self.system, self.point = lab, system, point
        self.windows = []  # (cycles a packet, whether the core was our own)
        self.stolen = self.ticks = 0

    def turn(self):
        """a window: cycles a packet, or None"""
        stolen, ticks = cpu_ticks()
        cycles = self.window()
        now_stolen, now_ticks = cpu_ticks()
        self.stolen += now_stolen - stolen
        self.ticks += now_ticks - ticks
        return cycles

    def own(self):
        return [cycles for cycles, own in self.windows if own]

    def alone(self):
        """it has enough windows in which the core was our own"""
        own = self.own()
        return len(own) >= OWN_LEAST or len(own) == len(self.windows)

    def found(self, alone):
        """alone: of the windows in which the core was our own; else of all"""
        if not self.windows:
            raise Failed("nothing is forwarded")
        try:
            preempted, stages = preemptions(self.system.process.pid), self.system.stages(self.lab)
        except TROUBLE as e:
            raise Failed(f"it has ended ({type(e).__name__} {e})") from e
        sample = Sample(self.own() if alone else [cycles for cycles, _ in self.windows],
                        " ".join(self.system.command(self.lab, self.point)), stages, alone)
        return Found(sample, 100.0 * self.stolen / max(self.ticks, 1), preempted, alone)

    def end(self):
        stop(self.system.process)


class Asked(Player):
    """one that does nothing between its turns"""

    def __init__(self, lab, system, point):
        super().__init__(lab, system, point)
        system.begin(lab, point)

    def window(self):
        return self.system.ask()


class Forwarder(Player):
    """one that always forwards, and is stopped between its turns"""

    def __init__(self, lab, system, point):
        super().__init__(lab, system, point)
        self.telemetry = Telemetry(system.prefix)
        try:
            system.begin(lab, point)
            self.sink = self.connect()
            self.sign(signal.SIGSTOP)
        except BaseException:
            self.end()
            raise

    def connect(self):
        """its sink, once packets have come there"""
        end = time.monotonic() + START_SECONDS
        while self.system.process.poll() is None and time.monotonic() < end:
            try:
                if not self.telemetry.socket:
                    self.telemetry.open()
                sink = self.telemetry.port("net_null")
                if self.telemetry.sent(sink)[1]:
                    return sink
            except TROUBLE:
                self.telemetry.close()
            time.sleep(0.05)
        raise Failed(f"nothing is forwarded: {tail(self.system.log)}")

    def sign(self, number):
        """OSError: it has gone"""
        os.killpg(self.system.process.pid, number)

    def window(self):
        try:
            self.sign(signal.SIGCONT)
            time.sleep(WARM_SECONDS)
            t0, n0 = self.telemetry.sent(self.sink)
            time.sleep(WINDOW_SECONDS)
            t1, n1 = self.telemetry.sent(self.sink)
            self.sign(signal.SIGSTOP)
        except TROUBLE as e:
            raise Failed(f"its counters cannot be read ({type(e).__name__} {e}): {tail(self.system.log)}") from e
        return self.system.hz * (t1 - t0) / (n1 - n0) if n1 > n0 else None

    def found(self, alone):
        self.sign(signal.SIGCONT)  # it is asked for its stages, while the others are stopped
        try:
            return super().found(alone)
        finally:
            self.sign(signal.SIGSTOP)

    def end(self):
        self.telemetry.close()
        if self.system.process:
            super().end()


class Turns:
    """of the systems that have started. failures: {system: what is wrong with it}"""

    def __init__(self, lab, points):
        self.players, self.failures = [], {}
        for number, (system, point) in enumerate(points.items()):
            kind = Asked if isinstance(system, Crypto) else Forwarder
            self.attempt(system, lambda n=number, s=system, p=point, k=kind: self.players.append(k(lab.room(n), s, p)))

    def attempt(self, system, action):
        try:
            return action()
        except (Failed, OSError) as e:
            self.failures[system] = str(e)
            return None

    def cycle(self, core):
        """a window of each"""
        before = core.own()
        for player in list(self.players):
            cycles = self.attempt(player.system, player.turn)
            if player.system in self.failures:
                player.end()
                self.players.remove(player)
                continue
            after = core.own()
            if cycles is not None:
                player.windows.append((cycles, before and after))
            before = after

    def play(self, core, windows):
        """so many windows of each; as long as there is patience, so many in which the core was our own"""
        for _ in range(windows):
            self.cycle(core)
        began = time.monotonic()
        end = began + min(core.patience, AT_ONCE_SECONDS)
        while time.monotonic() < end and any(len(p.own()) < windows for p in self.players):
            self.cycle(core)
        core.patience -= time.monotonic() - began

    def found(self):
        """by one rule for all, or a ratio would have the neighbour on one side only"""
        alone = all(p.alone() for p in self.players)
        return {p.system: f for p in self.players if (f := self.attempt(p.system, lambda p=p: p.found(alone)))}

    def end(self):
        for player in self.players:
            player.end()


def measure(lab, points, core):
    """points: {system: where it is measured}. ({system: Found}, {system: what is wrong with it})"""
    turns = Turns(lab, points)
    try:
        turns.play(core, max(1, round(lab.seconds / WINDOW_SECONDS)))
        return turns.found(), turns.failures
    finally:
        turns.end()

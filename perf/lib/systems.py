# SPDX-License-Identifier: BSD-3-Clause
"""What every system that is measured shares: the Point, the Lab, the core and memory, starting and ending processes;
and the programs of perf/bench. sallyport.py and secgw.py are the two gateways, turns.py reads them all.

A system runs for one round only: its memory lies elsewhere each time, so that the luck of one layout does not decide.
"""
import contextlib
import itertools
import json
import os
import signal
import statistics
import subprocess
import time
from dataclasses import dataclass, replace

import captures

CORE = 1  # of the one that forwards; the control core is 0
START_SECONDS = 60
STOP_SECONDS = 20
FOREVER_SECONDS = 86400  # of a program that measures itself, and is ended
SETTLE_SECONDS = 0.3
MBUFS = 16384  # beside those that hold the capture
WINDOW_SECONDS = 0.04  # as LAB_WINDOW_MS of perf/bench/lab.h


class Failed(Exception):
    """a system that does not run or does not forward"""


@dataclass(frozen=True)
class Point:
    direction: str = "encap"
    size: str = "64"
    algorithm: str = "aes128gcm16"
    sas: int = 1
    policies: int = 1
    routes: int = 1
    packets: int = captures.LEAST

    def name(self):
        base, words = Point(), [self.direction, self.size]
        if self.algorithm != base.algorithm:
            words.append(self.algorithm)
        for field in ("sas", "policies", "routes", "packets"):
            value = getattr(self, field)
            if value != getattr(base, field):
                words.append(f"{field}={value}")
        return " ".join(words)

    def base(self):
        """the same packets through one SA and without tables: what marks of many SAs and of tables compare this one with"""
        return replace(self, sas=1, policies=1, routes=1)


@dataclass(frozen=True)
class Sample:
    """one measurement: cycles a packet in each of its windows"""
    windows: list
    command: str
    stages: dict | None = None  # cycles a packet, where the system itself tells
    alone: bool = True  # the core was our own in all windows

    def cycles(self):
        """The median: a neighbour that comes for a moment does not count, and neither does what a system itself does in
        fewer than half of the windows, which the mean has. Beside a neighbour who comes and goes the mean: medians of half of
        the windows with him and half without would fall to one side or the other"""
        return statistics.median(self.windows) if self.alone else self.mean()

    def mean(self):
        return statistics.mean(self.windows)


@dataclass(frozen=True)
class Lab:
    """where things are and how long each is looked at"""
    work: str
    captures: str
    bench: str  # programs of perf/bench
    sallyportd: str
    sallyctl: str
    secgw: str
    seconds: float

    def room(self, number):
        """the same with a folder of its own, for one of several that run at once"""
        work = os.path.join(self.work, str(number))
        os.makedirs(work, exist_ok=True)
        return replace(self, work=work)

    def capture(self, point):
        return captures.capture(self.captures, point)

    def source(self, device, point):
        return f"net_pcap{device},rx_pcap={self.capture(point)},infinite_rx=1"

    def sink(self, device):
        return f"net_null{device},no-rx=1"


class SampleLab(Lab):
    """every packet of the capture once, and what comes out kept"""

    def output(self):
        return os.path.join(self.work, "sample.pcap")

    def source(self, device, point):
        # in decap the gateways' other port, where the output is written, comes first
        path = captures.capture(self.captures, point, int(point.direction == "decap"))
        return f"net_pcap{device},rx_pcap={path}"

    def sink(self, device):
        return f"net_pcap{device},tx_pcap={self.output()}"


PREFIX = f"perf{os.getpid()}-"  # of EAL's runtime files
numbers = itertools.count()


def prefix_of(name):
    """of one process: several of a name may run at once"""
    return f"{PREFIX}{name}{next(numbers)}"


def eal(cores=str(CORE), prefix=PREFIX, telemetry=False):
    """the same core and memory for all"""
    words = ["-l", cores, "--no-pci", "--in-memory", "--file-prefix", prefix]
    return words if telemetry else [*words, "--no-telemetry"]


# ---- processes ----

running = set()


def start(command, log, stdin=subprocess.DEVNULL):
    """Its own session: Ctrl-C reaches the harness first, which ends what it has started. Should the harness be killed,
    the kernel does so."""
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdout=log, stderr=subprocess.STDOUT,
                               stdin=stdin, start_new_session=True, text=True)
    running.add(process)
    return process


def ask_to_end(process):
    """One that asks for lines ends when there are no more. Not SIGINT: what a shell has started with & ignores it, and all
    that such a program starts and that does not ask for it."""
    if process.stdin:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    else:
        process.send_signal(signal.SIGTERM)


def stop(process):
    if process.poll() is None:
        ask_to_end(process)
        process.send_signal(signal.SIGCONT)  # it may be between two turns
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    running.discard(process)


def stop_all():
    for process in list(running):
        stop(process)


def run(command, seconds):
    """(exit code, output) of a program that ends by itself"""
    process = start(command, subprocess.PIPE)
    try:
        output, _ = process.communicate(timeout=seconds)
    finally:
        stop(process)
    return process.returncode, output


def forget(path):
    """a socket that a killed process left"""
    if os.path.exists(path):
        os.unlink(path)


def tail(path, lines=3):
    with open(path, errors="replace") as f:
        return " | ".join(line.strip() for line in f.readlines()[-lines:])


# ---- programs of perf/bench ----


def run_bench(lab, name, command):
    """one line of JSON says what was measured"""
    code, output = run(command, START_SECONDS + lab.seconds)
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if code or not lines:
        raise Failed(f"{name}: code {code}: {output.strip()[-200:]}")
    return json.loads(lines[-1])


class Loop:
    """perf/bench/esp_loop: source alone, or the bare loop in the direction of the point"""

    def __init__(self, name, hz=0.0, alone=False):
        self.name, self.hz, self.alone = name, hz, alone
        self.prefix = prefix_of(name)
        self.log = self.process = None

    def command(self, lab, point, seconds=FOREVER_SECONDS):
        mode = "source" if self.alone else point.direction
        return [os.path.join(lab.bench, "esp_loop"), *eal(prefix=self.prefix, telemetry=True), "--log-level", "error", "--vdev",
                lab.source(0, point), "--vdev", lab.sink(1), "--", mode, str(point.sas), str(MBUFS + point.packets), str(seconds)]

    def begin(self, lab, point):
        self.log = os.path.join(lab.work, f"{self.name}.log")
        with open(self.log, "w") as f:
            self.process = start(self.command(lab, point), f)

    def stages(self, _lab):
        return None

    def run(self, lab, point):
        return run_bench(lab, self.name, self.command(lab, point, lab.seconds))

    def pass_through(self, lab, point):
        """a capture that does not repeat: its packets pass in the first moments"""
        self.run(lab, point)


class Crypto:
    """perf/bench/crypto_alone: ipsec-mb without a packet around it; opening costs it the same. It sleeps until it is asked"""

    def __init__(self, mode, name="crypto"):
        self.mode, self.name = mode, name
        self.prefix = prefix_of(name)
        self.process = None

    def command(self, lab, point):
        return [os.path.join(lab.bench, "crypto_alone"), *eal(prefix=self.prefix), "--log-level", "error", "--", point.algorithm,
                self.mode, point.size, "0"]

    def begin(self, lab, point):
        self.process = start(self.command(lab, point), subprocess.PIPE, subprocess.PIPE)

    def ask(self):
        """cycles a packet in a window that begins now"""
        said = []
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            for line in self.process.stdout:
                if line.startswith("["):  # EAL has its say on the same stream
                    packets, cycles = json.loads(line)
                    return cycles / packets
                said.append(line.strip())
        except BrokenPipeError:
            pass
        raise Failed(f"{self.name} has ended: {' | '.join(said)}")

    def stages(self, _lab):
        return None

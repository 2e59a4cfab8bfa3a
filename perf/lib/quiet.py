# SPDX-License-Identifier: BSD-3-Clause
"""Whether the core that forwards is our own. On a shared host another guest may be on the other hardware thread of it for
seconds, and then everything takes half as long again, which no counter of this machine shows. A program that seals the
same packets over and over knows: a measurement begins when that is about as fast as it can be, and counts when it still
is afterwards. A run has patience for so long, then it takes what comes.
"""
import json
import os
import statistics
import subprocess
import time

from systems import Failed, eal, start, stop

SLACK = 1.1  # over the least that was seen: the clock wanders by some percent
FIRST_LOOKS = 25
LOOKS = 3
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 600  # of a run: of waiting and of measurements that did not count


class Core:
    def __init__(self, lab):
        command = [os.path.join(lab.bench, "crypto_alone"), *eal(prefix="reference"), "--no-telemetry",
                   "--log-level", "error", "--", "aes128gcm16", "direct", "64", "0"]
        self.process = start(command, subprocess.PIPE, subprocess.PIPE)
        self.least = min(self.cycles() for _ in range(FIRST_LOOKS))
        self.patience = PATIENCE_SECONDS

    def cycles(self):
        """of a packet, now"""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("["):  # EAL has its say on the same stream
                packets, cycles = json.loads(line)
                return cycles / packets
        raise Failed("the reference has ended")

    def alone(self):
        looks = [self.cycles() for _ in range(LOOKS)]
        self.least = min(self.least, *looks)
        return statistics.median(looks) <= SLACK * self.least

    def wait(self):
        """until it is our own"""
        start = time.monotonic()
        while self.patience > 0 and not self.alone():
            time.sleep(PAUSE_SECONDS)
        self.patience -= time.monotonic() - start

    def counts(self, seconds):
        """what was measured just now, in so many seconds; False: once more"""
        alone = self.alone()
        if not alone:
            self.patience -= seconds
        return alone

    def end(self):
        stop(self.process)

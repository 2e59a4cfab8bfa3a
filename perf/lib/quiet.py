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

from systems import eal, start

PREFIX_MORE = "reference"  # of its EAL's runtime files, behind that of the others

SLACK = 1.1  # over the least that was seen: the clock wanders by some percent
FIRST_LOOKS = 25
LOOKS = 3
PAUSE_SECONDS = 0.1
AT_ONCE_SECONDS = 20  # of waiting, or of repeating one measurement: the rest of the run needs patience, too


class Core:
    """its program waits for questions, asleep, until the harness ends. patience: seconds of waiting and of measurements that
    did not count"""

    def __init__(self, lab):
        command = [os.path.join(lab.bench, "crypto_alone"), *eal(prefix=PREFIX_MORE), "--log-level", "error", "--",
                   "aes128gcm16", "direct", "64", "0"]
        self.process = start(command, subprocess.PIPE, subprocess.PIPE)
        self.least = min(self.cycles() for _ in range(FIRST_LOOKS))
        self.patience = 0

    def cycles(self):
        """of a packet, now; without the program no measurement says anything, and the run ends"""
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
        raise RuntimeError(f"the program that knows whether the core is our own has ended: {' | '.join(said)}")

    def alone(self):
        looks = [self.cycles() for _ in range(LOOKS)]
        self.least = min(self.least, *looks)
        return statistics.median(looks) <= SLACK * self.least

    def wait(self):
        """until it is our own, or for as long as patience goes at once"""
        began = time.monotonic()
        end = began + min(self.patience, AT_ONCE_SECONDS)
        if self.patience <= 0 or self.alone():
            return
        while time.monotonic() < end and not self.alone():
            time.sleep(PAUSE_SECONDS)
        self.patience -= time.monotonic() - began

    def counts(self, seconds):
        """what was measured just now, in so many seconds; False: once more"""
        alone = self.alone()
        if not alone:
            self.patience -= seconds
        return alone

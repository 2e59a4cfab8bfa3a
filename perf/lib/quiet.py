# SPDX-License-Identifier: BSD-3-Clause
"""Whether the core that forwards is our own. On a shared host another guest may be on the other hardware thread of it for
seconds, and then everything takes half as long again, which no counter of this machine shows. A program that seals the
same packets over and over knows: what was measured between two moments in which that is about as fast as it can be
counts. A run has patience for so long, then it takes what comes.
"""
from systems import Crypto, Point

SLACK = 1.1  # over the least that was seen: the clock wanders by some percent
FIRST_LOOKS = 25


class Core:
    """its program waits for questions until the harness ends; without it no measurement says anything, and the run ends.
    patience: seconds of turns beyond those that a measurement has in any case"""

    def __init__(self, lab):
        self.program = Crypto("direct", "reference")
        self.program.begin(lab, Point())
        self.least = min(self.program.ask() for _ in range(FIRST_LOOKS))
        self.patience = 0

    def own(self):
        now = self.program.ask()
        self.least = min(self.least, now)
        return now <= SLACK * self.least

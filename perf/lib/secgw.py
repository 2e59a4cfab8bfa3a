# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's sample gateway ipsec-secgw: its modes, its configuration for a Point, and its rate by the counters of its ports."""
import os
import re
import time

import captures
from algorithms import ALGORITHMS, material
from sallyport import sa_rows
from systems import CORE, MBUFS, START_SECONDS, Failed, eal, prefix_of, start, stop, tail

SCREEN_SECONDS = 1
IDLE_SCREENS = 4
# options, crypto device, further words of an SA, only with AES-GCM
MODES = {
    "lib gcm": (["-l"], "crypto_aesni_gcm0", "", True),
    "gcm": ([], "crypto_aesni_gcm0", "", True),
    "lib gcm cpu-crypto": (["-l"], "crypto_aesni_gcm0", " type cpu-crypto", True),
    "lib mb": (["-l"], "crypto_aesni_mb0", "", False),
    "mb": ([], "crypto_aesni_mb0", "", False),
}

# port 0 is the unprotected one; an SA of the other direction has to be there too
RULES = {
    "encap": """\
sp ipv4 out esp protect {spi} pri 1 dst {inner} sport 0:65535 dport 0:65535
sa out {spi} {keys} mode ipv4-tunnel src 192.0.2.1 dst {outer}{kind}
""",
    "decap": """\
sp ipv4 in esp protect {spi} pri 1 src {inner} sport 0:65535 dport 0:65535
sa in {spi} {keys} mode ipv4-tunnel src {outer} dst 192.0.2.1{kind}
""",
}
OTHER = {
    "encap": """\
sp ipv4 in esp protect 105 pri 1 dst 192.168.105.0/24 sport 0:65535 dport 0:65535
sa in 105 {keys} mode ipv4-tunnel src 172.16.2.5 dst 172.16.1.5
""",
    "decap": """\
sp ipv4 out esp protect 105 pri 1 dst 192.168.105.0/24 sport 0:65535 dport 0:65535
sa out 105 {keys} mode ipv4-tunnel src 172.16.2.5 dst 172.16.1.5
""",
}
ROUTES = """\
rt ipv4 dst 198.18.0.0/15 port 0
rt ipv4 dst 10.1.0.0/16 port 1
neigh port 0 02:00:00:00:00:02
neigh port 1 02:00:00:00:00:05
"""


def modes_for(point):
    gcm = ALGORITHMS[point.algorithm].gcm
    return [mode for mode, (_, _, _, gcm_only) in MODES.items() if gcm or not gcm_only]


def keys(point, n):
    m = material(point.algorithm, n)
    return ALGORITHMS[point.algorithm].secgw.format(encr=m.encr.hex(":"), integ=m.integ.hex(":"))


def write_config(path, point, kind):
    with open(path, "w") as f:
        for n, inner in sa_rows(point):
            f.write(RULES[point.direction].format(spi=captures.spi(n), inner=inner, outer=captures.outer_remote(n),
                                                  kind=kind, keys=keys(point, n)))
        f.write(OTHER[point.direction].format(keys=keys(point, 0)))
        f.write(ROUTES)


class Secgw:
    name = "secgw"

    def __init__(self, hz, mode):
        self.hz, self.mode = hz, mode
        self.prefix = prefix_of(self.name)
        self.log = self.process = None

    def command(self, lab, point):
        options, device, _, _ = MODES[self.mode]
        ports = lab.source(0, point), lab.sink(1)
        if point.direction == "encap":
            ports = ports[::-1]
        return [lab.secgw, *eal(prefix=self.prefix, telemetry=True), "--vdev", ports[0], "--vdev", ports[1],
                "--vdev", device, "--", "-p", "0x3", "-P", "-u", "0x1", "--config", f"(0,0,{CORE}),(1,0,{CORE})", "-s", str(MBUFS + point.packets), "-f",
                self.path(lab, "cfg"), "-t", str(SCREEN_SECONDS), *options]

    def path(self, lab, kind):
        return os.path.join(lab.work, f"{self.name}.{kind}")

    def start(self, lab, point):
        write_config(self.path(lab, "cfg"), point, MODES[self.mode][2])
        self.log = self.path(lab, "log")
        with open(self.log, "w") as f:
            self.process = start(["stdbuf", "-oL", *self.command(lab, point)], f)

    def screens(self):
        """packets sent so far, one figure for each screen"""
        with open(self.log, errors="replace") as f:
            return [int(n) for n in re.findall(r"Total packets sent:\s+(\d+)", f.read())]

    def wait(self, enough):
        """the screens that have packets, when they are enough"""
        end = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < end:
            screens = self.screens()
            busy = [n for n in screens if n]
            if enough(busy):
                return
            if len(screens) - len(busy) > IDLE_SCREENS:
                raise Failed(f"ipsec-secgw ({self.mode}) forwards nothing")
            time.sleep(0.1)
        raise Failed(f"ipsec-secgw ({self.mode}): {tail(self.log)}")

    def begin(self, lab, point):
        self.start(lab, point)
        self.wait(lambda screens: screens)

    def stages(self, _lab):
        return None

    def pass_through(self, lab, point):
        try:
            self.start(lab, point)
            self.wait(lambda screens: screens and screens[-1] >= point.packets)
        finally:
            stop(self.process)

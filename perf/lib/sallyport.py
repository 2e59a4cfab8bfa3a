# SPDX-License-Identifier: BSD-3-Clause
"""sallyportd as it is installed: its configuration for a Point, and its rate by the counters of its ports."""
import json
import os
import subprocess
import time

import captures
from algorithms import material
from systems import CORE, MBUFS, START_SECONDS, Failed, prefix_of, start, stop, tail

STAGES_SECONDS = 0.3
UNUSED = 1 << 31  # number of an SA that no capture uses

CONFIG = """\
# SPDX-License-Identifier: BSD-3-Clause
system:
  eal_args: ["--no-pci", "--in-memory", "--lcores", "{lcores}"{more}]
  workers: {workers}
  idle: poll
  mbufs: {mbufs}
control: {{socket: {work}/gw.sock, log_level: warning}}
secrets_file: gw.secrets.yaml
interfaces:
  - {{name: lan, device: "{lan}", address: 10.1.0.1/24, mtu: 1500}}
  - {{name: wan, device: "{wan}", address: 192.0.2.1/24, mtu: 1600}}
neighbours:
  - {{interface: lan, address: 10.1.0.5, mac: "02:00:00:00:00:05"}}
  - {{interface: wan, address: 192.0.2.2, mac: "02:00:00:00:00:02"}}
routes:
  - {{prefix: 10.2.0.0/16, via: 192.0.2.2}}
  - {{prefix: 198.18.0.0/15, via: 192.0.2.2}}
"""

MANUAL_SA = """\
  - {{name: sa{n}, proposal: {algorithm}, local: 192.0.2.1, remote: {outer}, spi_in: {spi}, spi_out: {spi}, keys: sa{n},
     lab_keys: true, replay_window: 0, local_selectors: [10.1.0.0/24], remote_selectors: [{inner}]}}
"""


def sa_rows(point):
    """(number, its inner addresses) by address, while the packets come in an order of their own"""
    if point.sas == 1:
        return [(0, "10.2.0.0/16")]
    address = captures.permutation(point.packets)
    return sorted(((n, f"{captures.inner_remote(address[n])}/32") for n in range(point.sas)), key=lambda row: row[1])


def routes_yaml(count):
    """beside the two that count: others of a length nothing uses"""
    for n in range(count - 1):
        base = 0x14000000 + (n << 7)
        yield f"  - {{prefix: {base >> 24}.{base >> 16 & 255}.{base >> 8 & 255}.{base & 255}/25, via: 192.0.2.2}}\n"


def policies_yaml(point):
    """rules in front of those of the SAs, none of which the traffic matches"""
    if point.policies == 1:
        return
    yield "policies:\n"
    for n in range(point.policies - 1):
        yield (f"  - {{name: p{n}, action: discard, local_selectors: [10.1.0.0/24], "
               f"remote_selectors: [172.{16 + (n >> 16)}.{n >> 8 & 255}.{n & 255}/32]}}\n")
    for n in range(point.sas):
        yield f"  - {{name: q{n}, action: protect, target: sa{n}}}\n"


def key_words(way, keys):
    words = [f'encr_{way}: "0x{keys.encr.hex()}"']
    return words + ([f'integ_{way}: "0x{keys.integ.hex()}"'] if keys.integ else [])


def keys_yaml(point, n):
    """the direction without traffic needs another key: a nonce must not come twice"""
    used, other = ("out", "in") if point.direction == "encap" else ("in", "out")
    words = key_words(used, material(point.algorithm, n)) + key_words(other, material(point.algorithm, n | UNUSED))
    return f"  - {{name: sa{n}, {', '.join(words)}}}\n"


def write_config(lab, point, rows=None, workers=(CORE,), eal_args=()):
    """rows: the SAs, by default those of the point; workers: the CPU of each"""
    ends = lab.source(0, point), lab.sink(1)
    if point.direction == "decap":
        ends = ends[::-1]
    rows = rows or sa_rows(point)
    lcores = ",".join(f"{n}@{cpu}" for n, cpu in enumerate((1 - CORE, *workers)))
    with open(os.path.join(lab.work, "gw.yaml"), "w") as f:
        more = "".join(f', "{word}"' for word in eal_args)
        f.write(CONFIG.format(lcores=lcores, more=more, workers=len(workers), work=lab.work, lan=ends[0], wan=ends[1],
                              mbufs=MBUFS + point.packets))
        f.writelines(routes_yaml(point.routes))
        f.writelines(policies_yaml(point))
        f.write("manual_sas:\n")
        for n, inner in rows:
            f.write(MANUAL_SA.format(n=n, algorithm=point.algorithm, outer=captures.outer_remote(n),
                                     spi=captures.spi(n), inner=inner))
    path = os.path.join(lab.work, "gw.secrets.yaml")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write("manual_keys:\n")
        f.writelines(keys_yaml(point, n) for n, _ in rows)


class Sallyport:
    name = "sallyport"

    def __init__(self, hz):
        self.hz = hz
        self.prefix = prefix_of(self.name)
        self.log = self.process = None

    def command(self, lab, _point=None):
        return [lab.sallyportd, "--config", os.path.join(lab.work, "gw.yaml")]

    def ask(self, lab, *words):
        done = subprocess.run([lab.sallyctl, "--socket", os.path.join(lab.work, "gw.sock"), "--json", *words],
                              capture_output=True, text=True, timeout=10)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def sent(self, lab, point):
        """(time, packets that left through the sink)"""
        before = time.monotonic()
        ports = self.ask(lab, "show", "ports")["ports"]
        after = time.monotonic()
        out = "wan" if point.direction == "encap" else "lan"
        return (before + after) / 2, next(p["tx_packets"] for p in ports if p["name"] == out)

    def configure(self, lab, point):
        write_config(lab, point, eal_args=("--telemetry", "--file-prefix", self.prefix))

    def start(self, lab, point):
        self.configure(lab, point)
        self.log = os.path.join(lab.work, "sallyportd.log")
        with open(self.log, "w") as f:
            self.process = start(self.command(lab), f)
        end = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < end:
            if os.path.exists(os.path.join(lab.work, "gw.sock")) and self.ask(lab, "show", "version"):
                return
            time.sleep(0.05)
        raise Failed(f"sallyportd does not start: {tail(self.log)}")

    def begin(self, lab, point):
        self.start(lab, point)

    def measured(self, lab):
        """packets, and cycles of each stage, since the start"""
        told = self.ask(lab, "show", "workers")["workers"][0]["since_start"]["measured"]
        return told["packets"], {stage: cycles * told["packets"] for stage, cycles in told["cycles_per_packet"].items()}

    def stages(self, lab):
        """cycles a packet, of a while in which it is not stopped: that would be a burst's"""
        time.sleep(STAGES_SECONDS)
        packets, cycles = self.measured(lab)
        time.sleep(STAGES_SECONDS)
        more_packets, more_cycles = self.measured(lab)
        if more_packets == packets:
            return None
        return {stage: (more_cycles[stage] - cycles[stage]) / (more_packets - packets) for stage in cycles}

    def pass_through(self, lab, point):
        """until all of a capture that does not repeat has left"""
        end = time.monotonic() + START_SECONDS
        try:
            self.start(lab, point)
            while self.sent(lab, point)[1] < point.packets:
                if time.monotonic() > end:
                    raise Failed(f"sallyportd does not let all pass: {self.ask(lab, 'show', 'counters')['totals']['drops']}")
                time.sleep(0.05)
        finally:
            stop(self.process)

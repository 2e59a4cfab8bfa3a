# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: the source alone, the bare loop, sallyportd, ipsec-secgw. Each takes a Point and says packets a second.

All of them get the same captures, the same core, the same memory options. A system runs for one measurement only: its
memory lies elsewhere each time, so that the luck of one layout does not decide.
"""
import json
import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass, replace

import captures

CORE = 1  # of the one that forwards; the control core is 0
SOURCE = "net_pcap{port},rx_pcap={path},infinite_rx=1"
SINK = "net_null{port},no-rx=1"
START_SECONDS = 60
STOP_SECONDS = 20
UNUSED = 1 << 31  # number of an SA that no capture uses
MBUFS = 16384  # beside those that hold the capture


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
        for field in ("algorithm", "sas", "policies", "routes", "packets"):
            value = getattr(self, field)
            if value != getattr(base, field):
                words.append(f"{field}={value}")
        return " ".join(words)

    def floor(self):
        """the point of the bare loop that this one is compared with: it has neither policies nor routes"""
        return replace(self, policies=1, routes=1)


@dataclass(frozen=True)
class Sample:
    packets_per_second: float
    hz: float
    command: str

    def cycles(self):
        return self.hz / self.packets_per_second


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

    def capture(self, point):
        return captures.capture(self.captures, point.direction, point.size, point.sas, point.packets)


def stop(process):
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start(command, log):
    """its own session: Ctrl-C reaches the harness first, which ends what it has started"""
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                            start_new_session=True)


def tail(path, lines=3):
    with open(path, errors="replace") as f:
        return " | ".join(line.strip() for line in f.readlines()[-lines:])


# ---- programs of perf/bench that measure themselves ----


class Bench:
    def __init__(self, name, mode=None):
        self.name, self.own_mode = name, mode

    def command(self, lab, point):
        mode = self.own_mode or point.direction
        return [os.path.join(lab.bench, "esp_loop"), "-l", str(CORE), "--no-pci", "--in-memory", "--log-level", "error",
                "--vdev", SOURCE.format(port=0, path=lab.capture(point)), "--vdev", SINK.format(port=0), "--",
                mode, str(point.sas), str(MBUFS + point.packets), str(lab.seconds)]

    def measure(self, lab, point):
        command = self.command(lab, point)
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS + lab.seconds)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        if done.returncode or not lines:
            raise Failed(f"{self.name}: code {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}")
        said = json.loads(lines[-1])
        return Sample(said["packets"] * said["hz"] / said["cycles"], said["hz"], " ".join(command))


# ---- sallyportd, as installed ----

CONFIG = """\
system:
  eal_args: ["--no-pci", "--in-memory", "--lcores", "0@0,1@{core}"]
  workers: 1
  idle: poll
  mbufs: {mbufs}
control: {{socket: {work}/gw.sock}}
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
    """beside the two that count: /24 and /25 elsewhere"""
    for n in range(count - 1):
        base = 0x14000000 + (n // 2 << 8) + (n % 2 << 7)
        yield f"  - {{prefix: {base >> 24}.{base >> 16 & 255}.{base >> 8 & 255}.{base & 255}/25, via: 192.0.2.2}}\n"


def policies_yaml(count, sas):
    """rules in front of those of the SAs, none of which the traffic matches"""
    if count == 1:
        return
    yield "policies:\n"
    for n in range(count - 1):
        yield (f"  - {{name: p{n}, action: discard, local_selectors: [10.1.0.0/24], "
               f"remote_selectors: [172.{16 + (n >> 16)}.{n >> 8 & 255}.{n & 255}/32]}}\n")
    for n in range(sas):
        yield f"  - {{name: q{n}, action: protect, target: sa{n}}}\n"


def material(n):
    return f"0x{(captures.key(n) + captures.SALT).hex()}"


def keys_yaml(n, direction):
    """the direction without traffic needs another key: a nonce must not come twice"""
    used, other = ("out", "in") if direction == "encap" else ("in", "out")
    return f'  - {{name: sa{n}, encr_{used}: "{material(n)}", encr_{other}: "{material(n | UNUSED)}"}}\n'


def write_config(lab, point):
    source = SOURCE.format(port=0, path=lab.capture(point))
    ends = (source, SINK.format(port=0)) if point.direction == "encap" else (SINK.format(port=0), source)
    rows = sa_rows(point)
    with open(os.path.join(lab.work, "gw.yaml"), "w") as f:
        f.write(CONFIG.format(core=CORE, work=lab.work, lan=ends[0], wan=ends[1], mbufs=MBUFS + point.packets))
        f.writelines(routes_yaml(point.routes))
        f.writelines(policies_yaml(point.policies, point.sas))
        f.write("manual_sas:\n")
        for n, inner in rows:
            f.write(MANUAL_SA.format(n=n, algorithm=point.algorithm, outer=captures.outer_remote(n),
                                     spi=captures.spi(n), inner=inner))
    path = os.path.join(lab.work, "gw.secrets.yaml")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write("manual_keys:\n")
        for n, _ in rows:
            f.write(keys_yaml(n, point.direction))


class Sallyport:
    name = "sallyport"

    def __init__(self, hz):
        self.hz = hz

    def ask(self, lab, *words):
        done = subprocess.run([lab.sallyctl, "--socket", os.path.join(lab.work, "gw.sock"), "--json", *words],
                              capture_output=True, text=True, timeout=10)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def sent(self, lab, point):
        """(time, packets that left through the sink) by the counters of the port"""
        before = time.monotonic()
        ports = self.ask(lab, "show", "ports")["ports"]
        after = time.monotonic()
        out = "wan" if point.direction == "encap" else "lan"
        return (before + after) / 2, next(p["tx_packets"] for p in ports if p["name"] == out)

    def wait_ready(self, lab, process, log):
        end = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < end:
            if os.path.exists(os.path.join(lab.work, "gw.sock")) and self.ask(lab, "show", "version"):
                return
            time.sleep(0.05)
        raise Failed(f"sallyportd does not start: {tail(log)}")

    def measure(self, lab, point):
        write_config(lab, point)
        command = [lab.sallyportd, "--config", os.path.join(lab.work, "gw.yaml")]
        log = os.path.join(lab.work, "sallyportd.log")
        with open(log, "w") as f:
            process = start(command, f)
        try:
            self.wait_ready(lab, process, log)
            time.sleep(0.3)
            t0, n0 = self.sent(lab, point)
            time.sleep(lab.seconds)
            t1, n1 = self.sent(lab, point)
        finally:
            stop(process)
        if n1 == n0:
            raise Failed(f"sallyportd forwards nothing: {tail(log)}")
        return Sample((n1 - n0) / (t1 - t0), self.hz, " ".join(command))


# ---- ipsec-secgw ----

SECGW_MODES = {
    "lib gcm": (["-l"], "crypto_aesni_gcm0", ""),
    "gcm": ([], "crypto_aesni_gcm0", ""),
    "lib gcm cpu-crypto": (["-l"], "crypto_aesni_gcm0", " type cpu-crypto"),
    "lib mb": (["-l"], "crypto_aesni_mb0", ""),
    "mb": ([], "crypto_aesni_mb0", ""),
}
ENCAP_FIRST = """\
sp ipv4 out esp protect {spi} pri 1 dst {inner} sport 0:65535 dport 0:65535
sa out {spi} aead_algo aes-128-gcm aead_key {key} mode ipv4-tunnel src 192.0.2.1 dst {outer}{kind}
"""
DECAP_FIRST = """\
sp ipv4 in esp protect {spi} pri 1 src {inner} sport 0:65535 dport 0:65535
sa in {spi} aead_algo aes-128-gcm aead_key {key} mode ipv4-tunnel src {outer} dst 192.0.2.1{kind}
"""
# it wants an SA of the other direction too
OTHER = {
    "encap": """\
sp ipv4 in esp protect 105 pri 1 dst 192.168.105.0/24 sport 0:65535 dport 0:65535
sa in 105 aead_algo aes-128-gcm aead_key {key} mode ipv4-tunnel src 172.16.2.5 dst 172.16.1.5
""",
    "decap": """\
sp ipv4 out esp protect 105 pri 1 dst 192.168.105.0/24 sport 0:65535 dport 0:65535
sa out 105 aead_algo aes-128-gcm aead_key {key} mode ipv4-tunnel src 172.16.2.5 dst 172.16.1.5
""",
}
TAIL = """\
rt ipv4 dst 198.18.0.0/15 port 0
rt ipv4 dst 10.1.0.0/16 port 1
neigh port 0 02:00:00:00:00:02
neigh port 1 02:00:00:00:00:05
"""
SCREEN_SECONDS = 1


def write_secgw_config(lab, point, kind):
    rows = ENCAP_FIRST if point.direction == "encap" else DECAP_FIRST
    with open(os.path.join(lab.work, "secgw.cfg"), "w") as f:
        for n, inner in sa_rows(point):
            f.write(rows.format(spi=captures.spi(n), inner=inner, outer=captures.outer_remote(n), kind=kind,
                                key=(captures.key(n) + captures.SALT).hex(":")))
        f.write(OTHER[point.direction].format(key=(captures.key(0) + captures.SALT).hex(":")))
        f.write(TAIL)


class Secgw:
    name = "secgw"

    def __init__(self, hz, mode):
        self.hz, self.mode = hz, mode

    def command(self, lab, point):
        options, device, _ = SECGW_MODES[self.mode]
        source = SOURCE.format(port=0, path=lab.capture(point))
        # port 0 is the unprotected one, and ports count in the order of the devices
        ports = (SINK.format(port=0), source) if point.direction == "encap" else (source, SINK.format(port=0))
        return [lab.secgw, "-l", str(CORE), "--file-prefix", f"perf{os.getpid()}", "--no-pci", "--in-memory",
                "--no-telemetry", "--vdev", ports[0], "--vdev", ports[1], "--vdev", device, "--", "-p", "0x3", "-P",
                "-u", "0x1", "--config", f"(0,0,{CORE}),(1,0,{CORE})", "-s", str(MBUFS + point.packets), "-f",
                os.path.join(lab.work, "secgw.cfg"), "-t", str(SCREEN_SECONDS), *options]

    def screens(self, log):
        """packets sent, one figure for each screen"""
        with open(log, errors="replace") as f:
            return [int(n) for n in re.findall(r"Total packets sent:\s+(\d+)", f.read())]

    def measure(self, lab, point):
        write_secgw_config(lab, point, SECGW_MODES[self.mode][2])
        command, log = self.command(lab, point), os.path.join(lab.work, "secgw.log")
        with open(log, "w") as f:
            process = start(["stdbuf", "-oL", *command], f)
        end = time.monotonic() + START_SECONDS
        try:
            # screens with packets: the first may be of a part of its time only
            while process.poll() is None and time.monotonic() < end:
                sent = [n for n in self.screens(log) if n]
                if len(sent) >= 2 + lab.seconds / SCREEN_SECONDS:
                    break
                time.sleep(0.1)
            else:
                raise Failed(f"ipsec-secgw ({self.mode}): {tail(log)}")
        finally:
            stop(process)
        rate = (sent[-1] - sent[1]) / (SCREEN_SECONDS * (len(sent) - 2))
        return Sample(rate, self.hz, " ".join(command))

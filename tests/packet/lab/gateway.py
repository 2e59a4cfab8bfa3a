# SPDX-License-Identifier: BSD-3-Clause
"""A gateway in the namespace of a test: its configuration in a file, started, asked over its control socket, ended.

The network around it is fixed: a host behind the LAN port is the next hop to all local networks, a peer on the WAN is
the next hop to all remote addresses, both known by static neighbours: no ARP, no neighbour discovery is in the way.
"""
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from . import table

START_SECONDS, STOP_SECONDS = 60, 30
SANITIZER_WORDS = ("AddressSanitizer", "LeakSanitizer", "runtime error:")
TELLING_WORDS = ("ERROR:", "runtime error:", "not started", "gateway.yaml:", "secrets.yaml:")
LAN = {4: "198.18.0.1", 6: "fd01::1"}
LAN_HOST = {4: "198.18.0.2", 6: "fd01::2"}
WAN = {4: "192.0.2.1", 6: "2001:db8:0:1::1"}
PEER = {4: "192.0.2.2", 6: "2001:db8:0:1::2"}
PREFIX_BITS = {4: 24, 6: 64}
# behind the LAN host; behind the peer
ROUTES = {4: (("10.0.0.0/8", LAN_HOST[4]), ("100.64.0.0/10", PEER[4]), ("172.16.0.0/12", PEER[4])),
          6: (("fd00:a::/32", LAN_HOST[6]), ("fd00:b::/32", PEER[6]), ("2001:db8:f::/48", PEER[6]))}
ADDRESS_SETTING = {4: "address", 6: "address6"}


def interface_line(name, index, ends, families):
    own = ", ".join(f'{ADDRESS_SETTING[f]}: "{ends[f]}/{PREFIX_BITS[f]}"' for f in families)
    return f'  - {{name: {name}, device: "net_af_packet{index},iface={name}", {own}, mtu: 1500}}'


def network(namespace, families, work):
    """The configuration but for SAs."""
    def mac(port):
        return ":".join(f"{b:02x}" for b in namespace.macs[port + "p"])
    lines = ["system:", '  eal_args: ["--no-pci"]', "  workers: 1", "  idle: adaptive", "  allow_no_huge: true",
             "  mbufs: 8192", "  neighbours: {dad_probes: 0}", "control:", f"  socket: {work}/control.sock",
             "  log_level: warning", "secrets_file: secrets.yaml", "interfaces:", interface_line("lan", 0, LAN, families),
             interface_line("wan", 1, WAN, families), "routes:"]
    lines += [f'  - {{prefix: "{prefix}", via: "{via}"}}' for f in families for prefix, via in ROUTES[f]]
    lines.append("neighbours:")
    for port, hosts in (("lan", LAN_HOST), ("wan", PEER)):
        lines += [f'  - {{interface: {port}, address: "{hosts[f]}", mac: "{mac(port)}"}}' for f in families]
    return lines


class Gateway:
    """with Gateway(...) as gateway: a running one; leaving ends it and checks how it ended."""

    def __init__(self, namespace, work, program, lines, secrets):
        self.namespace, self.work, self.program = namespace, Path(work), program
        self.log = self.work / "gateway.log"
        self.process = None
        (self.work / "gateway.yaml").write_text("\n".join(lines) + "\n", encoding="ascii")
        with open(os.open(self.work / "secrets.yaml", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
                  encoding="ascii") as f:
            f.write("\n".join(secrets) + "\n")

    def __enter__(self):
        command = ["ip", "netns", "exec", self.namespace.name, self.program, "--config", self.work / "gateway.yaml"]
        with open(self.log, "wb") as log:
            # its own session: Ctrl-C reaches the test first
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        try:
            self.wait_ready()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise
        return self

    def __exit__(self, kind, *_):
        code = self.stop()
        # what went wrong before matters more
        if kind is None:
            assert code == 0, f"the gateway ended with code {code}: {self.last_words()}"
            found = [word for word in SANITIZER_WORDS if word in self.log_text()]
            assert not found, f"a sanitizer found something: {self.last_words()}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def last_words(self):
        """The sanitizer's own summary, the first fault of the configuration, or what the log ends with."""
        lines = self.log_text().strip().splitlines() or ["no log"]
        return next((line for word in TELLING_WORDS for line in lines if word in line), lines[-1])

    def wait_ready(self):
        end = time.monotonic() + START_SECONDS
        while self.ask("show", "version") is None:
            assert self.process.poll() is None, f"the gateway does not start: {self.last_words()}"
            assert time.monotonic() < end, f"the gateway is not ready after {START_SECONDS} s: {self.last_words()}"
            time.sleep(0.05)

    def ask(self, *words):
        """The answer to a command as a Python object, None when there is none."""
        program = table.build_dir() / "app/sallyctl/sallyctl"
        result = subprocess.run([program, "--socket", self.work / "control.sock", "--json", *words], timeout=30,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        return json.loads(result.stdout) if result.returncode == 0 else None

    def counters(self):
        return self.ask("show", "counters")

    def drops(self):
        """Drop reasons that were counted, with their numbers."""
        return {name: n for name, n in self.counters()["totals"]["drops"].items() if n}

    def free_buffers(self):
        return self.counters()["mbufs"]["free"]

    def all_buffers(self):
        return self.counters()["mbufs"]["size"]

    def wait_free_buffers(self, wanted, seconds=5):
        """Buffers may stay a moment with a port; true when they are all back."""
        end = time.monotonic() + seconds
        while self.free_buffers() != wanted:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

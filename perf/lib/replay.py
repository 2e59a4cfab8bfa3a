# SPDX-License-Identifier: BSD-3-Clause
"""What the replay window costs: sequence numbers have to rise, which those of a capture do not. One sallyportd seals what
comes from a capture; its port is the other end of the port of a second one, which opens it, and whose own clock says what
its stages take with windows of several sizes and with none."""
import os
import statistics
import time

import captures
from algorithms import material
from sallyport import UNUSED, Sallyport, key_words, write_config
from systems import CORE, MBUFS, SETTLE_SECONDS, Failed, Lab, Point, forget, stop

WINDOWS = (0, 128)
ROUNDS = 3
SECONDS = 1.2  # of which "last_second" of show workers lies
SIZES = ("64", "1420")
STAGES = ("prepare", "finish")  # where the window is asked, and moved

OPENER = """\
# SPDX-License-Identifier: BSD-3-Clause
system:
  eal_args: ["--no-pci", "--in-memory", "--lcores", "0@{control},1@{core}"]
  workers: 1
  idle: poll
  mbufs: {mbufs}
control: {{socket: {work}/gw.sock, log_level: warning}}
secrets_file: gw.secrets.yaml
interfaces:
  - {{name: lan, device: "net_null0,no-rx=1", address: 10.3.0.1/24, mtu: 1500}}
  - {{name: wan, device: "net_vhost0,iface={socket}", address: 198.18.0.1/24, mtu: 1600}}
neighbours:
  - {{interface: lan, address: 10.3.0.2, mac: "02:00:00:00:00:05"}}
  - {{interface: wan, address: 198.18.0.2, mac: "02:00:00:00:00:02"}}
routes:
  - {{prefix: 10.2.0.0/16, via: 10.3.0.2}}
  - {{prefix: 192.0.2.0/24, via: 198.18.0.2}}
manual_sas:
  - {{name: sa0, proposal: {algorithm}, local: 198.18.0.1, remote: 192.0.2.1, spi_in: {spi}, spi_out: {spi}, keys: sa0,
     lab_keys: true, replay_window: {window}, local_selectors: [10.2.0.0/16], remote_selectors: [10.1.0.0/24]}}
"""


class SealerLab(Lab):
    def sink(self, device):
        return f"net_virtio_user{device},path={socket_of(self)},queue_size=256"


def socket_of(lab):
    """the same for both: of the folder above theirs"""
    return os.path.join(os.path.dirname(lab.work), "replay.vhost")


class Opener(Sallyport):
    def __init__(self, hz, window):
        super().__init__(hz)
        self.window = window

    def configure(self, lab, point):
        with open(os.path.join(lab.work, "gw.yaml"), "w") as f:
            f.write(OPENER.format(control=1 - CORE, core=CORE, work=lab.work, mbufs=MBUFS, socket=socket_of(lab),
                                  algorithm=point.algorithm, spi=captures.spi(0), window=self.window))
        words = key_words("in", material(point.algorithm, 0)) + key_words("out", material(point.algorithm, UNUSED))
        with open(os.open(os.path.join(lab.work, "gw.secrets.yaml"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(f"manual_keys:\n  - {{name: sa0, {', '.join(words)}}}\n")


class Sealer(Sallyport):
    """beside control, to the port with that MAC"""

    def __init__(self, hz, mac):
        super().__init__(hz)
        self.mac = mac

    def configure(self, lab, point):
        write_config(lab, point, workers=(1 - CORE,))
        path = os.path.join(lab.work, "gw.yaml")
        with open(path) as f:
            text = f.read()
        # memory that the other process can map in one piece
        text = text.replace('"--in-memory"', '"--in-memory", "--single-file-segments"').replace("02:00:00:00:00:02", self.mac)
        with open(path, "w") as f:
            f.write(text)


def folder(lab, kind, name):
    path = os.path.join(lab.work, name)
    os.makedirs(path, exist_ok=True)
    return kind(**{**vars(lab), "work": path})


def look(lab, hz, size, window):
    """cycles a packet of the opener, by stage"""
    sealing, opening = folder(lab, SealerLab, "sealer"), folder(lab, Lab, "opener")
    opener, sealer, point = Opener(hz, window), None, Point(size=size)
    forget(socket_of(opening))
    try:
        opener.start(opening, point)
        mac = next(p["mac"] for p in opener.ask(opening, "show", "ports")["ports"] if p["name"] == "wan")
        sealer = Sealer(hz, mac)
        sealer.start(sealing, point)
        time.sleep(SETTLE_SECONDS + SECONDS)
        load = opener.ask(opening, "show", "workers")["workers"][0]["last_second"]
        drops = opener.ask(opening, "show", "counters")["totals"]["drops"]
    finally:
        for end in filter(None, (sealer, opener)):
            stop(end.process)
    wrong = {name: drops[name] for name in ("replayed", "too_old", "bad_icv") if drops[name]}
    if wrong or not load["measured"]["packets"]:
        raise Failed(f"replay window {window}: {wrong or 'nothing arrives'}")
    return load["measured"]["cycles_per_packet"]


def measure(lab, hz, exclusive):
    rows = []
    for size in SIZES:
        found = {window: [] for window in WINDOWS}
        for _ in range(ROUNDS):
            for window in WINDOWS:
                exclusive.take()
                try:
                    found[window].append(sum(look(lab, hz, size, window)[stage] for stage in STAGES))
                except Failed as e:
                    print(f"  {e}", flush=True)
        rows += [{"bytes": int(size), "window": window, "cycles": statistics.median(samples)} for window, samples in found.items() if samples]
    return rows


def print_replay(found):
    none = {row["bytes"]: row["cycles"] for row in found if not row["window"]}
    if found:
        print("\nreplay window, rising numbers: cycles of the opener's stages prepare and finish")
    for row in found:
        more = row["cycles"] - none[row["bytes"]] if row["bytes"] in none else None
        print(f"{row['bytes']:5} bytes, window {row['window']:5} {row['cycles']:8.1f}" +
              (f"  {more:+.1f} for the window" if row["window"] and more is not None else ""))

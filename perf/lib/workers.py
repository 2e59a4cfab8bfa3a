# SPDX-License-Identifier: BSD-3-Clause
"""Two workers beside one: with an SA each, and with one SA whose flows arrive at both, so that half of its packets are
handed over. A device of two queues, each with a capture of its own; worker 0 shares its CPU with control, which sleeps."""
import os
import time

import captures
from sallyport import Sallyport, write_config
from systems import CORE, SETTLE_SECONDS, Failed, Lab, Point, stop

HALF = 1 << 15  # of the remote addresses
HALVES = ((0, "10.2.0.0/17"), (1, "10.2.128.0/17"))
WHOLE = ((0, "10.2.0.0/16"),)
# words, CPUs of the workers, SAs
CASES = (("1 worker, one SA", (CORE,), WHOLE), ("2 workers, an SA each", (1 - CORE, CORE), HALVES),
         ("2 workers, one SA", (1 - CORE, CORE), WHOLE))
SIZES = ("64", "1420")
SECONDS = 2.0  # "last_second" of show workers lies within


def capture(lab, size, half):
    """flows of one half of the addresses"""
    path = os.path.join(lab.captures, f"half{half}-{size}.pcap")
    if not os.path.exists(path):
        os.makedirs(lab.captures, exist_ok=True)
        captures.write_pcap(path, (captures.PORT_MACS[0] + captures.PEER_MAC + b"\x08\x00" +
                                   captures.inner_packet(n, half * HALF + 1 + n, int(size), False) for n in range(captures.LEAST)))
    return path


class OneQueueLab(Lab):
    """a source with a queue for each worker"""

    def halves(self):
        return (0,)

    def source(self, device, point):
        files = ",".join(f"rx_pcap={capture(self, point.size, half)}" for half in self.halves())
        return f"net_pcap{device},{files},infinite_rx=1"


class TwoQueuesLab(OneQueueLab):
    def halves(self):
        return (0, 1)


class Workers(Sallyport):
    def __init__(self, hz, cpus, rows):
        super().__init__(hz)
        self.cpus, self.rows = cpus, rows

    def configure(self, lab, point):
        write_config(lab, point, self.rows, self.cpus)

    def look(self, lab, point):
        """rate, and what each worker says of the last second"""
        try:
            self.start(lab, point)
            time.sleep(SETTLE_SECONDS)
            (t0, n0), before = self.sent(lab, point), self.handed(lab)
            time.sleep(SECONDS)
            (t1, n1), after = self.sent(lab, point), self.handed(lab)
            loads = [w["last_second"] for w in self.ask(lab, "show", "workers")["workers"]]
        finally:
            stop(self.process)
        if n1 == n0:
            raise Failed("sallyportd forwards nothing")
        return {"rate": (n1 - n0) / (t1 - t0), "handed_share": (after - before) / (n1 - n0),
                "cycles_of_workers": [load["cycles_per_packet"] for load in loads],
                "stages_of_workers": [load["measured"]["cycles_per_packet"] for load in loads]}

    def handed(self, lab):
        return self.ask(lab, "show", "counters")["totals"]["counters"]["handed_off"]


def measure(lab, hz, exclusive):
    found = []
    for size in SIZES:
        for name, cpus, rows in CASES:
            exclusive.take()
            queues = (OneQueueLab if len(cpus) == 1 else TwoQueuesLab)(**vars(lab))
            point = Point(size=size, packets=2 * captures.LEAST)
            try:
                found.append({"case": name, "bytes": int(size), **Workers(hz, cpus, rows).look(queues, point)})
            except Failed as e:
                print(f"  {name}: {e}", flush=True)
    return found


def print_workers(found):
    if not found:
        return
    print(f"\n{'workers, encap':24} {'bytes':>6} {'Mpps':>8} {'of one':>7} {'handed':>7}  cycles a packet that a worker touched")
    one = {row["bytes"]: row["rate"] for row in found if row["case"] == CASES[0][0]}
    for row in found:
        times = row["rate"] / one[row["bytes"]] if row["bytes"] in one else None
        print(f"{row['case']:24} {row['bytes']:>6} {row['rate'] / 1e6:8.3f} {'-' if times is None else f'{times:.2f}':>7} "
              f"{100 * row['handed_share']:6.1f}%  " + ", ".join("-" if c is None else f"{c:.0f}" for c in row["cycles_of_workers"]))

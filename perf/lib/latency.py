# SPDX-License-Identifier: BSD-3-Clause
"""How long a packet takes through sallyportd at 10, 50 and 90 % of the rate it can do. Its two ports are net_vhost, and
perf/bench/latency, which has their other ends, is generator and clock on the control core."""
import os

from extras import lines_of
from sallyport import Sallyport
from systems import CORE, Failed, Lab, Point, eal, forget, stop

SECONDS = 1.0
WAIT_SECONDS = 60
SIZES = ("64", "1420")


class VhostLab(Lab):
    """ports whose other ends are sockets"""

    def socket(self, device):
        return os.path.join(self.work, f"vhost{device}")

    def source(self, device, point):
        return f"net_vhost{device},iface={self.socket(device)}"

    def sink(self, device):
        return self.source(device, None)


def command(lab, mac, size):
    devices = [word for n in range(2) for word in ("--vdev", f"net_virtio_user{n},path={lab.socket(n)},queue_size=256")]
    return [os.path.join(lab.bench, "latency"), *eal(str(1 - CORE)), "--single-file-segments", "--log-level", "error", *devices,
            "--", mac, size, str(SECONDS)]


def lost_in_front(counters):
    """packets that ended before they had a sequence number"""
    return {name: n for name, n in counters["totals"]["drops"].items() if n and name != "tx_full"}


def measure_size(lab, gateway, size):
    for device in range(2):
        forget(lab.socket(device))
    try:
        gateway.start(lab, Point(size=size))
        mac = next(p["mac"] for p in gateway.ask(lab, "show", "ports")["ports"] if p["name"] == "lan")
        found = lines_of("latency", command(lab, mac, size), WAIT_SECONDS)
        drops = lost_in_front(gateway.ask(lab, "show", "counters"))
    finally:
        stop(gateway.process)
    if drops:
        raise Failed(f"latency: sallyportd dropped {drops}, so sequence numbers name other packets")
    return found


def measure(lab, hz, exclusive):
    """rows of all sizes; none where the devices are not to be had"""
    lab, found = VhostLab(**vars(lab)), []
    for size in SIZES:
        exclusive.take()
        try:
            found += measure_size(lab, Sallyport(hz), size)
        except Failed as e:
            print(f"  {e}", flush=True)
    return found


def print_latency(found):
    if not found:
        return
    print(f"\n{'latency, encap, net_vhost ports':34} {'packets/s':>10} {'lost':>6} {'p50 us':>8} {'p99 us':>8} {'p99.9 us':>9}")
    for row in found:
        print(f"{row['bytes']:5} bytes at {row['percent']} % of the rate      {row['rate']:>10.0f} {row['lost']:>6} {row['p50_us']:8.1f} "
              f"{row['p99_us']:8.1f} {row['p999_us']:9.1f}")



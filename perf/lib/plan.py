# SPDX-License-Identifier: BSD-3-Clause
"""Which points are measured on which systems: one axis at a time around Point()."""
from collections import namedtuple

import captures
from rounds import Task
from systems import Point

SIZES = ("64", "256", "576", "1420")
DIRECTIONS = ("encap", "decap")
ALL = ("source", "loop", "sallyport", "secgw")
OWN = ("loop", "sallyport")
OTHER_ALGORITHMS = ("aes256gcm16", "aes128-sha256", "chacha20poly1305")


def with_packets(direction, size="64", packets=None, **fields):
    sas = fields.get("sas", 1)
    return Point(direction, size, packets=packets or captures.packets_for(sas, size), **fields)


def tasks_of(points, systems):
    return [Task(point, system) for point in points for system in systems]


def base():
    return tasks_of([Point(), Point("decap")], ALL)


def core():
    return tasks_of([Point(d, s) for s in ("64", "1420") for d in DIRECTIONS], ALL)


def sizes():
    """ipsec-mb does not ask for the direction"""
    return tasks_of([Point(d, s) for s in SIZES for d in DIRECTIONS], ALL) + tasks_of(
        [Point("encap", s) for s in SIZES], ("crypto",)) + tasks_of([with_packets(d, "imix") for d in DIRECTIONS], ALL)


def crypto_burst():
    return tasks_of([Point("encap", s) for s in SIZES], ("crypto-burst",))


def algorithms():
    points = [Point(d, s, a) for a in OTHER_ALGORITHMS for s in SIZES for d in DIRECTIONS]
    return tasks_of(points, ("sallyport", "secgw")) + tasks_of([p for p in points if p.direction == "encap"], ("crypto",))


def many_sas(counts, size="64"):
    """N SAs, and one SA on as many packets"""
    points = [with_packets(d, size, n, sas=sas) for n in counts for d in DIRECTIONS for sas in (1, n)]
    return tasks_of(points, OWN)


def mark_sas():
    return many_sas((10000, 50000)) + many_sas((10000,), "1420")


def more_sas():
    return many_sas((100, 1000)) + tasks_of([with_packets("encap", sas=1000)], ("secgw",))


def mark_tables():
    return tasks_of([Point(policies=10000), Point(routes=100000)], ("sallyport",))


def more_tables():
    return tasks_of([Point(policies=1000)] + [Point("decap", **{f: n}) for f, n in (("policies", 10000), ("routes", 100000))],
                    ("sallyport",))


# seconds: of windows of each system in each round; patience: seconds, see quiet.py; more: seconds of rounds behind the
# last, see rounds.py; ike_sas: none, no micro-benchmarks either
Profile = namedtuple("Profile", "rounds seconds patience more parts ike_sas")
PROFILES = {
    "smoke": Profile(1, 0.2, 0, 0, (base,), ()),
    "core": Profile(5, 0.6, 300, 300, (core,), ()),
    "quick": Profile(5, 0.6, 600, 300, (sizes, mark_sas, mark_tables), (1000, 10000)),
    "full": Profile(5, 1.0, 1200, 600, (sizes, mark_sas, mark_tables, crypto_burst, algorithms, more_sas, more_tables),
                    (1000, 10000, 100000)),
}

# what passes into a file and is opened, before anything is measured
SAMPLES = [Point(), Point("decap"), with_packets("encap", sas=100), with_packets("decap", sas=100)]


def tasks(profile):
    return list(dict.fromkeys(task for part in PROFILES[profile].parts for task in part()))


def samples(profile):
    algorithms = {task.point.algorithm for task in tasks(profile)}
    return SAMPLES + [Point(d, algorithm=a) for a in sorted(algorithms - {Point().algorithm}) for d in DIRECTIONS]

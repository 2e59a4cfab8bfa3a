# SPDX-License-Identifier: BSD-3-Clause
"""Which points are measured on which systems, and the marks that are judged. One axis at a time around Point()."""
from collections import namedtuple

import captures
from rounds import Task
from systems import Point

SIZES = ("64", "256", "576", "1420")
DIRECTIONS = ("encap", "decap")
ALL = ("source", "loop", "sallyport", "secgw")

# parts of the plan, by the mark that needs them
Profile = namedtuple("Profile", "rounds seconds parts")
PROFILES = {
    "smoke": Profile(1, 0.3, ("smoke",)),
    "core": Profile(5, 1.0, ("core",)),
    "quick": Profile(5, 1.0, ("sizes",)),
    "full": Profile(5, 1.0, ("sizes",)),
}


def with_packets(**fields):
    point = Point(**fields)
    return Point(**fields, packets=captures.packets_for(point.sas, point.size))


def tasks_of(points, systems=ALL):
    return [Task(point, system) for point in points for system in systems]


def smoke():
    return tasks_of([Point(), Point("decap")])


def core():
    return tasks_of([Point(d, s) for s in ("64", "1420") for d in DIRECTIONS])


def sizes():
    return tasks_of([Point(d, s) for s in SIZES for d in DIRECTIONS])


PARTS = {"smoke": smoke, "core": core, "sizes": sizes}


def tasks(profile):
    return list(dict.fromkeys(task for part in PROFILES[profile].parts for task in PARTS[part]()))


# ---- marks ----

Mark = namedtuple("Mark", "name measured floor peer value target holds")
ADDED_SHARE = 0.35  # of what ipsec-secgw adds to the bare loop


def added_mark(rows, point):
    gateway, loop, peer = (rows.get(Task(point, name)) for name in ("sallyport", "loop", "secgw"))
    if not (gateway and loop and peer):
        return None
    medians = [row.median() for row in (gateway, loop, peer)]
    name = f"added to the loop, {point.name()}"
    if None in medians:
        return Mark(name, *medians, None, ADDED_SHARE, False)
    s, floor, p = medians
    value = (s - floor) / (p - floor) if p > floor else None
    return Mark(name, s, floor, p, value, ADDED_SHARE, value is not None and value <= ADDED_SHARE)


def marks(rows):
    points = list(dict.fromkeys(task.point for task in rows))
    found = [added_mark(rows, point) for point in points]
    return [mark for mark in found if mark]

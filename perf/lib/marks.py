# SPDX-License-Identifier: BSD-3-Clause
"""The marks: ratios of one run, each with what they are made of. A mark whose parts were not measured is not judged.

A ratio is made of what one round measured, minutes apart at most: what a neighbour of the host does to all of it is not in
it. That of the middle round counts."""
from collections import namedtuple
from dataclasses import replace

from rounds import OWN_LEAST, Task
from systems import Point

# cycles of sallyportd, of the bare loop and of ipsec-secgw at the point; the ratio that is judged; at most this; whether it
# is of rounds whose core was our own
Mark = namedtuple("Mark", "name measured floor peer value target holds own", defaults=[True])

ADDED_SHARE = 0.35  # of what ipsec-secgw adds to the bare loop
SAS_MOST = {("64", 10000): 1.15, ("64", 50000): 3.3}
# or as many cycles as N SAs cost the loop of this run, and 4.5 % of them: 1.15 was set beside a loop that paid 1.10
SAS_BESIDE_LOOP = 1.045
SAS_OVER_LOOP = {("1420", 10000): 1.1}  # the source itself misses the cache there
TABLES_MOST = 1.15
ENGINE_SLACK = 1.15  # algorithms: of ipsec-mb's own figure, plus what GCM adds to its own


class Medians:
    def __init__(self, rows):
        self.rows = rows

    def __call__(self, point, system):
        row = self.rows.get(Task(point, system))
        return row.median() if row else None

    def points(self):
        return list(dict.fromkeys(task.point for task in self.rows))


class Round:
    """what one round has measured"""

    def __init__(self, rows, number):
        self.rows, self.number, self.asked = rows, number, set()

    def __call__(self, point, system):
        row = self.rows.get(Task(point, system))
        if not row or self.number not in row.rounds:
            return None
        self.asked.add(row.task)
        return row.cycles[row.rounds.index(self.number)]

    def alone(self):
        """the core was our own in all that was asked for"""
        asked = [self.rows[task] for task in self.asked]
        return all(row.alone[row.rounds.index(self.number)] for row in asked)


def mark(name, cells, value, target):
    return Mark(name, *cells, value, target, value is not None and value <= target)


def ratio(a, b):
    return a / b if a is not None and b else None


def added(m, point):
    if point.sas > 1 or point.policies > 1 or point.routes > 1:
        return None
    cells = s, floor, peer = [m(point, name) for name in ("sallyport", "loop", "secgw")]
    if None in cells:
        return None
    # a round in which a gateway was no slower than the loop has measured a neighbour
    value = ratio(s - floor, peer - floor) if min(s, peer) > floor else None
    return mark(f"added over the loop: {point.name()}", cells, value, ADDED_SHARE)


def many_sas(m, point):
    """against one SA on the same number of packets; the gateway's SAs may cost what those of the loop of this run do"""
    key = (point.size, point.sas)
    one = replace(point, sas=1)
    s, floor = ratio(m(point, "sallyport"), m(one, "sallyport")), ratio(m(point, "loop"), m(one, "loop"))
    cells = m(point, "sallyport"), m(point, "loop"), None
    if s is None:
        return None
    name = f"{point.sas} SAs : 1 SA, {point.direction} {point.size}"
    if key in SAS_MOST:
        one_s, loops = m(one, "sallyport"), (m(point, "loop"), m(one, "loop"))
        beside = 1 + SAS_BESIDE_LOOP * (loops[0] - loops[1]) / one_s if None not in loops else 0
        return mark(name, cells, s, max(SAS_MOST[key], beside))
    if key in SAS_OVER_LOOP:
        return mark(f"{name}, over the loop's", cells, ratio(s, floor), SAS_OVER_LOOP[key])
    return None


def tables(m, point):
    base = Point(point.direction, point.size)
    if point == base or point != replace(base, policies=point.policies, routes=point.routes):
        return None
    s, one = m(point, "sallyport"), m(base, "sallyport")
    if s is None or one is None:
        return None
    return mark(point.name(), (s, one, None), ratio(s, one), TABLES_MOST)


def middle(rows, rule, point):
    """the mark of the middle one of the rounds whose core was our own, where they are enough; else of all. None: the rule has
    nothing to say of the point; one without a value: no round could be judged"""
    found = []
    for number in sorted({number for row in rows.values() for number in row.rounds}):
        m = Round(rows, number)
        x = rule(m, point)
        found += [(x, m.alone())] if x else []
    valued = [(x, alone) for x, alone in found if x.value is not None]
    if not valued:
        return found[0][0] if found else None
    own = [x for x, alone in valued if alone]
    counted = sorted(own if len(own) >= OWN_LEAST else [x for x, _ in valued], key=lambda x: x.value / x.target)
    return counted[len(counted) // 2]._replace(own=len(own) >= OWN_LEAST)


def judged(rows):
    points = Medians(rows).points()
    return [x for rule in (added, many_sas, tables) for x in (middle(rows, rule, p) for p in points) if x]


def engines(rows):
    """not judged: what the engine alone leads one to expect of an algorithm"""
    m, found = Medians(rows), []
    for point in m.points():
        gcm = Point(point.direction, point.size)
        crypto = m(replace(point, direction="encap"), "crypto")
        s, gcm_crypto, gcm_s = m(point, "sallyport"), m(replace(gcm, direction="encap"), "crypto"), m(gcm, "sallyport")
        if point.algorithm != gcm.algorithm and None not in (crypto, s, gcm_crypto, gcm_s):
            expected = crypto * ENGINE_SLACK + gcm_s - gcm_crypto
            found.append(mark(point.name(), (s, crypto, m(point, "secgw")), s / expected, 1.0))
    return found

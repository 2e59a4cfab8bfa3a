# SPDX-License-Identifier: BSD-3-Clause
"""The oracle matrix: algorithm x mode x families x encapsulation x ESN x direction.

cells.py    which combinations there are, and the SA pair of each
probes.py   the packets of a cell, and what has to come of them
traffic.py  sends them through a running gateway and collects what comes out
verdict.py  asks the oracles about what came out
"""

# SPDX-License-Identifier: BSD-3-Clause
"""What the packet tests share around the oracles: the gateway's algorithm table, a gateway in a namespace of its own and
raw sockets at its ports, result lines.

table.py      the algorithm table of a build, and the suites it makes
namespace.py  a network namespace, two pairs of interfaces, raw sockets
gateway.py    configuration, start, questions and end of a gateway
results.py    PASS and FAIL lines
"""

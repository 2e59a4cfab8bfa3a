# SPDX-License-Identifier: BSD-3-Clause
"""A second opinion on ESP and AH, written from the RFCs on python3-cryptography; it shares no code with the gateway nor
with scapy. It knows every suite of the gateway's algorithm table, is slow and checks everything.

algorithms.py  ciphers and MACs by their IANA numbers, with sizes of their own
headers.py     IPv4 and IPv6 headers, extension headers, UDP, checksums
esp.py, ah.py  the body of a packet: sealed and opened
sa.py          an SA: whole packets, tunnel and transport mode, UDP encapsulation
by_scapy.py    the same interface on scapy, for what scapy knows
"""


class OracleError(Exception):
    """The packet is not what the RFC says; the text is the reason."""

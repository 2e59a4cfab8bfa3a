# SPDX-License-Identifier: BSD-3-Clause
"""IPv4 options and IPv6 extension headers that AH has to treat right, and what routers may change in them."""
import ipaddress
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    name: str
    data: bytes  # options, or an extension header whose next header field is filled in later
    number: int = 0  # of the extension header
    changes: tuple = ()  # offsets of bytes that change on the way without harm
    stays: int = None  # offset of a byte that must not
    flip: int = 0x55  # what of that byte is changed all the same: not so that the header is refused before AH looks at it


# RFC 4302 A1
IPV4_OPTIONS = (
    Sample("no_operation", b"\x01\x01\x01\0", stays=1),
    Sample("router_alert", b"\x94\x04\0\0", stays=3),
    Sample("security", b"\x82\x0b" + bytes(9) + b"\x01", stays=4),
    Sample("record_route", b"\x07\x07\x04" + bytes(4) + b"\0", changes=(2, 3, 4, 5, 6)),
    Sample("timestamp", b"\x44\x08\x05\0" + bytes(4), changes=(2, 3, 4, 7)),
    Sample("mixed", b"\x01\x94\x04\0\0\x07\x07\x08\x01\x02\x03\x04\0\0\0\0", changes=(8, 9), stays=4),
)

# RFC 4302 A2, RFC 8200 4.2: bit 0x20 of an option's type says that its data may change
IPV6_EXTENSIONS = (
    Sample("hop_by_hop_padded", b"\0\0\x01\x04\0\0\0\0", number=0, stays=5),
    Sample("hop_by_hop_stays", b"\0\0\x1e\x04\1\2\3\4", number=0, stays=6),
    Sample("hop_by_hop_changes", b"\0\0\x3e\x04\1\2\3\4", number=0, changes=(4, 7), stays=2, flip=1),
    Sample("destination_mixed", b"\0\1\x3e\x04\1\2\3\4\x1e\x04\5\6\7\x08\x01\0", number=60, changes=(4, 5), stays=10),
    Sample("routing_used_up", b"\0\2\0\0" + bytes(4) + ipaddress.ip_address("2001:db8:9::9").packed, number=43,
           stays=10),
)

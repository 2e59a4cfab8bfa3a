# SPDX-License-Identifier: BSD-3-Clause
"""Whether what came out is what had to come out. A cell disagrees with its first packet that does."""
from lab.results import shown
from oracle import OracleError, by_scapy, headers

from .probes import BY_SCAPY, OUTER_TTL


def differ(what, got, expected):
    if got != expected:
        at = next((i for i, (a, b) in enumerate(zip(got, expected)) if a != b), min(len(got), len(expected)))
        raise OracleError(f"{what} differs at byte {at} ({len(got)} and {len(expected)} bytes): "
                          f"{shown(got[max(0, at - 4):])} is not {shown(expected[max(0, at - 4):])}")


def outer_checked(probe, packet):
    """The values of a tunnel's outer header, under the default header rules (RFC 4301 5.1.2, RFC 6040 4.1)."""
    inner, c = probe.expected, probe.pair.combination
    checks = [("TOS", headers.tos(packet), headers.tos(inner))]
    if c.outer == 4:
        # nobody fragments IPv6 on the way, so neither may its tunnel be
        df = bool(inner[6] & 0x40) if c.inner == 4 else True
        checks += [("header bytes", packet[0], 0x45), ("TTL", packet[8], OUTER_TTL),
                   ("flags and fragment offset", packet[6:8], b"\x40\0" if df else b"\0\0")]
    else:
        checks += [("hop limit", packet[7], OUTER_TTL), ("flow label", headers.flow_label(packet), 0)]
    for what, got, expected in checks:
        if got != expected:
            raise OracleError(f"outer {what}: {shown(got)} is not {shown(expected)}")


def sealed_checked(probe, packet):
    sa = probe.pair.outbound
    differ("opened", sa.open(packet, probe.sequence), probe.expected)
    if sa.tunnel:
        outer_checked(probe, headers.whole(packet))
    if probe.index in BY_SCAPY and by_scapy.knows(sa):
        differ("opened by scapy", by_scapy.ScapySa(sa).open(packet, probe.sequence), probe.expected)


def probe_reason(probe, packet):
    """None, or what is wrong with what came out."""
    if packet is None:
        return "nothing came out"
    try:
        if probe.key[0] == "clear":
            differ("inner packet", headers.whole(packet), probe.expected)
        else:
            sealed_checked(probe, packet)
    except Exception as e:  # whatever an oracle says of a packet it cannot take
        return " ".join(str(e).split()) or type(e).__name__
    return None


def cell_reason(probes, got):
    """None, or the first disagreement of a cell."""
    for probe in probes:
        reason = probe_reason(probe, got.get(probe.key))
        if reason:
            return f"packet {probe.index}: {reason}"
    return None

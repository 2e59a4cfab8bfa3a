# SPDX-License-Identifier: BSD-3-Clause
"""A security association as the oracle sees it: whole IP packets in, whole IP packets out, in either direction."""
import ipaddress
import struct
from dataclasses import dataclass, field

from . import OracleError, ah, esp
from .algorithms import cipher_create, mac_create
from .headers import (AH, ESP, IPV4, IPV6, UDP, addresses, front, ip, join, split, udp_unwrap, udp_wrap, version, whole)


@dataclass(frozen=True)
class Shape:
    """What a sender is free to choose. tos to extra are of the outer header of a tunnel."""
    tos: int = 0
    ttl: int = 64
    extra: tuple = ()  # pairs of ident, df, options or flow_label and their values
    chain: bytes = b""  # extension headers of an outer IPv6 header, next header fields to be filled in
    chain_first: int = 0  # number of the first of them
    pad_blocks: int = 0  # more padding than needed
    tfc_bytes: int = 0  # behind the inner packet
    udp_checksum: bool = False


@dataclass
class Suite:
    """Algorithms by IANA number, with keys; one of them is 0 where there is none."""
    protocol: str  # "esp" or "ah"
    encr: int = 0
    encr_key_bits: int = 0
    encr_key: bytes = b""
    integ: int = 0
    integ_key: bytes = b""


@dataclass
class Sa:
    suite: Suite
    spi: int
    source: str  # outer addresses of the packets of this SA; of transport mode, the only ones
    destination: str
    tunnel: bool = True
    udp: bool = False
    esn: bool = False
    cipher: object = field(init=False, default=None)
    mac: object = field(init=False, default=None)

    def __post_init__(self):
        s = self.suite
        if s.protocol == "esp":
            self.cipher = cipher_create(s.encr, s.encr_key_bits, s.encr_key)
        if s.protocol == "ah" or not self.cipher.combined:
            self.mac = mac_create(s.integ, s.integ_key)
        self.spi_bytes = struct.pack("!I", self.spi)
        self.src = ipaddress.ip_address(self.source).packed
        self.dst = ipaddress.ip_address(self.destination).packed

    def outer(self, shape):
        """The header of a tunnel, lengths to come."""
        head = ip(self.src, self.dst, 0, b"", tos=shape.tos, ttl=shape.ttl, **dict(shape.extra))
        if shape.chain:
            head = head[:6] + bytes([shape.chain_first]) + head[7:] + shape.chain
        return head

    def seal(self, packet, sequence, shape=Shape()):
        """The protected packet of this inner one (tunnel), or of this one (transport)."""
        if self.tunnel:
            number = IPV4 if version(packet) == 4 else IPV6
            head, payload = self.outer(shape), packet + bytes(shape.tfc_bytes)
        else:
            head, number, payload = split(packet)
        if self.suite.protocol == "ah":
            return self.seal_ah(sequence, head, number, payload)
        body = esp.seal(self, sequence, number, payload, shape.pad_blocks)
        if self.udp:
            return join(head, UDP, udp_wrap(*addresses(head), body, shape.udp_checksum))
        return join(head, ESP, body)

    def seal_ah(self, sequence, head, number, payload):
        room = ah.FIXED_BYTES + ah.icv_field_bytes(self, head)
        head = join(head, AH, bytes(room) + payload)[:len(head)]
        return head + ah.seal(self, sequence, head, number, payload)

    def open(self, packet, sequence):
        """The inner packet (tunnel), or the packet as before protection (transport). Checks all that the headers say
        of themselves; the values of a tunnel's outer header are the caller's to judge."""
        packet = whole(packet)
        if addresses(packet) != (self.src, self.dst):
            raise OracleError("outer addresses")
        head, number, body = front(packet)
        if self.udp:
            if number != UDP:
                raise OracleError(f"protocol {number}, expected UDP")
            body = udp_unwrap(self.src, self.dst, body)
        elif number != (ESP if self.suite.protocol == "esp" else AH):
            raise OracleError(f"protocol {number}")
        if self.suite.protocol == "ah":
            inside, payload = ah.open(self, sequence, head, body)
        else:
            inside, payload = esp.open(self, sequence, body)
        if not self.tunnel:
            return join(head, inside, payload)
        if not payload or inside != (IPV4 if version(payload) == 4 else IPV6):
            raise OracleError(f"next header {inside}")
        return payload

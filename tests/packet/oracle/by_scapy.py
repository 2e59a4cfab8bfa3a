# SPDX-License-Identifier: BSD-3-Clause
"""SAs of the oracle on scapy: the same interface as sa.Sa, for what scapy 2.5 knows. Its gaps and slips, as found:

- AES-GCM ignores crypt_icv_size (the tag has 16 bytes always); no XCBC, no GMAC, no implicit IV: not used there;
- with a classic ESP suite the ESN is not authenticated: not used there;
- it takes a seq_num of 0 for "none given": seq_num of the SA is set as well;
- UDP encapsulation over IPv4: the UDP length counts the UDP header only;
- UDP encapsulation over IPv6: the checksum is sent as 0, and transport mode is not opened.
"""
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.ipsec import AH, ESP, SecurityAssociation

from . import headers
from .sa import Shape

CIPHERS = {3: "3DES", 11: "NULL", 12: "AES-CBC", 13: "AES-CTR", 14: "AES-CCM", 15: "AES-CCM", 16: "AES-CCM", 20: "AES-GCM",
           28: "CHACHA20-POLY1305"}
ICV_BYTES = {14: 8, 15: 12, 16: 16}
MACS = {2: "HMAC-SHA1-96", 8: "AES-CMAC-96", 12: "SHA2-256-128", 13: "SHA2-384-192", 14: "SHA2-512-256"}


def knows(sa):
    suite = sa.suite
    if suite.protocol == "ah":
        return suite.integ in MACS
    if suite.encr not in CIPHERS:
        return False
    return sa.cipher.combined or suite.integ in MACS and not sa.esn


def dissect(packet):
    return IP(packet) if headers.version(packet) == 4 else IPv6(packet)


class ScapySa:
    def __init__(self, sa):
        self.sa = sa
        suite = sa.suite
        more = {}
        if suite.protocol == "esp":
            more = {"crypt_algo": CIPHERS[suite.encr], "crypt_key": suite.encr_key or None,
                    "crypt_icv_size": ICV_BYTES.get(suite.encr)}
        if suite.integ:
            more |= {"auth_algo": MACS[suite.integ], "auth_key": suite.integ_key}
        self.tunnel_header = dissect(sa.outer(Shape())) if sa.tunnel else None
        self.scapy = SecurityAssociation(ESP if suite.protocol == "esp" else AH, spi=sa.spi, esn_en=sa.esn,
                                         tunnel_header=self.tunnel_header,
                                         nat_t_header=UDP(sport=4500, dport=4500) if sa.udp else None, **more)

    def seal(self, packet, sequence, shape=Shape()):
        """Of the shape only what scapy takes as it is: the fields of the outer header."""
        sa = self.scapy
        if self.sa.tunnel:
            sa.tunnel_header = dissect(self.sa.outer(shape))
        sa.seq_num = sequence & 0xffffffff
        sealed = sa.encrypt(dissect(packet), seq_num=sa.seq_num, esn_en=self.sa.esn, esn=sequence >> 32)
        if self.sa.udp:
            sealed[UDP].len = len(sealed[UDP])
            if sealed.version == 6:
                del sealed[UDP].chksum
        return bytes(sealed)

    def open(self, packet, sequence):
        packet = headers.whole(packet)
        if self.sa.udp and headers.version(packet) == 6:
            head, _, datagram = headers.front(packet)
            packet = headers.join(head, headers.ESP, datagram[headers.UDP_BYTES:])
        return bytes(self.scapy.decrypt(dissect(packet), esn_en=self.sa.esn, esn=sequence >> 32))

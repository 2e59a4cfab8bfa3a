#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A host in a VLAN, for kernels without VLAN devices: scapy makes the frames, a raw AF_PACKET socket carries them.

usage: vlan.py IF VLAN OUR_ADDRESS GATEWAY DESTINATION COUNT   pings DESTINATION through GATEWAY, answers ARP and solicitations
       vlan.py IF stray VLAN[.VLAN] GATEWAY_MAC                one frame of that VLAN, or of two tags
Prints "N answered". VLAN 0 is a priority tag, "none" no tag.
"""
import socket
import sys
import time

from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import (ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr,
                                ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.utils6 import in6_getnsma, in6_getnsmac, in6_ptop
import socket as names

SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_VLAN_VALID = 0x10


class Link:
    def __init__(self, name, vlan):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.socket.bind((name, 0))
        self.socket.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.vlan = vlan
        with open(f"/sys/class/net/{name}/address") as f:
            self.mac = f.read().strip()

    def send(self, destination, payload):
        tag = () if self.vlan is None else (Dot1Q(vlan=self.vlan, prio=3),)
        frame = Ether(src=self.mac, dst=destination)
        for layer in tag + (payload,):
            frame = frame / layer
        self.socket.send(bytes(frame))

    def receive(self, deadline):
        """the next frame of our VLAN, without its tag, or None; the kernel gives the tag beside the frame"""
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data, extra, _, sender = self.socket.recvmsg(65536, 256)
            except TimeoutError:
                return None
            if sender[2] == socket.PACKET_OUTGOING:
                continue
            vlan = None
            for level, kind, aux in extra:
                if level == SOL_PACKET and kind == PACKET_AUXDATA:
                    status, tci = int.from_bytes(aux[0:4], "little"), int.from_bytes(aux[16:18], "little")
                    vlan = tci & 0xfff if status & TP_STATUS_VLAN_VALID else None
            frame = Ether(data)
            if Dot1Q in frame:
                vlan, frame = frame[Dot1Q].vlan, Ether(data[:12] + data[16:])
            if vlan == (self.vlan or None):
                return frame
        return None


def answer(link, ours, frame):
    """questions about our address"""
    if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == ours:
        link.send(frame.src, ARP(op=2, hwsrc=link.mac, psrc=ours, hwdst=frame.src, pdst=frame[ARP].psrc))
    elif ICMPv6ND_NS in frame and in6_ptop(frame[ICMPv6ND_NS].tgt) == in6_ptop(ours):
        link.send(frame.src, IPv6(src=ours, dst=frame[IPv6].src, hlim=255) / ICMPv6ND_NA(tgt=ours, R=0, S=1, O=1) /
                  ICMPv6NDOptDstLLAddr(lladdr=link.mac))


def wait(link, ours, seconds, found):
    deadline = time.monotonic() + seconds
    while (frame := link.receive(deadline)) is not None:
        answer(link, ours, frame)
        if (result := found(frame)):
            return result
    return None


def resolve(link, ours, gateway):
    if ":" in ours:
        group = in6_getnsma(names.inet_pton(names.AF_INET6, gateway))
        link.send(in6_getnsmac(names.inet_pton(names.AF_INET6, gateway)),
                  IPv6(src=ours, dst=names.inet_ntop(names.AF_INET6, group), hlim=255) / ICMPv6ND_NS(tgt=gateway) /
                  ICMPv6NDOptSrcLLAddr(lladdr=link.mac))
        return wait(link, ours, 3, lambda f: ICMPv6NDOptDstLLAddr in f and f[ICMPv6NDOptDstLLAddr].lladdr)
    link.send("ff:ff:ff:ff:ff:ff", ARP(op=1, hwsrc=link.mac, psrc=ours, pdst=gateway))
    return wait(link, ours, 3, lambda f: ARP in f and f[ARP].op == 2 and f[ARP].hwsrc)


def ping(link, ours, mac, destination, number):
    if ":" in ours:
        link.send(mac, IPv6(src=ours, dst=destination) / ICMPv6EchoRequest(id=7, seq=number, data=b"vlan" * 20))
        return wait(link, ours, 2, lambda f: ICMPv6EchoReply in f and f[ICMPv6EchoReply].seq == number)
    link.send(mac, IP(src=ours, dst=destination) / ICMP(id=7, seq=number) / (b"vlan" * 20))
    return wait(link, ours, 2, lambda f: ICMP in f and f[ICMP].type == 0 and f[ICMP].seq == number)


def stray(name, vlans, mac):
    link = Link(name, None)
    payload = IP(src="10.1.0.9", dst="10.1.0.1") / ICMP()
    for vlan in reversed(vlans.split(".")):
        payload = Dot1Q(vlan=int(vlan)) / payload
    link.send(mac, payload)


def main():
    if sys.argv[2] == "stray":
        stray(sys.argv[1], sys.argv[3], sys.argv[4])
        return
    name, vlan, ours, gateway, destination, count = sys.argv[1:7]
    link = Link(name, None if vlan == "none" else int(vlan))
    mac = resolve(link, ours, gateway)
    if not mac:
        sys.exit(f"{gateway} does not answer in VLAN {vlan}")
    answered = sum(1 for i in range(int(count)) if ping(link, ours, mac, destination, i))
    print(f"{answered} answered")
    sys.exit(answered != int(count))


main()

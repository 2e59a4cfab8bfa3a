# SPDX-License-Identifier: BSD-3-Clause
"""A network namespace with the two ports of a gateway, and raw sockets at the far ends of both wires.

Inside, `lan` and `wan` are the gateway's (net_af_packet); what the tests send and see passes `lanp` and `wanp`. Nothing in
the namespace has an address, so the kernel itself neither answers nor forwards.
"""
import ctypes
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
SO_RCVBUFFORCE = 33
RECEIVE_BYTES = 64 << 20
ETHER_TYPE = {4: b"\x08\x00", 6: b"\x86\xdd"}
PORTS = ("lan", "wan")
libc = ctypes.CDLL(None, use_errno=True)
# told to end, a test still takes its namespace and its gateway away
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def run(*words):
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        raise AssertionError(f"{' '.join(words)}: {result.stdout.strip()}")


@contextmanager
def entered(path):
    """This thread in another network namespace for a while."""
    with open("/proc/self/ns/net", encoding="ascii") as here, open(path, encoding="ascii") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"setns {path}")
        try:
            yield
        finally:
            libc.setns(here.fileno(), CLONE_NEWNET)


class Namespace:
    def __init__(self, key):
        self.name = f"sp{os.getpid()}-{key}"
        self.sockets = {}
        self.macs = {}

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        try:
            self.inside("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
                        "net.ipv4.ip_forward=0")
            for port in PORTS:
                self.wire_up(port)
            for port in PORTS:
                self.sockets[port], self.macs[port], self.macs[port + "p"] = self.open_port(port)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for s in self.sockets.values():
            s.close()
        subprocess.run(["ip", "netns", "del", self.name], check=False)

    def inside(self, *words):
        run("ip", "netns", "exec", self.name, *words)

    def wire_up(self, port):
        """Whole packets and finished checksums at both ends."""
        far = port + "p"
        run("ip", "link", "add", port, "netns", self.name, "type", "veth", "peer", "name", far, "netns", self.name)
        for end in (port, far):
            self.inside("ethtool", "-K", end, "tx", "off", "gro", "off")
            run("ip", "-n", self.name, "link", "set", "dev", end, "up")

    def open_port(self, port):
        """The socket at the far end, and the link addresses of both ends."""
        with entered(f"/run/netns/{self.name}"):
            near = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            near.bind((port, 0))
            mac = near.getsockname()[4]
            near.close()
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES)
            s.bind((port + "p", ETH_P_ALL))
        s.setblocking(False)
        return s, mac, s.getsockname()[4]

    def send(self, port, packet):
        """An IP packet to the gateway's port."""
        self.sockets[port].send(self.macs[port] + self.macs[port + "p"] + ETHER_TYPE[packet[0] >> 4] + packet)

    def receive(self, seconds):
        """[(port, IP packet)] that the gateway sent; waits for the first at most this long. May be empty."""
        by_socket = {s: port for port, s in self.sockets.items()}
        ready, _, _ = select.select(list(by_socket), [], [], seconds)
        got = []
        for s in ready:
            got += [(by_socket[s], frame) for frame in self.drain(s)]
        return got

    @staticmethod
    def drain(s):
        while True:
            try:
                frame, address = s.recvfrom(2048)
            except BlockingIOError:
                return
            # our own frames come back marked as outgoing
            if address[2] != PACKET_OUTGOING and frame[12:14] in ETHER_TYPE.values():
                yield frame[14:]

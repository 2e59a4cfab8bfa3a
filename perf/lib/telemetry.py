# SPDX-License-Identifier: BSD-3-Clause
"""Counters of another process' ports by DPDK's telemetry, which answers beside the core that forwards and within a
fraction of a millisecond."""
import glob
import json
import shutil
import socket
import time

REPLY_BYTES = 16384
WAIT_SECONDS = 10
# the process ends meanwhile, or has no such port
TROUBLE = (OSError, ValueError, KeyError, TypeError, StopIteration)


class Telemetry:
    """of the process with that --file-prefix. What goes wrong is one of TROUBLE."""

    def __init__(self, prefix):
        self.path = f"/var/run/dpdk/{prefix}/dpdk_telemetry.v2"
        self.socket = None

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(WAIT_SECONDS)
        try:
            self.socket.connect(self.path)
            self.socket.recv(REPLY_BYTES)
        except OSError:
            self.close()
            raise

    def close(self):
        if self.socket:
            self.socket.close()
            self.socket = None

    def ask(self, question):
        self.socket.send(question.encode())
        return json.loads(self.socket.recv(REPLY_BYTES))[question.split(",")[0]]

    def port(self, driver):
        """the first port of that driver"""
        return next(n for n in self.ask("/ethdev/list") if self.ask(f"/ethdev/info,{n}")["name"].startswith(driver))

    def sent(self, port):
        """(time, packets)"""
        before = time.monotonic()
        packets = self.ask(f"/ethdev/stats,{port}")["opackets"]
        return (before + time.monotonic()) / 2, packets


def forget(prefix):
    """what processes whose --file-prefix begins so have left"""
    for path in glob.glob(f"/var/run/dpdk/{glob.escape(prefix)}*"):
        shutil.rmtree(path, ignore_errors=True)

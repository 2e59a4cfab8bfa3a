#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Speaks ESP and AH in place of a kernel, with the SAs that fakexfrm.c has written down: sends echo requests through the
newest pair of SAs and wants each answered through it. The packets are the oracle's (tests/packet/oracle), so keys, SPIs,
mode, algorithms and sequence numbers are those of the IKE daemon that made the SAs, or nothing passes.

usage: xfrm_peer.py SAS INTERFACE LOCAL REMOTE COUNT [INNER_LOCAL INNER_REMOTE] [--via ROUTER]
       xfrm_peer.py SAS describe LOCAL      "protocol mode esn" of the newest SA to LOCAL
INNER_*: addresses inside of a tunnel; ROUTER: the next hop. Prints "COUNT answered", or the reason.
"""
import ipaddress
import os
import select
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "packet"))

# pylint: disable=wrong-import-position
from oracle import OracleError
from oracle.headers import AH, ESP, ICMP, UDP, checksum, front, ipv4
from oracle.sa import Sa, Suite

TIMEOUT = 5.0
MODES = {"0": "transport", "1": "tunnel"}
PROTOCOLS = {str(ESP): "esp", str(AH): "ah"}
# names of the kernel's cryptography, ICV bits: numbers of IKEv2 transform types 1 and 3
AEADS = {("rfc4106(gcm(aes))", 64): 18, ("rfc4106(gcm(aes))", 96): 19, ("rfc4106(gcm(aes))", 128): 20,
         ("rfc4309(ccm(aes))", 64): 14, ("rfc4309(ccm(aes))", 96): 15, ("rfc4309(ccm(aes))", 128): 16,
         ("rfc7539esp(chacha20,poly1305)", 128): 28}
CIPHERS = {"cbc(aes)": 12, "aes": 12, "rfc3686(ctr(aes))": 13, "ecb(cipher_null)": 11, "cipher_null": 11, "cbc(des3_ede)": 3}
# no ICV bits: the kernel's default
MACS = {("hmac(sha1)", 0): 2, ("xcbc(aes)", 0): 5, ("cmac(aes)", 0): 8, ("hmac(sha256)", 128): 12,
        ("hmac(sha384)", 0): 13, ("hmac(sha512)", 0): 14}


def algorithm(text):
    name, icv_bits, key = text.rsplit(":", 2)
    return name, int(icv_bits), bytes.fromhex(key)


def suite_of(words):
    suite = Suite(PROTOCOLS[words["protocol"]])
    if "aead" in words:
        name, icv_bits, suite.encr_key = algorithm(words["aead"])
        suite.encr = AEADS[name, icv_bits]
    if "crypt" in words:
        name, _, suite.encr_key = algorithm(words["crypt"])
        suite.encr = CIPHERS[name]
    if "auth" in words:
        name, icv_bits, suite.integ_key = algorithm(words["auth"])
        suite.integ = MACS[name, icv_bits]
    return suite


def address(text):
    return str(ipaddress.ip_address(bytes.fromhex(text)))


def newest(path, destination):
    """Words of the last SA to this address."""
    found = None
    with open(path, encoding="ascii") as f:
        for line in f:
            words = dict(word.split("=", 1) if "=" in word else (word, "") for word in line.split())
            # an SPI that is reserved has no algorithms yet
            if address(words["destination"]) == destination and ("auth" in words or "aead" in words):
                found = words
    if not found:
        sys.exit(f"no SA to {destination} in {path}")
    return found


def sa_of(words):
    return Sa(suite_of(words), int(words["spi"], 16), address(words["source"]), address(words["destination"]),
              tunnel=MODES[words["mode"]] == "tunnel", udp="udp" in words, esn=words["esn"] == "1")


# ---- packets ----

def echo_request(source, destination, number, data):
    body = struct.pack("!BBHHH", 8, 0, 0, 0x5a11, number) + data
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return ipv4(ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed, ICMP, body)


def is_answer(request, packet):
    _, protocol, body = front(packet)
    _, _, asked = front(request)
    return (protocol == ICMP and packet[12:16] == request[16:20] and packet[16:20] == request[12:16] and
            body[0] == 0 and checksum(body) == 0 and body[4:] == asked[4:])


def mac_of(interface, remote):
    """The IKE daemon has spoken with it, or through it, so the kernel knows."""
    with open("/proc/net/arp", encoding="ascii") as f:
        for line in f.readlines()[1:]:
            words = line.split()
            if words[0] == remote and words[5] == interface:
                return bytes.fromhex(words[3].replace(":", ""))
    sys.exit(f"no MAC of {remote} is known")


def sequence_on_wire(packet):
    _, protocol, body = front(packet)
    at = {ESP: 4, AH: 8, UDP: 12}[protocol]
    return struct.unpack("!I", body[at:at + 4])[0]


def protected(packet, sa):
    _, protocol, body = front(packet)
    if packet[12:16] != sa.src or packet[16:20] != sa.dst:
        return False
    if sa.udp:
        return protocol == UDP and body[8:12] == sa.spi_bytes
    return protocol == (ESP if sa.suite.protocol == "esp" else AH)


def receive(wire, sa, until):
    """The next packet of the SA: sequence number and what is inside."""
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([wire], [], [], left)[0]:
            sys.exit("no answer")
        frame = wire.recv(65535)
        if frame[12:14] == b"\x08\x00" and protected(frame[14:], sa):
            packet = frame[14:14 + struct.unpack("!H", frame[16:18])[0]]
            sequence = sequence_on_wire(packet)
            return sequence, sa.open(packet, sequence)


def run(path, interface, local, remote, count, inner, via):
    out, back = sa_of(newest(path, remote)), sa_of(newest(path, local))
    mac = mac_of(interface, via)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(0x0800)) as wire:
        wire.bind((interface, 0x0800))
        head = mac + wire.getsockname()[4] + b"\x08\x00"
        for number in range(count):
            request = echo_request(*inner, number, os.urandom(number * 37 % 400))
            wire.send(head + out.seal(request, number + 1))
            _, answer = receive(wire, back, time.monotonic() + TIMEOUT)
            if not is_answer(request, answer):
                sys.exit(f"answer {number} is another one: {answer.hex()}")
    print(f"{count} answered")


def main():
    words, via = sys.argv[1:], None
    if words[-2:-1] == ["--via"]:
        via = words[-1]
        del words[-2:]
    if len(words) == 3 and words[1] == "describe":
        sa = newest(words[0], words[2])
        print(PROTOCOLS[sa["protocol"]], MODES[sa["mode"]], "esn" if sa["esn"] == "1" else "noesn")
    elif len(words) in (5, 7):
        inner = words[5:] or words[2:4]
        run(*words[:4], int(words[4]), inner, via or words[3])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except OracleError as e:
        sys.exit(f"the oracle does not open it: {e}")

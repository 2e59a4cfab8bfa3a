#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Writes strongswan.txt from strongswan.pcap: each IKE datagram, its decrypted payloads, and tshark's view of them.

Needs tshark and openssl; run by hand when the capture changes. The capture: two strongSwan 5.9.8 (Debian 12) with
`proposals = default` and `esp_proposals = default`, initiate, then terminate. The keys are of that one IKE SA, from
charon's log (ike = 4). Suite: AES-CBC-128, HMAC-SHA2-256-128.
"""
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
SPI_I, SPI_R = "d54cabd5e03fca5f", "12f722ea3f255910"
KEY_EI, KEY_ER = "8e23cb0fa02bd7ea303db2cbfd393d0a", "b5fc7f182cbaa302925d719ddca043fe"
KEY_AI = "2fb74aaa7ba711e1996adf3c220416a6fa9ce91ec61d34295b70ff50b8a7a257"
KEY_AR = "1ad6a62fbb571ac535a8e668fefa3a50f169744d2c4884c07f8ad91548bcb865"
TABLE = (f'uat:ikev2_decryption_table:{SPI_I},{SPI_R},{KEY_EI},{KEY_ER},"AES-CBC-128 [RFC3602]",'
         f'{KEY_AI},{KEY_AR},"HMAC_SHA2_256_128 [RFC4868]"')

# Order matters: the first field that matches a line names it. A line is printed when its last field was seen.
LINES = [
    ("header", ["Initiator SPI: (.*)", "Responder SPI: (.*)", "Exchange type: .*\\((\\d+)\\)", "Flags: 0x(..).*",
                "Message ID: 0x(.*)", "Length: (\\d+)"]),
    ("proposal", ["Proposal number: (\\d+)", "Protocol ID: .*\\((\\d+)\\)", "SPI Size: (\\d+)",
                  "Proposal transforms: (\\d+)"]),
    ("transform", ["Transform Type: .*\\((\\d+)\\)", "Transform ID .*\\((\\d+)\\)"]),
    ("key_length", ["Key Length: (\\d+)"]),
    ("ke", ["DH Group #: .*\\((\\d+)\\)", "Key Exchange Data: (.*)"]),
    ("nonce", ["Nonce DATA: (.*)"]),
    ("id", ["ID type: .*\\((\\d+)\\)", "Identification Data:(.*)"]),
    ("auth", ["Authentication Method: .*\\((\\d+)\\)", "Authentication Data: (.*)"]),
    ("notify", ["Notify Message Type: .*\\((\\d+)\\)", "Notification DATA: (.*)"]),
    ("delete", ["Protocol ID: .*\\((\\d+)\\)", "SPI Size: (\\d+)", "Number of SPIs: (\\d+)"]),
    ("selector", ["Traffic Selector Type: .*\\((\\d+)\\)", "Protocol ID: (Unused|.*\\(\\d+\\))", "Start Port: (\\d+)",
                  "End Port: (\\d+)", "Starting Addr: (.*)", "Ending Addr: (.*)"]),
]


def fields_of(block):
    """Canonical lines of one frame of `tshark -V`."""
    seen = {}
    for line in (text.strip() for text in block.splitlines()):
        payload = re.fullmatch(r"Payload: (?!Proposal|Transform).*?\((\d+)\).*", line)
        if payload:
            yield f"payload {payload[1]}"
        for name, patterns in LINES:
            for i, pattern in enumerate(patterns):
                match = re.fullmatch(pattern, line)
                if not match:
                    continue
                got = seen.setdefault(name, {})
                got[i] = match[1].replace("<MISSING>", "-").replace("Unused", "0")
                if i == len(patterns) - 1 and len(got) == len(patterns):
                    yield " ".join([name, *(got[k] for k in sorted(got))])
                    seen.clear()


def inner_of(datagram):
    """(first payload type, plaintext) of a message that is an SK payload."""
    key = KEY_EI if datagram[19] & 8 else KEY_ER
    plain = subprocess.run(["openssl", "enc", "-d", "-aes-128-cbc", "-nopad", "-K", key, "-iv", datagram[32:48].hex()],
                           input=datagram[48:-16], stdout=subprocess.PIPE, check=True).stdout
    return datagram[28], plain[:len(plain) - 1 - plain[-1]]


def tshark(*args):
    return subprocess.run(["tshark", "-r", HERE / "strongswan.pcap", *args], stdout=subprocess.PIPE, text=True, check=True,
                          stderr=subprocess.DEVNULL).stdout


def main():
    payloads = tshark("-T", "fields", "-e", "udp.payload").split()
    blocks = tshark("-o", TABLE, "-V").split("\nFrame ")
    ports = tshark("-T", "fields", "-e", "udp.dstport").split()
    out = ["# Origin: strongswan.pcap through dissect.py (tshark's dissection, openssl's decryption)"]
    for text, block, port in zip(payloads, blocks, ports, strict=True):
        datagram = bytes.fromhex(text)[4 if port == "4500" else 0:]
        out.append(f"datagram {datagram.hex()}")
        if datagram[16] == 46:
            first, plain = inner_of(datagram)
            out.append(f"inner {first} {plain.hex() or '-'}")
        out += fields_of(block.split("Internet Security Association", 1)[1])
        out.append("end")
    (HERE / "strongswan.txt").write_text("\n".join(out) + "\n")


if __name__ == "__main__":
    main()

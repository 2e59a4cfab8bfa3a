#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Wireshark as an independent reader of our IKE: a whole negotiation of two engines, with rekeys of both kinds, deletes, a
virtual address, in the clear and behind NAT, is captured with its keys (tests/exchange/capture_tool.c). tshark has to
open every message, find its ICV right and nothing malformed, and see the payloads that RFC 7296 asks for in their order;
and it has to open ESP that was sealed with the keys of each Child SA."""

import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.environ["SALLYPORT_BUILD_DIR"], "tests/exchange/capture_tool")
CASES = {
    "plain_gcm_cbc": ("plain", "aes256gcm16-prfsha384-x25519", "aes128-sha256-x25519-noesn"),
    "nat_cbc_gcm": ("nat", "aes128-sha256-ecp256", "aes256gcm16-x25519-noesn"),
    "plain_gcm_sha1": ("plain", "aes128gcm16-prfsha256-x25519", "aes256-sha1-x25519-noesn"),
}
PAYLOADS = {33: "SA", 34: "KE", 35: "IDi", 36: "IDr", 39: "AUTH", 40: "No", 41: "N", 42: "D", 43: "V", 44: "TSi", 45: "TSr",
            46: "SK", 47: "CP"}
EXCHANGES = {34: "IKE_SA_INIT", 35: "IKE_AUTH", 36: "CREATE_CHILD_SA", 37: "INFORMATIONAL"}

# RFC 7296 1.2, 1.3.1-1.3.3, 1.4.1, 2.9 (16386: ADDITIONAL_TS_POSSIBLE), 2.19, 2.23; 3.10 lets notifies stand anywhere
STORY = """
IKE_SA_INIT request SA KE No N(16388) N(16389) N(16430)
IKE_SA_INIT response SA KE No N(16388) N(16389) N(16430)
IKE_AUTH request SK IDi N(16384) IDr AUTH CP SA TSi TSr
IKE_AUTH response SK IDr AUTH CP SA TSi TSr
CREATE_CHILD_SA request SK SA TSi TSr No KE
CREATE_CHILD_SA response SK SA TSi TSr No KE
CREATE_CHILD_SA request SK N(16393) SA TSi TSr No KE
CREATE_CHILD_SA response SK SA TSi TSr No KE
INFORMATIONAL request SK D
INFORMATIONAL response SK D
CREATE_CHILD_SA request SK N(16393) SA TSi TSr No KE
CREATE_CHILD_SA response SK SA TSi TSr No KE
INFORMATIONAL request SK D
INFORMATIONAL response SK D
CREATE_CHILD_SA request SK SA No KE
CREATE_CHILD_SA response SK SA No KE
INFORMATIONAL request SK D
INFORMATIONAL response SK
CREATE_CHILD_SA request SK SA TSi TSr No KE
CREATE_CHILD_SA response SK SA TSi TSr N(16386) No KE
CREATE_CHILD_SA request SK SA TSi TSr No KE
CREATE_CHILD_SA response SK SA TSi TSr No KE
INFORMATIONAL request SK D
INFORMATIONAL response SK D
INFORMATIONAL request SK D
INFORMATIONAL response SK
""".strip().split("\n")

ESP_PACKETS = 2 + 5 * 4 + 2  # one each way on each child after each part of the story


def tshark(folder, *arguments):
    options = ["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"]
    run = subprocess.run(["tshark", "-n", "-r", f"{folder}/capture.pcap", *options, *arguments], capture_output=True,
                         text=True, check=True, env={**os.environ, "WIRESHARK_CONFIG_DIR": folder})
    return run.stdout


def fields(folder, display, *names):
    out = tshark(folder, "-Y", display, "-T", "fields", *[a for name in names for a in ("-e", name)])
    return [line.split("\t") for line in out.split("\n") if line]


def message_text(exchange, response, payloads, notifies):
    """A line of STORY, and which notifies a payload 41 is in the order of the message."""
    left = notifies.split(",") if notifies else []
    words = []
    for number in payloads.split(","):
        # proposals and transforms are within SA
        if number in ("2", "3"):
            continue
        word = PAYLOADS.get(int(number), number)
        words.append(f"N({left.pop(0) if left else '?'})" if word == "N" else word)
    return f"{EXCHANGES.get(int(exchange), exchange)} {'response' if response == '1' else 'request'} {' '.join(words)}"


def check_story(folder):
    rows = fields(folder, "isakmp", "isakmp.exchangetype", "isakmp.flag_r", "isakmp.typepayload", "isakmp.notify.msgtype")
    seen = [message_text(*row) for row in rows]
    for wanted, got in zip(STORY, seen):
        if wanted != got:
            return f'"{got}" where "{wanted}" was expected'
    return None if len(seen) == len(STORY) else f"{len(seen)} messages of {len(STORY)}"


def check_nothing_wrong(folder):
    bad = fields(folder, "_ws.malformed || _ws.expert.severity >= 0x600000", "frame.number", "_ws.expert.message")
    return None if not bad else f"frame {bad[0][0]}: {' '.join(bad[0][1:]) or 'malformed'}"


def check_icvs(folder):
    text = tshark(folder, "-Y", "isakmp", "-V")
    sealed, good = sum(line.split()[-1] == "SK" or " SK " in line for line in STORY), text.count("[correct]")
    return None if good == sealed else f"{good} right ICVs in {sealed} protected messages"


def check_esp(folder):
    rows = fields(folder, "esp", "esp.spi", "udp.dstport", "data.data", "esp.icv_good")
    opened = [r for r in rows if r[1].split(",")[-1] == "9"]
    if len(rows) != ESP_PACKETS or len(opened) != len(rows):
        return f"{len(opened)} of {len(rows)} ESP packets opened, {ESP_PACKETS} expected"
    spis = {row[0] for row in rows}
    return None if len(spis) == 8 else f"{len(spis)} SPIs, 8 expected"


CHECKS = {"wireshark/every_message_has_its_payloads": check_story, "wireshark/nothing_is_malformed": check_nothing_wrong,
          "wireshark/every_icv_is_right": check_icvs, "wireshark/esp_opens_with_the_child_keys": check_esp}


def run_case(name, arguments):
    failed = 0
    with tempfile.TemporaryDirectory(prefix="sallyport-wireshark-") as folder:
        tool = subprocess.run([TOOL, folder, *arguments], capture_output=True, text=True, check=False)
        for check, function in CHECKS.items():
            reason = function(folder) if tool.returncode == 0 else f"capture_tool: {tool.stderr or tool.stdout}"
            print(f"PASS {check}/{name}" if not reason else f"FAIL {check}/{name} {reason}")
            failed += bool(reason)
    return failed


sys.exit(sum(run_case(name, arguments) for name, arguments in CASES.items()) != 0)

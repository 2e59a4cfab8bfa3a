#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks every #include of lib/ and app/ against the table of rooms (docs/architecture.md). Prints findings, nothing else.

A room may include its own headers, the public headers of the rooms in its row, and the libraries in its row. A header
named *_priv.h stays in its folder (subfolders of the room count as inside).
"""
import pathlib
import re
import sys

# room: (rooms it may include, libraries it may include)
ROOMS = {
    "base": ("", ""),
    "model": ("base", ""),
    "wire": ("base model", ""),
    "crypto": ("base model", "openssl"),
    "ike": ("base model wire crypto", ""),
    "conf": ("base model", "yaml"),
    "ipsec": ("base model", "dpdk imb openssl"),
    "datapath": ("base model ipsec", "dpdk"),
    "control": ("base model wire crypto ike conf ipsec datapath", "dpdk jansson"),
    "sallyportd": ("base model wire crypto ike conf ipsec datapath control", "dpdk"),
    # sallyctl shares the command table of room control (commands.h), none of its code
    "sallyctl": ("base model conf control", "jansson yaml"),
}
# In ipsec only the reference engine may use OpenSSL.
OPENSSL_IN_IPSEC = re.compile(r"crypto_ref")
LIBRARIES = {
    "dpdk": re.compile(r"rte_|ethdev_|bus_"),
    "imb": re.compile(r"intel-ipsec-mb|ipsec-mb"),
    "openssl": re.compile(r"openssl/"),
    "yaml": re.compile(r"yaml\.h"),
    "jansson": re.compile(r"jansson"),
    "curl": re.compile(r"curl/"),
    "microhttpd": re.compile(r"microhttpd"),
    "systemd": re.compile(r"systemd/"),
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

root = pathlib.Path(__file__).resolve().parents[2]


def folders():
    for parent in ("lib", "app"):
        for folder in sorted((root / parent).iterdir()):
            if folder.is_dir():
                yield folder


def headers_of_rooms():
    """header path inside its room -> room"""
    owner = {}
    for folder in folders():
        for header in folder.rglob("*.h"):
            owner.setdefault(str(header.relative_to(folder)), []).append(folder.name)
            owner.setdefault(header.name, []).append(folder.name)
    return owner


def library_of(name):
    return next((lib for lib, pattern in LIBRARIES.items() if pattern.match(name)), None)


def judge(path, room, quote, name, owner):
    rooms, libraries = (words.split() for words in ROOMS[room])
    library = library_of(name)
    if library:
        if library not in libraries or (
                (room, library) == ("ipsec", "openssl") and not OPENSSL_IN_IPSEC.search(path.name)):
            return f"room {room} may not include {library}"
        return None
    if quote == "<":
        return None
    homes = set(owner.get(name, []))
    if not homes or room in homes:
        return None if homes else "no such header in lib/ or app/"
    if name.endswith("_priv.h"):
        return f"private header of {', '.join(sorted(homes))}"
    if not homes & set(rooms):
        return f"room {room} may not include room {', '.join(sorted(homes))}"
    return None


def check_file(path, room, owner):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        problem = match and judge(path, room, *match.groups(), owner)
        if problem:
            yield f"{path.relative_to(root)}:{number}: {match.group(2)}: {problem}"


def main():
    owner = headers_of_rooms()
    findings = []
    for folder in folders():
        if folder.name not in ROOMS:
            findings.append(f"{folder.relative_to(root)}: no row for this room in {pathlib.Path(__file__).name}")
            continue
        for path in sorted([*folder.rglob("*.c"), *folder.rglob("*.h")]):
            findings += check_file(path, folder.name, owner)
    print("\n".join(findings), end="")
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()

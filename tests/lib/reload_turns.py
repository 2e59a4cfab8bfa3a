#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Reloads two gateways of pair topology turn after turn: SAs that stay, that change their keys, that come and go, and a
policy that changes. Each configuration is BASE, which is there already, and what the turn adds. A program of its own,
since a shell that forks a hundred thousand times waits for children that are not its own.

usage: reload_turns.py SALLYCTL WORK FIRST LAST     (WORK/gw-a.base.yaml, WORK/gw-a.sock, and of gw-b)
"""
import os
import subprocess
import sys

NEAR = {"a": ("192.0.2.1", "10.1.0"), "b": ("198.51.100.1", "10.2.0")}
OTHER = {"a": "b", "b": "a"}
COMING_AND_GOING = 7  # at most one less of them at a time, at side a


def key(direction, number):
    """16 bytes and 4 of salt (RFC 4106 8.1)"""
    return f"0x{direction:02x}{number:014x}{7:024d}"


def keys(name, direction_in, direction_out, number):
    return f'  - {{name: {name}, encr_in: "{key(direction_in, number)}", encr_out: "{key(direction_out, number)}"}}'


def sa(name, ends, spis, selectors):
    return (f"  - {{name: {name}, proposal: aes128gcm16, local: {ends[0]}, remote: {ends[1]}, spi_in: {spis[0]}, "
            f"spi_out: {spis[1]}, keys: {name}, lab_keys: true, local_selectors: [{selectors[0]}], "
            f"remote_selectors: [{selectors[1]}]}}")


def configured(side, turn):
    """(lines of the configuration, lines of the secrets)"""
    (near, net), (far, far_net) = NEAR[side], NEAR[OTHER[side]]
    inwards, outwards = (0, 1) if side == "a" else (1, 0)
    passing = range(1, turn % COMING_AND_GOING + 1) if side == "a" else ()
    lines = ["manual_sas:",
             sa("replaced", (near, far), (0x200 + inwards, 0x200 + outwards), (f"{net}.3", f"{far_net}.3")),
             sa("untouched", (near, far), (0x100 + inwards, 0x100 + outwards), (f"{net}.0/24", f"{far_net}.0/24"))]
    lines += [sa(f"x{i}", (near, f"198.51.100.{100 + i}"), (5000 + i, 6000 + i), (f"10.77.{i}.0/24", "10.78.0.0/16"))
              for i in passing]
    lines += ["policies:", f"  - {{name: changing, action: bypass, local_selectors: [{net}.0/24], "
                           f"remote_selectors: [10.{90 + turn % 9}.0.0/16]}}"]
    secrets = ["manual_keys:", keys("untouched", inwards, outwards, 1), keys("replaced", 2 + inwards, 2 + outwards, turn)]
    secrets += [keys(f"x{i}", 8, 9, turn * 8 + i) for i in passing]
    return lines, secrets


def write(path, lines):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as out:
        out.write("\n".join(lines) + "\n")


def prepare(work, side, turn):
    lines, secrets = configured(side, turn)
    with open(f"{work}/gw-{side}.base.yaml", encoding="ascii") as base:
        write(f"{work}/gw-{side}.yaml", [base.read(), *lines])
    write(f"{work}/gw-{side}.secrets.yaml", secrets)


def main():
    sallyctl, work, first, last = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for turn in range(first, last + 1):
        for side in NEAR:
            prepare(work, side, turn)
            if turn == 0:
                continue  # what they start with
            done = subprocess.run([sallyctl, "--socket", f"{work}/gw-{side}.sock", "reload"], capture_output=True, text=True,
                                  check=False)
            if done.returncode:
                sys.exit(f"turn {turn} of {side}: {done.stdout}{done.stderr}")


main()

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""IVs of many packets under one key: none twice, those of CBC random in every byte, none of them again after a restart.

10^6 packets of an SA through the library (iv_tool) for CBC and GCM, fewer for the other ciphers; then the daemon
itself, restarted with the same manual keys.
"""
import collections
import math
import random
import subprocess
import sys
import tempfile

try:
    from matrix import cells, probes
except ImportError as e:
    print(f"SKIP iv/all {e.name} is not installed")
    sys.exit(0)
from lab import gateway, results, table
from lab.namespace import Namespace
from lab.results import check
from matrix.traffic import Traffic
from oracle import headers

MANY, SOME, FIRST = 1000000, 100000, 1000
STARTS = 24
# packets, by suite; one of every cipher that has an IV on the wire
COUNTER = {"aes128gcm16": MANY, "aes256ccm16": SOME, "aes128ctr-sha256": SOME, "chacha20poly1305": SOME,
           "aes256gmac": SOME}
RANDOM = {"aes128-sha256": MANY, "3des-sha1": SOME}
IV_BYTES = {"aes128-sha256": 16}
# of a sum with 255 degrees of freedom, nine standard deviations: never by chance
CHI_SQUARE_MAX = 255 + 9 * math.sqrt(2 * 255)


def ivs(suite, count):
    """The IVs of the first packets of a new SA, always under the same key."""
    size = IV_BYTES.get(suite, 8)
    tool = table.build_dir() / "tests/packet/iv_tool"
    run = subprocess.run([tool, suite, str(count)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert run.returncode == 0, f"code {run.returncode}: {run.stderr.decode().strip().splitlines()[:1]}"
    raw = run.stdout
    assert len(raw) == count * size, f"{len(raw)} bytes of {count} IVs"
    return [raw[i:i + size] for i in range(0, len(raw), size)]


def never_twice(suite, count):
    """In one life of an SA, and with the first packets of the next one under the same key."""
    before = set(ivs(suite, count))
    assert len(before) == count, f"{count - len(before)} of {count} IVs were there before"
    again = before.intersection(ivs(suite, FIRST))
    assert not again, f"{len(again)} IVs again after a restart"


def chi_square(values, samples):
    """How far these counts of 256 values are from even."""
    expected = samples / 256
    return sum((values[v] - expected) ** 2 / expected for v in range(256))


def bytes_random(suite, count):
    """Every byte takes every value about equally often, and so does its step from packet to packet."""
    all_ivs = ivs(suite, count)
    for at in range(len(all_ivs[0])):
        column = bytes(iv[at] for iv in all_ivs)
        steps = bytes((b - a) & 0xff for a, b in zip(column, column[1:]))
        for what, data in (("values", column), ("steps", steps)):
            counts = collections.Counter(data)
            assert len(counts) == 256, f"byte {at}: {len(counts)} different {what}"
            sum_ = chi_square(counts, len(data))
            assert sum_ < CHI_SQUARE_MAX, f"byte {at}: chi-square of its {what} is {sum_:.0f}"


def counts_on(suite, count):
    """A counter of 64 bits."""
    numbers = [int.from_bytes(iv, "big") for iv in ivs(suite, count)]
    wrong = [n for n, after in zip(numbers, numbers[1:]) if after != (n + 1) % 2**64]
    assert not wrong, f"{wrong[0]:#x} is not followed by the next number"


def starts_anywhere(suite):
    """The counter begins at a value of which every byte is random."""
    starts = [ivs(suite, 1)[0] for _ in range(STARTS)]
    for at in range(8):
        different = len({s[at] for s in starts})
        assert different > STARTS // 2, f"byte {at} takes {different} values in {STARTS} starts"


def daemon_pairs():
    wanted = {"esp_aes128gcm16_tunnel_4in4", "esp_aes128_sha256_tunnel_4in4"}
    return cells.pairs([c for c in cells.combinations(table.rows()) if c.name in wanted], 1)[0]


def daemon_ivs(pairs):
    """(SPI, IV) of the packets that a freshly started daemon sends."""
    rng = random.Random()
    packets = [p for pair in pairs for p in probes.tunnel_out(pair, rng, [40] * (FIRST // 2))]
    with tempfile.TemporaryDirectory(prefix="sallyport-iv-") as work, Namespace("iv") as namespace:
        lines = gateway.network(namespace, [4], work) + ["manual_sas:", *(cells.setting(p) for p in pairs)]
        secrets = ["manual_keys:", *(cells.secret(p, False) for p in pairs)]
        traffic = Traffic(namespace)
        with gateway.Gateway(namespace, work, table.build_dir() / "app/sallyportd/sallyportd", lines, secrets):
            traffic.run([packets])
    assert len(traffic.got) == len(packets), f"{len(traffic.got)} of {len(packets)} packets came out"
    return [iv_of(next(p for p in pairs if p.spi_out == key[1]), packet) for key, packet in traffic.got.items()]


def iv_of(pair, packet):
    body = headers.front(headers.whole(packet))[2]
    return pair.spi_out, body[8:8 + pair.outbound.cipher.iv_bytes]


def daemon_restarted():
    pairs = daemon_pairs()
    before, after = daemon_ivs(pairs), daemon_ivs(pairs)
    assert len(set(before + after)) == len(before) + len(after), "an IV came twice"


def main():
    for suite, count in (COUNTER | RANDOM).items():
        check(f"iv/never_twice_{suite}", never_twice, suite, count)
    for suite, count in RANDOM.items():
        check(f"iv/bytes_random_{suite}", bytes_random, suite, count)
    for suite in COUNTER:
        check(f"iv/counts_on_{suite}", counts_on, suite, FIRST)
    check("iv/starts_anywhere_aes128gcm16", starts_anywhere, "aes128gcm16")
    check("iv/daemon_restarted", daemon_restarted)
    sys.exit(1 if results.failures else 0)


if __name__ == "__main__":
    main()

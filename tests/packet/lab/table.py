# SPDX-License-Identifier: BSD-3-Clause
"""The gateway's algorithm table, printed by alg_table of a build, and every suite of ESP and AH that its rows make."""
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from oracle.sa import Suite as OracleSuite

ROOT = Path(__file__).resolve().parents[3]


def build_dir():
    return Path(os.environ.get("SALLYPORT_BUILD_DIR", ROOT / "build/release"))


def rows():
    program = build_dir() / "tests/packet/alg_table"
    return json.loads(subprocess.run([program], stdout=subprocess.PIPE, check=True).stdout)


@dataclass(frozen=True)
class TableSuite:
    protocol: str  # "esp" or "ah"
    encr: tuple = ()  # of dict items, so that it can be a key
    integ: tuple = ()

    def row(self, kind):
        return dict(getattr(self, kind)) or None

    @property
    def words(self):
        return [row["keyword"] for row in (self.row("encr"), self.row("integ")) if row]

    @property
    def implicit(self):
        return bool(self.encr) and self.row("encr")["iiv"]

    @property
    def counter(self):
        return any(row and row["counter"] for row in (self.row("encr"), self.row("integ")))

    @property
    def name(self):
        return "_".join([self.protocol, *self.words])

    def oracle(self, rng):
        """The suite by numbers, with fresh keys of the lengths that the table says."""
        encr, integ = self.row("encr"), self.row("integ")

        def key(row):
            return rng.randbytes(row["key_bytes"] + row["salt_bytes"]) if row else b""
        return OracleSuite(self.protocol, encr["id"] if encr else 0, encr["key_bits"] if encr else 0, key(encr),
                           integ["id"] if integ else 0, key(integ))


def suites(table):
    """Every ESP suite (each AEAD; each other cipher with each MAC), then every AH suite."""
    def of(kind, flag):
        return [row for row in table if row["type"] == kind and row[flag]]

    def items(row):
        return tuple(row.items())
    for encr in of("encr", "esp"):
        if encr["aead"]:
            yield TableSuite("esp", items(encr))
        else:
            yield from (TableSuite("esp", items(encr), items(integ)) for integ in of("integ", "esp"))
    yield from (TableSuite("ah", integ=items(integ)) for integ in of("integ", "ah"))

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Every row of docs/rfc-matrix.md says yes or no, a yes names its tests, and every test named exists: a function of a C
# program (the program's name may be left out), a name in a script ($variable and {expression} stand for anything; the
# end of a path may be left out), a fuzz target. With "*" behind it: one that begins so.
# usage: matrix_tests.py REPOSITORY; prints the rows that do not hold, exit code 1 then.

import fnmatch
import pathlib
import re
import sys

ROW = re.compile(r"^\| RFC \d+")
SHELL = re.compile(r'\b(check|pass|fail|skip|feature|run_case) "?((?:\$\(.*?\)|[^\s"-])(?:\$\(.*?\)|[^\s"])+)')
FEATURES = ("feature", "run_case")  # what they print begins with interop/
PYTHON = re.compile(r'"([a-z]\w*/[^"\s]+)"')
PYTHON_FEATURE = re.compile(r'\bf"([a-z]\w*-[^"\s]+)"')
VARIABLE = re.compile(r"\$\(.*?\)|\$\{.*?\}|\$\w+|\{[^}]*\}+")
LITERAL_MIN = 4  # at the head of a name that a script computes; with less it could be any name


def c_names(file):
    text = file.read_text()
    for program in re.findall(r'test_main\("(\w+)"', text):
        for test in re.findall(r"\bTEST\((\w+)\)", text):
            yield from (test, f"{program}/{test}")


def script_names(file):
    text = file.read_text()
    if file.suffix == ".sh":
        names = [f"interop/{name}" if verb in FEATURES else name for verb, name in SHELL.findall(text)]
    else:
        names = PYTHON.findall(text) + [f"interop/{name}" for name in PYTHON_FEATURE.findall(text)]
    for name in names:
        pattern = VARIABLE.sub("*", name)
        if "*" not in pattern or pattern.removeprefix("interop/").index("*") >= LITERAL_MIN:
            yield pattern


def known_names(tests):
    names = {f"fuzz/{file.stem}" for file in (tests / "fuzz").glob("fuzz_*.c")}
    for file in tests.rglob("*"):
        if file.suffix == ".c":
            names |= set(c_names(file))
        elif file.suffix in (".sh", ".py") and file.parent.name != "lint":
            names |= set(script_names(file))
    return names


def exists(wanted, known):
    if wanted.endswith("*"):
        start = wanted[:-1]
        heads = {name: name.split("*")[0] for name in known}
        return any(head.startswith(start) or (head != name and start.startswith(head)) for name, head in heads.items())
    return any(fnmatch.fnmatchcase(wanted, name) or name.startswith(wanted + "/") for name in known)


def fault(line, known):
    cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
    if len(cells) != 4:
        return f"{len(cells)} columns"
    state, tests = cells[2], [] if cells[3] == "-" else cells[3].split(", ")
    if not re.match(r"(yes|no)\b", state):
        return "neither yes nor no"
    if state.startswith("yes") and not tests:
        return "yes without a test"
    return ", ".join(f"no test {test}" for test in tests if not exists(test, known))


def main():
    root = pathlib.Path(sys.argv[1])
    known = known_names(root / "tests")
    rows = [line for line in (root / "docs/rfc-matrix.md").read_text().splitlines() if ROW.match(line)]
    faults = [f"rfc-matrix.md: {why}: {line}" for line in rows if (why := fault(line, known))]
    print("\n".join(faults))
    return bool(faults)


sys.exit(main())

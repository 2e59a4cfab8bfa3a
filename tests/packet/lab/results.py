# SPDX-License-Identifier: BSD-3-Clause
"""Result lines as tests/run.sh counts them: PASS NAME, FAIL NAME REASON."""
import sys
import traceback

failures = 0


def passed(name):
    print(f"PASS {name}", flush=True)


def failed(name, reason):
    global failures
    failures += 1
    print(f"FAIL {name} {reason}", flush=True)


def check(name, function, *arguments):
    """One named test: passes when the function returns. True when it did."""
    try:
        function(*arguments)
    except Exception as e:  # whatever goes wrong is the test's failure
        if not isinstance(e, AssertionError):
            traceback.print_exc(file=sys.stderr)
        failed(name, " ".join(str(e).split()) or type(e).__name__)
        return False
    passed(name)
    return True


def same(what, got, expected):
    assert got == expected, f"{what}: {shown(got)} is not {shown(expected)}"


def shown(value):
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 120 else text[:117] + "..."

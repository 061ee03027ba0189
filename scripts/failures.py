#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""failures.py TESTLOG.json: the tests that did not pass, each with the end of what it printed.

The last words of a check: whoever sees only the end of a long log sees what failed, too."""
import json
import sys

LINES = 12
FINE = ("OK", "SKIP", "EXPECTEDFAIL")


def end_of(test):
    lines = [line for key in ("stdout", "stderr") for line in (test.get(key) or "").splitlines() if line.strip()]
    return lines[-LINES:]


def main():
    with open(sys.argv[1], encoding="utf-8") as f:
        tests = [json.loads(line) for line in f]
    for test in tests:
        if test["result"] not in FINE:
            print(f"{test['name']}: {test['result'].lower()} after {test['duration']:.0f} s")
            print("".join(f"  {line[:200]}\n" for line in end_of(test)), end="")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the unit tests' programs under valgrind: valgrind.py BUILD

What sanitizers do not see: memory that is read before it is written, in code
that was not built for it. Exit 77 says why not.
"""
import json
import os
import shutil
import subprocess
import sys

# Thousands of injected failures: an hour under valgrind, and run under AddressSanitizer.
LEFT_OUT = ["memory", "faults", "faults-arm64"]
VALGRIND = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect,possible"]


def skip(why):
    print(f"SKIP: valgrind: {why}")
    sys.exit(77)


def main(build):
    if not shutil.which(VALGRIND[0]):
        skip("valgrind is not installed")
    if subprocess.run([*VALGRIND, "true"], capture_output=True).returncode:
        skip("valgrind does not run here")
    ran = subprocess.run(["meson", "introspect", "--tests", build], capture_output=True, text=True, check=True)
    inside = os.path.join(os.path.abspath(build), "tests", "unit") + os.sep
    tests = [t for t in json.loads(ran.stdout) if os.path.abspath(t["cmd"][0]).startswith(inside)
             and t["name"] not in LEFT_OUT]
    bad = 0
    # the same code many thousand times teaches valgrind nothing
    env = dict(os.environ, UNIT_EVERY="61")
    for t in tests:
        ran = subprocess.run([*VALGRIND, *t["cmd"]], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                             env=env)
        if ran.returncode not in (0, 77):
            bad += 1
            print(f"{t['name']}: exit {ran.returncode}\n{ran.stdout[-2000:]}{ran.stderr[-4000:]}")
    print(f"valgrind: {len(tests)} programs, {bad} wrong")
    if len(tests) < 5:
        print("valgrind: too few programs, were they renamed?")
    sys.exit(1 if bad or len(tests) < 5 else 0)


main(sys.argv[1])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The software KVM beside the real one: tests/walk in known kernels.

    walk.py --build DIR [--results DIR] 6.12 [CPU...]    the gate, one kernel
    walk.py --build DIR [--results DIR] --report         a line for each newer kernel, never a failure

In each kernel its KVM is probed, and the software KVM loaded with that; then every MSR, bit of the control
registers, capability and area of a vCPU is tried on both. What is in NOT_YET may differ.

Exit status: 0 the same; 1 not; 77 the kernel, QEMU or a compiler cannot be had, with a reason; 4 the
outer kernel failed twice, which is no verdict.
"""

import argparse
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import static  # noqa: E402
from aptstate import CannotBeHad  # noqa: E402
from boot import Spec, boot  # noqa: E402

CPUS = {"max": "max,-cx16", "rome": "EPYC-Rome,-cx16", "opteron-g3": "Opteron_G3,-cx16"}
OTHERS = ("6.18", "7.2", "newest")
SKIP = 77
LINES_LEAST = 4500
# What the software KVM does not do yet, or not in full, and why it may differ for now.
NOT_YET = (
    (r"switches: cap (197|206) with", "confidential guests, which are not played"),
    (r"MSR 40000071 ", "interrupts through Hyper-V's command register"),
)
TOTAL = re.compile(r"^(\d+) lines of (\d+) are not the same$", re.M)


def run(series, cpu, folder):
    """{"line", "failed", "status"} of one kernel on one CPU; raises CannotBeHad, BuildFailed."""
    command = static.build("x86", folder)
    tool = os.path.join(os.path.dirname(command), "tests/walk/walk_x86")
    result = boot(Spec("x86", ["walk_x86 compare"], series=series, cpu=CPUS[cpu], files=[(tool, "/bin/walk_x86")],
                       command_limit=150))
    if result["status"] != "done":
        return {"status": 4, "line": f"infrastructure: {result['attempts'][-1]['reason']}", "failed": []}
    ran = result["commands"][0]
    total = TOTAL.search(ran["stdout"])
    lines = [line for line in ran["stdout"].splitlines() if line.startswith(("KVM ", "model "))]
    failed = [line for line in lines if not any(re.search(pattern, line) for pattern, _ in NOT_YET)]
    if not total or ran["status"] not in (0, 1):
        failed.append(f"it did not end: {ran['status']} {ran['stderr'][-300:]}")
    elif int(total[2]) < LINES_LEAST:
        failed.append(f"it tried too little: {total[0]}")
    line = f"{total[2] if total else '?'} lines, {len(failed)} differ, {len(lines) - len(failed)} more that may for now"
    return {"status": int(bool(failed)), "line": line, "failed": failed, "release": result["release"]}


def one(series, cpu, arguments):
    try:
        found = run(series, cpu, arguments.build)
    except CannotBeHad as error:
        print(f"SKIP: kernels: walk on {series}: {error}", flush=True)
        return SKIP
    except static.BuildFailed as error:
        print(f"{series}: the static command does not build: {error}")
        return 1
    if arguments.results:
        os.makedirs(arguments.results, exist_ok=True)
        with open(os.path.join(arguments.results, f"walk-{series}-{cpu}.json"), "w", encoding="utf-8") as file:
            json.dump({"series": series, "cpu": cpu, **found}, file)
    for line in found["failed"][:60]:
        print(line)
    print(f"{series} {cpu} ({found.get('release', '?')}): {found['line']}", flush=True)
    return found["status"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", required=True, help="where the static commands are built")
    parser.add_argument("--results", help="where what has run is kept")
    parser.add_argument("--report", action="store_true", help="newer kernels: tell, never fail")
    parser.add_argument("series", nargs="?")
    parser.add_argument("cpu", nargs="*")
    arguments = parser.parse_args()
    if not arguments.report and not arguments.series:
        parser.error("expected a series such as 6.12, or --report")
    if any(cpu not in CPUS for cpu in arguments.cpu):
        parser.error(f"CPUs are {', '.join(CPUS)}")
    ended = [one(series, cpu, arguments) for series in ([arguments.series] if arguments.series else OTHERS)
             for cpu in arguments.cpu or ["max"]]
    if arguments.report:
        return 0
    verdicts = [status for status in ended if status != SKIP]
    return max(verdicts) if verdicts else SKIP


if __name__ == "__main__":
    sys.exit(main())

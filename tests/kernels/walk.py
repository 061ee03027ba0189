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

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gate  # noqa: E402
import static  # noqa: E402
from boot import Spec, boot  # noqa: E402

CPUS = {"max": "max,-cx16", "rome": "EPYC-Rome,-cx16", "opteron-g3": "Opteron_G3,-cx16"}
OTHERS = ("6.18", "7.2", "newest")
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
    if gate.no_verdict(result):
        return gate.no_verdict(result)
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
    """Exit status of one kernel on one CPU; tells about it."""
    found = gate.tried(f"walk on {series} {cpu}", lambda: run(series, cpu, arguments.build))
    if "line" in found:
        gate.keep(arguments.results, f"walk-{series}-{cpu}", {"series": series, "cpu": cpu, **found})
        gate.tell(f"{series} {cpu} ({found.get('release', '?')})", found, 60)
    return found["status"]


def main():
    parser = gate.options(__doc__, required=["build"])
    parser.add_argument("series", nargs="?")
    parser.add_argument("cpu", nargs="*")
    arguments = parser.parse_args()
    if not arguments.report and not arguments.series:
        parser.error("expected a series such as 6.12, or --report")
    if any(cpu not in CPUS for cpu in arguments.cpu):
        parser.error(f"CPUs are {', '.join(CPUS)}")
    return gate.ended([one(series, cpu, arguments) for series in ([arguments.series] if arguments.series else OTHERS)
                       for cpu in arguments.cpu or ["max"]], arguments.report)


if __name__ == "__main__":
    sys.exit(main())

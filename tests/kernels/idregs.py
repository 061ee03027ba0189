#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What KVM on arm64 takes, foretold and promised, on real KVM: tests/idregs in known kernels.

    idregs.py --build DIR [--results DIR] 6.12 [CPU...]    the gate, one kernel on each CPU
    idregs.py --build DIR [--results DIR] --report         a line for each newer kernel, never a failure
    idregs.py --results DIR --table                        what has run, a line for each

Exit status: 0 as foretold; 1 not; 77 the kernel, QEMU or a compiler cannot be had, with a reason; 4 the
outer kernel failed twice, which is no verdict.
"""

import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gate  # noqa: E402
import static  # noqa: E402
from boot import Spec, boot  # noqa: E402

# The architecture's own, two cores as they are, and one without AArch32.
CPUS = {"max": ("max,pauth-impdef=on", "mte=on"), "neoverse-n1": ("neoverse-n1", ""),
        "cortex-a76": ("cortex-a76", ""), "a64fx": ("a64fx", "")}
OTHERS = ("6.18", "7.2", "newest")
TOTAL = re.compile(r"^prediction: (\d+) fields tried, (\d+) values tried, disagreements (\d+)$", re.M)
CHECKS = re.compile(r"^assertions: (\d+) checks, (\d+) failed$", re.M)
# What these kernels must at least have had to say: less was not all of it.
VALUES_LEAST, CHECKS_LEAST = 50000, {"6.1": 7}


def run(series, cpu, folder):
    """{"line", "failed", "status"} of one kernel on one CPU; raises CannotBeHad, BuildFailed."""
    command = static.build("arm64", folder)
    tool = os.path.join(os.path.dirname(command), "tests/idregs/idregs")
    model, machine = CPUS[cpu]
    # and what a user does: this host, and the model of its own name
    verify = [f"guestcpu verify --json --vcpus 2 -c {request}" for request in ("host", "armv8.0-a" if cpu == "max" else cpu)]
    result = boot(Spec("arm64", ["idregs --predict", "idregs --assert", *verify], series=series, cpu=model,
                       machine=machine, files=[(tool, "/bin/idregs"), (command, "/bin/guestcpu")], command_limit=90))
    if gate.no_verdict(result):
        return gate.no_verdict(result)
    predicted, promised, *verified = result["commands"]
    total, checks = TOTAL.search(predicted["stdout"]), CHECKS.search(promised["stdout"])
    failed = [line for ran in (predicted, promised) for line in ran["stdout"].splitlines()
              if line.startswith(("DIFFERS", "FAIL", "     ")) and not line.rstrip().endswith(" 0 disagreements")]
    if not total or not checks or predicted["status"] not in (0, 1) or promised["status"] not in (0, 1):
        failed.append(f"it did not end: {predicted['status']} {promised['status']} {predicted['stderr'][-300:]}")
    elif int(total[2]) < VALUES_LEAST or int(checks[1]) < CHECKS_LEAST.get(series, 18):
        failed.append(f"it tried too little: {total[0]}, {checks[0]}")
    elif not (predicted["status"] or promised["status"]):
        failed = []
    failed += [wrong for ran in verified for wrong in wrong_fields(ran)]
    line = (f"{total[1] if total else '?'} fields tried, {total[2] if total else '?'} values tried, "
            f"disagreements {total[3] if total else '?'}; {checks[0] if checks else 'no assertions'}")
    return {"status": int(bool(failed)), "line": line, "failed": failed, "release": result["release"]}


def wrong_fields(ran):
    """What a `verify` that should hold says against it; each guest reads every register on both of its vCPUs."""
    try:
        document = json.loads(ran["stdout"])
    except ValueError:
        return [f"{ran['command']}: {ran['status']} {ran['stderr'][-300:]}"]
    wrong = [f"{ran['command']}: {f['name']} is {f['guest']}, not {f['planned']}" for f in document.get("features", [])
             if f["verdict"] in ("mismatched", "overridden")]
    if document.get("guest_error") or ran["status"] or document.get("summary", {}).get("matched", 0) < 100:
        wrong.append(f"{ran['command']}: {ran['status']}, {document.get('guest_error')}, {document.get('summary')}")
    return wrong


def table(results):
    for found in gate.kept(results, "idregs"):
        print(f"arm64 {found['series']:7} {found['cpu']:12} {found['line']}")
    return 0


def one(series, cpu, arguments):
    """Exit status of one kernel on one CPU; tells about it."""
    found = gate.tried(f"idregs on arm64 {series} {cpu}", lambda: run(series, cpu, arguments.build))
    if "line" in found:
        gate.keep(arguments.results, f"idregs-{series}-{cpu}", {"series": series, "cpu": cpu, **found})
        gate.tell(f"arm64 {series} {cpu}", found, 60)
    return found["status"]


def main():
    parser = gate.options(__doc__)
    parser.add_argument("--table", action="store_true", help="a line for each that has run")
    parser.add_argument("series", nargs="?")
    parser.add_argument("cpu", nargs="*")
    arguments = parser.parse_args()
    if arguments.table and arguments.results:
        return table(arguments.results)
    wanted = [arguments.series] if arguments.series else OTHERS if arguments.report else []
    if not arguments.build or not wanted or any(cpu not in CPUS for cpu in arguments.cpu):
        parser.error("expected --build, a kernel such as 6.12, and CPUs of " + " ".join(CPUS))
    return gate.ended([one(series, cpu, arguments) for series in wanted for cpu in arguments.cpu or CPUS], arguments.report)


if __name__ == "__main__":
    sys.exit(main())

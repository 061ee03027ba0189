#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Conformance of known kernels: `guestcpu conform` on their real KVM.

    conform.py --build DIR [--results DIR] x86:6.12    the gate, one kernel
    conform.py --build DIR [--results DIR] --cpu opteron-g3 x86:6.1    the same on a CPU that is not QEMU's best
    conform.py --build DIR [--results DIR] --report    a line for each newer kernel, never a failure
    conform.py --here CMD [--results DIR] [--on BACKEND]   this machine's KVM, or another backend of CMD
    conform.py --results DIR --table                   what has run, a line for each

What is expected stands in the cases (src/conform).  Here is only how much must
at least have been tried, and why a case may be skipped on such a kernel.

Exit status: 0 every case holds; 1 not; 77 the kernel, QEMU or a compiler cannot be had, with a reason; 4 the
outer kernel failed twice, which is no verdict.
"""

import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gate  # noqa: E402
import static  # noqa: E402
from boot import Spec, boot  # noqa: E402

OTHERS = ("x86:6.18", "x86:7.2", "x86:newest", "arm64:6.18", "arm64:7.2", "arm64:newest")
# opteron-g3: its CPUID ends before leaf 6: no leaf 7, no XSAVE. cortex-a76: no SVE, no pointer authentication, no EL1_32BIT.
CPUS = {"x86": {"opteron-g3": "Opteron_G3,-cx16", "rome": "EPYC-Rome,-cx16"}, "arm64": {"cortex-a76": "cortex-a76"}}
# Fewer would not be all of it.
CASES_LEAST = {"x86": 240, "arm64": 97}


def judge(ran, partly=False):
    """{"line", "failed", "status", "skipped", "host"} of what a command said; ran: status, stdout, stderr."""
    try:
        document = json.loads(ran["stdout"])
        cases, summary, host = document["cases"], document["summary"], document["host"]
    except (ValueError, KeyError):
        return {"status": 1, "line": f"it did not end: {ran['status']}", "skipped": [], "host": {},
                "failed": [ran["stderr"][-300:], ran["stdout"][-600:]]}
    failed = [f"{case['name']} ({case['source']}): {why}" for case in cases for why in case["failures"]]
    skipped = [f"{case['name']}: {case['reason']}" for case in cases if case["outcome"] == "skipped"]
    if not partly and summary["cases"] < CASES_LEAST[document["arch"]]:
        failed.append(f"it tried too little: {summary}")
    if ran["status"] != int(bool(summary["failed"])):
        failed.append(f"exit status {ran['status']} {ran['stderr'][-300:]}")
    line = (f"{summary['cases']} cases, {summary['passed']} passed, {summary['failed']} failed, "
            f"{summary['skipped']} skipped; {summary['checks']} assertions")
    return {"status": int(bool(failed)), "line": line, "failed": failed, "skipped": skipped, "host": host}


def here(command, backend):
    """The same on this machine; None without a KVM."""
    done = subprocess.run([command, "conform", "--json", *(["--on", backend] if backend else [])],
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode == 3:
        print(f"SKIP: conform: {json.loads(done.stdout)['error']['text']}", flush=True)
        return None
    return judge({"status": done.returncode, "stdout": done.stdout, "stderr": done.stderr})


def run(kernel, folder, only=None, cpu=None):
    """{"line", "failed", "status", ...} of one kernel; raises CannotBeHad, BuildFailed."""
    arch, _, series = kernel.partition(":")
    command = static.build(arch, folder)
    line = "guestcpu conform --json" + (f" --only '{only}'" if only else "")
    result = boot(Spec(arch, [line], series=series, cpu=CPUS[arch][cpu] if cpu else gate.CPU[arch],
                       machine="" if cpu else gate.MACHINE[arch], files=[(command, "/bin/guestcpu")], command_limit=150))
    if gate.no_verdict(result):
        return {**gate.no_verdict(result), "skipped": []}
    return {**judge(result["commands"][0], bool(only)), "release": result["release"]}


def keep(results, kernel, found, cpu=None):
    kernel = f"{kernel} {cpu}" if cpu else kernel
    gate.keep(results, f"conform-{re.sub('[:/ ]', '-', kernel)}", {"kernel": kernel, **found})


def table(results):
    for found in gate.kept(results, "conform"):
        arch, _, series = found["kernel"].partition(":")
        who = f"{found['host'].get('module', '?')} {found['host'].get('kernel', '?')}" if found["kernel"] == "here" else \
            found["kernel"] if arch == "model" else f"{arch} {series}"
        print(f"conform {who:32} {found['line']}")
    return 0


def one(kernel, arguments):
    """Exit status of one kernel; tells about it."""
    where = " ".join(filter(None, (kernel, arguments.cpu)))
    found = gate.tried(f"conform on {where}", lambda: run(kernel, arguments.build, arguments.only, arguments.cpu))
    if "line" in found:
        keep(arguments.results, kernel, found, arguments.cpu)
        for line in found["skipped"] if arguments.skipped else []:
            print(line)
        gate.tell(f"{where} ({found.get('release', '?')})", found, 80)
    return found["status"]


def main():
    parser = gate.options(__doc__)
    parser.add_argument("--table", action="store_true", help="a line for each that has run")
    parser.add_argument("--here", metavar="CMD", help="on this machine, by this command")
    parser.add_argument("--on", help="with --here: the backend")
    parser.add_argument("--cpu", choices=sorted({name for cpus in CPUS.values() for name in cpus}), help="another CPU")
    parser.add_argument("--only", help="cases by pattern")
    parser.add_argument("--skipped", action="store_true", help="tell what was skipped, too")
    parser.add_argument("kernel", nargs="*")
    arguments = parser.parse_args()
    if arguments.table and arguments.results:
        return table(arguments.results)
    if arguments.here:
        found = here(arguments.here, arguments.on)
        if not found:
            return gate.SKIP
        keep(arguments.results, arguments.on or "here", found)
        print("\n".join([*found["failed"][:80], found["line"]]))
        return found["status"]
    wanted = arguments.kernel or (OTHERS if arguments.report else [])
    if not arguments.build or not wanted or any(kernel.partition(":")[0] not in CPUS for kernel in wanted):
        parser.error("expected --build and a kernel such as x86:6.12")
    if arguments.cpu and any(arguments.cpu not in CPUS[kernel.partition(":")[0]] for kernel in wanted):
        parser.error(f"{arguments.cpu} is not of that architecture")
    return gate.ended([one(kernel, arguments) for kernel in wanted], arguments.report)


if __name__ == "__main__":
    sys.exit(main())

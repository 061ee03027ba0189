#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The software KVM against the real one: tests/differ, random sequences in known kernels.

    differ.py --build DIR [--results DIR] [--n 2000] x86:6.12...      the gate: no disagreement
    differ.py --build DIR [--results DIR] [--n 2000] --report         a line for each newer kernel, never a failure
    differ.py --build DIR [--results DIR] --long 100000               that many in all, over the gate's kernels and newer ones
    differ.py --results DIR --table                                   what has run, a line for each

Exit status: 0 no disagreement; 1 some; 77 the kernel, QEMU or a compiler cannot be had, with a reason; 4 the outer
kernel failed twice, which is no verdict.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gate  # noqa: E402
import static  # noqa: E402
from boot import Spec, boot  # noqa: E402

KERNELS = ("x86:6.1", "x86:6.12", "arm64:6.1", "arm64:6.12")
OTHERS = ("x86:6.18", "x86:7.2", "arm64:6.18", "arm64:7.2")
TOTAL = re.compile(r"^(\d+) sequences, (\d+) steps, (\d+) disagreements$", re.M)
KILLED = "a job ended by signal"
PER_BOOT = 5000 # of the long mode: about three minutes


def run(kernel, arguments, seed, n):
    """One boot, and a second where a job of the first was killed. On 6.12 of arm64 the outer kernel does that
    now and then, in another sequence each time; a fault of ours comes with the same sequence again."""
    found = once(kernel, arguments, seed, n)
    return once(kernel, arguments, seed, n) if found.get("killed") else found


def once(kernel, arguments, seed, n):
    """{"line", "failed", "status", ...} of one boot; raises CannotBeHad, BuildFailed."""
    arch, series = kernel.split(":")
    command = static.build(arch, arguments.build)
    tool = os.path.join(os.path.dirname(command), "tests/differ/differ")
    result = boot(Spec(arch, [f"differ --seed {seed} --n {n} --jobs 2"], series=series, cpu=gate.CPU[arch],
                       machine=gate.MACHINE[arch], files=[(tool, "/bin/differ")], limit=120 + n * 0.1))
    if gate.no_verdict(result):
        return gate.no_verdict(result)
    ran = result["commands"][0]
    total = TOTAL.search(ran["stdout"])
    found = {"status": ran["status"], "failed": ran["stdout"].splitlines(), "release": result["release"], "seed": seed,
             "line": total[0] if total else f"it did not end: {ran['status']} {ran['stderr'][-300:]}"}
    if not total or int(total[1]) < n:
        found["status"] = found["status"] or 1
        found["killed"] = KILLED in ran["stdout"]
    else:
        found.update(zip(("sequences", "steps", "disagreements"), map(int, total.groups())))
        found["status"] = int(found["disagreements"] > 0)
    return found


def table(results):
    sequences = disagreements = 0
    for found in gate.kept(results, "differ"):
        sequences += found.get("sequences", 0)
        disagreements += found.get("disagreements", 0)
        print(f"{found['kernel'].replace(':', ' '):12} model and KVM: {found['line']}")
    print(f"in all {sequences} sequences, {disagreements} disagreements")
    return 0


def one(kernel, arguments, seed, n):
    """What one boot found; tells about it."""
    found = gate.tried(f"differ on {kernel}", lambda: run(kernel, arguments, seed, n))
    if "line" in found:
        gate.tell(kernel, found, 120)
    return found


def several(kernel, arguments, n):
    """N sequences in as many boots as that takes."""
    done = {"sequences": 0, "steps": 0, "disagreements": 0, "status": gate.SKIP}
    for seed in range(arguments.seed, arguments.seed + (n + PER_BOOT - 1) // PER_BOOT):
        found = one(kernel, arguments, seed, min(PER_BOOT, n - done["sequences"]))
        if "sequences" not in found:
            return {**done, **found}
        for name in ("sequences", "steps", "disagreements"):
            done[name] += found[name]
        done["status"] = int(done["disagreements"] > 0)
    done["line"] = f"{done['sequences']} sequences, {done['steps']} steps, {done['disagreements']} disagreements"
    return done


def main():
    parser = gate.options(__doc__)
    parser.add_argument("--n", type=int, default=2000, help="sequences for each kernel")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", type=int, metavar="N", help="N sequences in all, of these kernels or every one")
    parser.add_argument("--table", action="store_true", help="a line for each that has run")
    parser.add_argument("kernel", nargs="*")
    arguments = parser.parse_args()
    if arguments.table and arguments.results:
        return table(arguments.results)
    wanted = arguments.kernel or (OTHERS if arguments.report else KERNELS + OTHERS if arguments.long else ())
    if not arguments.build or not wanted:
        parser.error("expected --build and a kernel such as x86:6.12")
    n = -(-arguments.long // len(wanted)) if arguments.long else arguments.n
    ended = []
    for kernel in wanted:
        found = several(kernel, arguments, n)
        if "line" in found:
            kept = {key: value for key, value in found.items() if key != "failed"}
            gate.keep(arguments.results, f"differ-{kernel.replace(':', '-')}", {"kernel": kernel, **kept})
        ended.append(found["status"])
    return gate.ended(ended, arguments.report)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Features alive on a real KVM of a known kernel: every exercise, every control.

    alive.py --build DIR --results DIR arm64:6.12    the gate, one kernel
    alive.py --build DIR --results DIR --report      a line for each other kernel
    alive.py --results DIR --table                   kernel x feature, of what has run
    alive.py --results DIR --doc FILE                docs/pv-features.md from the same

What must come of it is known from KVM's documents and source (see RUNS and
BEHAVIOURS), never taken from guestcpu's own output.  A feature counts as
working on a kernel when one run shows it and none shows anything else than
that or nothing; whatever leaks or fails is a failure.

Exit status: 0 as expected; 1 not; 77 the kernel, QEMU or a compiler cannot be
had, with a reason; 4 the outer kernel failed twice, which is no verdict.
--report never fails: it only tells.
"""

import argparse
import dataclasses
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import alive_doc  # noqa: E402
import static  # noqa: E402
import alive_facts  # noqa: E402
import alive_facts_arm64  # noqa: E402
from alive_facts import SERIES  # noqa: E402
from aptstate import CannotBeHad  # noqa: E402
from boot import Spec, boot  # noqa: E402
from gate import CPU, SKIP  # noqa: E402

GATE = ("x86:6.1", "x86:6.12", "arm64:6.1", "arm64:6.12")
OTHERS = ("x86:6.18", "x86:7.2", "x86:newest", "arm64:7.2", "arm64:newest")
FACTS = {"x86": alive_facts, "arm64": alive_facts_arm64}
EXERCISE_MS = 20000
# Another clock source than the TSC, which KVM then has no stable clock from.
HPET = "clocksource=hpet"


@dataclasses.dataclass
class Findings:
    """What one kernel has shown."""
    kernel: str
    release: str = ""
    arch: str = ""
    infrastructure: int = 0
    seconds: float = 0.0
    held: int = 0
    failed: list = dataclasses.field(default_factory=list)
    features: dict = dataclasses.field(default_factory=dict)    # name -> {"alive", "witness"}
    behaviours: dict = dataclasses.field(default_factory=dict)  # name -> {"observed", "witness"}
    totals: dict = dataclasses.field(default_factory=dict)
    controls: list = dataclasses.field(default_factory=lambda: [0, 0])   # tried, did not notice

    def version(self):
        return SERIES(self.kernel.partition(":")[2], self.release)

    def check(self, what, got, want):
        if got == want:
            self.held += 1
        else:
            self.failed.append(f"{what}: {got!r}, expected {want!r}")


def worse(one, other):
    """Of two results of one feature the one that counts."""
    order = ("inconclusive", "untestable", "works", "refused-as-planned", "fails", "leaks")
    return max(one, other, key=lambda r: order.index(r["alive"]))


def judge_run(found, run, ran, document):
    """One `verify --alive`."""
    name, facts = run.name, FACTS[found.arch]
    found.check(f"{name}: exit status (timed out: {ran['timed_out']}) {ran['stderr'][-300:]}", ran["status"],
                run.status)
    if document is None:
        found.check(f"{name}: a document", False, True)
        return
    for exercise in document["alive"]["exercises"]:
        feature, alive = exercise["name"], exercise["alive"]
        if exercise["observed"] is not None:
            found.behaviours[feature] = exercise
            continue
        found.totals[alive] = found.totals.get(alive, 0) + 1
        want = facts.expected(run, feature, found.version())
        if not run.judged or (alive == "inconclusive" and "works" in want):
            pass        # whether it works is asked over all runs
        else:
            found.check(f"{name}: {feature} ({exercise['witness']})", alive in want, True)
        if run.counts and (exercise["planned"] is not False or feature in facts.NEVER):
            found.features[feature] = worse(found.features.get(feature, exercise), exercise)
    if run.counts and document["alive"]["summary"]["leaks"]:
        found.check(f"{name}: leaks", document["alive"]["summary"]["leaks"], 0)


def judge_kernel(found):
    """Over all runs."""
    facts, version = FACTS[found.arch], found.version()
    for feature, result in sorted(found.features.items()):
        found.check(f"{feature} ({result['witness']})", result["alive"] in facts.over_all(feature, version), True)
    lacking = facts.ENFORCED - facts.absent(version) - set(found.features)
    found.check("features of the facts that no exercise is about", sorted(lacking), [])
    for name, by_series in facts.BEHAVIOURS.items():
        got = found.behaviours.get(name, {})
        found.check(f"{name}: {got.get('observed')} ({got.get('witness')})", got.get("observed") in by_series(version), True)
    found.check("behaviours that nothing is known of", sorted(set(found.behaviours) - set(facts.BEHAVIOURS)), [])


def judge_controls(found, ran):
    """tests/controls on this kernel."""
    facts = FACTS[found.arch]
    least = facts.ENFORCED - facts.UNDECIDED - facts.absent(found.version())
    said = re.search(r"^(\d+) exercises work, (\d+) controls tried, (\d+) did not notice$", ran["stdout"], re.M)
    for line in ran["stdout"].splitlines():
        if line.startswith("FAIL"):
            found.failed.append(f"control: {line}")
    found.check(f"controls: the end {ran['stdout'][-300:]}", bool(said), True)
    if said:
        found.controls = [int(said[2]), int(said[3])]
        found.check("controls that were tried, at least one for each feature that is enforced",
                    int(said[2]) >= len(least), True)
    found.check("controls: exit status", ran["status"], 0)


def judge_hpet(found, ran, document):
    """Where the host's clock is not the TSC, nothing that needs it may claim to work."""
    found.check(f"hpet: exit status {ran['stderr'][-300:]}", ran["status"], 0)
    exercises = {e["name"]: e for e in (document or {"alive": {"exercises": []}})["alive"]["exercises"]}
    stable = exercises.get("kvmclock-stable-bit", {"alive": None, "witness": ""})
    found.check(f"hpet: kvmclock-stable-bit ({stable['witness']})",
                (stable["alive"], "flag is 0" in stable["witness"]), ("works", True))
    pairing = exercises.get("clock-pairing", {"alive": None, "witness": ""})
    found.check(f"hpet: clock-pairing ({pairing['witness']})", (pairing["alive"], "-95" in pairing["witness"]),
                ("untestable", True))
    for name in ("kvmclock1", "kvmclock2"):
        found.check(f"hpet: {name}", exercises.get(name, {}).get("alive"), "works")


def load(result, path):
    body = result["files"].get(path)
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None


def one_boot(found, arch, series, runs, files, gets, append=""):
    result = boot(Spec(arch, runs, series=series, cpu=CPU[arch], files=files, gets=gets, command_limit=150,
                       limit=420.0, append=append))
    found.infrastructure += result["infrastructure"]
    found.seconds += sum(attempt["seconds"] for attempt in result["attempts"])
    return result


def run_kernel(kernel, folder):
    """Findings of one kernel, or (findings, reason) where it gave no verdict; raises CannotBeHad, BuildFailed."""
    arch, series = kernel.split(":")
    tool = static.build(arch, folder)
    controls = os.path.join(os.path.dirname(tool), "tests/controls/controls")
    found, facts = Findings(kernel, arch=arch), FACTS[arch]
    verify = f"guestcpu verify --alive --timeout {EXERCISE_MS} --json"
    runs = ["mkdir /out"] + [f"{verify} {run.line} -o /out/{number}.json" for number, run in enumerate(facts.RUNS)]
    gets = [f"/out/{number}.json" for number in range(len(facts.RUNS))]
    files = [(tool, "/bin/guestcpu"), (controls, "/bin/controls")]
    result = one_boot(found, arch, series, [*runs, "controls"], files, gets)
    if result["status"] != "done":
        return found, result["attempts"][-1]
    found.release = result["release"]
    for number, run in enumerate(facts.RUNS):
        judge_run(found, run, result["commands"][number + 1], load(result, gets[number]))
    judge_kernel(found)
    judge_controls(found, result["commands"][-1])
    if kernel == "x86:6.1":
        result = one_boot(found, arch, series, [runs[0], f"{verify} -c host -o /out/0.json"], files[:1], gets[:1], HPET)
        if result["status"] != "done":
            return found, result["attempts"][-1]
        judge_hpet(found, result["commands"][1], load(result, gets[0]))
    return found, None


def told(found):
    count = found.totals.get
    return (f"{found.kernel} ({found.release}): {found.held} of {found.held + len(found.failed)} hold; exercises: "
            f"{count('works', 0)} works, {count('refused-as-planned', 0)} refused as planned, "
            f"{count('inconclusive', 0)} inconclusive, {count('untestable', 0)} untestable, "
            f"{sum(1 for r in found.features.values() if r['alive'] == 'leaks')} leak where enforced; "
            f"{len(found.behaviours)} behaviours; controls: {found.controls[0]} tried, {found.controls[1]} did not notice; "
            f"{found.seconds:.0f} s, {found.infrastructure} infrastructure failures")


def result_path(folder, kernel):
    return os.path.join(folder, "alive-" + kernel.replace(":", "-") + ".json")


def attempt(kernel, arguments):
    """Exit status of one kernel; its results are written down."""
    path = result_path(arguments.results, kernel)
    if os.path.exists(path):
        os.remove(path)
    try:
        found, stuck = run_kernel(kernel, arguments.build)
    except CannotBeHad as error:
        print(f"SKIP: kernels: {kernel}: {error}", flush=True)
        return SKIP
    except static.BuildFailed as error:
        print(f"{kernel}: the static command does not build: {error}", flush=True)
        return 1
    if stuck:
        print(f"{kernel}: infrastructure, no verdict: {stuck['reason']}\n{stuck.get('console', '')}", flush=True)
        return 4
    for line in found.failed:
        print(f"{'FAIL' if not arguments.report else '  differs:'} {line}")
    print(told(found), flush=True)
    os.makedirs(arguments.results, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(found), file, indent=1)
    return int(bool(found.failed))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", help="where the static commands are built")
    parser.add_argument("--results", required=True, help="where the results of each kernel are")
    parser.add_argument("--report", action="store_true", help="tell, never fail")
    parser.add_argument("--table", action="store_true", help="print kernel x feature of what has run")
    parser.add_argument("--doc", help="write the document of what has run")
    parser.add_argument("--check-doc", help="does the document say what has run?")
    parser.add_argument("kernel", nargs="*", metavar="ARCH:SERIES")
    arguments = parser.parse_args()
    found = alive_doc.read(arguments.results, [*GATE, *OTHERS], result_path)
    if arguments.table:
        return alive_doc.table(found)
    if arguments.doc:
        return alive_doc.write(found, arguments.doc)
    kernels = arguments.kernel or (OTHERS if arguments.report else [])
    if not kernels or not arguments.build:
        parser.error("expected --build and kernels, such as x86:6.12")
    status = max(attempt(kernel, arguments) for kernel in kernels)
    if status == 0 and arguments.check_doc:
        found = alive_doc.read(arguments.results, kernels, result_path)
        status = alive_doc.check(found, arguments.check_doc)
    return 0 if arguments.report else status


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What KVM would answer, computed, against what it does answer, on real KVM under many CPUs.

    computed.py --build DIR --native COMMAND [--results DIR] 6.12 [CPU...]   the gate, one kernel
    computed.py --build DIR --native COMMAND [--results DIR] --report        newer kernels, never a failure

Each CPU of QEMU's is booted once.  The snapshot that the command makes inside has the CPU's own CPUID and
what that kernel's KVM made of it.  From the one this machine's command computes the other, once with the
modules' parameters, and once from the bare CPUID as text: both must be equal, entry by entry.
Exit status: 0 equal; 1 not; 77 the kernel, QEMU or a compiler cannot be had, with a reason; 4 the
outer kernel failed twice, which is no verdict.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gate  # noqa: E402
import static  # noqa: E402
from boot import Spec, boot  # noqa: E402

# TCG has AMD's virtualization alone: an Intel model is one in all but its maker.
AMD = "vendor=AuthenticAMD,+svm,-cx16"
CPUS = {
    "max": "max,-cx16",
    "max-no-npt": "max,-cx16,-npt",
    "max-57-bits": "max,-cx16,phys-bits=46,+la57,-vgif",
    "max-func7": "max,-cx16,level-func7=2",
    "EPYC": "EPYC,-cx16",
    "EPYC-Rome": "EPYC-Rome,-cx16",
    "EPYC-Milan": "EPYC-Milan,-cx16",
    "EPYC-pku": "EPYC,+pku,-cx16",
    "Opteron_G3": "Opteron_G3,-cx16",
    "qemu64": "qemu64,-cx16",
    "Haswell": f"Haswell-noTSX,{AMD}",
    "Skylake-Server": f"Skylake-Server-noTSX-IBRS,{AMD}",
    "Icelake-Server": f"Icelake-Server-noTSX,{AMD}",
}
OTHERS = ("6.18", "7.2")
REGISTERS = ("eax", "ebx", "ecx", "edx")


def as_text(table):
    """A table of CPUID as `cpuid -r` prints it."""
    lines = ["CPU 0:"]
    for e in table:
        values = " ".join(f"{r}={int(e[r], 16):#010x}" for r in REGISTERS)
        lines.append(f"   {int(e['leaf'], 16):#010x} {int(e['subleaf'], 16):#04x}: {values}")
    return "\n".join([*lines, "CPU 1:", "   0x00000000 0x00: not read", ""])


def computed(command, body, suffix, series):
    """The document that is computed from BODY."""
    with tempfile.TemporaryDirectory(prefix="guestcpu-computed-") as folder:
        path = os.path.join(folder, f"host.{suffix}")
        with open(path, "wb") as file:
            file.write(body)
        done = subprocess.run([command, "probe", "--from-cpuid", path, "--kernel", series], capture_output=True,
                              timeout=60, check=False)
    if done.returncode:
        raise ValueError(f"from {suffix}: exit {done.returncode}: {done.stderr.decode(errors='replace')}")
    return json.loads(done.stdout)


def oddity(series, measured, made):
    """6.12 offers ECX bit 7 of leaf 0x80000021, which is nobody's, where the CPU has it, and asks for that leaf
    though it may lie above the CPU's highest.  QEMU then answers with its highest basic leaf; an AMD CPU with 0."""
    native, highest = measured["cpuid"]["native"], None
    limits = {e["leaf"]: int(e["eax"], 16) for e in native if e["leaf"] in ("0x0", "0x80000000")}
    if series != "6.12" or limits["0x80000000"] >= 0x80000021:
        return made
    highest = next(e for e in native if (int(e["leaf"], 16), e["subleaf"]) == (limits["0x0"], "0x0"))
    for e in made["cpuid"]["supported"]:
        if e["leaf"] == "0x80000021":
            e["ecx"] = f"{int(e['ecx'], 16) | int(highest['ecx'], 16) & 0x80:#x}"
    return made


def shown(entry):
    return " ".join(str(entry[k]) for k in ("leaf", "subleaf", "flags", *REGISTERS))


def differences(measured, made, bare):
    """Lines about what is not equal, and how much was."""
    lines, equal = [], 0

    def compare(what, want, got, form=str):
        nonlocal equal
        for i in range(max(len(want), len(got))):
            a = want[i] if i < len(want) else None
            b = got[i] if i < len(got) else None
            if a == b:
                equal += 1
            else:
                lines.append(f"{what} {i}: KVM has {form(a) if a else 'no more'}, computed {form(b) if b else 'no more'}")

    for table in ("supported", "emulated", "hyperv"):
        compare(table, measured["cpuid"][table], made["cpuid"][table], shown)
    features = [{k: m[k] for k in ("index", "value")} for m in measured["msrs"]["features"]]
    # a revision of microcode is in no CPUID
    known = [m for m in made["msrs"]["features"]]
    if bare:
        features = [m for m in features if m["index"] != "0x8b"]
        known = [m for m in known if m["index"] != "0x8b"]
    compare("feature MSR", features, known)
    compare("MSR", measured["msrs"]["index"], made["msrs"]["index"])
    for fd in ("system", "vm"):
        want, got = (dict(map(tuple, d["capabilities"][fd])) for d in (measured, made))
        numbers = sorted(set(want) | set(got))
        compare(f"capability on {fd}", [f"{n}={want.get(n, 0)}" for n in numbers], [f"{n}={got.get(n, 0)}" for n in numbers])
    compare("components", [measured["xcomp"]], [made["xcomp"]])
    return lines, equal


def run(series, cpu, arguments):
    """{"line", "failed", "status"} of one kernel on one CPU; raises CannotBeHad, BuildFailed."""
    tool = static.build("x86", arguments.build)
    path = "/tmp/snapshot.json"
    result = boot(Spec("x86", [f"guestcpu probe --no-trial --name {cpu} -o {path}"], series=series, cpu=CPUS[cpu],
                       gets=[path], files=[(tool, "/bin/guestcpu")], command_limit=60))
    if gate.no_verdict(result):
        return gate.no_verdict(result)
    if result["commands"][0]["status"] or not result["files"][path]:
        return {"status": 1, "line": "no snapshot", "failed": [result["commands"][0]["stderr"]]}
    body = result["files"][path]
    if arguments.results:
        os.makedirs(arguments.results, exist_ok=True)
        with open(os.path.join(arguments.results, f"computed-{series}-{cpu}.json"), "wb") as file:
            file.write(body)
    measured, failed, total = json.loads(body), [], 0
    for suffix, text in (("json", body), ("txt", as_text(measured["cpuid"]["native"]).encode())):
        try:
            lines, equal = differences(measured, oddity(series, measured, computed(arguments.native, text, suffix, series)),
                                       suffix == "txt")
        except ValueError as error:
            lines, equal = [str(error)], 0
        failed += [f"from {suffix}: {line}" for line in lines]
        total += equal
    line = f"{result['release']}: {total} entries equal, {len(failed)} not; {result['attempts'][-1]['seconds']} s"
    return {"status": int(bool(failed)), "line": line, "failed": failed}


def one(series, cpu, arguments):
    """Run and tell; its exit status."""
    found = gate.tried(f"x86:{series} on {cpu}", lambda: run(series, cpu, arguments))
    if "line" in found:
        gate.tell(f"x86:{series} on {cpu}", found)
    return found["status"]


def main():
    parser = gate.options(__doc__, required=["build", "native"], native="the guestcpu command of this machine")
    parser.add_argument("series", nargs="?")
    parser.add_argument("cpu", nargs="*")
    arguments = parser.parse_args()
    wanted = [arguments.series] if arguments.series else OTHERS if arguments.report else []
    if not wanted or any(cpu not in CPUS for cpu in arguments.cpu):
        parser.error("expected a kernel such as 6.12, and CPUs of " + " ".join(CPUS))
    return gate.ended([one(series, cpu, arguments) for series in wanted for cpu in arguments.cpu or CPUS], arguments.report)


if __name__ == "__main__":
    sys.exit(main())

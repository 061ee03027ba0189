#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""guestcpu on a real KVM of a known kernel: one boot, many requests.

    verify.py --build DIR --native CMD x86:6.12          the gate, one kernel
    verify.py --build DIR --native CMD --report          a line for each other kernel

What is expected stands in `cases_x86` and `cases_arm64`.  It is known from the
kernel's side (source and facts), never taken from guestcpu's own output: KVM's
raw answer is read in the snapshot document, the guest's from the guest's column.

Exit status: 0 as expected; 1 not; 77 the kernel, QEMU or a compiler cannot be
had, with a reason; 4 the outer kernel failed twice, which is no verdict.
--report never fails: it only tells.
"""

import argparse
import dataclasses
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import static  # noqa: E402
from aptstate import CannotBeHad  # noqa: E402
from boot import Spec, boot  # noqa: E402
from gate import CPU, MACHINE, SKIP  # noqa: E402

OTHERS = ["x86:6.18", "x86:7.2", "x86:newest", "arm64:6.18", "arm64:7.2", "arm64:newest"]
GATE = ("6.1", "6.12")
NAME = {"x86": "x86-amd-max", "arm64": "arm64-kvm-max"}


@dataclasses.dataclass
class Case:
    """One `guestcpu verify`.  In `guest` and `kvm`: feature to value."""
    line: str
    status: int = 0
    guest: dict = dataclasses.field(default_factory=dict)
    kvm: dict = dataclasses.field(default_factory=dict)
    lacks: list = dataclasses.field(default_factory=list)       # given, with a reason why not
    absent: list = dataclasses.field(default_factory=list)      # no such word in the guest's CPU
    runtime: set | None = None                                  # exactly these, if said


def cases_x86(series):
    """kvm-amd under TCG.  Facts: api.rst 4.46 and 9.1, cpuid.c, x86.c."""
    apic = {"x2apic": 1, "tsc-deadline": 1, "hypervisor": 1, "kvm-pv-unhalt": 1, "kvm-pv-eoi": 1}
    no_apic = {"x2apic": 0, "tsc-deadline": 0, "hypervisor": 1, "kvm-pv-unhalt": 0}
    return [
        # KVM_GET_SUPPORTED_CPUID has neither before 6.14; with KVM's own APIC both work.
        Case("-c host", guest={**apic, "avx2": 1, "aes": 1}, runtime=set()),
        Case("-c max", guest=apic),
        Case("-c host --irqchip split", guest=apic),
        # Without KVM's local APIC nobody stands behind these.
        Case("-c host --irqchip none", guest=no_apic),
        Case("-c host --irqchip user", guest=no_apic),
        Case("-c host,-kvm-pv-eoi", guest={"kvm-pv-eoi": 0, "kvm-pv-unhalt": 1}),
        Case("-c host,-avx2,-aes", guest={"avx2": 0, "aes": 0, "avx": 1}),
        Case("-c host,-x2apic,-tsc-deadline", guest={"x2apic": 0, "tsc-deadline": 0}),
        Case("-c host,-hypervisor", guest={"hypervisor": 0}),
        Case("-c host,+svm", guest={"svm": 1, "npt": 1}),
        # No Intel, no AVX-512 in TCG: asked for, not there, and why.
        Case("-c host,+vmx,+avx512f", guest={"vmx": 0, "avx512f": 0}, lacks=["vmx", "avx512f"]),
        Case("-c host,enforce,+vmx", status=1),
        Case("-c kvm64", guest={"avx2": 0, "aes": 0, "lm": 1, "nx": 1}),
        Case("-c qemu64", guest={"avx2": 0, "lm": 1}),
        Case("-c host --vcpus 2", guest=apic),
        Case("-c host --vcpus 4", guest=apic),
        Case("-c host --smp 6,cores=3,threads=2", guest={**apic, "ht": 1}),
        # KVM clears PV_UNHALT here, 6.1 only at the second KVM_SET_CPUID2: the plan must.
        Case("-c host,+kvm-pv-unhalt --disable-exits hlt --vcpus 2",
             guest={"kvm-pv-unhalt": 0, "kvm-pv-eoi": 1}, lacks=["kvm-pv-unhalt"]),
        Case("-c host --disable-exits hlt", guest={"kvm-pv-unhalt": 0}),
        Case("-c host --kvm-leaf 0x40000100", guest={"kvm-pv-eoi": 1, "kvmclock2": 1}),
        Case("-c host,kvm=off", guest={"x2apic": 1, "hypervisor": 1},
             absent=["kvm-pv-eoi", "kvmclock2"]),
        # Properties: KVM takes them as they are, and the guest reads them.
        Case("-c host,family=6,model=42,stepping=7",
             guest={"base-family-id": 6, "ext-family": 0, "base-model": 10, "ext-model": 2, "stepping": 7}),
        Case("-c host,vendor=GenuineIntel,model-id=Nobody", guest={"fpu-80000001": 0}),
        Case("-c host,phys-bits=38", guest={"phys-addr-bits": 38, "virt-addr-bits": 57}),
        # Without LM, later kernels do not enter 64-bit mode, in which our payload runs.
        *([Case("-c qemu64,-lm", guest={"phys-addr-bits": 36, "lm": 0})] if series == "6.1" else []),
        Case("-c host,level=7,xlevel=0x80000008", guest={"max-std-leaf": 7, "max-ext-leaf": 0x80000008}),
        Case("-c kvm64,min-level=0xd,level-func7=2", guest={"max-std-leaf": 0xd, "leaf7-n-subleaves": 2}),
        Case("-c host,pmu=off", guest={"perfctr-core": 0}),
        Case("-c host,host-cache-info=off,l3-cache=off,cpuid-0xb=off"),
        Case("-c host,x-force-features=on,+sha-ni,+avx512f", guest={"avx512f": 1}, lacks=["avx512f"]),
        Case("-c host,+arch-capabilities,-pschange-mc-no,ucode-rev=0x1234",
             guest={"arch-capabilities": 1, "pschange-mc-no": 0, "microcode-revision": 0x1234}),
        Case("-c host --smp 24,sockets=1,dies=2,modules=2,cores=3,threads=2", guest={"ht": 1}),
        Case("-c host --vcpus 1000 --x2apic-ids", guest=apic),
        Case("-c host --vcpus 256", status=1),
    ]


def cases_arm64(series):
    """KVM/arm64 under TCG.  Facts: sys_regs.c; 6.1 lets CSV2 and CSV3 alone be written."""
    old = series == "6.1"
    isar0, pfr0, dfr0, mmfr0 = (f"ID_AA64{name}_EL1" for name in ("ISAR0", "PFR0", "DFR0", "MMFR0"))

    def lowered(field, host, value, request=None):
        """A field that a kernel of masks takes and 6.1 refuses."""
        return Case(f"-c host,{request or f'{field}={value}'}",
                    guest={field: host if old else value}, lacks=[field] if old else [])

    # vcpu_reset_hcr of 6.1 does not trap CTR_EL0: the guest reads IDC of the
    # hardware (0 in TCG), KVM says 1, what CLIDR_EL1 implies.  6.12 traps it.
    untrapped = {"CTR_EL0.IDC"} if old else set()
    return [
        Case("-c host", guest={f"{isar0}.AES": 2, f"{isar0}.RNDR": 1, f"{pfr0}.GIC": 1,
                               f"{pfr0}.SVE": 1, f"{dfr0}.PMUVer": 5 if old else 6,
                               "ID_AA64PFR1_EL1.MTE": 0, "CTR_EL0.IDC": 0 if old else 1},
             kvm={"CTR_EL0.IDC": 1}, runtime=untrapped),
        Case("-c max", runtime=untrapped),
        Case("-c host --vcpus 2", runtime=untrapped),
        Case("-c host --vcpus 4", runtime=untrapped),
        # Opted out in KVM_ARM_VCPU_INIT: on every kernel.
        Case("-c host,sve=off", guest={f"{pfr0}.SVE": 0, "ID_AA64ZFR0_EL1.SVEver": 0,
                                       "ID_AA64ZFR0_EL1.AES": 0}),
        Case("-c host,pmu=off", guest={f"{dfr0}.PMUVer": 0, "ID_DFR0_EL1.PerfMon": 0}),
        Case("-c host,pauth=off", guest={"ID_AA64ISAR1_EL1.API": 0, "ID_AA64ISAR1_EL1.GPI": 0,
                                         "ID_AA64ISAR1_EL1.APA": 0}),
        Case("-c host,sve=off,pmu=off,pauth=off --vcpus 2", guest={f"{pfr0}.SVE": 0}),
        Case("-c host,SVE.VL=1", kvm={"SVE.VL": 1}, guest={f"{pfr0}.SVE": 1}),
        Case("-c host,SVE.VL=0x8", kvm={"SVE.VL": 0xffff}, lacks=["SVE.VL"]),
        Case("-c host,mte=on", guest={"ID_AA64PFR1_EL1.MTE": 3}),
        # 6.1 shows it by what the host has; later ones settle it at the first run, by the vGIC.
        Case("-c host --gic none", guest={f"{pfr0}.GIC": int(old), "ID_PFR1_EL1.GIC": int(old)},
             runtime=untrapped),
        # Both kernels take these two.
        Case(f"-c host,{pfr0}.CSV2=0,{pfr0}.CSV3=0", guest={f"{pfr0}.CSV2": 0, f"{pfr0}.CSV3": 0}),
        lowered(f"{isar0}.AES", 2, 1),
        lowered(f"{isar0}.RNDR", 1, 0),
        lowered(f"{isar0}.Atomic", 2, 0, "FEAT_LSE=off"),
        lowered(f"{mmfr0}.PARange", 6, 2),
        lowered(f"{mmfr0}.TGran4", 1, 0xf),
        lowered("CTR_EL0.DminLine", 4, 3),
        # AArch32's own.
        lowered("ID_ISAR5_EL1.AES", 2, 1),
        lowered("ID_MMFR0_EL1.InnerShr", 1, 0xf),
        lowered("ID_MMFR3_EL1.PAN", 2, 0),
        Case(f"-c host,enforce,{isar0}.AES=1", status=1 if old else 0),
        # Models: what is opted out of on every kernel, what 6.1 does not let go.
        # Without FEAT_SSBS, 6.12 has no Spectre v4 to tell such a guest of.
        Case("-c armv8.2-a,enforce", runtime=untrapped if old else {"workaround-2"},
             guest={f"{isar0}.Atomic": 2, f"{isar0}.DP": int(old), f"{isar0}.AES": 2 if old else 0, f"{pfr0}.SVE": 0,
                    "ID_AA64ISAR1_EL1.DPB": 2 if old else 1, "ID_AA64MMFR1_EL1.ETS": int(old),
                    "ID_AA64ISAR1_EL1.APA": 0, "ID_AA64ISAR1_EL1.API": 0, f"{dfr0}.PMUVer": 5 if old else 6}),
        Case("-c armv9.0-a", runtime=untrapped if old else {"workaround-2"},
             guest={f"{pfr0}.SVE": 1, "ID_AA64ZFR0_EL1.SVEver": 1, "ID_AA64ZFR0_EL1.AES": 2 if old else 0,
                    f"{isar0}.TS": 2, f"{isar0}.RNDR": int(old), "ID_AA64ISAR1_EL1.FCMA": 1}),
        Case("-c neoverse-n1,FEAT_RNG=on --vcpus 2", runtime=untrapped,
             guest={f"{isar0}.RNDR": 1, f"{isar0}.AES": 2, f"{isar0}.TS": 2 if old else 0, f"{isar0}.DP": 1,
                    f"{mmfr0}.PARange": 6 if old else 5, f"{pfr0}.SVE": 0, "ID_AA64PFR1_EL1.BT": int(old)}),
        # KVM has no EL2 for guests before 6.16.
        *([Case("-c host,nested=on", lacks=["nested"])] if series in GATE else []),
    ]


CASES = {"x86": cases_x86, "arm64": cases_arm64}


def supported(document, leaf, register):
    for entry in document["cpuid"]["supported"]:
        if int(entry["leaf"], 16) == leaf and int(entry["subleaf"], 16) == 0:
            return int(entry[register], 16)
    return 0


def facts_x86(series, document):
    """What this kernel's KVM is known to answer, before any rule of ours."""
    ecx = supported(document, 1, "ecx")
    late = series not in GATE
    yield "KVM reports TSC_DEADLINE", bool(ecx >> 24 & 1), late
    yield "KVM reports HYPERVISOR", bool(ecx >> 31 & 1), late
    yield "KVM reports X2APIC", bool(ecx >> 21 & 1), True
    yield "no bit is forced by a trial of zeros", document["host"]["module"], "kvm_amd"


def facts_arm64(series, document):
    registers = {int(r["id"], 16): r for r in document["registers"]}
    isar0 = registers[0x603000000013c030]
    taken = {int(n["lsb"]): int(n["accepted"], 16) for n in document["trial"]["nibbles"]
             if int(n["id"], 16) == 0x603000000013c030}
    yield "KVM has writable masks", "mask" in isar0, series != "6.1"
    # AES is bits 7:4, 2 here: 6.1 takes 2 alone, later ones 0, 1 and 2.
    yield "AES values that KVM takes", taken[4], 0x4 if series == "6.1" else 0x7


FACTS = {"x86": facts_x86, "arm64": facts_arm64}


class Judge:
    """Counts what holds and says what does not."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.failed = []
        self.held = 0
        self.totals = {}
        self.known = set()      # names of the first document: a misspelt one is no absent one

    def check(self, what, got, want):
        if got == want:
            self.held += 1
        else:
            self.failed.append(f"{what}: {got!r}, expected {want!r}")

    def verdicts(self, case, document):
        """The comparison of one case."""
        line, found = case.line, {f["name"]: f for f in document["features"]}
        self.known = self.known or set(found)
        summary = document["summary"]
        for name, count in summary.items():
            self.totals[name] = self.totals.get(name, 0) + count
        for name in ("mismatched", "overridden"):
            wrong = [f for f in document["features"] if f["verdict"] == name]
            self.check(f"{line}: {name}", [f"{f['name']} {f['planned']}|{f['kvm']}|{f['guest']}"
                                           for f in wrong], [])
        self.check(f"{line}: the guest answered", document["guest_error"], None)
        for column in ("guest", "kvm"):
            for name, want in getattr(case, column).items():
                got = found.get(name, {}).get(column)
                self.check(f"{line}: {column} {name}", None if got is None else int(got, 16), want)
        for name in case.lacks:
            feature = found.get(name, {})
            self.check(f"{line}: {name} is refused with a reason",
                       (feature.get("verdict") in ("matched", "untested"),
                        bool(feature.get("reason"))), (True, True))
        for name in case.absent:
            got = found.get(name, {}).get("guest")
            self.check(f"{line}: {name} in the guest", (name in self.known, int(got or "0", 16)),
                       (True, 0))
        if case.runtime is not None:
            self.check(f"{line}: runtime", {f["name"] for f in document["features"]
                                            if f["verdict"] == "runtime"}, case.runtime)


def native(command, *words):
    done = subprocess.run([command, *words], capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout


def check_document(judge, command, body, planned):
    """The same document here as there, and the same plan from it."""
    with tempfile.TemporaryDirectory(prefix="guestcpu-verify-") as folder:
        path = os.path.join(folder, "snapshot.json")
        with open(path, "wb") as file:
            file.write(body)
        # Reading checks the hash, writing is canonical.
        judge.check("the snapshot, read and written here", native(command, "probe", "--host", path),
                    (0, body))
        arch = json.loads(body)["arch"]
        status, text = native(command, "plan", "--arch", arch, "--host", path, "--json")
        judge.check("exit status of a plan made here", status, 0)
        judge.check("a plan made here is the plan made there", text == planned, True)


def check_vmm(judge, arch, ran):
    """examples/vmm.c, whose guest shares no code with ours, on two vCPUs."""
    judge.check(f"vmm: exit status {ran['stderr'][-300:]}", ran["status"], 0)
    judge.check("vmm: the end", bool(re.search(r"^[1-9]\d+ as planned, 0 changed by this KVM as foretold, "
                                               r"\d+ not read, 0 wrong$", ran["stdout"], re.M)), True)
    if arch == "x86":   # KVM's signature, as the ABI has it
        seen = re.findall(r"^  CPUID 0x40000000 0x0: \w+ 4b4d564b 564b4d56 0000004d$", ran["stdout"], re.M)
    else:               # RNDR 1 in 63:60 and AES 2 in 7:4 of ID_AA64ISAR0_EL1, QEMU's max has both
        seen = re.findall(r"^  register 0x603000000013c030: 0x1\w{13}2\w$", ran["stdout"], re.M)
    judge.check("vmm: what the guest sees, on each vCPU", len(seen), 2)


def run_kernel(kernel, folder, command):
    """(judge, boot result) of one kernel; raises CannotBeHad, BuildFailed."""
    arch, series = kernel.split(":")
    cases = CASES[arch](series)
    runs = ["mkdir /out", f"guestcpu probe --name {NAME[arch]} -o /out/snapshot.json",
            "guestcpu plan --host /out/snapshot.json --json -o /out/plan.json"]
    runs += [f"guestcpu verify {case.line} --json -o /out/{number}.json"
             for number, case in enumerate(cases)]
    runs += ["gzip -n /out/*.json", "vmm host 2"]
    names = ["snapshot", "plan", *map(str, range(len(cases)))]
    tool = static.build(arch, folder)
    vmm = os.path.join(os.path.dirname(tool), "examples/example-vmm")
    result = boot(Spec(arch, runs, series=series, cpu=CPU[arch], machine=MACHINE[arch],
                       files=[(tool, "/bin/guestcpu"), (vmm, "/bin/vmm")],
                       gets=[f"/out/{name}.json.gz" for name in names], command_limit=60))
    judge = Judge(kernel)
    if result["status"] != "done":
        return judge, result
    documents = {name: gzip.decompress(result["files"][f"/out/{name}.json.gz"] or b"") for
                 name in names if result["files"][f"/out/{name}.json.gz"]}
    for ran in result["commands"][:3]:
        judge.check(ran["command"] + ran["stderr"], ran["status"], 0)
    if judge.failed:
        return judge, result
    for what, got, want in FACTS[arch](series, json.loads(documents["snapshot"])):
        judge.check(what, got, want)
    check_document(judge, command, documents["snapshot"], documents["plan"])
    for number, (case, ran) in enumerate(zip(cases, result["commands"][3:])):
        judge.check(f"{case.line}: exit status (timed out: {ran['timed_out']}) "
                    f"{ran['stdout'][-300:]}{ran['stderr'][-300:]}", ran["status"], case.status)
        body = documents.get(str(number), b"")
        if case.status == 0 and body:
            judge.verdicts(case, json.loads(body))
        elif case.status == 0:
            judge.check(f"{case.line}: a document", False, True)
    check_vmm(judge, arch, result["commands"][-1])
    return judge, result


def told(judge, result):
    totals = ", ".join(f"{count} {name}" for name, count in judge.totals.items())
    return (f"{judge.kernel} ({result.get('release', '?')}): {judge.held} of "
            f"{judge.held + len(judge.failed)} hold; features: {totals}; "
            f"{result['attempts'][-1]['seconds']} s, "
            f"{result['infrastructure']} infrastructure failures")


def gate(kernel, folder, command):
    try:
        judge, result = run_kernel(kernel, folder, command)
    except CannotBeHad as error:
        print(f"SKIP: kernels: {kernel}: {error}")
        return SKIP
    except static.BuildFailed as error:
        print(f"{kernel}: the static command does not build: {error}")
        return 1
    if result["status"] != "done":
        print(f"{kernel}: infrastructure, no verdict: {result['attempts'][-1]['reason']}")
        print(result["attempts"][-1].get("console", ""))
        return 4
    for line in judge.failed:
        print(f"FAIL {line}")
    print(told(judge, result))
    return int(bool(judge.failed))


def report(kernels, folder, command):
    for kernel in kernels:
        try:
            judge, result = run_kernel(kernel, folder, command)
        except (CannotBeHad, static.BuildFailed, OSError) as error:
            print(f"{kernel}: cannot be had: {error}", flush=True)
            continue
        if result["status"] != "done":
            print(f"{kernel}: infrastructure: {result['attempts'][-1]['reason']}", flush=True)
            continue
        print(told(judge, result), flush=True)
        for line in judge.failed:
            print(f"  differs: {line}", flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", required=True, help="where the static commands are built")
    parser.add_argument("--native", required=True, help="the guestcpu command of this machine")
    parser.add_argument("--report", action="store_true", help="tell, never fail")
    parser.add_argument("kernel", nargs="*", metavar="ARCH:SERIES")
    arguments = parser.parse_args()
    kernels = arguments.kernel or (OTHERS if arguments.report else [])
    if not kernels or any(kernel.partition(":")[0] not in CASES for kernel in kernels):
        parser.error("expected kernels, such as x86:6.12")
    if arguments.report:
        return report(kernels, arguments.build, arguments.native)
    return max(gate(kernel, arguments.build, arguments.native) for kernel in kernels)


if __name__ == "__main__":
    sys.exit(main())

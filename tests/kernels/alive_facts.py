# SPDX-License-Identifier: MIT
"""What must come of `guestcpu verify --alive` on kvm-amd, by kernel.

From KVM's documents and source: cpuid.rst, msr.rst, hypercalls.rst, api.rst,
errata.rst, x86.c, cpuid.c, lapic.c.  Which features enforcement covers is read
from data/x86/pv.txt, whose rows are facts of KVM.
"""

import dataclasses
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def pv_rows(arch="x86"):
    with open(os.path.join(ROOT, "data", arch, "pv.txt"), encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                yield [column.strip() for column in line.split("|")]


PV = {row[0] for row in pv_rows()}
# KVM refuses these when the guest was not told of them; the rest is not its business.
ENFORCED = {row[0] for row in pv_rows() if row[3] != "-"}
BY_VMM = {"kvm-msi-ext-dest-id", "kvm-hc-map-gpa-range", "kvm-migration-control"}
# Statements: there is nothing that a guest could use.
NEVER = {"kvm-nopiodelay", "kvm-mmu", "kvm-hint-dedicated"}
# Bit 2 of the MSR is taken and refused as it should be; delivery takes a hypervisor in the guest.
UNDECIDED = {"kvm-asyncpf-vmexit"}
# Nothing refuses it: KVM writes the flag whatever CPUID says.
UNREFUSED = {"kvmclock-stable-bit"}
# The ids that it is about are those of x2APIC mode.
WIDE_IDS = "kvm-msi-ext-dest-id"
# api.rst 9.1, x86.c: these are of no use without KVM's own local APIC.
BY_LAPIC = {"x2apic", "tsc-deadline", "kvm-asyncpf", "kvm-asyncpf-int", "kvm-asyncpf-vmexit", "kvm-pv-eoi",
            "kvm-pv-unhalt", "kvm-pv-ipi", "kvm-pv-sched-yield"}
PLAYED = "--handles msi-ext-dest-id,map-gpa-range,migration-control --x2apic-ids"


@dataclasses.dataclass
class Run:
    """One `guestcpu verify --alive`."""
    name: str
    line: str
    off: set                # features that the plan does not have
    status: int = 0
    enforced: bool = True
    counts: bool = False    # what it shows is what the kernel can do
    judged: bool = True
    also: set = dataclasses.field(default_factory=set)  # besides works


RUNS = [
    Run("all, split irqchip", f"-c host,pv=all --irqchip split {PLAYED}", set(), counts=True),
    Run("host", "-c host", BY_VMM, counts=True),
    Run("nothing", "-c host,pv=none,-x2apic,-tsc-deadline", PV | {"x2apic", "tsc-deadline"}),
    Run("nothing, not enforced", "-c host,pv=none,kvm-pv-enforce-cpuid=off", PV, status=1, enforced=False),
    Run("APIC in user space", "-c host --irqchip user", BY_VMM | BY_LAPIC, also={"untestable"}),
    Run("no APIC", "-c host --irqchip none", BY_VMM | BY_LAPIC, also={"untestable"}),
]


def absent(_version):
    """Features that a KVM of that version does not have, whatever is asked for."""
    return set()


def over_all(feature, _version):
    """What the worst of the runs that count must be."""
    return {"untestable"} if feature in NEVER | UNDECIDED else {"works"}


def expected(run, feature, _version):
    """Verdicts that a feature, or an interface without a bit, may have in a run."""
    if feature in NEVER:
        return {"untestable"}
    if feature in run.off:
        if feature in UNREFUSED or (feature == WIDE_IDS and "x2apic" in run.off):
            return {"untestable"}
        return {"leaks"} if not run.enforced and feature in ENFORCED else {"refused-as-planned"}
    if feature in BEHAVIOURS:   # observed, but where the request leaves out what it is about
        return {"untestable"}
    return ({"untestable"} if feature in UNDECIDED else {"works"}) | run.also


def SERIES(series, release):
    """(major, minor), whatever the series was called."""
    found = re.match(r"(\d+)\.(\d+)", release or series)
    return (int(found[1]), int(found[2])) if found else (99, 0)


def always(word):
    return lambda version: {word}


def since(version, new, old):
    """A change of KVM: `old` before that release, `new` from it on."""
    return lambda running: {new} if running >= version else {old}


# name -> what a kernel of that version must be seen to do, one of these words
BEHAVIOURS = {
    # lapic.c: before 6.3 a vCPU was found by its whole id in either mode, and one of several with the
    # same 8-bit id alone; since then that takes KVM_X2APIC_API_USE_32BIT_IDS, else as the manuals say.
    "x2apic-id-in-xapic-mode": always("reached"),
    "hotplug-init-sipi": since((6, 3), "not-reached", "started"),
    "hotplug-init-sipi-32bit": always("started"),
    "duplicate-id": since((6, 3), "all", "first-created"),
    "duplicate-id-32bit": always("first-created"),
    # x86.c: no test of CPUID in front of these; 12 goes to the VMM by KVM_CAP_EXIT_HYPERCALL alone.
    "not-enforced:vapic-poll-irq": always("answered"),
    "not-enforced:clock-pairing": always("answered"),
    "not-enforced:map-gpa-range": always("reaches-vmm"),
    "not-enforced:migration-control": always("reaches-vmm"),
    # "unsupported" instead of "invalid" for MSRs that are withheld: mainline 7.0, and backported to the
    # stable series of 6.12 and 6.18 in releases that are not known.
    "enforcement-get-msrs": lambda version: {"refused"} if version < (6, 12) else {"refused", "zero"} if
                            version < (7, 0) else {"zero"},
    # cpuid.c: the overhaul of 6.14 forgets what it knew of the leaves with each table.
    "enforcement-second-table": since((6, 14), "dropped", "kept"),
    # api.rst 7.13; x86.c since 6.14 refuses the call once there are vCPUs.
    "disable-exits-late": since((6, 14), "refused", "accepted-without-effect"),
    "disable-exits-unknown": always("refused"),
    "disable-exits-disallowed": always("refused"),  # here: an exit that this kernel does not know
    "disable-exits-hlt": always("native"),
    # cpuid.c of 6.1 clears the bit by the features of the table before.
    "pv-unhalt-strip": since((6, 12), "first", "second"),
    # x86.c since 6.14: CR4 is judged by the guest's CPUID, which is empty before KVM_SET_CPUID2.
    "cr4-before-cpuid": since((6, 14), "refused", "accepted"),
    "cpuid-after-run-same": always("accepted"),
    "cpuid-after-run-changed": always("refused"),
    # cpuid.c: 6.1 does not write the count back.
    "get-cpuid-nent": since((6, 12), "count", "room"),
}

# SPDX-License-Identifier: MIT
"""What must come of `guestcpu verify --alive` on KVM/arm64, by kernel, on QEMU's `max`.

From KVM's documents and source: fw-pseudo-registers.rst, hypercalls.rst, ptp_kvm.rst, pvtime.rst,
devices/vcpu.rst, devices/vm.rst, vcpu-features.rst, hypercalls.c, pvtime.c, psci.c, trng.c, sys_regs.c.
Which features KVM's registers refuse is read from data/arm64/pv.txt, whose rows are facts of KVM.
"""

from alive_facts import Run, always, pv_rows, since

FIRMWARE = {row[0] for row in pv_rows("arm64")}
# Opted into by KVM_ARM_VCPU_INIT.
INIT = {"psci-0.2", "pmu", "sve", "pauth-address", "pauth-generic"}
# KVM refuses these whenever they are off.
ENFORCED = FIRMWARE | INIT
# The VMM answers, and nobody has it unless he asks.
BY_VMM = {"discover-impl-ver", "discover-impl-cpus"}
NEVER = set()
UNDECIDED = set()
# TCG's `max` has SSBS, and then KVM tells of no call for the second; what it tells of the third is by lists
# of CPUs, in which `max` is not, and by the outer firmware, of which there is none.
WORKAROUNDS = {"workaround-2": {"untestable"}, "workaround-3": {"untestable", "works"}}
# fw-pseudo-registers.rst: VENDOR_HYP_BMAP_2 came with 6.15, PSCI 1.3 with 6.13.
BMAP_2 = (6, 15)
OFF2 = (6, 13)

EVERYTHING_OFF = "-c host,-trng,-pv-time,-vendor-features,-ptp,-pmu,-sve,-pauth,-psci-0.2"
RUNS = [
    Run("all", "-c host,+discover-impl-ver,+discover-impl-cpus", set(), counts=True),
    Run("host", "-c host", BY_VMM, counts=True),
    Run("nothing", EVERYTHING_OFF, ENFORCED),
    Run("no services", "-c host,-vendor-features", BY_VMM | {"vendor-features", "ptp"}),
    Run("no GIC", "-c host --gic none", BY_VMM),
    Run("an old PSCI", "-c host,psci-version=0x10000", BY_VMM),
]


def absent(version):
    """Features that a KVM of that version does not have, whatever is asked for."""
    return BY_VMM if version < BMAP_2 else set()


def expected(run, feature, version):
    """Verdicts that a feature, or an interface without a bit, may have in a run."""
    if feature in run.off | absent(version):
        return {"refused-as-planned"}
    if feature in WORKAROUNDS:
        return WORKAROUNDS[feature]
    if feature in ("psci-version", "psci-system-off2") and "psci-0.2" in run.off:
        return {"untestable"}       # KVM takes no other version than 0.1 then
    if feature == "psci-system-off2":
        return {"works"} if version >= OFF2 else {"untestable"}
    return {"works"}


def over_all(feature, version):
    """What the worst of the runs that count must be."""
    for run in RUNS:
        if run.counts:
            return expected(run, feature, version)
    return set()


# name -> what a kernel of that version must be seen to do, one of these words
BEHAVIOURS = {
    # sys_regs.c: values per VM, and EBUSY after the first run, came with 6.5; before, CSV2 and CSV3 alone could be
    # written, at any time. They have always been the VM's, which KVM_ARM_VCPU_INIT does not touch.
    "id-register-after-run": since((6, 5), "busy", "accepted"),
    "id-register-init-again": always("kept"),
    "id-register-shared": always("vm-wide"),
    # hypercalls.c, since 6.0
    "bitmap-after-run": always("busy"),
    "bitmap-unknown-bit": always("refused"),
    # hypercalls.c: no test of a run in front of it
    "psci-version-after-run": always("accepted"),
    "workaround-lowered": always("without-effect"),
    # arm.c, api.rst 4.82
    "init-other-set": always("refused"),
    # devices/vcpu.rst, 3.1
    "pv-time-attribute": always("checked"),
    # trng.c tests for too many bits alone
    "trng-no-bits": always("answered"),
    # devices/vm.rst, 5: since 6.4
    "smccc-filter-deny": since((6, 4), "not-supported", "absent"),
    "smccc-filter-forward": since((6, 4), "reaches-vmm", "absent"),
    "smccc-filter-after-run": since((6, 4), "busy", "absent"),
    # vgic-v3: all of the CPU interface trapped without a GIC since 6.12; SGIs, which were a NULL pointer, in every
    # stable series.
    "no-gic-access": since((6, 12), "undefined", "sgi-undefined"),
}

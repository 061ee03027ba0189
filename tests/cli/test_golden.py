#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The form of the output, as it was when somebody last looked at it.

usage: test_golden.py [--bless]

golden/*.txt are the command's output, standard output and then standard error.
A difference is not a mistake by itself: look at it, and if it is meant, --bless
writes the files anew.
"""
import difflib
import os
import re
import sys

import cli

GOLDEN = os.path.join(cli.HERE, "golden")
HOST = {"x86": "x86-amd-rome-6-12", "arm64": "arm64-kvm-max-6-12"}

CASES = {
    # name: (architecture of the host or None, arguments)
    "x86-plan": ("x86", ["plan", "-c", "host,-kvm-pv-eoi,+mpx", "--vcpus", "4"]),
    "x86-plan-all": ("x86", ["plan", "-a", "-c", "qemu64,+avx2", "--smp", "4,cores=2,threads=2"]),
    "x86-plan-run": ("x86", ["plan", "-a", "-c", "base,+x2apic,+kvm-msi-ext-dest-id,+kvm-hc-map-gpa-range,+kvm-migration-control",
                             "--irqchip", "split", "--x2apic-ids", "--handles", "msi-ext-dest-id,map-gpa-range,migration-control"]),
    "x86-plan-refused": ("x86", ["plan", "-c", "host,enforce=on,+mpx,+kvm-msi-ext-dest-id"]),
    "x86-plan-json": ("x86", ["plan", "-j", "-c", "qemu64,+mpx", "--vcpus", "2"]),
    "x86-plan-raw": ("x86", ["plan", "-f", "cpuid-raw", "-c", "kvm64"]),
    "x86-explain": ("x86", ["explain", "-c", "host,-kvm-pv-eoi,+mpx,+avx2", "kvm-pv-eoi", "mpx", "avx2",
                            "vmx", "kvm-pv-unhalt"]),
    "x86-explain-advice": ("x86", ["explain", "-c", "host,-avx,kvm=off", "--disable-exits", "hlt,pause", "--irqchip", "split",
                                   "svm", "avx2", "kvmclock", "kvm-pv-unhalt", "kvm-msi-ext-dest-id", "avx512f",
                                   "kvm-mmu", "xcr0-avx", "osxsave", "rdctl-no"]),
    "x86-explain-properties": ("x86", ["explain", "-c", "host,migratable=off,phys-bits=40,-kvm", "migratable", "kvm", "phys-bits",
                                       "stepping", "tsc-freq", "pmu", "model-id", "enforce"]),
    "x86-explain-advice-json": ("x86", ["explain", "-j", "-c", "host,-avx2", "kvm-msi-ext-dest-id", "avx2", "kvmclock",
                                        "migratable"]),
    "x86-explain-json": ("x86", ["explain", "-j", "-c", "host,+mpx", "mpx", "hypervisor"]),
    "x86-explain-preset": ("x86", ["explain", "-c", "host,pv=safe,+kvm-pv-ipi", "kvm-asyncpf", "kvm-steal-time", "kvm-pv-ipi",
                                   "kvmclock", "pv"]),
    "x86-explain-preset-json": ("x86", ["explain", "-j", "-c", "qemu64,pv=none", "kvm-pv-eoi", "pv"]),
    "x86-plan-preset": ("x86", ["plan", "-c", "host,kvm=off,pv=safe,pv=all,+kvm-hint-dedicated"]),
    "x86-features-presets": (None, ["features", "--arch", "x86", "--presets"]),
    "x86-features-presets-json": (None, ["features", "--arch", "x86", "--presets", "-j", "kvmclock", "kvm-async*"]),
    "x86-features": (None, ["features", "--arch", "x86", "kvm-pv-eoi", "kvm-asyncpf-int", "avx2"]),
    "x86-features-pattern": (None, ["features", "--arch", "x86", "kvm*", "CET_*", "avx2"]),
    "x86-features-here": ("x86", ["features", "-c", "host,-kvm-pv-eoi", "--irqchip", "none", "kvm*", "x2apic"]),
    "x86-features-at-length": ("x86", ["features", "x2apic", "avx512f"]),
    "x86-features-missing": ("x86", ["features", "--missing", "--kind", "emulated"]),
    "x86-features-missing-pattern": ("x86", ["features", "--missing", "avx*", "smx", "kvm*"]),
    "x86-features-missing-json": ("x86", ["features", "-j", "--missing", "monitor"]),
    "x86-features-json": (None, ["features", "--arch", "x86", "-j", "kvm-pv-unhalt", "arch-capabilities"]),
    "arm64-plan": ("arm64", ["plan", "-c", "host,-FEAT_AES,+FEAT_LS64", "--vcpus", "2"]),
    "arm64-plan-all": ("arm64", ["plan", "-a", "-c", "host"]),
    "arm64-plan-json": ("arm64", ["plan", "-j", "-c", "host,ID_AA64ISAR0_EL1.AES=0"]),
    "arm64-explain": ("arm64", ["explain", "-c", "host,-FEAT_AES", "FEAT_AES", "ID_AA64ISAR0_EL1.SHA2", "FEAT_LS64", "FEAT_MTE"]),
    "arm64-explain-advice": ("arm64", ["explain", "-c", "host,-sve,ID_AA64ISAR0_EL1.AES=1", "FEAT_SVE", "FEAT_PMULL",
                                       "ID_AA64ISAR0_EL1.AES", "SVE.VL", "FEAT_MTE2", "nested", "pauth", "mte"]),
    "arm64-explain-pv": ("arm64", ["explain", "kvm-steal-time", "sve512", "FEAT_LPA2"]),
    "arm64-features-here": ("arm64", ["features", "*sve*", "*pauth*"]),
    "arm64-explain-json": ("arm64", ["explain", "-j", "FEAT_AES"]),
    "arm64-features": (None, ["features", "--arch", "arm64", "FEAT_AES", "ID_AA64ISAR0_EL1.AES", "pauth"]),
    "arm64-features-json": (None, ["features", "--arch", "arm64", "-j", "FEAT_RNG"]),
    "error-name": ("x86", ["plan", "-c", "host,-kvm-pv-eoi,+kvm-pv-unhlat,avx2"]),
    "error-name-json": ("x86", ["plan", "-j", "-c", "host,-kvm-pv-eoi,+kvm-pv-unhlat,avx2"]),
    "error-preset": ("x86", ["plan", "-c", "host,pv=migrateable"]),
    "error-value": ("arm64", ["plan", "-c", "host,ID_AA64ISAR0_EL1.AES=77"]),
    "error-topology": ("x86", ["plan", "--smp", "6,cores=4"]),
    "error-pattern": (None, ["features", "--arch", "x86", "avxx*"]),
    "error-option": (None, ["plan", "--irqchip", "pic"]),
}


def output(case):
    arch, args = CASES[case]
    host = ["--host", HOST[arch]] if arch else []
    ran = cli.guestcpu(*args, *host)
    head = f"# SPDX-License-Identifier: MIT\nguestcpu {' '.join(args + host)}: exit {ran.code}\n"
    # a host recorded again is not another form
    return head + re.sub("sha256:[0-9a-f]{64}", "sha256:...", ran.out) + ran.err


class Golden(cli.Test):
    def test_form(self):
        bundled = cli.bundled()
        for case, (arch, _) in CASES.items():
            with self.subTest(case=case):
                if arch:
                    self.assertIn(HOST[arch], bundled, "no longer bundled: choose another, --bless")
                with open(os.path.join(GOLDEN, case + ".txt"), encoding="utf-8") as f:
                    want = f.read()
                lines = difflib.unified_diff(want.splitlines(), output(case).splitlines(),
                                             "golden", "now", lineterm="", n=1)
                text = "\n".join(list(lines)[:40])
                if text:
                    self.fail(text + "\nif that is meant: tests/cli/test_golden.py --bless")

    def test_no_strays(self):
        self.assertEqual(sorted(os.listdir(GOLDEN)), sorted(c + ".txt" for c in CASES))


def bless():
    os.makedirs(GOLDEN, exist_ok=True)
    for name in os.listdir(GOLDEN):
        os.unlink(os.path.join(GOLDEN, name))
    for case in CASES:
        with open(os.path.join(GOLDEN, case + ".txt"), "w", encoding="utf-8") as f:
            f.write(output(case))
    print(f"{len(CASES)} files written to {GOLDEN}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--bless"]:
        bless()
    else:
        sys.exit(cli.main())

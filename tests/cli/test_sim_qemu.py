#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sim: QEMU on hosts that this machine is not. Needs no /dev/kvm.

What must come of it is what QEMU is told by its own options, and what is known of CPUs: Skylake has
AVX-512 and no SHA, Milan has SHA and no AVX-512.
"""
import glob
import os
import re
import shutil
import sys

import cli
from test_sim import HOST, Sim
from test_trace import X86

DUMPS = os.environ.get("GUESTCPU_DUMPS", os.path.join(cli.ROOT, "../shared/data/instlatx64"))
AVX2, AVX512F, SHA = 1 << 5, 1 << 16, 1 << 29


def entry(table, leaf):
    return next(e for e in table if (e["leaf"], e["subleaf"]) == (leaf, "0x0"))


def maker(table):
    return b"".join(int(entry(table, "0x0")[r], 16).to_bytes(4, "little") for r in ("ebx", "edx", "ecx")).decode()


def this_maker():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return re.search(r"^vendor_id\s*: (\w+)$", f.read(), re.M)[1]


@cli.unittest.skipUnless(X86, "QEMU for x86")
class Qemu(Sim):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("qemu-system-x86_64"):
            cli.skip("cli: sim: no qemu-system-x86_64")

    def qemu(self, *args, host=HOST):
        doc, ran = self.simulate("qemu-system-x86_64", "-accel", "kvm", "-nodefaults", "-display", "none", *args, host=host)
        self.assertTrue(doc["program"]["stopped"], ran.err)
        return doc, ran

    @staticmethod
    def leaf7(doc):
        return next((int(e["ebx"], 16) for e in doc["vcpus"][0]["cpuid"] if (e["leaf"], e["subleaf"]) == ("0x7", "0x0")), 0)

    def test_all_vcpus(self):
        for irqchip in "on", "split":
            doc, _ = self.qemu("-machine", f"q35,kernel-irqchip={irqchip}", "-cpu", "qemu64,+x2apic,model-id=guestcpu", "-smp", "4")
            self.assertEqual(doc["machine"]["irqchip"], "split" if irqchip == "split" else "kernel")
            self.assertEqual([(v["id"], v["ran"]) for v in doc["vcpus"]], [(n, True) for n in range(4)])
            for n, vcpu in enumerate(doc["vcpus"]):
                leaves = {(e["leaf"], e["subleaf"]): e for e in vcpu["cpuid"]}
                self.assertEqual(int(leaves["0x1", "0x0"]["ebx"], 16) >> 24, n)
                self.assertEqual(int(leaves["0x80000002", "0x0"]["eax"], 16), int.from_bytes(b"gues", "little"))
                self.assertGreater(len(vcpu["msrs"]), 20)

    def test_the_hosts_features(self):
        for host in ("x86-amd-opteron-g3-6-12", "x86-amd-max-6-12"):
            have = [int(e["ebx"], 16) for e in self.snapshot(host)["cpuid"]["supported"] if e["leaf"] == "0x7"]
            doc, _ = self.qemu("-cpu", "host", host=host)
            self.assertEqual(self.leaf7(doc) & AVX2, (have + [0])[0] & AVX2, host)

    def test_hyperv(self):
        """What KVM has for guests that take it for Hyper-V, QEMU gets: registers are set, events given numbers."""
        doc, _ = self.qemu("-cpu", "host,hv-vpindex,hv-synic,hv-time,hv-stimer,hv-relaxed", "-device", "vmbus-bridge", "-smp", "2")
        self.assertEqual([c["errno"] for c in doc["calls"] if c["call"] == "KVM_HYPERV_EVENTFD"], [0])
        for n, vcpu in enumerate(doc["vcpus"]):
            msrs = {m["index"]: m["value"] for m in vcpu["msrs"]}
            # version and first line of synthetic interrupts, number of the vCPU
            self.assertEqual((msrs["0x40000081"], msrs["0x40000090"], msrs["0x40000002"]), ("0x1", "0x10000", hex(n)))
        # all enlightenments that there are
        self.qemu("-cpu", "host,hv-passthrough")

    def test_other_cpus(self):
        """Hosts made from dumps of their CPUs."""
        for name, family, has, lacks in (("milan", "AuthenticAMD0A00F11_K19_Milan_CPUID1", SHA, AVX512F),
                                         ("skylake", "GenuineIntel0050654_SkylakeXeon_CPUID", AVX512F, SHA)):
            dumps = glob.glob(os.path.join(DUMPS, family + ".txt"))
            if not dumps:
                cli.skip(f"cli: sim: no dump {family} to make a host from")
            host = os.path.join(cli.scratch(), name + ".json")
            self.exits(0, "probe", "--from-cpuid", dumps[0], "--kernel", "6.12", "-o", host)
            # Intel's KVM has the enlightened VMCS, too
            self.qemu("-cpu", "host,hv-passthrough", host=host)
            for model in "host", "Skylake-Server-v1", "EPYC-Milan-v1":
                with self.subTest(host=name, cpu=model):
                    doc, ran = self.qemu("-cpu", model, "-smp", "2", host=host)
                    wants = {"host": has, "Skylake-Server-v1": AVX512F, "EPYC-Milan-v1": SHA}[model]
                    self.assertEqual(self.leaf7(doc) & (has | lacks), wants & has)
                    warned = set(re.findall(r"feature: CPUID.07H:EBX.([\w-]+)", ran.err))
                    self.assertEqual({"avx512f", "sha-ni"} & warned,
                                     set() if wants == has else {"avx512f" if lacks == AVX512F else "sha-ni"})
                    self.check_asked(doc, self.snapshot(host))

    def check_asked(self, doc, snap):
        """All that QEMU wrote was taken, and is of that host, but for what it sees with its own CPUID instruction."""
        own = maker(snap["cpuid"]["native"]) if doc["own_cpuid"] == "answered" else this_maker()
        offered = entry(snap["cpuid"]["supported"], "0x7")
        for n, vcpu in enumerate(doc["vcpus"]):
            self.assertEqual((vcpu["id"], vcpu["ran"], maker(vcpu["cpuid"])), (n, True, own))
            self.assertEqual(int(entry(vcpu["cpuid"], "0x1")["ebx"], 16) >> 24, n)
            for register in "ebx", "ecx":
                self.assertEqual(int(entry(vcpu["cpuid"], "0x7")[register], 16) & ~int(offered[register], 16), 0)
            written = {m["index"] for m in vcpu["msrs"]}
            # SYSENTER_CS, PAT, STAR, LSTAR, the page of KVM's clock, TSC_DEADLINE
            self.assertLessEqual({"0x174", "0x277", "0xc0000081", "0xc0000082", "0x12", "0x6e0"}, written)
            self.assertGreater(len(written & set(snap["msrs"]["index"])), 25)
        partly = [c for c in doc["calls"] if c["call"] == "KVM_SET_MSRS" and c["args"]["taken"] != c["args"]["nmsrs"]]
        self.assertEqual(partly, [])
        # 0, the interrupt controller, is in no snapshot
        asked = {c["cap"]: c["value"] for c in doc["capabilities"]["checked"] if c["scope"] == "system" and c["cap"]}
        have = dict(snap["capabilities"]["system"])
        self.assertEqual(asked, {n: have.get(n, 0) for n in asked})
        self.assertGreater(len(asked), 30)


if __name__ == "__main__":
    sys.exit(cli.main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sim with Debian's QEMU on hosts that are only CPUID dumps: a Milan, and a Skylake.

What must come of it is what these CPUs are known to have, and one has and the other has not.
"""
import os
import shutil
import sys
import tempfile

import cli
import test_sim

DUMPS = os.environ.get("GUESTCPU_DUMPS", os.path.join(cli.ROOT, "../shared/data/instlatx64"))
QEMU = "qemu-system-x86_64"
# bits of EBX of leaf 7
AVX2, AVX512F, SHA = 1 << 5, 1 << 16, 1 << 29
HOSTS = {
    "milan": ("AuthenticAMD0A00F11_K19_Milan_CPUID1.txt", "EPYC-Milan", AVX2 | SHA, AVX512F),
    "skylake": ("GenuineIntel0050654_SkylakeXeon_CPUID.txt", "Skylake-Server", AVX2 | AVX512F, SHA),
}


def this_vendor():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return next(line.split(":")[1].strip() for line in f if line.startswith("vendor_id"))


def vendor(entry):
    return b"".join(int(entry[r], 16).to_bytes(4, "little") for r in ("ebx", "edx", "ecx")).decode()


def find(table, leaf):
    return next(e for e in table if (e["leaf"], e["subleaf"]) == (leaf, "0x0"))


@cli.unittest.skipUnless(test_sim.X86, "QEMU's KVM needs a host of the guest's architecture")
class Qemu(test_sim.Sim):
    @classmethod
    def setUpClass(cls):
        if not shutil.which(QEMU):
            cli.skip(f"no {QEMU}")
        if not os.path.isdir(DUMPS):
            cli.skip("no CPUID dumps of real CPUs")
        cls.folder = tempfile.TemporaryDirectory(prefix="guestcpu-sim-qemu-")
        cls.addClassCleanup(cls.folder.cleanup)

    def on(self, name, model):
        """The report of QEMU with -cpu MODEL on host NAME, and the host."""
        path = os.path.join(self.folder.name, f"{name}.json")
        self.exits(0, "probe", "--from-cpuid", os.path.join(DUMPS, HOSTS[name][0]), "--kernel", "6.12", "-o", path)
        command = [QEMU, "-accel", "kvm", "-cpu", model, "-nodefaults", "-display", "none", "-m", "64", "-smp", "2"]
        doc, _ = self.simulate(*command, host=path)
        snap = self.snapshot(path)
        self.assertEqual(doc["program"], {"command": command, "stopped": True, "exit": 0, "signal": None,
                                          "opened": True, "vms": 1})
        self.assertEqual(doc["host"]["hash"], snap["hash"])
        self.assertEqual(sorted(v["id"] for v in doc["vcpus"]), [0, 1])
        self.assertTrue(any(v["ran"] for v in doc["vcpus"]))
        text = self.exits(0, "sim", "--host", path, "--", *command).out
        self.assertTrue(text.endswith(f"{QEMU}: stopped at its first KVM_RUN\n"), text)
        self.assertIn("were answered by the model" if doc["own_cpuid"] == "answered" else "leaked: CPUID instructions", text)
        return doc, snap

    def check_tables(self, doc, snap, name):
        _, _, there, absent = HOSTS[name]
        offered = {(e["leaf"], e["subleaf"]): e for e in snap["cpuid"]["supported"]}
        for vcpu in doc["vcpus"]:
            seven = find(vcpu["cpuid"], "0x7")
            ebx = int(seven["ebx"], 16)
            self.assertEqual((ebx & there, ebx & absent), (there, 0), hex(ebx))
            # nothing but what KVM of that host offers, whatever machine this is
            for register in "ebx", "ecx":
                self.assertEqual(int(seven[register], 16) & ~int(offered["0x7", "0x0"][register], 16), 0)
            # each has an APIC id of its own
            self.assertEqual(int(find(vcpu["cpuid"], "0x1")["ebx"], 16) >> 24, vcpu["id"])

    def check_rest(self, doc, snap):
        listed = set(snap["msrs"]["index"]) | {m["index"] for m in snap["msrs"]["features"]}
        for vcpu in doc["vcpus"]:
            written = {m["index"] for m in vcpu["msrs"]}
            # SYSENTER_CS, PAT, STAR, LSTAR, and the page of KVM's clock
            self.assertLessEqual({"0x174", "0x277", "0xc0000081", "0xc0000082", "0x12"}, written)
            self.assertGreater(len(written & listed), 40)
        partly = [c for c in doc["calls"] if c["call"] == "KVM_SET_MSRS" and c["args"]["taken"] != c["args"]["nmsrs"]]
        self.assertEqual(partly, [])
        asked = {c["name"]: c["value"] for c in doc["capabilities"]["checked"] if c["name"]}
        have = dict(snap["capabilities"]["system"])
        self.assertGreater(len(asked), 30)
        # NR_MEMSLOTS, and how many vCPUs KVM recommends
        self.assertEqual((asked["NR_MEMSLOTS"], asked["NR_VCPUS"]), (have[10], have[9]))

    def check(self, name, model):
        doc, snap = self.on(name, model)
        self.check_tables(doc, snap, name)
        self.check_rest(doc, snap)
        # under KVM QEMU takes the maker from its own CPUID instruction, whatever the model
        own = vendor(find(snap["cpuid"]["native"], "0x0")) if doc["own_cpuid"] == "answered" else this_vendor()
        self.assertEqual(vendor(find(doc["vcpus"][0]["cpuid"], "0x0")), own)
        return doc

    def test_host(self):
        for name in HOSTS:
            with self.subTest(name):
                self.check(name, "host")

    def test_model(self):
        """A model of QEMU's has its own family, model and stepping, wherever it runs."""
        for name, (dump, model, _, _) in HOSTS.items():
            with self.subTest(name):
                doc = self.check(name, model)
                signature = {"milan": 0xa00f11, "skylake": 0x50654}[name]
                for vcpu in doc["vcpus"]:
                    self.assertEqual(int(find(vcpu["cpuid"], "0x1")["eax"], 16), signature, dump)


if __name__ == "__main__":
    sys.exit(cli.main())

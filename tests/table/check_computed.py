#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Computed snapshots against what others recorded on real CPUs: check_computed.py GUESTCPU DATA SHARED

SHARED has instlatx64 (CPUID dumps), libvirt-cputest (raw CPUID of hosts, and what QEMU's -cpu host had there) and
firecracker (guests' CPUID on known hosts).
- Every dump becomes a snapshot for every kernel series, a plan can be made from it, and a model of it keeps what KVM promises.
- What QEMU had on a real host is on in the snapshot that is computed from that host's CPUID. The other way round
  nothing follows: those kernels were older than any that is computed.
- A guest of Firecracker on an EPYC 7R13 had, in every feature word, what is computed from another such CPU's dump,
  but for what Firecracker itself takes out and what that host's own settings are.
Exit status: 0 they agree, 1 they do not, 77 there is nothing to compare with.
"""

import glob
import json
import os
import re
import subprocess
import sys
import tempfile

from rows import rows

REGS = ("eax", "ebx", "ecx", "edx")
# QEMU's own, whatever KVM reports; KVM does so itself since 6.14.
QEMU_ADDS = {"hypervisor", "tsc-deadline"}
# These two dumps say that sub-leaf 1 of 0xd is empty, though the CPUs have XSAVEOPT.
DUMP_LACKS = {("Core-i5-4670T", "xsaveopt"), ("Core-i7-3740QM", "xsaveopt")}
# (leaf, sub-leaf, register): bits in which the guest differs, and why.
MILAN = {
    (1, 0, "ecx"): (1 << 24 | 1 << 31, "Firecracker sets TSC_DEADLINE and HYPERVISOR itself"),
    (7, 0, "ebx"): (1 << 9, "the firmware of that host has fast strings off"),
    (7, 0, "edx"): (1 << 4 | 1 << 29, "the same, and Firecracker takes ARCH_CAPABILITIES from AMD's guests"),
    (0x80000001, 0, "ecx"): (1 << 2, "nesting is off on that host"),
    (0x8000000a, 0, "edx"): (0xffffffff, "nesting is off on that host"),
}


# Less was not all of it: features of hosts, feature words of guests, and of Intel's.
HOSTS_LEAST, GUESTS_LEAST, INTEL_LEAST = 900, 37, 46


def enough(n, least, what, recorded):
    """A line about too little, where there are recordings to compare with."""
    if not glob.glob(recorded):
        print(f"SKIP: table: computed: no {os.path.basename(recorded)} for {what}")
        return []
    print(f"{n} {what}")
    return [f"only {n} {what}"] if n < least else []


class Computed:
    """What the command says of a CPU."""

    def __init__(self, command, folder):
        self.command, self.path = command, os.path.join(folder, "host.json")

    def snapshot(self, dump, series):
        done = subprocess.run([self.command, "probe", "--from-cpuid", dump, "--kernel", series, "-o", self.path],
                              capture_output=True, text=True, timeout=60, check=False)
        if done.returncode:
            raise ValueError(f"exit {done.returncode}: {done.stderr.strip()}")
        with open(self.path, encoding="utf-8") as f:
            return json.load(f)

    def planned(self):
        done = subprocess.run([self.command, "plan", "--host", self.path, "--json"], capture_output=True, timeout=60,
                              check=False)
        return done.returncode == 0 and "computed" in [f["id"] for f in json.loads(done.stdout)["findings"]]


    def broken(self):
        """Cases of conformance that fail on a model of it."""
        done = subprocess.run([self.command, "conform", "--on", "model:" + self.path, "--json"], capture_output=True,
                              timeout=60, check=False)
        if done.returncode not in (0, 1):
            return [f"exit {done.returncode}"]
        return [c["name"] for c in json.loads(done.stdout)["cases"] if c["outcome"] == "failed"]


def registers(document):
    return {(int(e["leaf"], 16), int(e["subleaf"], 16), r): int(e[r], 16)
            for e in document["cpuid"]["supported"] for r in REGS}


def dumps(computed, folder, series):
    """Every dump, and every series."""
    for path in sorted(glob.glob(f"{folder}/*.txt")):
        for one in series:
            try:
                document = computed.snapshot(path, one)
            except ValueError as error:
                yield f"{os.path.basename(path)}: {one}: {error}"
                continue
            if document.get("origin") != "computed" or not document["assumed"] or not document["host"]["cpu"] \
                    and "Tualatin" not in path:
                yield f"{os.path.basename(path)}: {one}: it does not say that it is computed, or of which CPU"
            broken = computed.broken()
            if broken:
                yield f"{os.path.basename(path)}: {one}: a model of it fails {' '.join(broken)}"
        if not computed.planned():
            yield f"{os.path.basename(path)}: no plan from it, or none that says that its host is computed"


def raw_text(path):
    """A host's CPUID in libvirt's form, in that of cpuid -r."""
    lines = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            a = dict(re.findall(r"(\w+)=['\"](0x[0-9a-fA-F]+)['\"]", line))
            if "eax_in" in a:
                values = " ".join(f"{r}={int(a[r], 16):#010x}" for r in REGS)
                lines.append(f"   {int(a['eax_in'], 16):#010x} {int(a.get('ecx_in', '0'), 16):#04x}: {values}\n")
    return "".join(lines)


def qemu_had(path):
    """Names of what QEMU had on a host; None where the file says nothing of it."""
    with open(path, encoding="utf-8") as f:
        text, at = f.read(), 0
    while at < len(text.rstrip()):
        document, at = json.JSONDecoder().raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        answer = document.get("return")
        if isinstance(answer, dict) and "props" in answer.get("model", {}):
            return {name for name, value in answer["model"]["props"].items() if value is True}
    return None


def hosts(computed, folder, bits, aliases, work):
    compared = 0
    for path in sorted(glob.glob(f"{folder}/*-cpuid-*.xml")):
        name = re.sub(r".*-cpuid-(.*)\.xml", r"\1", path)
        had = qemu_had(path[:-4] + ".json") if os.path.exists(path[:-4] + ".json") else None
        if not had:
            continue
        text = os.path.join(work, "raw.txt")
        with open(text, "w", encoding="utf-8") as f:
            f.write(raw_text(path))
        got = registers(computed.snapshot(text, "6.1"))
        for word in sorted(had):
            feature = aliases.get(word.lower().replace("_", "-"), word.lower().replace("_", "-"))
            if feature not in bits or feature in QEMU_ADDS or (name, feature) in DUMP_LACKS:
                continue
            compared += 1
            where, bit = bits[feature]
            if not got.get(where, 0) >> bit & 1:
                yield f"{name}: QEMU had {feature} there, and it is not computed"
    yield from enough(compared, HOSTS_LEAST, "features that QEMU had on real hosts", f"{folder}/*-cpuid-*.xml")


def guests(computed, shared, feature_words):
    """What the fields are in is compared as a whole word."""
    dump = f"{shared}/instlatx64/AuthenticAMD0A00F11_K19_Milan_CPUID1.txt"
    words = 0
    for series in ("6.1", "6.18"):
        path = f"{shared}/firecracker/fingerprint_AMD_MILAN_{series}host.json"
        if not os.path.exists(path) or not os.path.exists(dump):
            continue
        with open(path, encoding="utf-8") as f:
            modifiers = json.load(f)["guest_cpu_config"]["cpuid_modifiers"]
        guest = {(int(m["leaf"], 16), int(m["subleaf"], 16), r["register"]): int(r["bitmap"], 2)
                 for m in modifiers for r in m["modifiers"]}
        got = registers(computed.snapshot(dump, series))
        for where in sorted(feature_words):
            # Firecracker leaves KVM's leaves out of what it records as they are
            if where not in guest or where not in got:
                continue
            words += 1
            mask = MILAN.get(where, (0, ""))[0]
            if (guest[where] ^ got[where]) & ~mask:
                yield (f"Milan, {series}: {where[0]:#x}.{where[1]}.{where[2]}: a guest had {guest[where]:#x}, "
                       f"computed {got[where]:#x}")
    yield from enough(words, GUESTS_LEAST, "feature words of real guests", f"{shared}/firecracker/fingerprint_AMD_MILAN_*host.json")


def own_guests(computed, shared, feature_words, work):
    """KVM would offer what it gave: a guest's CPUID taken for a CPU's own must be offered, all of it, and
    IA32_ARCH_CAPABILITIES, of which a CPU says nothing in CPUID, be what the guest has."""
    words = 0
    for cpu in ("INTEL_ICELAKE", "INTEL_SAPPHIRE_RAPIDS"):
        for series in ("6.1", "6.18"):
            path = f"{shared}/firecracker/fingerprint_{cpu}_{series}host.json"
            if not os.path.exists(path):
                continue
            with open(path, encoding="utf-8") as f:
                config = json.load(f)["guest_cpu_config"]
            table = {(int(m["leaf"], 16), int(m["subleaf"], 16)): {r["register"]: int(r["bitmap"], 2) for r in m["modifiers"]}
                     for m in config["cpuid_modifiers"]}
            # a CPU that can do it: Firecracker's guests have neither VMX nor counters
            table[1, 0]["ecx"] |= 1 << 5
            table[10, 0]["eax"] = 0x8300805
            text = os.path.join(work, "raw.txt")
            with open(text, "w", encoding="utf-8") as f:
                for (leaf, sub), values in sorted(table.items()):
                    f.write(f"   {leaf:#010x} {sub:#04x}: " + " ".join(f"{r}={values.get(r, 0):#010x}" for r in REGS) + "\n")
            document = computed.snapshot(text, series)
            got = registers(document)
            table[1, 0]["ecx"] &= ~(1 << 24 | 1 << 31)    # Firecracker's own
            for where in sorted(feature_words):
                had = table.get(where[:2], {}).get(where[2], 0)
                if had and not 0x40000000 <= where[0] < 0x80000000:
                    words += 1
                    if had & ~got.get(where, 0):
                        yield f"{cpu}, {series}: {where[0]:#x}.{where[1]}.{where[2]}: a guest had {had:#x}, computed {got.get(where, 0):#x}"
            want = [int(m["bitmap"], 2) for m in config["msr_modifiers"] if int(m["addr"], 16) == 0x10a]
            have = [int(m["value"], 16) for m in document["msrs"]["features"] if m["index"] == "0x10a"]
            if want != have:
                yield f"{cpu}, {series}: IA32_ARCH_CAPABILITIES: a guest had {[hex(v) for v in want]}, computed {[hex(v) for v in have]}"
    yield from enough(words, INTEL_LEAST, "feature words of real Intel guests",
                      f"{shared}/firecracker/fingerprint_INTEL_*host.json")


def main(command, data, shared):
    if not glob.glob(f"{shared}/instlatx64/*.txt"):
        print(f"SKIP: no dump in {shared}")
        return 77
    bits, words, aliases = {}, set(), {}
    for c in rows(f"{data}/x86/fields.txt", 11):
        m = re.fullmatch(r"CPUID\.(0x[0-9a-f]+)\.(0x[0-9a-f]+)\.(\w+)", c[2])
        if m and ":" not in c[3]:
            where = int(m[1], 16), int(m[2], 16), m[3]
            bits[c[1]] = where, int(c[3])
            if int(m[1], 16) != 0xd:
                words.add(where)
    for c in rows(f"{data}/x86/aliases.txt", 3):
        aliases[c[0].lower().replace("_", "-")] = c[1]
    series = [c[0] for c in rows(f"{data}/kvm/series.txt", 2)]
    with tempfile.TemporaryDirectory(prefix="guestcpu-computed-") as work:
        computed = Computed(command, work)
        problems = [*dumps(computed, f"{shared}/instlatx64", series),
                    *hosts(computed, f"{shared}/libvirt-cputest", bits, aliases, work),
                    *guests(computed, shared, words), *own_guests(computed, shared, words, work)]
    for problem in problems:
        print(problem)
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares data/x86 with real CPUs: check_machines.py FOLDER... [--data DATA]

A folder holds CPUID dumps: *.txt as AIDA64 writes them (InstLatx64), *cpuid*.xml as libvirt's cputest has them. On no
machine may a feature be there whose parents (requires.txt) are not, and on none a feature that vendors.txt gives to
other vendors. What real CPUs do all the same stands in x86_machines.txt, each with its reason; a row there that no
machine needs is an error.
Exit status: 0 they agree, 1 they do not, 77 there is no machine.
"""

import glob
import os
import re
import sys

from rows import rows

HERE = os.path.dirname(os.path.abspath(__file__))
REGS = ("eax", "ebx", "ecx", "edx")
VENDORS = {"GenuineIntel": "intel", "AuthenticAMD": "amd", "HygonGenuine": "amd", "CentaurHauls": "centaur",
           "  Shanghai  ": "centaur"}
# Leaves of hypervisors: a real CPU answers them with whatever its last basic leaf holds.
HYPERVISOR = 0x4000
# Bits that mirror what the system that took the dump had switched on.
MIRRORS = {"osxsave", "ospke"}


def read_aida(path):
    """The first logical CPU of a dump: {(leaf, sub-leaf): [eax, ebx, ecx, edx]}."""
    out = {}
    with open(path, encoding="latin-1") as f:
        for line in f:
            m = re.match(r"CPUID ([0-9A-F]{8}): ([0-9A-F]{8})-([0-9A-F]{8})-([0-9A-F]{8})-([0-9A-F]{8})"
                         r"(?:.*\[SL ([0-9A-F]+)\])?", line)
            if m:
                key = (int(m.group(1), 16), int(m.group(6) or "0", 16))
                if key in out and key == (0, 0):
                    break
                out.setdefault(key, [int(m.group(i), 16) for i in range(2, 6)])
    return out


def read_xml(path):
    """Every entry of a raw dump. Attributes come in any order."""
    out = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            a = dict(re.findall(r"(\w+)=['\"](0x[0-9a-fA-F]+)['\"]", line))
            if "eax_in" in a:
                key = (int(a["eax_in"], 16), int(a.get("ecx_in", "0"), 16))
                out[key] = [int(a[r], 16) for r in REGS]
    return out


class Machine:
    def __init__(self, path, leaves):
        self.name, self.leaves = os.path.basename(path), leaves
        raw = b"".join(leaves[0, 0][i].to_bytes(4, "little") for i in (1, 3, 2))
        self.vendor = VENDORS.get(raw.decode("latin-1"))

    def value(self, leaf, sub, reg):
        top = self.leaves.get((leaf & 0xf0000000, 0), [0])[0]
        return self.leaves[leaf, sub][REGS.index(reg)] if leaf <= top and (leaf, sub) in self.leaves else None


def machines(folders):
    out = []
    for folder in folders:
        for pattern, read in (("*.txt", read_aida), ("*cpuid*.xml", read_xml)):
            for path in sorted(glob.glob(os.path.join(folder, pattern))):
                leaves = read(path)
                if (0, 0) in leaves:
                    out.append(Machine(path, leaves))
    return out


class Tables:
    def __init__(self, data):
        self.fields = {}
        for c in rows(f"{data}/fields.txt", 11):
            space, *word = c[2].split(".")
            msb, _, lsb = c[3].rpartition(":")
            if space == "CPUID":
                mask = (1 << int(msb or lsb) - int(lsb) + 1) - 1
                self.fields[c[1]] = (int(word[0], 16), int(word[1], 16), word[2], int(lsb), mask)
        self.requires = [(c, [p.strip() for p in ps.split(" + ")]) for c, ps, _ in rows(f"{data}/requires.txt", 3)]
        self.vendors = {f: [x.strip() for x in v.split(" + ")] for f, v, _ in rows(f"{data}/vendors.txt", 3)}

    def on(self, machine, name):
        """True, False, or None where no dump can tell: the field of an MSR, a leaf that was not dumped."""
        if name not in self.fields:
            return None
        leaf, sub, reg, lsb, mask = self.fields[name]
        if leaf >> 16 == HYPERVISOR:
            return False
        value = machine.value(leaf, sub, reg)
        if value is None:
            # a leaf above the highest is not there; a sub-leaf may only not have been dumped
            return None if sub and (leaf, 0) in machine.leaves else False
        return bool(value >> lsb & mask)


class Exceptions:
    def __init__(self, path):
        self.rows = [tuple(r) for r in rows(path, 4)]
        self.used = set()

    def allow(self, machine, child, parent):
        for row in self.rows:
            if row[1] == child and row[2] == parent and re.fullmatch(row[0].replace("*", ".*"), machine.name):
                self.used.add(row)
                return True
        return False


def check_parents(tables, machine, exceptions, count):
    bad = []
    for child, parents in tables.requires:
        if child in MIRRORS or not tables.on(machine, child):
            continue
        have = [tables.on(machine, p) for p in parents]
        count["parents"] += 1
        if any(have) or None in have:
            continue
        if not exceptions.allow(machine, child, " + ".join(parents)):
            bad.append(f"{machine.name}: {child} without {' + '.join(parents)}")
    return bad


def check_vendors(tables, machine, exceptions, count):
    bad = []
    for field, vendors in tables.vendors.items():
        if not tables.on(machine, field):
            continue
        count["vendors"] += 1
        if machine.vendor not in vendors and not exceptions.allow(machine, field, "vendor"):
            bad.append(f"{machine.name}: {field} is of {' + '.join(vendors)} only, this is {machine.vendor}")
    return bad


def main(args):
    data = os.path.join(HERE, "..", "..", "data", "x86")
    if "--data" in args:
        data = args[args.index("--data") + 1]
        args = args[:args.index("--data")]
    found = machines(args)
    if not found:
        print("SKIP: x86-machines: no CPUID dumps in " + " ".join(args))
        return 77
    tables, exceptions = Tables(data), Exceptions(os.path.join(HERE, "x86_machines.txt"))
    bad, count = [], {"parents": 0, "vendors": 0}
    for m in found:
        if m.vendor is None:
            bad.append(f"{m.name}: of no vendor that is known here")
        bad += check_parents(tables, m, exceptions, count)
        bad += check_vendors(tables, m, exceptions, count)
    bad += [f"x86_machines.txt: no machine needs {' | '.join(r)}" for r in exceptions.rows if r not in exceptions.used]
    for line in bad:
        print(line)
    print(f"{len(found)} machines: {count['parents']} children with parents, {count['vendors']} features of some vendors, "
          f"{len(exceptions.rows)} exceptions, {len(bad)} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1:]))

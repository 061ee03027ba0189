# SPDX-License-Identifier: MIT
"""Another host, out of a snapshot, in the form that qemu.ask() takes.

QEMU runs the CPUID instruction itself, and that cannot be stood in for. So
only a snapshot of this machine's own vendor can be shown to it, and the bits
that it takes from the instruction are left out of the comparison.
"""
import json
import os

import words

DIRECTORY = os.path.join(words.ROOT, "data", "hosts")
# Hints about speed that QEMU copies from the host's own CPUID.
FROM_INSTRUCTION = {
    "CPUID.0x7.0x0.ebx": 1 << 9, "CPUID.0x7.0x0.edx": 1 << 4,
    "CPUID.0x7.0x1.eax": 7 << 10, "CPUID.0x7.0x2.edx": 1 << 5}
# TSC_DEADLINE_TIMER and those that qemu.CHOICE_CAPS names.
SHOWN_CAPS = (72, 121, 129, 143, 190)


def path(name):
    """Where the snapshot is: NAME of data/hosts, or a path inside the tree."""
    if "/" in name:
        return os.path.join(words.ROOT, name)
    return os.path.join(DIRECTORY, name + ".json")


def read(name):
    """The snapshot document of that name, or None if there is none."""
    if not os.path.exists(path(name)):
        return None
    with open(path(name), encoding="utf-8") as stream:
        return json.load(stream)


def entries(table):
    return [[words.number(entry["leaf"]), words.number(entry["subleaf"]),
             words.number(entry.get("flags", 0))]
            + [words.number(entry[register]) for register in words.REGISTERS]
            for entry in table]


def answers(document):
    """What QEMU is shown: (CPUID entries, {MSR: value}, {capability: value})."""
    if not document.get("cpuid", {}).get("supported"):
        raise ValueError("the snapshot has no table of supported CPUID")
    msrs = document.get("msrs", {}).get("features", [])
    caps = dict(document.get("capabilities", {}).get("system", []))
    return (entries(document["cpuid"]["supported"]),
            {words.number(msr["index"]): words.number(msr["value"])
             for msr in msrs},
            {number: caps.get(number, 0) for number in SHOWN_CAPS})


def refused_msrs(document):
    """Feature MSRs whose own value that host refused on a vCPU."""
    return {words.number(msr["index"])
            for msr in document.get("msrs", {}).get("features", [])
            if not msr.get("accepted", True)}


def vendor(table):
    """The 12 characters of leaf 0."""
    for function, _, _, _, ebx, ecx, edx in table:
        if function == 0:
            return b"".join(n.to_bytes(4, "little")
                            for n in (ebx, edx, ecx)).decode("latin-1")
    return ""


def native_vendor():
    with open("/proc/cpuinfo", encoding="utf-8") as stream:
        for line in stream:
            if line.startswith("vendor_id"):
                return line.split(":")[1].strip()
    return ""

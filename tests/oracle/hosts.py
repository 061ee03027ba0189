# SPDX-License-Identifier: MIT
"""Another host, out of a snapshot, in the form that qemu.ask() takes.

QEMU runs the CPUID instruction itself, and that cannot be stood in for. So
only a snapshot of this machine's own vendor can be shown to it, and the bits
that it takes from the instruction are left out of the comparison.
"""
import fnmatch
import json
import os

import parents
import words

ALL = (1 << 64) - 1
DIRECTORY = os.path.join(words.ROOT, "data", "hosts")
# Hints about speed that QEMU copies from the host's own CPUID, and the layout
# of the save area.
FROM_INSTRUCTION = {
    "CPUID.0x7.0x0.ebx": 1 << 9, "CPUID.0x7.0x0.edx": 1 << 4,
    "CPUID.0x7.0x1.eax": 7 << 10, "CPUID.0x7.0x2.edx": 1 << 5,
    "CPUID.0xd.0x0.ebx": ALL, "CPUID.0xd.0x0.ecx": ALL,
    "CPUID.0xd.0x1.ebx": ALL}
# The same for some models and requests: (models, words said, CPUID words).
IDENTITY = ("CPUID.0x1.0x0.eax", "CPUID.0x80000001.0x0.eax",
            "CPUID.0xc0000001.0x0.eax", "CPUID.0x80000002.*", "CPUID.0x80000003.*", "CPUID.0x80000004.*",
            "CPUID.0x80000008.0x0.eax")
CACHES = ("CPUID.0x2.*", "CPUID.0x4.*", "CPUID.0x80000005.*",
          "CPUID.0x80000006.*", "CPUID.0x8000001d.*")
# TSC_DEADLINE_TIMER and those that qemu.CHOICE_CAPS names.
SHOWN_CAPS = (72, 121, 129, 143, 190)


def path(name):
    """Where the snapshot is: NAME of data/hosts, or a path inside the tree."""
    if "/" in name:
        return os.path.join(words.ROOT, name)
    return os.path.join(DIRECTORY, name + ".json")


def read(name):
    """The snapshot document of that name, or None if there is none."""
    return read_file(path(name)) if os.path.exists(path(name)) else None


def read_file(where):
    with open(where, encoding="utf-8") as stream:
        return json.load(stream)


def bundled(arch):
    """Names of the bundled snapshots of an architecture."""
    return sorted(name[:-len(".json")] for name in os.listdir(DIRECTORY)
                  if name.startswith(arch + "-") and name.endswith(".json"))


def answers(document):
    """What QEMU is shown: (CPUID entries, {MSR: value}, {capability: value},
    kHz of the TSC)."""
    if not document.get("cpuid", {}).get("supported"):
        raise ValueError("the snapshot has no table of supported CPUID")
    msrs = document.get("msrs", {}).get("features", [])
    caps = dict(document.get("capabilities", {}).get("system", []))
    return (words.entries(document["cpuid"]["supported"]),
            {words.number(msr["index"]): words.number(msr["value"])
             for msr in msrs},
            {number: caps.get(number, 0) for number in SHOWN_CAPS},
            document.get("tsc", {}).get("khz", 0))


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


def from_instruction(case):
    """{pattern: bits} of what QEMU takes from the instruction for this case."""
    hidden = dict(FROM_INSTRUCTION, **{"CPUID.0xd.0x[2-9a-f]*": ALL,
                                       "CPUID.0xd.0x1[0-9a-f]*.*": ALL})
    model = case.flags.split(",")[0]
    if model in ("host", "max") or "phys-bits" in case.flags:
        hidden.update(dict.fromkeys(IDENTITY, ALL))
    if parents.said(case.flags).get("host-cache-info"):
        hidden.update(dict.fromkeys(CACHES, ALL))
    if "cpu-pm" in case.extra:
        hidden["CPUID.0x5.*"] = ALL
    # A host without leaf 7 gets one of QEMU for the hints.
    if not any(leaf == 7 for leaf, *_ in answers(case.document())[0]):
        hidden["CPUID.0x0.0x0.eax"] = ALL
    return hidden


def hidden_bits(hidden, word):
    bits = hidden.get(word, 0)
    for pattern, value in hidden.items():
        if "*" in pattern and fnmatch.fnmatchcase(word, pattern):
            bits |= value
    return bits

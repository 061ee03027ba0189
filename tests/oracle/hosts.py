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


def read(name):
    """The snapshot document of that name, or None if there is none."""
    path = os.path.join(DIRECTORY, name + ".json")
    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def entries(table):
    return [[words.number(entry["leaf"]), words.number(entry["subleaf"]),
             words.number(entry.get("flags", 0))]
            + [words.number(entry[register]) for register in words.REGISTERS]
            for entry in table]


def find(document, *names):
    """The first value in the document under one of the names, at any depth."""
    if isinstance(document, dict):
        for name in names:
            if name in document:
                return document[name]
        for value in document.values():
            found = find(value, *names)
            if found is not None:
                return found
    return None


def answers(document):
    """(CPUID entries, {MSR index: value}) of a snapshot."""
    supported = find(document, "supported")
    if not supported:
        raise ValueError("the snapshot has no table of supported CPUID")
    msrs = find(document, "msr_features", "feature_msrs") or []
    return entries(supported), {words.number(msr["index"]):
                                words.number(msr["value"]) for msr in msrs}


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

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Snapshots with every word of the tables, and dictionaries: make_seeds.py GEN DATA OUT

They are inputs of the harnesses, not recordings: no machine has this CPU.
"""
import json
import os
import sys

sys.path.insert(0, sys.argv[1])
sys.dont_write_bytecode = True
from links import read_names, read_numbers, read_properties  # noqa: E402
from tables import SPACES, read_fields, read_words, rows  # noqa: E402

MASK32 = 2**32 - 1
CAP_VALUES = {"MAX_VCPUS": 1024, "MAX_VCPU_ID": 4096, "NR_VCPUS": 2, "X86_DISABLE_EXITS": 31}
REGS = ["eax", "ebx", "ecx", "edx"]


def text4(text):
    raw = text.encode("ascii")
    return int.from_bytes(raw, "little")


IDENTITY = {
    (0x0, 1): text4("Auth"), (0x0, 3): text4("enti"), (0x0, 2): text4("cAMD"), (0x1, 0): 0xa20f12,
    (0x40000000, 1): text4("KVMK"), (0x40000000, 2): text4("VMKV"), (0x40000000, 3): text4("M\0\0\0"),
    (0x80000000, 1): text4("Auth"), (0x80000000, 3): text4("enti"), (0x80000000, 2): text4("cAMD"),
}
DERIVED = {
    (0x0, 0): 0x24, (0x40000000, 0): 0x40000001, (0x80000000, 0): 0x80000026, (0xc0000000, 0): 0xc0000001,
    (0x1, 1): 0x00400800, (0x7, 0): 2, (0x80000008, 0): 0x3030, (0xd, 0): 0x602e7,
}
# leaf, sub-leaf, registers: lists whose members have no words of their own
LISTS = [
    (0x4, 0, (0x121, 0x1c0003f, 0x3f, 0)), (0x4, 1, (0x143, 0x1c0003f, 0x3ff, 0)), (0x4, 2, (0, 0, 0, 0)),
    (0xb, 0, (1, 2, 0x100, 0)), (0xb, 1, (2, 4, 0x201, 0)), (0xd, 2, (0x100, 0x240, 0, 0)),
    (0xd, 5, (0x40, 0x440, 0, 0)), (0xd, 9, (8, 0x980, 0, 0)), (0xd, 11, (0x10, 0, 1, 0)),
    (0xd, 18, (0x2000, 0xb00, 6, 0)), (0x1d, 0, (1, 0, 0, 0)), (0x1d, 1, (0x4000400, 0x80040, 0x10, 0)),
    (0x8000001d, 0, (0x121, 0x1c0003f, 0x3f, 0)), (0x8000001e, 0, (1, 0x100, 0, 0)),
    (0x80000026, 0, (1, 2, 0x100, 0)), (0x3f, 0, (1, 2, 3, 4)), (0x14, 0, (1, 0xf, 7, 0)), (0x12, 0, (3, 0, 0, 0x241f)),
]


def row(leaf, sub, regs):
    out = {"leaf": hex(leaf), "subleaf": hex(sub), "flags": 1 if sub or leaf in (4, 7, 0xb, 0xd, 0x8000001d) else 0}
    out.update({n: hex(v & MASK32) for n, v in zip(REGS, regs)})
    return out


def cpuid_table(words, value):
    table = {}
    for w in words:
        if w["space"] != "CPUID":
            continue
        leaf, sub, reg = w["addr"] >> 24 & MASK32, w["addr"] >> 2 & 0x3fffff, w["addr"] & 3
        table.setdefault((leaf, sub), [0, 0, 0, 0])[reg] = value(w, leaf, reg)
    rows = [row(leaf, sub, regs) for (leaf, sub), regs in table.items() if any(regs) or leaf in (0, 0x40000000)]
    return rows + [row(*entry) for entry in LISTS]


def offered(word, leaf, reg):
    if word["klass"] == "fields":
        return word["known"]
    if word["klass"] == "identity":
        return IDENTITY.get((leaf, reg), 0)
    if word["klass"] == "derived":
        return DERIVED.get((leaf, reg), word["known"])
    return 0


def native(word, leaf, reg):
    if 0x80000002 <= leaf <= 0x80000004:
        return text4("Test")
    return offered(word, leaf, reg) if word["klass"] != "copy" else 0x01010101


def caps(data, arch):
    out = []
    for r in read_numbers(f"{data}/kvm/caps.txt", 65535):
        foreign = r["name"].startswith("ARM_") if arch == "x86" else r["name"].startswith("X86_")
        if not foreign:
            out.append([r["number"], CAP_VALUES.get(r["name"], 1)])
    return {"system": out[::2], "vm": out}


def head(arch, vendor, data):
    return {"schema": "guestcpu.snapshot", "version": 1, "arch": arch, "name": f"seed-{arch}",
            "host": {"vendor": vendor, "cpu": "Seed", "microcode": "0x1", "kernel": "7.0", "module": "kvm",
                     "parameters": [{"module": "kvm", "name": "ignore_msrs", "value": "N"}]},
            "capabilities": caps(data, arch)}


def make_x86(data):
    words, _ = read_words(f"{data}/x86")
    fields = read_fields(f"{data}/x86", words)
    doc = head("x86", "AuthenticAMD", data)
    forced = {f["word"]["addr"] for f in fields if f["name"] == "x2apic"}
    doc["cpuid"] = {
        "supported": cpuid_table(words, offered), "emulated": [row(1, 0, (0, 0, 1 << 22, 0))], "hyperv": [],
        "native": cpuid_table(words, native), "varies": [row(1, 0, (0, 0xff000000, 0, 0))],
    }
    doc["msrs"] = {"index": ["0x10", "0x4b564d00"], "features": [
        {"index": hex(w["addr"] & MASK32), "value": "0xf", "accepted": i % 3 != 0}
        for i, w in enumerate(w for w in words if w["space"] == "MSR")]}
    doc["tsc"] = {"khz": 2000000}
    doc["xcomp"] = {"supported": "0x602e7", "permitted": "0x2e7"}
    doc["trial"] = {
        "enforce_pv_errno": 0,
        "zeros": cpuid_table(words, lambda w, leaf, reg: 1 << 31 if w["addr"] in forced else 0),
        "ones": cpuid_table(words, lambda w, leaf, reg: w["known"] & ~0x10),
        "bare": cpuid_table(words, lambda w, leaf, reg: 0)}
    return doc


def make_arm64(data):
    words, _ = read_words(f"{data}/arm64")
    fields = read_fields(f"{data}/arm64", words)
    doc = head("arm64", "0x41", data)
    doc["vcpu_init"] = {"target": 5, "features": "0x4",
                        "tried": [{"features": hex(1 << n), "errno": 22 if n == 7 else 0} for n in range(9)]}
    regs = [{"id": hex(w["addr"]), "value": ["0x1111111111111111"], "mask": "0xf0ff0fffffffffff"}
            for w in words if w["space"] == "REG"]
    regs.append({"id": hex(0x606000000015ffff), "value": ["0x5"] + ["0x0"] * 7})
    regs.append({"id": hex(0x6060000000150000), "errno": 1})
    doc["registers"] = sorted(regs, key=lambda r: int(r["id"], 16))
    nibbles = {}
    for f in fields:
        if f["word"]["addr"] >> 60 == SPACES["REG"]:
            nibbles[(f["word"]["addr"], f["lsb"] & ~3)] = f
    doc["trial"] = {"nibbles": [
        {"id": hex(a), "lsb": lsb, "accepted": "0x3" if i % 5 else "0x2", "changed": "0x8000", "read": [[15, 1]],
         "errno": 22}
        for i, (a, lsb) in enumerate(sorted(nibbles))]}
    doc["devices"] = [{"type": 5, "errno": 19}, {"type": 7, "errno": 0}]
    return doc


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"\n'


def request_words(data):
    out = ["host", "max", "base", "qemu64", "kvm64", "-v1", ",", ",+", ",-", "=on", "=off", "=0x", "=1", "\n"]
    for arch in ("x86", "arm64"):
        words, _ = read_words(f"{data}/{arch}")
        _, names = read_names(f"{data}/{arch}", read_fields(f"{data}/{arch}", words))
        out += [n["name"] for n in names.values()]
        for p in read_properties(f"{data}/{arch}"):
            out += [n + "=" for n in (p["name"], p["other"]) if n]
        presets = f"{data}/{arch}/presets.txt"
        if os.path.exists(presets):
            out += sorted({row[0] for _, row in rows(presets, 4)})
    return out + ["40", "0x80000008", "2100M", "GenuineIntel", "0xd"]


def keys(doc, out):
    if isinstance(doc, dict):
        for k, v in doc.items():
            out.add(f'"{k}": ')
            keys(v, out)
    elif isinstance(doc, list):
        for v in doc[:2]:
            keys(v, out)
    else:
        out.add(json.dumps(doc))


def main(data, out):
    found = set(["null", "true", "[]", "{}", '"0xffffffffffffffff"', '"0xffffffff"', "-1", "9223372036854775807"])
    for doc in (make_x86(data), make_arm64(data)):
        keys(doc, found)
        with open(os.path.join(out, doc["arch"] + ".json"), "w", encoding="ascii") as f:
            json.dump(doc, f, separators=(",", ":"))
    for name, words in (("request.dict", request_words(data)), ("snapshot.dict", sorted(found))):
        with open(os.path.join(out, name), "w", encoding="ascii") as f:
            # libFuzzer reads no bare newline in a word
            f.writelines(quoted(w) for w in words if w != "\n")


main(sys.argv[2], sys.argv[3])

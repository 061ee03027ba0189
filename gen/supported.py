# SPDX-License-Identifier: MIT
"""What KVM answers on a host, as rules: hostfacts.txt, supported.txt, leaves.txt, featuremsrs.txt,
msrlist.txt, capabilities.txt of x86, and kvm/series.txt."""

import re

from emit import HEAD, c_str, table
from links import field_index
from tables import RELEASE, c_name, choose, cpuid_addr, named, number, refuse, rows

OPS = ["native", "has", "is", "vendor", "kernel", "family", "model", "leaf",
       "atleast"]                                                                 # as enum kwhen_op
VENDORS = {"intel": 1, "amd": 2, "centaur": 4}
EFFECTS = ["needs", "sets"]
TABLES = {"supported": "SNAP_SUPPORTED", "emulated": "SNAP_EMULATED", "hyperv": "SNAP_HYPERV"}
FORMS = ["one", "base", "indexed", "upto", "caches", "xsave", "more", "also"]         # as enum kleaf_form
CALCS = ["pmu", "xsave", "avx10-1", "avx10-2", "widths", "widths-old"]                 # as enum kreg_calc
FDS = {"system": ("true", "false"), "vm": ("false", "true"), "both": ("true", "true")}


def seen(where, witness):
    if witness not in ("-", "tcg", "real"):
        refuse(where, f"no such witness '{witness}': tcg, real, or -")
    return "false" if witness == "-" else "true"


class Rules:
    """All tables, with one list of conditions behind them."""

    def __init__(self, arch):
        self.fields, self.parts = arch["fields"], arch["parts"]
        self.whens, self.facts = [], []

    def bits(self, where, name):
        """(address, mask) of a field or part of CPUID."""
        for part in self.parts:
            if part["name"] == name:
                if part["every"]:
                    refuse(where, f"{name} is in every sub-leaf")
                return part["addr"], ((1 << part["width"]) - 1) << part["lsb"]
        field = self.fields[field_index(where, name, self.fields)]
        if field["word"]["space"] != "CPUID":
            refuse(where, f"{name} is not in CPUID: no CPU tells it by itself")
        return field["word"]["addr"], ((1 << field["width"]) - 1) << field["lsb"]

    def when(self, where, text):
        first = len(self.whens)
        for word in text.split() if text != "-" else []:
            op, colon, arg = word.lstrip("!").partition(":")
            if op not in OPS or not colon or not arg:
                refuse(where, f"no such condition '{word}'")
            a = b = least = 0
            since = until = None
            if op == "native":
                a, b = self.bits(where, arg)
            elif op == "has":
                a = field_index(where, arg, self.fields)
            elif op == "is":
                if arg not in self.facts:
                    refuse(where, f"no fact '{arg}' above, in hostfacts.txt")
                a = self.facts.index(arg)
            elif op == "vendor":
                b = sum(1 << choose(where, v, list(VENDORS), "vendor") for v in arg.split("+"))
            elif op == "kernel":
                m = re.fullmatch(r"([0-9.,]*[0-9])?\.\.([0-9.,]*[0-9])?", arg)
                if not m or not (m[1] or m[2]):
                    refuse(where, f"'{arg}' is no range of kernels")
                since, until = ((part or "").replace(",", " ") or None for part in m.groups())
                for release in " ".join(filter(None, (since, until))).split():
                    if not RELEASE.match(release):
                        refuse(where, f"'{release}' is not a kernel release")
            elif op == "leaf":
                a = number(where, arg, 0, 2**32 - 1)
            elif op == "atleast":
                name, colon, least = arg.partition(":")
                a, b = self.bits(where, name)
                least = number(where, least if colon else "", 1, b // (b & -b)) * (b & -b)
            else:
                lo, dots, hi = arg.partition("..")
                if not dots:
                    refuse(where, f"'{arg}' is no range")
                a = number(where, lo, 0, 0xfff)
                b = number(where, hi, a, 0xfff)
            self.whens.append(f"{{ {OPS.index(op)}, {'true' if word[0] == '!' else 'false'}, {a:#x}ULL, {b:#x}ULL, "
                              f"{least:#x}U, {c_str(since)}, {c_str(until)} }}")
        return f"{{ {first}, {len(self.whens) - first} }}"

    def host_facts(self, path, params):
        out, last = [], None
        for where, (name, value, when, param, why) in rows(path, 5):
            if named(where, name) != last:
                if name in self.facts:
                    refuse(where, f"rows of {name} do not stand together")
                held = self.when(where, when)   # a fact is made of those above
                self.facts.append(name)
                last = name
            else:
                held = self.when(where, when)
            module, _, parameter = param.partition(".")
            if param != "-" and (module, parameter) not in params:
                refuse(where, f"{param} is not in kvm/params.txt")
            out.append(f"{{ {self.facts.index(name)}, {'true' if number(where, value, 0, 1) else 'false'}, {held}, "
                       f"{c_str(None if param == '-' else param)}, {c_str(None if why == '-' else why)} }}")
        return out

    def bit_rules(self, path):
        out = []
        for where, (names, effect, when, witness, source) in rows(path, 5):
            for name in names.split():
                index = field_index(where, name, self.fields)
                if self.fields[index]["width"] != 1:
                    refuse(where, f"{name} is no single bit")
                out.append(f"{{ {index}, {choose(where, effect, EFFECTS, 'effect')}, "
                           f"{seen(where, witness)}, {self.when(where, when)}, {c_str(source)} }}")
        return out

    def register(self, where, text, addr):
        how, _, arg = text.partition(":")
        if how == "calc":
            return f"{{ 4, {choose(where, arg, CALCS, 'computation')} }}"
        if how == "most":
            return f"{{ 2, {number(where, arg, 0, 2**32 - 1):#x}U }}"
        if text == "fields":
            if not any(f["word"]["addr"] == addr for f in self.fields):
                refuse(where, "a register without fields")
            return "{ 3, 0 }"
        how, amp, arg = text.partition("&")
        if how == "raw":
            return f"{{ 1, {number(where, arg, 1, 2**32 - 1) if amp else 2**32 - 1:#x}U }}"
        return f"{{ 0, {number(where, text, 0, 2**32 - 1):#x}U }}"

    def leaf_rules(self, path):
        out, done, order = [], set(), []
        for where, (name, leaf, subleaf, form, *regs, when) in rows(path, 9):
            if name not in TABLES:
                refuse(where, f"no such table '{name}'")
            leaf, subleaf = number(where, leaf, 0, 2**32 - 1), number(where, subleaf, 0, 63)
            form = choose(where, form, FORMS, "form")
            if (FORMS[form] in ("more", "also")) != (subleaf != 0):
                refuse(where, "sub-leaves above 0, and no others, are of form more or also")
            if (name, leaf, subleaf) in done:
                refuse(where, "a row of this sub-leaf always holds already")
            if order[-1:] != [(name, leaf, subleaf)]:
                if (name, leaf, subleaf) in order:
                    refuse(where, "rows of a sub-leaf do not stand together")
                order.append((name, leaf, subleaf))
            if when == "-":
                done.add((name, leaf, subleaf))
            values = ", ".join(self.register(where, t, cpuid_addr(leaf, subleaf, i)) for i, t in enumerate(regs))
            out.append(f"{{ {TABLES[name]}, {form}, {leaf:#x}U, {subleaf:#x}U, {{ {values} }}, {self.when(where, when)} }}")
        return out

    def msr_rules(self, path, words):
        out, seen = [], {w["addr"] for w in words}
        for where, (index, value, when) in rows(path, 3):
            index = number(where, index, 0, 2**32 - 1)
            if 13 << 60 | index not in seen:
                refuse(where, f"{index:#x} is not in words.txt")
            if value not in ("fields", "microcode"):
                refuse(where, f"no such value '{value}'")
            out.append(f"{{ {index:#x}U, {'true' if value == 'microcode' else 'false'}, {self.when(where, when)} }}")
        return out

    def list_rules(self, path):
        out, done = [], set()
        for where, (index, when, witness, name) in rows(path, 4):
            index = number(where, index, 0, 2**32 - 1)
            if index in done:
                refuse(where, f"a row of {index:#x} always holds already")
            if when == "-":
                done.add(index)
            if not re.fullmatch(r"[A-Z0-9_]+", name):
                refuse(where, f"'{name}' is no name of an MSR")
            out.append(f"{{ {index:#x}U, {seen(where, witness)}, {self.when(where, when)} }}")
        return out

    def cap_rules(self, path):
        out, last = [], -1
        for where, (cap, fd, value, when) in rows(path, 4):
            cap = number(where, cap, 1, 65535)
            if cap < last:
                refuse(where, "capabilities stand by number")
            if fd not in FDS:
                refuse(where, f"no such descriptor '{fd}'")
            last = cap
            out.append(f"{{ {cap}, {', '.join(FDS[fd])}, {number(where, value, 1, 2**31 - 1)}, {self.when(where, when)} }}")
        return out


def read_series(path):
    out = []
    for where, (series, release) in rows(path, 2):
        if not re.fullmatch(r"[0-9]+\.[0-9]+", series) or not RELEASE.match(release):
            refuse(where, "a series is 6.12, a release of it 6.12.117")
        if not release.startswith(series + "."):
            refuse(where, f"{release} is not of series {series}")
        out.append(f"{{ {c_str(series)}, {c_str(release)} }}")
    return out


def emit_supported(data, arch, params):
    r = Rules(arch)
    folder = f"{data}/x86"
    lists = [("struct khost_fact gcpu_khost_facts", r.host_facts(f"{folder}/hostfacts.txt", {(m, n) for m, n, _ in params})),
             ("struct kbit_rule gcpu_kbit_rules", r.bit_rules(f"{folder}/supported.txt")),
             ("struct kleaf_rule gcpu_kleaf_rules", r.leaf_rules(f"{folder}/leaves.txt")),
             ("struct kmsr_rule gcpu_kmsr_rules", r.msr_rules(f"{folder}/featuremsrs.txt", arch["words"])),
             ("struct klist_rule gcpu_klist_rules", r.list_rules(f"{folder}/msrlist.txt")),
             ("struct kcap_rule gcpu_kcap_rules", r.cap_rules(f"{folder}/capabilities.txt")),
             ("struct kseries gcpu_kseries", read_series(f"{data}/kvm/series.txt")),
             ("char *const gcpu_kfacts", [c_str(f) for f in r.facts])]
    text = HEAD + '#include "core/snapshot.h"\n#include "model/supported_facts.h"\n\n'
    text += table("const struct kwhen gcpu_kwhens[]", r.whens)
    for decl, items in lists:
        text += table(f"const {decl}[]", items)
        text += f"const unsigned {decl.split()[-1].replace('gcpu_', 'gcpu_n_', 1)} = {len(items)};\n\n"
    names = "".join(f"\tKFACT_{c_name(f)} = {i},\n" for i, f in enumerate(r.facts))
    return text, f"/* Facts of hostfacts.txt. */\nenum {{\n{names}}};\n\n"

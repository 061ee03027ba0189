#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Facts live in data/, not in code: facts.py SOURCE

Looks in src/ and tools/ (src/kvm/abi*.h apart, which are KVM's own numbers; and src/conform/*/, which takes no
row of data/ on trust: what KVM promises is written down there once more) for numbers that are a
CPUID leaf, an MSR, a register or a capability. Those that code cannot do without are in
facts_allowed.txt, each with its reason.
"""
import os
import re
import sys

from common import finish, our_files, read, read_allowed, without_comments

NUMBER = re.compile(r"\b(0[xX][0-9a-fA-F]+|[0-9]+)(?:[uUlL]*)\b")

# Ranges in which a number is hardly anything else.
RANGES = [
    (0x40000000, 0x4000ffff, "a hypervisor CPUID leaf"), (0x80000000, 0x8000ffff, "an extended CPUID leaf"),
    (0xc0000000, 0xc001ffff, "a CPUID leaf or MSR"), (0x4b564d00, 0x4b564dff, "an MSR of KVM"),
    (0x6000000000000000, 0x6fffffffffffffff, "a register id"),
]
# Calls whose argument (counted from 0) is a fact when it is a plain number.
CALLS = {
    "snapshot_cpuid": (2, "a CPUID leaf"), "ADDR_CPUID": (0, "a CPUID leaf"), "ADDR_MSR": (0, "an MSR"),
    "host_cpuid": (1, "a CPUID leaf"), "snapshot_msr": (1, "an MSR"), "gcpu_snapshot_capability": (1, "a capability"),
    "cap_name": (0, "a capability"), "recipe_cap": (2, "a capability"), "snapshot_reg": (1, "a register id"),
    "gcpu_plan_has": (1, "a feature number"),
}
# Names that say what their number is.
NAMES = re.compile(r"\b((?:\w+_)?(?:LEAF|MSR|CAP)_\w*)(?:\s*=\s*|\s+)(0[xX][0-9a-fA-F]+|[0-9]+)[uUlL]*\b")
# A member compared or set: e->leaf == 0xd
MEMBERS = re.compile(r"(?:->|\.)(leaf|msr|cap)\b\s*(?:[=!<>]=?)\s*(0[xX][0-9a-fA-F]+|[1-9][0-9]*)[uUlL]*\b")


def arguments(text, at):
    """Arguments of the call whose '(' is at AT."""
    depth, out, begin = 0, [], at + 1
    for i in range(at, len(text)):
        if text[i] in "([{":
            depth += 1
        elif text[i] in ")]}":
            depth -= 1
        if depth == 0 or (depth == 1 and text[i] == ","):
            out.append(text[begin:i].strip())
            begin = i + 1
        if depth == 0:
            return out
    return out


def numbers(text):
    """(offset, literal, what it looks like)"""
    for m in NUMBER.finditer(text):
        value = int(m.group(1), 0) if m.group(1).lower().startswith("0x") else int(m.group(1))
        for lo, hi, what in RANGES:
            if lo <= value <= hi:
                yield m.start(), m.group(1), what
    for m in re.finditer(r"\b(\w+)\s*\(", text):
        if m.group(1) in CALLS:
            at, what = CALLS[m.group(1)]
            args = arguments(text, m.end() - 1)
            plain = NUMBER.fullmatch(args[at]) if at < len(args) else None
            # leaf 0 says how many there are; it is no fact about any
            if plain and plain.group(1) != "0":
                yield m.start(), plain.group(1), what
    for m in NAMES.finditer(text):
        if "LEAF" in m.group(1) or int(m.group(2), 0) > 15:
            yield m.start(2), m.group(2), m.group(1)
    for m in MEMBERS.finditer(text):
        yield m.start(2), m.group(2), f"a number for .{m.group(1)}"


def main(source):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "facts_allowed.txt")
    allowed = {(name, literal): 0 for name, literal, _ in read_allowed(path, 3)}
    problems, looked = [], 0
    for name in our_files(source):
        if not re.fullmatch(r"(?:src|tools)/.*\.[ch]", name) or re.fullmatch(
                r"src/kvm/abi\w*\.h|src/conform/\w+/\w+\.[ch]", name):
            continue
        looked += 1
        text = without_comments(read(os.path.join(source, name)))
        for at, literal, what in numbers(text):
            if (name, literal) in allowed:
                allowed[(name, literal)] += 1
            else:
                problems.append(f"{name}:{text.count(chr(10), 0, at) + 1}: {literal} looks like {what}: "
                                "a row of data/, or of facts_allowed.txt")
    problems += [f"facts_allowed.txt: {name} {literal} is not there any more"
                 for (name, literal), n in allowed.items() if not n]
    finish("facts", problems, looked)


main(sys.argv[1])

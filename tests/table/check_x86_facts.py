#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares data/x86 with other people's tables: check_x86_facts.py CPUID_CSV [QMP_EXPANSION [DATA]].

CPUID_CSV is the kernel's tools/arch/x86/kcpuid/cpuid.csv. For every word that has fields here, each of its bit ranges
must be a field of the same bits whose name or alias is the one used there, and the reverse. QMP_EXPANSION is a recorded
answer to query-cpu-model-expansion: each boolean property must be a name known here. What differs for a reason stands
in x86_differences.txt; a row there that is not needed any more is an error too.
Exit status: 0 they agree, 1 they do not, 77 there is no such file.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
WITH_FIELDS = ("fields", "derived")


def rows(path, columns):
    """Rows of one of our tables."""
    out = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.strip() or line.startswith("#"):
                continue
            cells = [c.strip() for c in line.split("|")]
            if len(cells) != columns:
                sys.exit(f"{path}:{number}: {len(cells)} columns, expected {columns}")
            out.append(cells)
    return out


def normal(name):
    """The form in which names are looked up."""
    return name.lower().replace("_", "-")


def address(text):
    """CPUID.<leaf>.<sub-leaf>.<register> as a tuple, None for anything with a wildcard."""
    space, *parts = text.split(".")
    if space != "CPUID" or "*" in parts or "+" in parts[2]:
        return None
    return (int(parts[0], 16), int(parts[1], 16), parts[2])


def span(text):
    """'msb:lsb' or 'bit' as a pair."""
    msb, _, lsb = text.rpartition(":")
    return (int(msb or lsb), int(lsb))


def show(word, bits):
    return f"CPUID.{word[0]:#x}.{word[1]:#x}.{word[2]}[{bits[0]}]" if bits[0] == bits[1] \
        else f"CPUID.{word[0]:#x}.{word[1]:#x}.{word[2]}[{bits[0]}:{bits[1]}]"


class Ours:
    """data/x86: the fields of every word, and every name a user can write."""

    def __init__(self, data):
        self.words, self.names = {}, {}
        for word, kind, _ in rows(f"{data}/words.txt", 3):
            if kind in WITH_FIELDS:
                self.words[address(word)] = {}
        for row in rows(f"{data}/fields.txt", 11):
            self.words.setdefault(address(row[2]), {})[span(row[3])] = row[1]
            self.names[normal(row[1])] = {row[1]}
        for alias, target, _ in rows(f"{data}/aliases.txt", 3):
            self.names[normal(alias)] = set(target.split(" + "))


def read_csv(path, words):
    """The csv's fields of our words: word -> {bits: name}. A row may cover a range of sub-leaves."""
    theirs = {w: {} for w in words}
    with open(path, encoding="utf-8") as f:
        for line in f:
            cells = [c.strip() for c in line.split(",", 5)]
            if len(cells) != 6 or line.startswith("#"):
                continue
            leaf, (last, first) = int(cells[0], 16), span(cells[1])
            for word in words:
                if word[0] == leaf and first <= word[1] <= last and word[2] == cells[2]:
                    theirs[word][span(cells[3])] = normal(cells[4])
    return theirs


class Differences:
    """x86_differences.txt, and which of its rows were of use."""

    def __init__(self, path):
        self.rows = [tuple(r) for r in rows(path, 5)]
        self.used = set()

    def allow(self, what, word, bits, name):
        for row in self.rows:
            if row[0] == what and address(row[1]) == word and span(row[2]) == bits and row[3] == name:
                self.used.add(row)
                return True
        return False

    def allow_property(self, name):
        for row in self.rows:
            exact = not row[3].endswith("*")
            if row[0] == "property" and (row[3] == name if exact else name.startswith(row[3][:-1])):
                self.used.add(row)
                return True
        return False

    def unused(self, what):
        return [r for r in self.rows if r[0] in what and r not in self.used]


def compare_csv(ours, path, diff):
    bad, seen = [], 0
    for word, theirs in read_csv(path, list(ours.words)).items():
        fields = ours.words[word]
        for bits, name in theirs.items():
            seen += 1
            if bits not in fields:
                if not diff.allow("missing", word, bits, name):
                    bad.append(f"{show(word, bits)} {name} is in the csv and not here")
            elif ours.names.get(name) != {fields[bits]} and not diff.allow("spelling", word, bits, name):
                bad.append(f"{show(word, bits)} is {fields[bits]} here, {name} of the csv means "
                           f"{' + '.join(sorted(ours.names.get(name, {'nothing'})))}")
        for bits, name in fields.items():
            if bits not in theirs and not diff.allow("extra", word, bits, name):
                bad.append(f"{show(word, bits)} {name} is here and not in the csv")
    print(f"{len(ours.words)} words, {seen} fields of the csv, {sum(map(len, ours.words.values()))} fields here")
    return bad + [f"difference not needed any more: {' | '.join(r)}" for r in
                  diff.unused(("missing", "spelling", "extra"))]


def compare_qmp(ours, path, diff):
    with open(path, encoding="utf-8") as f:
        answer = json.load(f)
    props = (answer[0] if isinstance(answer, list) else answer)["return"]["model"]["props"]
    names = [n for n, v in props.items() if isinstance(v, bool)]
    strange = [n for n in names if normal(n) not in ours.names]
    print(f"{len(names)} boolean properties, {len(names) - len(strange)} are names here")
    bad = [f"QEMU's {n} is no name here" for n in strange if not diff.allow_property(n)]
    return bad + [f"difference not needed any more: {' | '.join(r)}" for r in diff.unused(("property",))]


def main(args):
    if not args or not os.path.exists(args[0]):
        print(f"SKIP: x86-facts: no cpuid.csv{' at ' + args[0] if args else ' given'}")
        return 77
    ours = Ours(args[2] if len(args) > 2 else os.path.join(HERE, "..", "..", "data", "x86"))
    diff = Differences(os.path.join(HERE, "x86_differences.txt"))
    bad = [f"no such kind of difference: {' | '.join(r)}" for r in diff.rows
           if r[0] not in ("missing", "spelling", "extra", "property")]
    bad += compare_csv(ours, args[0], diff)
    if len(args) > 1 and os.path.exists(args[1]):
        bad += compare_qmp(ours, args[1], diff)
    elif len(args) > 1:
        print(f"no comparison with QEMU: no file at {args[1]}")
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares data/x86 with other people's tables: check_x86_facts.py CPUID_CSV [QMP_EXPANSION [DATA]].

CPUID_CSV is the kernel's tools/arch/x86/kcpuid/cpuid.csv. Each of its bit ranges, in every leaf, must be a field or a
part of the same bits whose name or alias is the one used there, and the reverse. QMP_EXPANSION is a recorded answer to
query-cpu-model-expansion: each boolean property must be a name known here. What differs for a reason stands in
x86_differences.txt; a row there that is not needed any more is an error too.
Exit status: 0 they agree, 1 they do not, 77 there is no such file.
"""

import json
import os
import sys

from rows import rows

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ("missing", "spelling", "extra", "suffix", "leaf", "property")


def normal(name):
    """The form in which names are looked up."""
    return name.lower().replace("_", "-")


def address(text):
    """CPUID.<leaf>.<sub-leaf>.<register> as a tuple, sub-leaf and register '*' as they are; None for an MSR."""
    space, *parts = text.split(".")
    if space != "CPUID":
        return None
    return (int(parts[0], 16), parts[1] if parts[1] == "*" else int(parts[1], 16), parts[2])


def span(text):
    """'msb:lsb' or 'bit' as a pair."""
    msb, _, lsb = text.rpartition(":")
    return (int(msb or lsb), int(lsb))


def show(word, bits):
    sub = "*" if word[1] == "*" else hex(word[1])
    return f"CPUID.{word[0]:#x}.{sub}.{word[2]}[{bits[0] if bits[0] == bits[1] else '%d:%d' % bits}]"


class Ours:
    """data/x86: fields and parts of every word of CPUID, every name in use, and those a user can write."""

    def __init__(self, data):
        self.words, self.names, self.count = {}, {}, {}
        for table, columns, word, bits in (("fields", 11, 2, 3), ("parts", 4, 1, 2)):
            named = rows(f"{data}/{table}.txt", columns)
            self.count[table] = 0
            for row in named:
                name = row[1] if table == "fields" else row[0]
                self.names[normal(name)] = {name}
                if address(row[word]):
                    self.words.setdefault(address(row[word]), {})[span(row[bits])] = name
                    self.count[table] += 1
            if table == "fields":
                self.written = set(self.names)
        for alias, target, _ in rows(f"{data}/aliases.txt", 3):
            self.names[normal(alias)] = set(target.split(" + "))
            self.written.add(normal(alias))

    def places(self, leaf, first, last, reg):
        """Our words that one row of the csv speaks of."""
        out = [w for w in self.words if w[0] == leaf and w[1] != "*" and first <= w[1] <= last and w[2] == reg]
        return out + [(leaf, "*", reg)] if last > first else out or [(leaf, first, reg)]


def read_csv(path, ours):
    """The csv's fields at our words: {word: {bits: name}}, and how many they are."""
    theirs, count = {}, 0
    with open(path, encoding="utf-8") as f:
        for line in f:
            cells = [c.strip() for c in line.split(",", 5)]
            if len(cells) != 6 or line.startswith("#"):
                continue
            count += 1
            last, first = span(cells[1])
            for word in ours.places(int(cells[0], 16), first, last, cells[2]):
                theirs.setdefault(word, {})[span(cells[3])] = normal(cells[4])
    return theirs, count


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

    def allow_leaf(self, what, leaf):
        """A row about a whole leaf."""
        for row in self.rows:
            if row[0] == what and address(row[1])[0] == leaf:
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


def same_name(ours, diff, word, mine, name):
    """The csv's name, an alias of it, or, where a row allows it, that name with the leaf's number."""
    if ours.names.get(name) == {mine}:
        return True
    return normal(mine) == f"{name}-{word[0]:x}" and diff.allow_leaf("suffix", word[0])


def compare_csv(ours, path, diff):
    theirs, count = read_csv(path, ours)
    bad, agree = [], 0
    for word, fields in theirs.items():
        mine = ours.words.get(word, {})
        for bits, name in fields.items():
            if bits not in mine:
                if not diff.allow_leaf("leaf", word[0]) and not diff.allow("missing", word, bits, name):
                    bad.append(f"{show(word, bits)} {name} is in the csv and not here")
            elif same_name(ours, diff, word, mine[bits], name):
                agree += 1
            elif not diff.allow("spelling", word, bits, name):
                bad.append(f"{show(word, bits)} is {mine[bits]} here, {name} of the csv means "
                           f"{' + '.join(sorted(ours.names.get(name, {'nothing'})))}")
    for word, mine in ours.words.items():
        for bits, name in mine.items():
            if bits not in theirs.get(word, {}) and not diff.allow("extra", word, bits, name):
                bad.append(f"{show(word, bits)} {name} is here and not in the csv")
    print(f"{count} fields of the csv; here {ours.count['fields']} fields and {ours.count['parts']} parts in "
          f"{len(ours.words)} words; {agree} have the same bits and name")
    for what in KINDS[:5]:
        print(f"{sum(r[0] == what for r in diff.rows)} rows of differences: {what}")
    return bad + [f"difference not needed any more: {' | '.join(r)}" for r in diff.unused(KINDS[:5])]


def compare_qmp(ours, path, diff):
    with open(path, encoding="utf-8") as f:
        answer = json.load(f)
    props = (answer[0] if isinstance(answer, list) else answer)["return"]["model"]["props"]
    names = [n for n, v in props.items() if isinstance(v, bool)]
    strange = [n for n in names if normal(n) not in ours.written]
    print(f"{len(names)} boolean properties of QEMU, {len(names) - len(strange)} are names here")
    bad = [f"QEMU's {n} is no name here" for n in strange if not diff.allow_property(n)]
    return bad + [f"difference not needed any more: {' | '.join(r)}" for r in diff.unused(("property",))]


def main(args):
    if not args or not os.path.exists(args[0]):
        print(f"SKIP: x86-facts: no cpuid.csv{' at ' + args[0] if args else ' given'}")
        return 77
    ours = Ours(args[2] if len(args) > 2 else os.path.join(HERE, "..", "..", "data", "x86"))
    diff = Differences(os.path.join(HERE, "x86_differences.txt"))
    bad = [f"no such kind of difference: {' | '.join(r)}" for r in diff.rows
           if r[0] not in KINDS]
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

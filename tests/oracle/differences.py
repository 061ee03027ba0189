# SPDX-License-Identifier: MIT
"""differences.txt: where guestcpu and QEMU are meant to differ, and why."""
import fnmatch
import os
import re

import parents
import words

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "differences.txt")
# Where guestcpu is wrong and knows it: rows of the same form, in no document.
KNOWN = os.path.join(HERE, "known.txt")
VERSION = re.compile(r"\d+\.\d+")
SUBJECT = re.compile(r"(CPUID\.(?:0x[0-9a-f]+|\*)\.(?:0x[0-9a-f]+|\*)\.(?:e[abcd]x|\*)"
                     r"|MSR\.0x[0-9a-f]+)\[([0-9,-]+|\*)\]|cap\[(\d+)\]"
                     r"|refused|apic-ids|tsc-khz|lmce")
# Beginnings that lean on the row above.
FRAGMENT = re.compile(r"(and|then|the same|the other way|this|these|those|it|that name)\b(?!: )", re.I)
WHOLE = ("refused", "apic-ids", "tsc-khz", "lmce")
CONDITION = re.compile(r"-|other-host|ours=[01]|(irqchip|model|off|on)=[a-z0-9.,-]+"
                       r"|request!?~\S+|smp[=>]\d+|cpu-pm|qemu-says~\S+"
                       r"|msr-refused=0x[0-9a-f]+|kvm-has|kvm-lacks|we-say~\S+"
                       r"|arg~\S+|(lacks|plan-has|plan-lacks)=CPUID\S+\[\d+\]"
                       r"|package>\d+|word=(more|less)|parent-(off|asked)"
                       r"|(plan|qemu)-ends|orphan|msr-unknown=0x[0-9a-f]+"
                       r"|with=[a-z0-9,-]+|filtered")


class Difference:
    """One difference found: a bit of a word, a capability, a refusal.

    `subject` is a word, "cap" or one of WHOLE; `item` the bit or capability;
    `ours` and `qemus` are what each side has (bit, argument list or text),
    `whole` both words that the bit is of.
    """

    def __init__(self, subject, item, ours, qemus, whole=None):
        self.subject, self.item, self.whole = subject, item, whole
        self.ours, self.qemus = ours, qemus

    def key(self):
        """What stays when the request around it is made smaller."""
        return self.subject, self.item


class Row:
    def __init__(self, line, columns):
        (self.id, self.group, self.versions, self.subjects, self.condition, self.shown,
         self.reason, self.source) = columns
        self.line = line
        self.used = set()
        self.matches = [self._subject(s) for s in self.subjects.split()]
        for word in self.conditions():
            if not CONDITION.fullmatch(word):
                raise ValueError("line %d: condition %r" % (line, word))
        for version in self.versions.split(","):
            if version != "*" and not VERSION.fullmatch(version):
                raise ValueError("line %d: version %r" % (line, version))
        if FRAGMENT.match(self.reason):
            raise ValueError("line %d: a reason stands by itself: '%.30s...'" % (line, self.reason))
        if not self.reason or not self.source:
            raise ValueError("line %d: a reason and a source are due" % line)

    def _subject(self, text):
        match = SUBJECT.fullmatch(text)
        if not match:
            raise ValueError("line %d: subject %r" % (self.line, text))
        if text in WHOLE:
            return (text, None)
        if match.group(3):
            return ("cap", {int(match.group(3))})
        if match.group(2) == "*":
            return (match.group(1), None)
        bits = set()
        for part in match.group(2).split(","):
            low, _, high = part.partition("-")
            bits.update(range(int(low), int(high or low) + 1))
        return (match.group(1), bits)

    def request(self):
        """The request that shows it, as a title: " ; " stands for " | "."""
        return self.shown.replace(" ; ", " | ")

    def follows(self):
        """It explains what follows from differences that other rows explain."""
        return "with=" in self.condition

    def conditions(self):
        return self.condition.split()

    def other_host(self):
        """It cannot show on every host, so it need not have been used."""
        return "other-host" in self.conditions()

    def about(self, version):
        return self.versions == "*" or version in self.versions.split(",")

    def fits(self, difference, case):
        """Whether this row explains the difference, found for this case."""
        return (self.about(case.version)
                and any(fnmatch.fnmatchcase(difference.subject, subject)
                        and (items is None or difference.item in items)
                        for subject, items in self.matches)
                and all(holds(word, difference, case)
                        for word in self.conditions()))


def ends_before(table, subject):
    """The leaf of a word is above the highest one of its class in the table."""
    match = re.match(r"CPUID\.(0x[0-9a-f]+)\.", subject)
    leaf = int(match.group(1), 16) if match else 0
    base = leaf & 0xf0000000
    highest = words.vector(table, {})[words.address(base, 0, "eax")]
    return leaf > max(highest, base)


def holds(word, difference, case):
    """Whether one word of a condition is true."""
    if word in ("-", "other-host"):
        return True
    if word == "cpu-pm":
        return "cpu-pm" in case.extra
    if word in ("parent-off", "parent-asked"):
        which = parents.parent_off if word == "parent-off" else parents.parent_asked
        return which(case.flags, difference.subject, difference.item)
    if word == "filtered":
        return (parents.said(case.flags).get("check") is False
                or "requested feature" in case.qemu["messages"])
    if word == "orphan":
        vector = words.vector(words.entries(case.plan["cpuid"]), {})
        return parents.orphan(vector, difference.subject, difference.item)
    if word.startswith("msr-unknown="):
        return not case.host or not case.knows_msr(int(word.partition("=")[2], 0))
    if word in ("plan-ends", "qemu-ends"):
        table = (words.entries(case.plan["cpuid"]) if word == "plan-ends"
                 else next(iter(case.qemu["tables"].values())))
        return ends_before(table, difference.subject)
    if word in ("word=more", "word=less"):
        ours, qemus = difference.whole
        return (ours > qemus) == (word == "word=more")
    if word in ("kvm-has", "kvm-lacks"):
        supported = words.vector(case.qemu["supported"], {})
        has = supported.get(difference.subject, 0) >> difference.item & 1
        return has == (word == "kvm-has")
    if re.match(r"lacks=|plan-", word):
        who, name, bit = re.fullmatch(r"([a-z-]+)=(.*)\[(\d+)\]", word).groups()
        table = (case.qemu["supported"] if who == "lacks"
                 else words.entries(case.plan["cpuid"]))
        has = words.vector(table, {})[name] >> int(bit) & 1
        return bool(has) == (who == "plan-has")
    if word.startswith("with="):
        return bool(set(word[len("with="):].split(",")) & case.explained_by)
    key, operator, value = re.fullmatch(r"([a-z-]+)(!?[~=>])(.*)",
                                        word).groups()
    if key == "ours":
        return bool(difference.ours) == (value == "1")
    if key == "irqchip":
        return case.irqchip in value.split(",")
    if key == "model":
        # "-v1" is the only version there is of a named model
        return case.flags.split(",")[0].removesuffix("-v1") in value.split(",")
    if key in ("off", "on"):
        said = parents.said(case.flags)
        return any(said.get(name) is (key == "on") for name in value.split(","))
    if key == "request":
        return bool(re.search(value, case.flags)) == (operator == "~")
    if key == "smp":
        return (case.smp == int(value) if operator == "="
                else case.smp > int(value))
    if key == "package":
        return case.topology.per_package() > int(value)
    if key == "arg":
        return value in case.extra
    if key == "msr-refused":
        return int(value, 0) in case.refused_msrs()
    said = case.qemu["messages"] if key == "qemu-says" else case.our_error
    return bool(re.search(value.replace("_", " "), said or ""))


def read(paths=(PATH,)):
    rows = [Row(line, columns) for path in paths
            for line, columns in words.read_rows(path, 8)]
    ids = [row.id for row in rows]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError("differences: %s is there twice" % name)
    return rows


def read_all():
    return read((PATH, KNOWN))

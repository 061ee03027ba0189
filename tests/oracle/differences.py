# SPDX-License-Identifier: MIT
"""differences.txt: where guestcpu and QEMU are meant to differ, and why."""
import os
import re

import words

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                    "differences.txt")
VERSION = re.compile(r"\d+\.\d+")
SUBJECT = re.compile(r"(CPUID\.0x[0-9a-f]+\.0x[0-9a-f]+\.e[abcd]x"
                     r"|MSR\.0x[0-9a-f]+)\[([0-9,-]+)\]|cap\[(\d+)\]|refused")
CONDITION = re.compile(r"-|other-host|ours=[01]|(irqchip|model|off)=[a-z0-9,-]+"
                       r"|request!?~\S+|smp[=>]\d+|cpu-pm|qemu-says~\S+"
                       r"|msr-refused=0x[0-9a-f]+|kvm-has|kvm-lacks|we-say~\S+"
                       r"|arg~\S+|lacks=CPUID\S+\[\d+\]")


class Difference:
    """One difference found: a bit of a word, a capability, a refusal.

    `subject` is a word, "cap" or "refused"; `item` the bit or capability;
    `ours` and `qemus` are what each side has (bit, argument list or text).
    """

    def __init__(self, subject, item, ours, qemus):
        self.subject, self.item = subject, item
        self.ours, self.qemus = ours, qemus


class Row:
    def __init__(self, line, columns):
        (self.id, self.versions, self.subjects, self.condition, self.shown,
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
        if not self.reason or not self.source:
            raise ValueError("line %d: a reason and a source are due" % line)

    def _subject(self, text):
        match = SUBJECT.fullmatch(text)
        if not match:
            raise ValueError("line %d: subject %r" % (self.line, text))
        if text == "refused":
            return ("refused", None)
        if match.group(3):
            return ("cap", {int(match.group(3))})
        bits = set()
        for part in match.group(2).split(","):
            low, _, high = part.partition("-")
            bits.update(range(int(low), int(high or low) + 1))
        return (match.group(1), bits)

    def request(self):
        """The request that shows it, as a title: " ; " stands for " | "."""
        return self.shown.replace(" ; ", " | ")

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
                and any(subject == difference.subject
                        and (items is None or difference.item in items)
                        for subject, items in self.matches)
                and all(holds(word, difference, case)
                        for word in self.conditions()))


def turned_off(flags, name):
    words_said = flags.split(",")[1:]
    return "-" + name in words_said or name + "=off" in words_said


def holds(word, difference, case):
    """Whether one word of a condition is true."""
    if word in ("-", "other-host"):
        return True
    if word == "cpu-pm":
        return "cpu-pm" in case.extra
    if word in ("kvm-has", "kvm-lacks"):
        supported = words.vector(case.qemu["supported"], {})
        has = supported.get(difference.subject, 0) >> difference.item & 1
        return has == (word == "kvm-has")
    if word.startswith("lacks="):
        name, bit = re.fullmatch(r"lacks=(.*)\[(\d+)\]", word).groups()
        supported = words.vector(case.qemu["supported"], {})
        return not supported[name] >> int(bit) & 1
    key, operator, value = re.fullmatch(r"([a-z-]+)(!?[~=>])(.*)",
                                        word).groups()
    if key == "ours":
        return bool(difference.ours) == (value == "1")
    if key == "irqchip":
        return case.irqchip in value.split(",")
    if key == "model":
        return case.flags.split(",")[0] in value.split(",")
    if key == "off":
        return any(turned_off(case.flags, name) for name in value.split(","))
    if key == "request":
        return bool(re.search(value, case.flags)) == (operator == "~")
    if key == "smp":
        return (case.smp == int(value) if operator == "="
                else case.smp > int(value))
    if key == "arg":
        return value in case.extra
    if key == "msr-refused":
        return int(value, 0) in case.refused_msrs()
    said = case.qemu["messages"] if key == "qemu-says" else case.our_error
    return bool(re.search(value.replace("_", " "), said or ""))


def read():
    rows = [Row(line, columns)
            for line, columns in words.read_rows(PATH, 7)]
    ids = [row.id for row in rows]
    for name in ids:
        if ids.count(name) > 1:
            raise ValueError("differences.txt: %s is there twice" % name)
    return rows

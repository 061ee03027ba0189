#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random requests from a seed: the same seed makes the same requests.

  generate.py [--seed N] [--count N]      prints them, in the form of requests.txt

What words they are made of is in generators.txt. A word that guestcpu does not
know yet is left out, and counted.
"""
import argparse
import os
import random
import re
import shlex
import subprocess

import hosts
import words
from case import LEVELS, Topology

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = {"host": 40, "max": 15, "base": 10, "qemu64": 15, "kvm64": 20}
IRQCHIPS = {"kernel": 58, "split": 34, "none": 6, "user": 2}
ON, OFF = ("on", "yes", "true"), ("off", "no", "false")
MANY = 30
PC_MOST = 255       # what the machine pc takes
# How many vCPUs: most requests are small, some are not.
SIZES = ((60, 8), (30, 48), (10, 300))


class Facts:
    """What the table of generators meets: names of both sides, hosts here."""

    def __init__(self, which, modules=True):
        qemus = which.feature_names()
        ours = our_names()
        self.flags = sorted(qemus & ours)
        self.unknown_flags = sorted(qemus - ours)
        self.pv = [name for name in self.flags if name.startswith("kvm")]
        self.modules = modules
        self.offered = {}
        properties = our_properties()
        self.rows, self.unknown = [], []
        for _, (name, weight, values, models) in words.read_rows(
                os.path.join(HERE, "generators.txt"), 4):
            known = name in ("+", "*", "pv") or name in properties or name in ours
            if known:
                self.rows.append((name, int(weight), shlex.split(values), models))
            else:
                self.unknown.append(name)

    def offered_by(self, document):
        """Names of the features that a host's KVM reports."""
        key = document["hash"]
        if key not in self.offered:
            supported = words.vector(words.entries(document["cpuid"]["supported"]), {})
            names = {name for (word, bit), name in words.bit_names().items()
                     if supported[word] >> bit & 1}
            self.offered[key] = [name for name in self.flags if name in names]
        return self.offered[key]


def our_names():
    """Features of data/x86 by their names, other names and groups."""
    folder = os.path.join(words.ROOT, "data", "x86")
    names = {row[1] for _, row in words.read_rows(os.path.join(folder, "fields.txt"), 11)
             if "chosen" in row[4]}
    names |= {row[0] for _, row in words.read_rows(os.path.join(folder, "aliases.txt"), 3)}
    return names


def our_properties():
    """Without those of our own: a choice is of presets, which QEMU does not have."""
    path = os.path.join(words.ROOT, "data", "x86", "properties.txt")
    return {name for _, (names, kind, _, _) in words.read_rows(path, 4)
            if kind != "choice" for name in names.split()}


def knows_modules(binary):
    """Whether the command's topologies have modules."""
    done = subprocess.run([binary, "plan", "--help"], text=True,
                          capture_output=True, timeout=30)
    return "modules=" in done.stdout


class Generator:
    """Requests of one seed, for one place."""

    def __init__(self, seed, facts, snapshots, most=300):
        """`snapshots`: {value of host= or None: document}."""
        self.random = random.Random(seed)
        self.facts, self.snapshots, self.most = facts, snapshots, most

    def weighed(self, table):
        return self.random.choices(list(table), list(table.values()))[0]

    def value(self, values):
        drawn = self.random.choice(values)
        match = re.fullmatch(r"(0x)?([0-9a-f]+)\.\.(?:0x)?([0-9a-f]+)", drawn)
        if match:
            base = 16 if match.group(1) else 10
            number = self.random.randint(int(match.group(2), base),
                                         int(match.group(3), base))
            return hex(number) if base == 16 else str(number)
        match = re.fullmatch(r"text(\d+)", drawn)
        if match:
            letters = "abcXYZ 0189().-@"
            text = "".join(self.random.choices(
                letters, k=self.random.randint(1, int(match.group(1)))))
            return text.strip() or "x"
        return drawn

    def item(self, model, offered):
        rows = [row for row in self.facts.rows
                if row[3] == "-" or model in row[3].split(",")]
        name, _, values, _ = self.random.choices(rows, [row[1] for row in rows])[0]
        pools = {"+": offered or self.facts.flags, "*": self.facts.flags,
                 "pv": self.facts.pv}
        if name in pools:
            name = self.random.choice(pools[name])
        if values != ["bool"]:
            return "%s=%s" % (name, self.value(values))
        form = self.random.choices(("+", "-", "on", "off", "bare"),
                                   (33, 37, 12, 12, 6))[0]
        if form in "+-":
            return form + name
        if form == "bare":
            return name
        return "%s=%s" % (name, self.random.choice(ON if form == "on" else OFF))

    def items(self, model, offered):
        kind = self.random.random()
        count = (0 if kind < 0.04 else MANY if kind > 0.96
                 else self.random.randint(9, 16) if kind > 0.88
                 else self.random.randint(1, 8))
        items = [self.item(model, offered) for _ in range(count)]
        if items and self.random.random() < 0.12:
            items.append(contradiction(self.random.choice(items)))
        return items

    def topology(self):
        most = min(self.most, self.random.choices(
            [size for _, size in SIZES], [weight for weight, _ in SIZES])[0])
        if self.random.random() < 0.3:
            return str(self.random.randint(1, min(most, 12)))
        levels = [name for name in LEVELS
                  if name != "modules" or self.facts.modules]
        self.random.shuffle(levels)
        counts, left = dict.fromkeys(LEVELS, 1), most
        for name in levels[:self.random.randint(1, len(levels))]:
            limit = {"threads": 4, "dies": 4, "modules": 4, "sockets": 6}.get(name, most)
            counts[name] = self.random.randint(1, max(1, min(left, limit)))
            left //= counts[name]
        total = 1
        for count in counts.values():
            total *= count
        return Topology("%d,%s" % (total, ",".join(
            "%s=%d" % pair for pair in counts.items()))).text()

    def extra(self, irqchip, vcpus):
        extra = []
        if self.random.random() < 0.06:
            extra.append("cpu-pm")
        if self.random.random() < 0.03 and vcpus <= PC_MOST:
            extra.append("machine=pc")
        if irqchip == "split" and self.random.random() < 0.06:
            extra.append("plain-vmm")
        return extra

    def request(self):
        """The four columns of a row."""
        # The KVM that is really there gets its share.
        host = self.random.choice(list(self.snapshots))
        if None in self.snapshots and self.random.random() < 0.3:
            host = None
        offered = self.facts.offered_by(self.snapshots[host])
        model, irqchip = self.weighed(MODELS), self.weighed(IRQCHIPS)
        items = self.items(model, offered)
        smp = "1" if irqchip == "none" else self.topology()
        extra = self.extra(irqchip, Topology(smp).vcpus)
        if host:
            extra.append("host=" + host)
        return [",".join([model] + items), irqchip, smp, " ".join(extra) or "-"]


def contradiction(item):
    """The same word the other way round."""
    if item[0] in "+-":
        return ("-" if item[0] == "+" else "+") + item[1:]
    name, _, value = item.partition("=")
    if value in ON + ("",):
        return "-" + name
    return "+" + name if value in OFF else item


def main():
    import qemu     # pylint: disable=import-outside-toplevel
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    options = parser.parse_args()
    facts = Facts(qemu.oracle())
    known = {name: hosts.read(name) for name in hosts.bundled("x86")}
    generator = Generator(options.seed, facts, known)
    for _ in range(options.count):
        print(" | ".join(generator.request()))
    print("# not known to guestcpu yet: " + (" ".join(facts.unknown) or "none"))


if __name__ == "__main__":
    main()

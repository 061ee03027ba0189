#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare guestcpu's plan with what QEMU hands to KVM, request by request.

Every feature word is compared bit by bit on every vCPU, and every capability
about the choice of a CPU. A difference passes only with a row of
differences.txt; a row that does not show in its own request is a failure as
well, unless it is marked other-host.

Exit: 0 as expected, 1 differences, 2 usage, 77 skipped (one line says why).
"""
import argparse
import json
import os
import subprocess
import sys

import differences
import fetch_qemu
import hosts
import qemu
import words

HERE = os.path.dirname(os.path.abspath(__file__))
EXITS = ((0, "mwait"), (1, "hlt"), (2, "pause"), (3, "cstate"))
SPLIT_IRQCHIP = 121
DISABLE_EXITS = 143


class Case:
    """One request, and what both sides answer to it."""

    def __init__(self, columns):
        self.flags, self.irqchip, smp, extra = columns
        self.smp = int(smp)
        self.extra = parse_extra(extra)
        self.title = " | ".join(columns)
        self.host = self.extra.get("host")
        self.qemu = self.plan = self.our_error = None

    def why_skip(self):
        """Why QEMU cannot be shown the host that the row names, or None."""
        if not self.host:
            return None
        document = hosts.read(self.host)
        if not document:
            return "no snapshot " + self.host
        vendor = hosts.vendor(hosts.answers(document)[0])
        if vendor != hosts.native_vendor():
            return "%s is of another vendor, %s" % (self.host, vendor)
        return None

    def ask_qemu(self, which):
        self.version = which.version
        host = hosts.answers(hosts.read(self.host)) if self.host else None
        self.qemu = qemu.ask(self.extra.get("qemu", self.flags), self.irqchip,
                             self.smp, "cpu-pm" in self.extra,
                             self.extra.get("machine", "q35"), which, host,
                             int(self.extra.get("maxcpus", 0)))

    def consents(self):
        """What guestcpu is told about the VMM, so that it stands for QEMU."""
        argv = []
        if "plain-vmm" in self.extra:
            return argv
        if self.irqchip == "split":
            argv += ["--handles", "msi-ext-dest-id"]
        if max(self.smp, int(self.extra.get("maxcpus", 0))) > 255:
            argv += ["--x2apic-ids"]
        return argv

    def refused_msrs(self):
        """MSRs whose value the host's KVM does not take."""
        if self.host:
            return hosts.refused_msrs(hosts.read(self.host))
        return {msr for msrs in self.qemu["refused_msrs"].values()
                for msr in msrs}

    def ask_us(self, binary):
        # QEMU's machine types of today make one socket of all vCPUs.
        argv = [binary, "plan", "--json", "-c", self.flags,
                "--irqchip", self.irqchip,
                "--smp", "%d,sockets=1,cores=%d" % (self.smp, self.smp)]
        argv += self.consents()
        if self.host:
            argv += ["--host", hosts.path(self.host)]
        if "cpu-pm" in self.extra:
            mask = self.qemu["extensions"].get(DISABLE_EXITS, 0)
            argv += ["--disable-exits",
                     ",".join(name for bit, name in EXITS if mask >> bit & 1)]
        done = subprocess.run(argv, text=True, capture_output=True, timeout=60)
        if done.returncode not in (0, 1):
            raise qemu.QemuError("guestcpu ended with %d: %s"
                                 % (done.returncode,
                                    (done.stderr or done.stdout).strip()))
        document = json.loads(done.stdout)
        if done.returncode == 0:
            self.plan = document
        elif "error" in document:
            self.our_error = document["error"]["text"]
        else:
            self.our_error = "; ".join(
                finding["text"] for finding in document["findings"]
                if finding["severity"] == "error")


def parse_extra(text):
    """The extra column: {word: value or True}."""
    extra = {}
    for word in text.split():
        if word != "-":
            key, _, value = word.partition("=")
            extra[key] = value or True
    return extra


def plan_tables(plan, count):
    """One table for each vCPU: the plan's, with what differs for that one."""
    base = hosts.entries(plan["cpuid"])
    own = {vcpu["index"]: hosts.entries(vcpu.get("cpuid", []))
           for vcpu in plan.get("vcpus", [])}
    tables = []
    for index in range(count):
        changed = {tuple(entry[:2]): entry for entry in own.get(index, [])}
        table = [changed.pop(tuple(entry[:2]), entry) for entry in base]
        tables.append(table + list(changed.values()))
    return tables


def stripped(args):
    """Arguments without zeros at the end."""
    values = [words.number(arg) for arg in args]
    while values and not values[-1]:
        values.pop()
    return values


def plan_caps(plan):
    caps = {}
    for step in plan.get("recipe", []):
        if step["call"] != "KVM_ENABLE_CAP":
            continue
        cap = words.number(step["args"]["cap"])
        if cap in qemu.CHOICE_CAPS:
            caps[cap] = stripped(step["args"].get("args", []))
    return without_nothing(caps)


def qemu_caps(answer):
    return without_nothing({call["cap"]: stripped(call["args"])
                            for call in answer["caps"]
                            if call["cap"] in qemu.CHOICE_CAPS})


def without_nothing(caps):
    """Switching off what is off, with 0, is the same as no call at all."""
    return {cap: args for cap, args in caps.items()
            if args or cap == SPLIT_IRQCHIP}


def compare_words(case):
    """Differences of the feature words, each once whatever the vCPUs."""
    tables = plan_tables(case.plan, len(case.qemu["tables"]))
    our_msrs = {words.number(msr["index"]): words.number(msr["value"])
                for msr in case.plan.get("msrs", [])}
    found = {}
    for index, vcpu in enumerate(sorted(case.qemu["tables"])):
        ours = words.vector(tables[index], our_msrs)
        theirs = words.vector(case.qemu["tables"][vcpu],
                              case.qemu["msrs"].get(vcpu, {}))
        for word, value in theirs.items():
            differs = value ^ ours[word]
            if case.host:
                differs &= ~hosts.FROM_INSTRUCTION.get(word, 0)
            for bit in words.bits_of(differs):
                found[(word, bit)] = differences.Difference(
                    word, bit, ours[word] >> bit & 1, value >> bit & 1)
    return list(found.values())


def compare(case):
    """Every difference between the two answers."""
    if bool(case.qemu["refused"]) != bool(case.our_error):
        return [differences.Difference("refused", None, case.our_error,
                                       case.qemu["refused"])]
    if case.our_error:
        return []
    found = compare_words(case)
    ours, theirs = plan_caps(case.plan), qemu_caps(case.qemu)
    for cap in sorted(set(ours) | set(theirs)):
        if ours.get(cap) != theirs.get(cap):
            found.append(differences.Difference(
                "cap", cap, ours.get(cap), theirs.get(cap)))
    return found


def describe(difference, names):
    if difference.subject == "refused":
        who = "QEMU" if difference.qemus else "guestcpu"
        return "only %s refuses: %s" % (
            who, str(difference.qemus or difference.ours).splitlines()[0])
    if difference.subject == "cap":
        return "cap %d %s: qemu %s, ours %s" % (
            difference.item, qemu.CHOICE_CAPS[difference.item],
            difference.qemus, difference.ours)
    name = names.get((difference.subject, difference.item), "no name")
    return "%s[%d] %s: qemu %d, ours %d" % (
        difference.subject, difference.item, name, difference.qemus,
        difference.ours)


def run_case(case, which, binary, rows, names, verbose):
    """Ask both, print what has no row; returns how many that are."""
    case.ask_qemu(which)
    case.ask_us(binary)
    unexplained = 0
    lines = []
    for difference in compare(case):
        row = next((r for r in rows if r.fits(difference, case)), None)
        if row:
            row.used.add(case.title)
            if verbose:
                lines.append("   row %s: %s"
                             % (row.id, describe(difference, names)))
        else:
            unexplained += 1
            lines.append("   DIFFERS " + describe(difference, names))
    print("%s %s" % ("not ok" if unexplained else "ok", case.title))
    if lines:
        print("\n".join(lines))
    return unexplained


def judge(options, which):
    """Run every request; returns the exit code."""
    rows, names, bad = differences.read(), words.bit_names(), 0
    ran = set()
    for _, columns in words.read_rows(options.requests, 4):
        case = Case(columns)
        if options.only and options.only not in case.title:
            continue
        reason = case.why_skip()
        if reason:
            print("skip %s: %s" % (case.title, reason))
            continue
        try:
            bad += run_case(case, which, options.guestcpu, rows, names,
                            options.verbose)
            ran.add(case.title)
        except (qemu.QemuError, ValueError, KeyError,
                subprocess.SubprocessError) as error:
            print("not ok %s\n   %s: %s" % (case.title,
                                            type(error).__name__, error))
            bad += 1
    unshown = [row for row in rows if row.about(which.version)
               and row.request() in ran and row.request() not in row.used
               and not row.other_host()]
    for row in unshown:
        print("row %s of differences.txt does not show in %s"
              % (row.id, row.request()))
    print("QEMU %s: %d requests, %d differences without a row, "
          "%d rows that do not show"
          % (which.version, len(ran), bad, len(unshown)))
    return 1 if bad or unshown else 0


def main():
    default = os.path.join(words.ROOT, "build", "guestcpu")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("guestcpu", nargs="?", default=default,
                        help="the command (default: build/guestcpu)")
    parser.add_argument("--installed", action="store_true",
                        help="the machine's own QEMU as the oracle")
    parser.add_argument("--requests", metavar="FILE",
                        default=os.path.join(HERE, "requests.txt"),
                        help="other requests than those of requests.txt")
    parser.add_argument("--only", help="only requests with this text")
    parser.add_argument("--verbose", action="store_true",
                        help="print differences that have a row, too")
    options = parser.parse_args()
    if not os.access(options.guestcpu, os.X_OK):
        print("compare: no command at " + options.guestcpu, file=sys.stderr)
        return 2
    reason = qemu.why_not()
    try:
        which = None if reason else (qemu.installed() if options.installed
                                     else qemu.oracle())
    except fetch_qemu.Unavailable as error:
        which, reason = None, str(error)
    if not which:
        print("SKIP: oracle-compare: " + (reason or "no QEMU is installed"))
        return 77
    return judge(options, which)


if __name__ == "__main__":
    sys.exit(main())

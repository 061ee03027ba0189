#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compare guestcpu's plan with what QEMU hands to KVM, request by request.

Every word of the whole CPUID table is compared bit by bit on every vCPU, and
the feature MSRs, the APIC ids, the rate of the TSC, machine check and every
capability about the choice of a CPU. A difference passes only with a row of
differences.txt; a row that does not show in its own request is a failure as
well, unless it is marked other-host.

Exit: 0 as expected, 1 differences, 2 usage, 77 skipped (one line says why).
"""
import argparse
import os
import subprocess
import sys

import differences
import fetch_qemu
import hosts
import qemu
import words
from case import Case

HERE = os.path.dirname(os.path.abspath(__file__))
SPLIT_IRQCHIP = 121


def plan_tables(plan, count):
    """One table for each vCPU: the plan's, with what differs for that one."""
    base = words.entries(plan["cpuid"])
    own = {vcpu["index"]: words.entries(vcpu.get("cpuid", []))
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
    """Differences of the words, each once whatever the vCPUs; words compared."""
    theirs_by_id = case.qemu["tables"]
    tables = plan_tables(case.plan, len(theirs_by_id))
    our_msrs = {words.number(msr["index"]): words.number(msr["value"])
                for msr in case.plan.get("msrs", [])}
    hidden = hosts.from_instruction(case) if case.host else {}
    found, count = {}, 0
    for index, vcpu in enumerate(sorted(theirs_by_id)):
        where = words.places(tables[index], theirs_by_id[vcpu])
        ours = words.vector(tables[index], our_msrs, where)
        theirs = words.vector(theirs_by_id[vcpu],
                              case.qemu["msrs"].get(vcpu, {}), where)
        count += len(ours.keys() | theirs.keys())
        for word in ours.keys() | theirs.keys():
            differs = ours[word] ^ theirs[word]
            if differs and hidden:
                differs &= ~hosts.hidden_bits(hidden, word)
            for bit in words.bits_of(differs):
                mine = ours[word] >> bit & 1
                found.setdefault((word, bit, mine), differences.Difference(
                    word, bit, mine, 1 - mine, (ours[word], theirs[word])))
    return list(found.values()), count


def step_value(plan, call, argument):
    """What the recipe gives to a call, or None if it makes none."""
    for step in plan.get("recipe", []):
        if step["call"] == call:
            return words.number(step["args"][argument])
    return None


def compare_calls(case):
    """Differences in what else is asked of KVM, each a value as a whole."""
    ids = [vcpu["id"] for vcpu in case.plan.get("vcpus", [])]
    yield "apic-ids", ids, sorted(case.qemu["tables"])
    host = case.qemu["host_khz"]
    yield ("tsc-khz", step_value(case.plan, "KVM_SET_TSC_KHZ", "khz") or host,
           case.qemu["tsc_khz"] or host)
    mce = step_value(case.plan, "KVM_X86_SETUP_MCE", "mcg_cap") or 0
    yield "lmce", bool(mce >> qemu.MCG_LMCE & 1), case.qemu["lmce"]


def compare(case):
    """(every difference between the two answers, words compared)."""
    if bool(case.qemu["refused"]) != bool(case.our_error):
        return [differences.Difference("refused", None, case.our_error,
                                       case.qemu["refused"])], 0
    if case.our_error:
        return [], 0
    found, count = compare_words(case)
    ours, theirs = plan_caps(case.plan), qemu_caps(case.qemu)
    for cap in sorted(set(ours) | set(theirs)):
        if ours.get(cap) != theirs.get(cap):
            found.append(differences.Difference(
                "cap", cap, ours.get(cap), theirs.get(cap)))
    for subject, mine, qemus in compare_calls(case):
        if mine != qemus:
            found.append(differences.Difference(subject, None, mine, qemus))
    return found, count


def describe(difference, names):
    if difference.subject == "refused":
        who = "QEMU" if difference.qemus else "guestcpu"
        return "only %s refuses: %s" % (
            who, str(difference.qemus or difference.ours).splitlines()[-1])
    if difference.subject in differences.WHOLE:
        return "%s: qemu %s, ours %s" % (difference.subject, difference.qemus,
                                         difference.ours)
    if difference.subject == "cap":
        return "cap %d %s: qemu %s, ours %s" % (
            difference.item, qemu.CHOICE_CAPS[difference.item],
            difference.qemus, difference.ours)
    name = names.get((difference.subject, difference.item), "no name")
    return "%s[%d] %s: qemu %d, ours %d" % (
        difference.subject, difference.item, name, difference.qemus,
        difference.ours)


def told(found, names):
    """Lines for differences; bits of a word in one line, with both words."""
    words_of = {}
    for difference in found:
        if difference.whole:
            words_of.setdefault(difference.subject, []).append(difference)
        else:
            yield describe(difference, names)
    for word, bits in sorted(words_of.items()):
        bits.sort(key=lambda difference: difference.item)
        ours, qemus = bits[0].whole
        named = ["%d:%s" % (d.item, names[(word, d.item)])
                 if (word, d.item) in names else str(d.item) for d in bits]
        yield "%s: qemu 0x%x, ours 0x%x, bits %s" % (word, qemus, ours,
                                                     " ".join(named))


class Judged:
    """What came of one case."""

    def __init__(self, case, rows):
        self.case = case
        self.unexplained, self.explained = [], []
        found, self.words = compare(case)
        found = self.explain(found, [row for row in rows if not row.follows()])
        self.unexplained = self.explain(found, [row for row in rows if row.follows()])

    def explain(self, found, rows):
        """Those of the differences that no row explains."""
        rest, used = [], set()
        for difference in found:
            row = next((r for r in rows if r.fits(difference, self.case)), None)
            if row:
                row.used.add(self.case.title)
                used.add(row.id)
                self.explained.append((row, difference))
            else:
                rest.append(difference)
        self.case.explained_by = self.case.explained_by | used
        return rest

    def keys(self):
        return {difference.key() for difference in self.unexplained}

    def lines(self, names, verbose):
        lines = ["   DIFFERS " + line for line in told(self.unexplained, names)]
        for row in {row for row, _ in self.explained} if verbose else ():
            lines += ["   row %s: %s" % (row.id, line) for line in told(
                [d for r, d in self.explained if r is row], names)]
        return lines


ERRORS = (qemu.QemuError, ValueError, KeyError, subprocess.SubprocessError)


def ask_both(columns, which, binary, rows, snapshot=None):
    """Put one request to both sides; a Judged."""
    case = Case(columns)
    case.snapshot = snapshot
    case.ask_qemu(which)
    case.ask_us(binary)
    return Judged(case, rows)


def rows_of(options):
    if options.request:
        return [[column.strip() for column in options.request.split("|")]]
    return [columns for _, columns in words.read_rows(options.requests, 4)]


def judge(options, which):
    """Run every request; returns the exit code."""
    rows, names, bad = differences.read_all(), words.bit_names(), 0
    ran, compared = set(), 0
    for columns in rows_of(options):
        title = " | ".join(columns)
        if options.only and options.only not in title:
            continue
        reason = Case(columns).why_skip()
        if reason:
            print("skip %s: %s" % (title, reason))
            continue
        try:
            judged = ask_both(columns, which, options.guestcpu, rows)
        except ERRORS as error:
            print("not ok %s\n   %s: %s" % (title, type(error).__name__, error))
            bad += 1
            continue
        ran.add(title)
        bad += len(judged.unexplained)
        compared += judged.words
        print("%s %s" % ("not ok" if judged.unexplained else "ok", title))
        for line in judged.lines(names, options.verbose):
            print(line)
    unshown = [row for row in rows if row.about(which.version)
               and row.request() in ran and row.request() not in row.used
               and not row.other_host()]
    for row in unshown:
        print("row %s of differences.txt does not show in %s"
              % (row.id, row.request()))
    print("QEMU %s: %d requests, %d words, %d differences without a row, "
          "%d rows that do not show"
          % (which.version, len(ran), compared, bad, len(unshown)))
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
    parser.add_argument("--request", metavar="ROW",
                        help="one row, in the form of requests.txt")
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

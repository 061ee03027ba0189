#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What QEMU makes of KVM_GET_SUPPORTED_CPUID, for every request.

Prints, for each row of requests.txt, the feature bits that QEMU adds to and
removes from what this KVM reports. It judges nothing.
Exit: 0 done, 77 no QEMU can be asked here.
"""
import argparse
import os
import sys

import compare
import fetch_qemu
import qemu
import words


def names_of(word, value, names):
    return " ".join("%d%s" % (bit, ":" + names[(word, bit)]
                              if (word, bit) in names else "")
                    for bit in words.bits_of(value))


def survey(answer, names):
    first = min(answer["tables"])
    where = words.places(answer["supported"], answer["tables"][first])
    supported = words.vector(answer["supported"], {}, where)
    given = words.vector(answer["tables"][first],
                         answer["msrs"].get(first, {}), where)
    for word, value in given.items():
        added = value & ~supported[word]
        removed = supported[word] & ~value
        if word.startswith("MSR"):
            if value:
                print("  %-24s 0x%x" % (word, value))
            continue
        if added or removed:
            print("  %-24s kvm 0x%08x qemu 0x%08x" % (word, supported[word],
                                                      value))
        if added:
            print("    + " + names_of(word, added, names))
        if removed:
            print("    - " + names_of(word, removed, names))
    for cap in answer["caps"]:
        if cap["cap"] in qemu.CHOICE_CAPS:
            print("  cap %d %s on the %s: args %s"
                  % (cap["cap"], qemu.CHOICE_CAPS[cap["cap"]], cap["fd"],
                     cap["args"]))
    if answer["refused_msrs"]:
        print("  KVM refuses: " + str(answer["refused_msrs"].get(first)))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--installed", action="store_true",
                        help="the machine's own QEMU instead")
    parser.add_argument("--only", help="only requests with this text")
    options = parser.parse_args()
    reason = qemu.why_not()
    try:
        which = reason or (qemu.installed() if options.installed
                           else qemu.oracle())
    except fetch_qemu.Unavailable as error:
        reason = str(error)
    if reason or not which:
        print("SKIP: oracle-survey: " + (reason or "no QEMU installed"))
        return 77
    names = words.bit_names()
    here = os.path.dirname(os.path.abspath(__file__))
    for _, row in words.read_rows(os.path.join(here, "requests.txt"), 4):
        case = compare.Case(row)
        if options.only and options.only not in " | ".join(row):
            continue
        print("%s | %s | %s | %s" % tuple(row))
        skip = case.why_skip()
        if skip:
            print("  skip: " + skip)
            continue
        case.ask_qemu(which)
        answer = case.qemu
        if answer["messages"]:
            for line in sorted(set(answer["messages"].splitlines())):
                print("  says: " + line)
        if answer["refused"]:
            print("  REFUSED")
        else:
            survey(answer, names)
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random requests, put to guestcpu and to QEMU alike, and compared word by word.

  generated.py here COMMAND                 this machine's KVM, and every bundled host
                                            of its vendor, shown to QEMU
  generated.py x86:6.12 COMMAND --build DIR true runs on that kernel's KVM

The seed is printed, and the same seed makes the same requests again. The first
difference that no row of differences.txt explains is printed shrunk, with the
command that shows it on both sides.

Exit: 0 as expected, 1 differences, 2 usage, 4 the outer kernel failed twice,
77 skipped (one line says why).
"""
import argparse
import collections
import concurrent.futures
import os
import random
import sys
import tempfile
import threading

import compare
import differences
import fetch_qemu
import generate
import hosts
import inside
import qemu
import shrink
import words

WORKERS = 2


class Tally:
    """What came of all requests of a run."""

    def __init__(self, rows):
        self.rows, self.names = rows, words.bit_names()
        self.requests = self.words = self.bits = self.failed = self.refused = 0
        self.by_row = collections.Counter()
        self.wrong = []                 # the Judged that have something unexplained
        self.unknown = []               # words of the table that guestcpu does not know
        self.lock = threading.Lock()

    def add(self, judged):
        with self.lock:
            self.requests += 1
            self.words += judged.words
            self.refused += bool(judged.case.our_error)
            self.by_row.update(row.id for row, _ in judged.explained)
            if judged.unexplained:
                self.wrong.append(judged)

    def fail(self, columns, error):
        with self.lock:
            self.failed += 1
            print("not ok %s\n   %s: %s" % (" | ".join(columns),
                                            type(error).__name__, error))

    def tell(self, seed, where):
        for judged in self.wrong:
            print("not ok " + judged.case.title)
            for line in judged.lines(self.names, False):
                print(line)
        for name, count in sorted(self.by_row.items()):
            print("   row %s: %d" % (name, count))
        print("seed %d, %s: %d requests (%d refused by both), %d words, %d differences "
              "with a row, %d requests with others, %d failed"
              % (seed, where, self.requests, self.refused, self.words,
                 sum(self.by_row.values()), len(self.wrong), self.failed))

    def status(self):
        return 1 if self.wrong or self.failed or self.unknown else 0


def shrunk(judged, key, ask):
    """The request made small, still with that difference."""
    def still_wrong(columns):
        try:
            return key in ask(columns).keys()
        except compare.ERRORS:
            return False

    case = judged.case
    return shrink.shrink([column.strip() for column in case.title.split("|")],
                         still_wrong)


def tell_shrunk(tally, ask, every):
    """The first difference, or the first of each kind, made small."""
    told = set()
    for judged in tally.wrong:
        for key in sorted(judged.keys(), key=str):
            if key[0] in told or (told and not every):
                continue
            told.add(key[0])
            row = " | ".join(shrunk(judged, key, ask))
            print("shrunk to %s, for %s\n   tests/oracle/compare.py build/guestcpu "
                  "--request '%s'" % (row, key[0], row))


def tell_unknown(facts, tally):
    tally.unknown = facts.unknown
    print("words that guestcpu does not know yet: %d %s; features that only QEMU knows: %d"
          % (len(facts.unknown), " ".join(facts.unknown), len(facts.unknown_flags)))


def run_here(options, which, tally):
    """This machine's KVM, and other hosts shown to QEMU."""
    facts = generate.Facts(which, generate.knows_modules(options.guestcpu))
    tell_unknown(facts, tally)
    with tempfile.TemporaryDirectory(prefix="guestcpu-generated-") as folder:
        snapshot = inside.probe_here(options.guestcpu, folder)
        known = {None: hosts.read_file(snapshot)}
        # Half of the requests go to the real one.
        for name in hosts.bundled("x86"):
            if hosts.vendor(hosts.answers(hosts.read(name))[0]) == hosts.native_vendor():
                known[name] = hosts.read(name)
        generator = generate.Generator(options.seed, facts, known)

        def ask(columns):
            return compare.ask_both(columns, which, options.guestcpu, tally.rows, snapshot)

        def one(columns):
            try:
                tally.add(ask(columns))
            except compare.ERRORS as error:
                tally.fail(columns, error)

        requests = [generator.request() for _ in range(options.count)]
        qemu.build_shim()       # once, before there are threads
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(one, requests))
        tally.tell(options.seed, "this machine and %d hosts" % (len(known) - 1))
        tell_shrunk(tally, ask, options.every)
    return tally.status()


def arguments():
    default = os.path.join(words.ROOT, "build", "guestcpu")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("where", help="here, or a kernel such as x86:6.12")
    parser.add_argument("guestcpu", nargs="?", default=default,
                        help="the command (default: build/guestcpu)")
    parser.add_argument("--seed", default="1", help="a number, or random")
    parser.add_argument("--count", type=int, default=0, help="how many requests")
    parser.add_argument("--build", help="where static commands are built")
    parser.add_argument("--every", action="store_true",
                        help="shrink the first difference of each word, not only the first")
    options = parser.parse_args()
    options.seed = (random.SystemRandom().randrange(1 << 32)
                    if options.seed == "random" else int(options.seed))
    if options.where != "here" and not options.build:
        parser.error("a kernel needs --build")
    options.count = options.count or (240 if options.where == "here" else 34)
    return options


def main():
    options = arguments()
    reason = qemu.why_not(needs_kvm=options.where == "here")
    try:
        which = None if reason else qemu.oracle()
        tally = Tally(differences.read_all())
        if which and options.where == "here":
            return run_here(options, which, tally)
        if which:
            return inside.run(options, which, tally)
    except (fetch_qemu.Unavailable, inside.CannotBeHad) as error:
        reason = str(error)
    print("SKIP: oracle-generated: " + reason)
    return 77


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mutates the tables of data/ and feeds them to the generator.

tables.py SOURCE [--seconds S] [--seed N] [--cc CC]. The generator takes a table or refuses it with
FILE:LINE; a traceback is a failure, and so is C that does not compile. Number N of a seed is always
the same mutation: --only N repeats it.
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True

STRANGE = ["", "-", "?", "0", "-1", "0x", "0xffffffffffffffffff", "1" * 5000, "é", "\u0663", "\x00", "\x0b", "\t", "*/",
           "??/", "%s", "{}", "|", "||", "#", "*", ":", "1:0", "63", "64", "63:0", "CPUID.*.*.*", "CPUID.0x1.0x0.eax",
           "REG.A.3.0.0.0.0", "MSR.0x10", "safe:", "=", ",min=", "structure:", "fields", "!", "!!lapic", "cap:", "a+b",
           "a + b", "<=", "6.1", "6", "4294967296", "65536", "256", '"', "\\", "\r", "1_0", "+1", " 1", "0b1", "_"]


def mutate_columns(rng, lines, pool):
    rows = [i for i, l in enumerate(lines) if "|" in l and not l.lstrip().startswith("#")]
    if not rows:
        return
    i = rng.choice(rows)
    cells = lines[i].split("|")
    k = rng.randrange(len(cells))
    what = rng.randrange(6)
    if what == 0:
        cells[k] = rng.choice(STRANGE)
    elif what == 1:
        cells[k] = rng.choice(lines[rng.choice(rows)].split("|"))
    elif what == 2:
        cells[k] = rng.choice(pool)
    elif what == 3:
        del cells[k]
    elif what == 4:
        cells.insert(k, rng.choice(STRANGE))
    else:
        cells[k] = re.sub(r"[0-9]+", lambda m: str(rng.randrange(300)), cells[k])
    lines[i] = "|".join(cells)


def mutate_lines(rng, lines):
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    what = rng.randrange(5)
    if what == 0:
        del lines[i]
    elif what == 1:
        lines.insert(j, lines[i])
    elif what == 2:
        lines[i], lines[j] = lines[j], lines[i]
    elif what == 3:
        del lines[min(i, j):max(i, j)]
    else:
        lines.insert(i, rng.choice(STRANGE))


def mutate(rng, data, pool):
    """Bytes of one file, changed a little."""
    if rng.random() < 0.2:
        raw = bytearray(data)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(raw) + 1)
            raw[at:at + rng.randrange(3)] = bytes(rng.randrange(256) for _ in range(rng.randrange(3)))
        return bytes(raw)
    lines = data.decode("utf-8").split("\n")
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        if rng.random() < 0.7:
            mutate_columns(rng, lines, pool)
        elif lines:
            mutate_lines(rng, lines)
    return "\n".join(lines).encode("utf-8")


class Bench:
    def __init__(self, source, cc, folder):
        self.source, self.cc = source, cc
        self.data, self.out = os.path.join(folder, "data"), os.path.join(folder, "out")
        shutil.copytree(os.path.join(source, "data"), self.data)
        os.mkdir(self.out)
        sys.path.insert(0, os.path.join(source, "gen"))
        import gen
        import tables
        self.gen, self.refused = gen, tables.Refused
        self.files = sorted(os.path.join(r, n) for r, _, names in os.walk(self.data) for n in names
                            if n.endswith(".txt"))
        self.pool = [c.strip() for f in self.files for line in open(f, encoding="utf-8") for c in line.split("|")]
        self.known = None
        if self.judge() is None and self.accepted:
            self.known = self.outputs()

    def outputs(self):
        out = {}
        for n in os.listdir(self.out):
            with open(os.path.join(self.out, n), "rb") as f:
                out[n] = f.read()
        return out

    def compiles(self):
        units = [os.path.join(self.out, n) for n in ("facts_x86.c", "facts_arm64.c", "hosts_gen.c")]
        args = [*self.cc, "-fsyntax-only", "-std=c11", "-Wall", "-Wextra", "-Werror", "-I" + self.source + "/src/core",
                "-I" + self.source + "/include", *units, "-x", "c", self.out + "/facts_gen.h",
                self.out + "/feature_numbers.h"]
        ran = subprocess.run(args, capture_output=True, text=True)
        return None if ran.returncode == 0 else "accepted, and then:\n" + ran.stderr[:2000]

    def judge(self):
        """None, or what is wrong with the generator's answer; sets .accepted."""
        self.accepted = False
        try:
            self.gen.main(self.data, self.out)
        except self.refused as e:
            if re.match(re.escape(self.data) + r"/[^:\n]+:[0-9]+: [^\n]+\Z", str(e)):
                return None
            return f"refused without file and line: {e}"
        except Exception:
            return traceback.format_exc()
        self.accepted = True
        if self.known is None or not self.cc or self.outputs() == self.known:
            return None
        return self.compiles()


def main():
    p = argparse.ArgumentParser()
    p.add_argument("source")
    p.add_argument("--seconds", type=float, default=10)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--only", type=int, default=None)
    p.add_argument("--cc", default="cc")
    args = p.parse_args()
    cc = args.cc.split() if shutil.which(args.cc.split()[0]) else []
    with tempfile.TemporaryDirectory(prefix="guestcpu-fuzz-") as folder:
        bench = Bench(os.path.abspath(args.source), cc, folder)
        if not bench.known:
            sys.exit(f"fuzz-tables: the tables as they are: {bench.judge()}")
        start, n, accepted, bad = time.monotonic(), 0, 0, 0
        while time.monotonic() - start < args.seconds:
            number = n if args.only is None else args.only
            rng = random.Random(args.seed * 1000003 + number)
            path = rng.choice(bench.files)
            with open(path, "rb") as f:
                good = f.read()
            with open(path, "wb") as f:
                f.write(mutate(rng, good, bench.pool))
            wrong = bench.judge()
            with open(path, "wb") as f:
                f.write(good)
            n += 1
            accepted += bench.accepted
            if wrong:
                bad += 1
                print(f"--seed {args.seed} --only {number}: {os.path.relpath(path, folder)}:\n{wrong}\n")
            if args.only is not None or bad >= 20:
                break
        print(f"{n} tables of seed {args.seed}: {accepted} accepted, {n - accepted} refused, {bad} wrong")
    return 1 if bad else 0


sys.exit(main())

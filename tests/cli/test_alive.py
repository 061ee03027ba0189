#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`verify --alive` on this machine's KVM: document, tables, exit status, progress.

What must come of each feature on which kernel is known in tests/kernels; here it is what holds on every KVM.
"""
import json
import os
import pty
import re
import sys
import threading
import unittest

import cli
import schemas

HANDLES = "msi-ext-dest-id,map-gpa-range,migration-control"
# Requests and machines. Each is run once, whatever looks at it.
RUNS = {
    "host": ["-c", "host"],
    "all": ["--all", "-c", "host,pv=all", "--irqchip", "split", "--handles", HANDLES, "--x2apic-ids"],
    "user": ["-c", "host", "--irqchip", "user"],
    "none": ["-c", "host", "--irqchip", "none"],
    "base": ["-c", "base"],
    "kvm64": ["-c", "kvm64"],
    "no pv": ["-c", "host,pv=none"],
    "leaks": ["-c", "host,pv=none,kvm-pv-enforce-cpuid=off"],
}
ON_STDOUT = "no pv" # with --json; the others with --output, beside the tables
X86 = os.uname().machine == "x86_64"
LONG = 240 # seconds, for tests on a busy machine


def gates():
    """What KVM looks at before it serves a feature, by the facts: feature -> msr, hypercall, flag, msr-bit or -."""
    with open(os.path.join(cli.ROOT, "data/x86/pv.txt"), encoding="utf-8") as f:
        rows = [[c.strip() for c in line.split("|")] for line in f if line.strip() and line[0] != "#"]
    return {row[0]: row[3] for row in rows}


def need_exercises():
    cli.need_kvm()
    if not X86:
        cli.skip("cli: verify --alive: these requests and facts are x86's; the kernels tier has arm64's")


_ran = {}


def alive(name):
    """(what the command did, its document)"""
    if name not in _ran:
        if name == ON_STDOUT:
            ran = cli.guestcpu("verify", "--alive", "--json", *RUNS[name], timeout=LONG)
            _ran[name] = ran, ran.json()
        else:
            path = os.path.join(cli.scratch(), "alive.json")
            ran = cli.guestcpu("verify", "--alive", "-o", path, *RUNS[name], timeout=LONG)
            if not os.path.exists(path):
                raise AssertionError(f"no document: {ran}")
            with open(path, encoding="utf-8") as f:
                _ran[name] = ran, json.load(f)
            os.unlink(path)
    return _ran[name]


def table(text, *head):
    """Rows of the table with that head, as cells; the last may have blanks."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if re.split(r"  +", line) == list(head))
    end = lines.index("", at)
    return [re.split(r"  +", line, maxsplit=len(head) - 1) for line in lines[at + 1:end]]


class Alive(cli.Test):
    @classmethod
    def setUpClass(cls):
        need_exercises()

    def each(self):
        return [(name, *alive(name)) for name in RUNS]

    def test_schema(self):
        if schemas.MISSING:
            cli.skip(f"cli alive: {schemas.MISSING}")
        for _, ran, doc in self.each():
            self.assertEqual(schemas.errors("verify", doc), [], str(ran))
            self.assertIsNone(doc["guest_error"], str(ran))

    def test_fields_say_what_exercises_say(self):
        for run, _, doc in self.each():
            about = {e["name"]: e for e in doc["alive"]["exercises"] if e["kind"] == "feature"}
            said = {f["name"]: (f["alive"], f["witness"]) for f in doc["features"]
                    if f["alive"] is not None or f["witness"] is not None}
            self.assertEqual(said, {name: (e["alive"], e["witness"]) for name, e in about.items()}, run)
            # every paravirtual feature of the facts, and not by chance under another name
            self.assertEqual(set(gates()) - set(about), set(), run)
            planned = {f["name"]: f["planned"] != "0x0" for f in doc["features"]}
            self.assertEqual({name: e["planned"] for name, e in about.items()}, {name: planned[name] for name in about}, run)

    def test_summary(self):
        for run, _, doc in self.each():
            counted = [e["alive"] for e in doc["alive"]["exercises"] if e["kind"] != "behaviour"]
            self.assertEqual(doc["alive"]["summary"], {v: counted.count(v) for v in doc["alive"]["summary"]}, run)
            self.assertEqual(sum(doc["alive"]["summary"].values()), len(counted), run)
            for e in doc["alive"]["exercises"]:
                self.assertTrue(e["witness"], e)
                self.assertTrue(e["observed"] is None or e["kind"] == "behaviour" and e["alive"] is None, e)

    def test_same_exercises_whatever_is_asked_for(self):
        names = [e["name"] for e in alive("host")[1]["alive"]["exercises"]]
        self.assertEqual(len(names), len(set(names)))
        for run, _, doc in self.each():
            self.assertEqual([e["name"] for e in doc["alive"]["exercises"]], names, run)

    def test_verdicts_fit_what_was_planned(self):
        for run, _, doc in self.each():
            for e in doc["alive"]["exercises"]:
                never = ("leaks", "refused-as-planned") if e["planned"] else ("works", "fails")
                if e["kind"] == "feature":
                    self.assertNotIn(e["alive"], never, f"{run}: {e}")

    def test_exit_status(self):
        """1 on what leaks, fails or is mismatched: of what is enforced nothing leaks."""
        for name, ran, doc in self.each():
            bad = [f"{e['name']}: {e['witness']}" for e in doc["alive"]["exercises"] if e["alive"] in ("leaks", "fails")]
            self.assertEqual(ran.code, 1 if bad or doc["summary"]["mismatched"] else 0, f"{name}: {bad}, {ran}")
            if name != "leaks":
                self.assertEqual(doc["alive"]["summary"]["leaks"], 0, f"{name}: {bad}")
        ran, doc = alive("no pv")
        self.assertEqual([e["name"] for e in doc["alive"]["exercises"] if e["planned"] and e["name"] in gates()], [])

    def test_what_leaks_without_enforcement(self):
        """What the facts call gated, and no more. Where KVM answers no hypercall those cannot be told."""
        ran, doc = alive("leaks")
        self.assertEqual(ran.code, 1, str(ran))
        found = {e["name"]: e["alive"] for e in doc["alive"]["exercises"] if e["kind"] == "feature"}
        for name, gate in gates().items():
            if gate == "hypercall":
                self.assertIn(found[name], ("leaks", "untestable"), name)
            elif gate != "-":
                self.assertEqual(found[name], "leaks", name)
        self.assertEqual([name for name, v in found.items() if v == "leaks" and gates().get(name, "-") == "-"], [])
        # all hypercalls, or none
        self.assertEqual(len({found[name] for name, gate in gates().items() if gate == "hypercall"}), 1, found)

    def test_tables(self):
        for name, ran, doc in self.each():
            if name == ON_STDOUT:
                continue
            exercises, standing = doc["alive"]["exercises"], {True: "on", False: "off", None: "-"}
            every, left_open = "--all" in RUNS[name], "not-enforced:"
            self.assertEqual(table(ran.out, "FEATURE", "PLANNED", "ALIVE", "WITNESS"),
                             [[e["name"], standing[e["planned"]], e["alive"], e["witness"] +
                               (f"; when off: {e['control']}" if every and e["control"] else "")]
                              for e in exercises if e["kind"] != "behaviour"], name)
            seen = [[e["name"], e["observed"] or e["alive"], e["witness"]] for e in exercises
                    if e["kind"] == "behaviour"]
            self.assertEqual(table(ran.out, "NOT COVERED BY ENFORCEMENT", "DOES", "WITNESS"),
                             [[n[len(left_open):], d, w] for n, d, w in seen if n.startswith(left_open)], name)
            rest = [row for row in seen if not row[0].startswith(left_open)]
            if every:
                self.assertEqual(table(ran.out, "THIS KVM", "DOES", "WITNESS"), rest, name)
            else:
                self.assertNotIn("THIS KVM", ran.out)
                self.assertIn(f"\n{len(rest)} more things that this KVM does, ", ran.out)
            # the rest of verify is as ever
            self.assertRegex(ran.out, r"\n\d+ matched, \d+ runtime, \d+ overridden, \d+ untested, 0 mismatched of \d+\n")

    def test_totals(self):
        """The last line; leaks are in it even if there are none."""
        for name, ran, doc in self.each():
            if name == ON_STDOUT:
                continue
            said = dict(reversed(part.split(" ")) for part in ran.out.splitlines()[-1].split(", "))
            want = {v: str(n) for v, n in doc["alive"]["summary"].items() if n or v == "leaks"}
            self.assertEqual(said, want, str(ran))
        self.assertRegex(alive("host")[0].out, r", 0 leaks\b")

    def test_no_progress_where_nobody_looks(self):
        for _, ran, _ in self.each():
            self.assertEqual(ran.err, "", str(ran))
            self.assertNotRegex(ran.out, r"[\x00-\x09\x0b-\x1f\x7f]")


class Terminal(cli.Test):
    """With a time limit that is much too short: each exercise ends, and what has nothing shown shows nothing."""
    @classmethod
    def setUpClass(cls):
        need_exercises()

    def on_terminal(self, *args):
        """The command, with a terminal for its errors: (what it did, what the terminal got)."""
        ours, theirs = pty.openpty()
        got = []

        def listen():
            while True:
                try:
                    part = os.read(ours, 4096)
                except OSError: # nobody has it open any more
                    return
                if not part:
                    return
                got.append(part)
        listener = threading.Thread(target=listen)
        listener.start()
        try:
            ran = cli.guestcpu(*args, stderr=theirs, timeout=LONG)
        finally:
            os.close(theirs)
            listener.join()
            os.close(ours)
        return ran, b"".join(got).decode("utf-8")

    def test_progress(self):
        ran, shown = self.on_terminal("verify", "--alive", "--json", "--timeout", "1", "-c", "host")
        self.assertIn(ran.code, (0, 3), str(ran))
        doc = ran.json()
        names = [e["name"] for e in doc["alive"]["exercises"]]
        lines = [f"\r{i + 1} of {len(names)}: {name}\033[K" for i, name in enumerate(names)]
        # each over the one before, and nothing left of it
        self.assertEqual(shown, "".join(lines) + "\r\033[K")
        self.assertEqual(doc["alive"]["summary"]["leaks"] + doc["alive"]["summary"]["fails"], 0, str(ran))
        if not schemas.MISSING:
            self.assertEqual(schemas.errors("verify", doc), [])


@unittest.skipIf(X86, "of arm64")
class OnArm64(cli.Test):
    def test_document(self):
        """Nothing leaks and nothing fails; a feature is on or off, the rest is neither."""
        cli.need_kvm()
        doc = self.exits(0, "verify", "--alive", "--json", timeout=LONG).json()
        exercises = {e["name"]: e for e in doc["alive"]["exercises"]}
        self.assertIsNotNone(exercises["trng"]["planned"])
        self.assertIsNone(exercises["psci-version"]["planned"])
        self.assertIsNone(exercises["bitmap-after-run"]["alive"])
        self.assertEqual(doc["alive"]["summary"]["leaks"] + doc["alive"]["summary"]["fails"], 0, exercises)


@unittest.skipUnless(X86, "these features and hosts are x86's")
class OnModel(cli.Test):
    """A software KVM: what it plays works, what it does not is said to be that, and nothing is left open."""
    HOSTS = "x86-amd-rome-6-12", "x86-amd-max-6-12@6.1", "x86-amd-max-6-12@7.2"
    NOT_PLAYED = {"kvm-steal-time", "kvm-pv-tlb-flush", "kvm-poll-control", "kvm-pv-sched-yield", "kvm-asyncpf-int",
                  "kvmclock-stable-bit"}

    def test_features(self):
        for host in self.HOSTS:
            doc = self.exits(0, "verify", "--alive", "--json", "--host", "model:" + host, timeout=LONG).json()
            found = {e["name"]: e for e in doc["alive"]["exercises"]}
            open_ = [e for e in found.values() if e["alive"] == "inconclusive"]
            self.assertEqual(open_, [], host)
            for name in self.NOT_PLAYED:
                self.assertEqual(found[name]["alive"], "untestable", found[name])
                self.assertIn("software KVM", found[name]["witness"])
            for name in "kvmclock1", "kvmclock2", "kvm-pv-ipi", "kvm-pv-eoi", "kvm-pv-unhalt", "tsc-deadline":
                self.assertEqual(found[name]["alive"], "works", found[name])

    def test_without_long_mode(self):
        """The guest that looks cannot run: said, and of what it comes."""
        for args in ("--json",), ():
            ran = self.exits(3, "verify", "-c", "host,-lm", "--host", "model:x86-amd-rome-6-12", *args)
            text = ran.json()["guest_error"] if args else ran.out
            self.assertIn("the plan has no long mode (lm)", text)
            self.assertIn("64-bit", text)


class Usage(cli.Test):
    def test_only_verify_takes_it(self):
        for command in cli.COMMANDS:
            if command != "verify":
                _, error = self.fails(2, "argument", command, "--alive", "--host", cli.a_host("x86"))
                self.assertIn("--alive", error["text"])
        self.fails(2, "argument", "verify", "--alive=yes")

    def test_help(self):
        self.assertRegex(self.exits(0, "verify", "--help").out, r"\n +--alive  +\S")

    def test_another_architecture(self):
        foreign = "arm64" if X86 else "x86"
        self.fails(2, "argument", "verify", "--alive", "--host", cli.a_host(foreign))


if __name__ == "__main__":
    sys.exit(cli.main())

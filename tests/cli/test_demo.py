#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `make demo` shows: on a KVM, and without one, where it must not seem to have proven anything."""
import os
import shlex
import subprocess
import sys

import cli

DEMO = os.path.join(cli.ROOT, "scripts/demo.sh")
TABLE = r"\nFEATURE +PLANNED +ALIVE +WITNESS\n"
X86 = os.uname().machine == "x86_64"


class Demo(cli.Test):
    def demo(self, **instead):
        """The script with a command that does something else for some of its verbs."""
        place = os.path.join(cli.scratch(), self._testMethodName)
        os.makedirs(place)
        path = os.path.join(place, "guestcpu")
        cases = [f"'{verb.replace('_', ' -' if verb == 'probe_o' else ' --')} '*) {what} ;;" for verb, what in instead.items()]
        real = f'exec {shlex.quote(cli.TOOL)} "$@"'
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(["#!/bin/sh", 'case "$*" in', *cases, f"*) {real} ;;", "esac", ""]).replace("REAL", real))
        os.chmod(path, 0o755)
        ran = subprocess.run([DEMO, place], capture_output=True, text=True, timeout=240, check=False)
        text = ran.stdout + ran.stderr
        self.assertEqual("software KVM" in text, not ran.stdout.startswith("snapshot"), text)
        return ran.returncode, text

    def test_without_kvm(self):
        """All of it on a software KVM, and that is said before anything else."""
        code, text = self.demo(**{"probe_o": "REAL --kvm /nosuch/kvm"})
        self.assertEqual(code, 0, text)
        first = text.split("snapshot of the model:")[0].replace("\n", " ")
        for what in ("no usable KVM here", "on a software KVM", "not what a CPU did", "No guest code has run"):
            self.assertIn(what, first)
        self.assertIn("0 mismatched", text)
        self.assertRegex(text, TABLE)

    def test_with_kvm(self):
        """With a time limit that is much too short: the same is shown, and what comes of it others test."""
        cli.need_kvm()
        code, text = self.demo(verify_alive="REAL --timeout 1")
        self.assertIn(code, (0, 3), text)
        shown = text.split("what happens when guests use it?\n")[1]
        if X86:
            self.assertRegex("\n" + shown, TABLE)
            self.assertRegex(shown, r"\nkvm-pv-eoi +off +(?:refused-as-planned|inconclusive) ")
            self.assertRegex(shown, r"\n\n(?:\d+ [a-z-]+, )*0 leaks(?:, \d+ [a-z-]+)*\n$")
            # that table and no other
            self.assertEqual(shown.count("\n\n"), 1, shown)
            self.assertNotIn("THIS KVM", shown)
        else:
            self.assertRegex("\n" + shown, TABLE)
            self.assertRegex(shown, r"\n\n(?:\d+ [a-z-]+, )*0 leaks(?:, \d+ [a-z-]+)*\n$")

    def test_exit_status_where_something_leaks(self):
        cli.need_kvm()
        code, text = self.demo(verify_alive="echo 1 leaks; exit 1")
        self.assertEqual(code, 1, text)
        self.assertTrue(text.endswith("1 leaks\n"), text)

    def test_exit_status_where_something_is_mismatched(self):
        """What comes later does not hide it."""
        cli.need_kvm()
        code, text = self.demo(verify_alive="echo 0 leaks", verify="echo mismatched; exit 1")
        self.assertEqual(code, 1, text)
        self.assertTrue(text.endswith("0 leaks\n"), text)


if __name__ == "__main__":
    sys.exit(cli.main())

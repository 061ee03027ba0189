#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The programs of examples/, as this build made them; test_install.py builds them as a user does."""
import os
import shutil
import subprocess
import sys

import cli
import examples

WHERE = os.path.join(cli.ROOT, "examples")
# The programs are documentation: one that does not fit on a screen or two is none.
LINES_MOST = 149


class Examples(cli.Test):
    def test_plan(self):
        examples.check_plan(self, os.environ["EXAMPLE_PLAN"])

    def test_vmm_test(self):
        """A VMM's own test on the software KVM; needs no KVM."""
        done = examples.run(os.environ["EXAMPLE_VMM_TEST"])
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        self.assertEqual(done.stdout.count(": ok\n"), 3)

    def test_against_the_build(self):
        """With nothing installed, as README.md says: flags of the build's own pkg-config file."""
        if not shutil.which("pkg-config"):
            cli.skip("cli: examples: no pkg-config")
        build = os.path.dirname(os.path.dirname(os.path.abspath(os.environ["EXAMPLE_VMM_TEST"])))
        if not os.path.exists(os.path.join(build, "src/libguestcpu.so")):
            cli.skip("cli: examples: this build has no shared library")
        env = dict(os.environ, PKG_CONFIG_PATH=os.path.join(build, "meson-uninstalled"), LD_LIBRARY_PATH=os.path.join(build, "src"))
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", "guestcpu"], env=env, capture_output=True, text=True, check=True)
        built = os.path.join(cli.scratch(), "vmm_test")
        # who links a library with sanitizers has them, too
        flags.stdout += os.environ.get("GUESTCPU_SANITIZED", "")
        subprocess.run(["cc", "-Wall", "-Wextra", "-Werror", os.path.join(WHERE, "vmm_test.c"), "-o", built, *flags.stdout.split()],
                       env=env, check=True)
        done = subprocess.run([built], env=env, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout.count(": ok\n")), (0, 3), done.stderr)
        with open(os.path.join(cli.ROOT, "README.md"), encoding="utf-8") as f:
            self.assertIn("meson devenv -C build ", f.read())

    def test_vmm(self):
        examples.check_vmm(self, os.environ["EXAMPLE_VMM"])

    def test_vmm_refuses(self):
        cli.need_kvm()
        # no CPU that runs this has it: AMD dropped it in 2011
        done = examples.run(os.environ["EXAMPLE_VMM"], "host,enforce,+3dnow")
        self.assertEqual(done.returncode, 1)
        self.assertIn("error: enforce", done.stdout)
        self.assertIn("refused", done.stderr)
        for number in ("0", "17", "many"):
            done = examples.run(os.environ["EXAMPLE_VMM"], "host", number)
            self.assertEqual((done.returncode, done.stdout), (1, ""))

    def test_vmm_for_arm64(self):
        """What can be said of it without an arm64 machine: it compiles. tests/kernels runs it."""
        if not shutil.which("aarch64-linux-gnu-gcc"):
            cli.skip("cli: examples: no aarch64-linux-gnu-gcc")
        built = os.path.join(os.path.dirname(os.path.dirname(os.environ["EXAMPLE_VMM"])), "include")
        done = subprocess.run(["aarch64-linux-gnu-gcc", "-fsyntax-only", "-Wall", "-Wextra", "-Werror",
                               "-I" + os.path.join(cli.ROOT, "include"), "-I" + built,
                               os.path.join(WHERE, "vmm.c")], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_like_documentation(self):
        for name in sorted(os.listdir(WHERE)):
            if not name.endswith((".c", ".h")):
                continue
            with open(os.path.join(WHERE, name), encoding="utf-8") as f:
                lines = f.read().splitlines()
            self.assertLessEqual(len(lines), LINES_MOST, name)
            ours = [line for line in lines if line.startswith("#include <guestcpu/")]
            self.assertEqual(ours, ["#include <guestcpu/guestcpu.h>"] if name.endswith(".c") else [], name)


if __name__ == "__main__":
    sys.exit(cli.main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make deps` for a user who is not root: the command to run, the reason, exit 3, nothing done."""
import os
import re
import shutil
import subprocess
import sys

import cli

RUN = ["sh", "id", "find", "sed", "head", "apt-cache", "pkg-config", "clang", "make", "cat", "dpkg-query"]


class Deps(cli.Test):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() == 0 and not shutil.which("setpriv"):
            cli.skip("cli: deps: needs setpriv to be somebody else than root")
        cls.nobody = [shutil.which("setpriv"), "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        # a place that nobody can read, with a PATH in which only what we say is missing
        cls.place = os.path.join(cli.scratch(), "deps")
        cls.bin = os.path.join(cls.place, "bin")
        os.makedirs(cls.bin)
        os.makedirs(os.path.join(cls.place, "scripts"))
        os.chmod(cli.scratch(), 0o755)
        for name in ("Makefile", "scripts/deps.sh"):
            shutil.copy(os.path.join(cli.ROOT, name), os.path.join(cls.place, name))
        with open(os.path.join(cls.place, "scripts/deps.sh"), encoding="utf-8") as f:
            rows = re.findall(r'^(?:build|check)="([^"]*)"', f.read(), re.M)
        cls.wanted = [row.split(":")[0] for row in " ".join(rows).split() if "/" not in row.split(":")[0]]
        assert "mandoc" in cls.wanted and "ninja" in cls.wanted
        for name in set(cls.wanted) - {"clangrt"} | {"apt-get"}:
            path = os.path.join(cls.bin, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(f"#!/bin/sh\necho called >&2\n[ {name} != apt-get ]\n")
            os.chmod(path, 0o755)
        for name in RUN:
            real = shutil.which(name, path="/usr/bin:/bin:/usr/local/bin")
            if real:
                if os.path.lexists(os.path.join(cls.bin, name)):
                    os.unlink(os.path.join(cls.bin, name))
                os.symlink(real, os.path.join(cls.bin, name))

    def run_as_nobody(self, *args):
        env = {"PATH": self.bin, "HOME": "/nonexistent"}
        return subprocess.run([*self.nobody, *args], cwd=self.place, env=env, capture_output=True,
                              text=True, timeout=60, check=False)

    def without(self, *names):
        for name in names:
            os.rename(os.path.join(self.bin, name), os.path.join(self.place, name))
            self.addCleanup(os.rename, os.path.join(self.place, name), os.path.join(self.bin, name))

    def really_missing(self):
        """What this machine lacks besides what the test takes away."""
        done = self.run_as_nobody("sh", "scripts/deps.sh", "build", "check")
        m = re.search(r"needed and not installed: (.*)", done.stderr)
        return m.group(1).split() if m else []

    def test_nothing_missing(self):
        if self.really_missing():
            cli.skip(f"cli: deps: this machine lacks {' '.join(self.really_missing())}")
        done = self.run_as_nobody("sh", "scripts/deps.sh", "build", "check")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_missing(self):
        others = self.really_missing()
        self.without("mandoc", "ninja")
        done = self.run_as_nobody("sh", "scripts/deps.sh", "build", "check")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertNotIn("called", done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(set(lines[0].split("installed: ")[1].split()), {"mandoc", "ninja-build", *others})
        self.assertIn("not root", lines[1])
        self.assertRegex(lines[2], r"^  sudo apt-get update && sudo apt-get install --no-install-recommends .*mandoc")
        self.assertEqual(len(lines), 3)

    def test_only_the_set_that_was_asked_for(self):
        if not shutil.which("pkg-config", path="/usr/bin:/bin"):
            cli.skip("cli: deps: no pkg-config")
        self.without("mandoc")
        done = self.run_as_nobody("sh", "scripts/deps.sh", "build")
        self.assertEqual(done.returncode, 0, done.stderr)
        done = self.run_as_nobody("sh", "scripts/deps.sh", "nosuch")
        self.assertEqual(done.returncode, 2)

    def test_packages(self):
        """What has no program of its own is asked of dpkg; without dpkg there are no packages to build."""
        path = os.path.join(self.bin, "dpkg-query")
        real = os.readlink(path) if os.path.lexists(path) else None
        if real:
            os.unlink(path)
            self.addCleanup(lambda: (os.unlink(path), os.symlink(real, path)))
        else:
            self.addCleanup(os.unlink, path)
        for known, missing in (("debhelper", {"build-essential"}), ("build-essential", {"debhelper"}), ("", None)):
            with open(path, "w", encoding="utf-8") as f:
                f.write(f'#!/bin/sh\ncase "$*" in *" {known or "-"}") printf installed ;; *) exit 1 ;; esac\n')
            os.chmod(path, 0o755)
            done = self.run_as_nobody("sh", "scripts/deps.sh", "deb")
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertEqual(set(done.stderr.splitlines()[0].split("installed: ")[1].split()),
                             missing or {"debhelper", "build-essential"})
        os.chmod(path, 0o644)
        done = self.run_as_nobody("sh", "scripts/deps.sh", "deb")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_make(self):
        self.without("mandoc")
        done = self.run_as_nobody("make", "deps")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("sudo apt-get", done.stderr)
        self.assertIn("Error 3", done.stderr)

    def test_no_apt(self):
        self.without("mandoc", "apt-get")
        done = self.run_as_nobody("sh", "scripts/deps.sh", "check")
        self.assertEqual(done.returncode, 3)
        self.assertIn("mandoc", done.stderr)
        self.assertIn("no apt-get here", done.stderr)
        self.assertNotIn("sudo", done.stderr)


if __name__ == "__main__":
    sys.exit(cli.main())

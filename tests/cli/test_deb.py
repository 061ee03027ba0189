#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make deb` in a copy of what git knows, and the packages used from where `dpkg -x` puts them."""
import glob
import os
import re
import shutil
import subprocess
import sys

import cli
import examples

PACKAGES = ["guestcpu", "libguestcpu-dev", "libguestcpu0"]


def call(*args, **how):
    done = subprocess.run(args, capture_output=True, text=True, errors="replace", timeout=280, check=False, **how)
    if done.returncode:
        raise AssertionError(f"{' '.join(args)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-3000:]}")
    return done.stdout


def source(*path):
    with open(os.path.join(cli.ROOT, *path), encoding="utf-8") as f:
        return f.read()


def copy_tracked(target):
    """As `git archive` would, with what is changed here and not committed yet."""
    listed = subprocess.run(["git", "-C", cli.ROOT, "ls-files", "-z"], capture_output=True, text=True, check=False)
    if listed.returncode:
        cli.skip("cli: deb: not in a git work tree")
    for name in filter(None, listed.stdout.split("\0")):
        if os.path.exists(os.path.join(cli.ROOT, name)):
            os.makedirs(os.path.dirname(os.path.join(target, name)), exist_ok=True)
            shutil.copy2(os.path.join(cli.ROOT, name), os.path.join(target, name))


class Statements(cli.Test):
    """What debian/ repeats of the rest of the source."""

    def test_version(self):
        project = re.search(r"\bversion: '([^']*)'", source("meson.build")).group(1)
        self.assertEqual(re.match(r"guestcpu \((.*?)\) ", source("debian", "changelog")).group(1), project)
        self.assertEqual(source("debian", "source", "format"), "3.0 (native)\n")

    def test_licence(self):
        """Word for word, as DEP-5 has paragraphs."""
        words = source("LICENSE").split("\n\n", 2)[2].split()
        terms = source("debian", "copyright").split("License: Expat\n")[2]
        self.assertEqual([w for w in terms.split() if w != "."], words)

    def test_build_depends(self):
        """What scripts/deps.sh installs for a build and Debian's builders would not have."""
        rows = {name: {row.rsplit(":", 1)[1] for row in text.split()} for name, text in
                re.findall(r'^(build|check)="([^"]*)"', source("scripts/deps.sh"), re.M)}
        needed = rows["build"]
        needed -= {"gcc", "libc6-dev", "binutils"}      # build-essential
        needed -= {"ninja-build"}                       # of meson
        depends = re.search(r"^Build-Depends: (.*)$", source("debian", "control"), re.M).group(1)
        depends = [d for d in depends.split(", ") if not d.startswith("debhelper-compat ")]
        tests = {re.split(r"[ :]", d)[0] for d in depends if d.endswith(" <!nocheck>")}
        self.assertEqual({re.split(r"[ :]", d)[0] for d in depends} - tests, needed)
        self.assertEqual(tests, {"libjansson-dev"})
        self.assertLessEqual(tests, rows["check"])


class Packages(cli.Test):
    @classmethod
    def setUpClass(cls):
        for tool in ("dpkg-buildpackage", "dh", "make", "pkg-config"):
            if not shutil.which(tool):
                cli.skip(f"cli: deb: no {tool}")
        cls.place = os.path.join(cli.scratch(), "deb")
        cls.root = os.path.join(cls.place, "root")
        copy = os.path.join(cls.place, "guestcpu")
        copy_tracked(copy)
        lacks = subprocess.run(["dpkg-checkbuilddeps"], cwd=copy, capture_output=True, text=True, check=False)
        if lacks.returncode:
            cli.skip(f"cli: deb: {lacks.stderr.strip()}")
        kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
        cls.env = {name: os.environ[name] for name in kept if name in os.environ}
        call("make", "deb", cwd=copy, env={**cls.env, "DEB_BUILD_OPTIONS": "nocheck noddebs parallel=2"})
        cls.debs = {os.path.basename(path).split("_")[0]: path
                    for path in glob.glob(os.path.join(cls.place, "*.deb"))}
        for path in cls.debs.values():
            call("dpkg", "-x", path, cls.root)
        cls.libdir = os.path.dirname(glob.glob(os.path.join(cls.root, "usr/lib/*/libguestcpu.a"))[0])
        cls.use = {**cls.env, "PKG_CONFIG_PATH": os.path.join(cls.libdir, "pkgconfig"),
                   "PKG_CONFIG_SYSROOT_DIR": cls.root}

    def test_files(self):
        """Each file in the package that Debian's policy has it in, and nothing twice."""
        self.assertEqual(sorted(self.debs), PACKAGES)
        version = call(cli.TOOL, "--version").split()[1]
        files = {}
        for name, path in self.debs.items():
            rows = [line.split(None, 5) for line in call("dpkg", "-c", path).splitlines()]
            files[name] = sorted(row[5].split(" -> ")[0][2:] for row in rows if not row[0].startswith("d")
                                 and "/share/doc/" not in row[5])
            self.assertEqual({row[1] for row in rows}, {"root/root"})
            self.assertTrue(os.path.exists(os.path.join(self.root, "usr/share/doc", name, "copyright")))
            self.assertEqual(call("dpkg-deb", "-f", path, "Version").strip(), version)
        lib = os.path.relpath(self.libdir, self.root)
        self.assertEqual(files["libguestcpu0"], [f"{lib}/libguestcpu.so.0", f"{lib}/libguestcpu.so.{version}"])
        headers = [name for name in files["libguestcpu-dev"] if name.startswith("usr/include/guestcpu/")]
        self.assertEqual({os.path.basename(name) for name in headers},
                         {name for name in os.listdir(os.path.join(cli.ROOT, "include/guestcpu"))
                          if name.endswith(".h")} | {"feature.h"})
        self.assertEqual(sorted(set(files["libguestcpu-dev"]) - set(headers)),
                         [f"{lib}/libguestcpu.a", f"{lib}/libguestcpu.so", f"{lib}/pkgconfig/guestcpu.pc",
                          "usr/share/man/man3/libguestcpu.3.gz"])
        self.assertEqual(files["guestcpu"], ["usr/bin/guestcpu", f"{lib}/guestcpu/libguestcpu-sim.so",
                                             "usr/share/bash-completion/completions/guestcpu", "usr/share/man/man1/guestcpu.1.gz"])

    def test_depends(self):
        def depends(package):
            return call("dpkg-deb", "-f", self.debs[package], "Depends").strip()
        version = call("dpkg-deb", "-f", self.debs["libguestcpu0"], "Version").strip()
        self.assertIn(f"libguestcpu0 (= {version})", depends("libguestcpu-dev"))
        self.assertNotIn("libjansson", depends("libguestcpu-dev"))
        for package in "libguestcpu0", "guestcpu":
            self.assertRegex(depends(package), r"^libc6 \([^()]*\)$")

    def test_command(self):
        tool = os.path.join(self.root, "usr/bin/guestcpu")
        self.assertEqual(call(tool, "--version", env=self.env), call(cli.TOOL, "--version"))
        for host in cli.a_host("x86"), cli.a_host("arm64"):
            args = ["plan", "--host", host, "-c", "host", "--json"]
            self.assertEqual(call(tool, *args, env=self.env), call(cli.TOOL, *args))
        # the library that it preloads is found where the package has it
        self.assertIn(os.path.join(os.path.realpath(self.libdir), "guestcpu/libguestcpu-sim.so"),
                      subprocess.run([tool, "trace", "--", "sh", "-c", "echo $LD_PRELOAD >&2"], env=self.env,
                                     capture_output=True, text=True, check=False).stderr)
        if not cli.kvm_missing():
            # the payload was built with a package's flags
            call(tool, "verify", "-c", "host,-kvm-pv-eoi" if os.uname().machine == "x86_64" else "host", env=self.env)

    def test_example(self):
        """As shipped, against what is shipped."""
        flags = [f for f in call("pkg-config", "--cflags", "--libs", "guestcpu", env=self.use).split()
                 if not f.startswith(("-I", "-L")) or os.path.isdir(f[2:])]
        self.assertIn("-I" + os.path.join(self.root, "usr/include"), flags)
        program = os.path.join(self.place, "plan")
        call("cc", "-Wall", "-Wextra", "-Werror", os.path.join(self.root, "usr/share/doc/libguestcpu-dev/examples/plan.c"),
             "-o", program, *flags)
        examples.check_plan(self, program, {**self.env, "LD_LIBRARY_PATH": self.libdir})


if __name__ == "__main__":
    sys.exit(cli.main())

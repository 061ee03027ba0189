# SPDX-License-Identifier: MIT
"""What the tests of the command share: running it, and reasons to skip.

The command is $GUESTCPU, else build/guestcpu.
"""
import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TOOL = os.path.abspath(os.environ.get("GUESTCPU", os.path.join(ROOT, "build/guestcpu")))
COMMANDS = ["probe", "features", "plan", "explain", "verify", "conform", "trace", "sim"]
ERROR_KEYS = ["code", "text", "expected", "offset", "length", "line", "errno", "near"]


class Ran:
    def __init__(self, args, done):
        self.args_text = " ".join(a if len(a) < 80 else a[:60] + "..." for a in map(str, args))
        self.code = done.returncode
        self.raw = done.stdout
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = (done.stderr or b"").decode("utf-8", "replace")

    def json(self):
        return json.loads(self.raw.decode("utf-8"))

    def __str__(self):
        return f"guestcpu {self.args_text}: exit {self.code}\n{self.out[:2000]}{self.err[:2000]}"


def guestcpu(*args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=None, wrapper=(), stdin=None, timeout=60):
    done = subprocess.run([*wrapper, TOOL, *args], stdout=stdout, stderr=stderr, cwd=cwd,
                          input=stdin, timeout=timeout)
    if done.stdout is None:
        done.stdout = b""
    return Ran(args, done)


def skip(text):
    """Say so on a line that the runner collects."""
    print(f"SKIP: {text}", flush=True)
    raise unittest.SkipTest(text)


_kvm = None


def kvm_missing():
    """Why the KVM of this machine cannot be used, or None."""
    global _kvm
    if _kvm is None:
        ran = guestcpu("probe", "--no-trial", "--json")
        _kvm = "" if ran.code == 0 else ran.json()["error"]["text"]
    return _kvm or None


def need_kvm():
    if kvm_missing():
        skip(f"cli: no usable KVM here: {kvm_missing()}")


def bundled():
    return guestcpu("features", "--hosts").out.split()


def hosts():
    """(name, --host value, arch) of every host there is to plan for: bundled snapshots,
    made-up ones of the case tests, and this machine's KVM."""
    found = [(name, name) for name in bundled()]
    found += [(os.path.basename(path), path)
              for path in sorted(glob.glob(os.path.join(ROOT, "tests/cases/hosts/*.json")))]
    if not kvm_missing():
        path = os.path.join(scratch(), "this-machine.json")
        if not os.path.exists(path):
            guestcpu("probe", "-o", path)
        found.append(("this machine", path))
    out = []
    for name, value in found:
        ran = guestcpu("plan", "--host", value, "--json")
        if ran.code > 1 and "/cases/" in value:
            continue # made-up ones are the business of the case tests
        if ran.code > 1:
            raise AssertionError(str(ran))
        out.append((name, value, ran.json()["arch"]))
    return out


_scratch = None


def scratch():
    global _scratch
    if _scratch is None:
        _scratch = tempfile.TemporaryDirectory(prefix="guestcpu-cli-")
    return _scratch.name


def a_host(arch):
    """One host of an architecture; bundled if possible."""
    for name, value, of in hosts():
        if of == arch:
            return value
    skip(f"cli: no snapshot of an {arch} host")


class Test(unittest.TestCase):
    maxDiff = None

    def exits(self, code, *args, **how):
        ran = guestcpu(*args, **how)
        self.assertEqual(ran.code, code, str(ran))
        return ran

    def fails(self, code, name, *args, **how):
        """Fails with exit CODE and error NAME, as text on stderr and as JSON on stdout."""
        plain = self.exits(code, *args, **how)
        self.assertEqual(plain.out, "", str(plain))
        self.assertTrue(plain.err.startswith("guestcpu"), str(plain))
        self.assertTrue(all(c.isprintable() or c == "\n" for c in plain.err), repr(plain.err))
        ran = self.exits(code, *args, "--json", **how)
        self.assertEqual(ran.err, "", str(ran))
        doc = ran.json()
        self.assertEqual(list(doc), ["schema", "version", "error"])
        self.assertEqual((doc["schema"], doc["version"]), ("guestcpu.error", 1))
        self.assertEqual(list(doc["error"]), ERROR_KEYS)
        self.assertEqual(doc["error"]["code"], name, str(ran))
        self.assertTrue(doc["error"]["text"])
        return plain, doc["error"]


def main():
    if not os.access(TOOL, os.X_OK):
        sys.exit(f"no command at {TOOL}: set GUESTCPU")
    ran = unittest.main(exit=False, verbosity=1).result
    if ran.wasSuccessful() and ran.testsRun and len(ran.skipped) == ran.testsRun:
        sys.exit(77)
    sys.exit(not ran.wasSuccessful())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds with sanitizers and runs the tests that need no KVM: run.py SOURCE BUILD CC...

The build stays in BUILD, so the next run compiles what changed. Exit 77 says why not.
"""
import json
import os
import shlex
import subprocess
import sys
import tempfile

SUITES = ["unit", "cases", "cli"]
# These build the project again and run none of its code in a new way.
LEFT_OUT = ["cli-install", "cli-deb",
            # a library with a sanitizer cannot be preloaded into a program without
            "cli-sim", "cli-sim-qemu", "cli-trace"]
FLAGS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


def skip(why):
    print(f"SKIP: sanitized: {why}")
    sys.exit(77)


def compiler_can(cc):
    """A program with a sanitizer must link, and start, here."""
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "a.out")
        source = os.path.join(folder, "a.c")
        with open(source, "w", encoding="ascii") as f:
            f.write("int main(void)\n{\n\treturn 0;\n}\n")
        ran = subprocess.run([*cc, *FLAGS, source, "-o", out], capture_output=True, text=True)
        if ran.returncode:
            return ran.stderr.strip().split("\n")[-1] or "it does not link"
        ran = subprocess.run([out], capture_output=True, text=True)
        return None if ran.returncode == 0 else f"a sanitized program ends with {ran.returncode}"


def run(args, env, what):
    ran = subprocess.run(args, env=env, stdin=subprocess.DEVNULL)
    if ran.returncode:
        print(f"sanitized: {what} failed")
        sys.exit(1)


def chosen(build, env):
    ran = subprocess.run(["meson", "introspect", "--tests", build], env=env, capture_output=True, text=True, check=True)
    return sorted({t["name"] for t in json.loads(ran.stdout)
                   if t["name"] not in LEFT_OUT and any(s.split(":")[-1] in SUITES for s in t["suite"])})


def main(source, build, *cc):
    if os.environ.get("GUESTCPU_SANITIZED"):
        skip("this is the inner build")
    why = compiler_can(cc)
    if why:
        skip(f"{' '.join(cc)} has no sanitizers: {why}")
    env = dict(os.environ, GUESTCPU_SANITIZED=" ".join(FLAGS), CC=shlex.join(cc),
               ASAN_OPTIONS="detect_leaks=1:abort_on_error=1:detect_stack_use_after_return=1",
               UBSAN_OPTIONS="halt_on_error=1:abort_on_error=1:print_stacktrace=1")
    # what the outer run says about itself is not for the inner one
    for name in [n for n in env if n.startswith(("MESON_", "MALLOC_PERTURB_", "NINJA_"))]:
        del env[name]
    if not os.path.exists(os.path.join(build, "build.ninja")):
        # -O1: the fastest to build and run, with traces that can be read
        run(["meson", "setup", build, source, "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Doptimization=1",
             "-Dc_args=-fno-sanitize-recover=all"], env, "meson setup")
    run(["meson", "compile", "-C", build], env, "the build")
    names = chosen(build, env)
    if not names:
        skip("there is no test in " + " ".join(SUITES))
    args = ["meson", "test", "-C", build, "--no-rebuild", "--print-errorlogs", "--timeout-multiplier", "3", *names]
    ran = subprocess.run(args, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    print(ran.stdout)
    print(ran.stderr, file=sys.stderr)
    if ran.returncode:
        sys.exit(1)


main(*sys.argv[1:])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Static guestcpu commands, built on demand.

    static.py --arch x86|arm64 --build DIR      prints the path of the command

The source is the tree that this file is in; DIR/<arch> is a Meson build
directory, kept and brought up to date.  Exit 3 with a reason on stderr when a
compiler, Meson or a library cannot be had; exit 1 when the build fails.
"""

import argparse
import fcntl
import os
import platform
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from aptstate import CannotBeHad  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(HERE))
MACHINE = {"x86_64": "x86", "aarch64": "arm64"}


class BuildFailed(Exception):
    """The compiler is there and does not like the source: a verdict."""


def options(arch):
    """What Meson is told for a static command of this architecture."""
    if MACHINE.get(platform.machine()) == arch:
        if not (shutil.which("cc") or shutil.which("gcc")):
            raise CannotBeHad("no C compiler")
        return ["-Ddefault_library=static", "-Dprefer_static=true", "-Dc_link_args=-static"]
    if arch != "arm64":
        raise CannotBeHad(f"no cross compiler for {arch}")
    if not shutil.which("aarch64-linux-gnu-gcc"):
        raise CannotBeHad("no aarch64-linux-gnu-gcc (gcc-aarch64-linux-gnu)")
    return ["--cross-file", os.path.join(HERE, "cross-arm64.ini")]


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace", check=False)
    if done.returncode:
        raise BuildFailed(f"{' '.join(command)}\n{done.stdout[-4000:]}")


def read(path):
    try:
        with open(path, encoding="utf-8") as f:
            return f.read()
    except OSError:
        return None


def build(arch, folder):
    """The path of DIR/<arch>/guestcpu, up to date; examples/example-vmm is below it."""
    for tool in ("meson", "ninja"):
        if not shutil.which(tool):
            raise CannotBeHad(f"no {tool}")
    told = options(arch)
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, arch)
    with open(target + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        setup = ["meson", "setup", target, SOURCE, "-Dtests=false", "-Dstatic=disabled", *told]
        # one that was set up by an older version of this file would link otherwise
        if not os.path.exists(os.path.join(target, "build.ninja")) or read(target + ".setup") != repr(setup):
            shutil.rmtree(target, ignore_errors=True)
            run(setup)
            with open(target + ".setup", "w", encoding="utf-8") as f:
                f.write(repr(setup))
        run(["ninja", "-C", target, "guestcpu", "examples/example-vmm", "tests/controls/controls", "tests/differ/differ",
             "tests/idregs/idregs" if arch == "arm64" else "tests/walk/walk_x86"])
    return os.path.join(target, "guestcpu")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--arch", choices=("x86", "arm64"), required=True)
    parser.add_argument("--build", required=True, help="where the build directories are")
    arguments = parser.parse_args()
    try:
        print(build(arguments.arch, arguments.build))
    except BuildFailed as error:
        print(f"static: {error}", file=sys.stderr)
        return 1
    except (CannotBeHad, OSError) as error:
        print(f"static: cannot be had: {error}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())

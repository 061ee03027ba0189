#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may talk to the kernel, and who may know which architecture it is:
ioctl.py SOURCE BUILD libguestcpu.a libgcpu_run.a"""
import glob
import os
import re
import sys

from common import finish, our_files, read, symbols, without_comments

# Direct ways into the kernel, and the only objects that may use them. What the throw-away VMM in
# src/run does, it does through the seam, as the library; but what withholds pages of the guest's memory has
# to be had by a system call that libc does not know. The command asks a terminal for its width. The preloaded
# library has taken stat and its kin from libc, and asks past itself.
DOORS = {"ioctl": ["kvm_real.c.o", "tools_term.c.o"], "syscall": ["kvm_real.c.o", "kvm_cpuid_x86.c.o", "run_withhold.c.o", "sim_signals.c.o",
                                                                "sim_path.c.o"],
         "prctl": ["sim_launch.c.o"], "arch_prctl": []}

# The core does not ask which architecture it is on. Each word of one that it says has a reason here.
ARCH_ALLOWED = {
    ("src/core/arch.c", "gcpu_arch_x86 gcpu_arch_arm64"): "the table that finds an architecture by its number",
    ("src/core/plan.h", "gcpu_arch_x86 gcpu_arch_arm64"): "declares the two",
    ("src/core/facts.h", "gcpu_facts_x86 gcpu_facts_arm64"): "declares their facts",
    ("src/core/snapshot.c", "GCPU_ARCH_X86 GCPU_ARCH_ARM64 x86 arm64"): "the table of their names",
    ("src/core/rules.c", "CAP_X86_DISABLE_EXITS"): "KVM's name of a capability; one that is absent reads as 0",
}
ARCH_WORDS = re.compile(r"\b(?:\w+_)?(?:x86|arm64|X86|ARM64)(?:_\w+)?\b")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
# folder, what it must not include, why
INCLUDES = [
    ("tools/", re.compile(r"kvm/|abi|linux/|asm/"), "a command asks the library, not KVM"),
    ("src/core/", re.compile(r"(?:sys|linux|asm|kvm|formats|run)/|unistd\.h|fcntl\.h"), "the core is pure"),
    ("src/arch/", re.compile(r"(?:sys|linux|asm|formats|run)/|unistd\.h|fcntl\.h"), "the core is pure"),
    ("src/formats/", re.compile(r"(?:sys|linux|asm|kvm|run)/"), "documents know nothing of KVM"),
]
INCLUDES_ALLOWED = {
    ("tools/common.c", "kvm/abi.h"): "KVM_GET_API_VERSION tells /dev/kvm from another device, before the library is asked",
}


def doors(objects):
    problems = []
    for path in objects:
        for where, kind, name in symbols(path, "-u"):
            if name in DOORS and not where.endswith(tuple(DOORS[name])):
                problems.append(f"{where}: calls {name}")
    return problems


def arch_questions(source, name, allowed, used):
    problems = []
    text = without_comments(read(os.path.join(source, name)), strings=True)
    for i, line in enumerate(text.split("\n"), 1):
        for word in ARCH_WORDS.findall(line):
            used.add((name, word))
            if (name, word) not in allowed:
                problems.append(f"{name}:{i}: the core says {word}: {line.strip()}")
    return problems


def main(source, build, *archives):
    problems, looked, used = [], 0, set()
    allowed = {(name, word) for name, words in ARCH_ALLOWED for word in words.split()}
    objects = list(archives)
    for program in "guestcpu", "libguestcpu-sim.so":
        objects += glob.glob(os.path.join(build, program + ".p", "*.o"))
    problems += doors(objects)
    for name in our_files(source):
        if not name.endswith((".c", ".h")):
            continue
        for folder, banned, why in INCLUDES:
            if not name.startswith(folder):
                continue
            looked += 1
            for m in INCLUDE.finditer(read(os.path.join(source, name))):
                if (name, m.group(1)) in INCLUDES_ALLOWED:
                    used.add((name, m.group(1)))
                elif banned.search(m.group(1)):
                    problems.append(f"{name}: includes {m.group(1)}: {why}")
        if name.startswith("src/core/"):
            problems += arch_questions(source, name, allowed, used)
    problems += [f"{name}: {word}: allowed and not there any more" for name, word in sorted((allowed | set(INCLUDES_ALLOWED)) - used)]
    finish("ioctl", problems, looked)


main(*sys.argv[1:])

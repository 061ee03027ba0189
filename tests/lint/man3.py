#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""libguestcpu(3) says what the headers and the symbol map say: man3.py SOURCE BUILD COMPILER..."""
import glob
import os
import re
import subprocess
import sys

from common import finish, read, without_comments

PAGE = "man/libguestcpu.3"

# What stands before the fragments of the page, as a reader has it in mind.
FIRST = "#include <err.h>\n#include <stdio.h>\n#include <guestcpu/guestcpu.h>\nint main(void)\n{\n"
SECOND = ("#include <err.h>\n#include <linux/kvm.h>\n#include <sys/ioctl.h>\n#include <guestcpu/guestcpu.h>\n"
          "int give(int kvm_fd, int *vcpus, struct gcpu_request *request);\n"
          "int give(int kvm_fd, int *vcpus, struct gcpu_request *request)\n{\n"
          "struct gcpu_snapshot *host;\nstruct gcpu_plan *plan;\nstruct gcpu_error err;\n")


def prototypes(text):
    """{function: names of its parameters}"""
    out = {}
    for m in re.finditer(r"^[a-z][\w *]*?\b(gcpu_\w+)\(", text, re.M):
        if m.group(0).startswith("typedef"):
            continue
        depth, begin, names = 1, m.end(), []
        for i in range(m.end(), len(text)):
            depth += {"(": 1, ")": -1}.get(text[i], 0)
            if depth == 0 or (depth == 1 and text[i] == ","):
                one = text[begin:i]
                pointer = re.search(r"\(\*(\w+)\)", one)
                names.append(pointer.group(1) if pointer else re.findall(r"\w+", re.sub(r"\[\d*\]", "", one))[-1])
                begin = i + 1
            if depth == 0:
                break
        out[m.group(1)] = names
    return out


def sections(page):
    parts = re.split(r"^\.Sh (.*)\n", page, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def same(problems, what, expected, found):
    problems += [f"{PAGE}: {what}: {name} is missing" for name in sorted(set(expected) - set(found))]
    problems += [f"{PAGE}: {what}: there is no {name}" for name in sorted(set(found) - set(expected))]
    problems += [f"{PAGE}: {what}: {name} twice" for name in sorted({n for n in found if list(found).count(n) > 1})]


def check_functions(problems, text, known, listed):
    items = re.findall(r"^\.It Fn (\w+) (.*)\n(.*)", text, re.M)
    if len(items) != len(re.findall(r"^\.It", text, re.M)):
        problems.append(f"{PAGE}: FUNCTIONS: an item without a name and arguments")
    same(problems, "FUNCTIONS", listed, [name for name, _, _ in items])
    same(problems, "headers", listed, known)
    for name, arguments, line in items:
        if known.get(name, arguments.split()) != arguments.split():
            problems.append(f"{PAGE}: {name} takes {' '.join(known[name])}, not {arguments}")
        if line.startswith((".It", ".El")):
            problems.append(f"{PAGE}: nothing is said of {name}")


def structures(headers):
    """{name: its members} of what callbacks are given, and of errors."""
    wanted = {"gcpu_error", *re.findall(r"\(\*visit\)\(void \*ctx, const struct (\w+) \*\)", headers)}
    out = {}
    for name, body in re.findall(r"^struct (\w+) \{\n([\s\S]*?)^\};", headers, re.M):
        if name not in wanted:
            continue
        flat = re.sub(r"\{[^{}]*\}", "", body) # what is nested is one member
        out[name] = [m for line in flat.split(";") for m in re.findall(r"(\w+)(?:\[\w+\])*\s*(?:,|$)", line.strip())]
    return out


def check_structures(problems, text, headers):
    known = structures(headers)
    items = re.findall(r"^\.It Vt struct (\w+)\n((?:\.Fa \w+ [,:]\n)+)", text, re.M)
    same(problems, "STRUCTURES", known, [name for name, _ in items])
    for name, members in items:
        found = re.findall(r"^\.Fa (\w+)", members, re.M)
        if name in known and found != known[name]:
            problems.append(f"{PAGE}: struct {name} has {' '.join(known[name])}, not {' '.join(found)}")


def check_fragment(problems, compiler, includes, what, text):
    ran = subprocess.run([*compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", *includes, "-xc", "-"],
                         input=text, text=True, capture_output=True, check=False)
    if ran.returncode:
        problems.append(f"{PAGE}: the {what} fragment does not compile:\n{ran.stderr}")


def main(source, build, *compiler):
    problems = []
    page = read(os.path.join(source, PAGE))
    part = sections(page)
    headers = "\n".join(without_comments(read(path)) for folder in (source, build)
                        for path in sorted(glob.glob(os.path.join(folder, "include/guestcpu/*.h"))))
    listed = re.findall(r"^\t(\w+);", read(os.path.join(source, "src/guestcpu.map")), re.M)
    check_functions(problems, part["FUNCTIONS"], prototypes(headers), listed)
    same(problems, "ERRORS", re.findall(r"\b(GCPU_ERR_\w+) = -", headers),
         re.findall(r"^\.It Bq Dv (\w+)$", part["ERRORS"], re.M))
    same(problems, "PHASES", re.findall(r"\b(GCPU_PHASE_\w+) = ", headers),
         re.findall(r"^\.It Dv (\w+)$", part["PHASES"], re.M))
    check_structures(problems, part["STRUCTURES"], headers)
    same(problems, "STABILITY", re.findall(r"^struct (\w+) \{\n\tsize_t size;", headers, re.M),
         re.findall(r"^\.Vt struct (\w+)", part["STABILITY"], re.M))
    words = set(re.findall(r"\b(?:gcpu|GCPU)_\w*[A-Za-z0-9]\b(?!_?\*)", page))
    problems += [f"{PAGE}: nothing is called {word}" for word in sorted(words)
                 if not re.search(rf"\b{word}\b", headers)]
    fragments = [text.replace(r"\en", r"\n") for text in re.findall(r"^\.Bd .*\n([\s\S]*?)^\.Ed", page, re.M)]
    includes = ["-I" + os.path.join(source, "include"), "-I" + os.path.join(build, "include")]
    if len(fragments) != 2:
        problems.append(f"{PAGE}: {len(fragments)} fragments of code, not the two that are tried")
    else:
        check_fragment(problems, compiler, includes, "first", FIRST + fragments[0] + "}\n")
        check_fragment(problems, compiler, includes, "second", SECOND + fragments[1] + "return 0;\n}\n")
    finish("man3", problems, len(listed))


main(*sys.argv[1:])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Declared, listed, exported and packaged are the same functions: exports.py SOURCE libguestcpu.so"""
import glob
import os
import re
import sys

from common import finish, read, symbols, without_comments

DECLARED = re.compile(r"^(?!typedef\b)[A-Za-z_][\w\s]*?[\s*](gcpu_\w+)\s*\(", re.M)


def declarations(path):
    """(name, line) of the functions that a header declares."""
    text = without_comments(read(path))
    out, depth = [], 0
    for i, line in enumerate(text.split("\n"), 1):
        m = DECLARED.match(line) if depth == 0 else None
        if m:
            out.append((m.group(1), i))
        if 'extern "C"' not in line and not re.match(r'\s*extern\s+ *\{', line):
            depth = max(0, depth + line.count("{") - line.count("}"))
    return out


def has_comment(lines, at):
    """A comment stands above, with nothing but other functions of its group between."""
    i = at - 2
    while i >= 0 and lines[i].strip() and "*/" not in lines[i]:
        if re.match(r"[}#]", lines[i]) or lines[i].startswith("struct ") and lines[i].endswith(";"):
            return False
        i -= 1
    return i >= 0 and lines[i].rstrip().endswith("*/") and not re.match(r"\s*[\w#}]", lines[i])


def versions(text):
    """{NAME: [functions]} of a symbol map."""
    text = re.sub(r"#.*", "", text)
    return {m.group(1): re.findall(r"^\t(\w+);", m.group(2).split("local:")[0], re.M)
            for m in re.finditer(r"^([\w.]+) \{([^}]*)\}", text, re.M)}


def packaged(source):
    """debian/libguestcpu0.symbols repeats the map, with the release in which each name came."""
    path = "debian/libguestcpu0.symbols"
    rows = [line for line in read(os.path.join(source, path)).split("\n") if line and line[0] not in "#*"]
    maps = versions(read(os.path.join(source, "src/guestcpu.map")))
    wanted = {f" {name}@{version} {version.rsplit('_')[-1]}.0" for version, names in maps.items()
              for name in [version, *names]}
    problems = [f"{path}: '{row.strip()}' is not in src/guestcpu.map" for row in rows[1:] if row not in wanted]
    problems += [f"{path}: lacks '{row.strip()}'" for row in sorted(wanted - set(rows))]
    problems += [f"{path}: '{row.strip()}' twice" for row in sorted(set(rows)) if rows.count(row) > 1]
    if not rows or not rows[0].startswith("libguestcpu.so.0 libguestcpu0 "):
        problems.append(f"{path}: not of libguestcpu.so.0")
    return problems


def main(source, library):
    problems = []
    declared = {}
    for path in sorted(glob.glob(os.path.join(source, "include/guestcpu/*.h"))):
        lines = read(path).split("\n")
        for name, line in declarations(path):
            where = f"{os.path.relpath(path, source)}:{line}"
            if name in declared:
                problems.append(f"{where}: {name} is declared at {declared[name]} already")
            declared[name] = where
            if not has_comment(lines, line):
                problems.append(f"{where}: {name} has no comment above it")
    names = re.findall(r"^\t(\w+);", read(os.path.join(source, "src/guestcpu.map")), re.M)
    for name in sorted({n for n in names if names.count(n) > 1}):
        problems.append(f"src/guestcpu.map: {name} twice")
    exported = {n.split("@")[0] for _, kind, n in symbols(library, "-D", "--defined-only") if kind != "A"}
    for name in sorted(set(declared) - set(names)):
        problems.append(f"{declared[name]}: {name} is not in src/guestcpu.map")
    for name in sorted(set(names) - set(declared)):
        problems.append(f"src/guestcpu.map: {name} is in no public header")
    for name in sorted(set(names) - exported):
        problems.append(f"src/guestcpu.map: {name} is not exported by {os.path.basename(library)}")
    for name in sorted(exported - set(names)):
        problems.append(f"{os.path.basename(library)}: exports {name}, which src/guestcpu.map does not list")
    finish("exports", problems + packaged(source), len(declared))


main(*sys.argv[1:])

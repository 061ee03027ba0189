#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Files under 600 lines, functions under 80, a licence line in each: sizes.py SOURCE"""
import ast
import os
import re
import sys

from common import finish, our_files, read, without_comments

FILE_MOST, FUNCTION_MOST = 599, 79

# Files that cannot hold a comment, or whose every byte is data.
NO_LICENCE = re.compile(r"LICENSE|debian/(?:changelog|source/format)|.*\.json|tests/fuzz/corpus/.*|.*\.(?:png|bin|gz|xz|trace)")
LICENCE = "SPDX-License-Identifier: MIT"


def c_functions(text):
    """(name, line, lines) of the bodies that begin and end in column 0."""
    lines = without_comments(text).split("\n")
    begin = None
    for i, line in enumerate(lines):
        if line.startswith("{"):
            begin = i
        elif line.startswith("}") and begin is not None:
            head = begin
            while head > 0 and lines[head - 1].strip() and not re.match(r"[}#]|.*;\s*$", lines[head - 1]):
                head -= 1
            name = re.search(r"(\w+)\s*\(", " ".join(lines[head:begin]))
            yield name.group(1) if name else "?", head + 1, i - head + 1
            begin = None


def python_functions(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1


def main(source):
    problems, looked = [], 0
    for name in our_files(source):
        looked += 1
        if "__pycache__" in name:
            problems.append(f"{name}: compiled Python does not belong here")
            continue
        if NO_LICENCE.fullmatch(name):
            continue
        with open(os.path.join(source, name), "rb") as f:
            begin = f.read(512).split(b"\n")[:3]
        if not any(LICENCE.encode() in line for line in begin):
            problems.append(f"{name}: no '{LICENCE}' in the first lines")
        if not name.endswith((".c", ".h", ".py")):
            continue
        text = read(os.path.join(source, name))
        if text.count("\n") > FILE_MOST:
            problems.append(f"{name}: {text.count(chr(10))} lines, at most {FILE_MOST}")
        for function, line, n in (python_functions if name.endswith(".py") else c_functions)(text):
            if n > FUNCTION_MOST:
                problems.append(f"{name}:{line}: {function} has {n} lines, at most {FUNCTION_MOST}")
    finish("sizes", problems, looked)


main(sys.argv[1])

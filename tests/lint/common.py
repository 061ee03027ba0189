# SPDX-License-Identifier: MIT
"""What the lints share: our files, the symbols of objects, and how a lint ends."""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True

# Never ours to judge, where there is no git to ask.
SKIPPED = ("build", ".git", "__pycache__")


def our_files(source):
    """Paths of every file that is tracked or new, relative to SOURCE."""
    try:
        ran = subprocess.run(["git", "-C", source, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, text=True, check=True)
        names = [n for n in ran.stdout.split("\0") if n]
    except (OSError, subprocess.CalledProcessError):
        names = [os.path.relpath(os.path.join(r, n), source) for r, dirs, files in os.walk(source)
                 for n in files if not [d for d in os.path.relpath(r, source).split(os.sep) if d.startswith(SKIPPED)]]
    return sorted(n for n in set(names) if os.path.isfile(os.path.join(source, n)))


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def without_comments(text, strings=False):
    """C with comments blanked, and strings unless they are wanted; lines stay where they are."""
    def blank(m):
        keep = strings and not m.group(0).startswith("/")
        return m.group(0) if keep else re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|' r"'(?:\\.|[^'\\\n])+'", blank, text, flags=re.S)


def symbols(path, *options):
    """Rows of nm: (object, kind, name)."""
    ran = subprocess.run(["nm", "-A", *options, path], capture_output=True, text=True)
    if ran.returncode:
        sys.exit(f"nm {path}: {ran.stderr.strip()}")
    out = []
    for line in ran.stdout.splitlines():
        m = re.match(r"(.*):[0-9a-fA-F ]* ([A-Za-z]) (\S+)$", line)
        if m:
            out.append((m.group(1), m.group(2), m.group(3)))
    if not out:
        sys.exit(f"nm {path}: nothing in there")
    return out


def read_allowed(path, columns):
    """A table 'a | b | reason', as in data/: rows as tuples, each to be used."""
    out = []
    for n, line in enumerate(read(path).split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = tuple(c.strip() for c in line.split("|"))
        if len(cells) != columns or not all(cells):
            sys.exit(f"{path}:{n}: expected {columns} columns")
        out.append(cells)
    return out


def finish(name, problems, looked_at):
    if not looked_at:
        problems = ["nothing was looked at"]
    for p in problems:
        print(p)
    print(f"{name}: {looked_at} looked at, {len(problems)} problem{'' if len(problems) == 1 else 's'}")
    sys.exit(1 if problems else 0)

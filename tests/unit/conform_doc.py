#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/conform.md lists every case: conform_doc.py LISTER DOCUMENT [--write]

LISTER is unit_conform; what it prints with --list stands below the marks of the document.
"""
import subprocess
import sys

MARK = "<!-- cases: meson compile -C build conform-doc -->\n"


def main():
    lister, path = sys.argv[1:3]
    rows = subprocess.run([lister, "--list"], capture_output=True, text=True, check=True, timeout=30).stdout
    with open(path, encoding="utf-8") as file:
        head, mark, listed = file.read().partition(MARK)
    wanted = "\narchitecture | case | from\n---|---|---\n" + rows
    if not mark or len(rows.splitlines()) < 100:
        sys.exit(f"{path}: no mark, or few cases")
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as file:
            file.write(head + mark + wanted)
        return 0
    if listed != wanted:
        print(f"{path} lists other cases: meson compile -C build conform-doc")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A static library that exports what the shared one does: static_lib.py MAP OUT OBJCOPY AR ARCHIVE CC...

Everything is linked into one object and all other symbols become local, so that
no name inside can meet one of a program that links it.
"""

import os
import re
import subprocess
import sys
import tempfile


def exported(path):
    with open(path, encoding="utf-8") as f:
        text = re.sub(r"#.*", "", f.read())
    return re.findall(r"^\t(\w+);$", text.split("local:")[0], re.M)


def main(symbol_map, out, objcopy, ar, archive, *cc):
    with tempfile.TemporaryDirectory() as folder:
        names, whole = os.path.join(folder, "names"), os.path.join(folder, "guestcpu.o")
        with open(names, "w", encoding="ascii") as f:
            f.write("\n".join(exported(symbol_map)) + "\n")
        subprocess.run([*cc, "-r", "-nostdlib", "-Wl,--whole-archive", archive, "-Wl,--no-whole-archive", "-o", whole],
                       check=True)
        subprocess.run([objcopy, f"--keep-global-symbols={names}", whole], check=True)
        if os.path.exists(out):
            os.remove(out)
        subprocess.run([ar, "rcsD", out, whole], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

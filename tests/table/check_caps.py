#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Numbers of KVM's capabilities against the system's <linux/kvm.h>: check_caps.py CAPS.TXT [HEADER]

What the header does not know is newer, and not compared; that is said. Exit status: 0 they agree, 1 not, 77 no header.
"""

import os
import re
import sys

from rows import rows


def main(caps, header="/usr/include/linux/kvm.h"):
    if not os.path.exists(header):
        print(f"SKIP: no {header}")
        return 77
    with open(header, encoding="utf-8") as f:
        known = {m[1]: int(m[2]) for m in re.finditer(r"^#define KVM_CAP_(\w+)\s+(\d+)\b", f.read(), re.M)}
    ours = {c[1]: int(c[0]) for c in rows(caps, 4)}
    compared = set(ours) & set(known)
    wrong = [f"{name}: {ours[name]}, the header has {known[name]}" for name in sorted(compared) if ours[name] != known[name]]
    wrong += [f"{name}: no such name, {number} is {other}" for name, number in ours.items() if name not in known
              for other, n in known.items() if n == number]
    print(*wrong, f"{len(compared)} of {len(ours)} capabilities compared", sep="\n")
    return int(bool(wrong) or not compared)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

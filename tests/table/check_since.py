#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares `since` of data/x86/fields.txt with what real kernels offered: check_since.py SOURCE

Every bundled snapshot of an x86 KVM was recorded on a kernel whose release it names. A bit that its KVM reports must
have come by then: into mainline, or into that stable series. Debian's 6.1 names no stable release (6.1.0-N), so any
release of the series will do there.
Exit status: 0 they agree, 1 they do not.
"""

import glob
import json
import os
import re
import sys

# A KVM module that is not of the Linux tree.
FOREIGN = {"kvm_pvm"}


def numbers(text):
    return [int(n) for n in text.split(".")]


def came_by(since, kernel, any_stable):
    """Did a bit with this `since` exist in release KERNEL?"""
    if since == "?":
        return True
    if since == "-":
        return False
    first, *stable = since.split()
    if first.startswith("<="):
        return True
    if kernel[:2] >= numbers(first)[:2] or numbers(first)[0] == 2:
        return True
    return any(kernel[:2] == numbers(s)[:2] and (any_stable or kernel >= numbers(s)) for s in stable)


def read_fields(path):
    out = []
    with open(path, encoding="utf-8") as f:
        for line in f:
            cells = [c.strip() for c in line.split("|")]
            if len(cells) != 11 or line.startswith("#"):
                continue
            msb, _, lsb = cells[3].rpartition(":")
            width = int(msb or lsb) - int(lsb) + 1
            out.append((cells[1], cells[2], int(lsb), (1 << width) - 1, cells[4], cells[7], cells[8]))
    return out


def values(doc):
    """{word: value} of what this KVM reports."""
    out = {}
    for e in doc["cpuid"]["supported"]:
        for reg in ("eax", "ebx", "ecx", "edx"):
            out[f"CPUID.{int(e['leaf'], 16):#x}.{int(e['subleaf'], 16):#x}.{reg}"] = int(e[reg], 16)
    for m in doc["msrs"]["features"]:
        out[f"MSR.{int(m['index'], 16):#x}"] = int(m["value"], 16)
    return out


def main(source):
    fields = read_fields(os.path.join(source, "data/x86/fields.txt"))
    bad, looked, hosts = [], 0, 0
    for path in sorted(glob.glob(os.path.join(source, "data/hosts/x86-*.json"))):
        with open(path, encoding="utf-8") as f:
            doc = json.load(f)
        if doc["host"]["module"] in FOREIGN:
            continue
        hosts += 1
        release = re.match(r"([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(-[0-9]+-)?", doc["host"]["kernel"])
        kernel = [int(n or 0) for n in release.groups()[:3]]
        debian = release.group(3) == "0" and release.group(4) is not None
        words = values(doc)
        for name, word, lsb, mask, owner, kind, since in fields:
            if "chosen" not in owner or not words.get(word, 0) >> lsb & mask:
                continue
            looked += 1
            if not came_by(since, kernel, debian):
                bad.append(f"{os.path.basename(path)}: Linux {doc['host']['kernel']} offers {name}, "
                           f"which is said to be there since {since} (kind {kind})")
    for line in bad:
        print(line)
    print(f"{hosts} recorded kernels, {looked} bits that they offer, {len(bad)} too early for `since`")
    return 1 if bad or not looked else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))

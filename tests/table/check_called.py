#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares whose words our names are with QEMU's and libvirt's own: check_called.py DATA FORMATS.

DATA has x86 and arm64 (data/), FORMATS the recordings. Of QEMU, a boolean property that is a name here must be tagged
qemu, and every name tagged qemu must be a property there. Of libvirt, every feature in a recorded document must be a
name here that is tagged libvirt. The rows of called_differences.txt are what is left; one that is not needed any more
is an error too.
Exit status: 0 they agree, 1 they do not, 77 there are no recordings.
"""

import glob
import json
import os
import re
import sys

from rows import rows

HERE = os.path.dirname(os.path.abspath(__file__))


def normal(name):
    """The form in which names are looked up."""
    return name.lower().replace("_", "-")


def our_names(folder):
    """{name as it is looked up: tags}, of fields and aliases that stand in a table of DATA."""
    names = {}
    for row in rows(f"{folder}/fields.txt", 11):
        names[normal(row[1])] = set()
    for row in rows(f"{folder}/features.txt", 5) if os.path.exists(f"{folder}/features.txt") else []:
        names[normal(row[1])] = set()
        for alias in row[4].split(","):
            names[normal(alias.strip())] = {"linux"}
    for alias, _, tags in rows(f"{folder}/aliases.txt", 3):
        names[normal(alias)] = set(tags.split(" + "))
    for name, tags in rows(f"{folder}/called.txt", 2):
        names[normal(name)] |= set(tags.split(" + "))
    return names


def qemu_properties(path):
    with open(path, encoding="utf-8") as f:
        answer = json.load(f)
    props = (answer[0] if isinstance(answer, list) else answer)["return"]["model"]["props"]
    return {normal(name) for name, value in props.items() if isinstance(value, bool)}


def libvirt_features(folder):
    found = set()
    for path in glob.glob(f"{folder}/*.xml"):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        for cpu in re.findall(r"<cpu>.*?</cpu>|<cpu .*?</cpu>", text, re.S):
            found |= set(re.findall(r"<feature [^>]*name='([^']+)'", cpu))
    return {normal(name) for name in found}


class Differences:
    def __init__(self, path):
        self.rows = [tuple(r) for r in rows(path, 4)]
        self.used = set()

    def allow(self, arch, what, name):
        found = [r for r in self.rows if r[:3] == (arch, what, name)]
        self.used.update(found)
        return bool(found)


def compare(names, theirs, tag, every, differ):
    """What they have and we know must be theirs here, and where THEIRS is all that they have, the reverse."""
    bad = [f"{name} is {tag}'s, and not so here" for name in sorted(theirs)
           if tag not in names.get(name, {tag}) and not differ("untagged", name)]
    for name in sorted(names) if every else []:
        if tag in names[name] and name not in theirs and not differ("newer", name):
            bad.append(f"{name} is {tag}'s here, and {tag} does not have it")
    return bad


def main(data, formats):
    recorded = {"x86": f"{formats}/qmp_expansion_full_host.json",
                "arm64": f"{formats}/qmp_expansion_full_max_aarch64_tcg.json"}
    diff, bad, missing = Differences(os.path.join(HERE, "called_differences.txt")), [], []
    for arch, path in recorded.items():
        if not os.path.exists(path):
            missing.append(path)
            continue
        names, theirs = our_names(f"{data}/{arch}"), qemu_properties(path)
        bad += compare(names, theirs, "qemu", True, lambda what, name, arch=arch: diff.allow(arch, what, name))
        print(f"{arch}: {len(theirs)} boolean properties of QEMU, {len(theirs & set(names))} are names here, "
              f"{sum('qemu' in tags for tags in names.values())} names here are QEMU's")
    if missing:
        print(f"SKIP: called: no {missing[0]}")
        return 77
    features, names = libvirt_features(formats), our_names(f"{data}/x86")
    bad += compare(names, features, "libvirt", False, lambda what, name: diff.allow("libvirt", what, name))
    bad += [f"libvirt's {name} is no name here" for name in sorted(features - set(names))]
    print(f"{len(features)} features of libvirt in the recordings")
    bad += [f"difference not needed any more: {' | '.join(r)}" for r in diff.rows if r not in diff.used]
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

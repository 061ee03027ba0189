# SPDX-License-Identifier: MIT
"""Results of alive.py as a table on a terminal, and as docs/pv-features.md."""

import json
import os

import alive_facts
import alive_facts_arm64

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ARCHES = ("x86", "arm64")
KNOWN = {"x86": alive_facts.BEHAVIOURS, "arm64": alive_facts_arm64.BEHAVIOURS}

INTRO = """\
<!-- SPDX-License-Identifier: MIT -->
<!-- Made by tests/kernels/alive.py --doc from runs on these kernels; a test compares. -->
# Paravirtual features, alive

What a guest could use, and could not use, on real KVM: kvm-amd and KVM/arm64 of Debian's kernels, under
emulation (`tests/kernels`). Made from runs of `guestcpu verify --alive`; nothing here is copied from a document. Kernels:
{kernels}.

- *works*: a guest used it and a witness other than a return value says so; with the feature off, on x86 under
  KVM_CAP_ENFORCE_PV_FEATURE_CPUID, it was refused.
- *untestable*: KVM, or this kernel, does nothing for it that a guest could see.
- *inconclusive*: tried, and nothing was decided.
- Every control was tried the other way round: it notices when the feature is left on, and when what an
  exercise does wrong on purpose is right.

"""
FEATURES = {"x86": """\
## x86: features

`kvm-pv-enforce-cpuid=off`, KVM's own default, lets a guest use all of them whatever CPUID says, but for
those that the VMM plays.

""", "arm64": """\
## arm64: features and interfaces

The words of KVM_ARM_VCPU_INIT are opted into; bits of the firmware's registers are on unless the VMM clears
them, before the first run. Without a bit a call gives -1, NOT_SUPPORTED. `-`: this kernel does not have it.

"""}
BEHAVIOURS = """\
## {arch}: what differs between kernels, and what no feature bit says

"""


def facts_path(arch):
    return os.path.join(ROOT, "data", arch, "exercises.txt")


def facts(arch):
    """name -> (how it is shown, words that may be observed, trap), in the order of the file."""
    out = {}
    with open(facts_path(arch), encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            name, *rest = (column.strip() for column in line.split("|"))
            out[name] = tuple(rest)
    return out


def read(folder, kernels, path_of):
    """Findings by kernel, of those that have run."""
    out = {}
    for kernel in kernels:
        try:
            with open(path_of(folder, kernel), encoding="utf-8") as file:
                out[kernel] = json.load(file)
        except FileNotFoundError:
            pass
    return out


def grid(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def cells(found, kind, key, name):
    return [f[kind].get(name, {}).get(key) or "-" for f in found.values()]


def of_arch(found, arch):
    return {kernel: f for kernel, f in found.items() if kernel.partition(":")[0] == arch}


def names(found, kind):
    """In the order of the facts; what they do not know comes last. FOUND is of one architecture."""
    known = list(facts(next(iter(found)).partition(":")[0]))
    there = {name for f in found.values() for name in f[kind]}
    return [n for n in known if n in there] + sorted(there - set(known))


def table(everything):
    """Kernel x feature, and totals."""
    if not everything:
        print("no kernel has run: no table of features")
        return 0
    for found in filter(None, (of_arch(everything, arch) for arch in ARCHES)):
        grid([["FEATURE", *found]] + [[n, *cells(found, "features", "alive", n)] for n in names(found, "features")])
        print()
        grid([["THIS KVM", *found]] +
             [[n, *cells(found, "behaviours", "observed", n)] for n in names(found, "behaviours")])
        print()
    for kernel, f in everything.items():
        leaks = sum(r["alive"] == "leaks" for r in f["features"].values())
        works = sum(r["alive"] == "works" for r in f["features"].values())
        print(f"{kernel} ({f['release']}): {works} of {len(f['features'])} features work, {leaks} leaks; "
              f"{f['totals'].get('refused-as-planned', 0)} times refused as planned; controls: {f['controls'][0]} tried, "
              f"{f['controls'][1]} did not notice; infrastructure failures {f['infrastructure']}")
    return 0


def row(columns):
    return "| " + " | ".join(columns) + " |\n"


def head(kernel, f):
    """What a column is called."""
    series = kernel.partition(":")[2]
    return series if series != "newest" else f["release"].split("-")[0].split("+")[0]


def section(found, kind, key, known):
    """Kernels and trap of each, then how each is shown."""
    first = {"features": "feature", "behaviours": "behaviour"}[kind]
    text = row([first, *(head(k, f) for k, f in found.items()), "trap"]) + "|---" * (len(found) + 2) + "|\n"
    shown = "\n"
    for name in names(found, kind):
        text += row([f"`{name}`", *cells(found, kind, key, name), known[name][2]])
        words = "" if known[name][1] == "-" else f"; *{known[name][1]}*"
        shown += f"- `{name}`: {known[name][0]}{words}\n"
    return text + "\nHow it is shown:\n" + shown


def render(everything):
    text = INTRO.format(kernels=", ".join(f["release"] for f in everything.values()))
    parts = []
    for arch in ARCHES:
        found, known = of_arch(everything, arch), facts(arch)
        if found:
            parts.append(FEATURES[arch] + section(found, "features", "alive", known))
            parts.append(BEHAVIOURS.format(arch=arch) + section(found, "behaviours", "observed", known))
    return text + "\n".join(parts)


def write(found, path):
    missing = [f"{arch}: {n}" for arch in ARCHES for kind in ("features", "behaviours") if of_arch(found, arch)
               for n in names(of_arch(found, arch), kind) if n not in facts(arch)]
    if not found or missing:
        print(f"cannot write {path}: " + (f"exercises.txt lacks {', '.join(missing)}" if missing else "nothing has run"))
        return 1
    with open(path, "w", encoding="utf-8") as file:
        file.write(render(found))
    print(f"{path}: {len(found)} kernels")
    return 0


def columns(path):
    """(architecture, head of the column, name) -> cell of the document."""
    out, heads, arch = {}, [], None
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.startswith("## "):
                arch = line[3:].partition(":")[0]
            parts = [part.strip() for part in line.strip().strip("|").split(" | ")]
            if line.startswith(("| feature", "| behaviour")):
                heads = parts[1:-1]
            elif line.startswith("| `"):
                for head, cell in zip(heads, parts[1:]):
                    out[arch, head, parts[0].strip("`")] = cell
    return out


def check(found, path):
    """Does the document say what these kernels have shown? Another release of a series may
    have another word that is right."""
    said, wrong = columns(path), 0
    for kernel, f in found.items():
        column, arch = head(kernel, f), kernel.partition(":")[0]
        shown = {n: {r["alive"]} for n, r in f["features"].items()}
        for n, r in f["behaviours"].items():
            shown[n] = KNOWN[arch][n](alive_facts.SERIES(column, f["release"])) | {r["observed"]}
        for name, right in shown.items():
            if said.get((arch, column, name)) not in right:
                print(f"FAIL {os.path.relpath(path, ROOT)}: {name} on {kernel}: says {said.get((arch, column, name))}, "
                      f"is {' or '.join(sorted(right))}")
                wrong += 1
    return int(bool(wrong))

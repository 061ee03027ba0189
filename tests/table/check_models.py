#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds the models of arm64 against what others know: check_models.py GUESTCPU SOURCE FIRECRACKER

- Each level has all that the levels have that it is based on.
- What a compiler takes for granted at a level (its ACLE macros under -march) a guest of that level has, and of
  what these macros speak of nothing more. Skipped without an arm64 cross compiler; what is known to differ is below.
- A guest of model neoverse-n1 on a recorded Neoverse N1 has every register as that CPU has it, but for what is below.
- What Firecracker's guests had on real CPUs (FINGERPRINTS in that folder) is at least the core's and the level's; what
  these CPUs lack of their level is below.

Exit status: 0 they agree, 1 they do not, 77 there was nobody to ask for a part of it (the rest was checked).
"""

import json
import os
import shutil
import subprocess
import sys

from rows import rows

COMPILER = "aarch64-linux-gnu-gcc"
MAX, N1 = "arm64-kvm-max-6-12", "arm64-kvm-neoverse-n1-6-12"

MACROS = {  # ACLE: the feature behind a macro
    "ATOMICS": "FEAT_LSE", "CRC32": "FEAT_CRC32", "QRDMX": "FEAT_RDM", "COMPLEX": "FEAT_FCMA", "JCVT": "FEAT_JSCVT",
    "DOTPROD": "FEAT_DotProd", "FRINT": "FEAT_FRINTTS", "MATMUL_INT8": "FEAT_I8MM",
    "BF16_SCALAR_ARITHMETIC": "FEAT_BF16", "FP16_FML": "FEAT_FHM", "SVE": "FEAT_SVE", "SVE2": "FEAT_SVE2",
    "AES": "FEAT_AES", "SHA2": "FEAT_SHA256", "SHA3": "FEAT_SHA3", "SM4": "FEAT_SM4", "RNG": "FEAT_RNG",
    "SVE2_AES": "FEAT_SVE_AES", "SVE2_BITPERM": "FEAT_SVE_BitPerm", "SVE2_SHA3": "FEAT_SVE_SHA3",
    "SVE2_SM4": "FEAT_SVE_SM4", "MEMORY_TAGGING": "FEAT_MTE2", "LS64": "FEAT_LS64",
}
# GCC 12 counts LS64 to Armv8.7-A; Arm leaves it to the maker.
COMPILER_MORE = {("armv8.7-a", "FEAT_LS64"), ("armv8.8-a", "FEAT_LS64")}

# What neoverse-n1 has otherwise than QEMU's CPU of that name. IESB: guests on real ones do not see it. DebugVer: what
# every kernel gives.
N1_OTHERWISE = {"ID_AA64MMFR2_EL1": 0xF000, "ID_AA64DFR0_EL1": 0xF}

# A fingerprint: the level that it must have, what lacks all the same, and the core's model. Firecracker's guests had no
# pointer authentication. The manual of V1 has neither TLB maintenance by range nor a level hint either.
PAUTH = {"pauth-address", "pauth-generic"}
V1_LACKS = PAUTH | {"ID_AA64ISAR0_EL1.TLB", "ID_AA64MMFR2_EL1.TTL"}
FINGERPRINTS = {"NEOVERSE_N1": ("armv8.2-a", set(), "neoverse-n1"), "NEOVERSE_V1": ("armv8.4-a", V1_LACKS, "neoverse-v1")}
KERNELS = ("6.1", "6.18")
# What a core's model has beside that: SVE, which Firecracker did not opt into.
NO_SVE = {"sve", "SVE.VL", "ID_AA64ZFR0_EL1.BF16", "ID_AA64ZFR0_EL1.I8MM"}


def plan(tool, host, request):
    done = subprocess.run([tool, "plan", "--json", "--host", host, "-c", request], capture_output=True, text=True,
                          check=False)
    return json.loads(done.stdout)


def levels(source):
    """Name: the levels that it is based on."""
    table = {r[0]: r[1].split() for r in rows(f"{source}/data/arm64/models.txt", 4)}
    return {n: [b for b in based if b.startswith("armv")] for n, based in table.items() if n.startswith("armv")}


def check_monotone(tool, based):
    on = {n: {f for f in plan(tool, MAX, n)["features"]["on"] if f.startswith("FEAT_")} for n in based}
    wrong = [f"{n} has no {f}, which {b} has" for n in based for b in based[n] for f in sorted(on[b] - on[n])]
    last, first = on["armv9.6-a"], on["armv8.0-a"]
    # a check of nothing would hold as well
    if len(based) != 17 or len(last) < len(first) + 30:
        wrong.append(f"{len(based)} levels, of which the last has {len(last)} features on {MAX}, the first {len(first)}")
    return wrong


def macros(level):
    """What the compiler takes for granted, or None if it does not know the level."""
    done = subprocess.run([COMPILER, f"-march={level.replace('9.0', '9').replace('8.0', '8')}", "-dM", "-E", "-x", "c",
                           os.devnull], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    return {line.split()[1].removeprefix("__ARM_FEATURE_") for line in done.stdout.splitlines()
            if "__ARM_FEATURE_" in line}


def check_compiler(tool, based):
    wrong, known = [], 0
    for level in based:
        theirs = macros(level)
        if theirs is None:
            continue
        known += 1
        made = plan(tool, MAX, level)
        ours = set(made["features"]["on"])
        short = {f["feature"] for f in made["findings"] if f["severity"] == "warning" and f["feature"]}
        for macro, feature in MACROS.items():
            if (level, feature) in COMPILER_MORE:
                continue
            if (macro in theirs) != (feature in ours) and not short:
                wrong.append(f"{level}: the compiler says {feature} {macro in theirs}, a guest {feature in ours}")
    if known < 10:
        wrong.append(f"the compiler knows {known} of the levels")
    return wrong


def check_n1(tool):
    def registers(request):
        return {r["name"]: int(r["value"], 0) for r in plan(tool, N1, request)["registers"]}
    core, host = registers("neoverse-n1"), registers("host")
    wrong = [f"neoverse-n1 on {N1}: {n} is {core[n]:#x}, the CPU's {host[n]:#x}" for n in host
             if (core[n] ^ host[n]) & ~N1_OTHERWISE.get(n, 0)]
    wrong += [f"{n} does not differ where it should" for n, mask in N1_OTHERWISE.items() if not (core[n] ^ host[n]) & mask]
    return wrong + ([] if len(host) > 10 else ["no registers"])


def lacks(tool, host, request):
    return {u["name"] for u in plan(tool, host, request)["features"]["unavailable"]}


def check_fingerprints(tool, folder):
    wrong = []
    for cpu, (level, without, core) in FINGERPRINTS.items():
        for kernel in KERNELS:
            host = f"{folder}/fingerprint_ARM_{cpu}_{kernel}host.json"
            if lacks(tool, host, level) != without:
                wrong.append(f"{cpu} on {kernel} lacks {lacks(tool, host, level)} of {level}, not {without}")
            if lacks(tool, host, core) - PAUTH - NO_SVE:
                wrong.append(f"{cpu} on {kernel} lacks {lacks(tool, host, core)} of {core}")
            saw = {r["name"]: int(r["value"], 0) for r in plan(tool, host, "host")["registers"]}
            made = {r["name"]: int(r["value"], 0) for r in plan(tool, host, core)["registers"]}
            for n, value in saw.items():
                if (made[n] ^ value) & ~({"ID_AA64DFR0_EL1": 0xF}.get(n, 0)):
                    wrong.append(f"{cpu} on {kernel}: {n} was {value:#x}, {core} has {made[n]:#x}")
    return wrong


def main(tool, source, folder):
    based = levels(source)
    wrong = check_monotone(tool, based) + check_n1(tool)
    recorded = os.path.isdir(folder)
    if recorded:
        wrong += check_fingerprints(tool, folder)
    else:
        print(f"SKIP: table: no fingerprints of guests in {folder}")
    compiler = shutil.which(COMPILER)
    if compiler:
        wrong += check_compiler(tool, based)
    for w in wrong:
        print(w)
    if not compiler:
        print(f"SKIP: table: no {COMPILER} to ask what a level is")
    print(f"models: {len(based)} levels, {len(wrong)} wrong")
    return 1 if wrong else 0 if compiler and recorded else 77


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Reads plans as an operating system reads CPUID, for random machines and requests.

    invariants.py GUESTCPU SOURCE [SEED [COUNT]]

What a guest works out from the leaves (Intel SDM vol. 3A 9.9 and vol. 2A CPUID, AMD APM
vol. 3 appendix E) must be the machine that was asked for: nothing here knows how the
planner computes. The seed is printed; one plan that is wrong is printed with its command.
"""
import glob
import json
import os
import random
import subprocess
import sys

MODELS = ["host", "host,+topoext", "max", "qemu64", "kvm64", "base,+lm,+pae,+fpu", "host,-xsave", "host,-avx",
          "host,cpuid-0xb=off", "host,l3-cache=off", "host,host-cache-info=off", "host,pmu=off", "host,-lm",
          "host,level=4", "host,min-level=0x1f", "host,level-func7=1,min-level=0xf", "host,xlevel=0x80000008", "qemu64,+avx2", "kvm64,+svm", "host,+svm",
          "host,+amx-tile", "host,-amx-tile", "host,vendor=GenuineIntel", "host,vendor=AuthenticAMD,+topoext", "host,vendor=  Shanghai  ",
          "host,+invtsc", "max,migratable=off", "host,xlevel=0x80000026"]


class Wrong(Exception):
    pass


def need(truth, text):
    if not truth:
        raise Wrong(text)


def machine(rng):
    """sockets, dies, modules, cores, threads with a product of at most 1024."""
    while True:
        m = [rng.choice([1, 1, 1, 2, 3, 4, 5, 7]) for _ in range(3)]
        m += [rng.choice([1, 2, 3, 4, 6, 8, 13, 16, 33, 64, 100]), rng.choice([1, 1, 2, 3, 4])]
        product = 1
        for n in m:
            product *= n
        if product <= 1024:
            return m, product


class Cpu:
    """CPUID of one vCPU of a plan document."""

    def __init__(self, doc, index):
        vcpu = doc["vcpus"][index]
        self.id, self.entries, self.flags = vcpu["id"], {}, {}
        for e in doc["cpuid"] + vcpu["cpuid"]:
            self.entries[int(e["leaf"], 16), int(e["subleaf"], 16)] = [int(e[r], 16) for r in ("eax", "ebx", "ecx", "edx")]
            self.flags[int(e["leaf"], 16), int(e["subleaf"], 16)] = e["flags"]

    def __call__(self, leaf, sub=0):
        """As KVM answers: an entry without the flag that its sub-leaf counts answers for all."""
        for (found, index), regs in self.entries.items():
            if found == leaf and (index == sub or not self.flags[found, index] & 1):
                return regs
        return [0, 0, 0, 0]


def order(n):
    return (n - 1).bit_length()


def groups(cpus, shift):
    """How many vCPUs have the same id above SHIFT, of each such group."""
    count = {}
    for c in cpus:
        count[c.id >> shift] = count.get(c.id >> shift, 0) + 1
    return set(count.values())


def check_ids(cpus):
    need(len({c.id for c in cpus}) == len(cpus), "two vCPUs have one APIC id")
    for c in cpus:
        need(c(1)[1] >> 24 == c.id & 0xff, f"leaf 1 has another id than {c.id}")


def check_levels(cpus, leaf, types, want):
    """Each level of a topology leaf holds as many vCPUs as the machine has there."""
    c, seen, before = cpus[0], [], -1
    for sub in range(8):
        eax, ebx, ecx, _ = c(leaf, sub)
        need(ecx & 0xff == sub, f"leaf {leaf:#x} sub-leaf {sub}: ECX[7:0] is {ecx & 0xff}")
        kind = ecx >> 8 & 0xff
        if kind == 0:
            need((eax, ebx) == (0, 0), f"leaf {leaf:#x}: the end is not empty")
            break
        need(eax >= before, f"leaf {leaf:#x}: shifts fall")
        before = eax
        need(groups(cpus, eax) == {ebx}, f"leaf {leaf:#x} sub-leaf {sub}: {ebx} CPUs are told, the ids say {groups(cpus, eax)}")
        seen.append((types.get(kind), ebx))
    need(seen and seen[-1][1] == want["package"], f"leaf {leaf:#x}: the last level is no package: {seen}")
    for kind, count in seen[:-1]:
        need(kind is not None and count == want[kind], f"leaf {leaf:#x}: a {kind} holds {count}, not {want.get(kind)}")
    for c in cpus:
        for sub in range(len(seen) + 1):
            need(c(leaf, sub)[3] == c.id, f"leaf {leaf:#x} sub-leaf {sub}: EDX of vCPU {c.id}")
    return [k for k, _ in seen]


def check_counts(cpus, intel, want):
    package = want["package"]
    told, ht = cpus[0](1)[1] >> 16 & 0xff, cpus[0](1)[3] >> 28 & 1
    if package > 1:
        need(ht, "several CPUs in a package and no HTT")
        ids = 1 << order(max(c.id for c in cpus if c.id >> want["bits"] == 0) + 1)
        need(told == min(255, ids if intel else package), f"leaf 1 counts {told}")
    ecx = cpus[0](0x80000008)[2]
    if cpus[0](0x80000000)[0] >= 0x80000008:
        if intel or package == 1:
            need(ecx == 0, f"0x80000008.ecx is {ecx:#x}")
        else:
            need(ecx & 0xff == min(255, package - 1) and ecx >> 12 & 15 == want["bits"] and ecx & 0xffff0f00 == 0,
                 f"0x80000008.ecx is {ecx:#x} for {package} CPUs")


def check_caches(cpus, leaf, want, l3):
    """Who shares a cache is a set of whole cores, inside of a die; the list ends."""
    for sub in range(16):
        eax = cpus[0](leaf, sub)[0]
        if eax & 31 == 0:
            break
        level, sharing = eax >> 5 & 7, (eax >> 14 & 0xfff) + 1
        need(l3 or level < 3, f"leaf {leaf:#x} tells of a level {level}")
        shift = order(sharing)
        need(shift >= order(want["threads"]), f"leaf {leaf:#x}: a cache for less than a core")
        need(max(groups(cpus, shift)) <= want["die"], f"leaf {leaf:#x}: a cache for more than a die")
    else:
        raise Wrong(f"leaf {leaf:#x} does not end")


def check_xsave(c, full):
    xcr0 = c(0xd)[0] | c(0xd)[3] << 32
    xss = c(0xd, 1)[2] | c(0xd, 1)[3] << 32
    if not c(1)[2] >> 26 & 1:
        need(xcr0 == 0 and not c(1)[2] >> 28 & 1, "state or AVX without XSAVE")
        return
    if not full:
        return
    need(xcr0 & 3 == 3, f"XCR0 is {xcr0:#x}")
    pairs = ((0x18, "MPX"), (0xe0, "AVX-512"), (0x60000, "AMX"))
    for mask, name in pairs:
        need(xcr0 & mask in (0, mask), f"{name} state is not whole: {xcr0:#x}")
    need(bool(xcr0 & 4) == bool(c(1)[2] >> 28 & 1), "AVX and its state differ")
    need(bool(xcr0 & 0x60000) == bool(c(7)[3] >> 24 & 1), "AMX and its state differ")
    size = 576
    for n in range(2, 63):
        eax, ebx, ecx, _ = c(0xd, n)
        there = (xcr0 | xss) >> n & 1
        need(bool(eax) == bool(there), f"component {n}: size {eax}, state {there}")
        if xcr0 >> n & 1:
            size = max(size, eax + ebx)
            need(not ecx & 1, f"component {n} of XCR0 says that it is a supervisor's")
    need(c(0xd)[2] == size, f"XSAVE area of {c(0xd)[2]}, components need {size}")


def check_maxima(c, request):
    basic, ext = c(0)[0], c(0x80000000)[0]
    for leaf in (0x4, 0x7, 0xb, 0xd, 0x14, 0x1d, 0x1f, 0x8000001d):
        need(not any(c(leaf, 63)[:2]), f"leaf {leaf:#x} answers for sub-leaves that it does not have")
    for leaf, sub in c.entries:
        top = basic if leaf < 0x40000000 else ext if 0x80000000 <= leaf < 0xc0000000 else None
        need(top is None or leaf <= max(top, 0x80000000 if leaf >= 0x80000000 else 0),
             f"leaf {leaf:#x} above the maximum {top}")
    if "level=" not in request:
        for leaf, on in ((0x7, any(c(7)[1:])), (0xd, c(1)[2] >> 26 & 1), (0x1d, c(7)[3] >> 24 & 1)):
            need(not on or basic >= leaf, f"leaf {leaf:#x} has a meaning and is above {basic:#x}")
        for leaf, on in ((0x8000000a, c(0x80000001)[2] >> 2 & 1), (0x8000001e, c(0x80000001)[2] >> 22 & 1)):
            need(not on or ext >= leaf, f"leaf {leaf:#x} has a meaning and is above {ext:#x}")
    top = c(7)[0]
    need(top == 0 or "func7" in request or any(c(7, top)), f"leaf 7 claims sub-leaf {top}, which is empty")
    need(not (c(0x80000001)[2] >> 22 & 1) or ext < 0x8000001d or c(0x8000001d)[0] & 31, "TOPOEXT without caches")
    if c(0x80000001)[2] >> 2 & 1 and ext >= 0x8000000a:
        need(c(0x8000000a)[0] & 0xff, "SVM without a revision")


def check(doc, m, request):
    cpus = [Cpu(doc, i) for i in range(len(doc["vcpus"]))]
    sockets, dies, modules, cores, threads = m
    want = {"threads": threads, "module": cores * threads, "die": modules * cores * threads,
            "package": dies * modules * cores * threads,
            "bits": sum(order(n) for n in (dies, modules, cores, threads))}
    c = cpus[0]
    vendor = b"".join(w.to_bytes(4, "little") for w in (c(0)[1], c(0)[3], c(0)[2]))
    intel = vendor in (b"GenuineIntel", b"CentaurHauls", b"  Shanghai  ")
    check_ids(cpus)
    check_counts(cpus, intel, want)
    names = {1: "threads", 2: "module", 3: "die", 5: "package"}
    if c(0)[0] >= 0xb and "0xb=off" not in request:
        check_levels(cpus, 0xb, names, want)
    if c(0)[0] >= 0x1f and any(c(0x1f)):
        check_levels(cpus, 0x1f, names, want)
    need(not intel or dies * modules == 1 or "level=" in request or c(0)[0] >= 0x1f, "dies or modules, and no leaf 0x1f")
    if c(0x80000000)[0] >= 0x80000026:
        check_levels(cpus, 0x80000026, {1: "threads", 2: "module", 3: "die", 4: "package"}, want)
    for leaf in (0x4, 0x8000001d):
        check_caches(cpus, leaf, want, "l3-cache=off" not in request)
    if c(0x80000001)[2] >> 22 & 1 and c(0x80000000)[0] >= 0x8000001e:
        for i, v in enumerate(cpus):
            e = v(0x8000001e)
            need(e[0] == v.id and (e[1] >> 8 & 0xff) + 1 == threads and e[2] & 0xff == i // want["package"] & 0xff,
                 f"leaf 0x8000001e of vCPU {i}: {e}")
    check_xsave(c, c(0)[0] >= 0xd)
    check_maxima(c, request)
    need([(int(e["leaf"], 16), int(e["subleaf"], 16)) for e in doc["cpuid"]] ==
         sorted({(int(e["leaf"], 16), int(e["subleaf"], 16)) for e in doc["cpuid"]}), "entries are not in order")
    need(len(doc["cpuid"]) <= 256, "more entries than KVM takes")


def main(guestcpu, source, seed=None, count="400"):
    seed = int(seed) if seed else random.randrange(1 << 32)
    rng = random.Random(seed)
    hosts = sorted(glob.glob(os.path.join(source, "data/hosts/x86-*.json")) +
                   glob.glob(os.path.join(source, "tests/cases/hosts/*.json")))
    hosts = [h for h in hosts if json.load(open(h, encoding="utf-8")).get("arch") == "x86" and not h.endswith(("small.json", "many-caches.json"))]
    bad = refused = 0
    for _ in range(int(count)):
        m, vcpus = machine(rng)
        request, host = rng.choice(MODELS), rng.choice(hosts)
        smp = f"{vcpus},sockets={m[0]},dies={m[1]},modules={m[2]},cores={m[3]},threads={m[4]}"
        command = [guestcpu, "plan", "--arch", "x86", "--host", host, "-c", request, "--smp", smp, "--x2apic-ids", "-j"]
        ran = subprocess.run(command, capture_output=True, text=True)
        doc = json.loads(ran.stdout)
        if "error" in doc:  # ids that this KVM does not allow
            refused += 1
            if doc["error"]["code"] != "machine":
                bad += 1
                print(" ".join(command), doc["error"])
            continue
        try:
            check(doc, m, request)
        except Wrong as e:
            bad += 1
            print(f"{' '.join(command)}\n    {e}")
    print(f"seed {seed}: {count} plans, {refused} refused, {bad} wrong")
    return 1 if bad or refused > int(count) / 2 else 0


sys.exit(main(*sys.argv[1:]))

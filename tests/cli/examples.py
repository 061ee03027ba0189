# SPDX-License-Identifier: MIT
"""What the programs of examples/ must say, wherever they were built and whatever they were linked
with. Facts of the x86 guest: the kernel's Documentation/virt/kvm/x86/cpuid.rst and cpuid.h."""
import json
import os
import re
import subprocess

import cli

SIGNATURE = 0x40000000
FEATURES = 0x40000001
PV_EOI = 1 << 6
HYPERVISOR = 1 << 31
# What KVM moves with the guest's CR4, XCR0 and MISC_ENABLE: OSXSAVE and MONITOR, OSPKE, sizes of the save area.
MOVES = {((0x1, 0), "c"): 1 << 27 | 1 << 3, ((0x7, 0), "c"): 1 << 4,
         ((0xd, 0), "b"): 0xffffffff, ((0xd, 1), "b"): 0xffffffff}


def run(program, *args, env=None):
    return subprocess.run([program, *args], capture_output=True, text=True, timeout=120, check=False,
                          env=env)


def check_plan(test, program, env=None):
    """QEMU's EPYC-Rome has AVX2, TCG has no AVX-512; the rest is what the program itself asks for."""
    done = run(program, env=env)
    test.assertEqual((done.returncode, done.stderr), (0, ""), done)
    lines = done.stdout.splitlines()
    test.assertEqual(lines[:2], ["avx2 1, avx512f 0, kvm-pv-eoi 0", "kvm-pv-eoi:"])
    test.assertRegex(lines[2], r"^  0 -> 1: ")
    test.assertRegex(lines[3], r"^  1 -> 0: .*request")
    test.assertTrue(any(re.match(r"warning: avx512f: ", line) for line in lines[4:]), done.stdout)


def answers(test, text):
    """One {(leaf, sub-leaf): (eax, ebx, ecx, edx)} for each vCPU, and its id."""
    out = []
    for line in text.splitlines():
        head = re.match(r"vCPU (\d+), id (\d+), sees$", line)
        if head:
            test.assertEqual(int(head.group(1)), len(out))
            out.append((int(head.group(2)), {}))
        said = re.match(r"  CPUID 0x(\w+) 0x(\w+): (\w{8}) (\w{8}) (\w{8}) (\w{8})$", line)
        if said:
            leaf, subleaf, *registers = (int(word, 16) for word in said.groups())
            out[-1][1][leaf, subleaf] = registers
    return out


def table(entries):
    return {(int(e["leaf"], 16), int(e["subleaf"], 16)): [int(e[r], 16) for r in ("eax", "ebx", "ecx", "edx")]
            for e in entries}


def foretold(snapshot):
    """What this KVM makes of a planned word, by the trial: (leaf, sub-leaf), number, value -> value."""
    zeros, ones, bare = (table(snapshot["trial"][name]) for name in ("zeros", "ones", "bare"))

    def value(address, i, planned):
        kept = ones.get(address, [0xffffffff] * 4)[i]
        return planned & kept | zeros.get(address, [0] * 4)[i] | bare.get(address, [0] * 4)[i]
    return value


def check_guest(test, seen, plan, value):
    """Every planned leaf was read, and is what was planned, or what this KVM makes of it for anyone."""
    for vcpu, (number, said) in zip(plan["vcpus"], seen):
        test.assertEqual(number, vcpu["id"])
        for address, planned in {**table(plan["cpuid"]), **table(vcpu["cpuid"])}.items():
            test.assertIn(address, said)
            for i, (want, got) in enumerate(zip(planned, said[address])):
                moves = MOVES.get((address, "abcd"[i]), 0)
                test.assertIn(got & ~moves, (want & ~moves, value(address, i, want) & ~moves),
                              f"vCPU {vcpu['index']}: {address} e{'abcd'[i]}x")


def check_vmm(test, program, env=None):
    cli.need_kvm()
    done = run(program, "host,-kvm-pv-eoi", "2", env=env)
    test.assertEqual((done.returncode, done.stderr), (0, ""), done)
    test.assertRegex(done.stdout.splitlines()[-1], r"^[1-9]\d+ as planned, .*, 0 wrong$")
    for request, status, text in (("no-such-model", 1, "no such model"), ("host,avx2=maybe", 1, "maybe")):
        bad = run(program, request, env=env)
        test.assertEqual((bad.returncode, bad.stdout), (status, ""))
        test.assertIn(text, bad.stderr)
    if os.uname().machine != "x86_64":
        return
    seen = answers(test, done.stdout)
    test.assertEqual(len(seen), 2)
    for index, (number, said) in enumerate(seen):
        test.assertEqual(b"".join(r.to_bytes(4, "little") for r in said[SIGNATURE, 0][1:]), b"KVMKVMKVM\0\0\0")
        test.assertEqual(said[FEATURES, 0][0] & PV_EOI, 0)
        test.assertEqual((number, said[1, 0][1] >> 24), (index, index))
        test.assertTrue(said[1, 0][2] & HYPERVISOR)
    # it was the request that turned it off
    whole = answers(test, run(program, "host", env=env).stdout)
    test.assertEqual(len(whole), 1)
    test.assertEqual(whole[0][1][FEATURES, 0][0] & PV_EOI, PV_EOI)
    plan = cli.guestcpu("plan", "-c", "host,-kvm-pv-eoi", "--vcpus", "2", "--json").json()
    check_guest(test, seen, plan, foretold(json.loads(cli.guestcpu("probe", "--json").out)))

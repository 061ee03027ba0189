#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the small synthetic hosts of cases.txt.

    make_hosts.py [DIRECTORY]     write hosts/*.json
    make_hosts.py --check         are the files there what this would write?

None of them is a recording. Each is one real kernel's behaviour, taken from
KVM's documents and code, cut down to what a row needs. Nothing here reads
data/: bits and rules are written down a second time, so that the tables are
not their own judge.
"""
import json
import pathlib
import sys

from hosts_arm64 import arm64_hosts, fingerprints

HERE = pathlib.Path(__file__).resolve().parent


def bits(*numbers):
    out = 0
    for n in numbers:
        out |= 1 << n
    return out


def text4(text):
    """Twelve letters as CPUID leaf 0 has them: EBX, EDX, ECX."""
    raw = text.encode()
    ebx, edx, ecx = (int.from_bytes(raw[i:i + 4], 'little') for i in (0, 4, 8))
    return ebx, ecx, edx


# --- x86 ---------------------------------------------------------------------

# Capability numbers (include/uapi/linux/kvm.h).
TSC_DEADLINE_TIMER, SPLIT_IRQCHIP, MAX_VCPUS, MAX_VCPU_ID = 72, 121, 66, 128
X2APIC_API, DISABLE_EXITS, USER_SPACE_MSR = 129, 143, 188
ENFORCE_PV, EXIT_HYPERCALL, PMU_CAPABILITY, TSC_CONTROL = 190, 201, 212, 60
X86_CAPS = {7: 1, TSC_DEADLINE_TIMER: 1, MAX_VCPUS: 1024, SPLIT_IRQCHIP: 1, MAX_VCPU_ID: 4096,
            X2APIC_API: 3, DISABLE_EXITS: 0xf, 153: 1, USER_SPACE_MSR: 7, ENFORCE_PV: 1,
            EXIT_HYPERCALL: 0x1000}

# Bits that a row names, by word.
HYPERVISOR, TSC_DEADLINE, X2APIC, AVX, XSAVE = bits(31), bits(24), bits(21), bits(28), bits(26)
ALIASES = 0x0183f3ff  # bits of 1.EDX that AMD repeats in 0x80000001.EDX
EDX_1 = 0x078bfbff    # FPU to SSE2, with APIC, without HT: KVM never reports HT
KVM_WORDS = (0x4b4d564b, 0x564b4d56, 0x4d)  # "KVMKVMKVM"
PV_ALL = 0x01007efb   # what KVM reports, with steal time

# Words that a trial sets to all zeros and all ones.
FEATURE_WORDS = {(0x1, 0): 'cd', (0x6, 0): 'ac', (0x7, 0): 'bcd', (0xd, 1): 'a',
                 (0x40000001, 0): 'ad', (0x80000001, 0): 'cd', (0x80000007, 0): 'bd',
                 (0x80000008, 0): 'b', (0x8000000a, 0): 'd', (0x80000021, 0): 'a'}
INDEXED = {0x4, 0x7, 0xb, 0xd, 0x12, 0x1d, 0x1e, 0x1f, 0x8000001d}


# Control MSRs: must be 1 in the low half, may be 1 in the high half (SDM appendix A); bits that
# are 1 in both halves are the default1 class of SDM A.2. 0x11e57ed0 is KVM's VMCS revision.
PIN, PROC, EXIT, ENTRY, PROC2 = 0x48d, 0x48e, 0x48f, 0x490, 0x48b
MUST = {PIN: 0x16, PROC: 0x04006172, EXIT: 0x36dfb, ENTRY: 0x11fb, PROC2: 0}
MAY = {PIN: bits(0, 3, 5, 6, 7), EXIT: bits(2, 9, 12, 15, 18, 19, 20, 21, 22),
       ENTRY: bits(2, 9, 13, 14, 15), PROC2: bits(1, 2, 3, 5, 6, 7, 11, 12, 13, 16, 17, 20, 25),
       PROC: bits(2, 3, 7, 9, 10, 11, 12, 15, 16, 19, 20, 21, 22, 23, 24, 25, 27, 28, 29, 30, 31)}
VMX = [(0x480, 0x11e57ed0 | 0x1000 << 32 | 6 << 50 | bits(54, 55), True),
       (0x481, 0x16 | 0x7f << 32, False), (0x485, 5 | bits(5, 6, 8, 29, 30), True),
       (0x48c, bits(0, 6, 8, 14, 16, 17, 20, 21, 25, 26, 32, 40, 41, 42, 43), True),
       (0x491, bits(0), True)] + [(i, MUST[i] | (MUST[i] | MAY[i]) << 32, True) for i in sorted(MUST)]


class Table(dict):
    """(leaf, subleaf) -> [eax, ebx, ecx, edx]"""

    def put(self, leaf, a=0, b=0, c=0, d=0, sub=0):
        self[leaf, sub] = [a, b, c, d]

    def change(self, leaf, reg, on=0, off=0, sub=0):
        row = self[leaf, sub]
        row['abcd'.index(reg)] = row['abcd'.index(reg)] & ~off | on

    def copy(self):
        return Table({k: list(v) for k, v in self.items()})

    def rows(self):
        return [{'leaf': hex(leaf), 'subleaf': hex(sub), 'flags': int(leaf in INDEXED),
                 'eax': hex(v[0]), 'ebx': hex(v[1]), 'ecx': hex(v[2]), 'edx': hex(v[3])}
                for (leaf, sub), v in sorted(self.items())]


def amd():
    """Zen-like, Linux 6.12: no HYPERVISOR, no TSC_DEADLINE, x87 bits clear."""
    t = Table()
    t.put(0x0, 0xd, *text4('AuthenticAMD'))
    t.put(0x1, 0x00830f10, 0x05010800, 0x76f83203, EDX_1)
    t.put(0x4)
    t.put(0x5)
    t.put(0x6, 0x4)
    # FSGSBASE TSC_ADJUST BMI1 AVX2 SMEP BMI2 RDSEED ADX SMAP CLFLUSHOPT CLWB SHA
    t.put(0x7, 0x0, bits(0, 1, 3, 5, 7, 8, 18, 19, 20, 23, 24, 29), bits(2, 22), 0)
    t.put(0xb, d=0x5)
    t.put(0xd, 0x7, 0x340, 0x340, 0x0)
    t.put(0xd, 0xf, 0x340, sub=1)
    t.put(0xd, 0x100, 0x240, sub=2)
    t.put(0x40000000, 0, *KVM_WORDS)
    t.put(0x40000001, PV_ALL)
    t.put(0x80000000, 0x80000021, *text4('AuthenticAMD'))
    # LAHF CMP_LEGACY SVM ABM SSE4A MISALIGNSSE 3DNOWPREFETCH
    t.put(0x80000001, 0x00830f10, 0, bits(0, 1, 2, 5, 6, 7, 8),
          EDX_1 & ALIASES | bits(11, 20, 22, 25, 26, 27, 29, 23, 24))
    for leaf in (0x80000002, 0x80000003, 0x80000004):
        t.put(leaf)
    t.put(0x80000005, 0xff40ff40, 0xff40ff40, 0x20080140, 0x20080140)
    t.put(0x80000006, 0x48006400, 0x68006400, 0x02006140, 0x00200140)
    t.put(0x80000007, d=bits(8))
    t.put(0x80000008, 0x3030, bits(0, 2, 12), 0, 0)
    t.put(0x8000000a, 1, 8, 0, bits(0, 3))
    t.put(0x8000001d, 0x4121, 0x01c0003f, 0x3f, 0, sub=0)
    t.put(0x8000001d, 0x4163, 0x03c0003f, 0x3fff, 1, sub=1)
    t.put(0x8000001d, sub=2)
    t.put(0x8000001e)
    t.put(0x80000021, bits(2, 6))
    return t


def amd_native():
    """What the CPU itself says: brand, MONITOR line, TOPOEXT, hints, MCE."""
    t = Table()
    t.put(0x1, 0x00830f10, 0x05100800, 0x7ef8320b, 0x178bfbff)
    t.put(0x5, 0x40, 0x40, 0x3, 0x11)
    t.put(0x7, 0x0, bits(0, 1, 3, 5, 6, 7, 8, 9, 13, 18, 19, 20, 23, 24, 29), bits(2, 22), bits(4))
    t.put(0x80000001, 0x00830f10, 0x40000000, bits(0, 1, 2, 5, 6, 7, 8, 22), 0x2fd3fbff)
    brand = b'Made-up AMD processor'.ljust(48, b'\0')
    for i in range(3):
        t.put(0x80000002 + i, *(int.from_bytes(brand[i * 16 + r * 4:][:4], 'little')
                                for r in range(4)))
    t.put(0x80000007, b=bits(0, 1), d=bits(8))
    return t


def new(t):
    """6.14 and later: HYPERVISOR and TSC_DEADLINE are reported."""
    t.change(0x1, 'c', HYPERVISOR | TSC_DEADLINE)
    t.change(0x40000000, 'a', 0x40000001)
    return t


def intel():
    """Server-like, Linux 6.18, AVX-512, leaf 4 and 0x1f, x87 bits set."""
    t = Table()
    t.put(0x0, 0x1f, *text4('GenuineIntel'))
    t.put(0x1, 0x000606a6, 0x07400800, 0x76fa3203 | HYPERVISOR | TSC_DEADLINE, 0x0f8bfbff)
    for sub, eax in enumerate((0x1c004121, 0x1c004122, 0x1c004143, 0x1c03c163, 0)):
        t.put(0x4, eax, 0x02c0003f if eax else 0, 0x3f if eax else 0, sub=sub)
    t.put(0x6, 0x4)
    t.put(0x7, 0x0, bits(0, 1, 3, 5, 6, 7, 8, 9, 10, 13, 16, 17, 18, 19, 20, 23, 24, 28, 30, 31),
          bits(1, 2), bits(4, 10, 26, 27, 29, 31))
    t.put(0xb, d=0x7)
    t.put(0xd, 0xe7, 0xa80, 0xa80, 0)
    t.put(0xd, 0xf, 0xa08, sub=1)
    t.put(0xd, 0x100, 0x240, sub=2)
    t.put(0xd, 0x40, 0x440, sub=5)
    t.put(0xd, 0x200, 0x480, sub=6)
    t.put(0xd, 0x400, 0x680, sub=7)
    t.put(0x1f, d=0x7)
    t.put(0x40000000, 0x40000001, *KVM_WORDS)
    t.put(0x40000001, PV_ALL)
    t.put(0x80000000, 0x80000008)
    t.put(0x80000001, 0, 0, bits(0, 5, 8), bits(11, 20, 26, 27, 29))
    for leaf in (0x80000002, 0x80000003, 0x80000004):
        t.put(leaf)
    t.put(0x80000006, c=0x01006040)
    t.put(0x80000007, d=bits(8))
    t.put(0x80000008, 0x392e, bits(9, 12, 14, 15))
    return t


def leaf6():
    """An old Intel CPU under an old kernel: the last basic leaf is 6, and that is empty."""
    t = Table()
    t.put(0x0, 0x6, *text4('GenuineIntel'))
    # SSE3 SSSE3 CX16 SSE4.1, and not even X2APIC
    t.put(0x1, 0x00010676, 0x00010800, bits(0, 9, 13, 19), EDX_1)
    t.put(0x2, 0x05b0b101, 0x005657f0, 0, 0x2cb43049)
    t.put(0x6)
    t.put(0x40000000, 0, *KVM_WORDS)
    t.put(0x40000001, PV_ALL)
    t.put(0x80000000, 0x80000008)
    t.put(0x80000001, 0, 0, bits(0), bits(11, 20, 29))
    t.put(0x80000008, 0x3026)
    return t


def amx(permitted):
    """AMX bits of leaf 7 do not depend on permission, leaf 0xD does (arch/x86/kvm/cpuid.c)."""
    t = intel()
    t.change(0x7, 'd', bits(22, 24, 25))
    t.put(0x1d, 1, sub=0)
    t.put(0x1d, 0x04002000, 0x00080040, 0x10, sub=1)
    t.put(0x1e, 0, 0x4010)
    if permitted:
        t.put(0xd, 0x600e7, 0x2b00, 0x2b00, 0)
        t.put(0xd, 0x1f, 0x2988, sub=1)
        t.put(0xd, 0x40, 0xac0, 0x2, sub=17)
        t.put(0xd, 0x2000, 0xb00, 0x6, sub=18)
    return t


def trial(t, forced_on=(), forced_off=()):
    """What comes back from tables of zeros, ones and a bare one; forced: (leaf, sub, reg, bits)."""
    out = {}
    for name, fill in (('zeros', 0), ('ones', 0xffffffff), ('bare', 0)):
        back = t.copy()
        if name == 'bare':  # only maxima and feature words
            back = Table({k: v for k, v in back.items()
                          if k in FEATURE_WORDS or k[0] & 0x0fffffff == 0})
        for (leaf, sub), regs in FEATURE_WORDS.items():
            for r in regs if (leaf, sub) in back else '':
                back[leaf, sub]['abcd'.index(r)] = fill
        for leaf, sub, reg, on in forced_on:
            back.change(leaf, reg, on, sub=sub)
        for leaf, sub, reg, off in forced_off:
            back.change(leaf, reg, 0, off, sub=sub)
        out[name] = back.rows()
    return {'enforce_pv_errno': 0, **out}


def old_kernel(t):
    """6.1 knows nothing of the L1 caches of AMD."""
    t.put(0x80000005)
    return t


def haswell(signature):
    """TSX offered, whatever the stepping."""
    t = intel()
    t[0x1, 0][0] = signature
    t.change(0x7, 'b', bits(4, 11))
    return t


def no_state():
    """AVX, AVX-512, MPX and PKU offered, and only x87 and SSE state to go with them."""
    t = intel()
    t.change(0x7, 'b', bits(14))
    t.change(0x7, 'c', bits(3))
    t.put(0xd, 0x3, 0x240, 0x240, 0)
    for sub in (2, 5, 6, 7):
        del t[0xd, sub]
    return t


def pmu():
    t = intel()
    t.change(0x1, 'c', bits(15))
    t.put(0xa, 0x08300802, 0, 0, 0x8603)
    return t


def x86(name, kernel, supported, native=None, caps=None, msrs=(), xcomp=None, tried=None, mce=None):
    caps = sorted((n, v) for n, v in {**X86_CAPS, **(caps or {})}.items() if v)
    ebx, ecx, edx = supported[0, 0][1:]
    vendor = b''.join(w.to_bytes(4, 'little') for w in (ebx, edx, ecx)).decode()
    doc = {'schema': 'guestcpu.snapshot', 'version': 1, 'arch': 'x86', 'name': name,
           'host': {'vendor': vendor, 'cpu': 'made up', 'microcode': '0x1', 'kernel': kernel,
                    'module': 'kvm_amd' if vendor == 'AuthenticAMD' else 'kvm_intel',
                    'parameters': []},
           'capabilities': {'system': caps, 'vm': caps},
           'cpuid': {'supported': supported.rows(), 'emulated': [], 'hyperv': [],
                     'native': (native or Table()).rows(), 'varies': []},
           'msrs': {'index': [], 'features': [
               {'index': hex(i), 'value': hex(v), 'accepted': ok} for i, v, ok in msrs]},
           'tsc': {'khz': 2000000}, 'xcomp': xcomp or {}}
    if mce is not None:
        doc['mce'] = {'supported': hex(mce)}
    if tried:
        doc['trial'] = tried
    return doc


def odd_hosts():
    """Hosts that offer what cannot be, and those with a rare offer."""
    fresh = new(amd())
    yield x86('intel-no-state', '6.18', no_state())
    doc = x86('computed', '6.18', intel())
    doc['origin'], doc['assumed'] = 'computed', [{'what': 'kvm_intel.nested', 'value': '1', 'why': 'on by default'}]
    yield doc
    t = intel()
    t.change(0x7, 'b', bits(2))
    t.change(0x7, 'c', bits(30))
    t.put(0x12, 0x3, 0x1, 0, 0x241f, sub=0)
    t.put(0x12, 0x36, 0, 0xe7, 0, sub=1)
    yield x86('intel-sgx', '6.18', t)
    t = intel()
    for leaf in (0x80000002, 0x80000003, 0x80000004):
        del t[leaf, 0]
    yield x86('no-brand', '6.18', t)
    t = amx(True)
    for sub in (0, 1):
        del t[0x1d, sub]
    yield x86('amx-no-palette', '6.18', t, xcomp={'supported': '0x600e7', 'permitted': '0x600e7'})
    yield x86('intel-no-mds', '6.18', intel(), msrs=[(0x10a, bits(5, 8, 13, 14, 15), True)])
    t, native = old_kernel(amd()), amd_native()
    native.put(0x80000005, 0xff40ff40, 0xff40ff40, 0x20080140, 0x20080140)
    yield x86('amd-no-l1', '6.1', t, native)
    t = intel()
    t.put(0xd)
    t.put(0xd, sub=1)
    for sub in (2, 5, 6, 7):
        del t[0xd, sub]
    yield x86('xsave-no-state', '6.18', t)
    t = intel()
    for sub in range(4, 300):
        t.put(0x4, 0x1c03c163, 0x02c0003f, 0x3f, sub=sub)
    yield x86('many-caches', '6.18', t)
    t = intel()
    t.put(0x80000008, 0x39ff)
    yield x86('phys-255', '6.18', t)
    # i7-4770 (6/60/3), E5-2600 v3 of steppings 2 and 4 (6/63), i5-4200U (6/69), i7-4950HQ (6/70)
    for name, signature in (('hsw', 0x306c3), ('hsx-2', 0x306f2), ('hsx-4', 0x306f4),
                            ('hsw-ult', 0x40651), ('hsw-gt3', 0x40661)):
        yield x86('intel-' + name, '6.18', haswell(signature))
    for name, lacks, sub in (('hi256', 6, 6), ('hi16', 7, 7)):
        t = intel()
        t.change(0xd, 'a', 0, bits(lacks))
        del t[0xd, sub]
        yield x86('intel-no-' + name, '6.18', t)
    t = no_state()
    t.change(0xd, 'a', bits(3))
    t.put(0xd, 0x40, 0x3c0, sub=3)
    yield x86('intel-no-bndcsr', '6.18', t)
    # KVM makes up ARCH_CAPABILITIES on AMD
    t = fresh.copy()
    t.change(0x7, 'd', bits(29))
    yield x86('amd-arch-caps', '6.18', t, amd_native(), msrs=[(0x10a, 0x48, True)])
    t = Table()
    t.put(0x7, d=bits(15))
    yield x86('intel-hybrid', '6.18', intel(), t)
    # MCG_CTL_P, SER_P and LMCE_P, 32 banks; and the TSC can be scaled
    yield x86('intel-pmu', '6.18', pmu(), caps={TSC_CONTROL: 1, PMU_CAPABILITY: 1}, mce=0x9000120)


def x86_hosts():
    old, fresh = amd(), new(amd())
    yield x86('amd-old', '6.12', old, amd_native())
    yield x86('amd-new', '6.18', fresh, amd_native(), {DISABLE_EXITS: 0x1f})
    yield x86('intel-new', '6.18', intel(), msrs=[(0x10a, 0x4c0000a9, True), (0xce, 1 << 31, True)])
    yield x86('intel-msr-refused', '6.18', intel(), msrs=[(0x10a, 0x4c0000a9, False)])
    # RDCL_NO RSBA SSB_NO MDS_NO of ARCH_CAPABILITIES; LBR format 5, precise samples of
    # format 4 and full width writes of PERF_CAPABILITIES, with PDCM, DTES64 and DS
    t = intel()
    t.change(0x1, 'c', bits(2, 15))
    t.change(0x1, 'd', bits(21))
    yield x86('intel-msrs', '6.18', t, msrs=[
        (0x8b, 0x490 << 32, True), (0xce, 1 << 31, True), (0x10a, bits(0, 2, 4, 5), True),
        (0x345, bits(6, 7, 13) | 4 << 8 | 5, True)])
    # A nested VMX as kvm_intel makes it: true control MSRs, EPT and VPID
    t = intel()
    t.change(0x1, 'c', bits(5))
    yield x86('intel-vmx', '6.18', t, msrs=VMX)
    yield x86('intel-leaf6', '6.1', leaf6())
    yield x86('no-enforce', '5.9', old, caps={ENFORCE_PV: 0})
    yield x86('no-deadline-cap', '6.12', old, caps={TSC_DEADLINE_TIMER: 0})
    yield x86('no-vmm-caps', '6.12', old, caps={EXIT_HYPERCALL: 0, USER_SPACE_MSR: 0})
    yield x86('exits-0xe', '6.18', fresh, amd_native(), {DISABLE_EXITS: 0xe})
    yield x86('exits-pause-only', '6.18', fresh, amd_native(), {DISABLE_EXITS: 0x4})
    yield x86('exits-none', '4.16', old, amd_native(), {DISABLE_EXITS: 0})

    t = old.copy()
    t.put(0x40000001, 0x01007edb)
    yield x86('no-steal-time', '6.12', t)

    # before KVM dropped it, MMU_OP (bit 2) was offered
    t = old.copy()
    t.put(0x40000001, PV_ALL | bits(2))
    yield x86('mmu-op', '2.6.35', t)

    # leaf 0x25, bit 0 of 7.0.EDX and bit 18 of the KVM features: in no table
    t = fresh.copy()
    t.change(0x0, 'a', 0x25, 0xff)
    t.put(0x25, 0x11, 0x22, 0x33, 0x44)
    t.change(0x7, 'd', bits(0))
    t.change(0x40000001, 'a', bits(18))
    yield x86('unknown', '99.0', t)

    # LA57 is offered and then cleared; SSE4.2 and AVX2 stay whatever the table says
    t = fresh.copy()
    t.change(0x7, 'c', bits(16))
    yield x86('forced', '6.18', t, tried=trial(t, [(0x1, 0, 'c', bits(20)), (0x7, 0, 'b', bits(5))],
                                               [(0x7, 0, 'c', bits(16))]))

    # children without parents: AVX2 without AVX, FMA and F16C too; TLB flush without
    # steal time; async page fault interrupt without async page faults
    t = fresh.copy()
    t.change(0x1, 'c', 0, AVX)
    t.put(0x40000001, PV_ALL & ~bits(4, 5))
    yield x86('orphans', '6.18', t)

    yield x86('amx', '6.18', amx(True), msrs=[(0x10a, 0x4c0000a9, True)],
              xcomp={'supported': '0x600e7', 'permitted': '0x600e7'})
    yield x86('amx-no-xcr0', '6.18', amx(False), xcomp={'supported': '0xe7', 'permitted': '0xe7'})
    yield x86('amx-not-permitted', '6.18', amx(False), amx(True),
              xcomp={'supported': '0x600e7', 'permitted': '0xe7'})
    yield x86('small', '6.18', fresh, caps={MAX_VCPUS: 8, MAX_VCPU_ID: 6})


def lines(value, depth=0):
    """JSON with one row of a table per line."""
    pad = ' ' * (depth + 1)
    if isinstance(value, dict) and depth < 2:
        inner = [f'{pad}{json.dumps(k)}: {lines(v, depth + 1)}' for k, v in value.items()]
        return '{\n' + ',\n'.join(inner) + '\n' + ' ' * depth + '}' if inner else '{}'
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return '[\n' + ',\n'.join(pad + json.dumps(v) for v in value) + '\n' + ' ' * depth + ']'
    return json.dumps(value)


def documents():
    for doc in [*x86_hosts(), *odd_hosts(), *arm64_hosts()]:
        yield doc['name'] + '.json', lines(doc) + '\n'
    for name, doc in fingerprints():
        yield name + '.json', json.dumps(doc, indent=1) + '\n'


def check():
    bad = 0
    want = dict(documents())
    have = {p.name: p.read_text() for p in (HERE / 'hosts').glob('*.json')}
    for name in sorted(want.keys() | have.keys()):
        if want.get(name) != have.get(name):
            print(f'hosts/{name}: not what make_hosts.py writes')
            bad = 1
    return bad


def main(argv):
    if argv == ['--check']:
        return check()
    if len(argv) > 1 or argv and argv[0].startswith('-'):
        print(__doc__.split('\n\n')[1], file=sys.stderr)
        return 2
    out = pathlib.Path(argv[0]) if argv else HERE / 'hosts'
    out.mkdir(exist_ok=True)
    for name, text in documents():
        (out / name).write_text(text)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

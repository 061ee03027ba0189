# SPDX-License-Identifier: MIT
"""Made-up arm64 hosts for cases.txt; make_hosts.py writes them."""

EINVAL, ENODEV = 22, 19
PSCI_0_2, PMU_V3, SVE, PTRAUTH_ADDRESS, PTRAUTH_GENERIC, HAS_EL2 = 2, 3, 4, 5, 6, 7
SVE_VLS = 0x606000000015ffff

REGISTERS = {  # name: (op1, CRm, op2)
    'MIDR_EL1': (0, 0, 0), 'MPIDR_EL1': (0, 0, 5), 'REVIDR_EL1': (0, 0, 6),
    'ID_DFR0_EL1': (0, 1, 2), 'ID_MMFR0_EL1': (0, 1, 4), 'ID_ISAR5_EL1': (0, 2, 5), 'S3_0_C0_C4_3': (0, 4, 3),
    'ID_AA64FPFR0_EL1': (0, 4, 7),
    'ID_AA64PFR0_EL1': (0, 4, 0), 'ID_AA64PFR1_EL1': (0, 4, 1), 'ID_AA64ZFR0_EL1': (0, 4, 4),
    'ID_AA64PFR2_EL1': (0, 4, 2), 'ID_AA64ISAR2_EL1': (0, 6, 2), 'ID_AA64ISAR3_EL1': (0, 6, 3),
    'ID_AA64DFR0_EL1': (0, 5, 0), 'ID_AA64ISAR0_EL1': (0, 6, 0), 'ID_AA64ISAR1_EL1': (0, 6, 1),
    'ID_AA64MMFR0_EL1': (0, 7, 0), 'ID_AA64MMFR1_EL1': (0, 7, 1), 'ID_AA64MMFR2_EL1': (0, 7, 2),
    'CTR_EL0': (3, 0, 1),
}


def register_id(name):
    op1, crm, op2 = REGISTERS[name]
    return 0x6030000000130000 | 3 << 14 | op1 << 11 | crm << 3 | op2


# What 6.12 lets user space write (arch/arm64/kvm/sys_regs.c, cpufeature.c): field, lowest bit,
# width, rule. LOWER and HIGHER compare with the limit, SIGNED is LOWER with 0xf below 0. What
# is not here must stay as it is.
LOWER, HIGHER, SIGNED, EXACT = 'lower', 'higher', 'signed', 'exact'
WRITABLE_612 = {
    'ID_AA64PFR0_EL1': [('CSV3', 60, LOWER), ('CSV2', 56, LOWER), ('DIT', 48, LOWER),
                        ('SEL2', 36, LOWER), ('GIC', 24, LOWER), ('EL3', 12, LOWER),
                        ('EL2', 8, LOWER), ('EL1', 4, LOWER), ('EL0', 0, LOWER)],
    'ID_AA64PFR1_EL1': [('SSBS', 4, LOWER), ('BT', 0, LOWER)],
    'ID_AA64ZFR0_EL1': [(n, lsb, LOWER) for n, lsb in (
        ('F64MM', 56), ('F32MM', 52), ('I8MM', 44), ('SM4', 40), ('SHA3', 32), ('B16B16', 24),
        ('BF16', 20), ('BitPerm', 16), ('AES', 4), ('SVEver', 0))],
    'ID_AA64DFR0_EL1': [('DoubleLock', 36, SIGNED), ('WRPs', 20, LOWER), ('PMUVer', 8, LOWER),
                        ('DebugVer', 0, LOWER)],
    'ID_AA64ISAR0_EL1': [(n, lsb, LOWER) for n, lsb in (
        ('RNDR', 60), ('TLB', 56), ('TS', 52), ('FHM', 48), ('DP', 44), ('SM4', 40), ('SM3', 36),
        ('SHA3', 32), ('RDM', 28), ('ATOMIC', 20), ('CRC32', 16), ('SHA2', 12), ('SHA1', 8),
        ('AES', 4))],
    'ID_AA64ISAR1_EL1': [(n, lsb, LOWER) for n, lsb in (
        ('LS64', 60), ('XS', 56), ('I8MM', 52), ('DGH', 48), ('BF16', 44), ('SPECRES', 40),
        ('SB', 36), ('FRINTTS', 32), ('LRCPC', 20), ('FCMA', 16), ('JSCVT', 12), ('DPB', 0))],
    'ID_AA64MMFR0_EL1': [(n, lsb, LOWER) for n, lsb in (
        ('ECV', 60), ('FGT', 56), ('EXS', 44), ('TGRAN16', 20), ('BIGENDEL0', 16), ('SNSMEM', 12),
        ('BIGEND', 8), ('ASIDBITS', 4), ('PARANGE', 0))] + [('TGRAN4', 28, SIGNED),
                                                          ('TGRAN64', 24, SIGNED)],
    'ID_AA64MMFR1_EL1': [(n, lsb, LOWER) for n, lsb in (
        ('ECBHB', 60), ('TIDCP1', 52), ('AFP', 44), ('ETS', 36), ('PAN', 20), ('LO', 16),
        ('HPDS', 12), ('HAFDBS', 0))] + [('SpecSEI', 24, HIGHER)],
    'ID_AA64MMFR2_EL1': [(n, lsb, LOWER) for n, lsb in (
        ('E0PD', 60), ('BBM', 52), ('TTL', 48), ('AT', 32), ('ST', 28), ('VARange', 16),
        ('IESB', 12), ('LSM', 8), ('UAO', 4), ('CnP', 0))],
    'CTR_EL0': [('DIC', 29, LOWER), ('IDC', 28, LOWER), ('DminLine', 16, LOWER),
                ('IminLine', 0, LOWER)],
    'ID_DFR0_EL1': [('PerfMon', 24, LOWER), ('CopDbg', 0, LOWER)],
    'ID_MMFR0_EL1': [('InnerShr', 28, SIGNED), ('VMSA', 0, LOWER)],
    'ID_ISAR5_EL1': [('SHA2', 12, LOWER), ('SHA1', 8, LOWER), ('AES', 4, LOWER)],
    'ID_AA64FPFR0_EL1': [('F8E4M3', 1, EXACT), ('F8E5M2', 0, EXACT)],
}
WIDTH = {'DIC': 1, 'IDC': 1, 'F8E4M3': 1, 'F8E5M2': 1}
LEAST = {('ID_DFR0_EL1', 'CopDbg'): 6, ('ID_AA64DFR0_EL1', 'DebugVer'): 6, ('ID_AA64PFR0_EL1', 'EL0'): 1,
         ('ID_AA64PFR0_EL1', 'EL1'): 1}
# 7.1.5 lets more be written; only its masks are of use here, its hosts are untried.
WRITABLE_71 = {
    **WRITABLE_612,
    'ID_AA64PFR0_EL1': WRITABLE_612['ID_AA64PFR0_EL1'] + [('RAS', 28, LOWER)],
    'ID_AA64PFR1_EL1': WRITABLE_612['ID_AA64PFR1_EL1'] + [('RAS_frac', 12, LOWER), ('DF2', 56, LOWER)],
    'ID_AA64PFR2_EL1': [('FPMR', 32, LOWER)],
    'ID_AA64FPFR0_EL1': [(n, lsb, LOWER) for n, lsb in (('F8CVT', 31), ('F8FMA', 30), ('F8DP4', 29), ('F8DP2', 28),
                                                       ('F8MM8', 27), ('F8MM4', 26), ('F8E4M3', 1), ('F8E5M2', 0))],
    'ID_AA64ISAR2_EL1': [(n, lsb, LOWER) for n, lsb in (('LUT', 56), ('CSSC', 52), ('RPRFM', 48), ('CLRBHB', 28),
                                                        ('BC', 20), ('MOPS', 16), ('RPRES', 4), ('WFxT', 0))],
    'ID_AA64ISAR3_EL1': [(n, lsb, LOWER) for n, lsb in (('FPRCVT', 28), ('LSUI', 24), ('LSFE', 16), ('FAMINMAX', 4))],
    'ID_AA64MMFR0_EL1': WRITABLE_612['ID_AA64MMFR0_EL1'] + [('TGRAN4_2', 40, LOWER), ('TGRAN64_2', 36, LOWER),
                                                            ('TGRAN16_2', 32, LOWER)],
}
WRITABLE_61 = {'ID_AA64PFR0_EL1': [('CSV3', 60, LOWER), ('CSV2', 56, LOWER)]}


def writable_mask(rules, name):
    mask = 0
    for field, lsb, _ in rules.get(name, []):
        mask |= ((1 << WIDTH.get(field, 4)) - 1) << lsb
    return mask


def takes(rules, name, limit, value):
    """0, or the errno of KVM_SET_ONE_REG."""
    if (limit ^ value) & ~writable_mask(rules, name):
        return EINVAL
    for field, lsb, rule in rules.get(name, []):
        width = WIDTH.get(field, 4)
        new, old = (v >> lsb & (1 << width) - 1 for v in (value, limit))
        if rule == SIGNED:
            new, old = ((v ^ 8) - 8 for v in (new, old))
        if new != old and (new > old if rule != HIGHER else new < old):
            return EINVAL
        if rule == EXACT and new not in (old, 0):
            return EINVAL
        if (name, field) == ('ID_DFR0_EL1', 'PerfMon') and new in (1, 2):
            return EINVAL
        if new < LEAST.get((name, field), new):
            return EINVAL
    return 0


# Registers of the firmware, hypercalls.c: id, value at first, bits that are taken.
PSCI, WORKAROUND, BMAP = 0x6030000000140000, 0x6030000000140001, 0x6030000000160000


def firmware(kernel):
    old = kernel == '6.1' or kernel == '6.12'
    yield PSCI, 0x10001 if old else 0x10003, 0
    for number, level in enumerate((2, 3, 2)):
        yield WORKAROUND + number, level, 0
    for number, bits in enumerate((1, 1, 3)):
        yield BMAP + number, bits, bits
    if not old:
        yield BMAP + 3, 0, 3


def firmware_nibbles(kernel):
    for reg, value, bits in firmware(kernel):
        if reg < BMAP:
            continue
        for lsb in range(0, 64, 4):
            taken = sum(1 << v for v in range(16) if (value & ~(15 << lsb) | v << lsb) & ~bits == 0)
            yield {'id': hex(reg), 'lsb': lsb, 'accepted': hex(taken), 'changed': '0x0',
                   'errno': 0 if taken == 0xffff else EINVAL}


def nibbles(rules, values):
    out = []
    for name in sorted(values, key=register_id):
        if name in ('MIDR_EL1', 'MPIDR_EL1', 'REVIDR_EL1'):
            continue
        for lsb in range(0, 64, 4):
            accepted = changed = error = 0
            for v in range(16):
                want = values[name] & ~(15 << lsb) | v << lsb
                # PMUVer and PerfMon 0xf are taken and turned into 0
                turned = (name, lsb, v) in (('ID_AA64DFR0_EL1', 8, 15), ('ID_DFR0_EL1', 24, 15)) and rules is WRITABLE_612
                status = 0 if turned else takes(rules, name, values[name], want)
                accepted |= (not status and not turned) << v
                changed |= turned << v
                error = error or status
            out.append({'id': hex(register_id(name)), 'lsb': lsb, 'accepted': hex(accepted),
                        'changed': hex(changed), 'errno': error,
                        **({'read': [[15, 0]]} if changed else {})})
    return out


def word(**fields):
    """a8=2 puts 2 at bit 8."""
    out = 0
    for key, v in fields.items():
        out |= v << int(key[1:])
    return out


FULL = {
    'MIDR_EL1': 0x411fd401, 'MPIDR_EL1': 0x80000000, 'REVIDR_EL1': 0,
    # EL0 2 (AArch32 too), EL1 to EL3 1, FP and AdvSIMD 1, GIC 1, SVE 1, DIT 1, CSV2 1, CSV3 1
    'ID_AA64PFR0_EL1': word(a0=2, a4=1, a8=1, a12=1, a16=1, a20=1, a24=1, a32=1, a48=1, a56=1,
                            a60=1),
    'ID_AA64PFR1_EL1': word(a0=1, a4=2),
    # SVE2, AES with PMULL, BitPerm, BF16, SHA3, I8MM
    'ID_AA64ZFR0_EL1': word(a0=1, a4=2, a16=1, a20=1, a32=1, a44=1),
    # DebugVer 9, PMUVer 5, 6 breakpoints, 4 watchpoints, no DoubleLock
    'ID_AA64DFR0_EL1': word(a0=9, a8=5, a12=5, a20=3, a28=1, a36=0xf),
    # AES 2, SHA1, SHA2 2, CRC32, ATOMIC 2, RDM, SHA3, DP, FHM, TS 2, TLB 2, RNDR
    'ID_AA64ISAR0_EL1': word(a4=2, a8=1, a12=2, a16=1, a20=2, a28=1, a32=1, a44=1, a48=1, a52=2,
                             a56=2, a60=1),
    # DPB 2, APA 1, JSCVT, FCMA, LRCPC 2, GPA 1, FRINTTS, SB, SPECRES, BF16, I8MM
    'ID_AA64ISAR1_EL1': word(a0=2, a4=1, a12=1, a16=1, a20=2, a24=1, a32=1, a36=1, a40=1, a44=1,
                             a52=1),
    # PARange 5, ASID 16, BigEnd, SNSMem, TGran16 1, TGran64 and TGran4 0
    'ID_AA64MMFR0_EL1': word(a0=5, a4=2, a8=1, a12=1, a20=1),
    # HAFDBS 2, VMID 16, VH, HPDS, LO, PAN 2, SpecSEI 1, XNX
    'ID_AA64MMFR1_EL1': word(a0=2, a4=2, a8=1, a12=1, a16=1, a20=2, a24=1, a28=1),
    # CnP, UAO, IESB, ST, AT, IDS, FWB, TTL, BBM 2, E0PD
    'ID_AA64MMFR2_EL1': word(a0=1, a4=1, a12=1, a28=1, a32=1, a36=1, a40=1, a48=1, a52=2, a60=1),
    # lines 4, PIPT, ERG and CWG 4, IDC, DIC, RES1
    'CTR_EL0': word(a0=4, a14=3, a16=4, a20=4, a24=4, a28=1, a29=1, a31=1),
}
# With AArch32: PMUv3p5, debug 9, VMSAv7 with long descriptors, InnerShr 1, AES 2, SHA; and FP8's formats.
AARCH32 = {**FULL, 'ID_DFR0_EL1': word(a0=9, a24=6), 'ID_MMFR0_EL1': word(a0=5, a28=1),
           'ID_ISAR5_EL1': word(a4=2, a8=1, a12=1), 'ID_AA64FPFR0_EL1': word(a0=1, a1=1), 'S3_0_C0_C4_3': 0}
ARM_CAPS = {66: 512, 70: 1, 87: 1, 102: 1, 126: 1, 165: 48, 170: 1, 171: 1, 172: 1, 230: 1}


def arm64(name, kernel, rules, values, refused=(), vls=0xf, caps=None, also=(), tried=True, devices=()):
    """REFUSED: VCPU_INIT bits this host lacks. ALSO: opt-in bits it has."""
    caps = sorted((n, v) for n, v in {**ARM_CAPS, **(caps or {})}.items() if v)
    inits, full = [], 0
    for bit in (PSCI_0_2, PMU_V3, SVE, PTRAUTH_ADDRESS, PTRAUTH_GENERIC) + tuple(also):
        has = bit not in refused
        if bit in (PTRAUTH_ADDRESS, PTRAUTH_GENERIC):
            inits.append({'features': hex(1 << bit), 'errno': EINVAL})
            both = 1 << PTRAUTH_ADDRESS | 1 << PTRAUTH_GENERIC
            inits.append({'features': hex(both), 'errno': 0 if has else EINVAL})
            full |= both if has else 0
            continue
        inits.append({'features': hex(1 << bit), 'errno': 0 if has else EINVAL})
        full |= has << bit if bit not in also else 0
    registers = []
    for reg in sorted(values, key=register_id):
        entry = {'id': hex(register_id(reg)), 'value': [hex(values[reg])]}
        if caps and dict(caps).get(230):
            entry['mask'] = hex(writable_mask(rules, reg))
        registers.append(entry)
    registers += [{'id': hex(reg), 'value': [hex(value)]} for reg, value, _ in firmware(kernel)]
    if SVE not in refused:
        registers.append({'id': hex(SVE_VLS), 'value': [hex(vls)] + ['0x0'] * 7})
    doc = {'schema': 'guestcpu.snapshot', 'version': 1, 'arch': 'arm64', 'name': name,
           'host': {'vendor': '0x41', 'cpu': 'made up', 'kernel': kernel, 'module': 'built in',
                    'parameters': []},
           'capabilities': {'system': caps, 'vm': caps},
           'devices': [{'type': t, 'errno': e} for t, e in devices],
           'vcpu_init': {'target': 5, 'features': hex(full), 'tried': inits},
           'registers': registers}
    if tried:
        doc['trial'] = {'nibbles': nibbles(rules, values) + list(firmware_nibbles(kernel))}
    return doc


def changed(name, clear, put=0, base=None):
    values = dict(base or FULL)
    values[name] = values[name] & ~clear | put
    return values


def fingerprint(name, kernel, values, features=()):
    """What Firecracker's cpu-template-helper writes of a guest: registers as 128 binary digits."""
    registers = {register_id(reg): values[reg] for reg in values}
    # X0 and the virtual counter are no description of a CPU
    registers.update({0x6030000000100000: 7, 0x603000000013df1a: 12345})
    bits = [{'addr': hex(reg), 'bitmap': f'0b{registers[reg]:0128b}'} for reg in sorted(registers)]
    return name, {'firecracker_version': '1.16.0-dev', 'kernel_version': kernel, 'microcode_version': '0x1',
                  'bios_version': '1.0', 'bios_revision': '1.0',
                  'guest_cpu_config': {'kvm_capabilities': [], 'vcpu_features': list(features),
                                       'reg_modifiers': bits}}


def fingerprints():
    v = changed('ID_AA64PFR0_EL1', 0xf << 32)
    v.update({'ID_AA64ZFR0_EL1': 0, 'ID_AA64DFR0_EL1': FULL['ID_AA64DFR0_EL1'] & ~0xf00})
    yield fingerprint('arm-fingerprint', '6.1.172', {**v, 'ID_AA64ISAR1_EL1': v['ID_AA64ISAR1_EL1'] & ~0xf0000f0})
    yield fingerprint('arm-fingerprint-pac', '6.18', {**v, 'ID_AA64PFR0_EL1': FULL['ID_AA64PFR0_EL1']},
                      [{'index': 0, 'bitmap': '0b111xxxx'}])


def arm64_hosts():
    yield arm64('arm-6.12', '6.12', WRITABLE_612, FULL)
    yield arm64('arm-6.12-untried', '6.12', WRITABLE_612, FULL, tried=False)
    # 6.1: no masks, DebugVer 6, only CSV2 and CSV3 can be lowered
    yield arm64('arm-6.1', '6.1', WRITABLE_61, changed('ID_AA64DFR0_EL1', 0xf, 6), caps={230: 0})
    v = changed('ID_AA64PFR0_EL1', 0xf << 32)
    v['ID_AA64ZFR0_EL1'] = 0
    yield arm64('arm-no-sve', '6.12', WRITABLE_612, v, [SVE], caps={170: 0})
    yield arm64('arm-no-pmu', '6.12', WRITABLE_612, changed('ID_AA64DFR0_EL1', 0xf << 8), [PMU_V3],
                caps={126: 0})
    v = changed('ID_AA64ISAR1_EL1', 0xf << 4 | 0xf << 24)
    yield arm64('arm-no-pauth', '6.12', WRITABLE_612, v, [PTRAUTH_ADDRESS, PTRAUTH_GENERIC],
                caps={171: 0, 172: 0})
    # a GICv2 in hardware: no system register interface to be had
    yield arm64('arm-gicv2', '6.12', WRITABLE_612, changed('ID_AA64PFR0_EL1', 0xf << 24),
                devices=((5, 0), (7, ENODEV)))
    yield arm64('arm-all', '7.1', WRITABLE_612, FULL, also=(1, HAS_EL2),
                caps={93: 1, 205: 1, 240: 1})
    yield arm64('arm-aarch32', '6.12', WRITABLE_612, AARCH32)
    yield arm64('arm-aarch32-untried', '6.12', WRITABLE_612, AARCH32, tried=False)
    # what more than one field tells; untried, as a kernel that lets all of it be written
    v = dict(FULL)
    # TGran4 1 and 16 2 have 52 bits, and at stage 2 3 and 3; 64 KiB there is as at stage 1
    v['ID_AA64MMFR0_EL1'] = word(a0=6, a4=2, a8=1, a12=1, a20=2, a28=1, a32=3, a40=3)
    v['ID_AA64MMFR1_EL1'] &= ~(0xf << 24)
    v['ID_AA64MMFR2_EL1'] |= 1 << 16
    yield arm64('arm-lpa2', '7.1', WRITABLE_71, v, tried=False)
    v = dict(v, ID_AA64MMFR0_EL1=word(a0=6, a4=2, a8=1, a12=1, a20=1, a28=1, a40=3))
    yield arm64('arm-lpa2-4k', '7.1', WRITABLE_71, v, tried=False)
    v = changed('ID_AA64PFR1_EL1', 0, 1 << 12)
    v['ID_AA64PFR0_EL1'] |= 1 << 28
    yield arm64('arm-ras-frac', '7.1', WRITABLE_71, v, tried=False)
    yield arm64('arm-ras', '7.1', WRITABLE_71, changed('ID_AA64PFR0_EL1', 0, 2 << 28), tried=False)
    yield arm64('arm-el1-32', '6.12', WRITABLE_612, changed('ID_AA64PFR0_EL1', 0xf0, 0x20))
    # all of FP8, by itself
    yield arm64('arm-fp8', '7.1', WRITABLE_71, {**AARCH32, 'ID_AA64FPFR0_EL1': word(a0=1, a1=1, a29=1, a30=1, a31=1),
                'ID_AA64PFR2_EL1': word(a32=1), 'ID_AA64ISAR2_EL1': word(a56=1), 'ID_AA64ISAR3_EL1': word(a4=1)}, tried=False)
    # a register that nobody has described yet
    yield arm64('arm-newer', '99.0', WRITABLE_612, {**AARCH32, 'S3_0_C0_C4_3': 0x21})
    # big and little
    two = arm64('arm-cores', '6.12', WRITABLE_612, FULL)
    two['host']['cores'] = [{'midr': '0x411fd401', 'cpus': 2}, {'midr': '0x410fd034', 'cpus': 4}]
    yield two
    # a probe that saw tagging: PFR1.MTE 2
    yield arm64('arm-mte', '6.12', WRITABLE_612, changed('ID_AA64PFR1_EL1', 0, 2 << 8),
                caps={205: 1})
    # PFR1[23:20] is reserved: a field of the future
    yield arm64('arm-unknown', '99.0', WRITABLE_612, changed('ID_AA64PFR1_EL1', 0, 1 << 20))


# --- writing -----------------------------------------------------------------

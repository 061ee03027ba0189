#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the rows of cases.txt through the command, on any machine.

    run.py GUESTCPU DATA [ID...]

A row says which host, what is asked for and what must come of it; cases.txt
explains the words. Every rule of data/*/rules.txt must be named by some row
(finding:, why: or unavailable:...=RULE) or stand in UNTESTED with a reason.
"""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
LEAST_ROWS = 120

# What a source may be. Anything else in the last column is refused.
SOURCES = {
    'api.rst': 'Linux Documentation/virt/kvm/api.rst',
    'errata.rst': 'Linux Documentation/virt/kvm/x86/errata.rst',
    'cpuid.rst': 'Linux Documentation/virt/kvm/x86/cpuid.rst',
    'msr.rst': 'Linux Documentation/virt/kvm/x86/msr.rst',
    'hypercalls.rst': 'Linux Documentation/virt/kvm/x86/hypercalls.rst',
    'vcpu-features.rst': 'Linux Documentation/virt/kvm/arm/vcpu-features.rst',
    'vcpu.rst': 'Linux Documentation/virt/kvm/devices/vcpu.rst',
    'xstate.rst': 'Linux Documentation/arch/x86/xstate.rst',
    'mail': 'P. Bonzini on "KVM: x86: CPUID overhaul, fixes, and caching", 2024-05-17',
    'kvm-pv.rst': 'QEMU docs/system/i386/kvm-pv.rst',
    'qemu': 'QEMU target/i386, -cpu grammar and properties',
    'cpuid.c': 'Linux arch/x86/kvm/cpuid.c',
    'x86.c': 'Linux arch/x86/kvm/x86.c',
    'lapic.c': 'Linux arch/x86/kvm/lapic.c',
    'io_apic.h': 'Linux arch/x86/include/asm/io_apic.h, struct IO_APIC_route_entry',
    'vmx.c': 'Linux arch/x86/kvm/vmx/vmx.c',
    'measured': 'trial on real KVM',
    'sys_regs.c': 'Linux arch/arm64/kvm/sys_regs.c',
    'arm.c': 'Linux arch/arm64/kvm/arm.c',
    'guest.c': 'Linux arch/arm64/kvm/guest.c',
    'reset.c': 'Linux arch/arm64/kvm/reset.c',
    'vgic': 'Linux arch/arm64/kvm/vgic',
    'Features.json': 'Arm AARCHMRS Features.json, build 445',
    'SDM': 'Intel Software Developer\'s Manual',
    'APM': 'AMD64 Architecture Programmer\'s Manual',
    'hypercalls.c': 'Linux arch/arm64/kvm/hypercalls.c',
    'psci.c': 'Linux arch/arm64/kvm/psci.c',
    'fw-pseudo-registers.rst': 'Linux Documentation/virt/kvm/arm/fw-pseudo-registers.rst',
    'ptp_kvm.rst': 'Linux Documentation/virt/kvm/arm/ptp_kvm.rst',
    'arm-cpu-features.rst': 'QEMU docs/system/arm/cpu-features.rst',
    'Arm ARM': 'Arm Architecture Reference Manual',
    'Features.json': 'Arm AARCHMRS, Features.json, build 445',
    'TRM': 'Arm Technical Reference Manual of the core',
    'guestcpu': 'our own promise: README.md, data/README.md, docs/',
}

# Rules that no row can name, with the reason.
UNTESTED = {
}


class Wrong(Exception):
    pass


def once(pairs):
    """An object whose keys are all different."""
    out = dict(pairs)
    if len(out) != len(pairs):
        raise Wrong(f'a key twice: {[k for k, _ in pairs]}')
    return out


def number(text):
    return int(text, 0)


def table(path):
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith('#'):
            yield [c.strip() for c in line.split('|')]


class Run:
    """One row's outputs."""

    def __init__(self, tool, row, sentences):
        self.row, self.tool, self.sentences = row, tool, sentences
        host = row['host']
        made = HERE / 'hosts' / (host + '.json')
        self.options = ['--json', '--host', str(made) if made.exists() else host, '-c',
                        row['request']] + row['options'].split()
        self.exit, self.doc = self.call(['plan'] + self.options)
        self.chains = {}

    def call(self, args):
        p = subprocess.run([self.tool] + args, capture_output=True, text=True, timeout=30,
                           check=False)
        if p.returncode not in (0, 1, 2):
            raise Wrong(f'exit {p.returncode}: {p.stdout[:200]}{p.stderr[:200]}')
        try:
            return p.returncode, json.loads(p.stdout, object_pairs_hook=once)
        except ValueError:
            raise Wrong(f'not one JSON document: {p.stdout[:80]!r} {p.stderr[:200]!r}') from None

    def plan(self, key):
        if 'error' in self.doc:
            raise Wrong(f'error: {self.doc["error"]["text"]}')
        return self.doc[key]

    def chain(self, name):
        if name not in self.chains:
            status, doc = self.call(['explain'] + self.options + [name])
            if status:
                raise Wrong(f'explain {name}: {doc["error"]["text"]}')
            self.chains[name] = doc['features'][0]
        return self.chains[name]

    def cpuid(self, vcpu=0):
        entries = {(number(e['leaf']), number(e['subleaf'])): e for e in self.plan('cpuid')}
        for e in self.plan('vcpus')[vcpu]['cpuid']:
            entries[number(e['leaf']), number(e['subleaf'])] = e
        return entries

    def steps(self, text):
        """Indexes of recipe steps: CALL key=value ..."""
        call, *wanted = text.split()
        out = []
        for i, s in enumerate(self.plan('recipe')):
            have = {'phase': s['phase'], 'scope': s['scope'], **s['args']}
            if s['call'] == call and all(matches(have, w) for w in wanted):
                out.append(i)
        return out


def matches(have, wanted):
    key, value = wanted.split('=', 1)
    key, _, mask = key.partition('&')
    if key == 'arg':
        return have.get('args') == [number(value)]
    got = have.get(key)
    if isinstance(got, str) and got.startswith('0x'):
        got = number(got)
    if isinstance(got, int):
        return (got & number(mask) if mask else got) == number(value)
    return got == value


# --- the words of an expectation: each returns None or raises Wrong ----------------

def expect_on(r, name):
    known_field(r, name)
    if name not in r.plan('features')['on']:
        raise Wrong('is off')


def expect_off(r, name):
    known_field(r, name)
    if name in r.plan('features')['on']:
        raise Wrong('is on')


def known_field(r, name):
    if name not in r.row['fields']:
        raise ValueError(f'no such field: {name}')


def unavailable(r, text):
    name, _, rule = text.partition('=')
    known_field(r, name)
    rows = [u for u in r.plan('features')['unavailable'] if u['name'] == name]
    return rows[0] if rows else None, rule


def expect_unavailable(r, text):
    row, rule = unavailable(r, text)
    if not row:
        raise Wrong('is not among what cannot be given')
    if rule and row['reason'] != r.sentences[rule]:
        raise Wrong(f'the reason is: {row["reason"]}')


def expect_available(r, text):
    row, _ = unavailable(r, text)
    if row:
        raise Wrong(f'cannot be given: {row["reason"]}')


def findings(r, text):
    rule, _, feature = text.partition('@')
    if rule not in r.sentences:
        raise ValueError(f'no such rule: {rule}')
    return [f for f in r.plan('findings') if f['id'] == rule and
            (not feature or f['feature'] == feature)]


def expect_finding(r, text):
    if not findings(r, text):
        have = ' '.join(sorted({f['id'] for f in r.plan('findings')}))
        raise Wrong(f'found only {have or "-"}')


def expect_nofinding(r, text):
    if findings(r, text):
        raise Wrong('found: ' + findings(r, text)[0]['text'])


def expect_refused(r, text):
    if not r.plan('refused') or r.exit != 1:
        raise Wrong(f'refused is {r.plan("refused")}, exit {r.exit}')


def expect_exit(r, text):
    if r.exit != number(text):
        raise Wrong(f'exit {r.exit}')


def expect_error(r, text):
    """error:CODE or error:CODE@OFFSET+LENGTH"""
    code, _, at = text.partition('@')
    e = r.doc.get('error')
    if not e:
        raise Wrong('no error')
    if e['code'] != code:
        raise Wrong(f'code {e["code"]}: {e["text"]}')
    if at and (e['offset'], e['length']) != tuple(map(int, at.split('+'))):
        raise Wrong(f'it is at {e["offset"]}+{e["length"]}')


def expect_near(r, text):
    if text not in r.doc.get('error', {}).get('near', []):
        raise Wrong(f'near: {r.doc.get("error", {}).get("near")}')


def expect_says(r, text):
    e = r.doc.get('error', {})
    if text not in f'{e.get("text")} {e.get("expected")}':
        raise Wrong(f'says: {e.get("text")}; expected: {e.get("expected")}')


CPUID = re.compile(r'(?:(\d+)/)?(0x[0-9a-f]+)\.(0x[0-9a-f]+)\.(e[abcd]x|flags)(?:&(0x[0-9a-f]+))?'
                   r'=(0x[0-9a-f]+)')


def expect_cpuid(r, text):
    """cpuid:[VCPU/]LEAF.SUBLEAF.REG[&MASK]=VALUE; an entry that is not there reads 0"""
    m = CPUID.fullmatch(text)
    if not m:
        raise ValueError(f'bad cpuid: {text}')
    vcpu, leaf, sub, reg, mask, value = m.groups()
    e = r.cpuid(int(vcpu or 0)).get((number(leaf), number(sub)), {})
    got = number(str(e.get(reg, '0x0'))) & number(mask or '0xffffffff')
    if got != number(value):
        raise Wrong(f'is {got:#x}')


def leaves(r, text):
    leaf, _, sub = text.partition('.')
    return [k for k in r.cpuid() if k[0] == number(leaf) and (not sub or k[1] == number(sub))]


def expect_leaf(r, text):
    if not leaves(r, text):
        raise Wrong('is not there')


def expect_nocpuid(r, text):
    if leaves(r, text):
        raise Wrong('is there')


def expect_recipe(r, text):
    text, _, count = text.partition(' count=')
    found = r.steps(text)
    if not found or (count and len(found) != int(count)):
        raise Wrong(f'{len(found)} such steps')


def expect_norecipe(r, text):
    if r.steps(text):
        raise Wrong('is a step')


def expect_order(r, text):
    first, then = text.split('<')
    a, b = r.steps(first), r.steps(then)
    if not a or not b or max(a) > min(b):
        raise Wrong(f'steps {a} and {b}')


def expect_vcpu(r, text):
    m = re.fullmatch(r'(\d+)\.id=(\d+)', text)
    got = r.plan('vcpus')[int(m[1])]['id']
    if got != int(m[2]):
        raise Wrong(f'id {got}')


def expect_register(r, text):
    m = re.fullmatch(r'(\w+)(?:&(0x[0-9a-f]+))?=(0x[0-9a-f]+)', text)
    if not m:
        raise ValueError(f'bad register: {text}')
    got = [number(x['value']) for x in r.plan('registers') if x['name'] == m[1]]
    if not got:
        raise Wrong('is not there')
    if got[0] & number(m[2] or '0xffffffffffffffff') != number(m[3]):
        raise Wrong(f'is {got[0]:#x}')


def expect_init(r, text):
    got = number(r.plan('vcpu_init')['features'][0])
    if got != number(text):
        raise Wrong(f'is {got:#x}')


def expect_why(r, text):
    name, rule = text.split('=')
    if rule not in r.sentences:
        raise ValueError(f'no such rule: {rule}')
    rules = [s['rule'] for s in r.chain(name)['steps']]
    if rule not in rules:
        raise Wrong('the chain is ' + (' '.join(rules) or 'empty'))


WORDS = {name[7:]: f for name, f in list(globals().items()) if name.startswith('expect_')}


# --- rows ----------------------------------------------------------------------

def read_cases(data, problems):
    fields = {arch: {row[1] for row in table(data / arch / 'fields.txt')}
              for arch in ('x86', 'arm64')}
    for name in ('features.txt', 'told.txt'):
        fields['arm64'] |= {row[1] for row in table(data / 'arm64' / name)}
    rows, seen = [], set()
    for line in table(HERE / 'cases.txt'):
        if len(line) != 6:
            problems.append(f'{line[0]}: {len(line)} columns')
            continue
        row = dict(zip(('id', 'host', 'request', 'options', 'expect', 'source'), line))
        row['arch'] = 'arm64' if row['host'].startswith('arm') else 'x86'
        row['fields'] = fields[row['arch']]
        row['options'] = '' if row['options'] == '-' else row['options']
        items = [e.strip() for e in row['expect'].split(';')]
        row['xfail'] = ' '.join(e[6:] for e in items if e.startswith('xfail:'))
        row['items'] = [e for e in items if e and not e.startswith('xfail:')]
        if row['id'] in seen:
            problems.append(f'{row["id"]}: twice')
        seen.add(row['id'])
        if not row['items']:
            problems.append(f'{row["id"]}: expects nothing')
        for s in row['source'].split(';'):
            if not any(s.strip().startswith(k) for k in SOURCES):
                problems.append(f'{row["id"]}: no such source: {s.strip()}')
        rows.append(row)
    return rows


def judge(r, item):
    word, _, text = item.partition(':')
    if word not in WORDS:
        raise ValueError(f'no such expectation: {word}')
    WORDS[word](r, text)


def run_row(tool, row, sentences):
    """What does not hold, and what is no expectation at all."""
    wrong, bad = [], []
    try:
        r = Run(tool, row, sentences)
    except Wrong as e:
        return [str(e)], []
    if not any(i.startswith(('refused', 'exit:', 'error:')) for i in row['items']) and r.exit:
        wrong.append(f'exit {r.exit}: {r.doc.get("error", {}).get("text", "refused")}')
    for item in row['items']:
        tries = []
        for one in [item] if item.startswith('says:') else item.split(' or '):
            try:
                judge(r, one.strip())
                tries = []
                break
            except Wrong as e:
                tries.append(f'{one.strip()}: {e}')
            except (ValueError, IndexError, TypeError, KeyError) as e:
                bad.append(f'{row["id"]}: {one.strip()}: the row is wrong: {e}')
        wrong += tries
    return wrong, bad


def named_rules(rows):
    out = set()
    for row in rows:
        for item in row['expect'].replace(' or ', ';').split(';'):
            word, _, text = item.strip().partition(':')
            if word == 'finding':
                out.add((row['arch'], text.partition('@')[0]))
            elif word in ('why', 'unavailable') and '=' in text:
                out.add((row['arch'], text.partition('=')[2]))
    return out


def check_coverage(rows, rules, problems):
    named = named_rules(rows)
    for group, rule in rules:
        tested = any(r == rule and (group == 'kvm' or group == arch) for arch, r in named)
        if not tested and (group, rule) not in UNTESTED:
            problems.append(f'data/{group}/rules.txt: {rule}: no row names it')
        if tested and (group, rule) in UNTESTED:
            problems.append(f'UNTESTED: {rule} is tested')
    for key in UNTESTED:
        if key not in rules:
            problems.append(f'UNTESTED: no such rule {key[1]}')


def main(argv):
    if len(argv) < 2:
        print(__doc__)
        return 2
    tool, data, only = argv[0], pathlib.Path(argv[1]), set(argv[2:])
    problems = []
    rules = {(g, row[0]): row[6] for g in ('x86', 'kvm', 'arm64')
             for row in table(data / g / 'rules.txt')}
    rows = read_cases(data, problems)
    if not only:
        check_coverage(rows, rules, problems)
        if len(rows) < LEAST_ROWS:
            problems.append(f'only {len(rows)} rows')
        p = subprocess.run([sys.executable, str(HERE / 'make_hosts.py'), '--check'],
                           capture_output=True, text=True, check=False)
        problems += p.stdout.splitlines() if p.returncode else []
    rows = [row for row in rows if not only or row['id'] in only]

    def one(row):
        sentences = {r: s for (g, r), s in rules.items() if g in ('kvm', row['arch'])}
        return row, *run_row(tool, row, sentences)

    failed, known = 0, 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for row, wrong, bad in pool.map(one, rows):
            problems += bad
            if row['xfail']:
                known += bool(wrong)
                if wrong:
                    print(f'xfail {row["id"]}: {row["xfail"]}')
                else:
                    problems.append(f'{row["id"]}: no longer fails: remove xfail')
                continue
            failed += bool(wrong)
            for w in wrong:
                print(f'FAIL {row["id"]} ({row["host"]} {row["request"]} {row["options"]}): {w}')
            if wrong:
                print(f'     source: {row["source"]}')
    for p in problems:
        print('PROBLEM', p)
    print(f'{len(rows) - failed - known} of {len(rows)} rows hold, {known} known failures, '
          f'{len(problems)} problems')
    return 1 if failed or problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

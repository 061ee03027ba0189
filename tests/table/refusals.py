#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The generator refuses what is not right, and says where: refusals.py SOURCE

Each case changes a copy of data/ and expects a refusal that names the file and the line of the
change (or another one that it gives). A refusal in gen/ that no case reaches is a failure too.
"""
import ast
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

sys.dont_write_bytecode = True

MSR = "{} | {} | {} | {} | {} | rw | {} | {} | - | - | - | - | - | Meaning"
FIELD = "{id} | zz-new | CPUID.0x7.0x0.ebx | 5 | chosen | flag | le | hw | 6.1 | auto | New"
ARM_FIELD = "{id} | ZZ_EL1.NEW | ID_AA64ISAR0_EL1 | 3:0 | chosen | lower | le | hw | 6.1 | auto | New"
X, A, K = "x86/", "arm64/", "kvm/"
HOST = "hosts/x86-amd-max-6-1.json"


def add(row):
    """Append a row; {id} is the next free id of the table."""
    def edit(lines):
        ids = [int(line.split("|")[0]) for line in lines if re.match(r"[0-9]+ *\|", line)]
        while lines and not lines[-1]:
            lines.pop()
        lines.append(row.replace("{id}", str(max(ids, default=0) + 1)))
        return len(lines)
    return edit


def put(at, text):
    """TEXT in the place of line number AT."""
    def edit(lines):
        lines[at - 1] = text
        return at
    return edit


def cut(begin):
    """The row that begins with BEGIN goes."""
    def edit(lines):
        at = next(i for i, line in enumerate(lines) if re.match(begin, line))
        del lines[at]
        return at + 1
    return edit


def change(begin, old, new):
    """In the row that begins with BEGIN, NEW in the place of OLD."""
    def edit(lines):
        at = next(i for i, line in enumerate(lines) if re.match(begin, line))
        lines[at] = lines[at].replace(old, new, 1)
        return at + 1
    return edit


def host(old, new):
    """A document with NEW in the place of the first OLD; a document is refused as a whole."""
    def edit(lines):
        at = next(i for i, line in enumerate(lines) if old in line)
        lines[at] = lines[at].replace(old, new, 1)
        return 1
    return edit


def field(column, value):
    cells = FIELD.split(" | ")
    cells[column] = value
    return add(" | ".join(cells))


def rule(**columns):
    cells = dict(id="zz", stage="plan", effect="warn", targets="avx2", when="on", severity="note",
                 sentence="A sentence", source="Somewhere")
    cells.update(columns)
    return add(" | ".join(cells.values()))


# file, change, what the refusal says [, file and beginning of the line that it names]
CASES = [
    # the form of every table
    (X + "gates.txt", put(1, "# MIT"), "the first line must be the licence"),
    (X + "gates.txt", put(2, "# Source: us"), "the second line must say '# Provenance: ...'"),
    (K + "caps.txt", add("9999 | NEW | check"), "3 columns, expected 4"),
    (K + "caps.txt", add("9999 | NEW | check | A | B"), "5 columns, expected 4"),
    (K + "caps.txt", add("9999 | NEW | | Meaning"), "an empty column; '-' means none"),
    (K + "caps.txt", add('9999 | NEW | check | A "quoted" word'), "quotes and backslashes are not allowed"),
    (K + "caps.txt", add("9999 | NEW | check | Back\\slash"), "quotes and backslashes are not allowed"),
    (K + "caps.txt", add("9999 | NEW | check | A\tB"), "a character that cannot be printed"),
    (K + "caps.txt", add("9999 | NEW | check | A */ B"), "'*/' and '??' mean something else in C"),
    (K + "caps.txt", add("9999 | NEW | check | \udcff"), "not UTF-8"),
    # numbers and names
    (K + "caps.txt", add("many | NEW | check | Meaning"), "'many' is not a number"),
    (K + "caps.txt", add("0b1 | NEW | check | Meaning"), "'0b1' is not a number"),
    (K + "caps.txt", add("65536 | NEW | check | Meaning"), "65536 is out of range 0..65535"),
    (K + "exits.txt", add("32 | new | vm | Meaning"), "32 is out of range 0..31"),
    (K + "caps.txt", add("9999 | A B | check | Meaning"), "'A B' is not a name"),
    (K + "caps.txt", add("9999 | MAX_VCPUS | check | Meaning"), "MAX_VCPUS or 9999 twice"),
    (K + "caps.txt", add("66 | NEW | check | Meaning"), "NEW or 66 twice"),
    (K + "params.txt", add("kvm | ignore_msrs | Meaning"), "kvm ignore_msrs twice"),
    (K + "errors.txt", add("KVM_SET_MSRS | EINVAL | Meaning"), "KVM_SET_MSRS EINVAL twice"),
    (K + "errors.txt", add("KVM_SET_MSRS | 22 | Meaning"), "is not a call and an errno"),
    (K + "behaviours.txt", add("No Name | 6.1 | - | Meaning | source"), "'No Name' is not a name"),
    (K + "behaviours.txt", add("exits-before-vcpus | 6.1 | - | Meaning | source"), "exits-before-vcpus is at"),
    (K + "behaviours.txt", add("new | 6.1 | 7 | Meaning | source"), "'7' is not a kernel, as 6.12 is"),
    (K + "behaviours.txt", add("new | 6.12 | 6.1 | Meaning | source"), "it ends before it begins"),
    (K + "behaviours.txt", add("new | 7.0 6.12 | - | Meaning | source"), "6.12 is not a release of an older stable series"),
    (K + "modules.txt", add("No Name | kvm_new | Meaning | source"), "'No Name' is not a name"),
    (K + "modules.txt", add("exits-before-vcpus | kvm_new | Meaning | source"), "exits-before-vcpus is at"),
    (K + "modules.txt", add("new | kvm-new | Meaning | source"), "'kvm-new' is not a module"),
    (X + "msrs.txt", add(MSR.format("tsc", "0x12345", "-", "-", "rw", "-", "-")), "tsc twice"),
    (X + "msrs.txt", add(MSR.format("new", "0x174", "-", "-", "rw", "-", "-")), "0x174 is at"),
    (X + "msrs.txt", add(MSR.format("new", "0x12345", "6..7.0", "-", "rw", "-", "-")), "'6' is not a kernel, as 6.12 is"),
    (X + "msrs.txt", add(MSR.format("new", "0x12345", "-", "via", "rw", "-", "-")), "'via' is none of - amd intel hyperv"),
    (X + "msrs.txt", add(MSR.format("new", "0x12345", "-", "-", "xw", "-", "-")), "'xw' is no access, as rw is"),
    (X + "msrs.txt", add(MSR.format("new", "0x12345", "-", "-", "rw", "avx + avx2 + fma + bmi1 + bmi2", "-")),
     "more than four fields"),
    (X + "controls.txt", add("cr4 | 5 | - | - | both | - | Meaning"), "cr4 5 twice"),
    (A + "registers.txt", add("ID_AA64PFR0_EL1.SVE | 9.0.0.0.0 | 3.0.0.0.0 | Meaning"), "'9.0.0.0.0' is not op0.op1.CRn.CRm.op2"),
    (A + "registers.txt", add("ID_AA64PFR0_EL1.SVE | 3.7.15.15.7 | 3.7.15.15.6 | Meaning"), "it ends before it begins"),
    (A + "registers.txt", add("sve | 3.0.1.2.0 | 3.0.1.2.0 | Meaning"), "it has a register of another row"),
    (A + "masks.txt", add("ID_NOBODY_EL1 | 0xf | 6.12"), "no word 'ID_NOBODY_EL1'"),
    (A + "masks.txt", add("ID_AA64ISAR0_EL1 | 0xf | 6.12"), "ID_AA64ISAR0_EL1 has a mask of 6.12 already"),
    (A + "masks.txt", add("ID_AA64ISAR0_EL1 | 0xf | six"), "'six' is not a kernel, as 6.12 is"),
    # words
    (X + "words.txt", add("CPUID.0x7f.0x0.eax | none | New"), "no such class 'none'"),
    (X + "words.txt", add("CPUID.0x7f.*.* | structure | New"), "a structure, and nothing else, names its kind"),
    (X + "words.txt", add("CPUID.0x7f.0x0.eax | copy:cache | New"), "a structure, and nothing else, names its kind"),
    (X + "words.txt", add("CPUID.0x7f.*.eax | fields | New"), "class 'fields' needs an exact sub-leaf"),
    (X + "words.txt", add("CPUID.0x4.*.eax | copy | New"), "this leaf has a range already"),
    (X + "words.txt", add("CPUID.0x1.0x0.ecx | copy | New"), "word CPUID.0x1.0x0.ecx is at "),
    (X + "words.txt", add("CPUID.0x7f.0x0.rax | copy | New"), "no such register 'rax'"),
    (X + "words.txt", add("LEAF.0x7f | copy | New"), "'LEAF.0x7f' is not a word address"),
    (A + "words.txt", add("REG.MIDR_EL1.3.1.2.3.4 | copy | New"), "name MIDR_EL1 is at "),
    (A + "words.txt", add("REG.ZZ_EL1.4.0.0.0.0 | copy | New"), "4 is out of range 0..3"),
    (X + "words.txt", add("CPUID.0x7f.0x0.eax | fields | New"), "word CPUID.0x7f.0x0.eax has no field"),
    # fields
    (X + "fields.txt", field(0, "1"), "id 1 is at "),
    (X + "fields.txt", field(0, "0"), "0 is out of range 1..4095"),
    (X + "fields.txt", field(0, "4095"), "gap in the ids at "),
    (X + "fields.txt", cut(r"2 +\|"), "gap in the ids at 2", (X + "fields.txt", r"3 +\|")),
    (X + "fields.txt", field(1, "AVX2"), "name AVX2 is at "),
    (X + "fields.txt", field(1, "new!"), "'new!' is not a name"),
    (X + "fields.txt", field(2, "CPUID.0x7f.0x0.eax"), "word CPUID.0x7f.0x0.eax is not in words.txt, or not one word"),
    (X + "fields.txt", field(2, "CPUID.0x7.0x0.ebx+ecx"), "is not in words.txt, or not one word"),
    (X + "fields.txt", field(2, "CPUID.0x3.0x0.eax"), "is of class zero, which has no fields"),
    (X + "fields.txt", field(3, "32"), "bit 32 is outside of the word"),
    (X + "fields.txt", field(2, "MSR.0x48b"), "only the may-be-1 half of a pair, bits 63:32, has fields"),
    (X + "fields.txt", field(3, "3:5"), "3 is out of range 5..63"),
    (X + "fields.txt", field(4, "user"), "no such owner 'user'"),
    (X + "fields.txt", field(4, "chosen+user"), "no such owner 'user'"),
    (X + "fields.txt", field(5, "bigger"), "no such order 'bigger'"),
    (X + "fields.txt", field(5, "safe:all"), "'all' is not a number"),
    (X + "fields.txt", field(5, "lower=0x2"), "0x2 does not fit into 1 bits"),
    (X + "fields.txt", field(6, "gt"), "no such migrate 'gt', expected one of le eq ge any"),
    (X + "fields.txt", field(7, "soft"), "no such kind 'soft'"),
    (X + "fields.txt", field(8, "v6.1"), "'v6.1' is not a kernel release"),
    (X + "fields.txt", field(8, ">=6.1"), "'>=6.1' is not a kernel release"),
    (X + "fields.txt", field(8, "6.16.1"), "6.16.1 is not a mainline release: an upper bound is '<=6.16.1'"),
    (X + "fields.txt", field(8, "<=6.16 6.12.3"), "<=6.16 is not a mainline release"),
    (X + "fields.txt", field(8, "6.16 6.12"), "6.12 is not a release of an older stable series"),
    (X + "fields.txt", field(8, "6.16 6.16.1"), "6.16.1 is not a release of an older stable series"),
    (X + "fields.txt", field(8, "6.16 6.1.5 6.12.3"), "6.12.3 is not a release of an older stable series"),
    (X + "fields.txt", field(8, "6.16 6.12.3 6.12.2"), "6.12.2 is not a release of an older stable series"),
    (X + "fields.txt", field(9, "on"), "no such default 'on'"),
    (X + "fields.txt", field(10, "ZZ new"), "the meaning of zz-new only repeats the name"),
    (X + "fields.txt", field(3, "5:4"), "a flag is one bit wide"),
    (X + "fields.txt", field(1, "zz-new"), "zz-new overlaps another field of CPUID.0x7.0x0.ebx"),
    # parts
    (X + "parts.txt", add("zz-part | CPUID.0x4.*.eax | 8:9 | New"), "8 is out of range 9..31"),
    (X + "parts.txt", add("zz-part | CPUID.0x5.0x0.edx | 32 | New"), "32 is out of range 0..31"),
    (X + "parts.txt", add("zz-part | CPUID.0x4.*.eax+ebx | 10 | New"), "is not in words.txt, or not one word"),
    (X + "parts.txt", add("zz-part | CPUID.0x4.*.* | 10 | New"), "is not in words.txt, or not one word"),
    (X + "parts.txt", add("zz-part | CPUID.0x7f.0x0.eax | 10 | New"), "is not in words.txt, or not one word"),
    (X + "parts.txt", add("zz-part | CPUID.0x5.*.eax | 20 | New"), "is not in words.txt, or not one word"),
    (X + "parts.txt", add("zz-part | MSR.0x1 | 10 | New"), "is not in words.txt, or not one word"),
    (X + "parts.txt", add("zz-part | CPUID.0x4.*.eax | 10:7 | New"), "zz-part overlaps a field or another part"),
    (X + "parts.txt", add("zz-part | CPUID.0x12.0x1.eax | 2:1 | New"), "zz-part overlaps a field or another part"),
    (X + "parts.txt", add("zz-part | CPUID.0x7.0x0.ebx | 5 | New"), "zz-part overlaps a field or another part"),
    (X + "parts.txt", add("Cache_Type | CPUID.0x4.0x0.edx | 5 | New"), "name Cache_Type is at "),
    (X + "parts.txt", add("avx2 | CPUID.0x4.0x0.edx | 5 | New"), "name avx2 is at "),
    (X + "parts.txt", add("sse3 | CPUID.0x4.0x0.edx | 5 | New"), "name sse3 is at "),
    (A + "parts.txt", add("MIDR_EL1.ZZ | REG.MIDR_EL1 | 4:3 | New"), "MIDR_EL1.ZZ overlaps a field or another part"),
    # what is left over
    (A + "reserved.txt", cut("REG.ID_AA64PFR1_EL1 "), "bit 20 of ID_AA64PFR1_EL1 is in no field, part or row of reserved.txt",
     (A + "words.txt", "REG.ID_AA64PFR1_EL1")),
    (A + "reserved.txt", cut("REG.MIDR_EL1 "), "bit 32 of MIDR_EL1 is in no field", (A + "words.txt", "REG.MIDR_EL1")),
    (A + "reserved.txt", change("REG.CTR_EL0 .* 30", "30", "31"), "bits 31 of REG.CTR_EL0 overlap a field, a part or another row"),
    (A + "reserved.txt", change("REG.MIDR_EL1 ", "63:32", "63:31"), "bits 63:31 of REG.MIDR_EL1 overlap a field, a part"),
    (A + "reserved.txt", add("REG.CTR_EL0 | 30 | RES0 | -"), "bits 30 of REG.CTR_EL0 overlap a field, a part or another row"),
    (A + "reserved.txt", add("REG.ZZ_EL1 | 30 | RES0 | -"), "'REG.ZZ_EL1' is not a word address"),
    (A + "reserved.txt", add("MSR.0x1 | 30 | RES0 | -"), "word MSR.0x1 is not in words.txt, or not one word"),
    (A + "reserved.txt", change("REG.CTR_EL0 .* 30", "RES0", "RES2"), "no such kind 'RES2', expected one of RES0 RES1 RAZ IMPDEF"),
    (A + "fields.txt", change("285 ", "skip=1..2", "skip=2..1"), "a gap in the values ends before it begins"),
    (A + "fields.txt", change("285 ", "skip=1..2", "skip=1..16"), "0x10 does not fit into 4 bits"),
    (A + "fields.txt", change("285 ", "none=0xf", "none=0x1f"), "0x1f does not fit into 4 bits"),
    (A + "fields.txt", change("285 ", "skip=1..2,none=0xf", "none=0xf,skip=1..2"), "no such order 'lower,none=0xf,skip=1..2'"),
    (A + "fields.txt", change("285 ", "skip=1..2", "skip=1-2"), "no such order 'lower,skip=1-2,none=0xf'"),
    (A + "fields.txt", cut("285 "), "gap in the ids at 285", (A + "fields.txt", "286 ")),
    (A + "fields.txt", cut("400 "), "gap in the ids at 298", (A + "fields.txt", "401 ")),
    # names
    (A + "features.txt", add("4095 | FEAT_ZZ | ID_AA64ISAR0_EL1.RNDR | 1 | -"), "4095 is out of range 4096..65535"),
    (A + "features.txt", add("4096 | FEAT_ZZ | ID_AA64ISAR0_EL1.RNDR | 1 | -"), "id 4096 is at "),
    (A + "features.txt", add("{id} | FEAT_ZZ | ID_AA64ISAR0_EL1.ZZ | 1 | -"), "no field 'ID_AA64ISAR0_EL1.ZZ'"),
    (A + "features.txt", add("{id} | FEAT_ZZ | ID_AA64ISAR0_EL1.RNDR | 16 | -"), "16 is out of range 0..15"),
    (A + "features.txt", add("{id} | feat_rng | ID_AA64ISAR0_EL1.RNDR | 1 | -"), "name 'feat_rng' is taken at "),
    (A + "features.txt", add("{id} | FEAT.RNG | ID_AA64ISAR0_EL1.RNDR | 1 | -"), "two features become GCPU_ARM64_FEAT_RNG"),
    (A + "named.txt", add("ID_AA64ISAR0_EL1.ZZ | 1 | new"), "no field 'ID_AA64ISAR0_EL1.ZZ'"),
    (A + "named.txt", add("ID_AA64ISAR0_EL1.AES | 16 | new"), "16 is out of range 0..15"),
    (A + "named.txt", add("ID_AA64ISAR0_EL1.AES | 0x2 | new"), "0x2 of ID_AA64ISAR0_EL1.AES has a name already"),
    (A + "named.txt", add("ID_AA64ISAR0_EL1.AES | 3 | pmull"), "pmull is a value of ID_AA64ISAR0_EL1.AES already"),
    (A + "named.txt", add("ID_AA64ISAR0_EL1.AES | 3 | 0x3"), "'0x3' is a switch or a number by itself"),
    (A + "named.txt", add("ID_AA64ISAR0_EL1.AES | 3 | 40"), "'40' is a switch or a number by itself"),
    (A + "named.txt", add("ID_AA64ISAR0_EL1.AES | 3 | Off"), "'Off' is a switch or a number by itself"),
    (A + "named.txt", add("ID_AA64ISAR0_EL1.AES | 3 | a b"), "'a b' is not a name"),
    (A + "told.txt", add("65000 | FEAT_ZZ | ID_AA64ISAR0_EL1.AES>2 | - | - | New"), "'ID_AA64ISAR0_EL1.AES>2' is not FIELD>=VALUE or FIELD=VALUE"),
    (A + "told.txt", add("65000 | FEAT_ZZ | ID_AA64ISAR0_EL1.AES>=2 or | - | - | New"), "is not FIELD>=VALUE or FIELD=VALUE"),
    (A + "told.txt", add("65000 | FEAT_ZZ | ID_AA64ISAR0_EL1.AES=16 | - | - | New"), "16 is out of range 0..15"),
    (A + "told.txt", add("65000 | FEAT_ZZ | ID_AA64ISAR0_EL1.ZZ=1 | - | - | New"), "no field 'ID_AA64ISAR0_EL1.ZZ'"),
    (A + "told.txt", add("65000 | FEAT_ZZ | ID_AA64ISAR0_EL1.AES=1 | zz | - | New"), "no field 'zz'"),
    (A + "told.txt", add("4096 | FEAT_ZZ | ID_AA64ISAR0_EL1.AES=1 | - | - | New"), "id 4096 is at "),
    (A + "told.txt", add("65000 | FEAT_LSE | ID_AA64ISAR0_EL1.AES=1 | - | - | New"), "name 'FEAT_LSE' is taken at "),
    (X + "aliases.txt", add("zz-alias | zz-field | qemu"), "no field or feature 'zz-field'"),
    (X + "aliases.txt", add("zz-alias | avx2 + zz-field | qemu"), "no field 'zz-field'"),
    (X + "aliases.txt", add("avx2 | sse | qemu"), "name 'avx2' is taken at "),
    (X + "aliases.txt", add("zz-alias | avx2 | kernel"), "no such tag 'kernel'"),
    (X + "aliases.txt", add("zz-alias | avx2 | qemu + linux + qemu"), "tag qemu twice"),
    (X + "called.txt", add("zz-field | qemu"), "no field or feature is named 'zz-field'"),
    (X + "called.txt", add("sse3 | qemu"), "no field or feature is named 'sse3'"),
    (X + "called.txt", add("kvmclock | qemu"), "no field or feature is named 'kvmclock'"),
    (X + "called.txt", add("AVX2 | linux"), "AVX2 is at "),
    (X + "called.txt", add("xcr0-avx | db"), "no such tag 'db', expected one of qemu linux libvirt"),
    (X + "called.txt", add("xcr0-avx | qemu + kernel"), "no such tag 'kernel'"),
    (A + "called.txt", add("sve | qemu"), "sve is at "),
    (X + "rules.txt", add("zz-cpu | plan | warn | - | cpu:6 | note | Text | source"), "'6' is not FAMILY/MODEL"),
    ("hosts/x86-amd-rome-6-12.json", put(1, "{]"), "not a snapshot: "),
    (X + "caches.txt", add("0x4 | 0 | 0 | 0 | 0 | 0 | Twice"), "leaf 0x4 sub-leaf 0 twice"),
    (X + "values.txt", add("zz-prop | number | pae"), "no such property 'zz-prop'"),
    (X + "values.txt", add("level | number | max-std-leaf"), "level twice"),
    (X + "values.txt", add("pmu | bits | pae"), "no such form 'bits'"),
    (X + "values.txt", add("pmu | number | zz-field"), "no field 'zz-field'"),
    (X + "values.txt", add("pmu | number | pae lm"), "'number' is of 1 to 1, not of 2"),
    (X + "values.txt", add("pmu | text | CPUID.0x99.0x0.eax"), "a text is made of words of words.txt"),
    (X + "values.txt", add("pmu | text | CPUID.0x4.*.eax"), "a text is made of words of words.txt"),
    (X + "rules.txt", rule(when="!about:pmu"), "'about' always holds"),
    (X + "properties.txt", add("zz-prop | string | on | Meaning"), "no such type 'string'"),
    (X + "properties.txt", add("zz-prop | bool:0..1 | on | Meaning"), "no such type 'bool:0..1'"),
    (X + "properties.txt", add("zz-prop | number | - | Meaning"), "no such type 'number'"),
    (X + "properties.txt", add("zz-prop | number:7 | - | Meaning"), "'7' is not LO..HI"),
    (X + "properties.txt", add("zz-prop | text:9..2 | - | Meaning"), "'9..2' is not LO..HI"),
    (X + "properties.txt", add("zz-prop | bool | yes | Meaning"), "a default is on, off or host"),
    (X + "properties.txt", add("zz-prop | hertz | on | Meaning"), "a default is on, off or host"),
    (X + "properties.txt", add("zz-prop zz-b zz-c | bool | on | Meaning"), "at most two names"),
    (X + "properties.txt", add("Enforce | bool | on | Meaning"), "property Enforce is at "),
    (X + "properties.txt", add("zz-prop enforce | bool | on | Meaning"), "property enforce is at "),
    (X + "properties.txt", add("avx2 | bool | on | Meaning"), "'avx2' is a feature at "),
    # parents, run time, gates, PV, models
    (X + "requires.txt", add("zz-field | avx2 | Source"), "no field or feature 'zz-field'"),
    (X + "requires.txt", add("avx2 | zz-field | Source"), "no field or feature 'zz-field'"),
    (X + "requires.txt", add("avx2 | sse + sse2 + avx + fma + xsave | Source"), "at most four parents in one row"),
    (X + "requires.txt", add("avx2 | avx2 | Source"), "avx2 cannot be its own parent"),
    (X + "requires.txt", add("sse2 | sse | Source"), "sse2 requires sse twice"),
    (A + "requires.txt", add("FEAT_RNG | pauth | Source"), "'pauth' is a group: name its fields"),
    (A + "requires.txt", add("FEAT_RNG | FEAT_S2TGran4K | Source"), "'FEAT_S2TGran4K' is told by more than a choice of fields"),
    (A + "requires.txt", add("FEAT_PMULL | FEAT_AES | Source"), "FEAT_PMULL cannot be its own parent"),
    (A + "requires.txt", add("FEAT_RNG | ID_AA64ISAR0_EL1.AES>=16 | Source"), "16 is out of range 0..15"),
    (A + "requires.txt", add("FEAT_SHA1 | FEAT_SHA3 | Source"), "needs itself in the end", (A + "requires.txt", "FEAT_SHA256 [|]")),
    (X + "requires.txt", add("fpu | avx2 | Source"), "sse needs itself in the end", (X + "requires.txt", r"sse  ")),
    (X + "vendors.txt", add("zz-field | amd | Source"), "no field 'zz-field'"),
    (X + "vendors.txt", add("svm | amd | Source"), "svm twice"),
    (X + "vendors.txt", add("avx2 | amd + cyrix | Source"), "no such vendor 'cyrix'"),
    (X + "runtime.txt", add("avx2 | Reason"), "avx2 is not owned by runtime"),
    (X + "runtime.txt", add("osxsave | Reason"), "osxsave twice"),
    (X + "runtime.txt", cut(r"osxsave +\|"), "osxsave has no row in runtime.txt",
     (X + "fields.txt", r"[0-9]+ +\| osxsave +\|")),
    (X + "gates.txt", add("CPUID.0x5.*.* | avx2 | Meaning"), "CPUID.0x5.*.* twice"),
    (X + "gates.txt", add("CPUID.0x7.0x0.ebx | avx2 | Meaning"), "a gate is for an MSR, or for a whole leaf"),
    (X + "pv.txt", add("avx2 | 0x1 0x2 0x3 0x4 0x5 | - | - | - | Note"), "at most four MSRs and six hypercalls"),
    (X + "pv.txt", add("avx2 | - | 0x100000000 | - | - | Note"), "0x100000000 is out of range 0..4294967295"),
    (X + "pv.txt", add("avx2 | - | 9 | - | - | Note"), "hypercall 9 has a name in hypercalls.txt"),
    (A + "pv.txt", add("pmu | - | nobody | - | - | Note"), "'nobody' is not a number"),
    (X + "pv.txt", add("kvm-mmu | - | 2 | - | - | Note"), "kvm-mmu twice"),
    (X + "pv.txt", change(r"kvm-pv-eoi +\|", "| msr ", "| nsr "), "no such gate 'nsr'"),
    (A + "pv.txt", change(r"pv-time +\|", "| pv-time ", "| pv-tine "), "nothing that a VMM does is called 'pv-tine'"),
    (X + "pv.txt", cut(r"kvm-pv-eoi +\|"), "kvm-pv-eoi is KVM's own and has no row in pv.txt",
     (X + "fields.txt", r"[0-9]+ +\| kvm-pv-eoi +\|")),
    # presets
    (X + "presets.txt", add("zz | kvm-pv-eoi | on | Reason"), "no row above says what preset 'zz' is"),
    (X + "presets.txt", add("z z | - | - | Meaning"), "'z z' is not a name"),
    (X + "presets.txt", add("SAFE | - | - | Meaning"), "SAFE twice"),
    (X + "presets.txt", add("zz | - | on | Meaning"), "a preset itself is no member"),
    (X + "presets.txt", add("zz | - | - | -"), "zz without a reason"),
    (X + "presets.txt", add("none | kvm-pv-eoi | off | -"), "none without a reason"),
    (X + "presets.txt", add("none | kvm-pv-eoi | off | "), "an empty column"),
    (X + "presets.txt", add("none | kvm-pv-ieo | off | Reason"), "no field 'kvm-pv-ieo'"),
    (X + "presets.txt", add("none | kvmclock | off | Reason"), "no field 'kvmclock'"),
    (X + "presets.txt", add("none | avx2 | off | Reason"), "avx2 is no paravirtual feature that KVM or a VMM gives"),
    (X + "presets.txt", add("none | monitor | off | Reason"), "monitor is no paravirtual feature"),
    (X + "presets.txt", add("none | kvm-mmu | off | Reason"), "kvm-mmu is no paravirtual feature that KVM or a VMM gives"),
    (X + "presets.txt", add("safe | KVM_PV_EOI | on | Reason"), "KVM_PV_EOI in safe twice"),
    (X + "presets.txt", add("none | kvm-pv-eoi | yes | Reason"), "no such word 'yes', expected on or off"),
    (X + "presets.txt", cut(r"safe +\| kvm-pv-eoi +\|"), "safe does not say whether it has kvm-pv-eoi",
     (X + "presets.txt", r"safe +\| - +\|")),
    (X + "presets.txt", add("none | kvm-pv-eoi | off | Reason"), "none does not say whether it has kvmclock1",
     (X + "presets.txt", r"none +\| - +\|")),
    (X + "presets.txt", change(r"migratable +\| kvm-steal-time +\|", "| on ", "| off "),
     "migratable has kvm-pv-tlb-flush, and nothing that it needs", (X + "presets.txt", r"migratable +\| kvm-pv-tlb-flush +\|")),
    (X + "presets.txt", change(r"all +\| kvm-pv-eoi +\|", "| ends", "| " + "x" * 200 + " ends"), "a reason is too long"),
    (X + "presets.txt", put(1, "# MIT"), "the first line must be the licence"),
    (X + "properties.txt", add("zz-prop | choice | - | Meaning"), "presets.txt is for one property of type choice"),
    (X + "properties.txt", change(r"pv +\|", "choice", "bool"), "presets.txt is for one property of type choice", (X + "presets.txt", r"none +\| - +\|")),
    (A + "properties.txt", add("zz-prop | choice | - | Meaning"), "presets.txt is for one property of type choice"),
    (X + "properties.txt", add("zz-prop | choice:2 | - | Meaning"), "no such type 'choice:2'"),
    (X + "hypercalls.txt", add("0x100000000 | new | Note"), "0x100000000 is out of range 0..4294967295"),
    (X + "hypercalls.txt", add("9 | new | Note"), "new or 9 twice"),
    (X + "hypercalls.txt", add("63 | Clock_Pairing | Note"), "Clock_Pairing or 63 twice"),
    (X + "models.txt", add("zz | Vendor | 6 | 6 | 3 | 0xd | 0x80000008 | CPU | sse sse"), "a feature twice"),
    (X + "models.txt", add("zz | Vendor | 6 | 6 | 3 | 0xd | 0x80000008 | CPU | sse zz"), "no field 'zz'"),
    (X + "models.txt", add("qemu64 | Vendor | 6 | 6 | 3 | 0xd | 0x80000008 | CPU | sse"), "model qemu64 twice"),
    (X + "models.txt", add("host | Vendor | 6 | 6 | 3 | 0xd | 0x80000008 | CPU | sse"), "model host twice"),
    (A + "models.txt", add("host | any | - | A model"), "model host twice"),
    (A + "models.txt", add("NEOVERSE_N1 | any | - | A model"), "model NEOVERSE_N1 twice"),
    (A + "models.txt", add("zz | zz | - | A model"), "no row above says what 'zz' is"),
    (A + "models.txt", add("zz | any | FEAT_ZZ | A model"), "no field, feature or register 'FEAT_ZZ'"),
    (A + "models.txt", add("zz | any | FEAT_RNG=1 | A model"), "'FEAT_RNG=1' is no word of a model"),
    (A + "models.txt", add("zz | any | pauth | A model"), "'pauth' is no word of a model"),
    (A + "models.txt", add("zz | any | ID_AA64ISAR0_EL1.AES | A model"), "ID_AA64ISAR0_EL1.AES of how much?"),
    (A + "models.txt", add("zz | any | ID_AA64ISAR0_EL1.AES=16 | A model"), "16 does not fit into 4 bits"),
    (A + "models.txt", add("zz | any | ID_AA64PFR0_EL1.EL0=0 | A model"), "0 is below the least legal value"),
    (A + "models.txt", add("zz | any | ID_AA64ISAR0_EL1=0x10000000000000000 | A model"), "is not a number"),
    (A + "models.txt", add("zz | any | ID_AA64ISAR0_EL1.AES=1 ID_AA64ISAR0_EL1.AES=1 | A model"), "ID_AA64ISAR0_EL1.AES twice"),
    (A + "models.txt", add("zz | armv8.0-a | ID_AA64MMFR0_EL1.BigEnd=1 | A model"), "is one thing in one row and another in the next"),
    # rules
    (X + "rules.txt", rule(stage="later"), "no such word 'later', expected one of builtin offer default plan"),
    (X + "rules.txt", rule(effect="shout"), "no such word 'shout'"),
    (X + "rules.txt", rule(severity="fatal"), "no such word 'fatal'"),
    (X + "rules.txt", rule(targets="zz-field"), "no field 'zz-field'"),
    (X + "rules.txt", rule(effect="clear", targets="-"), "a rule that does 'clear' names the fields"),
    (X + "rules.txt", rule(effect="warn", targets="-", when="lapic !asked-on"),
     "condition 'asked-on' is about the field, and the rule names none"),
    (X + "rules.txt", rule(when="sunny"), "no such condition 'sunny'"),
    (X + "rules.txt", rule(when="!sunny"), "no such condition 'sunny'"),
    (X + "rules.txt", rule(when="on:1"), "condition 'on' takes no argument"),
    (X + "rules.txt", rule(when="cap"), "condition 'cap' needs an argument"),
    (X + "rules.txt", rule(when="cap:ZZ"), "no such cap 'ZZ'"),
    (X + "rules.txt", rule(when="irqchip:half"), "no such irqchip 'half'"),
    (X + "rules.txt", rule(when="handles:nothing"), "no such handles 'nothing'"),
    (X + "rules.txt", rule(when="planned:zz-field"), "no field 'zz-field'"),
    (X + "rules.txt", rule(when="prop:zz-prop"), "no such property 'zz-prop'"),
    (X + "rules.txt", rule(when="leaf:seven"), "'seven' is not a number"),
    (X + "rules.txt", rule(sentence="x" * 201), "the sentence is longer than 200 characters"),
    (X + "rules.txt", rule(id="hypervisor_add"), "rule hypervisor_add twice"),
    (X + "rules.txt", rule(id="forced-on"), "rule forced-on is at "),
    (K + "rules.txt", add("zz-new | builtin | record | - | - | - | Text | x86: source"), "no source for arm64"),
    (K + "rules.txt", rule(), "a rule for every architecture names no field"),
    (A + "exceptions.txt", add("ID_PFR0_EL1 | * | raining | fixed | Text | source"), "no such condition 'raining'"),
    (A + "exceptions.txt", add("ID_PFR0_EL1 | * | - | maybe | Text | source"), "no such effect 'maybe'"),
    (A + "exceptions.txt", add("ID_PFR0_EL1 | * | - | refused | Text | source"), "becomes says a value, refused an errno"),
    (A + "exceptions.txt", add("ID_PFR0_EL1 | * | - | refused:EOOPS | Text | source"), "no such errno 'EOOPS'"),
    (A + "exceptions.txt", add("ID_PFR0_EL1 | * | - | order | Text | source"), "order is about a field"),
    (A + "exceptions.txt", add("ID_ZZ0_EL1.ZZ | * | - | fixed | Text | source"), "no field 'ID_ZZ0_EL1.ZZ'"),
    (A + "init.txt", add("SVE.VL | ARM_SVE | - | -"), "a field that is no bit of INIT.0"),
    (A + "init.txt", add("sve | ARM_ZZ | - | -"), "there is no capability ARM_ZZ"),
    (A + "init.txt", add("sve | ARM_SVE | - | -"), "sve twice"),
    (HOST, host("{", "["), "not a snapshot: "),
    (HOST, host('"version": 1', '"version": 2'), "not a snapshot: not a snapshot of version 1"),
    (HOST, host('"version"', '"novel": 1, "version"'), "not a snapshot: gen/hosts.py does not know novel"),
    (HOST, host('"hash"', '"hush"'), "not a snapshot: gen/hosts.py does not know hush"),
    (HOST, host("sha256:", "sha512:"), "not a snapshot: no hash"),
    (HOST, host('"flags": 0', '"flags": 8'), "not a snapshot: '8' is not a number up to 7"),
    (HOST, host('"leaf": "0x', '"leaf": "0x10000000'), "not a snapshot: '0x100000000' is not a hex string of 32 bits"),
    (HOST, host("AuthenticAMD", "Authentic\\u0000AMD"), "is not plain text"),
    # what KVM answers on a host
    (X + "hostfacts.txt", add("zz | 1 | on:avx2 | - | -"), "no such condition 'on:avx2'"),
    (X + "hostfacts.txt", add("zz | 1 | native: | - | -"), "no such condition 'native:'"),
    (X + "hostfacts.txt", add("zz | 1 | native:cache-type | - | -"), "cache-type is in every sub-leaf"),
    (X + "hostfacts.txt", add("zz | 1 | native:rdctl-no | - | -"), "rdctl-no is not in CPUID"),
    (X + "hostfacts.txt", add("zz | 1 | is:zz | - | -"), "no fact 'zz' above"),
    (X + "hostfacts.txt", add("zz | 1 | vendor:via | - | -"), "no such vendor 'via'"),
    (X + "hostfacts.txt", add("zz | 1 | kernel:6.1 | - | -"), "'6.1' is no range of kernels"),
    (X + "hostfacts.txt", add("zz | 1 | kernel:.. | - | -"), "'..' is no range of kernels"),
    (X + "hostfacts.txt", add("zz | 1 | kernel:6.. | - | -"), "'6' is not a kernel release"),
    (X + "hostfacts.txt", add("zz | 1 | family:6 | - | -"), "'6' is no range"),
    (X + "hostfacts.txt", add("zz | 1 | model:6..5 | - | -"), "5 is out of range 6..4095"),
    (X + "hostfacts.txt", add("zz | 2 | - | - | -"), "2 is out of range 0..1"),
    (X + "hostfacts.txt", add("tdp | 1 | - | - | -"), "rows of tdp do not stand together"),
    (X + "hostfacts.txt", add("zz | 1 | - | kvm.zz | -"), "kvm.zz is not in kvm/params.txt"),
    (X + "supported.txt", add("avx10-version | needs | - | - | Somewhere"), "avx10-version is no single bit"),
    (X + "supported.txt", add("avx2 | needs | - | us | Somewhere"), "no such witness 'us'"),
    (X + "supported.txt", add("avx2 | clears | - | - | Somewhere"), "no such effect 'clears'"),
    (X + "leaves.txt", add("native | 0x3 | 0x0 | one | 0 | 0 | 0 | 0 | -"), "no such table 'native'"),
    (X + "leaves.txt", add("supported | 0x3 | 0x0 | two | 0 | 0 | 0 | 0 | -"), "no such form 'two'"),
    (X + "leaves.txt", add("supported | 0x3 | 0x1 | one | 0 | 0 | 0 | 0 | -"), "of form more or also"),
    (X + "leaves.txt", add("hyperv | 0x4000000a | 0x0 | one | 0 | 0 | 0 | 0 | -"), "a row of this sub-leaf always holds already"),
    (X + "leaves.txt", add("supported | 0xa | 0x0 | one | 0 | 0 | 0 | 0 | -"), "rows of a sub-leaf do not stand together"),
    (X + "leaves.txt", add("supported | 0x3 | 0x0 | one | calc:zz | 0 | 0 | 0 | -"), "no such computation 'zz'"),
    (X + "leaves.txt", add("supported | 0x3 | 0x0 | one | fields | 0 | 0 | 0 | -"), "a register without fields"),
    (X + "leaves.txt", add("supported | 0x3 | 0x0 | one | rax | 0 | 0 | 0 | -"), "'rax' is not a number"),
    (X + "hostfacts.txt", add("zz | 1 | atleast:num-counters-gp | - | -"), "'' is not a number"),
    (X + "hostfacts.txt", add("zz | 1 | atleast:num-counters-gp:256 | - | -"), "256 is out of range 1..255"),
    (X + "hostfacts.txt", add("zz | 1 | atleast:rdctl-no:1 | - | -"), "rdctl-no is not in CPUID"),
    (X + "hostfacts.txt", add("zz | 1 | kernel:7.1,6.. | - | -"), "'6' is not a kernel release"),
    (X + "msrlist.txt", add("0x174 | - | tcg | SYSENTER_CS"), "a row of 0x174 always holds already"),
    (X + "msrlist.txt", add("0x123456789 | - | - | ZZ"), "is out of range"),
    (X + "msrlist.txt", add("0x1234 | - | us | ZZ"), "no such witness 'us'"),
    (X + "msrlist.txt", add("0x1234 | - | - | zz top"), "'zz top' is no name of an MSR"),
    (X + "msrlist.txt", add("0x1234 | has:zz | - | ZZ"), "zz"),
    (X + "featuremsrs.txt", add("0x1234 | fields | -"), "0x1234 is not in words.txt"),
    (X + "featuremsrs.txt", add("0x10a | raw | -"), "no such value 'raw'"),
    (X + "capabilities.txt", add("1 | both | 1 | -"), "capabilities stand by number"),
    (X + "capabilities.txt", add("9999 | vcpu | 1 | -"), "no such descriptor 'vcpu'"),
    (K + "series.txt", add("6 | 6.1.1"), "a series is 6.12, a release of it 6.12.117"),
    (K + "series.txt", add("6.2 | 6.1.1"), "6.1.1 is not of series 6.2"),
    (HOST, host('"arch": "x86",', '"arch": "x86", "origin": "computed",'), "origin is computed, and has what was assumed"),
]


class Bench:
    def __init__(self, source, folder):
        self.gen_dir = os.path.join(source, "gen")
        self.good, self.data = os.path.join(source, "data"), os.path.join(folder, "data")
        self.out = os.path.join(folder, "out")
        os.mkdir(self.out)
        sys.path.insert(0, self.gen_dir)
        import gen
        import tables
        self.gen, self.refused = gen, tables.Refused
        self.reached = set()

    def fresh(self):
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.good, self.data)

    def lines(self, name):
        with open(os.path.join(self.data, name), encoding="utf-8") as f:
            return f.read().split("\n")

    def change(self, name, edit):
        """The number of the line that was changed."""
        lines = self.lines(name)
        at = edit(lines)
        with open(os.path.join(self.data, name), "w", encoding="utf-8", errors="surrogateescape") as f:
            f.write("\n".join(lines))
        return at

    def message(self):
        """What the generator says, or None; notes which refusal it was."""
        try:
            self.gen.main(self.data, self.out)
        except self.refused as e:
            tb, frames = e.__traceback__, []
            while tb:
                frames.append((os.path.basename(tb.tb_frame.f_code.co_filename), tb.tb_lineno))
                tb = tb.tb_next
            self.reached.add(frames[-2])
            return str(e)
        except Exception:
            return traceback.format_exc()
        return None

    def unreached(self):
        """Calls of refuse() in gen/ that no case came through."""
        out = []
        for path in sorted(glob.glob(os.path.join(self.gen_dir, "*.py"))):
            name = os.path.basename(path)
            with open(path, encoding="utf-8") as f:
                tree = ast.parse(f.read())
            for node in ast.walk(tree):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "refuse":
                    lines = range(node.lineno, node.end_lineno + 1)
                    if not any((name, line) in self.reached for line in lines):
                        out.append(f"gen/{name}:{node.lineno}: no case reaches this refusal")
        return out


def check(bench, case):
    name, edit, text = case[:3]
    bench.fresh()
    where, at = name, bench.change(name, edit)
    if len(case) > 3:
        where = case[3][0]
        at = next(i for i, line in enumerate(bench.lines(where), 1) if re.match(case[3][1], line))
    said = bench.message()
    want = f"{bench.data}/{where}:{at}: "
    if said is None:
        return "accepted"
    if not said.startswith(want) or text not in said[len(want):]:
        return f"said '{said}'"
    return None


def check_command(bench):
    """The command itself: exit status 1, one line, no traceback; a missing table; the tables as they are."""
    def run():
        return subprocess.run([sys.executable, "-B", os.path.join(bench.gen_dir, "gen.py"), bench.data, bench.out],
                              capture_output=True, text=True)
    bench.fresh()
    ran = run()
    problems = [] if ran.returncode == 0 else [f"the tables as they are: {ran.stderr}"]
    os.unlink(os.path.join(bench.data, X + "words.txt"))
    ran = run()
    if ran.returncode != 1 or ran.stderr != f"{bench.data}/x86/words.txt:1: there is no such table\n":
        problems.append(f"without x86/words.txt: exit {ran.returncode}: {ran.stderr}")
    bench.message()
    return problems


def main(source):
    with tempfile.TemporaryDirectory(prefix="guestcpu-table-") as folder:
        bench = Bench(os.path.abspath(source), folder)
        problems = check_command(bench)
        for case in CASES:
            wrong = check(bench, case)
            if wrong:
                problems.append(f"{case[0]}: expected '{case[2]}': {wrong}")
        problems += bench.unreached()
    for p in problems:
        print(p)
    print(f"refusals: {len(CASES)} cases, {len(problems)} wrong")
    return 1 if problems else 0


sys.exit(main(sys.argv[1]))

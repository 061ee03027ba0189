# SPDX-License-Identifier: MIT
"""The tables of how KVM behaves, for the software KVM: MSRs, control registers, differences by kernel."""

import re

from links import field_index
from tables import check_since, named, number, refuse, rows

MSR_LACKS = ("-", "guest", "refused", "unknown", "ignored", "pv")
MSR_WHO = ("-", "amd", "intel", "hyperv", "none")
NOBODYS = MSR_WHO.index("none")


def kernel(where, text, otherwise):
    """A release as one number."""
    if text in ("", "-"):
        return otherwise
    m = re.fullmatch(r"([1-9][0-9]?)\.(0|[1-9][0-9]?)", text)
    if not m:
        refuse(where, f"'{text:.40}' is not a kernel, as 6.12 is")
    return int(m[1]) << 16 | int(m[2])


def any_of(where, text, fields):
    found = [] if text == "-" else [field_index(where, f.strip(), fields) for f in text.split(" + ")]
    if len(found) > 4:
        refuse(where, "more than four fields")
    return found


def one_of(where, text, words):
    if text not in words:
        refuse(where, f"'{text:.40}' is none of {' '.join(words)}")
    return words.index(text)


def read_msrs(folder, fields):
    """MSRs that KVM knows, for the software KVM; by index."""
    out = []
    for where, c in rows(f"{folder}/msrs.txt", 14, optional=True):
        name, index, kernels, who, guest, host, needs, lacks, dropped, valid, kept, reset, rule, _ = c
        first, _, last = index.partition("..")
        first = number(where, first, 0, 2**32 - 1)
        last = number(where, last, first, 2**32 - 1) if last else first
        since, _, until = kernels.partition("..")
        m = dict(index=first, last=last, name=named(where, name), who=one_of(where, who, MSR_WHO),
                 since=kernel(where, since, 0), until=kernel(where, until, 2**32 - 1),
                 needs=any_of(where, needs, fields), lacks=one_of(where, lacks, MSR_LACKS), rule=rule, where=where,
                 dropped=0 if dropped == "-" else number(where, dropped), reset=0 if reset == "-" else number(where, reset),
                 valid=2**64 - 1 if valid == "-" else number(where, valid),
                 kept=2**64 - 1 if kept == "-" else number(where, kept))
        for what, text in (("guest", guest), ("host", host)):
            if not re.fullmatch("[r.-][wi.-]", text):
                refuse(where, f"'{text:.40}' is no access, as rw is")
            m[what] = text
        for o in out:
            if o["name"] == name:
                refuse(where, f"{name} twice")
            if (o["index"] <= last and first <= o["last"] and o["since"] < m["until"] and m["since"] < o["until"]
                    and (o["who"] == m["who"] or 0 in (o["who"], m["who"]) and NOBODYS not in (o["who"], m["who"]))):
                refuse(where, f"{index} is at {o['where']} already")
        out.append(m)
    # what is of neither maker goes before what is of any
    return sorted(out, key=lambda m: (m["index"], m["who"] != NOBODYS))


def read_controls(folder, fields):
    """Bits of control registers that KVM lets a guest set."""
    out = []
    for where, (register, bits, needs, who, judge, since, _) in rows(f"{folder}/controls.txt", 7, optional=True):
        lo, _, hi = bits.partition("..")
        lo = number(where, lo, 0, 63)
        hi = number(where, hi, lo, 63) if hi else lo
        mask = (1 << hi + 1) - (1 << lo)
        out.append(dict(register=one_of(where, register, ("cr4", "efer")), mask=mask, needs=any_of(where, needs, fields),
                        who=one_of(where, who, MSR_WHO), judge=one_of(where, judge, ("both", "kvm")),
                        since=kernel(where, since, 0)))
        if any(o["register"] == out[-1]["register"] and o["mask"] & mask and (o["who"] == NOBODYS) == (out[-1]["who"] == NOBODYS)
               for o in out[:-1]):
            refuse(where, f"{register} {bits} twice")
    return out


def behaviour_name(where, name, seen):
    if not re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        refuse(where, f"'{name:.40}' is not a name")
    if name in seen:
        refuse(where, f"{name} is at {seen[name]} already")
    seen[name] = where


def read_behaviours(folder):
    """How KVM differs by kernel, kernels as the words that the library reads, none for ever; and by module."""
    out, seen = [], {}
    for where, (name, since, until, meaning, source) in rows(f"{folder}/behaviours.txt", 5):
        behaviour_name(where, name, seen)
        check_since(where, since)
        if kernel(where, since.split()[0], 0) >= kernel(where, until, 2**32 - 1):
            refuse(where, "it ends before it begins")
        since, until = (None if text == "-" else text for text in (since, until))
        out.append(dict(name=name, since=since, until=until, module=None, meaning=meaning, source=source, where=where))
    for where, (name, module, meaning, source) in rows(f"{folder}/modules.txt", 4):
        behaviour_name(where, name, seen)
        if not re.fullmatch("[a-z][a-z0-9_]*", module):
            refuse(where, f"'{module:.40}' is not a module")
        out.append(dict(name=name, since=None, until=None, module=module, meaning=meaning, source=source, where=where))
    return out

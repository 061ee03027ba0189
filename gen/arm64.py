# SPDX-License-Identifier: MIT
"""Facts that only arm64 has: which system registers come with a field, and KVM's masks by kernel."""
import re

from links import field_index
from tables import number, refuse, rows


def read_registers(folder, fields):
    """Spans of system registers that come with a field, as ids of KVM_SET_ONE_REG."""
    def one(where, text):
        m = re.fullmatch(r"([23])\.([0-7])\.(1[0-5]|[0-9])\.(1[0-5]|[0-9])\.([0-7])", text)
        if not m:
            refuse(where, f"'{text:.40}' is not op0.op1.CRn.CRm.op2")
        op0, op1, crn, crm, op2 = map(int, m.groups())
        return op0 << 14 | op1 << 11 | crn << 7 | crm << 3 | op2

    out = []
    for where, (name, first, last, meaning) in rows(f"{folder}/registers.txt", 4, optional=True):
        span = dict(field=field_index(where, name, fields), first=one(where, first), last=one(where, last),
                    meaning=meaning)
        if span["first"] > span["last"]:
            refuse(where, "it ends before it begins")
        if any(o["first"] <= span["last"] and span["first"] <= o["last"] for o in out):
            refuse(where, "it has a register of another row")
        out.append(span)
    return out


def release(where, text):
    m = re.fullmatch(r"([1-9][0-9]?)\.(0|[1-9][0-9]?)", text)
    if not m:
        refuse(where, f"'{text:.40}' is not a kernel, as 6.12 is")
    return int(m[1]) << 16 | int(m[2])


def read_masks(folder, words):
    """What of a register may be written: (word, kernel, mask)."""
    names, out = {w["name"]: i for i, w in enumerate(words)}, {}
    for where, (name, mask, series) in rows(f"{folder}/masks.txt", 3, optional=True):
        if name not in names:
            refuse(where, f"no word '{name:.40}'")
        for text in series.split():
            key = names[name], release(where, text)
            if key in out:
                refuse(where, f"{name} has a mask of {text} already")
            out[key] = number(where, mask, 1, 2**64 - 1)
    return [(*key, mask) for key, mask in sorted(out.items())]


def read_switches(folder):
    """Capabilities that come with a kernel: (number, kernel, value). x86's are read elsewhere."""
    if not folder.endswith("arm64"):
        return []
    return [(number(where, n, 1, 319), release(where, since), number(where, value, 1, 2**31 - 1))
            for where, (n, since, value, _) in rows(f"{folder}/capabilities.txt", 4)]

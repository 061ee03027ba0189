# SPDX-License-Identifier: MIT
"""Facts that only arm64 has: which system registers come with a field, and KVM's masks by kernel."""
import re

from links import field_index
from tables import refuse, rows


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

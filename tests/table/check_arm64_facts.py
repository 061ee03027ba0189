#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Compares data/arm64 with a kernel's arch/arm64/tools/sysreg: check_arm64_facts.py SYSREG [DATA].

Cross-check only, nothing is taken from that file. Every register of words.txt that the file knows must have the same
encoding, and every ID register of the file must be in words.txt; every field of a register that fields.txt describes must
have the same name and bits there, and the reverse. Values that it tells apart must have names in named.txt: all but those
of fields that are 0 or 1, none or there.
What differs for a reason stands in arm64_differences.txt; a row there that is not needed any more is an error too.
Exit status: 0 they agree, 1 they do not, 77 there is no such file.
"""

import os
import sys

from rows import rows

HERE = os.path.dirname(os.path.abspath(__file__))
FIELD_ROWS = ("Field", "Enum", "UnsignedEnum", "SignedEnum")


def span(text):
    """'msb:lsb' or 'bit' as a pair."""
    msb, _, lsb = text.rpartition(":")
    return (int(msb or lsb), int(lsb))


def read_theirs(path):
    """Registers of the sysreg file: name -> (encoding, {field: bits}, {field: signed})."""
    regs, sets, now = {}, {}, None
    with open(path, encoding="utf-8") as f:
        for line in f:
            t = line.split("#")[0].split()
            if not t:
                continue
            if t[0] == "Sysreg":
                now = dict(enc=[int(n) for n in t[2:7]], fields={}, signed={}, values={}, uses=None)
                regs[t[1]] = now
            elif t[0] == "SysregFields":
                now = dict(enc=None, fields={}, signed={}, values={}, uses=None)
                sets[t[1]] = now
            elif t[0] in ("EndSysreg", "EndSysregFields"):
                now = None
            elif now is not None and t[0] == "Fields":
                now["uses"] = t[1]
            elif now is not None and t[0] in FIELD_ROWS:
                now["fields"][t[2]] = span(t[1])
                now["signed"][t[2]] = t[0]
                values = now["values"].setdefault(t[2], {})
            elif now is not None and t[0].startswith("0b"):
                values[int(t[0], 2)] = t[1]
    for reg in regs.values():
        if reg["uses"] in sets:
            reg["fields"] = sets[reg["uses"]]["fields"]
            reg["signed"] = sets[reg["uses"]]["signed"]
            reg["values"] = sets[reg["uses"]]["values"]
    return regs


def read_ours(data):
    """Our registers: name -> (encoding, class, {field: (bits, order)})."""
    regs = {}
    for word, klass, _ in rows(f"{data}/words.txt", 3):
        p = word.split(".")
        if p[0] == "REG":
            regs[p[1]] = dict(enc=[int(n) for n in p[2:]], klass=klass, fields={}, values={})
    for cells in rows(f"{data}/fields.txt", 11):
        reg = cells[2].split(".")[1]
        if not cells[2].startswith("REG."):
            continue
        if reg not in regs:
            sys.exit(f"{data}/fields.txt: {cells[1]} is in no register of words.txt")
        name = cells[1].split(".", 1)
        if name[0] != reg:
            sys.exit(f"{data}/fields.txt: {cells[1]} is in register {reg}")
        regs[reg]["fields"][name[1]] = (span(cells[3]), cells[5])
        regs[reg]["values"][name[1]] = {}
    for field, value, name in rows(f"{data}/named.txt", 3):
        if "." not in field: # no field of a register that a CPU has
            continue
        reg, field = field.split(".", 1)
        regs[reg]["values"][field][int(value, 0)] = name
    return regs


def compare_signs(name, ours, theirs, say):
    """Signed there and unsigned here is how a 'smaller is less' goes wrong."""
    for field, (_, order) in sorted(ours["fields"].items()):
        kind = theirs["signed"].get(field)
        if kind in ("SignedEnum", "UnsignedEnum"):
            if (kind == "SignedEnum") != order.startswith("sl"):
                say(f"{name}.{field} sign", f"{name}.{field}: order {order} here, {kind} there")


def plain(text):
    return text.lower().replace("_", "").replace("-", "").replace(".", "")


def compare_values(name, ours, theirs, say):
    """The same values told apart, and no name of theirs for another value of ours."""
    compared = 0
    for field, there in sorted(theirs["values"].items()):
        here = ours["values"].get(field)
        if here is None or not there:
            continue
        if not here and set(there) <= {0, 1} and list(there.values())[0] in ("NI", "0"):
            continue
        if set(there) != set(here):
            say(f"{name}.{field} values", f"{name}.{field}: values {sorted(here.items())} here, {sorted(there.items())} there")
        for value, other in there.items():
            wrong = [v for v, n in here.items() if plain(n) == plain(other) and v != value]
            if wrong:
                say(f"{name}.{field} names", f"{name}.{field}: {other} is {value} there, {wrong[0]} here")
            compared += value in here
    return compared


def compare_fields(name, ours, theirs, say):
    both = set(ours["fields"]) & set(theirs["fields"])
    for field in sorted(both):
        here, there = ours["fields"][field][0], theirs["fields"][field]
        if here != there:
            say(f"{name}.{field} bits", f"{name}.{field}: bits {here} here, {there} there")
    for field in sorted(set(theirs["fields"]) - both):
        say(f"{name}.{field} missing", f"{name}.{field}: there at {theirs['fields'][field]}, not here")
    for field in sorted(set(ours["fields"]) - both):
        say(f"{name}.{field} extra", f"{name}.{field}: here at {ours['fields'][field][0]}, not there")
    compare_signs(name, ours, theirs, say)


def read_differences(path, ours, theirs, messages):
    """What may differ; another spelling is renamed in theirs, so that bits and sign are still compared."""
    excused = {}
    for reg, field, what, other, reason in rows(path, 5):
        where = f"arm64_differences.txt: {reg}.{field}"
        if len(reason) < 10:
            messages.append(f"{where} has no reason")
        if what == "spelling":
            there = theirs.get(reg, dict(fields={}, signed={}, values={}))
            if field not in there["fields"] or other not in ours.get(reg, dict(fields={}))["fields"]:
                messages.append(f"{where} is not spelled {other} here")
                continue
            for part in ("fields", "signed", "values"):
                there[part] = {other if k == field else k: v for k, v in there[part].items()}
        elif what in ("missing", "extra", "bits", "sign", "unknown", "values", "names"):
            excused[f"{reg}.{field} {what}"] = False
        else:
            messages.append(f"{where}: no such difference '{what}'")
    return excused


def unknown_here(ours, theirs, messages):
    """ID registers that only that file has: op0 3, op1 0, CRn 0, CRm 1 to 7, and by name some more."""
    encodings = {tuple(r["enc"]): n for n, r in ours.items()}
    for name, reg in theirs.items():
        enc = tuple(reg["enc"])
        if enc[:3] != (3, 0, 0) or not 1 <= enc[3] <= 7:
            continue
        if encodings.get(enc) != name:
            messages.append(f"{name}: there at {enc}, here {encodings.get(enc, 'nothing')}")
    for crm in range(1, 8):
        for op2 in range(8):
            if (3, 0, 0, crm, op2) not in encodings:
                messages.append(f"op1 0, CRm {crm}, op2 {op2} is not in words.txt")


def main(path, data):
    if not os.path.exists(path):
        print(f"SKIP: arm64-facts: {path} is not there")
        return 77
    theirs, ours = read_theirs(path), read_ours(data)
    messages = []
    excused = read_differences(os.path.join(HERE, "arm64_differences.txt"), ours, theirs, messages)

    def say(key, text):
        if key in excused:
            excused[key] = True
        else:
            messages.append(text)

    checked = fields = values = 0
    for name, reg in ours.items():
        if name not in theirs:
            if reg["klass"] == "fields" or reg["fields"]:
                say(f"{name}.* unknown", f"{name}: not in the file")
            continue
        checked += 1
        if reg["enc"] != theirs[name]["enc"]:
            messages.append(f"{name}: encoding {reg['enc']} here, {theirs[name]['enc']} there")
        if reg["fields"]:
            compare_fields(name, reg, theirs[name], say)
            fields += len(reg["fields"])
            values += compare_values(name, reg, theirs[name], say)
    unknown_here(ours, theirs, messages)
    messages += [f"arm64_differences.txt: '{k}' is not needed" for k, used in excused.items() if not used]
    for m in messages:
        print(m)
    if messages:
        return 1
    print(f"{checked} registers, {fields} fields and {values} named values agree, {len(excused)} differences have a reason")
    return 0


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) == 3
                  else os.path.join(HERE, "..", "..", "data", "arm64")))

# SPDX-License-Identifier: MIT
"""The tables by which KVM's answers are foretold: exceptions.txt, init.txt."""

import re

from links import field_index
from tables import number, refuse, rows

ERRNOS = ["EPERM", "ENOENT", "ENOEXEC", "EBUSY", "EINVAL"]
EXCEPTIONS = ["free", "caches", "masked", "fixed", "order", "becomes", "refused", "ignored", "any"]
EXCEPTION_FLAGS = ["ran", "masks", "imp-ids", "aarch32", "mte", "other-vcpu"]  # as enum exception_flag


def span(where, text):
    """(least, most) of '*', 'N' or 'N..M'."""
    if text == "*":
        return 0, 2**64 - 1
    lo, dots, hi = text.partition("..")
    lo = number(where, lo)
    return lo, number(where, hi, lo) if dots else lo


def exception_when(where, text):
    """What a row of exceptions.txt asks for."""
    out = dict(need=0, never=0, limit=(0, 2**64 - 1), crm=(0, 15), since=None, until=None)
    for word in text.split() if text != "-" else []:
        kind, colon, argument = word.partition(":")
        negate, name = word.startswith("!"), word.lstrip("!")
        if kind == "limit" and colon:
            out["limit"] = span(where, argument)
        elif kind == "crm" and colon:
            out["crm"] = span(where, argument)
        elif kind == "kernel" and re.fullmatch(r"([0-9.]*[0-9])?\.\.([0-9.,]*[0-9])?", argument):
            first, _, last = argument.partition("..")
            out["since"], out["until"] = first or None, last.replace(",", " ") or None
        elif name in EXCEPTION_FLAGS:
            out["never" if negate else "need"] |= 1 << EXCEPTION_FLAGS.index(name)
        else:
            refuse(where, f"no such condition '{word}'")
    return out


def read_exceptions(folder, fields, words):
    out = []
    for where, (target, values, when, effect, sentence, source) in rows(f"{folder}/exceptions.txt", 6, optional=True):
        word = next((w["index"] for w in words if w["name"] == target), None)
        field = None if target == "*" or word is not None else field_index(where, target, fields)
        kind, _, argument = effect.partition(":")
        if kind not in EXCEPTIONS:
            refuse(where, f"no such effect '{effect}'")
        if (kind in ("becomes", "refused")) != bool(argument):
            refuse(where, "becomes says a value, refused an errno, and no other effect says anything")
        if kind == "refused" and argument not in ERRNOS:
            refuse(where, f"no such errno '{argument}'")
        if field is None and kind in ("order", "any", "becomes"):
            refuse(where, f"{kind} is about a field")
        to = argument if kind == "refused" else number(where, argument) if argument else 0
        out.append(dict(word=-1 if word is None else word, field=-1 if field is None else field,
                        values=span(where, values), effect=EXCEPTIONS.index(kind), to=to, sentence=sentence,
                        source=source, **exception_when(where, when)))
    return out


def read_init(folder, fields, caps):
    """The bits of KVM_ARM_VCPU_INIT: capability, and what KVM takes them with."""
    def bits(where, names):
        found = [fields[field_index(where, n, fields)] for n in names]
        if any(f["word"]["name"] != "INIT.0" for f in found):
            refuse(where, "a field that is no bit of INIT.0")
        return [f["lsb"] for f in found]

    out = []
    for where, (name, cap, without, never) in rows(f"{folder}/init.txt", 4, optional=True):
        cap, _, only = cap.partition(" with ")
        number_of = next((c["number"] for c in caps if c["name"] == cap), None)
        if number_of is None:
            refuse(where, f"there is no capability {cap}")
        masks = [sum(1 << b for b in bits(where, [n for n in text.split() if n not in ("-", "mte")]))
                 for text in (only, without, never)]
        if any(o["bit"] == bits(where, [name])[0] for o in out):
            refuse(where, f"{name} twice")
        out.append(dict(bit=bits(where, [name])[0], cap=number_of, masks=masks, no_mte="mte" in never.split()))
    return out

# SPDX-License-Identifier: MIT
"""What a request turns on and off, and which features that drags along."""
import functools
import os

import words

TRUE, FALSE = ("on", "yes", "true", "y"), ("off", "no", "false", "n")


@functools.lru_cache(maxsize=None)
def table(name, columns):
    path = os.path.join(words.ROOT, "data", "x86", name)
    return [row for _, row in words.read_rows(path, columns)]


@functools.lru_cache(maxsize=None)
def meanings():
    """{name said in a request: fields that it stands for}."""
    found = {row[0]: [part.strip() for part in row[1].split("+")]
             for row in table("aliases.txt", 3)}
    for row in table("fields.txt", 11):
        found[row[1]] = [row[1]]
    return found


@functools.lru_cache(maxsize=None)
def requires():
    """{child: set of its parents}."""
    found = {}
    for child, parent, _ in table("requires.txt", 3):
        found.setdefault(child, set()).update(p.strip() for p in parent.split("+"))
    return found


@functools.lru_cache(maxsize=None)
def places():
    """{name: (word, bit)} of features of one bit."""
    return {name: place for place, name in words.bit_names().items()}


def orphan(vector, word, bit):
    """A feature that needs one of some others, none of which the words have."""
    name = field_names().get((word, bit))
    for child, parent, _ in table("requires.txt", 3) if name else ():
        alternatives = [places().get(p.strip()) for p in parent.split("+")]
        if child == name and not any(place and vector[place[0]] >> place[1] & 1
                                     for place in alternatives):
            return True
    return False


@functools.lru_cache(maxsize=None)
def ancestors(name):
    found = set()
    for parent in requires().get(name, ()):
        found |= {parent} | ancestors(parent)
    return found


def said(flags):
    """{word of the request: True or False}: name=value in order, then +, then -."""
    items = flags.split(",")[1:]
    found = {}
    for item in items:
        name, _, value = item.partition("=")
        if item[:1] not in ("+", "-") and (value or "on") in TRUE + FALSE:
            found[name.replace("_", "-")] = (value or "on") in TRUE
    for sign in "+-":
        found.update((item[1:], sign == "+") for item in items if item[:1] == sign)
    return found


@functools.lru_cache(maxsize=4096)
def asked(flags):
    """(fields turned on, fields turned off) by a request."""
    on, off = set(), set()
    for name, value in said(flags).items():
        (on if value else off).update(meanings().get(name, ()))
    return on, off


@functools.lru_cache(maxsize=None)
def field_names():
    """{(word, bit): name}; a copy of a bit of leaf 1 has that bit's name."""
    names = words.bit_names()
    for row in table("fields.txt", 11):
        if row[7] == "alias" and row[3].isdigit():
            original = names.get(("CPUID.0x1.0x0.edx", int(row[3])))
            names[(row[2], int(row[3]))] = original or row[1]
    return names


@functools.lru_cache(maxsize=None)
def chosen():
    """Fields that a request may choose; what is left follows from them."""
    return {row[1] for row in table("fields.txt", 11) if "chosen" in row[4].split("+")}


def parent_off(flags, word, bit):
    """The bit is, or needs, a feature that the request turned off."""
    name = field_names().get((word, bit))
    return bool(name) and bool(({name} | ancestors(name)) & asked(flags)[1])


def parent_asked(flags, word, bit):
    """A feature that the request turned on needs the bit, or the bit is its state."""
    name, on = field_names().get((word, bit)), asked(flags)[0]
    brought = set(on).union(*(ancestors(one) for one in on))
    if not name or name in brought:
        return bool(name)
    return name not in chosen() and bool(requires().get(name, set()) & brought)

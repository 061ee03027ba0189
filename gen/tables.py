# SPDX-License-Identifier: MIT
"""Reads the tables of data/ and refuses whatever is not exactly right."""

import os
import re


class Refused(Exception):
    """A fact table says something impossible."""


def refuse(where, text):
    raise Refused(f"{where}: {text}")


def read_text(path):
    try:
        with open(path, "rb") as f:
            data = f.read()
    except FileNotFoundError:
        refuse(f"{path}:1", "there is no such table")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        refuse(f"{path}:{data.count(bytes([10]), 0, e.start) + 1}", "not UTF-8")


def rows(path, columns, optional=False):
    """Rows of a table as lists of columns, each with its place in the file."""
    if optional and not os.path.exists(path):
        return []
    lines = read_text(path).split("\n")
    if not lines[0].startswith("# SPDX-License-Identifier: MIT"):
        refuse(f"{path}:1", "the first line must be the licence")
    if len(lines) < 2 or not lines[1].startswith("# Provenance:"):
        refuse(f"{path}:2", "the second line must say '# Provenance: ...'")
    out = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        cells = [c.strip() for c in line.split("|")]
        where = f"{path}:{number}"
        if len(cells) != columns:
            refuse(where, f"{len(cells)} columns, expected {columns}")
        if any(c == "" for c in cells):
            refuse(where, "an empty column; '-' means none")
        if '"' in line or "\\" in line:
            refuse(where, "quotes and backslashes are not allowed")
        if not line.isprintable():
            refuse(where, "a character that cannot be printed")
        if "*/" in line or "??" in line:
            refuse(where, "'*/' and '??' mean something else in C")
        out.append((where, cells))
    return out


def number(where, text, lo=0, hi=2**64 - 1):
    if not re.fullmatch("0x[0-9a-fA-F]{1,16}|0|[1-9][0-9]{0,19}", text):
        refuse(where, f"'{text:.40}' is not a number")
    value = int(text, 0)
    if not lo <= value <= hi:
        refuse(where, f"{text} is out of range {lo}..{hi}")
    return value


def named(where, name):
    """A name becomes part of a C identifier, and of a request."""
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]*", name):
        refuse(where, f"'{name:.40}' is not a name: letters, digits, '.', '_' and '-'")
    return name


def normal(name):
    """The form in which names are looked up."""
    return name.lower().replace("_", "-")


def c_name(text):
    """The form in which names are part of a C identifier."""
    return re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")


SPACES = {"REG": 6, "FW": 7, "CPUID": 12, "MSR": 13, "INIT": 14, "SVE": 15}
REGS = ["eax", "ebx", "ecx", "edx"]


def cpuid_addr(leaf, sub, reg):
    return SPACES["CPUID"] << 60 | leaf << 24 | sub << 2 | reg


def parse_word(where, text):
    """A list of (address, name) that a word column means, or a range."""
    parts = text.split(".")
    space = parts[0]
    if space == "CPUID" and len(parts) == 4:
        leaf = number(where, parts[1], 0, 2**32 - 1)
        regs = REGS if parts[3] == "*" else parts[3].split("+")
        for r in regs:
            if r not in REGS:
                refuse(where, f"no such register '{r}'")
        if parts[2] == "*":
            mask = sum(1 << REGS.index(r) for r in regs)
            return "range", (leaf, mask)
        sub = number(where, parts[2], 0, 2**22 - 1)
        return "words", [
            (cpuid_addr(leaf, sub, REGS.index(r)), f"CPUID.{leaf:#x}.{sub:#x}.{r}") for r in regs
        ]
    if space == "MSR" and len(parts) == 2:
        index = number(where, parts[1], 0, 2**32 - 1)
        return "words", [(SPACES["MSR"] << 60 | index, f"MSR.{index:#x}")]
    if space == "REG" and len(parts) == 7:
        lim = [3, 7, 15, 15, 7]
        op = [number(where, p, 0, m) for p, m in zip(parts[2:], lim)]
        enc = op[0] << 14 | op[1] << 11 | op[2] << 7 | op[3] << 3 | op[4]
        return "words", [(0x6030000000130000 | enc, named(where, parts[1]))]
    if space == "FW" and len(parts) == 3:
        index = number(where, parts[2], 0, 0xFFFFFF)
        return "words", [(SPACES["FW"] << 60 | 0x30000000000000 | index, named(where, parts[1]))]
    if space in ("INIT", "SVE") and len(parts) == 2:
        return "words", [(SPACES[space] << 60 | number(where, parts[1], 0, 7), text)]
    refuse(where, f"'{text}' is not a word address")


CLASSES = {"fields": 1, "structure": 2, "pair": 3, "identity": 4, "derived": 5, "copy": 6, "zero": 7}
OWNERS = {"chosen": 1, "derived": 2, "runtime": 4, "identity": 8}
ORDERS = ["flag", "absence", "lower", "higher", "higher0", "set", "exact", "safe", "pair", "prefix"]
MIGRATE = ["le", "eq", "ge", "any"]
KINDS = ["hw", "emulated", "synth", "pass", "vendor", "alias", "pv", "vmm", "runtime", "none"]
DEFAULTS = ["auto", "asked", "any"]
WIDTH = {"CPUID": 32, "MSR": 64, "REG": 64, "FW": 64, "INIT": 32, "SVE": 64}


def read_words(folder):
    words, ranges, seen, names = [], [], {}, {}
    for where, (word, klass, meaning) in rows(f"{folder}/words.txt", 3):
        base, _, kind = klass.partition(":")
        if base not in CLASSES:
            refuse(where, f"no such class '{klass}'")
        if (base == "structure") != bool(kind):
            refuse(where, "a structure, and nothing else, names its kind")
        form, value = parse_word(where, word)
        if form == "range":
            if base not in ("structure", "copy", "zero"):
                refuse(where, f"class '{base}' needs an exact sub-leaf")
            if value[0] in [r["leaf"] for r in ranges]:
                refuse(where, "this leaf has a range already")
            ranges.append(dict(leaf=value[0], regs=value[1], klass=base, kind=kind, meaning=meaning))
            continue
        for addr, name in value:
            if addr in seen:
                refuse(where, f"word {name} is at {seen[addr]} already")
            if normal(name) in names:
                refuse(where, f"name {name} is at {names[normal(name)]} already")
            seen[addr] = names[normal(name)] = where
            words.append(dict(addr=addr, name=name, klass=base, kind=kind, meaning=meaning,
                              space=word.split(".")[0], fields=[], where=where))
    words.sort(key=lambda w: w["addr"])
    return words, ranges


def parse_order(where, text):
    """The order itself, then what it says of single values: ,min= ,skip= ,none= in this order, each at most once."""
    m = re.fullmatch(r"([^,]*)(?:,min=([^,]*))?(?:,skip=([^,.]*)\.\.([^,.]*))?(?:,none=([^,]*))?", text)
    if not m:
        refuse(where, f"no such order '{text}'")
    spec, low, skip, to, none = m.groups()
    spec, _, absent = spec.partition("=")
    safe = None
    if spec.startswith("safe:"):
        spec, safe = "safe", number(where, spec[5:])
    signed = spec not in ORDERS and spec.startswith("s") and spec[1:] in ORDERS
    if signed:
        spec = spec[1:]
    if spec not in ORDERS:
        refuse(where, f"no such order '{text}'")
    return dict(order=ORDERS.index(spec), signed=signed, safe=safe,
                absent=number(where, absent) if absent else (1 if spec == "absence" else 0),
                min=number(where, low) if low else 0, none=number(where, none, 1) if none else 0,
                skip=(number(where, skip, 1), number(where, to, 1)) if skip else (0, 0))


def choose(where, text, known, what):
    if text not in known:
        refuse(where, f"no such {what} '{text}', expected one of {' '.join(known)}")
    return known.index(text)


RELEASE = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}(\.[0-9]{1,4})?\Z")
MAINLINE = re.compile(r"(2\.6\.[0-9]{1,2}|[3-9][0-9]?\.[0-9]{1,2})\Z")


def check_since(where, text):
    """A mainline release, then the stable releases that got it too, newest first; or one upper bound."""
    if text in ("-", "?"):
        return
    words = text.split()
    for w in words:
        if not RELEASE.match(w[2:] if w.startswith("<=") else w):
            refuse(where, f"'{w:.40}' is not a kernel release")
    if words[0].startswith("<=") and len(words) == 1:
        return
    if not MAINLINE.match(words[0]):
        refuse(where, f"{words[0]} is not a mainline release: an upper bound is '<={words[0].lstrip('<=')}'")
    last = [int(n) for n in words[0].split(".")]
    for w in words[1:]:
        stable = [int(n) for n in w.split(".")] if w.count(".") == 2 else last
        if stable[:2] >= last[:2]:
            refuse(where, f"{w} is not a release of an older stable series than the one before it")
        last = stable


def read_fields(folder, words):
    by_addr = {w["addr"]: w for w in words}
    fields, ids, names = [], {}, {}
    for where, c in rows(f"{folder}/fields.txt", 11):
        ident = number(where, c[0], 1, 4095)
        if ident in ids:
            refuse(where, f"id {ident} is at {ids[ident]} already")
        if normal(named(where, c[1])) in names:
            refuse(where, f"name {c[1]} is at {names[normal(c[1])]} already")
        ids[ident] = names[normal(c[1])] = where
        form, value = parse_word(where, field_word(c[2], words))
        if form != "words" or len(value) != 1 or value[0][0] not in by_addr:
            refuse(where, f"word {c[2]} is not in words.txt, or not one word")
        word = by_addr[value[0][0]]
        if word["klass"] not in ("fields", "pair", "derived", "identity"):
            refuse(where, f"word {c[2]} is of class {word['klass']}, which has no fields")
        msb, _, lsb = c[3].rpartition(":")
        lsb = number(where, lsb, 0, 63)
        msb = number(where, msb, lsb, 63) if msb else lsb
        if msb >= WIDTH[word["space"]]:
            refuse(where, f"bit {msb} is outside of the word")
        if word["klass"] == "pair" and lsb < 32:
            refuse(where, "only the may-be-1 half of a pair, bits 63:32, has fields")
        owner = 0
        for o in c[4].split("+"):
            if o not in OWNERS:
                refuse(where, f"no such owner '{o}'")
            owner |= OWNERS[o]
        check_since(where, c[8])
        says_something(where, c[1], c[10])
        field = dict(id=ident, name=c[1], word=word, lsb=lsb, width=msb - lsb + 1, owner=owner,
                     migrate=choose(where, c[6], MIGRATE, "migrate"),
                     kind=choose(where, c[7], KINDS, "kind"), since=c[8],
                     default=choose(where, c[9], DEFAULTS, "default"), meaning=c[10], where=where)
        field.update(parse_order(where, c[5]))
        if ORDERS[field["order"]] in ("flag", "absence") and field["width"] != 1:
            refuse(where, "a flag is one bit wide")
        if field["skip"][0] > field["skip"][1]:
            refuse(where, "a gap in the values ends before it begins")
        for value in (field["absent"], field["min"], field["safe"] or 0, field["none"], field["skip"][1]):
            if value >> field["width"]:
                refuse(where, f"{value:#x} does not fit into {field['width']} bits")
        word["fields"].append(field)
        fields.append(field)
    check_fields(words, fields)
    fields.sort(key=lambda f: (f["word"]["addr"], f["lsb"]))
    return fields


def part_word(where, text, words, ranges):
    """(address, any sub-leaf, the exact word or None) of a row of parts.txt."""
    form, value = parse_word(where, field_word(text, words))
    if form == "range":
        leaf, mask = value
        addr, regs = cpuid_addr(leaf, 0, mask.bit_length() - 1), mask
    else:
        addr, regs = value[0][0], 0
        exact = [w for w in words if w["addr"] == addr]
        if len(value) == 1 and exact:
            return addr, False, exact[0]
        if text.startswith("CPUID."):
            leaf, regs = addr >> 24 & 0xFFFFFFFF, sum(1 << (v[0] & 3) for v in value)
    if not any(regs and r["leaf"] == leaf and regs & (regs - 1) == 0 and regs & r["regs"] for r in ranges):
        refuse(where, f"word {text} is not in words.txt, or not one word")
    return addr, form == "range", None


def read_parts(folder, words, ranges, names):
    """Named bits that nobody chooses; NAMES is what their names must differ from."""
    parts, used, taken = [], {}, {c_name(n): names[n]["where"] for n in names}
    for where, (name, word, bits, meaning) in rows(f"{folder}/parts.txt", 4):
        if c_name(named(where, name)) in taken:
            refuse(where, f"name {name} is at {taken[c_name(name)]} already")
        taken[c_name(name)] = where
        says_something(where, name, meaning)
        addr, every, exact = part_word(where, word, words, ranges)
        msb, _, lsb = bits.rpartition(":")
        lsb = number(where, lsb, 0, 31)
        msb = number(where, msb, lsb, 31) if msb else lsb
        mask = ((1 << msb - lsb + 1) - 1) << lsb
        before = used.get((addr, every), exact["known"] if exact else 0)
        if before & mask:
            refuse(where, f"{name} overlaps a field or another part of {word}")
        used[addr, every] = before | mask
        parts.append(dict(name=name, addr=addr, every=every, lsb=lsb, width=msb - lsb + 1, meaning=meaning))
    return sorted(parts, key=lambda p: (p["addr"], p["every"], p["lsb"]))


RESERVED = ["RES0", "RES1", "RAZ", "IMPDEF"]


def read_reserved(folder, words, parts):
    """Bits that are nobody's: with them every word of a folder that has this table is without a gap."""
    if not os.path.exists(f"{folder}/reserved.txt"):
        return
    used = {w["addr"]: w["known"] for w in words}
    for p in parts:
        used[p["addr"]] |= ((1 << p["width"]) - 1) << p["lsb"]
    for where, (word, bits, kind, _) in rows(f"{folder}/reserved.txt", 4):
        form, value = parse_word(where, field_word(word, words))
        if form != "words" or len(value) != 1 or value[0][0] not in used:
            refuse(where, f"word {word} is not in words.txt, or not one word")
        if kind not in RESERVED:
            refuse(where, f"no such kind '{kind}', expected one of {' '.join(RESERVED)}")
        msb, _, lsb = bits.rpartition(":")
        lsb = number(where, lsb, 0, 63)
        msb = number(where, msb, lsb, 63) if msb else lsb
        mask = ((1 << msb - lsb + 1) - 1) << lsb
        if used[value[0][0]] & mask:
            refuse(where, f"bits {bits} of {word} overlap a field, a part or another row")
        used[value[0][0]] |= mask
    for w in words:
        gap = ((1 << WIDTH[w["space"]]) - 1) ^ used[w["addr"]]
        if gap and w["klass"] not in ("zero", "copy"):
            refuse(w["where"], f"bit {(gap & -gap).bit_length() - 1} of {w['name']} is in no field, part or row of reserved.txt")


def says_something(where, name, meaning):
    """A meaning is no second spelling of the name."""
    if c_name(meaning) == c_name(name.rpartition(".")[2] if name[:1].isupper() else name):
        refuse(where, f"the meaning of {name} only repeats the name")


def field_word(text, words):
    """arm64 rows name a register without repeating its encoding."""
    if text.startswith("REG.") and text.count(".") == 1:
        for w in words:
            if w["space"] == "REG" and w["name"] == text[4:]:
                enc = w["addr"] & 0xFFFF
                return (f"REG.{w['name']}.{enc >> 14}.{enc >> 11 & 7}."
                        f"{enc >> 7 & 15}.{enc >> 3 & 15}.{enc & 7}")
    if text.startswith("FW.") and text.count(".") == 1:
        for w in words:
            if w["space"] == "FW" and w["name"] == text[3:]:
                return f"FW.{w['name']}.{w['addr'] & 0xFFFFFF:#x}"
    return text


def check_fields(words, fields):
    last = 0
    for f in sorted(fields, key=lambda f: f["id"]):
        # a row must not go away; but work that is done side by side may begin at its own hundred
        if f["id"] != last + 1 and f["id"] % 100:
            refuse(f["where"], f"gap in the ids at {last + 1}")
        last = f["id"]
    for w in words:
        used = 0
        for f in w["fields"]:
            mask = ((1 << f["width"]) - 1) << f["lsb"]
            if used & mask:
                refuse(f["where"], f"{f['name']} overlaps another field of {w['name']}")
            used |= mask
        if w["klass"] == "fields" and not w["fields"]:
            refuse(w["where"], f"word {w['name']} has no field")
        w["known"] = used
        w["fields"].sort(key=lambda f: f["lsb"])

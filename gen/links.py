# SPDX-License-Identifier: MIT
"""The tables that refer to fields: names, parents, rules, models, capabilities."""

import re

from tables import KINDS, named, normal, number, refuse, rows, parse_word

STAGES = ["builtin", "offer", "default", "plan"]
EFFECTS = ["record", "offer", "withdraw", "set", "clear", "want", "warn"]
NEED_FIELDS = ["offer", "withdraw", "set", "clear", "want"]
TAGS = ["qemu", "linux", "libvirt", "arm", "db"]  # as in enum name_tag
CALLERS = TAGS[:3]  # whose word one of our own names can be
SEVERITIES = ["-", "note", "warning", "error"]
ATOMS = {
    # word: argument kind
    "lapic": None, "irqchip": "irqchip", "gic": "gic", "cap": "cap", "offered": None,
    "supported": None, "native": None, "emulated": None, "handles": "handles",
    "exit-disabled": "exits", "exit-allowed": "exits", "asked": None, "asked-on": None,
    "asked-off": None, "model": "model", "prop": "prop", "planned": "field", "msr": "number",
    "accepts": "accepts", "vendor": "text", "leaf": "number", "on": None, "cpu": "cpu", "offers": "field",
    "about": "prop",
}
# what they say of the target of a rule, a rule without one cannot say
OF_TARGET = ["offered", "supported", "native", "emulated", "asked", "asked-on", "asked-off", "on"]
ENUMS = {
    "irqchip": ["kernel", "split", "user", "none"],
    "gic": ["none", "v2", "v3"],
    "model": ["host", "max", "base", "named"],
    "accepts": ["x2apic-ids"],
}


def field_index(where, name, fields):
    for i, f in enumerate(fields):
        if normal(f["name"]) == normal(name):
            return i
    refuse(where, f"no field '{name}'")


def tag_mask(where, text, known):
    """Tags joined by ' + ' as bits, in the order of TAGS."""
    mask = 0
    for tag in text.split(" + "):
        if tag.strip() not in known:
            refuse(where, f"no such tag '{tag.strip()}', expected one of {' '.join(known)}")
        if mask >> TAGS.index(tag.strip()) & 1:
            refuse(where, f"tag {tag.strip()} twice")
        mask |= 1 << TAGS.index(tag.strip())
    return mask


def read_called(folder, names):
    """Who else uses our own name of a feature, and for the same bit."""
    seen = {}
    for where, (name, tags) in rows(f"{folder}/called.txt", 2):
        entry = names.get(normal(name))
        if not entry or not entry["own"]:
            refuse(where, f"no field or feature is named '{name}'")
        if normal(name) in seen:
            refuse(where, f"{name} is at {seen[normal(name)]} already")
        seen[normal(name)] = where
        entry["tags"] = tag_mask(where, tags, CALLERS)


def read_condition(where, text, fields):
    """Terms 'FIELD>=n' and 'FIELD=n' of alternatives: (alternative, field, exact, value)."""
    out = []
    for alt, part in enumerate(text.split(" or ")):
        for term in part.split(" and "):
            m = re.fullmatch(r"\s*([A-Za-z0-9_.-]+)(>?=)(\w+)\s*", term)
            if not m:
                refuse(where, f"'{term.strip():.40}' is not FIELD>=VALUE or FIELD=VALUE")
            i = field_index(where, m[1], fields)
            out.append((alt, i, m[2] == "=", number(where, m[3], 0, 2**fields[i]["width"] - 1)))
    return out


def told_targets(where, text, terms, fields):
    """What a word about a feature sets: fields as they are named, else the last term of each alternative."""
    last = {alt: (i, value) for alt, i, _, value in terms}
    if text == "none":
        return [(i, value) for i, value in last.values()]
    if text == "-":
        out = list(last.values())
        # a field that two alternatives end with is set as the greater value says
        return [t for k, t in enumerate(out) if all(o[0] != t[0] for o in out[k + 1:])]
    return [(i, 1 if fields[i]["order"] <= 1 else 0)
            for i in (field_index(where, t.strip(), fields) for t in text.split("+ "))]


def read_names(folder, fields):
    """Features: what a user can name; each sets one or more fields."""
    features, names = [], {}

    def add(where, name, feature, tags):
        if normal(named(where, name)) in names:
            refuse(where, f"name '{name}' is taken at {names[normal(name)]['where']}")
        names[normal(name)] = dict(where=where, feature=feature, tags=tags or 0, own=tags is None, name=name)

    for i, f in enumerate(fields):
        full = 1 if f["order"] <= 1 else None
        features.append(dict(id=f["id"], name=f["name"], targets=[(i, full)], terms=[], where=f["where"]))
        add(f["where"], f["name"], i, None)
    seen = {}

    def add_feature(where, c, targets, terms, **more):
        ident = number(where, c[0], 4096, 65535)
        if ident in seen:
            refuse(where, f"id {ident} is at {seen[ident]} already")
        seen[ident] = where
        features.append(dict(id=ident, name=c[1], targets=targets, terms=terms, where=where, **more))
        add(where, c[1], len(features) - 1, None)
        for alias in [] if c[4] == "-" else c[4].split(","):
            add(where, alias.strip(), len(features) - 1, tag_mask(where, "linux", TAGS))

    for where, c in rows(f"{folder}/features.txt", 5, optional=True):
        i = field_index(where, c[2], fields)
        least = number(where, c[3], 0, 2**fields[i]["width"] - 1)
        add_feature(where, c, [(i, least)], [])
    for where, c in rows(f"{folder}/told.txt", 6, optional=True):
        terms = read_condition(where, c[2], fields)
        add_feature(where, c, told_targets(where, c[3], terms, fields), terms, fixed=c[3] == "none", by_terms=c[3] == "-",
                    meaning=c[5])
    for where, (alias, target, tag) in rows(f"{folder}/aliases.txt", 3):
        tags = 0 if tag == "-" else tag_mask(where, tag, TAGS)
        parts = [field_index(where, t.strip(), fields) for t in target.split("+ ")] \
            if " + " in target else None
        if parts is None:
            key = normal(target)
            if key not in names:
                refuse(where, f"no field or feature '{target}'")
            add(where, alias, names[key]["feature"], tags)
            continue
        features.append(dict(id=0, name=alias, terms=[], where=where,
                             targets=[(p, features[p]["targets"][0][1]) for p in parts]))
        add(where, alias, len(features) - 1, tags)
    read_called(folder, names)
    return features, names


SWITCHES = ["on", "off", "yes", "no", "true", "false", "y", "n"]  # as in request.c


def read_named(folder, fields):
    """Values that have a name, of each field in their order."""
    for f in fields:
        f["named"] = {}
    for where, (field, value, name) in rows(f"{folder}/named.txt", 3, optional=True):
        f = fields[field_index(where, field, fields)]
        v = number(where, value, 0, 2**f["width"] - 1)
        if v in f["named"]:
            refuse(where, f"{value} of {field} has a name already")
        if normal(named(where, name)) in map(normal, f["named"].values()):
            refuse(where, f"{name} is a value of {field} already")
        if normal(name) in SWITCHES or re.fullmatch("0x[0-9a-f]*|[0-9]+", name.lower()):
            refuse(where, f"'{name}' is a switch or a number by itself")
        f["named"][v] = name


def read_need(where, text, fields, features, names):
    """One side of a requirement as (field, feature, least value or None); several of a feature that any of several fields tell."""
    text, at, value = text.strip().partition(">=")
    if at:
        i = field_index(where, text, fields)
        return [(i, i, number(where, value, 0, 2**fields[i]["width"] - 1))]
    key = normal(text)
    if key not in names:
        refuse(where, f"no field or feature '{text}'")
    index = names[key]["feature"]
    f = features[index]
    if f["id"] == 0:
        refuse(where, f"'{text}' is a group: name its fields")
    if not f["terms"]:
        return [(i, index, value if f["id"] >= 4096 else None) for i, value in f["targets"]]
    if any(t[2] for t in f["terms"]) or len({t[0] for t in f["terms"]}) != len(f["terms"]):
        refuse(where, f"'{text}' is told by more than a choice of fields: name the fields")
    return [(i, index, value) for _, i, _, value in f["terms"]]


def read_requires(folder, fields, features, names):
    out = []
    for where, (child, parent, source) in rows(f"{folder}/requires.txt", 3):
        to = [n for p in parent.split(" + ") for n in read_need(where, p, fields, features, names)]
        if len(to) > 4:
            refuse(where, "at most four parents in one row")
        for n in read_need(where, child, fields, features, names):
            if any(n[0] == t[0] for t in to):
                refuse(where, f"{child} cannot be its own parent")
            if any(o["from"] == n and o["to"] == to for o in out):
                refuse(where, f"{child} requires {parent} twice")
            out.append({"child": n[0], "parents": [t[0] for t in to], "from": n, "to": to, "source": source, "where": where})
    refuse_cycles(out, fields)
    return out


def refuse_cycles(requires, fields):
    """Nobody may need itself over other parents; but two may need each other, and go together. More of a field needs what
    less of it needs."""
    def level(need):
        return need[0], need[2] if need[2] is not None else -1

    def needs(node):
        return {level(p) for r in requires for n in [level(r["from"])] if n[0] == node[0] and n[1] <= node[1] for p in r["to"]}

    above = {n: needs(n) for r in requires for n in [level(r["from"]), *map(level, r["to"])]}
    for r in requires:
        child = level(r["from"])
        seen, todo = set(), [p for p in map(level, r["to"]) if child not in above[p]]
        while todo:
            p = todo.pop()
            if p[0] == child[0] and p[1] >= child[1]:
                refuse(r["where"], f"{fields[p[0]]['name']} needs itself in the end")
            if p not in seen:
                seen.add(p)
                todo += above[p]


VENDORS = ["intel", "amd", "centaur"]


def read_vendors(folder, fields):
    """Fields that only some vendors' CPUs have: a mask of VENDORS, 0 for any."""
    for f in fields:
        f["vendors"] = 0
    for where, (name, vendors, _) in rows(f"{folder}/vendors.txt", 3, optional=True):
        f = fields[field_index(where, name, fields)]
        if f["vendors"]:
            refuse(where, f"{name} twice")
        for v in vendors.split("+"):
            if v.strip() not in VENDORS:
                refuse(where, f"no such vendor '{v.strip()}', expected one of {' '.join(VENDORS)}")
            f["vendors"] |= 1 << VENDORS.index(v.strip())


def parse_atom(where, text, fields, lists):
    negate = text.startswith("!")
    word, _, arg = text.lstrip("!").partition(":")
    if word not in ATOMS:
        refuse(where, f"no such condition '{word}'")
    if negate and word == "about":
        refuse(where, "'about' always holds")
    kind = ATOMS[word]
    if (kind is None) != (arg == ""):
        refuse(where, f"condition '{word}' {'takes no' if kind is None else 'needs an'} argument")
    value, string = 0, None
    if kind in ENUMS:
        if arg not in ENUMS[kind]:
            refuse(where, f"no such {kind} '{arg}'")
        value = ENUMS[kind].index(arg)
    elif kind in ("cap", "handles", "exits"):
        found = [r["number"] for r in lists[kind] if r["name"] == arg]
        if not found:
            refuse(where, f"no such {kind} '{arg}'")
        value = found[0]
    elif kind == "field":
        value = field_index(where, arg, fields)
    elif kind == "prop":
        names = [p["name"] for p in lists["props"]]
        if arg not in names:
            refuse(where, f"no such property '{arg}'")
        value = names.index(arg)
    elif kind == "number":
        value = number(where, arg, 0, 2**32 - 1)
    elif kind == "cpu":
        m = re.fullmatch(r"(\d{1,3})/(\d{1,3})(?:/(\d{1,2})-(\d{1,2}))?", arg)
        if not m:
            refuse(where, f"'{arg}' is not FAMILY/MODEL or FAMILY/MODEL/STEPPING-STEPPING")
        family, model, lo, hi = (int(x or d) for x, d in zip(m.groups(), (0, 0, 0, 15)))
        value = family << 32 | model << 16 | lo << 8 | hi
    elif kind == "text":
        string = arg
    return dict(op=list(ATOMS).index(word), negate=negate, value=value, text=string)


def source_of(where, text, arch):
    """Of a rule for every architecture: the one source, or that of ARCH."""
    if not arch or not re.match("(x86|arm64): ", text):
        return text
    by_arch = dict(part.split(": ", 1) for part in text.split(" / ") if ": " in part)
    if arch not in by_arch:
        refuse(where, f"no source for {arch}")
    return by_arch[arch]


def read_rules(path, fields, lists, common):
    """COMMON: these are for every architecture, read for this one."""
    out = []
    for where, c in rows(path, 8, optional=True):
        if any(normal(r["id"]) == normal(named(where, c[0])) for r in out):
            refuse(where, f"rule {c[0]} twice")
        for col, known in ((1, STAGES), (2, EFFECTS), (5, SEVERITIES)):
            if c[col] not in known:
                refuse(where, f"no such word '{c[col]}', expected one of {' '.join(known)}")
        targets = [] if c[3] == "-" else [field_index(where, t, fields) for t in c[3].split()]
        if common and targets:
            refuse(where, "a rule for every architecture names no field")
        # what code does by itself it does to fields that it knows
        if c[2] in NEED_FIELDS and not targets and c[1] != "builtin":
            refuse(where, f"a rule that does '{c[2]}' names the fields")
        atoms = [] if c[4] == "-" else [parse_atom(where, a, fields, lists) for a in c[4].split()]
        about_target = [w for w in (a.lstrip("!") for a in c[4].split()) if w in OF_TARGET]
        if about_target and not targets:
            refuse(where, f"condition '{about_target[0]}' is about the field, and the rule names none")
        if len(c[6]) > 200:
            refuse(where, "the sentence is longer than 200 characters")
        out.append(dict(id=c[0], stage=STAGES.index(c[1]), effect=EFFECTS.index(c[2]),
                        targets=targets, atoms=atoms, severity=SEVERITIES.index(c[5]),
                        sentence=c[6], source=source_of(where, c[7], common), where=where))
    return out


def read_numbers(path, most=31):
    out = []
    for where, c in rows(path, 4):
        n = number(where, c[0], 0, most)
        if any(o["number"] == n or normal(o["name"]) == normal(named(where, c[1])) for o in out):
            refuse(where, f"{c[1]} or {n} twice")
        out.append(dict(number=n, name=c[1], on=c[2], meaning=c[3]))
    return sorted(out, key=lambda o: o["number"])


PROP_TYPES = ["bool", "number", "number0", "hertz", "text", "choice"]
PROP_DEFAULTS = {"off": (1, 0), "on": (1, 1), "host": (2, 1), "-": (0, 0)}


def read_properties(folder):
    """Words of a request that are not fields; a second name may stand beside the first."""
    out, taken = [], {}
    for where, c in rows(f"{folder}/properties.txt", 4):
        names, (kind, _, limits) = c[0].split(), c[1].partition(":")
        for n in names:
            if normal(named(where, n)) in taken:
                refuse(where, f"property {n} is at {taken[normal(n)]} already")
            taken[normal(n)] = where
        if len(names) > 2:
            refuse(where, "at most two names")
        if kind not in PROP_TYPES or bool(limits) != (kind in ("number", "number0", "text")):
            refuse(where, f"no such type '{c[1]}': bool, hertz, choice, number:LO..HI, number0:LO..HI, text:LO..HI")
        lo, hi = [number(where, x) for x in limits.split("..")] if limits.count("..") == 1 else (0, 2**64 - 1)
        if limits and limits.count("..") != 1 or lo > hi:
            refuse(where, f"'{limits}' is not LO..HI")
        if c[2] not in PROP_DEFAULTS or (kind != "bool" and c[2] != "-"):
            refuse(where, "a default is on, off or host (on for host and max) of a bool, or -")
        when, value = PROP_DEFAULTS[c[2]]
        out.append(dict(name=names[0], other=names[1] if len(names) > 1 else None, type=PROP_TYPES.index(kind),
                        when=when, default=value, min=lo, max=hi, choices=None, meaning=c[3], where=where))
    return out


VALUE_FORMS = {"number": (1, 1), "sum": (2, 12), "joined": (2, 12), "text": (1, 12), "tsc": (0, 0)}


def read_values(folder, props, fields, words):
    """Where the value of a property stands in a plan: indexes of fields, or of words of a text."""
    out = []
    for where, (name, form, of) in rows(f"{folder}/values.txt", 3, optional=True):
        found = [i for i, p in enumerate(props) if p["name"] == name]
        if not found:
            refuse(where, f"no such property '{name}'")
        if any(o["prop"] == found[0] for o in out):
            refuse(where, f"{name} twice")
        if form not in VALUE_FORMS:
            refuse(where, f"no such form '{form}', expected one of {' '.join(VALUE_FORMS)}")
        parts = [] if of == "-" else of.split()
        if form == "text":
            known = {w["addr"]: i for i, w in enumerate(words)}
            at = [a for p in parts for a in parse_word(where, p)[1]]
            if any(not isinstance(a, tuple) or a[0] not in known for a in at):
                refuse(where, "a text is made of words of words.txt")
            indexes = [known[a[0]] for a in at]
        else:
            indexes = [field_index(where, p, fields) for p in parts]
        least, most = VALUE_FORMS[form]
        if not least <= len(indexes) <= most:
            refuse(where, f"'{form}' is of {least} to {most}, not of {len(indexes)}")
        out.append(dict(prop=found[0], form=list(VALUE_FORMS).index(form), of=indexes))
    return out


def read_models(folder, fields):
    out = []
    for where, c in rows(f"{folder}/models.txt", 9, optional=True):
        nums = [number(where, x, 0, 2**32 - 1) for x in c[2:7]]
        feats = [field_index(where, f, fields) for f in c[8].split()]
        if len(set(feats)) != len(feats):
            refuse(where, "a feature twice")
        if normal(named(where, c[0])) in ENUMS["model"] + [normal(m["name"]) for m in out]:
            refuse(where, f"model {c[0]} twice")
        out.append(dict(name=c[0], vendor=c[1], nums=nums, model_id=c[7], rest=False,
                        features=[(f, None) for f in feats]))
    return out


def call_number(where, text, calls):
    """A hypercall by number, or by its name in hypercalls.txt."""
    known = [c for c in calls if normal(c["name"]) == normal(text)]
    if not known:
        n = number(where, text, 0, 2**32 - 1)
        if any(c["number"] == n for c in calls):
            refuse(where, f"hypercall {n} has a name in hypercalls.txt")
        return n
    return known[0]["number"]


GATES = ("-", "msr", "hypercall", "msr-bit", "flag")
VMM_DOES = ("-", "lapic", "apic-map", "msi-ext-dest-id", "map-gpa-range", "migration-control", "dedicated-cpus", "pv-time",
            "discover-impl")


def read_pv(folder, fields, calls):
    out = []
    for where, c in rows(f"{folder}/pv.txt", 6, optional=True):
        msrs = [] if c[1] == "-" else [number(where, m, 0, 2**32 - 1) for m in c[1].split()]
        own = [] if c[2] == "-" else [call_number(where, m, calls) for m in c[2].split()]
        field = field_index(where, c[0], fields)
        if len(msrs) > 4 or len(own) > 6:
            refuse(where, "at most four MSRs and six hypercalls in one row")
        if any(o["field"] == field for o in out):
            refuse(where, f"{c[0]} twice")
        if c[3] not in GATES:
            refuse(where, f"no such gate '{c[3]}'")
        for word in c[4].split("+"):
            if word not in VMM_DOES:
                refuse(where, f"nothing that a VMM does is called '{word}'")
        out.append(dict(field=field, msrs=msrs, calls=own, gate=c[3], vmm=c[4], note=c[5]))
    for i, f in enumerate(fields):
        if f["owner"] & 1 and KINDS[f["kind"]] == "pv" and not any(o["field"] == i for o in out):
            refuse(f["where"], f"{f['name']} is KVM's own and has no row in pv.txt")
    return out


def read_presets(folder, fields, pv, requires, props):
    """What the property of type choice takes: for each preset the fields that it turns on and off."""
    out, given = [], sorted(p["field"] for p in pv if KINDS[fields[p["field"]]["kind"]] != "none")
    for where, (name, field, member, reason) in rows(f"{folder}/presets.txt", 4, optional=True):
        known = [p for p in out if normal(p["name"]) == normal(named(where, name))]
        if reason == "-":
            refuse(where, f"{name} without a reason")
        if field == "-":
            if known or member != "-":
                refuse(where, f"{name} twice" if known else "a preset itself is no member: '-'")
            out.append(dict(name=name, meaning=reason, members={}, where=where))
            continue
        if not known:
            refuse(where, f"no row above says what preset '{name}' is")
        i = field_index(where, field, fields)
        if i not in given:
            refuse(where, f"{field} is no paravirtual feature that KVM or a VMM gives")
        if i in known[0]["members"]:
            refuse(where, f"{field} in {name} twice")
        if member not in ("on", "off"):
            refuse(where, f"no such word '{member}', expected on or off")
        known[0]["members"][i] = dict(on=member == "on", reason=reason, where=where)
    choices = [p for p in props if PROP_TYPES[p["type"]] == "choice"]
    if len(choices) > 1 or len(choices) != bool(out):
        refuse((choices or out[:1])[-1]["where"], "presets.txt is for one property of type choice")
    for p in out:
        finish_preset(p, choices[0]["name"], given, fields, requires)
    for c in choices:
        c["choices"] = " ".join(p["name"] for p in out)
    return out


def finish_preset(p, prop, given, fields, requires):
    """A preset without members lacks all for what it means; any other says of each why."""
    for i in given:
        if not p["members"] or i in p["members"]:
            continue
        refuse(p["where"], f"{p['name']} does not say whether it has {fields[i]['name']}")
    p["members"] = p["members"] or {i: dict(on=False, reason=p["meaning"], where=p["where"]) for i in given}
    for r in requires:
        m = p["members"].get(r["child"])
        if m and m["on"] and not any(p["members"].get(i, {"on": True})["on"] for i in r["parents"]):
            refuse(m["where"], f"{p['name']} has {fields[r['child']]['name']}, and nothing that it needs")
    for m in p["members"].values():
        m["sentence"] = f"{prop}={p['name']} {'has it' if m['on'] else 'leaves it out'}: {m['reason']}"
        if len(m["sentence"]) > 200:
            refuse(m["where"], "a reason is too long: with the preset's name more than 200 characters")


def read_hypercalls(folder):
    """Hypercalls by name; those of features may stand as numbers in pv.txt instead."""
    out = []
    for where, (call, name, note) in rows(f"{folder}/hypercalls.txt", 3, optional=True):
        n = number(where, call, 0, 2**32 - 1)
        if any(o["number"] == n or normal(o["name"]) == normal(named(where, name)) for o in out):
            refuse(where, f"{name} or {n} twice")
        out.append(dict(number=n, name=name, note=note))
    return out


def read_gates(folder, fields):
    """Leaves and MSRs that hold nothing unless a field is on."""
    out = []
    for where, (word, field, _) in rows(f"{folder}/gates.txt", 3, optional=True):
        form, value = parse_word(where, word)
        msr = form == "words"
        if not word.startswith("MSR." if msr else "CPUID."):
            refuse(where, "a gate is for an MSR, or for a whole leaf with sub-leaf '*'")
        key = (value[0][0] & 0xFFFFFFFF) if msr else value[0]
        if any(o["msr"] == msr and o["key"] == key for o in out):
            refuse(where, f"{word} twice")
        out.append(dict(msr=msr, key=key, field=field_index(where, field, fields)))
    return out


def read_caches(folder):
    """Whole cache leaves for guests that are not told of the host's."""
    out = []
    for where, c in rows(f"{folder}/caches.txt", 7, optional=True):
        nums = [number(where, x, 0, 2**32 - 1) for x in c[:6]]
        if any(o[:2] == nums[:2] for o in out):
            refuse(where, f"leaf {c[0]} sub-leaf {c[1]} twice")
        out.append(nums)
    return out


def read_params(path):
    out = []
    for where, c in rows(path, 3):
        named(where, c[0]), named(where, c[1])
        if c[:2] in [o[:2] for o in out]:
            refuse(where, f"{c[0]} {c[1]} twice")
        out.append(c)
    return out


def read_errors(path):
    """What an errno of a call means: (call, errno, meaning)."""
    out = []
    for where, c in rows(path, 3):
        if not re.fullmatch("[A-Z0-9_]+", c[0]) or not re.fullmatch("E[A-Z0-9]+", c[1]):
            refuse(where, f"'{c[0]} {c[1]}' is not a call and an errno")
        if c[:2] in [o[:2] for o in out]:
            refuse(where, f"{c[0]} {c[1]} twice")
        out.append(c)
    return out


def read_runtime(folder, fields):
    """Attach to every run-time field the reason why it moves."""
    path = f"{folder}/runtime.txt"
    for where, (name, reason) in rows(path, 2):
        f = fields[field_index(where, name, fields)]
        if not f["owner"] & 4:
            refuse(where, f"{name} is not owned by runtime")
        if f.get("runtime"):
            refuse(where, f"{name} twice")
        f["runtime"] = reason
    for f in fields:
        if f["owner"] & 4 and not f.get("runtime"):
            refuse(f["where"], f"{f['name']} has no row in runtime.txt")

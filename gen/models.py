# SPDX-License-Identifier: MIT
"""Models that are based on others: what each makes of every field that it decides."""

from links import ENUMS
from tables import ORDERS, named, normal, number, refuse, rows

LOWER = [ORDERS.index(o) for o in ("flag", "lower", "prefix")]
HOST = "host"


def rank(field, value):
    """Where a value stands among all values of the field, from the least."""
    return value ^ 1 << field["width"] - 1 if field["signed"] else value


def least(field):
    """What stands for "not there": where that is no legal value, the least that is."""
    return field["absent"] if field["signed"] else max(field["absent"], field["min"])


def parse_value(where, text, field):
    if text in ("host", "off"):
        return HOST if text == "host" else least(field)
    value = number(where, text)
    if value >> field["width"]:
        refuse(where, f"{text} does not fit into {field['width']} bits of {field['name']}")
    if not field["signed"] and value < field["min"]:
        refuse(where, f"{text} is below the least legal value of {field['name']}")
    return value


def parse_register(where, text, word, fields):
    """(field, value) of all that can be chosen in a register; of none that KVM fixes."""
    value = HOST if text == "host" else number(where, text)
    for i, f in enumerate(fields):
        if f["word"] is word and f["owner"] & 1:
            yield i, value if value == HOST else value >> f["lsb"] & (1 << f["width"]) - 1


def join(where, fields, into, more):
    """Of what two rows say of a field the most."""
    for i, v in more.items():
        old = into.get(i, v)
        if old != v and (HOST in (old, v) or fields[i]["order"] not in LOWER):
            refuse(where, f"{fields[i]['name']} is one thing in one row and another in the next")
        into[i] = v if v == HOST else max(old, v, key=lambda x: rank(fields[i], x))


def parse_words(where, text, fields, features, names, words):
    """What one row says by itself: demands, registers and what holds unless another word says otherwise."""
    said, registers, otherwise = {}, {}, {}
    registers_of = {normal(w["name"]): w for w in words}
    for item in [] if text == "-" else text.split():
        name, _, value = item.partition("=")
        into, found = said, []
        if value and normal(name) in registers_of:
            into = otherwise if value == "host" else registers
            found = list(parse_register(where, value, registers_of[normal(name)], fields))
        elif normal(name) not in names:
            refuse(where, f"no field, feature or register '{name}'")
        else:
            feature = features[names[normal(name)]["feature"]]
            if len(feature["targets"]) != 1 or (value and feature["id"] >= 4096):
                refuse(where, f"'{item}' is no word of a model")
            i, reach = feature["targets"][0]
            if not value and reach is None:
                refuse(where, f"{name} of how much? {name}=VALUE")
            into = otherwise if value == "off" else said
            found = [(i, parse_value(where, value, fields[i]) if value else reach)]
        for i, v in found:
            if i in into and (value or into[i] == v):
                refuse(where, f"{fields[i]['name']} twice")
            join(where, fields, into, {i: v})
    return said, registers, otherwise


def decide(model, fields, described):
    """(field, value) of all that the model decides; the rest stays the host's own."""
    for i, f in enumerate(fields):
        for source in (model["said"], model["registers"], model["otherwise"]):
            if i in source:
                value = source[i]
                break
        else:
            value = least(f) if i in described and f["owner"] & 1 else HOST
        if value != HOST:
            yield i, value


def read_based_models(folder, fields, features, names, words):
    out, rows_by = [], {}
    # one member of a set (sve256) describes no level of it
    described = {f["targets"][0][0] for f in features if f["id"] >= 4096}
    described -= {i for i, f in enumerate(fields) if ORDERS[f["order"]] == "prefix"}
    for where, (name, based, text, meaning) in rows(f"{folder}/models.txt", 4):
        if normal(named(where, name)) in ENUMS["model"] or normal(name) in rows_by:
            refuse(where, f"model {name} twice")
        said, registers, otherwise = parse_words(where, text, fields, features, names, words)
        model = dict(said={}, registers={}, otherwise={})
        for parent in [] if based == "-" else based.split():
            # above, and so never in a circle
            if normal(parent) not in rows_by:
                refuse(where, f"no row above says what '{parent}' is")
            above = rows_by[normal(parent)]
            join(where, fields, model["said"], above["said"])
            model["registers"].update(above["registers"])
            model["otherwise"].update(above["otherwise"])
        join(where, fields, model["said"], said)
        model["registers"].update(registers)
        model["otherwise"].update(otherwise)
        rows_by[normal(name)] = model
        if meaning != "-":
            out.append(dict(name=name, vendor=None, nums=[0] * 5, model_id=meaning, rest=True,
                            features=list(decide(model, fields, described))))
    return out

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Turns data/ into C tables: gen.py DATA OUT_DIR. Fatal on any doubt."""

import os
import sys

from arm64 import read_masks, read_registers, read_switches
from behaves import read_behaviours, read_controls, read_msrs
from emit import HEAD, emit_arch, emit_enums, emit_features
from hosts import emit_hosts
from links import (read_caches, read_errors, read_gates, read_hypercalls, read_models, read_named, read_names, read_numbers, read_params, read_presets,
                   read_properties, read_pv, read_requires, read_rules, read_runtime, read_values, read_vendors)
from models import read_based_models
from predict import read_exceptions, read_init
from supported import emit_supported
from tables import Refused, normal, read_fields, read_parts, read_reserved, read_words, refuse


def read_arch(data, arch, lists):
    folder = f"{data}/{arch}"
    words, ranges = read_words(folder)
    fields = read_fields(folder, words)
    read_runtime(folder, fields)
    read_vendors(folder, fields)
    read_named(folder, fields)
    for i, w in enumerate(words):
        w["index"] = i
        w["first"] = next((j for j, f in enumerate(fields) if f["word"] is w), 0)
    features, names = read_names(folder, fields)
    own = dict(lists, props=read_properties(folder))
    for p in own["props"]:
        for n in filter(None, (p["name"], p["other"])):
            taken = names.get(normal(n))
            # a field that nobody can choose leaves its name to the property that sets it
            if taken and any(fields[t]["owner"] & 1 for t, _ in features[taken["feature"]]["targets"]):
                refuse(p["where"], f"'{n}' is a feature at {taken['where']} already")
    rules = read_rules(f"{data}/kvm/rules.txt", fields, own, arch)
    rules += read_rules(f"{folder}/rules.txt", fields, own, None)
    seen = {}
    for r in rules:
        if normal(r["id"]) in seen:
            refuse(r["where"], f"rule {r['id']} is at {seen[normal(r['id'])]} already")
        seen[normal(r["id"])] = r["where"]
    parts = read_parts(folder, words, ranges, names)
    read_reserved(folder, words, parts)
    requires, calls = read_requires(folder, fields, features, names), read_hypercalls(folder)
    pv = read_pv(folder, fields, calls)
    models = read_models(folder, fields) if arch == "x86" else \
        read_based_models(folder, fields, features, names, words)
    return dict(name=arch, words=words, ranges=ranges, fields=fields, parts=parts, features=features,
                names=names, rules=rules, props=own["props"], requires=requires, models=models,
                pv=pv, presets=read_presets(folder, fields, pv, requires, own["props"]),
                calls=calls, exceptions=read_exceptions(folder, fields, words),
                inits=read_init(folder, fields, lists["cap"]), spans=read_registers(folder, fields),
                masks=read_masks(folder, words), switches=read_switches(folder),
                gates=read_gates(folder, fields), msrs=read_msrs(folder, fields), controls=read_controls(folder, fields),
                caches=read_caches(folder),
                values=read_values(folder, own["props"], fields, words))


def main(data, out):
    lists = {"cap": read_numbers(f"{data}/kvm/caps.txt", 65535),
             "exits": read_numbers(f"{data}/kvm/exits.txt"),
             "handles": read_numbers(f"{data}/kvm/handles.txt"),
             "params": read_params(f"{data}/kvm/params.txt"),
             "errors": read_errors(f"{data}/kvm/errors.txt"),
             "behaviours": read_behaviours(f"{data}/kvm")}
    arches = [read_arch(data, a, lists) for a in ("x86", "arm64")]
    supported, facts = emit_supported(data, arches[0], lists["params"])
    written = {"feature_numbers.h": emit_features(arches),
               "facts_gen.h": emit_enums(arches, lists).replace("#endif\n", facts + "#endif\n"),
               "hosts_gen.c": emit_hosts(f"{data}/hosts", HEAD),
               "supported_gen.c": supported}
    for a in arches:
        written[f"facts_{a['name']}.c"] = emit_arch(a, lists)
    for name, text in written.items():
        with open(os.path.join(out, name), "w", encoding="utf-8") as f:
            f.write(text)


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2])
    except Refused as e:
        sys.exit(f"{e}")

# SPDX-License-Identifier: MIT
"""Bundled snapshots as C: what reading their documents would make, with nothing left to read.

The documents are written by the command; whether the C is the same as reading them is a test's
business (tests/unit/snapshot.c), and so is their hash.
"""

import json
import os
import re

from tables import refuse

TABLES = {"supported": "SUPPORTED", "emulated": "EMULATED", "hyperv": "HYPERV", "native": "NATIVE",
          "varies": "VARIES"}
TRIALS = {"zeros": "TRIAL_ZEROS", "ones": "TRIAL_ONES", "bare": "TRIAL_BARE"}


def hexa(text, bits=32):
    value = int(text, 16)
    if not text.startswith("0x") or value >> bits:
        raise ValueError(f"'{text:.40}' is not a hex string of {bits} bits")
    return f"{value:#x}{'U' if bits <= 32 else 'ULL'}"


def count(value, most=2**32 - 1):
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(f"'{value}' is not a number up to {most}")
    return str(value)


def string(text):
    if text is None:
        return "NULL"
    if not text.isprintable() or not text.isascii():
        raise ValueError(f"'{text:.40}' is not plain text")
    return '(char *)"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?") + '"'


# What the tables hold of a document: anything else would be lost.
KEYS = {
    "x86": {"cpuid", "msrs", "tsc", "xcomp", "mce", "trial"},
    "arm64": {"devices", "vcpu_init", "registers", "trial"},
}
COMMON = {"schema", "version", "arch", "name", "hash", "origin", "assumed", "host", "capabilities"}


class Host:
    """One document, and the C tables that hold it."""

    def __init__(self, doc, prefix):
        self.doc, self.prefix = doc, prefix
        self.arrays, self.members = [], []

    def put(self, member, value):
        self.members.append(f"\t.{member} = {value},\n")

    def list(self, member, kind, items):
        """A list of the snapshot: an array of its own, nothing where it is empty."""
        if not items:
            return
        name = f"{self.prefix}_{len(self.arrays)}"
        body = "".join(f"\t{i},\n" for i in items)
        self.arrays.append(f"static const {kind} {name}[] = {{\n{body}}};\n\n")
        self.put(member, f"{{ (void *){name}, {len(items)}, {len(items)} }}")

    def table(self, where, key, constant):
        self.list(f"cpuid[SNAP_{constant}]", "struct snap_cpuid", [
            f"{{ {hexa(e['leaf'])}, {hexa(e['subleaf'])}, {count(e['flags'], 7)}, "
            f"{{ {', '.join(hexa(e[r]) for r in ('eax', 'ebx', 'ecx', 'edx'))} }} }}" for e in where[key]])

    def common(self):
        d, h = self.doc, self.doc["host"]
        if d["schema"] != "guestcpu.snapshot" or d["version"] != 1:
            raise ValueError("not a snapshot of version 1")
        unknown = set(d) - COMMON - KEYS[d["arch"]]
        if unknown:
            raise ValueError(f"gen/hosts.py does not know {' '.join(sorted(unknown))}")
        if not re.fullmatch("sha256:[0-9a-f]{64}", d["hash"]):
            raise ValueError("no hash")
        if ("origin" in d) != ("assumed" in d) or d.get("origin", "computed") != "computed":
            raise ValueError("origin is computed, and has what was assumed")
        self.put("borrowed", "true")
        self.put("computed", "true" if "origin" in d else "false")
        self.list("assumed", "struct snap_assumed", [
            f"{{ {string(a['what'])}, {string(a['value'])}, {string(a['why'])} }}" for a in d.get("assumed", [])])
        self.put("arch", {"x86": "GCPU_ARCH_X86", "arm64": "GCPU_ARCH_ARM64"}[d["arch"]])
        self.put("name", string(d["name"]))
        self.put("hash", f'"{d["hash"]}"')
        for key, member in (("vendor", "vendor"), ("cpu", "brand"), ("microcode", "microcode"),
                            ("kernel", "kernel"), ("module", "module")):
            self.put(member, string(h[key]))
        self.list("params", "struct snap_param", [
            f"{{ {string(p['module'])}, {string(p['name'])}, {string(p['value'])} }}" for p in h["parameters"]])
        self.list("cores", "struct snap_core", [
            f"{{ {hexa(c['midr'], 64)}, {count(c['cpus'], 2**32 - 1)}U }}" for c in h.get("cores", [])])
        for key in ("system", "vm"):
            self.list(f"caps_{key}", "struct snap_cap", [
                f"{{ {count(n, 65535)}U, {count(v, 2**31 - 1)} }}" for n, v in d["capabilities"][key]])
        self.put("has_trial", "true" if "trial" in d else "false")

    def x86(self):
        d = self.doc
        for key, constant in TABLES.items():
            self.table(d["cpuid"], key, constant)
        self.list("msr_indexes", "uint32_t", [hexa(i) for i in d["msrs"]["index"]])
        trial = {None: "MSR_UNTRIED", True: "MSR_ACCEPTED", False: "MSR_REFUSED"}
        self.list("msr_features", "struct snap_msr", [
            f"{{ {hexa(m['index'])}, {hexa(m['value'], 64)}, {trial[m.get('accepted')]} }}"
            for m in d["msrs"]["features"]])
        if "khz" in d["tsc"]:
            self.put("has_tsc_khz", "true")
            self.put("tsc_khz", count(d["tsc"]["khz"], 2**63 - 1) + "U")
        if "supported" in d["xcomp"]:
            self.put("has_xcomp", "true")
            for key in ("supported", "permitted"):
                self.put(f"xcomp_{key}", hexa(d["xcomp"][key], 64))
        if "mce" in d:
            self.put("has_mce", "true")
            self.put("mce_supported", hexa(d["mce"]["supported"], 64))
        if "trial" in d:
            self.put("enforce_pv_error", count(d["trial"]["enforce_pv_errno"], 4095))
            for key, constant in TRIALS.items():
                self.table(d["trial"], key, constant)

    def arm64(self):
        d = self.doc
        self.list("devices", "struct snap_device", [
            f"{{ {count(e['type'])}U, {count(e['errno'], 4095)} }}" for e in d["devices"]])
        self.put("target", count(d["vcpu_init"]["target"]) + "U")
        self.put("init_features", hexa(d["vcpu_init"]["features"]))
        self.list("inits", "struct snap_init", [
            f"{{ {hexa(e['features'])}, {count(e['errno'], 4095)} }}" for e in d["vcpu_init"]["tried"]])
        regs = []
        for r in d["registers"]:
            value = r.get("value", [])
            if len(value) > 8:
                raise ValueError("a register of more than 8 words")
            regs.append(f"{{ {hexa(r['id'], 64)}, {len(value)}, {{ {', '.join(hexa(v, 64) for v in value) or 0} }}, "
                        f"{count(r.get('errno', 0), 4095)}, {'true' if 'mask' in r else 'false'}, "
                        f"{hexa(r.get('mask', '0x0'), 64)} }}")
        self.list("regs", "struct snap_reg", regs)
        nibbles = []
        for n in d["trial"]["nibbles"] if "trial" in d else []:
            read = ["0"] * 16
            for wrote, got in n.get("read", []):
                read[int(count(wrote, 15))] = count(got, 15)
            nibbles.append(f"{{ {hexa(n['id'], 64)}, {count(n['lsb'], 60)}, {hexa(n['accepted'], 16)}, "
                           f"{hexa(n['changed'], 16)}, {count(n['errno'], 4095)}, {{ {', '.join(read)} }} }}")
        self.list("nibbles", "struct snap_nibble", nibbles)

    def text(self):
        self.common()
        self.x86() if self.doc["arch"] == "x86" else self.arm64()
        return ("".join(self.arrays) + f"static const struct gcpu_snapshot {self.prefix} = {{\n"
                + "".join(self.members) + "};\n\n")


def emit_hosts(folder, head):
    text = head + '#include "facts.h"\n#include "snapshot.h"\n\n'
    # git keeps no empty folder
    hosts = sorted(n for n in os.listdir(folder) if n.endswith(".json")) if os.path.isdir(folder) else []
    entries = []
    for i, n in enumerate(hosts):
        path = os.path.join(folder, n)
        try:
            with open(path, encoding="utf-8") as f:
                text += Host(json.load(f), f"host_{i}").text()
        except (ValueError, KeyError, TypeError, AttributeError) as e:
            refuse(f"{path}:1", f"not a snapshot: {e}")
        entries.append(f'\t{{ "{n[:-5]}", &host_{i} }},\n')
    text += "const struct host_fact gcpu_hosts[] = {\n" + ("".join(entries) or "\t{ 0 },\n") + "};\n\n"
    return text + f"const unsigned gcpu_n_hosts = {len(hosts)};\n"

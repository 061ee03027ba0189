#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Software KVMs over hosts that no machine is: they are refused, or verify and conform come to an end on them."""
import copy
import json
import os
import random
import sys

import cli

NUMBERS = [0, 1, -1, 2, 63, 64, 255, 256, 4095, 4096, 65535, 65536, 2**31 - 1, -2**31]
WORDS = [0, 1, 0x80, 0xff, 0x100, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]
WIDE = [*WORDS, 2**63, 2**64 - 1]
TEXTS = ["", "x", "6.1", "99999.99999", "4294967296.1", "GenuineIntel", "AuthenticAMD", "kvm_intel", "kvm_amd", "Y"]
HOSTS = ["x86-amd-rome-6-12", "x86-amd-pvm-6-18", "arm64-kvm-max-7-2", "arm64-kvm-neoverse-n1-6-1"]
COMMANDS = [["conform", "--on"], ["verify", "--vcpus", "2", "--host"], ["verify", "--alive", "--host"]]
SERIES = ["", "@6.1", "@6.12", "@6.18", "@7.2"]


def places(value):
    """(container, key) of everything in a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield value, key
        yield from places(inner)


def other(value, draw):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return draw.choice(NUMBERS)
    if isinstance(value, str):
        return hex(draw.choice(WORDS if len(value) <= 10 else WIDE)) if value.startswith("0x") else draw.choice(TEXTS)
    return value


class Hosts(cli.Test):
    @classmethod
    def setUpClass(cls):
        cls.docs = {name: cli.guestcpu("probe", "--host", name).json() for name in HOSTS}

    def comes_to_an_end(self, doc, series="", nth=None):
        doc = dict(doc)
        doc.pop("hash", None)
        path = os.path.join(cli.scratch(), "hostile.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(doc, f)
        # all of them, or in turn
        for args in COMMANDS if nth is None else [COMMANDS[nth % len(COMMANDS)]]:
            ran = cli.guestcpu(*args, f"model:{path}{series}")
            self.assertIn(ran.code, (0, 1, 2, 3), str(ran))
            self.assertEqual(bool(ran.out or ran.err), True, str(ran))
            self.assertNotRegex(ran.err, "Sanitizer|runtime error")

    def test_capabilities(self):
        for name in HOSTS:
            for value in 0, -1, 1, 2**31 - 1:
                doc = copy.deepcopy(self.docs[name])
                for scope in doc["capabilities"].values():
                    for cap in scope:
                        if cap[1] > 1:
                            cap[1] = value
                with self.subTest(host=name, value=value):
                    self.comes_to_an_end(doc)

    def test_nothing(self):
        """Lists without entries, one at a time and all at once."""
        for name in HOSTS:
            lists = [(c, k) for c, k in places(self.docs[name]) if isinstance(c[k], list) and isinstance(c, dict)]
            for nth in [*range(len(lists)), None]:
                doc = copy.deepcopy(self.docs[name])
                for i, (c, k) in enumerate([p for p in places(doc) if isinstance(p[0][p[1]], list) and
                                            isinstance(p[0], dict)]):
                    if nth in (i, None):
                        c[k] = []
                with self.subTest(host=name, list=nth if nth is None else lists[nth][1]):
                    self.comes_to_an_end(doc, nth=None if nth is None else 0)

    def test_save_areas(self):
        """Of components of any size, anywhere."""
        for size in 0, 1, 0x10000, 0x7fffffff, 0xffffffff:
            for offset in 0, 0xffffffff:
                doc = copy.deepcopy(self.docs["x86-amd-rome-6-12"])
                for table in doc["cpuid"].values():
                    for e in table:
                        if e["leaf"] == "0xd" and e["subleaf"] not in ("0x0", "0x1"):
                            e["eax"], e["ebx"] = hex(size), hex(offset)
                with self.subTest(size=size, offset=offset):
                    self.comes_to_an_end(doc)

    def test_any(self):
        draw = random.Random(1)
        for n in range(60):
            doc = copy.deepcopy(self.docs[draw.choice(HOSTS)])
            for _ in range(draw.choice([1, 1, 2, 5, 20])):
                section = draw.choice([k for k in doc if isinstance(doc[k], (dict, list))])
                where = list(places(doc[section]))
                if where:
                    container, key = draw.choice(where)
                    container[key] = other(container[key], draw)
            with self.subTest(n=n):
                self.comes_to_an_end(doc, draw.choice(SERIES), n)


if __name__ == "__main__":
    sys.exit(cli.main())

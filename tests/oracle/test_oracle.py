#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The oracle's own test: no QEMU and no KVM are needed."""
import os
import re
import unittest

import compare
import differences
import fetch_qemu
import gen_doc
import hosts
import qemu
import words
from case import Case, parse_extra

HERE = os.path.dirname(os.path.abspath(__file__))
SPLIT = {"call": "KVM_ENABLE_CAP", "args": {"cap": 121, "args": [24]}}


def entry(leaf, sub, flags, *registers):
    return dict(leaf=hex(leaf), subleaf=hex(sub), flags=flags,
                **dict(zip(words.REGISTERS, map(hex, registers))))


def case(flags="host", irqchip="kernel", smp=2, extra="-"):
    """A case in which both sides say the same."""
    made = Case([flags, irqchip, str(smp), extra])
    made.version = "10.0"
    table = [[1, 0, 0, 0, 0, 0x81202000, 0x78bfbff], [7, 0, 1, 0, 2, 0, 0]]
    made.qemu = dict(qemu.digest([]), tables={0: table, 1: table},
                     supported=table, refused=None, messages="")
    made.plan = {"cpuid": [entry(*row) for row in table], "msrs": [],
                 "vcpus": [{"index": n, "id": n} for n in (0, 1)],
                 "recipe": []}
    return made


def row(versions, subjects, condition):
    return differences.Row(1, ["x", "pv", versions, subjects, condition, "host",
                               "r", "s"])


class Comparing(unittest.TestCase):
    def test_same(self):
        self.assertEqual(compare.compare(case()), ([], 16))

    def test_bit(self):
        changed = case()
        changed.plan["cpuid"][1]["ebx"] = "0x42"
        found, _ = compare.compare(changed)
        self.assertEqual([(d.subject, d.item, d.ours, d.qemus)
                          for d in found], [("CPUID.0x7.0x0.ebx", 6, 1, 0)])

    def test_bit_of_one_vcpu(self):
        changed = case()
        changed.plan["vcpus"] = [
            {"index": 0, "id": 0},
            {"index": 1, "id": 1, "cpuid": [entry(7, 0, 1, 0, 0, 0, 0)]}]
        self.assertEqual([(d.item, d.ours) for d in compare.compare(changed)[0]],
                         [(1, 0)])

    def test_missing_leaf_is_zero(self):
        changed = case()
        del changed.plan["cpuid"][1]
        self.assertEqual(len(compare.compare(changed)[0]), 1)

    def test_subleaf_needs_the_flag(self):
        table = [[7, 0, 1, 0, 2, 0, 0]]
        self.assertEqual(words.vector(table, {}, {(7, 1)})["CPUID.0x7.0x1.eax"], 0)
        table = [[7, 0, 0, 5, 2, 0, 0]]
        self.assertEqual(words.vector(table, {}, {(7, 1)})["CPUID.0x7.0x1.eax"], 5)

    def test_what_else_is_asked_of_kvm(self):
        for change, subject in (
                ({"tsc_khz": 2000000, "host_khz": 1000000}, "tsc-khz"),
                ({"lmce": True}, "lmce")):
            changed = case()
            changed.qemu.update(change)
            self.assertEqual([d.subject for d in compare.compare(changed)[0]],
                             [subject])
        changed = case()
        changed.plan["vcpus"][1]["id"] = 2
        self.assertEqual([d.subject for d in compare.compare(changed)[0]],
                         ["apic-ids"])
        changed = case()
        # The rate that it has anyway.
        changed.qemu.update(tsc_khz=1000000, host_khz=1000000)
        self.assertEqual(compare.compare(changed)[0], [])

    def test_index_of_an_entry_without_one(self):
        changed = case()
        table = [row[:] for row in changed.qemu["tables"][0]]
        table[0][1] = 0x3f      # left over from another entry, the flag is not set
        changed.qemu["tables"] = {0: table, 1: table}
        self.assertEqual(compare.compare(changed)[0], [])

    def test_capability(self):
        changed = case(irqchip="split")
        changed.plan["recipe"] = [SPLIT]
        self.assertEqual([d.subject for d in compare.compare(changed)[0]],
                         ["cap"])
        changed.qemu["caps"] = [{"cap": 121, "args": [24, 0, 0, 0]}]
        self.assertEqual(compare.compare(changed)[0], [])

    def test_only_one_refuses(self):
        changed = case()
        changed.qemu["refused"] = "no"
        self.assertEqual([d.subject for d in compare.compare(changed)[0]],
                         ["refused"])
        changed.our_error = "no"
        self.assertEqual(compare.compare(changed)[0], [])


class Rows(unittest.TestCase):
    def setUp(self):
        self.bit = differences.Difference("CPUID.0x7.0x0.ebx", 6, 1, 0,
                                          (0x42, 0x2))

    def test_fits(self):
        word = "CPUID.0x7.0x0.ebx[4-6,13]"
        self.assertTrue(row("*", word, "ours=1").fits(self.bit, case()))
        self.assertTrue(row("10.0,7.2", word, "-").fits(self.bit, case()))
        self.assertFalse(row("7.2", word, "-").fits(self.bit, case()))
        self.assertFalse(row("*", word, "ours=0").fits(self.bit, case()))
        self.assertFalse(row("*", "CPUID.0x7.0x0.ebx[7]", "-")
                         .fits(self.bit, case()))
        self.assertFalse(row("*", "cap[121]", "-").fits(self.bit, case()))
        for word, expected in (("CPUID.0x7.*.ebx[*]", True), ("CPUID.*.*.*[*]", True),
                               ("CPUID.0x7.0x1.*[*]", False), ("MSR.0x7[*]", False)):
            self.assertEqual(row("*", word, "-").fits(self.bit, case()), expected)

    def test_conditions(self):
        for condition, expected in (
                ("irqchip=kernel,split", True), ("irqchip=user", False),
                ("request~^host", True), ("request!~^host", False),
                ("smp=2", True), ("smp>2", False), ("cpu-pm", False),
                ("kvm-has", False), ("kvm-lacks", True),
                ("msr-refused=0x10a", False), ("arg~maxcpus", False),
                ("model=host,max", True), ("off=avx", False),
                ("word=more", True), ("word=less", False), ("package>2", False),
                ("package>1", True), ("parent-off", False),
                ("plan-has=CPUID.0x1.0x0.ecx[31]", True),
                ("plan-lacks=CPUID.0x1.0x0.ecx[31]", False),
                ("lacks=CPUID.0x1.0x0.ecx[30]", True)):
            with self.subTest(condition):
                self.assertEqual(
                    differences.holds(condition, self.bit, case()), expected)

    def test_bad_rows(self):
        for columns in (("*", "CPUID.0x7.0x0.ebx", "-"),
                        ("*", "cap[121]", "sometimes"),
                        ("ten", "cap[121]", "-"), ("*", "nothing", "-")):
            with self.subTest(columns):
                self.assertRaises(ValueError, row, *columns)

    def test_files(self):
        self.assertTrue(differences.read())
        requests = words.read_rows(os.path.join(HERE, "requests.txt"), 4)
        self.assertGreaterEqual(len(requests), 15)
        titles = [tuple(columns) for _, columns in requests]
        self.assertEqual(len(titles), len(set(titles)))
        for columns in titles:
            self.assertIn(columns[1], ("kernel", "split", "user", "none"))
            self.assertTrue(set(parse_extra(columns[3]))
                            <= {"cpu-pm", "machine", "maxcpus", "qemu",
                                "host", "plain-vmm"})
        for one in differences.read_all():
            self.assertIn(one.request(), [" | ".join(t) for t in titles],
                          one.id)


class Others(unittest.TestCase):
    def test_document(self):
        text = gen_doc.document()
        for one in differences.read():
            self.assertIn("\n### %s\n" % one.id, text)
            # in the index, with the place that a reader of Markdown makes of the heading
            self.assertIn("- [%s](#%s): " % (one.id, one.id.replace(".", "")), text)
            self.assertIn("`-cpu %s`" % one.request().split(" | ")[0], text)
        self.assertNotIn(" ; ", text)
        index = [line for line in text.splitlines() if line.startswith("- [")]
        self.assertEqual(len(index), len(differences.read()))
        self.assertLessEqual(max(map(len, index)), 200)

    def test_sentences_stand_by_themselves(self):
        for reason in ("and then enforce fails", "the same on Intel", "The other way round", "these do nothing"):
            with self.assertRaises(ValueError):
                differences.Row(1, ["x", "pv", "*", "refused", "-", "host", reason, "s"])
        differences.Row(1, ["x", "pv", "*", "refused", "-", "host", "the sameness of it", "s"])

    def test_a_version_of_a_model_is_the_model(self):
        for flags, there in (("qemu64-v1,+avx2", True), ("qemu64", True), ("kvm64-v1", False)):
            self.assertEqual(differences.holds("model=base,qemu64", None, case(flags)), there, flags)

    def test_sources(self):
        found = list(fetch_qemu.stanzas_of_list(
            "# deb x y main\n"
            "deb [arch=amd64 signed-by=/k] http://a/d bookworm main contrib\n"
            "deb-src http://a/d bookworm main\n"))
        self.assertEqual(found, [("http://a/d", ["bookworm"],
                                  ["main", "contrib"], "/k")])
        found = list(fetch_qemu.stanzas_of_sources(
            "Types: deb\nURIs: http://a/d\nSuites: trixie trixie-updates\n"
            "Components: main\n\nTypes: deb-src\nURIs: http://b\n\n"
            "Types: deb\nEnabled: no\nURIs: http://c\n"))
        self.assertEqual(found, [("http://a/d", ["trixie", "trixie-updates"],
                                  ["main"], None)])

    def test_no_host_name_is_written(self):
        for name in os.listdir(HERE):
            if name.endswith((".py", ".txt", ".c")) and name != "test_oracle.py":
                with open(os.path.join(HERE, name),
                          encoding="utf-8") as stream:
                    self.assertIsNone(re.search(r"\w+://", stream.read()),
                                      name)

    def test_snapshot(self):
        table = [entry(0, 0, 0, 1, 0x68747541, 0x444d4163, 0x69746e65)]
        document = {"cpuid": {"supported": table},
                    "msrs": {"features": []}, "tsc": {"khz": 2000000}}
        document["msrs"]["features"] = [
            {"index": "0x10a", "value": "0x69", "accepted": False},
            {"index": "0x8b", "value": "0x1"}]
        document["capabilities"] = {"system": [[143, 14], [7, 9]]}
        found, msrs, caps, khz = hosts.answers(document)
        self.assertEqual(hosts.vendor(found), "AuthenticAMD")
        self.assertEqual((msrs, khz), ({0x10a: 0x69, 0x8b: 1}, 2000000))
        self.assertEqual((caps[143], caps[190], 7 in caps), (14, 0, False))
        self.assertEqual(hosts.refused_msrs(document), {0x10a})
        self.assertRaises(ValueError, hosts.answers, {})


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The generator, the shrinker and the parents: no QEMU and no KVM are needed."""
import unittest

import generate
import hosts
import inside
import parents
import qemu
import shrink
from case import Case, Topology


class FakeQemu:
    """Knows some names of each sort."""

    @staticmethod
    def feature_names():
        return {"avx", "avx2", "sse2", "svm", "kvmclock", "kvm-pv-eoi", "no-such-name"}


def generator(seed, most=300):
    snapshots = {None: hosts.read("x86-amd-max-6-12"),
                 "x86-amd-rome-6-1": hosts.read("x86-amd-rome-6-1")}
    return generate.Generator(seed, generate.Facts(FakeQemu), snapshots, most)


class Generating(unittest.TestCase):
    def test_a_seed_is_enough(self):
        one, same, other = ([made.request() for _ in range(50)]
                            for made in (generator(7), generator(7), generator(8)))
        self.assertEqual(one, same)
        self.assertNotEqual(one, other)

    def test_what_is_made(self):
        made = generator(3)
        requests = [made.request() for _ in range(600)]
        items = [columns[0].count(",") for columns in requests]
        self.assertEqual(min(items), 0)
        self.assertGreaterEqual(max(items), generate.MANY)
        self.assertGreater(sum(1 <= n <= 9 for n in items), len(items) * 3 // 4)
        self.assertEqual({columns[1] for columns in requests}, set(generate.IRQCHIPS))
        self.assertEqual({columns[0].split(",")[0] for columns in requests},
                         set(generate.MODELS))
        cases = [Case(columns) for columns in requests]
        self.assertEqual({case.host for case in cases}, {None, "x86-amd-rome-6-1"})
        self.assertGreater(max(case.smp for case in cases), 100)
        for case in cases:
            self.assertNotIn("no-such-name", case.flags)
            self.assertNotIn(",pv", case.flags) # guestcpu's own: QEMU has no such property
            product = 1
            for count in case.topology.counts.values():
                product *= count
            self.assertEqual(product, case.smp, case.title)
            self.assertTrue(case.irqchip != "none" or case.smp == 1, case.title)
            if not case.flags.startswith(("host", "max")):
                self.assertNotIn("migratable", case.flags)

    def test_whose_properties(self):
        ours = generate.our_properties()
        self.assertLessEqual({"kvm", "tsc-frequency", "tsc-freq"}, ours)
        self.assertNotIn("pv", ours)

    def test_values(self):
        made = generator(1)
        for _ in range(200):
            self.assertIn(int(made.value(["32..34"])), range(32, 35))
            self.assertRegex(made.value(["0x1..0xff"]), "^0x[0-9a-f]{1,2}$")
            self.assertIn(len(made.value(["text5"])), range(1, 6))
        self.assertEqual(made.value(["A text"]), "A text")

    def test_contradiction(self):
        for item, other in (("+avx", "-avx"), ("-avx", "+avx"), ("avx=yes", "-avx"),
                            ("avx", "-avx"), ("avx=off", "+avx"), ("level=7", "level=7")):
            self.assertEqual(generate.contradiction(item), other)


class Topologies(unittest.TestCase):
    """APIC ids by the manuals: each level has a whole number of bits."""

    def test_ids(self):
        for text, most, limit in (
                ("1", 0, 1), ("8", 0, 8), ("6", 0, 6), ("257", 0, 257),
                ("6,sockets=1,cores=3,threads=2", 0, 6),
                # second package: bit 3 and up; its last core and thread: 5
                ("12,sockets=2,cores=3,threads=2", 0, 14),
                # 2 bits for 3 dies, 1 for 2 modules, 3 for 5 cores, 1 for 2 threads
                ("60,sockets=1,dies=3,modules=2,cores=5,threads=2", 0,
                 (2 << 5 | 1 << 4 | 4 << 1 | 1) + 1),
                ("2", 288, 288), ("3", 6, 7)):
            with self.subTest(text):
                self.assertEqual(Topology(text).id_limit(most), limit)

    def test_text(self):
        self.assertEqual(Topology("4").said(), "4,sockets=1,cores=4,threads=1")
        for text in ("4", "4,sockets=2,cores=2,threads=1",
                     "8,sockets=1,dies=2,modules=2,cores=2,threads=1"):
            self.assertEqual(Topology(text).text(), text)
        self.assertEqual(Topology("4,sockets=1,cores=4").text(), "4")
        self.assertRaises(ValueError, Topology, "4,planets=2")

    def test_room(self):
        self.assertEqual(qemu.with_room("2,sockets=1,cores=2,threads=1", 288),
                         "2,sockets=144,cores=2,threads=1,maxcpus=288")


class Shrinking(unittest.TestCase):
    def test_to_what_matters(self):
        tried = []

        def still_wrong(columns):
            tried.append(columns)
            flags, irqchip, smp, _ = columns
            return ("-avx" in flags.split(",") and irqchip == "split"
                    and Topology(smp).counts["threads"] > 1)

        small = shrink.shrink(["host,+a,-b,-avx,c=on,d", "split",
                               "48,sockets=2,dies=2,cores=3,threads=4",
                               "cpu-pm host=x"], still_wrong)
        self.assertEqual(small, ["host,-avx", "split",
                                 "2,sockets=1,cores=1,threads=2", "-"])
        self.assertEqual(len(tried), len({tuple(columns) for columns in tried}))

    def test_gives_up(self):
        columns = ["host," + ",".join("+f%d" % n for n in range(90)), "kernel", "1", "-"]
        self.assertEqual(shrink.shrink(columns, lambda _: False, tries=5), columns)


class Parents(unittest.TestCase):
    def test_order(self):
        # As QEMU has it: name=value in order, then all +, then all -.
        self.assertEqual(parents.said("host,-a,+a,b=on,+c,c=off,d,e=7"),
                         {"a": False, "b": True, "c": True, "d": True})

    def test_off(self):
        avx2 = ("CPUID.0x7.0x0.ebx", 5)
        self.assertTrue(parents.parent_off("host,-avx", *avx2))
        self.assertTrue(parents.parent_off("host,xsave=off", *avx2))
        self.assertFalse(parents.parent_off("host,-svm", *avx2))
        # a bit of leaf 1 and its copy
        self.assertTrue(parents.parent_off("host,-fpu", "CPUID.0x80000001.0x0.edx", 0))

    def test_asked(self):
        avx, ymm = ("CPUID.0x1.0x0.ecx", 28), ("CPUID.0xd.0x0.eax", 2)
        self.assertTrue(parents.parent_asked("base,+avx2", *avx))
        self.assertTrue(parents.parent_asked("base,+avx2", *ymm))
        self.assertFalse(parents.parent_asked("base,+sse2", *avx))


class Inside(unittest.TestCase):
    def test_script(self):
        script = inside.script([Case(["host,model-id=a b", "split", "2", "-"])])
        self.assertIn("-cpu 'host,model-id=a b'", script)
        self.assertIn("kernel-irqchip=split", script)
        self.assertIn("/out/0.log", script)

    def test_vcpus(self):
        said = '{"QMP": {}}\n{"return": {}}\n{"return": [{}, {}]}\n{"return": {}}\n'
        self.assertEqual(inside.vcpus_said(said), 2)
        self.assertIsNone(inside.vcpus_said(""))

    def test_hidden(self):
        def hides(flags, extra, word):
            case = Case([flags, "kernel", "2", extra])
            case.host = "x86-amd-rome-6-12"
            return bool(hosts.hidden_bits(hosts.from_instruction(case), word))

        self.assertTrue(hides("host", "-", "CPUID.0x80000003.0x0.ecx"))
        self.assertFalse(hides("kvm64", "-", "CPUID.0x80000003.0x0.ecx"))
        self.assertTrue(hides("host", "-", "CPUID.0xd.0x9.ebx"))
        self.assertFalse(hides("host", "-", "CPUID.0xd.0x1.eax"))
        self.assertTrue(hides("kvm64", "cpu-pm", "CPUID.0x5.0x0.ecx"))
        self.assertFalse(hides("host", "-", "CPUID.0x0.0x0.eax"))
        caches = "CPUID.0x8000001d.0x3.eax"
        self.assertTrue(hides("host,host-cache-info=on", "-", caches))
        self.assertFalse(hides("host,host-cache-info=off", "-", caches))
        self.assertFalse(hides("host", "-", caches))


if __name__ == "__main__":
    unittest.main()

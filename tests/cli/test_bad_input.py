#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Whatever is typed or read: an error that says what and where, never a crash."""
import copy
import json
import os
import re
import shutil
import stat
import sys

import cli

SCRATCH = cli.scratch()


def write(name, data):
    path = os.path.join(SCRATCH, name)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else json.dumps(data).encode())
    return path


class Requests(cli.Test):
    @classmethod
    def setUpClass(cls):
        cls.host = {arch: cli.a_host(arch) for arch in ("x86", "arm64")}

    def refuses(self, name, request, arch="x86"):
        _, error = self.fails(2, name, "plan", "--host", self.host[arch], "-c", request)
        return error

    def test_unknown_names(self):
        for arch, request, near in (("x86", "host,kvm-pv-eio", "kvm-pv-eoi"),
                                    ("x86", "host,+avx22", "avx2"),
                                    ("x86", "host,AVX_512F", "avx512f"),
                                    ("arm64", "host,-FEAT_RGN", "FEAT_RNG"),
                                    ("arm64", "host,ID_AA64ISAR0_EL1.RDNR=0", "ID_AA64ISAR0_EL1.RNDR"),
                                    ("x86", "host,enforced=on", "enforce")):
            with self.subTest(request=request):
                error = self.refuses("name", request, arch)
                self.assertIn(near, error["near"])
                word = request.split(",")[1].lstrip("+-").split("=")[0]
                self.assertEqual((error["offset"], error["length"]), (request.index(word), len(word)))
        plain = cli.guestcpu("plan", "--host", self.host["x86"], "-c", "host,kvm-pv-eio")
        self.assertIn("nearest: kvm-pv-eoi", plain.err)
        self.assertIn("\n  host,kvm-pv-eio\n       ^^^^^^^^^^\n", plain.err)

    def test_unknown_models(self):
        for request in ("nosuch", "hostt", "qemu65", "host avx2", "-avx2", "avx2,host"):
            with self.subTest(request=request):
                error = self.refuses("name", request)
                self.assertEqual(error["offset"], 0)
                self.assertIn("host", error["expected"])

    def test_other_architecture_s_names(self):
        self.refuses("name", "host,avx2", "arm64")
        self.refuses("name", "host,FEAT_RNG", "x86")

    def test_empty_items(self):
        for request, at in (("", 0), (",", 0), ("host,", 5), ("host,,avx2", 5), ("host,avx2,", 10),
                            ("host,+", 5), ("host,-", 5), ("host,=on", 5)):
            with self.subTest(request=request):
                self.assertEqual(self.refuses("syntax", request)["offset"], at)

    def test_values(self):
        for request in ("host,avx2=maybe", "host,avx2=", "host,avx2=1", "host,avx2=on=off",
                        "host,enforce=2"):
            with self.subTest(request=request):
                self.refuses("value", request)
        self.refuses("syntax", "host,+avx2=on")
        self.refuses("syntax", "host,-avx2=off")

    def test_numbers_out_of_range(self):
        for value in ("16", "0x10", "99999999999999999999", "0x1ffffffffffffffff", "-1", "0x", "1.5",
                      "1e3", "0b1", " 1"):
            with self.subTest(value=value):
                self.refuses("value", f"host,ID_AA64ISAR0_EL1.AES={value}", "arm64")

    def test_long_requests(self):
        # an argument of 1 MB does not even reach a process on Linux: 128 KB is the most
        for request in ("host," + ",".join(["avx2"] * 13200), "x" * 100000, "host," + "a" * 100000):
            error = self.refuses("syntax", request)
            self.assertIn("long", error["text"])
        error = self.refuses("name", "host," + "a" * 60000)
        self.assertEqual(error["length"], 60000)
        request = "host," + ",".join(["avx2,-avx2"] * 5900)
        self.assertLess(len(request), 65537)
        self.exits(0, "plan", "--host", self.host["x86"], "-c", request)

    def test_hostile_bytes(self):
        for text in (b"host,\x1b[31mavx2", b"host,\xff\xfe", b"\xc3\x28", b"host,avx2\n-avx2",
                     b"host,\xe2\x80\xae", b"\xf4\x90\x80\x80", b"host,%s%n%d", b"host,\"\\"):
            with self.subTest(text=text):
                self.refuses("name", os.fsdecode(text))

    def test_one_megabyte_argument(self):
        try:
            cli.guestcpu("plan", "--host", self.host["x86"], "-c", "x" * (1 << 20))
        except OSError:
            return # E2BIG: the kernel says no
        self.refuses("syntax", "x" * (1 << 20))


class Options(cli.Test):
    @classmethod
    def setUpClass(cls):
        cls.host = cli.a_host("x86")

    def test_unknown(self):
        for command in cli.COMMANDS:
            for option in ("--bogus", "-Z", "--", "--versio", "--jsonx", "-jj", "--version"):
                if option == "--":
                    continue
                with self.subTest(command=command, option=option):
                    plain, error = self.fails(2, "argument", command, option)
                    self.assertIn(option, error["text"])
                    self.assertIn("--help", plain.err)

    def test_of_another_command(self):
        for command, option in (("probe", "--cpu=host"), ("features", "--timeout=1"),
                                ("explain", "--output=x"), ("plan", "--timeout=1"), ("verify", "--hosts")):
            with self.subTest(command=command, option=option):
                _, error = self.fails(2, "argument", command, option)
                self.assertIn(f"guestcpu {command}", error["text"])

    def test_missing_values(self):
        for option in ("--cpu", "-c", "--host", "--vcpus", "--smp", "--output", "-o", "--kvm",
                       "--format", "-f", "--irqchip", "--gic", "--arch", "--handles",
                       "--disable-exits", "--kvm-leaf"):
            with self.subTest(option=option):
                ran = self.exits(2, "plan", option)
                self.assertIn("needs", ran.err)

    def test_unwanted_values(self):
        for option in ("--all=1", "--json=yes", "--no-trial=", "--x2apic-ids=on"):
            with self.subTest(option=option):
                self.assertIn("takes no value", self.exits(2, "plan", option).err + "")

    def test_bad_values(self):
        for option in ("--arch=mips", "--arch=", "--irqchip=none2", "--irqchip=KERNEL", "--gic=v4",
                       "--format=xml", "--format=", "--vcpus=0", "--vcpus=-1", "--vcpus=two",
                       "--vcpus=", "--vcpus=4294967296", "--vcpus=99999999999999999999999999",
                       "--vcpus=1.5", "--vcpus= 1", "--kvm-leaf=x", "--kvm-leaf=0x140000000",
                       "--smp=", "--smp=0", "--smp=2,", "--smp=,2", "--smp=2,sockets=0",
                       "--smp=2,sockets=", "--smp=2,books=2", "--smp=2,cores=4097", "--smp=2,=2",
                       "--disable-exits=mwait,,hlt", "--disable-exits=halt", "--handles=all"):
            with self.subTest(option=option):
                self.fails(2, "argument", "plan", "--host", self.host, option)
        for value in ("0", "-1", "x", "", "3600001", "1s"):
            self.fails(2, "argument", "verify", f"--timeout={value}")

    def test_topology_said_twice(self):
        for smp in ("cores=2,cores=2", "4,cpus=4", "4,4"):
            with self.subTest(smp=smp):
                _, error = self.fails(2, "argument", "plan", "--host", self.host, "--smp", smp)
                self.assertIn("again", error["text"])

    def test_impossible_machines(self):
        for options in (["--smp", "6,sockets=4"], ["--smp", "4,cores=3"], ["--smp", "2,threads=4"],
                        ["--smp", "4,sockets=2,dies=2,cores=2,threads=2"],
                        ["--smp", "sockets=4096,dies=4096,cores=4096,threads=4096"],
                        ["--smp", "sockets=4096,dies=4096,cores=256"],
                        ["--kvm-leaf", "0x50000000"], ["--kvm-leaf", "0x40000001"]):
            with self.subTest(options=options):
                _, error = self.fails(2, "machine", "plan", "--host", self.host, *options)
                self.assertFalse(error["text"].startswith("0 vCPUs"), "wrapped around")

    def test_more_vcpus_than_kvm_allows(self):
        snap = cli.guestcpu("probe", "--host", self.host).json()
        most = dict(snap["capabilities"]["vm"]).get(66, 4096)
        _, error = self.fails(2, "machine", "plan", "--host", self.host, "--vcpus", str(most + 1))
        self.assertIn(f"1 to {min(most, 4096)}", error["expected"])
        _, error = self.fails(2, "machine", "plan", "--host", self.host, "--vcpus", "4294967295")

    def test_words(self):
        for command in ("probe", "plan", "verify"):
            self.fails(2, "argument", command, "word")
        self.fails(2, "argument", "explain", "--host", self.host)
        self.fails(2, "argument", "features", *["avx2"] * 65)
        _, error = self.fails(2, "name", "features", "--arch=x86", "kvm-pv-eio")
        self.assertEqual(error["near"][0], "kvm-pv-eoi")
        _, error = self.fails(2, "name", "explain", "--host", self.host, "avx2", "kvm-pv-eio")
        self.assertEqual(error["near"][0], "kvm-pv-eoi")
        for word in ("migratable", "-avx2", "+avx2", "avx2=on", "a,b", "a" * 5000):
            with self.subTest(word=word[:20]):
                self.fails(2, "argument", "features", "--arch=x86", "--", word)  \
                    if word[0] != "-" else self.exits(2, "features", "--arch=x86", "--", word)

    def test_commands(self):
        plain, error = self.fails(2, "argument", "nosuch")
        self.assertIn("probe, features, plan, explain, verify", plain.err)
        self.assertIn("explain", error["expected"])
        self.assertEqual(cli.guestcpu().code, 2)
        self.exits(2, "help", "nosuch")
        self.fails(2, "argument", "")
        self.fails(2, "argument", "\x1b[2J\xff")

    def test_json_wherever_it_stands(self):
        for args in (["--json", "plan2"], ["plan", "--bogus", "--json"], ["plan", "-j", "--vcpus", "0"],
                     ["plan", "--vcpus=0", "--format=json"], ["plan", "--vcpus=0", "-f", "json"]):
            with self.subTest(args=args):
                ran = self.exits(2, *args)
                self.assertEqual(ran.json()["schema"], "guestcpu.error")


class Snapshots(cli.Test):
    @classmethod
    def setUpClass(cls):
        cls.doc = cli.guestcpu("probe", "--host", cli.a_host("x86")).json()
        cls.arm = cli.guestcpu("probe", "--host", cli.a_host("arm64")).json()

    def bad(self, name, data, what=None):
        path = write("bad.json", data)
        for command in (["plan"], ["probe"], ["explain", "avx2"]):
            plain, error = self.fails(2, name, *command, "--host", path)
            self.assertIn(path, error["text"])
            if what:
                self.assertIn(what, error["text"])
        return error

    def changed(self, change, doc=None):
        doc = copy.deepcopy(doc or self.doc)
        doc.pop("hash")
        change(doc)
        return doc

    def test_truncated(self):
        data = json.dumps(self.doc, indent=1).encode()
        for n in (0, 1, 2, 100, len(data) // 3, len(data) // 2, len(data) - 100, len(data) - 1):
            with self.subTest(length=n):
                self.assertIn("line", self.bad("document", data[:n])["text"])

    def test_not_json(self):
        for data in (b"\x00" * 100, b"\x7fELF", b"[]", b"null", b"42", b"{}", b"{\"schema\": 1}", b"[" * 100000,
                     b"{\"a\":" * 100000, b"\xef\xbb\xbf{}", b"{\"schema\":\"guestcpu.snapshot\"} x",
                     os.urandom(100000)):
            with self.subTest(data=data[:20]):
                self.bad("document", data)

    def test_wrong_schema(self):
        self.bad("schema", self.changed(lambda d: d.update(schema="guestcpu.plan")), "guestcpu.plan")
        self.bad("schema", self.changed(lambda d: d.update(version=2)), "version 2")
        self.bad("arch", self.changed(lambda d: d.update(arch="riscv")), "riscv")
        # a plan is no snapshot
        plan = cli.guestcpu("plan", "--host", cli.a_host("x86"), "--json").json()
        self.bad("schema", plan)

    def test_wrong_architecture(self):
        self.bad("document", self.changed(lambda d: d.update(arch="arm64")))
        self.bad("document", self.changed(lambda d: d.update(arch="x86"), self.arm))
        for doc, other in ((self.doc, "arm64"), (self.arm, "x86")):
            path = write("good.json", doc)
            _, error = self.fails(2, "argument", "plan", "--host", path, "--arch", other)
            self.assertIn(other, error["text"])

    def test_no_vector_lengths(self):
        lengths = "0x606000000015ffff"
        name = next(n for n in cli.guestcpu("features", "--hosts", "--json").json()["hosts"]
                    if n.startswith("arm64-kvm-max-"))
        known = cli.guestcpu("probe", "--host", name).json()

        def drop(d):
            d["registers"] = [r for r in d["registers"] if r["id"] != lengths]

        for change in (None, drop):
            path = write("good.json", self.changed(change or (lambda d: None), known))
            calls = [(s["call"], s["args"]) for s in self.exits(0, "plan", "--json", "--host", path).json()["recipe"]]
            self.assertIn("KVM_ARM_VCPU_FINALIZE", [c for c, _ in calls])
            # KVM does not take an empty set
            self.assertEqual(any(lengths in str(a) for _, a in calls), change is None)

    def test_missing_keys(self):
        for doc in (self.doc, self.arm):
            for key in doc:
                if key in ("hash", "tsc", "xcomp", "trial", "devices"):
                    continue
                with self.subTest(arch=doc["arch"], key=key):
                    self.bad("document", self.changed(lambda d: d.pop(key), doc), key)

    def test_wrong_types(self):
        for doc in (self.doc, self.arm):
            for key in doc:
                for value in ([], 7, {}, "x", True):
                    if key in ("hash", "tsc", "xcomp") or isinstance(value, type(doc[key])):
                        continue
                    with self.subTest(arch=doc["arch"], key=key, value=value):
                        ran = cli.guestcpu("plan", "--json", "--host", write("bad.json", self.changed(
                            lambda d: d.update({key: value}), doc)))
                        self.assertEqual(ran.code, 2, str(ran))

    def test_entries(self):
        def entry(**how):
            return lambda d: d["cpuid"]["supported"][1].update(how)
        for change in (entry(eax="0x100000000"), entry(eax="1"), entry(eax=1), entry(eax=None),
                       entry(eax="0x"), entry(eax="0xg"), entry(eax="-0x1"), entry(eax="0x" + "0" * 5000),
                       entry(leaf="0x123456789"), entry(flags="0x1"), entry(flags=-1), entry(flags=1 << 40)):
            self.bad("document", self.changed(change), "cpuid.supported[1]")

    def test_duplicate_leaves(self):
        def twice(doc):
            doc["cpuid"]["supported"].append(copy.deepcopy(doc["cpuid"]["supported"][2]))
        self.bad("document", self.changed(twice), "twice")
        def register_twice(doc):
            doc["registers"].append(copy.deepcopy(doc["registers"][-1]))
        self.bad("document", self.changed(register_twice, self.arm), "twice")
        text = json.dumps(self.changed(lambda d: None))
        self.bad("document", (text[:-1] + ", \"arch\": \"x86\"}").encode(), "duplicate")

    def test_ten_thousand_leaves(self):
        def many(doc):
            doc["cpuid"]["supported"] += [
                {"leaf": hex(0x50000000 + i), "subleaf": "0x0", "flags": 0, "eax": "0x0", "ebx": "0x0",
                 "ecx": "0x0", "edx": "0x0"} for i in range(10000)]
        error = self.bad("document", self.changed(many), "cpuid.supported: too many")
        self.assertIn("4096", error["expected"])

    def test_hash(self):
        doc = copy.deepcopy(self.doc)
        doc["host"]["kernel"] = "6.0.0"
        self.assertIn("hash", self.bad("document", doc)["text"])
        doc["hash"] = "sha256:0"
        self.bad("document", doc)
        doc.pop("hash")
        self.exits(0, "plan", "--host", write("good.json", doc))

    def test_unknown_keys_are_borne(self):
        doc = self.changed(lambda d: d.update(later={"x": [1]}))
        self.exits(0, "plan", "--host", write("good.json", doc))

    def test_hostile_strings(self):
        for text in ("\x1b]0;owned\x07\x1b[31m", "a\nb\r\nc", "\u009b31m", "\u2028", "x" * 1024, "%s%n",
                     "\"}],\\", "\ud7ff\uffff"):
            with self.subTest(text=text[:20]):
                doc = self.changed(lambda d: (d.update(name=text), d["host"].update(
                    kernel=text, module=text, cpu=text, vendor=text)))
                path = write("good.json", doc)
                out = os.path.join(SCRATCH, "out.json")
                for args in (["plan"], ["plan", "-a"], ["explain", "avx2"], ["probe", "-o", out]):
                    ran = self.exits(0, *args, "--host", path)
                    # nothing of it reaches a terminal as a command
                    self.assertTrue(all(c == "\n" or not (ord(c) < 32 or 127 <= ord(c) < 160)
                                        for c in ran.out), repr(ran.out[:300]))
                self.assertEqual(cli.guestcpu("plan", "--json", "--host", path).json()["host"]["name"], text)
                again = self.exits(0, "probe", "--host", path)
                self.assertEqual(again.json()["name"], text)
                self.exits(0, "plan", "--host", write("again.json", again.raw))
        long = self.changed(lambda d: d.update(name="x" * 1025))
        self.bad("document", long, "name")
        self.bad("document", self.changed(lambda d: d.update(name="a\0b")))
        self.bad("document", self.changed(lambda d: d["host"].update(kernel="x" * 10_000_000)))
        for raw in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\\ud800"):
            text = json.dumps(self.changed(lambda d: d.update(name="HERE"))).encode()
            self.bad("document", text.replace(b"HERE", raw))

    def test_files(self):
        _, error = self.fails(3, "kvm", "plan", "--host", os.path.join(SCRATCH, "nosuch.json"))
        self.assertEqual(error["errno"], 2)
        self.fails(3, "kvm", "plan", "--host", SCRATCH)
        self.fails(2, "document", "plan", "--host", "/dev/null")
        self.fails(2, "name", "plan", "--host", "nosuch")
        self.fails(2, "name", "plan", "--host", "")
        self.fails(2, "document", "plan", "--host", "/dev/zero")

    def test_too_long(self):
        path = os.path.join(SCRATCH, "long.json")
        with open(path, "w", encoding="ascii") as f:
            f.write('{"a": [' + "[]," * (3 << 20) + "1]}")
        _, error = self.fails(2, "document", "plan", "--host", path)
        self.assertIn("at most", error["expected"])

    def test_names(self):
        """Too long and too short; it is no matter of the file that CPUID is read from."""
        dump = write("dump.txt", Cpuid.LEAF0)
        for name, length in (("", 0), ("a" * 201, 201), ("a" * 100000, 100000)):
            for more in [], ["--from-cpuid", dump, "--kernel", "6.12"]:
                _, error = self.fails(2, "argument", "probe", "--name", name, *more)
                self.assertEqual(error["text"], f"--name: {length} bytes are no name, expected 1 to 200")
        self.exits(0, "probe", "--from-cpuid", dump, "--kernel", "6.12", "--name", "a" * 200)

    def test_tsc(self):
        """KVM's call returns an int."""
        for khz in 2**31, 2**32, 2**53, -1:
            self.bad("document", self.changed(lambda d: d.update(tsc={"khz": khz})), "tsc.khz")
        self.exits(0, "plan", "--host", write("good.json", self.changed(lambda d: d.update(tsc={"khz": 2**31 - 1}))))

    def test_no_model(self):
        """What no KVM in software can be made of names its file, and what was expected."""
        def kernel(text):
            return lambda d: d["host"].update(kernel=text)

        def vcpus(most):
            return lambda d: [c.__setitem__(1, most) for c in d["capabilities"]["system"] + d["capabilities"]["vm"] if c[0] == 66]

        for change, code in ((kernel(""), (2, "argument")), (kernel("six"), (2, "argument")), (kernel("255.1"), (2, "argument")),
                             (vcpus(0), (3, "kvm")), (vcpus(-1), (3, "kvm"))):
            path = write("no-model.json", self.changed(change))
            commands = [["plan", "--host", "model:" + path], ["verify", "--host", "model:" + path],
                        ["conform", "--on", "model:" + path]]
            if code[0] == 2:
                commands.append(["sim", "--host", path])
            for command in commands:
                more = ["--", "true"] if command[0] == "sim" else []
                ran = self.exits(code[0], command[0], "--json", *command[1:], *more)
                error = ran.json()["error"]
                self.assertEqual(error["code"], code[1])
                self.assertIn(path + ": ", error["text"])
                self.assertTrue(error["expected"], str(ran))

    def test_host_with_a_series(self):
        """Only a model is as of another kernel: what to write."""
        name = cli.a_host("x86")
        path = os.path.join(cli.ROOT, "data/hosts", name + ".json")
        for host in name + "@6.1", name + "@6", path + "@7.2":
            for command in "plan", "verify", "probe":
                ran = cli.guestcpu(command, "--json", "--host", host)
                self.assertIn(f"--host model:{host} is a software KVM", ran.json()["error"]["expected"], ran)
        ran = cli.guestcpu("conform", "--on", name)
        self.assertIn(f"try: guestcpu conform --on model:{name}\n", ran.err)
        for host in "nobody@6.1", "./nobody.json@6.1", name + "@":
            self.assertNotIn("model:", cli.guestcpu("plan", "--json", "--host", host).json()["error"]["expected"])

    def test_nearest_host(self):
        for name in cli.bundled()[:1]:
            _, error = self.fails(2, "name", "plan", "--host", name[:-1])
            self.assertIn(name, error["near"])


# as libvirt's tests have them, one after the other
MONITOR = b'{\n  "return": {\n    "model": {\n      "name": "base",\n      "props": {\n        "avx2": true\n      }\n    }\n  },\n  "id": "x"\n}\n'


class Cpuid(cli.Test):
    """CPUID of a bare CPU as text."""
    LEAF0 = b"   0x00000000 0x00: eax=0x00000001 ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65\n"

    def refuses(self, name, data, said, *more, code=2):
        path = write("dump.txt", data)
        _, error = self.fails(code, name, "probe", "--from-cpuid", path, *(more or ("--kernel", "6.12")))
        self.assertIn(said, error["text"])
        return error

    def test_dumps(self):
        for data, said in ((b"", "no line of CPUID"), (b"\x7fELF\x02\x01\x01\0\0\0", "not a text"),
                           (b"a letter\nto somebody\n", "no line of CPUID"),
                           (b"CPUID 00000001: 00A00F11-00800800-7EDA320B-178BFBFF\n", "no leaf 0"),
                           (self.LEAF0 + b"   0x00000001 0x00: eax=0x1\n", "line 2"),
                           (self.LEAF0.replace(b"68747541", b"00414956"), "another vendor"),
                           (b"{}", "schema")):
            with self.subTest(said=said):
                error = self.refuses("document", data, said)
                self.assertTrue(error["expected"])
        self.fails(3, "kvm", "probe", "--from-cpuid", "/nonexistent/dump.txt", "--kernel", "6.12")

    def test_cut_off(self):
        """Half a dump is taken for what it says, and said to be half of one."""
        rest = b"ebx=0x68747541 ecx=0x%08x edx=0x%08x"
        lines = {leaf: b"   0x%08x 0x00: eax=0x%08x %s\n" % (leaf, eax, rest % (ecx, edx))
                 for leaf, eax, ecx, edx in ((0, 13, 0x444d4163, 0x69746e65), (1, 0xa00f11, 0, 0x178bfbff), (7, 0, 0, 0), (13, 7, 0x340, 0),
                                             (1 << 31, (1 << 31) + 8, 0, 0), ((1 << 31) + 1, 0xa00f11, 0, 1 << 29),
                                             ((1 << 31) + 8, 0x3030, 0, 0))}
        for gone, said in (((), []), ((13,), ["leaves 0x8 to 0xd"]), ((7, 13), ["leaves 0x2 to 0xd"]), ((1,), ["leaf 0x1"]), ((1 << 31,), []),
                           (((1 << 31) + 8,), ["leaves 0x80000002 to 0x80000008"]), (((1 << 31) + 1,), ["leaf 0x80000001"]),
                           ((1, 7, 13), ["leaves 0x1 to 0xd"])):
            path = write("dump.txt", b"".join(line for leaf, line in lines.items() if leaf not in gone))
            ran = self.exits(0, "probe", "--from-cpuid", path, "--kernel", "6.12")
            self.assertEqual([a["what"] for a in ran.json()["assumed"] if a["what"].startswith("lea")], said)
            self.assertEqual(ran.err.count("is it whole?"), len(said), ran.err)

    def test_impossible_snapshot(self):
        """A snapshot whose host's own table was edited is judged as a dump is; without one, it says so."""
        with open(os.path.join(cli.ROOT, "data/hosts/x86-amd-rome-6-12.json"), encoding="utf-8") as f:
            doc = json.load(f)
        del doc["hash"]
        widths = next(e for e in doc["cpuid"]["native"] if e["leaf"] == "0x80000008")
        widths["eax"] = "0x3040"
        error = self.refuses("document", json.dumps(doc).encode(), "addresses of 64 bits")
        self.assertIn("32 to 52", error["expected"])
        doc["cpuid"]["native"] = []
        self.refuses("document", json.dumps(doc).encode(), "no CPUID of the CPU itself")

    def test_impossible(self):
        """What no CPU answers is refused with its place and what it should be."""
        with open(os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/intel-all.txt"), "rb") as f:
            dump = f.read()
        widths = re.compile(rb"(CPUID 80000008: 0000)....")
        self.assertEqual(len(widths.findall(dump)), 1)
        for width, said, expected in ((b"3400", "physical addresses of 0 bits", "32 to 52"),
                                      (b"3430", "linear addresses of 52 bits", "48, or 57")):
            error = self.refuses("document", widths.sub(rb"\g<1>" + width, dump), said)
            self.assertIn("dump.txt: leaf 0x80000008, eax 0x", error["text"])
            self.assertIn(expected, error["expected"])

    def test_arm64(self):
        with open(os.path.join(cli.ROOT, "data/hosts", cli.a_host("arm64") + ".json"), "rb") as f:
            self.refuses("document", f.read(), "a host of arm64")

    def test_other_tools(self):
        """Text of tools that people have at hand: whose it is, what is taken, and what that looks like."""
        for data, said in ((b"version=0.6.2\n\nbasic_cpuid[0]=00000024 756e6547 6c65746e 49656e69\n", "cpuid_tool"),
                           (b"Standard Leafs :\n0x00000000: EAX=0x00000024, EBX=0x756e6547, ECX=0x6c65746e, EDX=0x49656e69\n", "kcpuid"),
                           (b"<cpudata arch='x86'>\n <cpuid eax_in='0x00000000' ecx_in='0x00'/>\n</cpudata>\n", "libvirt"),
                           (MONITOR, "libvirt"), (MONITOR + b"\n" + MONITOR, "libvirt"), (b"{}", "schema: missing")):
            error = self.refuses("document", data, said)
            for taken in "cpuid -r", "InstLatx64", "0x00000000 0x00: eax=0x", "CPUID 00000000: EAX-EBX":
                self.assertIn(taken, error["expected"])

    def test_kernels(self):
        for series in ("5.10", "6", "6.12-rc1", "newest", "", "6.120", "6.12.5 ", "6.12.5\n", "6.12.5xyz", "6.12.123456"):
            with self.subTest(series=series):
                error = self.refuses("name", self.LEAF0, "no such kernel series", "--kernel", series)
                self.assertIn("6.1, 6.12, 6.18, 7.2", error["expected"])

    def test_options(self):
        path = write("dump.txt", self.LEAF0)
        for args in (("--from-cpuid", path), ("--kernel", "6.12"),
                     *(("--from-cpuid", path, "--kernel", "6.12", *more) for more in (
                         ("--host", "x86-amd-max-6-1"), ("--kvm", "/dev/kvm"), ("--no-trial",), ("--arch", "arm64")))):
            with self.subTest(args=args):
                self.fails(2, "argument", "probe", *args)
        self.fails(2, "argument", "plan", "--from-cpuid", path)


class Kvm(cli.Test):
    """--kvm and /dev/kvm. Exit 3, whatever the command."""

    def lacks(self, path, errno, **how):
        for command in (["probe"], ["plan"], ["explain", "avx2"], ["verify"]):
            with self.subTest(command=command, path=path):
                _, error = self.fails(3, "no-kvm", *command, "--kvm", path, **how)
                self.assertIn(path, error["text"])
                self.assertTrue(error["expected"])
                self.assertEqual(error["errno"], errno)

    def test_absent(self):
        self.lacks(os.path.join(SCRATCH, "nosuch"), 2)
        self.lacks("", 2)

    def test_plain_file(self):
        self.lacks(write("plain", b"hello"), 25)

    def test_directory(self):
        self.lacks(SCRATCH, 21)

    def test_other_device(self):
        self.lacks("/dev/null", 25)
        self.lacks("/dev/zero", 25)

    def test_fifo_and_link(self):
        path = os.path.join(SCRATCH, "loop")
        os.symlink(path, path)
        self.lacks(path, 40)

    def test_not_permitted(self):
        if os.geteuid() != 0 or not shutil.which("setpriv"):
            cli.skip("cli: --kvm without permission: needs root and setpriv")
        # the build may lie where nobody else can read
        place = os.path.join(SCRATCH, "bin")
        os.makedirs(place, exist_ok=True)
        os.chmod(SCRATCH, 0o755)
        tool = shutil.copy(cli.TOOL, os.path.join(place, "guestcpu"))
        os.chmod(tool, 0o755)
        path = os.path.join(SCRATCH, "forbidden")
        with open(path, "wb"):
            pass
        os.chmod(path, 0o600)
        paths = [path]
        if os.path.exists("/dev/kvm") and not os.stat("/dev/kvm").st_mode & stat.S_IWOTH:
            paths.append("/dev/kvm")
        nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs")
        here, cli.TOOL = cli.TOOL, tool
        try:
            for path in paths:
                self.lacks(path, 13, wrapper=nobody, cwd="/")
                plain = cli.guestcpu("probe", "--kvm", path, wrapper=nobody, cwd="/")
                self.assertIn("not permitted", plain.err)
                self.assertIn("kvm", plain.err)
        finally:
            cli.TOOL = here


if __name__ == "__main__":
    sys.exit(cli.main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`conform`: forms of output, patterns, exit status. What is expected of a KVM stands in the cases."""
import json
import os
import re
import unittest

import cli
import schemas

SOME = "cpuid-[gs]et:*"     # of every kernel, no guest


class Usage(unittest.TestCase):
    """Without a KVM."""

    def test_no_kvm(self):
        for path in ("/dev/null", "/nonexistent"):
            ran = cli.guestcpu("conform", "--kvm", path)
            self.assertEqual(ran.code, 3, ran)
            self.assertEqual(ran.out, "", ran)
        ran = cli.guestcpu("conform", "--json", "--kvm", "/dev/null")
        self.assertEqual((ran.code, ran.json()["schema"], ran.json()["error"]["code"]), (3, "guestcpu.error", "no-kvm"))

    def test_backend(self):
        ran = cli.guestcpu("conform", "--on", "nobody")
        self.assertEqual(ran.code, 2, ran)
        self.assertIn("nobody", ran.err)

    def test_model(self):
        for on, word in (("model:", "no bundled snapshot"), ("model:nobody", "nobody"), ("model:x86-amd-max-6-12@9.9", "9.9")):
            ran = cli.guestcpu("conform", "--on", on)
            self.assertEqual((ran.code, ran.out), (2, ""), ran)
            self.assertIn(word, ran.err)
        ran = cli.guestcpu("conform", "--on", "model:x86-amd-max-6-12@6.12", "--only", "caps:version", "--json")
        self.assertEqual((ran.code, ran.json()["on"]), (0, "model:x86-amd-max-6-12@6.12"), ran)

    def test_says_whom_it_asked(self):
        """A model by its name and the release that it was, in every form; of a host that does not name its module, too."""
        for on, case, module, kernel in (("x86-amd-rome-6-12@6.1", "caps:version", "kvm_amd, ", "6.1.176"),
                                         ("x86-amd-rome-6-12@6.12.5", "caps:version", "kvm_amd, ", "6.12.5"),
                                         ("arm64-kvm-max-6-12@6.1.20", "gic:needed-to-run", "", "6.1.20")):
            ask = "conform", "--on", "model:" + on, "--only", case
            says = f"conformance of model:{on} ({module}Linux {kernel})"
            self.assertEqual(cli.guestcpu(*ask).out.splitlines()[:2], [says, ""])
            self.assertEqual(cli.guestcpu(*ask, "--tap").out.splitlines()[:2], ["TAP version 13", "# " + says])
            self.assertEqual(cli.guestcpu(*ask, "--json").json()["host"]["kernel"], kernel)

    def test_one_name_of_the_release(self):
        """The host's own series, too: what it is played as, whoever says it. A series stands for a release of it."""
        with open(os.path.join(cli.ROOT, "data/kvm/series.txt"), encoding="ascii") as f:
            played = dict(line.split("#")[0].replace(" ", "").strip().split("|") for line in f if line.startswith("6.12 "))
        dump = os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/rome-r.txt")
        host = os.path.join(cli.scratch(), "own-series.json")
        self.assertEqual(cli.guestcpu("probe", "--from-cpuid", dump, "--kernel", "6.12.9", "-o", host).code, 0)
        for kernel, says in (("", "6.12.9"), ("@6.12", played["6.12"]), ("@6.12.5", "6.12.5"), ("@6.18.3", "6.18.3")):
            model = f"model:{host}{kernel}"
            text = cli.guestcpu("verify", "--host", model).out
            self.assertIn(f", Linux {says}), ", text.splitlines()[0])
            self.assertEqual(cli.guestcpu("verify", "--host", model, "--json").json()["host"]["kernel"], says)
            self.assertEqual(cli.guestcpu("conform", "--on", model, "--only", "caps:version", "--json").json()["host"]["kernel"], says)

    def test_model_of_a_computed_host(self):
        """A CPU with RDSEED, known from its CPUID alone: its module is known, its TSC's frequency is not."""
        with open(os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/rome-r.txt"), encoding="ascii") as f:
            rome = f.read()
        leaf7 = "0x00000007 0x00: eax=0x00000000 ebx=0x019801a9"
        self.assertIn(leaf7, rome)
        rdseed = rome.replace(leaf7, leaf7.replace("ebx=0x0198", "ebx=0x019c"))
        path, host = (os.path.join(cli.scratch(), name) for name in ("rdseed.txt", "rdseed.json"))
        with open(path, "w", encoding="ascii") as f:
            f.write(rdseed)
        for series in ("6.1", "7.2"):
            self.assertEqual(cli.guestcpu("probe", "--from-cpuid", path, "--kernel", series, "-o", host).code, 0)
            ran = cli.guestcpu("conform", "--on", "model:" + host, "--json")
            document = ran.json()
            self.assertEqual([c for c in document["cases"] if c["outcome"] == "failed"], [])
            self.assertEqual((ran.code, document["host"]["module"]), (0, "kvm_amd"))
            verify = cli.guestcpu("verify", "--host", "model:" + host, "--json", "-c", "host,+rdseed,enforce=on")
            self.assertEqual((verify.code, verify.json()["host"]["module"]), (0, "kvm_amd"), verify)

    def test_model_of_an_intel_host(self):
        """No versions of the enlightened VMCS before the VMM turns it on; sub-leaves of leaf 7 in a stable 6.1."""
        dump = os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/intel-all.txt")
        host = os.path.join(cli.scratch(), "intel.json")
        for series in ("6.1", "6.12", "7.2"):
            self.assertEqual(cli.guestcpu("probe", "--from-cpuid", dump, "--kernel", series, "-o", host).code, 0)
            for some in "hyperv:*", "supported:highest-leaves":
                ran = cli.guestcpu("conform", "--on", "model:" + host, "--json", "--only", some)
                document = ran.json()
                self.assertEqual([c for c in document["cases"] if c["outcome"] != "passed"], [], series)
                self.assertEqual(document["host"]["module"], "kvm_intel")

    def changed(self, name, *changes, more=""):
        """A dump of the corpus with lines that are others, or none; its path."""
        with open(os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid", name), encoding="ascii") as f:
            text = f.read()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new)
        path = os.path.join(cli.scratch(), "changed.txt")
        with open(path, "w", encoding="ascii") as f:
            f.write(text + more)
        return path

    def conforms(self, dump, series="6.12"):
        """What probe said, the snapshot, and cases by outcome, of which none failed."""
        host = os.path.join(cli.scratch(), "changed.json")
        said = cli.guestcpu("probe", "--from-cpuid", dump, "--kernel", series, "-o", host)
        self.assertEqual(said.code, 0, said)
        ran = cli.guestcpu("conform", "--on", "model:" + host, "--json")
        cases = {c["name"]: c["outcome"] for c in ran.json()["cases"]}
        self.assertEqual([c for c in ran.json()["cases"] if c["outcome"] == "failed"], [])
        with open(host, encoding="utf-8") as f:
            return said, json.load(f), cases

    def test_model_of_centaur(self):
        """Leaves of its own class, and the hypercall of kvm_intel."""
        name = "756E6547-6C65746E-49656E69", "746E6543-736C7561-48727561"
        own = "".join(f"CPUID C000000{i}: {eax:08X}-00000000-00000000-00000000\n"
                      for i, eax in enumerate((0xc0000004, 0x307b0, 0, 0, 0)))
        _, doc, cases = self.conforms(self.changed("intel-all.txt", name, more=own))
        self.assertEqual((doc["host"]["vendor"], doc["host"]["module"]), ("CentaurHauls", "kvm_intel"))
        self.assertIn("0xc0000001", [e["leaf"] for e in doc["cpuid"]["supported"]])
        for case in "lookup:out-of-range-intel", "lookup:no-leaf-0", "hypercalls:other-instruction-unpatched":
            self.assertEqual(cases[case], "passed", case)

    def test_model_without_a_component(self):
        """A dump that has bits of XCR0 and does not describe what they are about: said, and taken for what it must be."""
        gone = "   0x0000000d 0x02: eax=0x00000100 ebx=0x00000240 ecx=0x00000000 edx=0x00000000\n"
        for new in "", gone.replace("0100", "0000").replace("0240", "0000"):
            said, doc, cases = self.conforms(self.changed("rome-r.txt", (gone, new)))
            self.assertEqual(cases["supported:xsave"], "passed")
            assumed = {a["what"]: a["value"] for a in doc["assumed"]}
            self.assertEqual(assumed["XSAVE component 2"], "256 bytes at 576")
            self.assertIn("XSAVE component 2: 256 bytes at 576", said.err)
            whole = cli.guestcpu("probe", "--kernel", "6.12", "--from-cpuid",
                                 os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/rome-r.txt"))
            self.assertEqual(whole.json()["cpuid"]["supported"], doc["cpuid"]["supported"])
            self.assertEqual(whole.err, "")
        # of two the places are not known: they are left out, and that is said
        doc, _ = self.probed(self.changed("rome-r.txt", (gone, ""), (
            "0x0000000d 0x00: eax=0x00000007 ebx=0x00000340 ecx=0x00000340",
            "0x0000000d 0x00: eax=0x00000207 ebx=0x00000340 ecx=0x00000a88")))
        self.assertEqual({a["what"]: a["value"] for a in doc["assumed"]}["XSAVE component 2"], "left out")

    def probed(self, dump):
        ran = cli.guestcpu("probe", "--from-cpuid", dump, "--kernel", "6.12")
        self.assertEqual(ran.code, 0, ran)
        return ran.json(), ran.err

    def test_model_without_caches(self):
        """An old CPU, whose leaves end before those that list caches."""
        _, _, cases = self.conforms(self.changed("rome-r.txt", ("0x00000000 0x00: eax=0x0000000d", "0x00000000 0x00: eax=0x00000001"),
                                                 ("0x80000000 0x00: eax=0x8000001e", "0x80000000 0x00: eax=0x80000018")))
        self.assertEqual(cases["supported:caches"], "skipped")

    def test_model_without_long_mode(self):
        """No KVM of x86-64 has such a host: nothing of 64 bits is asked of it, and it is told so."""
        dump = self.changed("rome-r.txt", ("edx=0x2dd3fbfd", "edx=0x0dd3fbfd"))
        for series in "6.1", "6.12":
            said, doc, cases = self.conforms(dump, series)
            self.assertIn("long mode: 0: this CPUID shows none", said.err)
            self.assertIn("long mode", [a["what"] for a in doc["assumed"]])
            self.assertEqual((cases["frozen:changed-table"], cases["caps:version"]), ("skipped", "passed"))

    def test_model_without_addresses(self):
        """No CPU has addresses of no bits; and no case shifts by less than none."""
        host = os.path.join(cli.scratch(), "narrow.json")
        with open(os.path.join(cli.ROOT, "data/hosts/x86-amd-rome-6-12.json"), encoding="utf-8") as f:
            doc = json.load(f)
        del doc["hash"]
        for entry in doc["cpuid"]["supported"] + doc["cpuid"]["native"]:
            if entry["leaf"] == "0x80000008":
                entry["eax"] = "0x0"
        with open(host, "w", encoding="utf-8") as f:
            json.dump(doc, f)
        ran = cli.guestcpu("conform", "--on", "model:" + host, "--only", "sregs:maxphyaddr", "--json")
        case, = ran.json()["cases"]
        self.assertEqual((case["outcome"], case["reason"]), ("skipped", "addresses of 0 bits, which no CPU has"))

    def test_model_of_arm64(self):
        """A run that lacks something of the vGIC is the VM's end, on every kernel."""
        for kernel in "6.1", "6.12", "7.2":
            ran = cli.guestcpu("conform", "--on", "model:arm64-kvm-max-6-12@" + kernel, "--only", "gic:needed-to-run", "--json")
            self.assertEqual([c["outcome"] for c in ran.json()["cases"]], ["passed"], ran)

    def test_two_forms(self):
        ran = cli.guestcpu("conform", "--json", "--tap")
        self.assertEqual(ran.code, 2, ran)

    def test_on_is_two_options(self):
        """Without a value in `features`, with one here."""
        self.assertEqual(cli.guestcpu("conform", "--on").code, 2)
        ran = cli.guestcpu("features", "--host", "x86-amd-max-6-12", "--on=x")
        self.assertIn("takes no value", ran.err)
        self.assertEqual(cli.guestcpu("features", "--host", "x86-amd-max-6-12", "--on", "x2apic").code, 0)


class OnKvm(unittest.TestCase):
    def setUp(self):
        cli.need_kvm()
        if os.uname().machine != "x86_64":
            cli.skip("cli: conform: cases of x86 alone are in this test")

    def test_json(self):
        ran = cli.guestcpu("conform", "--json", "--only", SOME)
        document = ran.json()
        self.assertEqual(schemas.errors("conform", document), [])
        cases, summary = document["cases"], document["summary"]
        self.assertGreater(len(cases), 15)
        self.assertEqual(summary["cases"], len(cases))
        for outcome in ("passed", "failed", "skipped"):
            self.assertEqual(summary[outcome], sum(case["outcome"] == outcome for case in cases))
        self.assertEqual(summary["checks"], sum(case["checks"] for case in cases))
        self.assertEqual(ran.code, int(summary["failed"] > 0))
        for case in cases:
            self.assertRegex(case["name"], "^cpuid-[gs]et:")
            self.assertEqual(case["reason"] is not None, case["outcome"] == "skipped", case)
            self.assertEqual(bool(case["failures"]), case["outcome"] == "failed", case)

    def test_text(self):
        quiet, whole = (cli.guestcpu("conform", *more, "--only", SOME) for more in ([], ["--all"]))
        total = re.compile(r"^(\d+) cases: (\d+) passed, (\d+) failed, (\d+) skipped; (\d+) assertions, (\d+) failed$", re.M)
        self.assertEqual(total.search(quiet.out)[0], total.search(whole.out)[0])
        cases = int(total.search(whole.out)[1])
        self.assertEqual(len(re.findall(r"^(?:passed|failed|skipped) ", whole.out, re.M)), cases)
        self.assertNotIn("\npassed ", quiet.out)
        self.assertEqual(quiet.err, "")

    def test_tap(self):
        ran = cli.guestcpu("conform", "--tap", "--only", SOME)
        lines = ran.out.splitlines()
        self.assertEqual(lines[0], "TAP version 13")
        tests = [line for line in lines if re.match(r"(not )?ok ", line)]
        self.assertEqual([re.match(r"(?:not )?ok (\d+) - \S+", line)[1] for line in tests],
                         [str(i + 1) for i in range(len(tests))])
        self.assertEqual(lines[-1], f"1..{len(tests)}")
        self.assertEqual(ran.code, int(any(line.startswith("not") for line in tests)))

    def test_pattern(self):
        ran = cli.guestcpu("conform", "--json", "--only", "CPUID_set:sizes")
        self.assertEqual([case["name"] for case in ran.json()["cases"]], ["cpuid-set:sizes"])
        ran = cli.guestcpu("conform", "--only", "nothing-like-it*")
        self.assertEqual((ran.code, ran.out), (2, ""), ran)
        self.assertIn("nothing-like-it", ran.err)
        ran = cli.guestcpu("conform", "--json", "--only", "nothing-like-it*")
        self.assertEqual((ran.code, ran.json()["error"]["code"]), (2, "name"))
        self.assertIn("a case's name", ran.json()["error"]["expected"])

    def test_other_kvm(self):
        """What cannot be meant: a device beside a model, a model without a host."""
        host = cli.a_host("x86")
        ran = cli.guestcpu("conform", "--on", "model:" + host, "--kvm", "/no/such")
        self.assertEqual((ran.code, ran.out), (2, ""), ran)
        self.assertIn("--kvm has no sense", ran.err)
        ran = cli.guestcpu("conform", "--on", "model")
        self.assertEqual(ran.code, 2, ran)
        self.assertIn("try: guestcpu features --hosts\n", ran.err)

    def test_this_kvm(self):
        """All of it: what fails here is KVM's fault, or that of a case."""
        ran = cli.guestcpu("conform", "--json", timeout=240)
        failed = [(case["name"], case["failures"]) for case in ran.json()["cases"] if case["outcome"] == "failed"]
        self.assertEqual((ran.code, failed), (0, []))
        self.assertGreater(ran.json()["summary"]["passed"], 60)


if __name__ == "__main__":
    cli.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every command on its good path, its exit codes, and the forms of its output.

$GUESTCPU_CPUID_RAW is a file that `cpuid -r` wrote, to compare the form with.
"""
import json
import os
import re
import shlex
import subprocess
import sys

import cli

RAW_LINE = re.compile(r"   0x[0-9a-f]{8} 0x[0-9a-f]{2}: "
                      r"eax=0x[0-9a-f]{8} ebx=0x[0-9a-f]{8} ecx=0x[0-9a-f]{8} edx=0x[0-9a-f]{8}")


class ExitCodes(cli.Test):
    @classmethod
    def setUpClass(cls):
        cls.host = cli.a_host("x86")
        cls.arm = cli.a_host("arm64")

    def test_probe(self):
        self.exits(0, "probe", "--host", self.host)
        self.exits(2, "probe", "--bogus")
        self.exits(3, "probe", "--kvm", "/nosuch/kvm")

    def test_features(self):
        self.exits(0, "features")
        self.exits(0, "features", "--arch", "arm64", "FEAT_RNG")
        self.exits(2, "features", "nosuchfeature")
        with open("/dev/full", "wb") as full:
            self.exits(3, "features", stdout=full)

    def test_plan(self):
        for host in (self.host, self.arm):
            self.exits(0, "plan", "--host", host)
            self.exits(2, "plan", "--host", host, "-c", "nosuch")
            self.exits(3, "plan", "--host", host, "-o", "/dev/full")
        ran = self.exits(1, "plan", "--host", self.host, "-c", "host,enforce=on,+mpx")
        self.assertIn("refused:", ran.out)
        self.assertIn("mpx", ran.out)
        for form in ("json", "cpuid-raw"):
            ran = self.exits(1, "plan", "--host", self.host, "-c", "host,enforce=on,+mpx", "-f", form)
            self.assertTrue(ran.out)
        self.exits(3, "plan", "--kvm", "/nosuch/kvm")
        self.exits(2, "plan", "--host", self.arm, "-f", "cpuid-raw")

    def test_explain_with_many_children(self):
        """A dozen by name, and how many more; the document names them all."""
        text = re.sub(r"\n +", " ", self.exits(0, "explain", "--host", self.host, "vmx").out)
        named, more = re.search(r"needed by  (.*) and (\d+) more \(off\); --json names them all ", text).groups()
        doc = self.exits(0, "explain", "--json", "--host", self.host, "vmx").json()
        children = {r["name"] for f in doc["features"] for r in f["needed_by"]}
        self.assertEqual(len(named.split(", ")) + int(more), len(children))
        self.assertLessEqual(set(named.split(", ")), children)
        self.assertIn("vgif", re.search(r"needed by (.*?) \(", re.sub(r"\n +", " ", self.exits(
            0, "explain", "--host", self.host, "svm").out))[1])

    def test_explain(self):
        self.exits(0, "explain", "--host", self.host, "-c", "host,-kvm-pv-eoi", "kvm-pv-eoi", "avx2")
        self.exits(0, "explain", "--host", self.arm, "FEAT_RNG", "ID_AA64ISAR0_EL1.RNDR")
        # what a refused plan does not give can still be explained
        self.exits(0, "explain", "--host", self.host, "-c", "host,enforce=on,+mpx", "mpx")
        self.exits(2, "explain", "--host", self.host)
        self.exits(2, "explain", "--host", self.host, "nosuchfeature")
        self.exits(3, "explain", "--kvm", "/nosuch/kvm", "avx2")

    def test_another_architecture(self):
        """KVM here is of no use for it: a bundled host is, and is named; what needs KVM is refused."""
        there = "x86" if os.uname().machine == "aarch64" else "arm64"
        feature = {"x86": "avx2", "arm64": "FEAT_MTE"}[there]
        named = re.compile(rf"host on {there}-[a-z0-9-]+ \(")
        self.assertRegex(self.exits(0, "explain", "--arch", there, feature).out, named)
        self.assertRegex(self.exits(0, "plan", "--arch", there).out, named)
        self.exits(0, "features", "--arch", there, "-c", "host", feature)
        self.assertIn(cli.guestcpu("verify", "--arch", there).code, (2, 3))
        self.assertIn(cli.guestcpu("plan", "--arch", there, "--host", "kvm").code, (2, 3))

    def test_verify_elsewhere(self):
        self.exits(2, "verify", "--timeout", "0")
        self.exits(3, "verify", "--kvm", "/nosuch/kvm")

    def test_verify(self):
        cli.need_kvm()
        ran = self.exits(0, "verify", "-c", "host", "--vcpus", "2")
        self.assertRegex(ran.out, r"\n\d+ matched, \d+ runtime, \d+ overridden, \d+ untested, 0 mismatched of \d+\n")
        self.exits(0, "verify", "--all")
        path = os.path.join(cli.scratch(), "verdict.json")
        ran = self.exits(0, "verify", "-o", path)
        self.assertIn("matched", ran.out)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(json.load(f)["schema"], "guestcpu.verify")
        self.exits(3, "verify", "--json", "-o", "/dev/full")

    def test_verify_of_another_host(self):
        """A plan that this KVM does not take: which value, and where it would be taken."""
        cli.need_kvm()
        if self.exits(0, "verify", "--json").json()["arch"] != "x86":
            cli.skip("cli: verify of another host: these are x86's")
        path = os.path.join(cli.scratch(), "other.json")
        self.exits(0, "probe", "--from-cpuid", os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/intel-all.txt"), "--kernel", "7.2",
                   "-o", path)
        refused = 0
        for host in "x86-amd-rome-6-12", path:
            ran = cli.guestcpu("verify", "--host", host)
            self.assertIn(ran.code, (0, 1), str(ran))
            if "KVM_SET_MSRS" in ran.err:
                self.assertRegex(ran.err, r"KVM_SET_MSRS \S+ = 0x[0-9a-f]+ \(")
                self.assertIn(f"--host model:{host} tries it on a software KVM", ran.err)
                refused += 1
        if not refused:
            cli.skip("cli: this KVM takes the feature MSRs of AMD and Intel")

    def test_verify_shows_what_was_asked_for_first(self):
        cli.need_kvm()
        if self.exits(0, "verify", "--json").json()["arch"] != "x86":
            cli.skip("cli: verify of an x86 name: this is no x86")
        ran = cli.guestcpu("verify", "-c", "host,-kvm-pv-eoi,+mpx")
        rows = ran.out.split("\n\n")[1].splitlines()
        self.assertRegex(rows[0], r"^FEATURE +PLANNED  KVM SAYS  GUEST SEES  VERDICT +REASON")
        self.assertEqual({row.split()[0] for row in rows[1:3]}, {"kvm-pv-eoi", "mpx"}, str(ran))
        # columns are aligned
        self.assertEqual(len({re.match(r"\S+ +", row).end() for row in rows}), 1)

    def test_verify_refused(self):
        cli.need_kvm()
        ran = cli.guestcpu("plan", "-c", "host,enforce=on,+mpx")
        if ran.code == 1:
            ran = self.exits(1, "verify", "-c", "host,enforce=on,+mpx")
            self.assertIn("enforce", ran.err)
            self.fails(1, "refused", "verify", "-c", "host,enforce=on,+mpx")

    def test_verify_against_the_user_s_word(self):
        cli.need_kvm()
        doc = self.exits(0, "verify", "--json").json()
        for f in doc["features"]:
            if f["verdict"] == "overridden" and f["planned"] == "0x0" and f["kvm"] == "0x1":
                ran = cli.guestcpu("verify", "-c", f"host,-{f['name']}")
                if ran.code == 2:
                    continue # not one to choose
                self.assertEqual(ran.code, 1, str(ran))
                self.assertRegex(ran.out, rf"\n{re.escape(f['name'])} +0 +1 +1 +overridden")
                return
        cli.skip("cli: this KVM overrides nothing that could be asked for otherwise")


class Help(cli.Test):
    def test_help(self):
        whole = self.exits(0, "--help")
        self.assertEqual(self.exits(0, "-h").out, whole.out)
        self.assertEqual(self.exits(0, "help").out, whole.out)
        for command in cli.COMMANDS:
            self.assertIn(f"\n  {command} ", whole.out)
            text = self.exits(0, command, "--help").out
            self.assertEqual(self.exits(0, "help", command).out, text)
            self.assertEqual(self.exits(0, command, "-h").out, text)
            self.assertIn(f"usage: guestcpu {command} ", text)
            # options stand in one column, what they do in another
            starts = {re.search(r"\S  +(?=\S)", line).end() for line in text.split("options:\n")[1].splitlines()
                      if re.match(r"  (-|    --)", line)}
            self.assertEqual(len(starts), 1, text)

    def test_version(self):
        self.assertRegex(self.exits(0, "--version").out, r"^guestcpu \d+\.\d+\.\d+\n$")


class Forms(cli.Test):
    def test_options_in_all_spellings(self):
        host = cli.a_host("x86")
        want = self.exits(0, "plan", "--host", host, "--cpu", "qemu64", "--vcpus", "2", "--json").raw
        for args in (["--host=" + host, "-c", "qemu64", "--vcpus=2", "-j"],
                     ["--json", "--vcpus", "0x2", "--cpu=qemu64", "--host", host],
                     ["-f", "json", "--smp", "2", "-c", "QEMU64", "--host", host],
                     ["-f", "json", "--smp", "cpus=2,sockets=2", "-c", "qemu64-v1", "--host", host],
                     ["-j", "--smp", "sockets=2", "--vcpus", "7", "-c", "qemu64", "--host", host]):
            ran = self.exits(0, "plan", *args)
            doc, expected = ran.json(), json.loads(want)
            doc.pop("request")
            expected.pop("request")
            self.assertEqual(doc, expected, str(ran))

    def test_numbers(self):
        host = cli.a_host("x86")
        for text, count in (("010", 10), ("0x10", 16), ("0X10", 16), ("9", 9), ("00", None), ("08", 8)):
            ran = cli.guestcpu("plan", "--host", host, "-j", "--vcpus", text)
            self.assertEqual(ran.code, 0 if count else 2, str(ran))
            if count:
                self.assertEqual(ran.json()["machine"]["vcpus"], count)

    def test_spellings_of_requests(self):
        host = cli.a_host("x86")
        plans = []
        for request in ("host,-kvm-pv-eoi", "host,kvm-pv-eoi=off", "HOST,-kvm_pv_eoi", "host,KVM-PV-EOI=no",
                        "host,-kvm-pv-eoi,kvm-pv-eoi", "host,-kvm-pv-eoi,+kvm-pv-eoi"):
            doc = self.exits(0, "plan", "--host", host, "-j", "-c", request).json()
            doc.pop("request")
            # it was said in two ways only where it was written twice
            twice = [f for f in doc.pop("findings") if f["id"] == "said-twice"]
            self.assertEqual(len(twice), request.lower().count("eoi") - 1, request)
            plans.append(doc)
        self.assertTrue(all(p == plans[0] for p in plans))

    def test_cpuid_raw(self):
        host = cli.a_host("x86")
        ran = self.exits(0, "plan", "--host", host, "--vcpus", "3", "-f", "cpuid-raw")
        doc = self.exits(0, "plan", "--host", host, "--vcpus", "3", "-j").json()
        tables = {}
        for line in ran.out.splitlines():
            head = re.fullmatch(r"CPU (\d+):", line)
            if head:
                table = tables.setdefault(int(head.group(1)), [])
                continue
            self.assertRegex(line, "^" + RAW_LINE.pattern + "$")
            table.append([int(n, 16) for n in re.findall(r"0x([0-9a-f]+)", line)])
        self.assertEqual(list(tables), [0, 1, 2])
        for vcpu in doc["vcpus"]:
            special = {(e["leaf"], e["subleaf"]): e for e in vcpu["cpuid"]}
            entries = [special.get((e["leaf"], e["subleaf"]), e) for e in doc["cpuid"]]
            self.assertEqual(tables[vcpu["index"]],
                             [[int(e[k], 16) for k in ("leaf", "subleaf", "eax", "ebx", "ecx", "edx")]
                              for e in entries])

    def test_cpuid_raw_as_cpuid_writes_it(self):
        path = os.environ.get("GUESTCPU_CPUID_RAW", "")
        if not os.path.exists(path):
            cli.skip("cli: no output of cpuid -r to compare with (GUESTCPU_CPUID_RAW)")
        def shape(text):
            lines = [re.sub(r"[0-9a-f]", "h", re.sub("0x", "x", line)) if line.startswith(" ") else
                     re.sub(r" \d+", "", line) for line in text.splitlines()]
            return set(lines)
        with open(path, encoding="utf-8") as f:
            theirs = shape(f.read())
        ours = shape(self.exits(0, "plan", "--host", cli.a_host("x86"), "-f", "cpuid-raw").out)
        self.assertEqual(ours, theirs)

    def test_examples_of_the_manual(self):
        """They work as they stand, one after the other, in an empty directory."""
        cli.need_kvm()
        with open(os.path.join(cli.ROOT, "man/guestcpu.1"), encoding="utf-8") as f:
            lines = re.findall(r"^guestcpu .*$", f.read().split(".Sh EXAMPLES")[1], re.M)
        self.assertGreater(len(lines), 5)
        place = os.path.join(cli.scratch(), "examples")
        os.makedirs(place)
        for line in lines:
            words = shlex.split(line)[1:]
            if "--" in words:
                continue # a VMM that need not be here, nor end
            if words[0] == "plan" and "cpuid-raw" in words and os.uname().machine != "x86_64":
                continue
            if "kvm-pv" in line and os.uname().machine != "x86_64" and words[0] != "features":
                continue
            self.exits(0, *words, cwd=place)

    def test_json_of_the_small_documents(self):
        host = cli.a_host("x86")
        doc = self.exits(0, "features", "--arch=x86", "--json", "avx2", "kvm-pv-eoi").json()
        self.assertEqual(list(doc), ["schema", "version", "arch", "features", "properties", "plan"])
        self.assertEqual([f["name"] for f in doc["features"]], ["avx2", "kvm-pv-eoi"])
        self.assertEqual(doc["features"][1]["msrs"], ["0x4b564d04"])
        whole = self.exits(0, "features", "--arch=x86", "--json", "--all").json()["features"]
        some = self.exits(0, "features", "--arch=x86", "--json").json()["features"]
        self.assertGreater(len(whole), len(some))
        self.assertTrue(all(f["owner"].startswith("chosen") for f in some))
        doc = self.exits(0, "features", "--hosts", "--json").json()
        self.assertEqual(doc["hosts"], cli.bundled())
        doc = self.exits(0, "explain", "--host", host, "-c", "host,+mpx", "-j", "mpx", "avx2").json()
        self.assertEqual(list(doc), ["schema", "version", "arch", "request", "features", "trace"])
        self.assertEqual([f["name"] for f in doc["features"]], ["mpx", "avx2"])
        self.assertEqual(doc["features"][0]["steps"][0]["rule"], "user-word")
        for step in doc["features"][0]["steps"]:
            self.assertEqual(list(step), ["field", "rule", "before", "after", "sentence", "source"])

    def test_asked_for_in_the_summary(self):
        ran = self.exits(0, "plan", "--host", cli.a_host("x86"), "-c", "host,-kvm-pv-eoi,+mpx,check=on")
        part = ran.out.split("asked for\n")[1].split("\n\n")[0]
        self.assertRegex(part, r"^  kvm-pv-eoi  off\n  mpx         off  \S")
        self.assertNotIn("check", part)

    def test_properties_say_what_they_take(self):
        """Their limits are limits: what is within is taken, what is one beyond is not."""
        found = {p["name"]: p for p in self.exits(0, "features", "--arch=x86", "-j").json()["properties"]}
        self.assertEqual([found["phys-bits"][k] for k in ("type", "takes", "min", "max", "or_zero", "default", "default_of")],
                         ["number", "a number from 32 to 52, or 0 for none", "0x20", "0x34", True, False, "-"])
        self.assertEqual([found["vendor"][k] for k in ("takes", "min", "max")], ["a text of 12 characters", "0xc", "0xc"])
        self.assertEqual([found["pmu"][k] for k in ("takes", "min", "max", "default_of")], ["on or off", None, None, "host"])
        self.assertIsNone(found["tsc-frequency"]["max"])
        for p in found.values():
            if p["type"] not in ("number", "text"):
                continue
            least, most = int(p["min"], 16), int(p["max"], 16)
            def word(n, p=p):
                return f"host,{p['name']}=" + (str(n) if p["type"] == "number" else "x" * n)
            for n in {least, most} | ({0} if p["or_zero"] else set()):
                self.assertNotEqual(cli.guestcpu("plan", "--host", "x86-amd-rome-6-12", "-c", word(n)).code, 2, word(n))
            self.exits(2, "plan", "--host", "x86-amd-rome-6-12", "-c", word(most + 1))

    def test_asked_for_once(self):
        """However often and by whatever name it is said: QEMU's pni is Linux's sse3 too."""
        for items, name in (("+avx2,avx2=off", "avx2"), ("avx2=off,+AVX2,-avx2", "avx2"), ("+pni,-sse3", "pni")):
            ran = self.exits(0, "plan", "--host", "x86-amd-rome-6-12", "-c", "host," + items)
            rows = ran.out.split("asked for\n")[1].split("\n\n")[0].splitlines()
            self.assertEqual([row.split()[0] for row in rows], [name], ran.out)

    def test_models(self):
        """Each that is listed can be planned, and what is not listed cannot."""
        want, host = {}, {"x86": "x86-amd-rome-6-12", "arm64": self.arm_host()}
        for arch, kinds in (("x86", ["host", "max", "base"]), ("arm64", ["host", "max"])):
            with open(os.path.join(cli.ROOT, f"data/{arch}/models.txt"), encoding="utf-8") as f:
                rows = [[c.strip() for c in line.split("|")] for line in f if "|" in line and line[0] != "#"]
            # a row without a meaning is only a base of others
            want[arch] = kinds + [row[0] for row in rows if row[-1] != "-"]
            self.assertGreater(len(want[arch]), len(kinds))
            for args in (["--arch", arch], ["--host", host[arch]]):
                for word in ("help", "?"):
                    for command in ("plan", "features"):
                        ran = self.exits(0, command, "-c", word, *args)
                        self.assertEqual([line.split()[0] for line in ran.out.splitlines()], want[arch])
                doc = self.exits(0, "plan", "-c", "help", "--json", *args).json()
                self.assertEqual([m["name"] for m in doc["models"]], want[arch])
            for model in want[arch]:
                self.exits(0, "plan", "--host", host[arch], "-c", model)
            self.exits(2, "plan", "--host", host[arch], "-c", "help,+pmu")
        for row in rows:
            if row[-1] == "-":
                self.exits(2, "plan", "--host", host["arm64"], "-c", row[0])

    def arm_host(self):
        return cli.a_host("arm64")

    def test_a_property_is_not_a_feature(self):
        ran = self.exits(2, "features", "--arch", "x86", "family")
        self.assertIn("\n  try: guestcpu explain family\n", ran.err)
        self.exits(0, *re.search(r"try: guestcpu (.*)", ran.err).group(1).split(), "--host", "x86-amd-rome-6-12")
        self.assertIn("  try: guestcpu features --help\n", self.exits(2, "features", "--bogus").err)

    def test_pipes(self):
        """A reader that goes away is no error to speak of."""
        done = subprocess.run(f"{shlex.quote(cli.TOOL)} features --all | head -n 1", shell=True,
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.stderr, "")
        self.assertTrue(done.stdout.startswith("NAME"))


if __name__ == "__main__":
    sys.exit(cli.main())

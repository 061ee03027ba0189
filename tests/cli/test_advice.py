#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Advice tried through the command, patterns and filters, and what a terminal sees."""
import fcntl
import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios

import cli

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Advice(cli.Test):
    def explained(self, host, *args):
        ran = self.exits(0, "explain", "--json", "--host", host, *args)
        return ran.json()["features"]

    def follow(self, host, given, f):
        """Each way, with the options that were given before it: the later one of two counts."""
        for state, key in ((True, "turn_on"), (False, "turn_off")):
            for way in f[key]:
                there = self.explained(host, *given, *way["options"], f["name"])[0]["standing"]
                self.assertEqual(there["all" if state else "some"], state, f"{host}: {f['name']}: {way}")
                self.assertIsNone(there["forced"])
        for e in f["hosts"]:
            there = self.explained(e["name"], *given, *e["options"], f["name"])[0]["standing"]
            self.assertTrue(there["in_force"], f"{f['name']}: {e}")

    def test_every_advice_leads_where_it_says(self):
        cases = [
            ("x86-amd-rome-6-12", ["-c", "host,-avx,-kvmclock2", "--irqchip", "none", "--disable-exits", "hlt"],
             "kvm* x2apic avx2 svm npt xcr0-avx monitor rdctl-no invtsc tsc-deadline avx512f cx16"),
            ("x86-amd-max-6-12", ["-c", "host"], "invtsc kvm-msi-ext-dest-id kvm-migration-control vmx ht"),
            ("x86-amd-max-6-12", ["-c", "host,pv=none,+kvm-pv-eoi", "--irqchip", "split", "--handles", "msi-ext-dest-id"], "kvm* kvmclock"),
            ("x86-amd-rome-6-12", ["-c", "qemu64,pv=latency"], "kvm*"),
            ("x86-amd-opteron-g3-6-1", ["-c", "qemu64,check=off"], "avx2 svm xsave kvm-hint-dedicated"),
            ("arm64-kvm-neoverse-n1-6-12", ["-c", "host,-FEAT_AES"], "FEAT_SVE FEAT_MTE2 pauth FEAT_PMULL FEAT_RNG"),
            ("arm64-kvm-max-6-12", ["--gic", "none", "-c", "max,-sve"], "FEAT_SVE2 FEAT_GICv3 SVE.VL FEAT_MTE2"),
        ]
        ways = 0
        for host, given, words in cases:
            names = []
            for word in words.split():
                if "*" in word:
                    found = self.exits(0, "features", "--host", host, "-j", word).json()["features"]
                    names += [f["name"] for f in found]
                else:
                    names.append(word)
            for f in self.explained(host, *given, *names):
                with self.subTest(host=host, name=f["name"]):
                    self.follow(host, given, f)
                    ways += len(f["turn_on"]) + len(f["turn_off"]) + len(f["hosts"])
        self.assertGreater(ways, 50)

    def test_properties(self):
        """What the other value changes is what the two plans differ in."""
        def on(host, request):
            ran = cli.guestcpu("plan", "--json", "--host", host, "-c", request)
            return {n.split("=")[0] for n in ran.json()["features"]["on"]}, ran.code
        seen = set()
        for host, given, names in (
                ("x86-amd-max-6-12", "host", "kvm migratable enforce pmu"),
                ("x86-amd-max-6-12", "host,KVM=no,+mpx,migratable=off,+check,-kvm", "kvm migratable enforce check"),
                ("x86-amd-rome-6-12", "qemu64", "kvm pmu"),
                ("arm64-kvm-max-6-12", "host,mte=on", "mte enforce")):
            for f in self.explained(host, "-c", given, *names.split()):
                with self.subTest(host=host, request=given, name=f["name"]):
                    other = f["property"]["otherwise"]
                    now, _ = on(host, given)
                    then, refused = on(host, other["request"])
                    self.assertEqual(set(other["turns_on"]) & then, then - now)
                    self.assertEqual(set(other["turns_off"]) & now, now - then)
                    self.assertEqual(other["refused"], refused == 1)
                    again = self.explained(host, "-c", other["request"], f["name"])[0]["property"]
                    self.assertEqual({again["value"], f["property"]["value"]}, {"on", "off"})
                    seen |= then ^ now
        # QEMU's documents: kvm=off hides the leaves; Arm: MTE is a field of PFR1
        self.assertLessEqual({"kvm-pv-eoi", "kvmclock1"}, seen)
        self.assertEqual(self.explained("x86-amd-rome-6-12", "-c", "host,phys-bits=40", "phys-bits")[0]["property"],
                         {"value": "40", "type": "number", "default": "-", "asked": True, "otherwise": None,
                          "in_effect": "40", "findings": [], "choices": []})

    def test_presets(self):
        """Each word that pv takes is tried: what it turns on and off is what the plans differ in."""
        def on(request):
            return {n.split("=")[0] for n in self.exits(0, "plan", "--json", "--host", host, "-c", request).json()["features"]["on"]}
        host = "x86-amd-max-6-12"
        words = ["none", "safe", "migratable", "latency", "all"] # man/guestcpu.1
        for given, value in (("host", None), ("qemu64,-kvm-pv-eoi,pv=all,+avx", "all"), ("base,PV=none,pv=Safe", "safe")):
            with self.subTest(request=given):
                p = self.explained(host, "-c", given, "pv")[0]["property"]
                self.assertEqual((p["type"], p["value"], p["in_effect"]), ("choice", value or "not set", value))
                self.assertEqual([c["name"] for c in p["choices"]], words)
                self.assertEqual([c["name"] for c in p["choices"] if c["otherwise"] is None], [value] if value else [])
                self.assertEqual(p["otherwise"] is None, value is None)
                now = on(given)
                for other in [c["otherwise"] for c in p["choices"]] + [p["otherwise"]]:
                    then = on(other["request"]) if other else now
                    self.assertEqual(set(other["turns_on"] if other else []), then - now, other)
                    self.assertEqual(set(other["turns_off"] if other else []), now - then, other)
                    self.assertTrue(all(n.startswith("kvm") for n in then ^ now))
                self.assertEqual([f["id"] for f in p["findings"]], ["said-twice"] if given.count("=") > 1 else [])
        text = self.exits(0, "explain", "--host", host, "-c", "host,pv=safe", "pv").out
        self.assertIn("\n  takes      none, safe, migratable, latency or all\n", text)
        self.assertIn("\n  in effect  safe\n", text)
        # the reason of the member itself, in what a plan says and in the list of presets
        step = self.explained(host, "-c", "host,pv=safe", "kvm-asyncpf-int")[0]["steps"][-1]
        listed = self.exits(0, "features", "--arch", "x86", "--presets", "-j", "kvm_asyncpf_int", "kvm*eoi").json()["presets"]
        self.assertEqual([(p["property"], p["name"], [f["name"] for f in p["features"]]) for p in listed],
                         [("pv", w, ["kvm-pv-eoi", "kvm-asyncpf-int"]) for w in words])
        self.assertEqual([p["features"][1]["on"] for p in listed], [False, False, False, True, True])
        self.assertEqual((step["rule"], step["after"], step["sentence"]),
                         ("preset-lacks", "0x0", "pv=safe leaves it out: " + listed[1]["features"][1]["reason"]))
        for args, code in ((["avx2"], 1), (["nosuch"], 2), (["nosuch*"], 2)):
            self.exits(code, "features", "--arch", "x86", "--presets", *args)
        self.assertEqual(self.exits(1, "features", "--host", "arm64-kvm-max-6-12", "--presets").out, "none\n")

    def planned(self, *args):
        """CPUID of the first vCPU: {(leaf, sub-leaf): [eax, ebx, ecx, edx]}"""
        doc = cli.guestcpu("plan", "--json", *args).json()
        return {(int(e["leaf"], 16), int(e["subleaf"], 16)): [int(e[r], 16) for r in ("eax", "ebx", "ecx", "edx")]
                for e in doc["cpuid"]}

    def test_what_became_of_a_property(self):
        """What the snapshot has is what a guest keeps where the request's word cannot be given."""
        host = "x86-amd-rome-6-12"
        with open(os.path.join(cli.ROOT, "data/hosts", host + ".json"), encoding="utf-8") as f:
            doc = json.load(f)
        eax = next(int(e["eax"], 16) for e in doc["cpuid"]["supported"] if int(e["leaf"], 16) == 0x80000008)
        hz = doc["tsc"]["khz"] * 1000
        for given, name, value, effect, finding in (
                ("qemu64,phys-bits=50", "phys-bits", "50", str(eax & 0xff), "phys-bits-more"),
                ("host,lmce=on", "lmce", "on", None, "lmce-missing"),
                ("host,tsc-frequency=1G", "tsc-freq", "1G", str(hz), "tsc-no-scaling"),
                ("host,tsc-frequency=500", "tsc-frequency", "500", str(hz), "tsc-impossible"),
                ("host,level=5", "level", "5", "5", "level-hides"),
                ("host,level=5", "xlevel", "not set", "0x80000021", None),
                ("host,pmu=on,pmu=off", "pmu", "off", None, "said-twice"),
                ("host,vendor=GenuineIntel", "vendor", "GenuineIntel", "GenuineIntel", "vendor-other"),
                ("host,ucode-rev=5", "ucode-rev", "5", "5", None)):
            with self.subTest(request=given, name=name):
                p = self.explained(host, "-c", given, name)[0]["property"]
                self.assertEqual((p["value"], p["in_effect"]), (value, effect))
                self.assertEqual([f["id"] for f in p["findings"]], [finding] if finding else [])
                text = self.exits(0, "explain", "--host", host, "-c", given, name).out
                self.assertEqual(f"[{finding};" in " ".join(text.split()), finding is not None)
                self.assertEqual(f"\n  in effect  {effect}\n" in text, effect is not None)
        # what a property takes away is told there, with the feature
        kvm = self.explained("x86-amd-pvm-6-18", "-c", "host,kvm=off,+kvm-pv-eoi", "kvm")[0]["property"]
        self.assertIn("kvm-off", [f["id"] for f in kvm["findings"]])

    def test_values_nobody_asked_for(self):
        """Decoded from the plan's CPUID as Intel's SDM and AMD's APM say."""
        names = "vendor family model model-id level xlevel phys-bits".split()
        for args in (["--host", "x86-amd-rome-6-12"], ["--host", "x86-amd-pvm-6-18", "-c", "max"],
                     ["--host", "x86-amd-opteron-g3-6-1", "-c", "qemu64"]):
            t = self.planned(*args)
            low, ext = t[1, 0][0] >> 8 & 15, t[1, 0][0] >> 20 & 255
            words = t[0, 0]
            brand = b"".join(r.to_bytes(4, "little") for n in (2, 3, 4) for r in t[0x80000000 + n, 0])
            want = [b"".join(words[i].to_bytes(4, "little") for i in (1, 3, 2)).decode(),
                    str(low + (ext if low == 15 else 0)),
                    str((t[1, 0][0] >> 16 & 15) * 16 + (t[1, 0][0] >> 4 & 15)),
                    brand.split(b"\0")[0].decode(), words[0], t[0x80000000, 0][0], t[0x80000008, 0][0] & 0xff]
            got = [f["property"]["in_effect"] for f in self.explained(args[1], *args[2:], *names)]
            self.assertEqual(got[:4] + [int(n, 0) for n in got[4:]], want)

    def test_sources_are_of_the_architecture(self):
        """Only x86 has CPUID, only arm64 registers by KVM_GET_ONE_REG that matter here: api.rst, 4.46 and 4.69."""
        for host, name, has, has_not in (("arm64-kvm-max-6-12", "FEAT_LS64", "KVM_GET_ONE_REG", "CPUID"),
                                         ("x86-amd-rome-6-12", "mpx", "KVM_GET_SUPPORTED_CPUID", "ONE_REG")):
            f, = self.explained(host, "-c", "host,+" + name, name)
            source, = [s["source"] for s in f["steps"] if s["rule"] in ("not-offered", "less-offered")]
            self.assertIn(has, source)
            self.assertNotIn(has_not, source)

    def test_leaves_that_a_property_changes(self):
        host = "x86-amd-rome-6-12"
        seen = set()
        for f in self.explained(host, "cpuid-0xb", "l3-cache", "host-cache-info", "enforce", "kvm"):
            other = f["property"]["otherwise"]
            now, then = self.planned("--host", host), self.planned("--host", host, "-c", other["request"])
            differ = sorted(k for k in now.keys() | then.keys() if now.get(k) != then.get(k))
            self.assertEqual([(int(e["leaf"], 16), int(e["subleaf"], 16)) for e in other["leaves"]], differ)
            seen |= {leaf for leaf, _ in differ}
        self.assertLessEqual({0xb, 0x80000006}, seen)
        text = self.exits(0, "explain", "--host", host, "l3-cache", "enforce").out
        self.assertIn("changes no feature, but CPUID 0x80000006\n", text)
        self.assertIn("changes no feature and no CPUID of this plan\n", text)
        # what is only for the VMM to do is in the two recipes
        other = self.explained(host, "kvm-pv-enforce-cpuid")[0]["property"]["otherwise"]
        now, then = (self.exits(0, "plan", "--json", "--host", host, "-c", request).json()["recipe"]
                     for request in ("host", other["request"]))
        self.assertEqual(other["calls"], [s["call"] for s in now if s not in then] + [s["call"] for s in then if s not in now])
        self.assertEqual(other["calls"], ["KVM_ENABLE_CAP"]) # KVM_CAP_ENFORCE_PV_FEATURE_CPUID: api.rst 8.26
        text = self.exits(0, "explain", "--host", host, "kvm-pv-enforce-cpuid").out
        self.assertIn("of this plan, but its recipe: KVM_ENABLE_CAP\n", text.replace("\n" + " " * 13, " "))
        self.assertNotIn("CPUID", self.exits(0, "explain", "--host", "arm64-kvm-max-6-12", "check").out)
        self.assertIn("  takes      a text of 12 characters\n", self.exits(0, "explain", "--host", host, "vendor").out)

    def test_what_a_kvm_forces_on(self):
        """The snapshot's own trial says what is on in every guest: a table of zeros reads back with it."""
        host = "x86-amd-pvm-6-18"
        with open(os.path.join(cli.ROOT, "data/hosts", host + ".json"), encoding="utf-8") as f:
            zeros = json.load(f)["trial"]["zeros"]
        ebx = next(int(e["ebx"], 16) for e in zeros if (int(e["leaf"], 16), int(e["subleaf"], 16)) == (7, 0))
        self.assertTrue(ebx >> 16 & 1 and ebx >> 9 & 1) # AVX512F and ERMS: Intel SDM, CPUID leaf 7
        f, = self.explained(host, "avx512f")
        self.assertEqual((f["standing"]["all"], f["standing"]["in_force"], f["standing"]["always_on"]), (False, True, True))
        text = self.exits(0, "explain", "--host", host, "avx512f").out
        self.assertRegex(text, r"\n  turn on +already: in every guest of this KVM\n")
        self.assertNotIn("no bundled host", text)
        # so it is a host that gives it, and nothing that it lacks
        elsewhere = self.explained("x86-amd-rome-6-12", "avx512f")[0]["hosts"]
        self.assertIn(host, [e["name"] for e in elsewhere])
        missing = self.exits(1, "features", "--missing", "--host", host, "--json", "avx512f").json()
        self.assertEqual(missing["features"], [])
        # planned on, and not to be turned off: with the reason
        f, = self.explained(host, "erms")
        self.assertEqual((f["standing"]["all"], f["standing"]["always_on"], f["turn_off"]), (True, True, []))
        self.assertRegex(self.exits(0, "explain", "--host", host, "erms").out,
                         r"\n  turn off +not on this host: its KVM puts it in force in every guest\n")
        self.assertFalse(self.explained("x86-amd-rome-6-12", "avx2")[0]["standing"]["always_on"])

    def test_the_line_is_for_a_shell(self):
        """What stands under "turn on" can be pasted."""
        host, request = "x86-amd-rome-6-12", "host,model-id=It's a CPU,-avx"
        ran = self.exits(0, "explain", "--host", host, "-c", request, "avx2")
        line = re.search(r"turn on +(.*\n(?: {13}.*\n)*)", ran.out).group(1)
        words = shlex.split(line.replace("\n" + " " * 13, " "))
        self.assertEqual(words, ["-c", "host,model-id=It's a CPU"])
        self.assertTrue(self.explained(host, *words, "avx2")[0]["on"])


class Filters(cli.Test):
    HOST = ["--host", "x86-amd-rome-6-12"]

    def names(self, *args, code=0):
        return [f["name"] for f in self.exits(code, "features", "--json", *args).json()["features"]]

    def test_patterns(self):
        whole = self.names("--arch=x86", "--all")
        self.assertEqual(self.names("--arch=x86", "avx*"), [n for n in whole if n.startswith("avx")])
        self.assertEqual(self.names("--arch=x86", "AVX512_V*"), self.names("--arch=x86", "avx512-v*"))
        # by an alias: Linux says sse3, QEMU pni
        self.assertIn("pni", self.names("--arch=x86", "sse[0-9]"))
        # each once, in the order of the catalogue
        self.assertEqual(self.names("--arch=x86", "avx2", "avx?", "av[wx]2"), ["avx2"])
        self.fails(2, "name", "features", "--arch=x86", "nosuch*")
        _, error = self.fails(2, "name", "features", "--arch=x86", "avx2", "kvm-pv-eio*")
        self.assertEqual(error["near"][0], "kvm-pv-eoi")
        self.fails(2, "name", "features", "--arch=x86", "nosuch", "avx*")

    def test_missing_and_on(self):
        doc = self.exits(0, "features", "--json", "--all", *self.HOST).json()["features"]
        chosen = [f for f in doc if f["owner"].startswith("chosen")]
        missing = [f["name"] for f in chosen if not f["offered"] and not f["on"] and f["lack"] != "never"]
        self.assertEqual(self.names("--missing", *self.HOST), missing)
        self.assertEqual(set(self.names("--missing", "--all", *self.HOST)) - set(missing),
                         {f["name"] for f in chosen if f["lack"] == "never"})
        plan = self.exits(0, "plan", "--json", *self.HOST).json()["features"]["on"]
        on = {f["name"] for f in chosen if f["on"] and f["id"] and f["at_least"] is None}
        self.assertEqual({n.split("=")[0] for n in plan}, on)
        self.assertLessEqual(on, set(self.names("--on", *self.HOST)))
        # yes or no, for scripts
        self.assertEqual(self.names("--on", "avx2", *self.HOST), ["avx2"])
        self.assertEqual(self.names("--on", "avx512f", *self.HOST, code=1), [])
        self.assertEqual(self.names("--missing", "avx2", *self.HOST, code=1), [])
        self.assertEqual(self.exits(1, "features", "--missing", "avx2", *self.HOST).out, "none\n")

    def test_kinds(self):
        found = self.exits(0, "features", "--arch=x86", "--json", "--kind", "pv").json()["features"]
        self.assertEqual({f["kind"] for f in found}, {"pv"})
        for args in (["--kind", "p"], ["--kind", ""], ["--kind=pv|hw"], ["--on", "--missing", *self.HOST]):
            self.fails(2, "argument", "features", "--arch=x86", *args)
        self.fails(2, "argument", "features", "--arch=arm64", "--on", *self.HOST)


def on_terminal(columns, *args, **env):
    """Output on a terminal of that width, and the exit code."""
    main, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", **env}
    done = subprocess.Popen([cli.TOOL, *args], stdout=other, stderr=other, stdin=subprocess.DEVNULL, env=env)
    os.close(other)
    out = b""
    while True:
        try:
            part = os.read(main, 65536)
        except OSError: # the other end is closed
            break
        if not part:
            break
        out += part
    os.close(main)
    return out.decode().replace("\r\n", "\n"), done.wait(timeout=30)


class Terminal(cli.Test):
    ARGS = ("explain", "--host", "x86-amd-rome-6-12", "avx2", "svm", "lm", "kvm-pv-unhalt", "vmx-ept")

    def test_colour(self):
        out, code = on_terminal(100, *self.ARGS)
        self.assertEqual(code, 0)
        self.assertTrue(ESCAPE.search(out))
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
            self.assertIsNone(ESCAPE.search(on_terminal(100, *self.ARGS, **env)[0]), env)
        # an empty NO_COLOR is none: no-color.org
        self.assertTrue(ESCAPE.search(on_terminal(100, *self.ARGS, NO_COLOR="")[0]))
        self.assertIsNone(ESCAPE.search(self.exits(0, *self.ARGS).out))
        self.assertIsNone(ESCAPE.search(on_terminal(100, *self.ARGS, "--json")[0]))

    def test_width(self):
        said = None
        for columns in (50, 80, 132):
            for args in (self.ARGS, ("features", "--arch", "x86", "kvm*")):
                out = ESCAPE.sub("", on_terminal(columns, *args)[0])
                text = out.split("\n", 1)[1] # the first line names the host
                longest = max(len(line) for line in text.splitlines() if len(line.split()) > 2)
                if args is self.ARGS:
                    self.assertLessEqual(longest, columns, out)
                    self.assertGreater(longest, columns - 30)
                    words = out.split()
                    said = said or words
                    self.assertEqual(words, said, "words are lost where lines end")
        table = ESCAPE.sub("", on_terminal(120, "features", "--arch", "x86", "kvm*")[0])
        self.assertLessEqual(max(map(len, table.splitlines())), 120)

    def test_legend(self):
        self.assertIn("OFFERED:", on_terminal(100, "features", "--arch", "x86")[0])
        self.assertNotIn("OFFERED:", self.exits(0, "features", "--arch", "x86").out)


if __name__ == "__main__":
    sys.exit(cli.main())

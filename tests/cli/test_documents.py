#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Documents of the command against docs/schema, and what a schema cannot say.

Those of `verify --alive` are in test_alive.py.
"""
import json
import os
import sys

import cli
import schemas

if schemas.MISSING:
    print(f"SKIP: cli documents: {schemas.MISSING}")
    sys.exit(77)

REQUESTS = {
    "x86": ["host", "max", "qemu64", "kvm64", "host,-kvm-pv-eoi,+avx2", "host,kvm=off",
            "host,migratable=off,+invtsc,+svm,+vmx", "max,enforce=on,+mpx", "qemu64,+amx-tile,+xsave",
            "host,+kvm-hc-map-gpa-range,+kvm-migration-control", "base,pv=latency,+kvm-hint-dedicated"],
    "arm64": ["host", "max", "host,mte=on", "host,-FEAT_RNG", "host,ID_AA64ISAR0_EL1.AES=0",
              "host,enforce=on,FEAT_SVE2p1=on", "host,migratable=off", "armv8.4-a,sve=on,FEAT_LSE=off", "neoverse-v1,enforce"],
}
MACHINES = {
    "x86": [["--vcpus", "3"], ["--smp", "8,sockets=2,cores=2,threads=2", "--irqchip", "split"],
            ["--irqchip", "user"], ["--irqchip", "none", "--kvm-leaf", "0x40000100"],
            ["--disable-exits", "mwait,hlt,pause,cstate,aperfmperf", "--x2apic-ids", "--handles",
             "msi-ext-dest-id,map-gpa-range,migration-control"],
            ["--irqchip", "split", "--x2apic-ids", "--handles", "msi-ext-dest-id,map-gpa-range,migration-control"]],
    "arm64": [["--vcpus", "4"], ["--gic", "none"], ["--gic", "v2", "--smp", "2,cores=2"]],
}
PAGES = ("snapshot", "plan", "verify", "explain", "features", "conform")
SMALL = ("error", "hosts", "models", "presets") # on one page
ENTRY = ["leaf", "subleaf", "flags", "eax", "ebx", "ecx", "edx"]


class Documents(cli.Test):
    @classmethod
    def setUpClass(cls):
        cls.hosts = cli.hosts()

    def valid(self, schema, ran):
        self.assertEqual(schemas.errors(schema, ran.json()), [], f"guestcpu {ran.args_text}")
        self.assertTrue(ran.raw.endswith(b"}\n"))
        return ran.json()

    def check_plan(self, doc):
        """What the schema cannot say."""
        m = doc["machine"]
        self.assertEqual(m["sockets"] * m["dies"] * m["modules"] * m["cores"] * m["threads"], m["vcpus"])
        self.assertEqual([v["index"] for v in doc["vcpus"]], list(range(m["vcpus"])))
        self.assertEqual(len({v["id"] for v in doc["vcpus"]}), m["vcpus"])
        keys = [(int(e["leaf"], 16), int(e["subleaf"], 16)) for e in doc["cpuid"]]
        self.assertEqual(keys, sorted(set(keys)))
        self.assertEqual(doc["vcpus"][0]["cpuid"], [])
        for vcpu in doc["vcpus"]:
            for entry in vcpu["cpuid"]:
                self.assertEqual(list(entry), ENTRY)
                base = [e for e in doc["cpuid"] if e["leaf"] == entry["leaf"]
                        and e["subleaf"] == entry["subleaf"]]
                self.assertEqual(len(base), 1)
                self.assertNotEqual(base[0], entry)
        phases = ["process", "vm", "all-vcpus", "vm-once", "vcpu", "run"]
        order = [phases.index(s["phase"]) for s in doc["recipe"]]
        self.assertEqual(order, sorted(order))
        calls = [s for s in doc["recipe"] if s["call"] == "KVM_SET_CPUID2"]
        self.assertEqual([s["args"]["nent"] for s in calls],
                         [len(doc["cpuid"])] if doc["arch"] == "x86" else [])
        self.assertEqual([{k: s["args"][k] for k in ("index", "value")} for s in doc["recipe"]
                          if s["call"] == "KVM_SET_MSRS"], doc["msrs"])
        written = {s["args"]["id"] for s in doc["recipe"] if s["call"] == "KVM_SET_ONE_REG"}
        for reg in doc["registers"]:
            self.assertEqual(reg["write"], reg["id"] in written, reg)
        on, off = set(doc["features"]["on"]), set(doc["features"]["off"])
        self.assertFalse(on & off)
        if doc["refused"]:
            self.assertIn("error", [f["severity"] for f in doc["findings"]])

    def test_snapshots(self):
        for name, value, _ in self.hosts:
            with self.subTest(host=name):
                ran = self.exits(0, "probe", "--host", value, "--json")
                self.valid("snapshot", ran)
                path = os.path.join(cli.scratch(), "again.json")
                with open(path, "wb") as f:
                    f.write(ran.raw)
                again = self.exits(0, "probe", "--host", path)
                self.assertEqual(again.raw, ran.raw, "not canonical")

    def test_fingerprint(self):
        """Of a guest: it becomes a snapshot as any other, that says so."""
        path = os.path.join(cli.ROOT, "tests/cases/hosts/arm-fingerprint.json")
        ran = self.exits(0, "probe", "--host", path)
        doc = self.valid("snapshot", ran)
        self.assertEqual((doc["view"], doc["host"]["kernel"], "trial" in doc), ("guest", "6.1.172", False))
        again = os.path.join(cli.scratch(), "fingerprint.json")
        with open(again, "wb") as f:
            f.write(ran.raw)
        self.assertEqual(self.exits(0, "probe", "--host", again).raw, ran.raw, "not canonical")
        for host in (path, again):
            plan = self.valid("plan", self.exits(0, "plan", "--host", host, "--json", "-c", "armv8.1-a"))
            self.check_plan(plan)
            self.assertIn("guest-view", [f["id"] for f in plan["findings"]])
            self.assertEqual(plan["host"]["hash"], doc["hash"])

    def test_computed(self):
        """A host that is computed is one everywhere, and says what it is."""
        dump = os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/rome-r.txt")
        path = os.path.join(cli.scratch(), "computed.json")
        doc = self.valid("snapshot", self.exits(0, "probe", "--from-cpuid", dump, "--kernel", "6.12", "--name", "rome"))
        self.assertEqual((doc["origin"], doc["name"], doc["host"]["kernel"][:5], "trial" in doc), ("computed", "rome", "6.12.", False))
        self.assertIn("kernel options", [a["what"] for a in doc["assumed"]])
        told = self.exits(0, "probe", "--from-cpuid", dump, "--kernel", "6.12", "--name", "x", "-o", path)
        self.assertIn("computed, not measured", told.out)
        again = self.valid("snapshot", self.exits(0, "probe", "--host", path))
        self.assertEqual(again["assumed"], doc["assumed"], "not canonical")
        plan = self.valid("plan", self.exits(0, "plan", "--host", path, "--json", "-c", "host,pv=safe"))
        self.check_plan(plan)
        self.assertEqual([f["id"] for f in plan["findings"]].count("computed"), 1)
        self.assertNotIn("computed", [f["id"] for f in self.exits(0, "plan", "--host", "x86-amd-rome-6-12", "--json").json()["findings"]])
        self.exits(0, "features", "--host", path, "--missing", "avx512*")
        self.exits(0, "explain", "--host", path, "avx512f")

    def test_computed_and_tried(self):
        """The plan says that no value was tried only where none was."""
        dump = os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/rome-r.txt")
        path, tried = (os.path.join(cli.scratch(), name) for name in ("untried.json", "tried.json"))
        self.exits(0, "probe", "--from-cpuid", dump, "--kernel", "6.12", "-o", path)
        self.exits(0, "probe", "--host", "model:" + path, "-o", tried)
        for host, says in ((path, "no change of a value was tried"), ("model:" + path, "tried on a software KVM"),
                           (tried, "tried on a software KVM")):
            found, = (f for f in self.exits(0, "plan", "--host", host, "--json").json()["findings"] if f["id"] == "computed")
            self.assertIn(says, found["text"])
            self.assertEqual("no change" in found["text"], host == path)
        found, = (f for f in self.exits(0, "plan", "--host", "model:" + path, "--no-trial", "--json").json()["findings"]
                  if f["id"] == "computed")
        self.assertIn("no change of a value was tried", found["text"])

    def test_computed_of_a_dump(self):
        """SYSCALL is shown by Intel's CPUs in 64-bit mode only; exits of APERF and MPERF can be off where there are these."""
        with open(os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/rome-r.txt"), encoding="ascii") as f:
            rome = f.read()
        self.assertNotIn("0x00000006 0x00", rome)
        rome = rome.replace("   0x80000000 0x00", "   0x00000006 0x00: eax=0x00000004 ebx=0x00000000 ecx=0x00000001 edx=0x00000000\n"
                            "   0x80000000 0x00", 1)
        amd = rome.replace("edx=0x2dd3fbfd", "edx=0x2dd3f3fd")
        intel = amd.replace("ebx=0x68747541 ecx=0x444d4163 edx=0x69746e65", "ebx=0x756e6547 ecx=0x6c65746e edx=0x49656e69")
        self.assertEqual(len({rome, amd, intel}), 3)
        dump = os.path.join(cli.scratch(), "mode.txt")
        for text, kernel, has, assumed, exits in ((rome, "6.18", True, [], 0x10), (amd, "6.12", False, [], 0),
                                                  (intel, "6.12", True, ["1"], 0), (intel, "7.2", True, ["1"], 0x10)):
            with open(dump, "w", encoding="ascii") as f:
                f.write(text)
            doc = self.valid("snapshot", self.exits(0, "probe", "--from-cpuid", dump, "--kernel", kernel))
            self.assertEqual([a["value"] for a in doc["assumed"] if a["what"] == "SYSCALL"], assumed)
            for table in "native", "supported":
                edx = next(e for e in doc["cpuid"][table] if int(e["leaf"], 16) == 0x80000001)["edx"]
                self.assertEqual(bool(int(edx, 16) & 0x800), has, (table, kernel))
            self.assertEqual(dict(doc["capabilities"]["vm"])[143] & 0x10, exits)

    def test_computed_tsc(self):
        """The rate of the TSC is assumed: from the crystal clock, from the base frequency, or 1 GHz; and kept as an assumption."""
        with open(os.path.join(cli.ROOT, "tests/fuzz/corpus/cpuid/rome-r.txt"), encoding="ascii") as f:
            plain = f.read()
        last = next(line for line in plain.splitlines(True) if "0x80000000 0x00" in line)
        short, dump, path = "0x00000000 0x00: eax=0x0000000d", os.path.join(cli.scratch(), "clocks.txt"), \
            os.path.join(cli.scratch(), "clocks.json")
        self.assertIn(short, plain)

        def leaves(eax, ebx, ecx, mhz):
            lines = (f"   0x00000015 0x00: eax=0x{eax:08x} ebx=0x{ebx:08x} ecx=0x{ecx:08x} edx=0x00000000\n"
                     f"   0x00000016 0x00: eax=0x{mhz:08x} ebx=0x00000000 ecx=0x00000000 edx=0x00000000\n")
            return plain.replace(short, short[:-2] + "16").replace(last, lines + last)

        # a Xeon of Skylake, one of Ice Lake (25 MHz), one that tells the ratio alone, what no KVM can have, and nothing
        for text, khz in ((leaves(2, 240, 0, 3000), 3000000), (leaves(2, 168, 25000000, 2000), 2100000),
                          (leaves(0, 0, 0, 2200), 2200000), (leaves(1, 0xffffffff, 0xffffffff, 0), None),
                          (leaves(2, 240, 0, 0), None), (plain, None)):
            with open(dump, "w", encoding="ascii") as f:
                f.write(text)
            doc = self.valid("snapshot", self.exits(0, "probe", "--from-cpuid", dump, "--kernel", "6.12"))
            assumed = [a["value"] for a in doc["assumed"] if a["what"] == "TSC"]
            self.assertEqual((doc["tsc"], assumed), ({"khz": khz} if khz else {}, [f"{khz or 1000000} kHz"]))
            with open(path, "w", encoding="utf-8") as f:
                json.dump(doc, f)
            for kernel in "", "@6.1":
                doc = self.exits(0, "probe", "--host", f"model:{path}{kernel}").json()
                self.assertEqual(doc["tsc"], {"khz": khz or 1000000})
                self.assertEqual([a["value"] for a in doc["assumed"] if a["what"] == "TSC"], assumed)
        # what a KVM was asked is not assumed
        measured = os.path.join(cli.ROOT, "data/hosts/x86-amd-rome-6-12.json")
        doc = self.exits(0, "probe", "--from-cpuid", measured, "--kernel", "6.1").json()
        self.assertEqual(doc["tsc"], self.exits(0, "probe", "--host", measured).json()["tsc"])
        self.assertNotIn("TSC", [a["what"] for a in doc["assumed"]])

    def test_computed_from_a_snapshot(self):
        """Another kernel on a host that was measured: what it has is KVM's of that kernel."""
        for old, series, new in (("6-1", "6.12", "6-12"), ("6-12", "6.1", "6-1")):
            path = os.path.join(cli.ROOT, f"data/hosts/x86-amd-max-{old}.json")
            doc = self.exits(0, "probe", "--from-cpuid", path, "--kernel", series).json()
            want = self.exits(0, "probe", "--host", f"x86-amd-max-{new}").json()
            for table in ("supported", "emulated", "hyperv", "native"):
                self.assertEqual(doc["cpuid"][table], want["cpuid"][table], table)
            self.assertEqual(doc["capabilities"], want["capabilities"])
            self.assertEqual(doc["host"]["parameters"], self.exits(0, "probe", "--host", path).json()["host"]["parameters"])

    def test_bundled_snapshots_are_canonical(self):
        for name in cli.bundled():
            with self.subTest(host=name):
                with open(os.path.join(cli.ROOT, "data/hosts", name + ".json"), "rb") as f:
                    self.assertEqual(self.exits(0, "probe", "--host", name).raw, f.read())

    def test_probe_without_trial(self):
        cli.need_kvm()
        doc = self.valid("snapshot", self.exits(0, "probe", "--no-trial", "--name", "x"))
        self.assertNotIn("trial", doc)
        self.assertEqual(doc["name"], "x")

    def test_no_duplicate_keys(self):
        def pairs(items):
            keys = [k for k, _ in items]
            self.assertEqual(len(keys), len(set(keys)), keys)
            return dict(items)
        for name, value, arch in self.hosts:
            with self.subTest(host=name):
                for request in REQUESTS[arch]:
                    json.loads(cli.guestcpu("plan", "--host", value, "-c", request, "-j").raw,
                               object_pairs_hook=pairs)

    def test_plans(self):
        for name, value, arch in self.hosts:
            for request in REQUESTS[arch]:
                with self.subTest(host=name, request=request):
                    ran = cli.guestcpu("plan", "--host", value, "-c", request, "--json")
                    self.assertIn(ran.code, (0, 1), str(ran))
                    doc = self.valid("plan", ran)
                    self.assertEqual(doc["refused"], ran.code == 1)
                    self.assertEqual(doc["request"], request)
                    self.check_plan(doc)
            for machine in MACHINES[arch]:
                with self.subTest(host=name, machine=machine):
                    ran = cli.guestcpu("plan", "--host", value, "--json", *machine)
                    if ran.code == 2 and ran.json()["error"]["code"] == "machine":
                        continue # this host allows fewer vCPUs
                    self.assertIn(ran.code, (0, 1), str(ran))
                    self.check_plan(self.valid("plan", ran))

    def test_explain(self):
        """Every name there is, and the words of requests; the chain ends where the plan is."""
        for value in cli.bundled():
            doc = self.valid("features", self.exits(0, "features", "--host", value, "--json", "--all"))
            names = [f["name"] for f in doc["features"]] + [p["name"] for p in doc["properties"]]
            standing = {f["name"]: f["on"] for f in doc["features"]}
            for at in range(0, len(names), 60):
                with self.subTest(host=value, at=at):
                    ran = self.exits(0, "explain", "--host", value, "--json", "--", *names[at:at + 60])
                    for f in self.valid("explain", ran)["features"]:
                        if f["subject"] == "feature":
                            self.assertEqual(f["on"], standing[f["name"]])
                        if f["on"]:
                            self.assertEqual((f["turn_on"], f["hosts"]), ([], []))
                        if f["subject"] != "property":
                            self.assertEqual(bool(f["about"]), True)

    def test_features(self):
        for args in ([], ["-a"], ["kvm*"], ["avx2", "kvmclock"], ["--missing"], ["--on", "*"], ["--kind", "pv"],
                     ["-c", "qemu64,+avx2", "--irqchip", "split"]):
            with self.subTest(args=args):
                host = [] if args in ([], ["-a"], ["kvm*"]) else ["--host", cli.a_host("x86")]
                doc = self.valid("features", self.exits(0, "features", "--arch=x86", "-j", *args, *host))
                self.assertEqual(doc["plan"] is None, not host)
                self.assertEqual({f["on"] is None for f in doc["features"]}, {not host})

    def test_plan_names_the_snapshot(self):
        for name, value, _ in self.hosts:
            with self.subTest(host=name):
                snap = self.exits(0, "probe", "--host", value).json()
                host = cli.guestcpu("plan", "--host", value, "--json").json()["host"]
                self.assertEqual((host["name"], host["hash"]), (snap["name"], snap["hash"]))

    def test_small_documents(self):
        self.valid("hosts", self.exits(0, "features", "--hosts", "--json"))
        for arch in ("x86", "arm64"):
            self.valid("models", self.exits(0, "plan", "--arch", arch, "-c", "help", "--json"))
        self.valid("presets", self.exits(0, "features", "--arch", "x86", "--presets", "--json"))
        self.valid("presets", self.exits(0, "features", "--arch", "x86", "--presets", "-j", "kvmclock"))
        self.valid("presets", self.exits(1, "features", "--arch", "arm64", "--presets", "--json"))
        host = cli.a_host("x86")
        for code, args in ((2, ("plan", "--host", host, "-c", "host,+kvm-pv-eio")), (2, ("features", "--bogus")),
                           (2, ("plan", "--host", host, "-c", "nosuch")), (3, ("probe", "--kvm", "/nosuch/kvm")),
                           (2, ("plan", "--host", host, "-c", "host,phys-bits=99")), (2, ("plan", "--host", "nosuch")),
                           (2, ("plan", "--host", host, "--smp", "0")), (2, ("plan", "--host", "/etc/passwd"))):
            self.valid("error", self.exits(code, *args, "--json"))
        doc = self.exits(2, "plan", "--host", host, "-c", "host,+kvm-pv-eio", "-j").json()
        with open(os.path.join(cli.ROOT, "docs/small.md"), encoding="utf-8") as f:
            example = f.read().split("\n    {\n")[1].split("\n    }\n")[0]
        self.assertEqual(json.loads("{" + example + "}"), doc)

    def test_same_plan_twice(self):
        for name, value, _ in self.hosts:
            with self.subTest(host=name):
                args = ("plan", "--host", value, "--json", "--vcpus", "1")
                self.assertEqual(cli.guestcpu(*args).raw, cli.guestcpu(*args).raw)

    def test_verify(self):
        cli.need_kvm()
        for args in (["-c", "host"], ["-c", "host,-kvm-pv-eoi", "--vcpus", "3"],
                     ["-c", "max", "--timeout", "1"]):
            with self.subTest(args=args):
                ran = cli.guestcpu("verify", "--json", *args)
                if ran.code == 2 and "pv" in args[1]:
                    continue # x86 names
                self.assertIn(ran.code, (0, 1, 3), str(ran))
                doc = self.valid("verify", ran)
                verdicts = [f["verdict"] for f in doc["features"]]
                total = doc["summary"].pop("total")
                self.assertEqual(doc["summary"], {k: verdicts.count(k) for k in doc["summary"]})
                self.assertEqual(total, len(verdicts))
                if ran.code == 3:
                    self.assertIsNotNone(doc["guest_error"])

    def test_verify_head_is_the_plan_head(self):
        cli.need_kvm()
        plan = self.exits(0, "plan", "--json", "--vcpus", "2").json()
        view = cli.guestcpu("verify", "--json", "--vcpus", "2").json()
        for key in ("arch", "request", "host", "machine"):
            self.assertEqual(plan[key], view[key])

    def test_examples_of_the_pages(self):
        """The examples in docs/*.md have the keys of the schema."""
        for name in PAGES:
            with self.subTest(page=name):
                with open(os.path.join(cli.ROOT, "docs", name + ".md"), encoding="utf-8") as f:
                    text = f.read().split("\n## Example\n")[1].split("\n#")[0]
                doc = json.loads("\n".join(line[4:] for line in text.splitlines()
                                           if line.startswith("    ")))
                for part in (doc, doc.get("host", {})):
                    if part.get("hash") == "sha256:...":
                        part["hash"] = "sha256:" + "0" * 64
                self.assertEqual(schemas.errors(name, doc), [])

    def test_keys_of_the_pages(self):
        """Every key of a schema stands on its page."""
        def keys(schema):
            if isinstance(schema, dict):
                yield from schema.get("properties", {})
                for key, part in schema.items():
                    # a document may have a key of that name itself
                    yield from keys(list(part.values()) if key == "properties" else part)
            elif isinstance(schema, list):
                for part in schema:
                    yield from keys(part)
        for name in PAGES + SMALL:
            page = "small" if name in SMALL else name
            with open(os.path.join(cli.ROOT, "docs", page + ".md"), encoding="utf-8") as f:
                page = f.read()
            with open(os.path.join(cli.ROOT, "docs/plan.md"), encoding="utf-8") as f:
                page += f.read() if name == "verify" else ""
            with open(os.path.join(cli.ROOT, "docs/features.md"), encoding="utf-8") as f:
                page += f.read() if name == "explain" else ""
            with open(os.path.join(cli.ROOT, "docs/schema", name + ".schema.json"), encoding="utf-8") as f:
                found = set(keys(json.load(f)))
            missing = [k for k in sorted(found) if f'`{k}`' not in page and f'"{k}"' not in page
                       and f".{k}`" not in page]
            self.assertEqual(missing, [], name)


if __name__ == "__main__":
    cli.main()

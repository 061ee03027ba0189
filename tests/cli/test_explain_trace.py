#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""explain --trace: what a program gave its guest. No test here needs /dev/kvm.

What must come of it is read from the trace document itself, and from `guestcpu plan` for the same machine.
"""
import copy
import json
import os
import re

import cli
import schemas

X86 = os.uname().machine == "x86_64"
# a library with a sanitizer cannot be preloaded; what is made by hand is read there, too
SANITIZED = bool(os.environ.get("GUESTCPU_SANITIZED"))
CORPUS = os.path.join(cli.ROOT, "tests/fuzz/corpus/trace")
HOST = "x86-amd-rome-6-12" if X86 else "arm64-kvm-neoverse-n1-6-12"
WHERE = re.compile(r"CPUID\.(0x\w+)\.(0x\w+)\.(e[abcd]x)\[(\d+)\]")
ISAR0 = "0x603000000013c030"


def simulated(*request):
    """The trace of examples/vmm.c on a bundled host."""
    path = os.path.join(cli.scratch(), "-".join(request).replace("/", "") + ".json")
    if not os.path.exists(path):
        ran = cli.guestcpu("sim", "--host", HOST, "-o", path, "--", os.environ["EXAMPLE_VMM"], *request)
        if ran.code:
            raise AssertionError(str(ran))
    with open(path, encoding="utf-8") as f:
        return path, json.load(f)


def corpus(arch):
    with open(os.path.join(CORPUS, arch + ".json"), encoding="utf-8") as f:
        return json.load(f)


def call(name, vcpu=None, errno=0, **args):
    return {"scope": "vm" if vcpu is None else "vcpu", "vcpu": vcpu, "call": name, "args": args, "errno": errno, "times": 1}


class Explain(cli.Test):
    count = 0

    def write(self, doc):
        Explain.count += 1
        path = os.path.join(cli.scratch(), f"made-{self.count}.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write(doc if isinstance(doc, str) else json.dumps(doc))
        return path

    def given(self, trace, *words):
        """The objects that tell the names, by feature."""
        path = trace if isinstance(trace, str) else self.write(trace)
        doc = self.exits(0, "explain", "--json", "--trace", path, *words).json()
        if not schemas.MISSING:
            self.assertEqual(schemas.errors("explain", doc), [])
        self.assertEqual(doc["features"], [])
        return {g["feature"]: g for g in doc["trace"]["given"]}

    def text(self, trace, *words):
        path = trace if isinstance(trace, str) else self.write(trace)
        return re.sub(r"\n {4,}", " ", self.exits(0, "explain", "--trace", path, *words).out)


@cli.unittest.skipIf(SANITIZED, "sim has no sanitized build")
@cli.unittest.skipUnless(X86, "the example gives its guest this machine's architecture")
class Program(Explain):
    """The example, simulated: what it gave is the plan of its request."""

    def test_every_flag(self):
        """Where the bit is and what the trace has there."""
        path, doc = simulated("host,-avx2,-kvm-pv-eoi", "3")
        features = self.exits(0, "features", "--arch", "x86", "--json").json()["features"]
        names = [f["name"] for f in features if f["width"] == 1 and f["word"].startswith("CPUID")]
        self.assertGreater(len(names), 300)
        seen = set()
        for at in range(0, len(names), 60):
            for name, g in self.given(path, "--", *names[at:at + 60]).items():
                leaf, sub, reg, bit = WHERE.fullmatch(g["where"]).groups()
                for vcpu, v in zip(doc["vcpus"], g["vcpus"]):
                    entry = [e for e in vcpu["cpuid"] if e["leaf"] == leaf and (not e["flags"] & 1 or e["subleaf"] == sub)]
                    state = ("on" if int(entry[0][reg], 16) >> int(bit) & 1 else "off") if entry else None
                    self.assertEqual((v["state"], v["said"]), (state, "all" if entry else "never"), name)
                    seen.add(state)
                    self.assertEqual([c["call"] for c in v["calls"]], [max(
                        n for n, c in enumerate(doc["calls"]) if c["vcpu"] == v["index"] and c["call"] == "KVM_SET_CPUID2")]
                        if entry else [])
        self.assertEqual(seen, {"on", "off", None})

    def test_beside_the_plan(self):
        path, _ = simulated("host,-avx2,-kvm-pv-eoi", "3")
        plan = self.exits(0, "plan", "--host", HOST, "--vcpus", "3", "--json").json()
        on, off = plan["features"]["on"][:30], plan["features"]["off"][:30]
        given = self.given(path, "--host", HOST, "--", *on, *off)
        self.assertEqual({n: given[n]["guestcpu"]["state"] for n in on + off if n in given},
                         {n: "on" if n in on else "off" for n in on + off if n in given})
        text = self.text(path, "--host", HOST, "avx2", "kvm-pv-eoi", "sse2")
        self.assertRegex(text, r"\navx2 +program: off +guestcpu \(host\): on +the program's table withholds it\n")
        self.assertRegex(text, r"\nkvm-pv-eoi +program: off +guestcpu \(host\): on +the program's table withholds it\n")
        self.assertRegex(text, r"\nsse2 +program: on +guestcpu \(host\): on\n")
        self.assertRegex(text, r"\n  guestcpu +on: .* \[model-takes; ")
        self.assertRegex(text, r"^example-vmm on a model of x86-amd-rome-6-12: 3 vCPUs, irqchip kernel\nguestcpu: host on x86-amd-rome-6-12 ")
        # another request
        text = self.text(path, "--host", HOST, "-c", "base", "sse2", "avx2")
        self.assertRegex(text, r"\nsse2 +program: on +guestcpu \(base\): off +the program gives what guestcpu would not\n")
        self.assertRegex(text, r"\navx2 +program: off +guestcpu \(base\): off\n")

    def test_capability(self):
        path, _ = simulated("host,-avx2,-kvm-pv-eoi", "3")
        caps = self.given(path, "kvm-asyncpf")["kvm-asyncpf"]["capabilities"]
        self.assertEqual([(c["name"], c["enabled"]) for c in caps if c["name"].startswith("ENFORCE")], [
            ("ENFORCE_PV_FEATURE_CPUID", [{"vcpu": n, "args": [1], "errno": 0} for n in range(3)])])
        self.assertIn("ENFORCE_PV_FEATURE_CPUID: checked (1 on /dev/kvm), enabled with 0x1 on every vCPU",
                      self.text(path, "kvm-asyncpf"))
        self.assertNotIn("asked KVM", self.text(path, "sse2"))
        self.assertEqual(self.given(path, "kvm-pv-enforce-cpuid")["kvm-pv-enforce-cpuid"]["program"], "on")

    def test_words(self):
        """Groups are their members, aliases what they mean, properties of the table their values."""
        path, doc = simulated("host,-avx2,-kvm-pv-eoi", "3")
        self.assertEqual(sorted(self.given(path, "kvmclock")), ["kvmclock1", "kvmclock2"])
        self.assertEqual(list(self.given(path, "sse3", "PNI")), ["pni"])
        vendor = next(e for e in doc["vcpus"][0]["cpuid"] if e["leaf"] == "0x0")
        self.assertEqual(self.given(path, "vendor")["vendor"]["program"], b"".join(
            int(vendor[r], 16).to_bytes(4, "little") for r in ("ebx", "edx", "ecx")).decode())
        self.assertRegex(self.text(path, "migratable"), r"\nmigratable +program: never said +a word of requests, which no field holds\n")
        error = self.fails(2, "name", "explain", "--trace", path, "avx2", "avx3")[1]
        self.assertEqual(error["near"][:2], ["avx", "avx2"])


@cli.unittest.skipIf(SANITIZED, "sim has no sanitized build")
@cli.unittest.skipIf(X86, "the example gives its guest this machine's architecture")
class ProgramArm(Explain):
    def test_registers(self):
        path, doc = simulated("host", "2")
        regs = {r["id"]: int(r["value"][0], 16) for r in doc["vcpus"][0]["registers"]}
        given = self.given(path, "--host", HOST, "ID_AA64ISAR0_EL1.AES")["ID_AA64ISAR0_EL1.AES"]
        if ISAR0 in regs:
            self.assertEqual(int(given["vcpus"][0]["value"], 16), regs[ISAR0] >> 4 & 15)
        else:
            self.assertEqual(given["program"], "never said")


class Made(Explain):
    """Documents that no bundled host comes to give."""

    def test_differs(self):
        doc = corpus("x86")
        doc["machine"]["vcpus"] = 9
        for n in range(1, 9):
            doc["vcpus"].append(copy.deepcopy(doc["vcpus"][0]))
            doc["vcpus"][n].update(index=n, id=n)
            doc["calls"].append(call("KVM_SET_CPUID2", n, nent=4))
            if n in (3, 4, 5, 8):
                doc["vcpus"][n]["cpuid"][1]["ebx"] = "0x0"
        given = self.given(doc, "avx2")["avx2"]
        self.assertEqual(given["program"], "differs")
        self.assertEqual([v["state"] for v in given["vcpus"]], ["off" if n in (3, 4, 5, 8) else "on" for n in range(9)])
        text = self.text(doc, "avx2")
        self.assertRegex(text, r"\navx2 +program: differs +not all vCPUs were given the same\n")
        self.assertIn(" on: vCPUs 0 to 2, 6, 7; off: vCPUs 3 to 5, 8\n", text)
        self.assertRegex(text, r"calls\[5\] of vCPU 0, .* of vCPU 5 and of 3 more vCPUs\n")
        doc["vcpus"][8]["cpuid"] = []
        self.assertIn("; never said: vCPU 8\n", self.text(doc, "avx2"))

    def test_refused(self):
        """The MSR at which KVM stopped, a table that it did not take: the one before stays."""
        doc = corpus("x86")
        given = self.given(doc, "rdctl-no", "avx2")
        self.assertEqual(given["rdctl-no"]["program"], "never said")
        self.assertEqual(given["rdctl-no"]["vcpus"][0]["refused"], [{"call": 3, "name": "KVM_SET_MSRS", "errno": 0}])
        self.assertEqual(given["avx2"]["vcpus"][0]["refused"], [{"call": 2, "name": "KVM_SET_CPUID2", "errno": 22}])
        self.assertEqual(given["avx2"]["vcpus"][0]["calls"], [{"call": 5, "name": "KVM_SET_CPUID2", "errno": 0}])
        self.assertRegex(self.text(doc, "avx2"), r"\n  refused +KVM_SET_CPUID2 calls\[2\] \(EINVAL\) of vCPU 0\n")
        self.assertEqual(self.given(doc, "cpuid-fault")["cpuid-fault"]["vcpus"][0]["refused"], [])
        # the table that it took last is the one that holds, whatever was taken before it and refused behind it
        doc["calls"][0] = call("KVM_SET_CPUID2", 0, nent=9)
        doc["calls"].append(call("KVM_SET_CPUID2", 0, 22, nent=9))
        self.assertEqual([c["call"] for c in self.given(doc, "avx2")["avx2"]["vcpus"][0]["calls"]], [5])

    def test_forced(self):
        """What KVM makes of it in every guest stands above both, the program's word and the plan's."""
        host, doc = "x86-amd-pvm-6-18", corpus("x86")
        names = "avx2", "fsgsbase", "fdp-excptn-only", "sse2"
        given = self.given(doc, "--host", host, *names)
        stands = {f["name"]: f["standing"] for f in self.exits(0, "explain", "--host", host, "--json", *names).json()["features"]}
        self.assertEqual([stands[n]["forced"] for n in names], ["on", "on", "off", None])
        for name in names:
            self.assertEqual(given[name]["guestcpu"]["forced"], stands[name]["forced"])
        self.assertEqual([given[n]["program"] for n in names[:2]], ["on", "off"])
        text = self.text(doc, "--host", host, *names)
        for name, program in ("avx2", "on "), ("fsgsbase", "off"):
            self.assertRegex(text, rf"\n{name} +program: {program} +guestcpu \(host\): off +the KVM of --host puts it in force in every guest\n")
        self.assertRegex(text, r"\nfdp-excptn-only +program: \w+ +guestcpu \(host\): on +the KVM of --host clears it in every guest\n")
        self.assertEqual(re.findall(r"\n  guestcpu +(.*?) \[", text)[:3], [
            *["planned off, but this KVM puts it in force whatever the table says (seen by trial)"] * 2,
            "planned on, but this KVM clears it whatever the table says (seen by trial)"])
        self.assertNotIn(" off: this KVM puts", text)

    def test_msr(self):
        doc = corpus("x86")
        doc["vcpus"][0]["msrs"] += [{"index": "0x10a", "value": "0x1"}]
        given = self.given(doc, "rdctl-no", "ibrs-all")
        self.assertEqual((given["rdctl-no"]["program"], given["ibrs-all"]["program"]), ("on", "off"))
        first = next(n for n, c in enumerate(doc["calls"]) if c["call"] == "KVM_SET_MSRS" and c["args"]["taken"])
        self.assertEqual([c["call"] for c in given["rdctl-no"]["vcpus"][0]["calls"]], [first])
        # a trace does not say which of many
        doc["calls"] += [call("KVM_SET_MSRS", 0, nmsrs=1, taken=1) for _ in range(5)]
        self.assertEqual(len(self.given(doc, "rdctl-no")["rdctl-no"]["vcpus"][0]["calls"]), 6)
        self.assertIn(f"KVM_SET_MSRS one of 6, calls[{first}] to calls[{len(doc['calls']) - 1}], of vCPU 0", self.text(doc, "rdctl-no"))

    def test_kvm_leaves(self):
        """They are where the signature is."""
        doc = corpus("x86")
        self.assertEqual(self.given(doc, "kvm-pv-eoi")["kvm-pv-eoi"]["program"], "on")
        self.assertIn("(its base is 0x40000100 here)", self.text(doc, "kvm-pv-eoi"))
        doc["vcpus"][0]["cpuid"][2]["ebx"] = "0x1"
        doc["vcpus"][0]["cpuid"][3]["leaf"] = "0x40000001"
        given = self.given(doc, "kvm-pv-eoi")["kvm-pv-eoi"]
        self.assertEqual((given["program"], given["remark"]), ("never said", "the program's table does not have KVM's signature"))

    def test_machine_of_the_trace(self):
        """The plan beside it is for the machine that the program made."""
        doc = corpus("x86")
        name = "kvm-asyncpf-int" # needs the APIC in KVM
        kernel = self.given(doc, "--host", "x86-amd-rome-6-12", name)[name]["guestcpu"]
        doc["machine"]["irqchip"] = "user"
        user = self.given(doc, "--host", "x86-amd-rome-6-12", name)[name]["guestcpu"]
        self.assertEqual((kernel["state"], user["state"]), ("on", "off"))
        for irqchip, got in (("kernel", kernel), ("user", user)):
            plan = self.exits(0, "plan", "--host", "x86-amd-rome-6-12", "--irqchip", irqchip, "--json").json()
            self.assertEqual(name in plan["features"]["on"], got["state"] == "on")
        doc["machine"]["irqchip"] = "kernel"
        doc["capabilities"]["enabled"].append({"scope": "vm", "vcpu": None, "cap": 143, "name": "X86_DISABLE_EXITS", "args": [2], "errno": 0})
        name = "kvm-pv-unhalt"
        plan = self.exits(0, "plan", "--host", "x86-amd-rome-6-12", "--disable-exits", "hlt", "--json").json()
        got = self.given(doc, "--host", "x86-amd-rome-6-12", name)[name]["guestcpu"]
        self.assertEqual(got["state"] == "on", name in plan["features"]["on"])

    def test_frequency(self):
        given = self.given(corpus("x86"), "tsc-frequency")["tsc-frequency"]
        self.assertEqual((given["program"], given["vcpus"][0]["calls"]),
                         ("2000000000", [{"call": 1, "name": "KVM_SET_TSC_KHZ", "errno": 0}]))
        self.assertRegex(self.text(corpus("x86"), "tsc-frequency"), r"\n  said by +KVM_SET_TSC_KHZ calls\[1\] of the VM\n")

    def test_arm64(self):
        doc = corpus("arm64")
        host = ("--host", "arm64-kvm-max-6-12")
        given = self.given(doc, *host, "FEAT_RNG", "ID_AA64ISAR0_EL1.AES", "ID_AA64ISAR0_EL1.DP", "sve256", "sve", "pauth-address",
                           "ID_AA64PFR1_EL1.BT")
        values = [int(v["registers"][0]["value"][0], 16) for v in doc["vcpus"]]
        self.assertEqual(doc["vcpus"][0]["registers"][0]["id"], ISAR0)
        self.assertEqual([v["state"] for v in given["FEAT_RNG"]["vcpus"]], ["on" if v >> 60 else "off" for v in values])
        self.assertEqual([int(v["value"], 16) for v in given["ID_AA64ISAR0_EL1.DP"]["vcpus"]], [v >> 44 & 15 for v in values])
        self.assertEqual(given["ID_AA64ISAR0_EL1.AES"]["program"], "0x2 (PMULL)")
        number = [[n for n, c in enumerate(doc["calls"]) if c["vcpu"] == k and not c["errno"] and c["args"].get("id") == ISAR0]
                  for k in range(2)]
        self.assertEqual([[c["call"] for c in v["calls"]] for v in given["FEAT_RNG"]["vcpus"]], number)
        self.assertEqual(given["FEAT_RNG"]["vcpus"][0]["refused"], [{"call": 2, "name": "KVM_SET_ONE_REG", "errno": 22}])
        self.assertEqual([v["said"] for v in given["sve256"]["vcpus"]], ["all", "never"])
        self.assertEqual([v["state"] for v in given["sve"]["vcpus"]], ["on", "off"])
        self.assertEqual([c["name"] for c in given["sve"]["capabilities"]], ["ARM_SVE"])
        self.assertEqual((given["pauth-address"]["program"], given["pauth-address"]["guestcpu"]["state"]), ("off", "on"))
        self.assertEqual(given["ID_AA64PFR1_EL1.BT"]["remark"], "the program does not write it: KVM's own value stays")
        self.assertRegex(self.text(doc, "FEAT_RNG"), r"^vmm on a model of arm64-kvm-max-6-12: 2 vCPUs, gic v3\n")
        self.assertRegex(self.text(doc, *host, "pauth-address"),
                         r"\npauth-address +program: off +guestcpu \(host\): on +the program withholds it\n")


class Refused(Explain):
    """What is no trace of a VM, and options that say what the trace says."""

    def error(self, doc, text, *more):
        error = self.fails(2, "document", "explain", "--trace", self.write(doc), *(more or ("avx2",)))[1]
        self.assertIn(text, error["text"])
        self.assertTrue(error["expected"])

    def test_malformed(self):
        whole = json.dumps(corpus("x86"))
        for n in range(0, len(whole), 97):
            self.fails(2, "document", "explain", "--trace", self.write(whole[:n]), "avx2")
        for text in "[]", "null", "\x00", whole + "x":
            self.fails(2, "document", "explain", "--trace", self.write(text), "avx2")

    def test_schema(self):
        host = os.path.join(cli.ROOT, "data/hosts/x86-amd-rome-6-12.json")
        self.assertIn("guestcpu.snapshot", self.fails(2, "schema", "explain", "--trace", host, "avx2")[1]["text"])
        path = os.path.join(CORPUS, "x86.json")
        self.assertIn("guestcpu.trace", self.fails(2, "schema", "explain", "--host", path, "avx2")[1]["text"])
        self.fails(2, "schema", "explain", "--trace", self.write({**corpus("x86"), "version": 2}), "avx2")
        self.fails(2, "arch", "explain", "--trace", self.write({**corpus("x86"), "arch": "s390"}), "avx2")
        self.fails(3, "kvm", "explain", "--trace", "/no/such/file", "avx2")

    def test_places(self):
        """Each error names where it is."""
        for keys, value, place in (
                (("machine", "vcpus"), 2, "machine.vcpus: "), (("machine", "irqchip"), "pic", "machine.irqchip: "),
                (("vcpus", 0, "cpuid", 1, "ebx"), 32, "vcpus[0].cpuid[1].ebx: "),
                (("vcpus", 0, "msrs", 0, "value"), "0x10000000000000000", "vcpus[0].msrs[0].value: "),
                (("vcpus", 0, "ran"), None, "vcpus[0].ran: "), (("vcpus", 0, "vcpu_init"), [], "vcpus[0].vcpu_init: "),
                (("calls", 2, "vcpu"), 1, "calls[2].vcpu: "), (("calls", 2, "errno"), -22, "calls[2].errno: "),
                (("calls", 3, "args", "refused"), "MSR", "calls[3].args.refused: "), (("calls", 1, "args", "khz"), "1", "calls[1].args.khz: "),
                (("capabilities", "enabled", 0, "vcpu"), 7, "capabilities.enabled[0].vcpu: "),
                (("capabilities", "enabled", 0, "args"), [1] * 5, "capabilities.enabled[0].args: "),
                (("capabilities", "checked", 0, "scope"), "vcpu", "capabilities.checked[0].scope: "),
                (("program", "command"), [], "program.command: "), (("kvm",), None, "kvm: "), (("host",), "rome", "host: ")):
            doc = corpus("x86")
            at = doc
            for key in keys[:-1]:
                at = at[key]
            at[keys[-1]] = value
            self.error(doc, place)

    def test_keys(self):
        for key in "kvm", "host", "program", "complete", "machine", "capabilities", "vcpus", "calls":
            doc = corpus("x86")
            del doc[key]
            self.error(doc, f"{key}: missing")
        # what a later version may add
        self.given({**corpus("x86"), "more": [1]}, "avx2")

    def test_no_vcpu(self):
        self.error(corpus("none"), "the program made no vCPU")

    def test_options(self):
        path = os.path.join(CORPUS, "x86.json")
        for more in (["--vcpus", "2"], ["--irqchip", "split"], ["--gic", "v2"], ["-c", "host"], ["--x2apic-ids"],
                     ["--host", "x86-amd-rome-6-12", "--vcpus", "1"], ["--host", "x86-amd-rome-6-12", "--smp", "2"],
                     ["--host", "arm64-kvm-max-6-12"], ["--arch", "arm64"]):
            self.fails(2, "argument", "explain", "--trace", path, *more, "sse2")
        self.fails(2, "argument", "explain", "--trace", path)
        self.fails(2, "name", "explain", "--trace", path, "--host", "nosuchhost", "sse2")
        self.exits(0, "explain", "--trace", path, "--arch", "x86", "sse2")


if __name__ == "__main__":
    cli.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sim: programs on the software KVM. No test here needs /dev/kvm.

What must come of it is what tests/sim/client.c does, and what the snapshot says.
"""
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import cli
import schemas
import test_trace
from test_trace import CLIENT, STATIC, X86

ROUGH = os.environ.get("SIM_ROUGH", os.path.join(cli.ROOT, "build/tests/sim/sim_rough"))
FAULTING = os.environ.get("SIM_FAULTING", os.path.join(cli.ROOT, "build/tests/sim/libsim-faulting.so"))
HOST = "x86-amd-rome-6-12" if X86 else "arm64-kvm-neoverse-n1-6-12"


class Sim(test_trace.Trace):
    def simulate(self, *command, host=HOST, code=0, options=(), env=None):
        wrapper = ["env", *[f"{k}={v}" for k, v in (env or {}).items()]] if env else []
        ran = self.exits(code, "sim", "--json", "--host", host, *options, "--", *command, wrapper=wrapper)
        doc = ran.json()
        if not schemas.MISSING:
            self.assertEqual(schemas.errors("trace", doc), [])
        self.assertTrue(doc["complete"])
        self.assertEqual(doc["kvm"], "model")
        return doc, ran

    def snapshot(self, host=HOST):
        return self.exits(0, "probe", "--host", host, "--json").json()


class Client(Sim):
    def test_plain(self):
        doc, ran = self.simulate(CLIENT, "plain")
        snap = self.snapshot()
        self.assertEqual((doc["host"]["name"], doc["host"]["hash"], doc["series"]), (snap["name"], snap["hash"], None))
        self.assertEqual(doc["program"], {"command": [CLIENT, "plain"], "stopped": True, "exit": 0, "signal": None,
                                          "opened": True, "open_errno": None, "vms": 1, "unseen": []})
        # one thread: the second vCPU was set up and never came to run; what was printed before is there
        self.assertEqual([(v["id"], v["ran"]) for v in doc["vcpus"]], [(0, True), (1, False)])
        for n, vcpu in enumerate(doc["vcpus"]):
            self.check_vcpu(vcpu, n)
        self.assertEqual(ran.err, "about to run\n")
        text = self.exits(0, "sim", "--host", HOST, CLIENT, "plain").out
        self.assertIn(f" plain on a model of {HOST} (", text)
        self.assertIn("\n1 capability asked for: --all lists it, and all calls\n", text)
        self.assertTrue(text.endswith("sim_client: stopped at its first KVM_RUN\n"), text)

    def test_document_on_standard_output(self):
        named = self.exits(0, "sim", "--host", HOST, "-o", "-", "--", CLIENT, "plain")
        self.assertEqual((named.json(), named.err), (self.simulate(CLIENT, "plain")[0], "about to run\n"))

    def test_model_said(self):
        """Here every host is a model: who says so, and of which kernel, means the same."""
        want, _ = self.simulate(CLIENT, "plain", options=("--kernel", "6.1"))
        got, _ = self.simulate(CLIENT, "plain", host=f"model:{HOST}@6.1")
        self.assertEqual(got, want)
        self.assertEqual(got["series"], "6.1")
        text = self.exits(0, "sim", "--host", f"model:{HOST}@6.1", CLIENT, "plain").out
        self.assertIn(f" plain on a model of {HOST} (", text)
        self.exits(0, "sim", "--host", f"model:{HOST}@6.1", "--kernel", "6.1", CLIENT, "plain")
        self.exits(2, "sim", "--host", f"model:{HOST}@6.1", "--kernel", "6.12", CLIENT, "plain")
        error = self.exits(3, "sim", "--json", "--host", f"{HOST}@6.1", CLIENT, "plain").json()["error"]
        self.assertEqual(error["expected"], f"--host {HOST} --kernel 6.1")

    def test_release_is_named(self):
        """What the model was: a release as it was asked for, and the one that a series stands for."""
        with open(os.path.join(cli.ROOT, "data/kvm/series.txt"), encoding="ascii") as f:
            played = dict(line.replace(" ", "").strip().split("|") for line in f if line[0] in "67")
        for kernel, says in (("6.12", played["6.12"]), ("6.1", played["6.1"]), ("6.12.5", "6.12.5"), ("6.1.20", "6.1.20")):
            for args in ("--host", f"model:{HOST}@{kernel}"), ("--host", HOST, "--kernel", kernel):
                text = self.exits(0, "sim", *args, CLIENT, "plain").out
                self.assertIn(f"Linux {says})", text.splitlines()[0])

    def test_capabilities_are_the_hosts(self):
        doc, _ = self.simulate(CLIENT, "threads")
        asked = {c["cap"]: c["value"] for c in doc["capabilities"]["checked"]}
        text = self.exits(0, "sim", "--host", HOST, CLIENT, "threads").out
        self.assertIn(f"\n{len(asked)} capabilities asked for, {sum(v <= 0 for v in asked.values())} of them not there: --all lists them, ", text)
        have = dict(self.snapshot()["capabilities"]["system"])
        self.assertEqual(sorted(asked), list(range(1, 51)))
        self.assertEqual(asked, {n: have.get(n, 0) for n in asked})

    def test_descriptors(self):
        doc, _ = self.simulate(CLIENT, "dup")
        self.assertEqual([(v["id"], v["ran"]) for v in doc["vcpus"]], [(0, True), (1, False)])
        self.check_vcpu(doc["vcpus"][0], 0)
        for action in "reuse", "pointers":
            doc, _ = self.simulate(CLIENT, action)
            self.assertFalse(doc["program"]["stopped"])

    def test_threads(self):
        for _ in range(5):
            doc, _ = self.simulate(CLIENT, "threads")
            self.assertEqual(sorted(v["id"] for v in doc["vcpus"]), list(range(8)))
            for vcpu in doc["vcpus"]:
                self.check_vcpu(vcpu, vcpu["id"])
                self.assertTrue(vcpu["ran"])
        text = self.exits(0, "sim", "--host", HOST, CLIENT, "threads").out
        if X86:
            self.assertRegex(text, r"\n0 +\d +2 entries +2 +yes\n1-7 +\d[-0-9, ]* +2 entries, 1 its own +2 +yes\n\n")
        else:
            self.assertRegex(text, r"\n0-7 +0-7 +target \d+, features 0x\w+ +0 +yes\n\n")

    def test_processes(self):
        doc, _ = self.simulate(CLIENT, "fork")
        self.assertEqual([v["id"] for v in doc["vcpus"]], [0, 1])
        doc, _ = self.simulate("sh", "-c", f"{CLIENT} plain; exit 0")
        self.assertTrue(doc["program"]["stopped"])

    def test_look(self):
        """As if there were a /dev/kvm, whether there is one or not."""
        self.assertEqual(self.exits(0, "sim", "--host", HOST, CLIENT, "look").err,
                         "access 0\nfaccessat 0\nstat 0 1\nlstat 0 1\nfstatat 0 1\nstatx 0 1\nfstat 0 1\n")

    def test_failing(self):
        doc, _ = self.simulate(CLIENT, "die", code=1)
        self.assertEqual((doc["program"]["stopped"], doc["program"]["signal"]), (False, 6))
        doc, _ = self.simulate(CLIENT, "none", code=1)
        self.assertEqual((doc["program"]["opened"], doc["program"]["open_errno"]), (False, None))
        # nothing of the environment was lacking
        doc, _ = self.simulate(CLIENT, "vain", "0", code=1)
        self.assertEqual((doc["program"]["opened"], doc["program"]["open_errno"]), (False, errno.ENOTDIR))

    def test_usage(self):
        self.fails(2, "argument", "sim", "--host", HOST)
        foreign = cli.a_host("arm64" if X86 else "x86")
        for args, code, name in ((["--host", foreign, "--", CLIENT, "none"], 2, "argument"),
                                 (["--host", "no-such-host", "--", CLIENT, "none"], 2, "name"),
                                 (["--host", "./no/such/file", "--", CLIENT, "none"], 3, "kvm"),
                                 (["--host", HOST, "--kernel", "2.6", "--", CLIENT, "none"], 2, "name"),
                                 (["--host", HOST, "--", "no-such-program"], 3, "kvm")):
            ran = cli.guestcpu("sim", "--json", *args)
            self.assertEqual((ran.code, ran.json()["error"]["code"]), (code, name), str(ran))

    def test_kernel(self):
        doc, _ = self.simulate(CLIENT, "plain", options=["--kernel", "6.1"])
        self.assertEqual(doc["series"], "6.1")
        self.assertRegex(self.exits(0, "sim", "--host", HOST, "--kernel=6.1", CLIENT, "plain").out, r"Linux 6\.1\.[1-9][0-9]*\)")


@cli.unittest.skipUnless(X86, "arm64 has no CPUID instruction")
class OwnCpuid(Sim):
    """What the program finds out with its own CPUID instructions."""

    def leaf0(self):
        entry = next(e for e in self.snapshot()["cpuid"]["native"] if e["leaf"] == "0x0")
        return " ".join(f"{int(entry[r], 16):08x}" for r in ("eax", "ebx", "ecx", "edx"))

    def test_answered(self):
        """With a CPU that can make them fault, or one that seems to: client.c sends itself the signal."""
        doc, ran = self.simulate(CLIENT, "cpuid", code=1, env={"LD_PRELOAD": FAULTING})
        self.assertEqual(doc["own_cpuid"], "answered")
        self.assertEqual(doc["program"]["exit"], 0, ran.err)
        self.assertEqual(ran.err, f"leaf 0 {self.leaf0()}\nthread {self.leaf0()}\n")

    def test_other_faults(self):
        """A program that faults dies of it, as without us."""
        doc, _ = self.simulate(CLIENT, "segv", code=1, env={"LD_PRELOAD": FAULTING})
        self.assertEqual((doc["program"]["exit"], doc["program"]["signal"]), (None, 11))

    def test_said(self):
        """Which of the two it was here, by the CPU: both are said."""
        doc, _ = self.simulate(CLIENT, "plain")
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            can = re.search(r"^flags.*\b(cpuid_fault|gp_on_user_cpuid)\b", f.read(), re.M)
        self.assertEqual(doc["own_cpuid"], "answered" if can else "leaked")
        text = self.exits(0, "sim", "--host", HOST, CLIENT, "plain").out
        said = "were answered by the model" if can else "leaked: CPUID instructions"
        self.assertIn(said, text)
        # one that never opened /dev/kvm may have found by CPUID that it need not try
        text = self.exits(1, "sim", "--host", HOST, CLIENT, "none").out
        self.assertIn(said, text)
        self.assertIn("and never opened /dev/kvm\n", text)
        self.assertNotIn("CPUID", self.exits(1, "trace", CLIENT, "none").out)

    def test_this_machine(self):
        """Its own answers are the right ones where the host is this machine's KVM, of whatever kernel."""
        cli.need_kvm()
        for options in [], ["--host", "kvm"], ["--host", "model:kvm"], ["--kernel", "6.12"]:
            ran = self.exits(0, "sim", "--json", *options, "--", CLIENT, "plain")
            self.assertIn(ran.json()["own_cpuid"], ("machine", "answered"))
        self.assertNotIn("leaked", self.exits(0, "sim", "--", CLIENT, "plain").out)

    def seen(self, text):
        """{name: (the guest's, the host's)} of what leaked by the table."""
        head = "\nso it seems here, by the table of vCPU 0:\n"
        lines = text.split(head)[1].split("\n\n")[0].split("\n") if head in text else []
        return {m[1]: (m[2], m[3] or m[4]) for m in (
            re.fullmatch(r"  (\S+) +(\S.*?) +that host(?:'s is (.*)| has (none))", line) for line in lines)}

    def intel(self, *more):
        dump, host = (os.path.join(cli.scratch(), f"intel{len(more)}.{end}") for end in ("txt", "json"))
        with open(dump, "w", encoding="utf-8") as f:
            f.write("CPUID 00000000: 00000001-756E6547-6C65746E-49656E69\n"
                    "CPUID 00000001: 00050653-00000800-00000020-0FEBFBFF\n" + "".join(line + "\n" for line in more))
        self.exits(0, "probe", "--from-cpuid", dump, "--kernel", "6.12", "-o", host)
        return host

    def test_another_maker(self):
        """What may have leaked can be seen where the table is of another maker's CPU: client.c has AMD's."""
        text = self.exits(0, "sim", "--host", self.intel(), CLIENT, "plain").out
        self.assertEqual(self.seen(text), {"vendor": ("AuthenticAMD", "GenuineIntel")} if "leaked:" in text else {})
        self.assertEqual(self.seen(self.exits(0, "sim", "--host", HOST, CLIENT, "plain").out), {})

    def test_another_cpu(self):
        """And where it has this machine's signature and brand, as /proc/cpuinfo has them."""
        host = self.intel("CPUID 80000000: 80000004-00000000-00000000-00000000", "CPUID 80000002: 20756F59-20657261-20746F6E-65726568",
                          "CPUID 80000003: 00002020-00000000-00000000-00000000", "CPUID 80000004: 00000000-00000000-00000000-00000000")
        text = self.exits(0, "sim", "--host", host, CLIENT, "own").out
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            here = dict(re.findall(r"^(\S.*?)\s*: (.*)$", f.read().split("\n\n")[0], re.M))
        want = {name: (here[key], its) for name, key, its in (
            ("vendor", "vendor_id", "GenuineIntel"), ("family", "cpu family", "6"), ("model", "model", "85"),
            ("stepping", "stepping", "3"), ("model-id", "model name", "You are not here")) if here[key] != its}
        self.assertEqual(self.seen(text), want if "leaked:" in text else {})
        without = self.seen(self.exits(0, "sim", "--host", self.intel(), CLIENT, "own").out)
        self.assertEqual(without.get("model-id"), (here["model name"], "none") if "leaked:" in text else None)

    def test_a_trace_needs_none(self):
        cli.need_kvm()
        self.assertEqual(self.document(CLIENT, "plain")["own_cpuid"], "machine")


class Example(Sim):
    """examples/vmm.c: a VMM that plans, gives and reads back by the library, on a KVM of software."""

    def test_example(self):
        doc, _ = self.simulate(os.environ["EXAMPLE_VMM"], "host", "3")
        self.assertTrue(doc["program"]["stopped"])
        self.assertEqual([v["id"] for v in doc["vcpus"]], [0, 1, 2])
        if not X86:
            return
        plan = self.exits(0, "plan", "--host", HOST, "-c", "host", "--vcpus", "3", "--json").json()
        for n, vcpu in enumerate(doc["vcpus"]):
            own = {(e["leaf"], e["subleaf"]): e for e in plan["vcpus"][n]["cpuid"]}
            planned = [own.get((e["leaf"], e["subleaf"]), e) for e in plan["cpuid"]]
            # the library asks the CPU itself as well: then its plan knows what leaks of this machine
            if doc["own_cpuid"] == "answered":
                self.assertEqual(vcpu["cpuid"], planned)
                continue
            for leaf in "0x0", "0x1", "0x40000000", "0x40000001", "0x80000001":
                self.assertEqual([e for e in vcpu["cpuid"] if e["leaf"] == leaf],
                                 [e for e in planned if e["leaf"] == leaf])
        self.assertEqual(doc["capabilities"]["enabled"][0]["name"], "ENFORCE_PV_FEATURE_CPUID")


class Rough(Sim):
    """Programs that are no VMMs: whatever they do, they find what they would find, and come to an end."""

    def test_ends(self):
        for action in "perm", "paths", "few", "many", "children", "signals", "forked", "maps", "rings", "slots", "streams":
            doc, ran = self.simulate(ROUGH, action)
            self.assertEqual((doc["program"]["stopped"], doc["program"]["exit"]), (False, 0), f"{action}: {ran}")
        for action in "ask", "closes":
            doc, ran = self.simulate(ROUGH, action)
            self.assertTrue(doc["program"]["stopped"], f"{action}: {ran}")

    def refused(self, doc):
        """Of the VM whose maker is another process: what KVM said, and who ran."""
        return ([(c["scope"], c["call"], c["errno"]) for c in doc["calls"] if c["errno"]], [v["ran"] for v in doc["vcpus"]],
                [c["value"] >= 0 for c in doc["capabilities"]["checked"]])

    def test_refused_to_a_child(self):
        want = [("vm", "KVM_CREATE_VCPU", 5)], [True], [True]
        self.assertEqual(self.refused(self.simulate(ROUGH, "forked")[0]), want)
        cli.need_kvm()
        self.assertEqual(self.refused(self.document(ROUGH, "forked")), want)

    def test_alike(self):
        """What vCPUs have in common is told once, and in the document of each."""
        doc, _ = self.simulate(ROUGH, "alike")
        self.assertEqual([v["id"] for v in doc["vcpus"]], [0, 2, 3, 4, 7])
        refused = [(c["vcpu"], c["call"], c["times"]) for c in doc["calls"] if c["errno"]]
        self.assertEqual({n: sum(times for vcpu, call, times in refused if (vcpu, call) == (n, "0xaefe")) for n in range(5)},
                         {0: 1, 1: 2, 2: 0, 3: 3, 4: 3})
        text = self.exits(0, "sim", "--host", HOST, ROUGH, "alike").out
        self.assertEqual(text.split("\n\n")[1].split("\n")[1:], ["0-4   0, 2-4, 7  none   0     no"] if X86 else
                         ["0-4   0, 2-4, 7  none       0          no"])
        lines = [line.split(maxsplit=1) for line in text.split("\nrefused\n")[1].split("\n\n")[0].split("\n")]
        self.assertEqual([re.sub(r" +", " ", " ".join(line)) for line in lines], [
            "vm 0xaefd 3 times " + ("ENOTTY" if X86 else "EINVAL"), "vcpus 0-4 0xaeff 2 times each EINVAL", "vcpus 0-1, 3-4 0xaefe 9 times in all EINVAL"])
        if X86:
            self.assertIn("\nenabled\n  vcpus 0-3  ENFORCE_PV_FEATURE_CPUID args=0x0\n  vcpu 4     ENFORCE_PV_FEATURE_CPUID args=0x1\n\n", text)
        every = self.exits(0, "sim", "--all", "--host", HOST, ROUGH, "alike").out
        self.assertEqual(len(re.findall(r"^  vcpu \d +0xaeff ", every.split("\ncalls\n")[1], re.M)), 10)

    def test_killed(self):
        for args, code, signal in (("exit", "0"), 0, None), (("exit", "5"), 5, None), (("kill", "9"), None, 9):
            doc, _ = self.simulate(ROUGH, *args, code=0 if code == 0 else 1)
            self.assertEqual((doc["program"]["exit"], doc["program"]["signal"]), (code, signal))
            self.assertEqual([v["ran"] for v in doc["vcpus"]], [False])

    def test_limits(self):
        """Too few descriptors, or too small files: said, or the program's own trouble."""
        for limit, code, name in (("-n 16", 0, None), ("-n 4", 1, None), ("-f 1", 3, "kvm")):
            ran = self.exits(code, "sim", "--json", "--host", HOST, "--", ROUGH, "ask",
                             wrapper=["bash", "-c", f'ulimit {limit}; exec "$@"', "bash"])
            self.assertEqual(ran.json().get("error", {}).get("code"), name, str(ran))

    def test_no_room(self):
        """A process whose limit on memory leaves no room for the recording's 64 MiB."""
        ran = self.exits(1, "sim", "--host", HOST, "--", "bash", "-c", f"ulimit -v 60000; exec {ROUGH} open")
        self.assertIn("cannot reach the software KVM's memory (Cannot allocate memory)", ran.err)

    def test_lost(self):
        """A process that cannot reach the model does not get the machine's KVM instead, and says why."""
        library = os.path.join(os.path.dirname(cli.TOOL), "libguestcpu-sim.so")
        done = subprocess.run([ROUGH, "open"], env={"LD_PRELOAD": library, "GUESTCPU_SIM": "sim:/no/such/file"},
                              capture_output=True, text=True, check=False)
        self.assertIn("/dev/kvm is refused to process", done.stderr)
        self.assertIn("(No such file or directory); expected: the user, the /proc and the limits of guestcpu sim", done.stderr)
        self.assertNotEqual(done.returncode, 0)
        somebody = ["setpriv", "--reuid=65534", "--clear-groups"]
        if not shutil.which(somebody[0]) or subprocess.run([*somebody, "test", "-x", ROUGH, "-a", "-r", library],
                                                           capture_output=True, check=False).returncode:
            cli.skip("cli: sim: no way to run a program as somebody else")
        # who may not look at the command's descriptors, and has one of them
        doc, _ = self.simulate(*somebody, ROUGH, "exit", "0")
        self.assertEqual([v["id"] for v in doc["vcpus"]], [0])

    def test_cleaned(self):
        """A program that is started with another environment, by whatever function, has the model all the same."""
        doc, ran = self.simulate(ROUGH, "starts", os.path.abspath(ROUGH))
        self.assertEqual((doc["program"]["exit"], doc["program"]["vms"]), (0, 14), str(ran))
        for words in (["env", "-i"], ["env", "-u", "GUESTCPU_SIM"], ["env", "-u", "LD_PRELOAD"], ["sh", "-c", 'env -i "$@"', "sh"]):
            doc, _ = self.simulate(*words, ROUGH, "exit", "0")
            self.assertEqual((doc["program"]["vms"], doc["program"]["unseen"]), (1, []), words)

    def test_preloaded_too(self):
        """What a program has preloaded into another one stays, behind ours."""
        ran = cli.guestcpu("sim", "--host", HOST, "--", "env", "-i", "LD_PRELOAD=libc.so.6", "A=b", "sh", "-c", "echo $LD_PRELOAD $A >&2")
        self.assertRegex(ran.err, r"^/\S+/libguestcpu-sim\.so:libc\.so\.6 b\n$")

    def test_static_child(self):
        """It would have the machine's KVM: it is refused, and that is said."""
        if not os.path.exists(STATIC):
            cli.skip("cli: sim: no static program here")
        script = os.path.join(cli.scratch(), "script")
        with open(script, "w", encoding="utf-8") as f:
            f.write(f"#!{os.path.abspath(STATIC)} none\n")
        os.chmod(script, 0o755)
        for path in STATIC, script:
            unseen = [{"path": path, "why": "static", "refused": True}]
            doc, ran = self.simulate("sh", "-c", f"{path} plain; test $? = 126", code=1)
            self.assertEqual((doc["program"]["exit"], doc["program"]["unseen"]), (0, unseen))
            self.assertIn(f"{path} is refused: nothing can be preloaded into it", ran.err)
            doc, _ = self.simulate(ROUGH, "not-started", path, code=1)
            self.assertEqual((doc["program"]["exit"], doc["program"]["unseen"]), (0, unseen))
            text = self.exits(1, "sim", "--host", HOST, "--", "sh", "-c", f"{path} plain; exit 0").out
            self.assertTrue(text.endswith(f"{path}: refused, since nothing can be preloaded into it: it is linked statically\n"), text)
            self.assertNotIn("Go", text)

    def test_static_child_without(self):
        """One that does not know of KVM is nothing to speak of."""
        if not os.path.exists("/sbin/ldconfig"):
            cli.skip("cli: sim: no ldconfig here, which is static")
        doc, _ = self.simulate("sh", "-c", "/sbin/ldconfig -p >&2", code=1)
        self.assertEqual((doc["program"]["exit"], doc["program"]["unseen"]), (0, []))

    def test_flags(self):
        """Of KVM_ENABLE_CAP, without which a call that is refused looks like one that is not."""
        doc, _ = self.simulate(ROUGH, "flagged")
        self.assertEqual([(c["args"], c.get("flags"), c["errno"]) for c in doc["capabilities"]["enabled"]],
                         [([0], None, 0), ([0], "0x30", errno.EINVAL)])

    def test_limit_of_size(self):
        """A program ends by its limit as it would alone: SIGXFSZ is not ignored in it, as it is in the command."""
        path = os.path.join(cli.scratch(), "status")
        cli.guestcpu("sim", "--host", HOST, "--", "sh", "-c", 'grep SigIgn /proc/self/status >"$0"', path)
        with open(path, encoding="utf-8") as f:
            ignored = int(f.read().split()[1], 16)
        self.assertEqual(ignored >> signal.SIGXFSZ - 1 & 1, 0)

    def test_damaged(self):
        """A program that writes to the memory that it is recorded in: said, and the command's own end."""
        doc, _ = self.simulate(ROUGH, "shrinks")
        self.assertEqual((doc["program"]["exit"], [v["id"] for v in doc["vcpus"]]), (0, [0]))
        for mode in ["sim", "--host", HOST], ["trace"]:
            ran = self.exits(3, *mode, "--json", "--", ROUGH, "scribbles")
            self.assertIn("it damaged the record of its calls", ran.json()["error"]["text"])

    def test_read_back(self):
        """However much is written, explain takes it."""
        path = os.path.join(cli.scratch(), "wordy.json")
        self.exits(0, "sim", "--json", "--host", HOST, "-o", path, "--", ROUGH, "wordy")
        self.assertGreater(os.path.getsize(path), 100 << 20)
        with open(path, encoding="utf-8") as f:
            self.assertIn('"complete": true', f.read(4000))
        try:
            self.exits(0, "explain", "--trace", path, "avx2" if X86 else "sve")
        finally:
            os.unlink(path)

    def test_too_many(self):
        """More descriptors of KVM's than the model has: refused as where a process may have no more."""
        doc, _ = self.simulate(ROUGH, "crowd")
        self.assertEqual((doc["program"]["exit"], doc["calls"][-1]["errno"]), (0, errno.EMFILE))

    def test_curious(self):
        """Who asks for hundreds of thousands of capabilities is not waited for until the next day."""
        doc = self.exits(0, "sim", "--json", "--host", HOST, "--", ROUGH, "curious").json()
        numbers = [c["cap"] for c in doc["capabilities"]["checked"]]
        self.assertEqual(numbers, list(range(1, 400001)))

    def test_busy(self):
        """Another thread asks for ever: the end comes all the same, and that it came too early is said."""
        ran = self.exits(0, "sim", "--json", "--host", HOST, "--", ROUGH, "busy")
        self.assertEqual((ran.json()["program"]["stopped"], ran.json()["complete"]), (True, False))
        text = self.exits(0, "sim", "--host", HOST, "--", ROUGH, "busy").out
        self.assertIn("sim_rough: stopped at its first KVM_RUN, while it still asked KVM", text)

    def test_much_output(self):
        doc, ran = self.simulate(ROUGH, "lines")
        self.assertTrue(doc["program"]["stopped"])
        self.assertEqual(len(ran.err), 10 * 1000000)
        self.assertTrue(ran.err.endswith("\n000999999\n"))

    def test_traced(self):
        cli.need_kvm()
        for action in "perm", "paths", "few", "ask", "closes", "children", "signals", "forked", "maps", "rings", "slots", "streams":
            self.assertEqual(self.document(ROUGH, action)["program"]["exit"], 0, action)
        with tempfile.TemporaryDirectory() as room:
            self.assert_asked(self.document(ROUGH, "names", room), range(1, 10))

    def assert_asked(self, doc, caps):
        self.assertEqual(doc["program"]["exit"], 0)
        self.assertEqual([c["cap"] for c in doc["capabilities"]["checked"]], list(caps))

    def test_names(self):
        """Whatever a program calls /dev/kvm, it gets the model: never the machine's without a word."""
        with tempfile.TemporaryDirectory() as room:
            self.assert_asked(self.simulate(ROUGH, "names", room)[0], range(1, 10))

    def test_given(self):
        """A descriptor of the machine's KVM, from whoever started us, is not used either."""
        cli.need_kvm()
        ran = self.exits(0, "sim", "--json", "--host", HOST, "--", CLIENT, "inherited", "9",
                         wrapper=["bash", "-c", 'exec "$@" 9<>/dev/kvm', "bash"])
        self.assertEqual([v["id"] for v in ran.json()["vcpus"]], [3])


if __name__ == "__main__":
    sys.exit(cli.main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""sim: programs on the software KVM. No test here needs /dev/kvm.

What must come of it is what tests/sim/client.c does, and what the snapshot says.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

import cli
import schemas
import test_trace
from test_trace import CLIENT, X86

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
                                          "opened": True, "vms": 1})
        # one thread: the second vCPU was set up and never came to run; what was printed before is there
        self.assertEqual([(v["id"], v["ran"]) for v in doc["vcpus"]], [(0, True), (1, False)])
        for n, vcpu in enumerate(doc["vcpus"]):
            self.check_vcpu(vcpu, n)
        self.assertEqual(ran.err, "about to run\n")
        text = self.exits(0, "sim", "--host", HOST, CLIENT, "plain").out
        self.assertIn(f" plain on a model of {HOST} (", text)
        self.assertTrue(text.endswith("sim_client: stopped at its first KVM_RUN\n"), text)

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

    def test_capabilities_are_the_hosts(self):
        doc, _ = self.simulate(CLIENT, "threads")
        asked = {c["cap"]: c["value"] for c in doc["capabilities"]["checked"]}
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
        self.assertFalse(doc["program"]["opened"])

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
        self.assertIn("Linux 6.1)", self.exits(0, "sim", "--host", HOST, "--kernel=6.1", CLIENT, "plain").out)


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
        self.assertIn("were answered by the model" if can else "leaked: CPUID instructions", text)

    def test_another_maker(self):
        """What may have leaked can be seen where the table is of another maker's CPU: client.c has AMD's."""
        dump = os.path.join(cli.scratch(), "intel.txt")
        host = os.path.join(cli.scratch(), "intel.json")
        with open(dump, "w", encoding="utf-8") as f:
            f.write("CPUID 00000000: 00000001-756E6547-6C65746E-49656E69\n"
                    "CPUID 00000001: 00050654-00000800-00000020-0FEBFBFF\n")
        self.exits(0, "probe", "--from-cpuid", dump, "--kernel", "6.12", "-o", host)
        said = "the vendor in the table of vCPU 0 is AuthenticAMD, that host's is GenuineIntel\n"
        text = self.exits(0, "sim", "--host", host, CLIENT, "plain").out
        self.assertEqual(said in text, "leaked:" in text)
        self.assertNotIn("vendor in the table", self.exits(0, "sim", "--host", HOST, CLIENT, "plain").out)

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
        for action in "perm", "paths", "few", "many", "children", "signals", "forked", "maps", "rings", "slots":
            doc, ran = self.simulate(ROUGH, action)
            self.assertEqual((doc["program"]["stopped"], doc["program"]["exit"]), (False, 0), f"{action}: {ran}")
        for action in "ask", "closes":
            doc, ran = self.simulate(ROUGH, action)
            self.assertTrue(doc["program"]["stopped"], f"{action}: {ran}")

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

    def test_much_output(self):
        doc, ran = self.simulate(ROUGH, "lines")
        self.assertTrue(doc["program"]["stopped"])
        self.assertEqual(len(ran.err), 10 * 1000000)
        self.assertTrue(ran.err.endswith("\n000999999\n"))

    def test_traced(self):
        cli.need_kvm()
        for action in "perm", "paths", "few", "ask", "closes", "children", "signals", "forked", "maps", "rings", "slots":
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

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""trace: what a program asked of KVM, on this machine's KVM.

What must come of it is what tests/sim/client.c does, and what QEMU's own record (the preloaded
recorder of tests/oracle, another program) says.
"""
import errno
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

import cli
import schemas

CLIENT = os.environ.get("SIM_CLIENT", os.path.join(cli.ROOT, "build/tests/sim/sim_client"))
STATIC = os.environ.get("SIM_STATIC", os.path.join(cli.ROOT, "build/tests/sim/sim_static"))
X86 = os.uname().machine == "x86_64"


def trace(*args, **how):
    return cli.guestcpu("trace", *args, **how)


class Trace(cli.Test):
    def document(self, *command, code=0):
        ran = self.exits(code, "trace", "--json", "--", *command)
        doc = ran.json()
        if not schemas.MISSING:
            self.assertEqual(schemas.errors("trace", doc), [])
        self.assertTrue(doc["complete"])
        self.assertEqual(doc["program"]["command"], list(command))
        self.assertEqual([v["index"] for v in doc["vcpus"]], list(range(doc["machine"]["vcpus"])))
        return doc

    def check_vcpu(self, vcpu, n):
        """As client.c sets up the vCPU of id N."""
        self.assertEqual(vcpu["id"], n)
        if not X86:
            self.assertIsNotNone(vcpu["vcpu_init"]["target"])
            return
        self.assertEqual(vcpu["cpuid"], [
            {"leaf": "0x0", "subleaf": "0x0", "flags": 0, "eax": "0x1", "ebx": "0x68747541", "ecx": "0x444d4163", "edx": "0x69746e65"},
            {"leaf": "0x1", "subleaf": "0x0", "flags": 0, "eax": "0x0", "ebx": hex(n << 24), "ecx": hex(0x1000 + n), "edx": "0x178bfbff"}])
        self.assertEqual(vcpu["msrs"], [{"index": "0x174", "value": hex(0x10 + n)},
                                        {"index": "0x175", "value": hex(0x1122334400000000 + n)}])


class Real(Trace):
    @classmethod
    def setUpClass(cls):
        cli.need_kvm()

    def test_plain(self):
        doc = self.document(CLIENT, "plain")
        self.assertEqual((doc["kvm"], doc["host"], doc["series"]), ("real", None, None))
        self.assertEqual(doc["program"], {"command": [CLIENT, "plain"], "stopped": False, "exit": 0, "signal": None,
                                          "opened": True, "open_errno": None, "vms": 1, "unseen": []})
        self.assertEqual(len(doc["vcpus"]), 2)
        for n, vcpu in enumerate(doc["vcpus"]):
            self.check_vcpu(vcpu, n)
            self.assertTrue(vcpu["ran"])
        self.assertIn(("system", 9, "NR_VCPUS"), [(c["scope"], c["cap"], c["name"]) for c in doc["capabilities"]["checked"]])
        calls = [(c["vcpu"], c["call"]) for c in doc["calls"]]
        # nothing of a vCPU behind its first KVM_RUN
        for n in range(2):
            own = [call for vcpu, call in calls if vcpu == n]
            self.assertEqual(own[-1], "KVM_RUN")
            self.assertEqual(own.count("KVM_RUN"), 1)
            self.assertEqual(own.count("KVM_SET_MSRS"), 1 if X86 else 0)
        refused = [c for c in doc["calls"] if c["call"] == "0xaeff"]
        self.assertEqual([(c["vcpu"], c["errno"] != 0) for c in refused], [(0, True)])

    def test_text(self):
        ran = self.exits(0, "trace", "--", CLIENT, "plain")
        self.assertRegex(ran.out, r"sim_client plain on /dev/kvm\n\nVCPU  ID  ")
        self.assertRegex(ran.out, r"\n1 +1 .* yes\n" if X86 else r"\n0-1 +0-1 .* yes\n")
        self.assertRegex(ran.out, r"\nrefused\n  vcpu 0  0xaeff +E?[A-Z]+\n")
        self.assertTrue(ran.out.endswith("sim_client: ended with exit code 0\n"), str(ran))
        # its output is not the report
        self.assertEqual(ran.err, "about to run\nran\n")
        more = self.exits(0, "trace", "--all", CLIENT, "plain").out
        self.assertRegex(more, r"\nasked for\n(?:  .*\n)*  system +NR_VCPUS +\d+\n")
        self.assertIn("\n  vm      KVM_CREATE_VCPU ", more)
        if X86:
            self.assertIn("   0x00000001 0x00: eax=0x00000000 ebx=0x01000000 ecx=0x00001001 edx=0x178bfbff\n", more)

    def test_where_the_output_goes(self):
        path = os.path.join(cli.scratch(), "trace.json")
        both = self.exits(0, "trace", "-o", path, "--", CLIENT, "plain")
        self.assertIn("KVM_RUN", both.out)
        self.assertIn("about to run", both.err)
        with open(path, encoding="utf-8") as f:
            self.assertEqual(json.load(f)["schema"], "guestcpu.trace")
        os.unlink(path)
        only = self.exits(0, "trace", "--json", "-o", path, "--", CLIENT, "plain")
        self.assertEqual((only.out, only.err), ("about to run\nran\n", ""))
        self.assertTrue(os.path.exists(path))
        for json_too in [], ["--json"]:
            named = self.exits(0, "trace", *json_too, "-o", "-", "--", CLIENT, "plain")
            self.assertEqual((named.json()["schema"], named.err), ("guestcpu.trace", "about to run\nran\n"))

    def test_descriptors(self):
        doc = self.document(CLIENT, "dup")
        self.assertEqual([(v["id"], v["ran"]) for v in doc["vcpus"]], [(0, True), (1, False)])
        self.check_vcpu(doc["vcpus"][0], 0)
        self.document(CLIENT, "reuse")
        self.document(CLIENT, "pointers")

    def test_threads(self):
        for _ in range(5):
            doc = self.document(CLIENT, "threads")
            self.assertEqual(sorted(v["id"] for v in doc["vcpus"]), list(range(8)))
            for vcpu in doc["vcpus"]:
                self.check_vcpu(vcpu, vcpu["id"])
                self.assertTrue(vcpu["ran"])

    def test_processes(self):
        doc = self.document(CLIENT, "fork")
        self.assertEqual(doc["program"]["vms"], 2)
        self.assertEqual([v["id"] for v in doc["vcpus"]], [0, 1], "the VM that ran")
        doc = self.document("sh", "-c", f"true; {CLIENT} none; {CLIENT} plain > /dev/null & exit 0")
        self.assertEqual([v["ran"] for v in doc["vcpus"]], [True, True], "a child that outlives its parent")
        doc = self.document(CLIENT, "exec")
        self.assertEqual([v["id"] for v in doc["vcpus"]], [3])
        self.check_vcpu(doc["vcpus"][0], 3)

    def test_look(self):
        self.assertEqual(self.exits(0, "trace", "--", CLIENT, "look").err,
                         subprocess.run([CLIENT, "look"], capture_output=True, text=True, check=True).stdout)

    def test_failing(self):
        doc = self.document(CLIENT, "die", code=1)
        self.assertEqual((doc["program"]["exit"], doc["program"]["signal"], doc["program"]["opened"]), (None, 6, True))
        self.assertRegex(self.exits(1, "trace", CLIENT, "die").out, r"\nsim_client: killed by signal 6 \(Aborted\)\n$")

    def test_termination(self):
        """What ends the command ends the program, and the report is still made."""
        done = subprocess.Popen([cli.TOOL, "trace", "--json", "--", "sh", "-c", "echo up >&2; exec sleep 60"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        done.stderr.readline()
        done.send_signal(signal.SIGTERM)
        out, _ = done.communicate(timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(out)["program"]["signal"], signal.SIGTERM)


class Without(Trace):
    """Needs no KVM."""

    def test_left_behind(self):
        """A process that stays is waited for until a signal: then it is reported what there was."""
        for number in signal.SIGINT, signal.SIGTERM:
            done = subprocess.Popen([cli.TOOL, "trace", "--json", "--", "sh", "-c", "sleep 60 & echo $! >&2; exit 7"],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
            stays = int(done.stderr.readline())
            # until sh has ended
            while True:
                with open(f"/proc/{stays}/stat", encoding="utf-8") as f:
                    if int(f.read().rsplit(")", 1)[1].split()[1]) == done.pid:
                        break
                time.sleep(0.01)
            # again, if it came in the moment before it waits
            while done.poll() is None:
                done.send_signal(number)
                time.sleep(0.3)
            os.kill(stays, signal.SIGKILL)
            out, _ = done.communicate()
            self.assertEqual(done.returncode, 1)
            self.assertEqual(json.loads(out)["program"]["exit"], 7)

    def test_never_opened(self):
        doc = self.document(CLIENT, "none", code=1)
        self.assertEqual((doc["program"]["exit"], doc["program"]["opened"], doc["vcpus"]), (0, False, []))
        self.assertIn("and never opened /dev/kvm", self.exits(1, "trace", "--", CLIENT, "none").out)
        self.assertEqual(self.document(CLIENT, "exit", "7", code=1)["program"]["exit"], 7)
        # no VM, so none with or without an irqchip; and no word of who would have answered
        self.assertEqual(doc["machine"], {"irqchip": None, "gic": None, "vcpus": 0})
        text = self.exits(1, "trace", "--", CLIENT, "none").out
        self.assertEqual(text.splitlines()[0], f"{CLIENT} none")

    def test_opened_in_vain(self):
        """/dev/kvm was asked for, through libc: no word of programs that ask past it."""
        why = errno.ENOTDIR if os.path.exists("/dev/kvm") else errno.ENOENT
        for code in 0, 7:
            doc = self.document(CLIENT, "vain", str(code), code=3)
            self.assertEqual((doc["program"]["exit"], doc["program"]["opened"], doc["program"]["open_errno"]), (code, False, why))
        text = self.exits(3, "trace", "--", CLIENT, "vain", "7").out
        self.assertTrue(text.endswith(f"\nsim_client: ended with exit code 7\nit could not open /dev/kvm: {os.strerror(why)}\n"), text)
        # nor where a program ends early for reasons of its own; one that did its part may have
        past = "what a program asks of the kernel past libc is not seen"
        self.assertNotIn(past, self.exits(1, "trace", "--", CLIENT, "exit", "7").out)
        self.assertIn(past, self.exits(1, "trace", "--", CLIENT, "none").out)

    def test_command_as_a_shell_takes_it(self):
        words = ["sh", "-c", "exit 0", "it's", "", "a\"b", "$x", "plain-1.2/3=4"]
        text = self.exits(1, "trace", "--", *words).out
        self.assertEqual(shlex.split(text.splitlines()[0]), words)
        self.assertTrue(text.startswith("sh -c 'exit 0' "), text)

    def test_words_are_the_programs(self):
        ran = self.exits(1, "trace", "sh", "-c", "echo \"$@\" >&2", "sh", *(["--json", "-o", "--help"] * 40))
        self.assertEqual(ran.err.split(), ["--json", "-o", "--help"] * 40)
        self.assertFalse(ran.out.startswith("{"))

    def test_output_that_cannot_be_written(self):
        """Said before the program runs, which may take hours; and what is said on standard output still is."""
        room = cli.scratch()
        link, kept = os.path.join(room, "link"), os.path.join(room, "kept")
        with open(kept, "w", encoding="utf-8") as f:
            f.write("old")
        os.symlink(kept, link)
        before = sorted(os.listdir(room))
        for path in (os.path.join(room, "no/such/file"), room, ""):
            for options in (["--json"], []):
                ran = trace(*options, "-o", path, "--", "sh", "-c", "echo ran >&2")
                self.assertEqual((ran.code, "ran" in ran.err), (3, False), str(ran))
        ran = trace("-o", "/dev/full", "--", CLIENT, "none")
        self.assertEqual(ran.code, 3)
        self.assertIn("and never opened /dev/kvm", ran.out)
        # a link's file is not touched before there is something to write
        self.assertEqual(trace("-o", link, "--", "no-such-program-here").code, 3)
        with open(kept, encoding="utf-8") as f:
            self.assertEqual(f.read(), "old")
        self.assertEqual(sorted(os.listdir(room)), before)

    def test_no_program(self):
        self.fails(2, "argument", "trace")
        self.assertEqual(trace("--").code, 2)
        for name in ("no-such-program-here", "/no/such/program", cli.ROOT, __file__ + "c"):
            ran = trace("--json", "--", name)
            self.assertEqual((ran.code, ran.json()["error"]["code"]), (3, "kvm"), str(ran))
            said = "no program that can be started: EACCES" if name == cli.ROOT else "no such program: ENOENT"
            self.assertEqual(ran.json()["error"]["text"], f"{name}: {said}")
        path = os.path.join(cli.scratch(), "nonsense")
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n")
        os.chmod(path, 0o755)
        self.assertEqual(trace("--", path).code, 3)

    def test_not_whole(self):
        """What no kernel would start: said is what is wrong with it."""
        script, start = os.path.join(cli.scratch(), "script"), os.path.join(cli.scratch(), "start")
        with open(script, "w", encoding="utf-8") as f:
            f.write("#! /no/such/shell -e\n")
        with open(CLIENT, "rb") as whole, open(start, "wb") as f:
            f.write(whole.read(100))
        for path, said in ((script, 'there is no "/no/such/shell", which is to start it'), (start, "not a whole ELF file"),
                           ("", "an empty word is no program's name")):
            if path:
                os.chmod(path, 0o755)
            error = self.exits(3, "trace", "--json", "--", path).json()["error"]
            self.assertIn(said, error["text"])
            self.assertTrue(error["expected"] and error["code"] == "kvm")

    def test_unseen_child(self):
        """Started by what is watched, and not watched: said."""
        if not os.path.exists(STATIC):
            cli.skip("cli: trace: no static program here")
        doc = self.document("sh", "-c", f"{STATIC} exit 7; {STATIC} none", code=1)
        self.assertEqual((doc["program"]["exit"], doc["program"]["unseen"]), (0, [{"path": STATIC, "why": "static", "refused": False}]))
        text = self.exits(1, "trace", "--", "sh", "-c", f"{STATIC} none; exit 0").out
        self.assertTrue(text.endswith(f"{STATIC}: what it asks of KVM is not seen: it is linked statically\n"), text)
        self.assertNotIn("Go", text)

    def test_static(self):
        if not os.path.exists(STATIC):
            cli.skip("cli: trace: no static program here")
        ran = trace("--", STATIC, "none")
        self.assertEqual((ran.code, ran.out), (3, ""))
        self.assertIn("linked statically", ran.err)

    def test_setgid(self):
        path = os.path.join(cli.scratch(), "setgid")
        shutil.copy(CLIENT, path)
        try:
            os.chown(path, -1, 65534)
            os.chmod(path, 0o755 | stat.S_ISGID)
        except OSError:
            cli.skip("cli: trace: not allowed to make a setgid program")
        ran = trace("--", path, "none")
        self.assertEqual(ran.code, 3, str(ran))
        self.assertIn("gains rights", ran.err)
        doc = self.document("sh", "-c", f"{path} none; exit 0", code=1)
        self.assertEqual(doc["program"]["unseen"], [{"path": path, "why": "rights", "refused": False}])

    def test_environment(self):
        """What was to be preloaded already is, behind ours; a path that no list can hold is refused."""
        ran = cli.guestcpu("trace", "--", "sh", "-c", "echo $LD_PRELOAD >&2",
                           wrapper=["env", "LD_PRELOAD=libc.so.6"])
        self.assertRegex(ran.err, r"^/\S+/libguestcpu-sim\.so:libc\.so\.6\n$")
        with tempfile.TemporaryDirectory(prefix="a b") as odd:
            for name in ("guestcpu", "libguestcpu-sim.so"):
                shutil.copy(os.path.join(os.path.dirname(cli.TOOL), name), odd)
            done = subprocess.run([os.path.join(odd, "guestcpu"), "trace", "true"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 3)
            self.assertIn("cannot be preloaded", done.stderr)
            os.unlink(os.path.join(odd, "libguestcpu-sim.so"))

    def test_harmless_without_a_command(self):
        """The library alone, and one whose memory is gone: a program is not disturbed."""
        library = os.path.join(os.path.dirname(cli.TOOL), "libguestcpu-sim.so")
        places = "", "/no/such/file", "/proc/self/status", "/dev/zero", "/no/fd/0", "/no/fd/99999999999"
        for memory in [mode + place for mode in ("", "sim:", "trace:") for place in places]:
            done = subprocess.run([CLIENT, "exit", "5"], env={"LD_PRELOAD": library, "GUESTCPU_SIM": memory},
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stderr), (5, ""), memory)

    def test_lost(self):
        """A process that cannot reach the command's memory: what it asks is not recorded, and that is said."""
        library = os.path.join(os.path.dirname(cli.TOOL), "libguestcpu-sim.so")
        env = {"LD_PRELOAD": library, "GUESTCPU_SIM": "trace:/no/such/file"}
        said = subprocess.run([CLIENT, "look"], env=env, capture_output=True, text=True, check=False).stderr
        self.assertEqual(said.count("is not recorded: it cannot reach the memory to record in (No such file"), 1, said)

    def test_two_ways(self):
        """The memory is found by its path or by the descriptor, whichever there is."""
        for change in ("GUESTCPU_SIM=${GUESTCPU_SIM%%:*}:/nowhere/${GUESTCPU_SIM##*/}", "exec 200<&-"):
            doc = self.document("bash", "-c", f'{change}; "$@"; exit 7', "bash", CLIENT, "look", code=1)
            self.assertEqual((doc["program"]["exit"], doc["program"]["opened"]), (7, True), change)


@cli.unittest.skipUnless(X86, "the recorder is for x86")
class Qemu(Trace):
    """QEMU, as another recorder sees it."""
    SMP = 3

    @classmethod
    def setUpClass(cls):
        cli.need_kvm()
        if not shutil.which("qemu-system-x86_64"):
            cli.skip("cli: trace: no qemu-system-x86_64")
        if not shutil.which("cc"):
            cli.skip("cli: trace: no compiler")
        cls.shim = os.path.join(cli.scratch(), "shim.so")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", cls.shim,
                        os.path.join(cli.ROOT, "tests/oracle/shim.c")], check=True)

    def run_qemu(self, cpu):
        log = os.path.join(cli.scratch(), "shim.log")
        if os.path.exists(log):
            os.unlink(log)
        env = {"LD_PRELOAD": self.shim, "GUESTCPU_ORACLE_LOG": log}
        done = subprocess.run(
            ["env", *[f"{k}={v}" for k, v in env.items()], cli.TOOL, "trace", "--json", "--", "qemu-system-x86_64", "-accel", "kvm",
             "-cpu", cpu, "-smp", str(self.SMP), "-S", "-nodefaults", "-display", "none", "-qmp", "stdio"],
            input='{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n', capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(log, encoding="utf-8") as f:
            return json.loads(done.stdout), [json.loads(line) for line in f]

    def test_qemu(self):
        doc, lines = self.run_qemu("qemu64,kvm-pv-enforce-cpuid=on")
        if not schemas.MISSING:
            self.assertEqual(schemas.errors("trace", doc), [])
        self.assertEqual([v["id"] for v in doc["vcpus"]], list(range(self.SMP)))
        self.assertEqual(doc["machine"]["irqchip"], "kernel")
        for vcpu in doc["vcpus"]:
            tables = [line["entries"] for line in lines if line["call"] == "KVM_SET_CPUID2" and line["vcpu"] == vcpu["id"]]
            ours = [[int(e[k], 0) if k != "flags" else e[k] for k in ("leaf", "subleaf", "flags", "eax", "ebx", "ecx", "edx")]
                    for e in vcpu["cpuid"]]
            self.assertEqual(ours, tables[-1])
            self.assertGreater(len(vcpu["msrs"]), 20)
        caps = [(line["fd"], line["cap"], line["args"]) for line in lines if line["call"] == "KVM_ENABLE_CAP"]
        ours = [(c["scope"], c["cap"], (c["args"] + [0] * 4)[:4]) for c in doc["capabilities"]["enabled"]]
        self.assertEqual(sorted(ours), sorted(caps))
        self.assertIn(("vcpu", 190, [1, 0, 0, 0]), ours)
        asked = {(line["fd"], line["arg"]): line["result"] for line in lines if line["call"] == "KVM_CHECK_EXTENSION"}
        self.assertEqual({(c["scope"], c["cap"]): c["value"] for c in doc["capabilities"]["checked"]}, asked)


if __name__ == "__main__":
    sys.exit(cli.main())

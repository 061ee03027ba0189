#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Ask a QEMU which CPU it would give a guest on this machine's KVM.

QEMU is started stopped (-S) with a preloaded shim that writes down what it
hands to KVM; when all its vCPUs exist it is told over QMP to quit.

guestcpu's irqchip modes map to QEMU's like this:
  kernel  -machine kernel-irqchip=on      PIC, IOAPIC and local APICs in KVM
  split   -machine kernel-irqchip=split   local APICs in KVM, the rest in QEMU
  user    -machine kernel-irqchip=off     everything, APICs too, in QEMU
  none    kernel-irqchip=off, -cpu ...,-apic, one vCPU: no APIC at all
"""
import argparse
import fcntl
import functools
import json
import os
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

import fetch_qemu

HERE = os.path.dirname(os.path.abspath(__file__))
IRQCHIP = {"kernel": "on", "split": "split", "user": "off", "none": "off"}
TIME_LIMIT = 60
LIBRARY_DIRS = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib")
DATA_DIRS = ("usr/share/qemu", "usr/share/seabios", "usr/lib/ipxe/qemu")
# Capabilities about the choice of a CPU, and what else QEMU sets about it.
CHOICE_CAPS = {121: "SPLIT_IRQCHIP", 129: "X2APIC_API", 143: "DISABLE_EXITS",
               190: "ENFORCE_PV_FEATURE_CPUID"}

MCG_LMCE = 27
KVM_GET_API_VERSION = 0xAE00


class QemuError(Exception):
    """QEMU ran and did not do what was asked."""


class Qemu:
    """One QEMU: its command, its environment and its version."""

    def __init__(self, binary, tree=None):
        self.binary = binary
        self.args = []
        self.env = {}
        if tree:
            dirs = [os.path.join(tree, d) for d in LIBRARY_DIRS]
            self.env["LD_LIBRARY_PATH"] = ":".join(
                d for d in dirs if os.path.isdir(d))
            for sub in DATA_DIRS:
                path = os.path.join(tree, sub)
                if os.path.isdir(path):
                    self.args += ["-L", path]
        self.version = self._version()

    def run(self, *argv):
        """What it prints for arguments that start no machine."""
        done = subprocess.run([self.binary, *argv], text=True,
                              env=dict(os.environ, **self.env),
                              capture_output=True, timeout=30)
        return done.stdout

    def feature_names(self):
        """The names of features that its -cpu takes."""
        text = self.run("-cpu", "help")
        return set(text.partition("Recognized CPUID flags:")[2].split())

    def _version(self):
        done = subprocess.run([self.binary, "--version"], text=True,
                              env=dict(os.environ, **self.env),
                              capture_output=True, timeout=30)
        match = re.search(r"version (\d+\.\d+)", done.stdout)
        if not match:
            last = (done.stderr or done.stdout).strip().splitlines() or ["-"]
            raise fetch_qemu.Unavailable("%s does not run: %s"
                                         % (self.binary, last[-1]))
        return match.group(1)


def oracle():
    """The oracle's QEMU, fetched if the cache does not have it."""
    tree = fetch_qemu.ensure()
    return Qemu(os.path.join(tree, "usr/bin/qemu-system-x86_64"), tree)


def installed():
    """The machine's own QEMU, or None."""
    binary = shutil.which("qemu-system-x86_64")
    return Qemu(binary) if binary else None


def why_not(needs_kvm=True):
    """Why no QEMU can be asked on this machine, or None."""
    if os.uname().machine != "x86_64":
        return "this is not an x86-64 machine"
    try:
        if needs_kvm:
            with open("/dev/kvm", "r+b", buffering=0) as device:
                fcntl.ioctl(device, KVM_GET_API_VERSION)
    except OSError as e:
        return f"no usable /dev/kvm: {e.strerror}"
    if not (shutil.which("cc") or shutil.which("gcc")):
        return "no C compiler for the shim"
    return None


@functools.lru_cache(maxsize=None)
def build_shim():
    """The shim, compiled once in this process; its directory goes with it."""
    directory = tempfile.TemporaryDirectory(prefix="guestcpu-shim-")
    path = os.path.join(directory.name, "shim.so")
    compiler = shutil.which("cc") or shutil.which("gcc")
    done = subprocess.run(
        [compiler, "-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra",
         "-fPIC", "-shared", "-o", path, os.path.join(HERE, "shim.c")],
        text=True, capture_output=True, timeout=60)
    if done.returncode:
        raise QemuError("shim.c does not compile:\n" + done.stderr)
    return directory, path


def write_host(directory, host):
    """Another host's answers, in the form that the shim reads."""
    path = os.path.join(directory, "host")
    with open(path, "w", encoding="ascii") as stream:
        for entry in host[0]:
            stream.write("cpuid " + " ".join("%x" % n for n in entry) + "\n")
        for index, value in host[1].items():
            stream.write("msr %x %x\n" % (index, value))
        for number, value in host[2].items():
            stream.write("cap %x %x\n" % (number, value))
        stream.write("tsc %x\n" % host[3])
    return path


class Monitor:
    """QMP over the pipes of a child process, with a time limit."""

    def __init__(self, child, deadline):
        self.child = child
        self.deadline = deadline
        self.buffer = b""

    def read(self):
        """The next message, or None at end of file."""
        while b"\n" not in self.buffer:
            left = self.deadline - time.monotonic()
            stdout = self.child.stdout
            if left <= 0 or not select.select([stdout], [], [], left)[0]:
                raise QemuError("QEMU gave no answer in %d s" % TIME_LIMIT)
            chunk = os.read(stdout.fileno(), 65536)
            if not chunk:
                return None
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def command(self, name):
        """Run a command; its result, or None if QEMU went away."""
        try:
            self.child.stdin.write(b'{"execute":"%s"}\n' % name.encode())
        except BrokenPipeError:
            return None
        while True:
            message = self.read()
            if message is None or "return" in message:
                return message and message["return"]
            if "error" in message:
                raise QemuError(name + ": " + message["error"]["desc"])


def with_room(smp, maxcpus):
    """The same topology with more sockets, most of them empty."""
    count, *levels = smp.split(",")
    if not levels:
        levels = ["sockets=1", "cores=" + count]
    inner = 1
    for level in levels:
        name, _, value = level.partition("=")
        inner *= 1 if name == "sockets" else int(value)
    levels = [level for level in levels if not level.startswith("sockets=")]
    return ",".join([count, "sockets=%d" % (maxcpus // inner)] + levels
                    + ["maxcpus=%d" % maxcpus])


def command_line(qemu, cpu, irqchip, smp, cpu_pm, machine, maxcpus):
    if irqchip == "none":
        cpu, smp = cpu + ",-apic", 1
    if maxcpus:
        smp = with_room(str(smp), maxcpus)
    argv = [qemu.binary] + qemu.args
    argv += ["-accel", "kvm", "-machine",
             "%s,kernel-irqchip=%s" % (machine, IRQCHIP[irqchip])]
    argv += ["-cpu", cpu, "-smp", str(smp), "-m", "64", "-S", "-nodefaults",
             "-no-user-config", "-display", "none", "-qmp", "stdio"]
    if cpu_pm:
        argv += ["-overcommit", "cpu-pm=on"]
    return argv


def run_stopped(argv, env):
    """Start QEMU, wait until its vCPUs exist, tell it to quit.

    Returns (number of vCPUs or None if QEMU refused, what it said).
    """
    with tempfile.TemporaryFile() as errors:
        child = subprocess.Popen(argv, env=env, bufsize=0,
                                 stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=errors)
        vcpus = None
        try:
            monitor = Monitor(child, time.monotonic() + TIME_LIMIT)
            if monitor.read() is not None:
                monitor.command("qmp_capabilities")
                vcpus = monitor.command("query-cpus-fast")
                monitor.command("quit")
            child.wait(timeout=TIME_LIMIT)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
            child.stdin.close()
            child.stdout.close()
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip()
    return (None if vcpus is None else len(vcpus)), said


def digest(lines):
    """The shim's lines as one answer."""
    answer = {"tables": {}, "supported": None, "caps": [], "msrs": {},
              "refused_msrs": {}, "irqchip": False, "extensions": {},
              "tsc_khz": None, "host_khz": None, "lmce": False}
    for line in lines:
        call = json.loads(line)
        name, vcpu = call["call"], call["vcpu"]
        if name == "KVM_GET_SUPPORTED_CPUID":
            answer["supported"] = call["entries"]
        elif name == "KVM_SET_CPUID2" and call["result"] >= 0:
            answer["tables"][vcpu] = call["entries"]
        elif name == "KVM_ENABLE_CAP":
            answer["caps"].append({"fd": call["fd"], "vcpu": vcpu,
                                   "cap": call["cap"], "args": call["args"],
                                   "result": call["result"]})
        elif name == "KVM_SET_MSRS":
            answer["msrs"].setdefault(vcpu, {}).update(
                (index, value) for index, value in call["msrs"])
        elif name == "refused":
            answer["refused_msrs"].setdefault(vcpu, {})[call["msr"]] = (
                call["value"])
        elif name == "KVM_CREATE_IRQCHIP":
            answer["irqchip"] = call["result"] >= 0
        elif name == "KVM_GET_TSC_KHZ":
            answer["host_khz"] = answer["host_khz"] or call["result"]
        elif name == "KVM_SET_TSC_KHZ":
            answer["tsc_khz"] = call["arg"]
        elif name == "KVM_X86_SETUP_MCE":
            answer["lmce"] = bool(call["mcg_cap"] >> MCG_LMCE & 1)
        elif name == "KVM_CHECK_EXTENSION":
            answer["extensions"][call["arg"]] = call["result"]
    return answer


def ask(cpu="host", irqchip="kernel", smp=2, cpu_pm=False, machine="q35",
        qemu=None, host=None, maxcpus=None):
    """What QEMU hands to KVM for `-cpu cpu`.

    Returns a dict: tables {vcpu id: [[function, index, flags, eax, ebx, ecx,
    edx]...]}, supported (the same of KVM_GET_SUPPORTED_CPUID), caps (each
    KVM_ENABLE_CAP), msrs {vcpu id: {index: value}}, refused_msrs (those of them
    that KVM did not take), irqchip (whether KVM_CREATE_IRQCHIP was called),
    extensions, messages. `refused` is None,
    or what QEMU said when it would not run. `host` is another host that QEMU
    is to be shown, as hosts.answers() has it.
    """
    qemu = qemu or oracle()
    with tempfile.TemporaryDirectory(prefix="guestcpu-oracle-") as directory:
        log = os.path.join(directory, "log")
        env = dict(os.environ, **qemu.env)
        env["LD_PRELOAD"] = build_shim()[1]
        env["GUESTCPU_ORACLE_LOG"] = log
        if host:
            env["GUESTCPU_ORACLE_HOST"] = write_host(directory, host)
        argv = command_line(qemu, cpu, irqchip, smp, cpu_pm, machine,
                            maxcpus)
        count, said = run_stopped(argv, env)
        lines = []
        if os.path.exists(log):
            with open(log, encoding="ascii") as stream:
                lines = stream.readlines()
    return answer_of(lines, count, said, qemu.version)


def answer_of(lines, count, said, version):
    """The answer out of the shim's lines, the number of vCPUs that QEMU had (None
    if it did not run) and what it said."""
    answer = digest(lines)
    answer["version"] = version
    answer["messages"] = said
    answer["refused"] = None
    if count is None:
        answer["refused"] = said or "QEMU ended without a word"
    elif len(answer["tables"]) != count:
        raise QemuError("%d vCPUs, but %d tables; QEMU said: %s"
                        % (count, len(answer["tables"]), said or "nothing"))
    return answer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cpu", nargs="?", default="host")
    parser.add_argument("--irqchip", default="kernel", choices=IRQCHIP)
    parser.add_argument("--vcpus", type=int, default=2)
    parser.add_argument("--cpu-pm", action="store_true")
    parser.add_argument("--machine", default="q35")
    parser.add_argument("--maxcpus", type=int,
                        help="room for so many vCPUs")
    parser.add_argument("--installed", action="store_true",
                        help="ask the machine's own QEMU instead")
    options = parser.parse_args()
    try:
        reason = why_not()
        if reason:
            raise fetch_qemu.Unavailable(reason)
        answer = ask(options.cpu, options.irqchip, options.vcpus,
                     options.cpu_pm, options.machine,
                     installed() if options.installed else None,
                     maxcpus=options.maxcpus)
    except fetch_qemu.Unavailable as error:
        print("qemu: " + str(error), file=sys.stderr)
        return 3
    except QemuError as error:
        print("qemu: " + str(error), file=sys.stderr)
        return 1
    json.dump(answer, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""trace and sim on arm64: programs on the real KVM of a Debian kernel, watched, and on models of others; linked
as distributions link them.

    trace.py --build DIR 6.12

Exit status: 0 as the programs are known to do; 1 not; 77 something cannot be had, with a reason; 4 the
outer kernel failed twice, which is no verdict.
"""

import argparse
import fcntl
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import gate  # noqa: E402
import initramfs  # noqa: E402
import static  # noqa: E402
from aptstate import CannotBeHad  # noqa: E402
from boot import Spec, boot  # noqa: E402

# Where Debian's cross compiler has the loader and libc, and where programs look for them.
CROSS = "/usr/aarch64-linux-gnu/lib"
SHARED = ("ld-linux-aarch64.so.1", "libc.so.6")
ACTIONS = ("plain", "dup", "reuse", "threads", "fork", "exec", "pointers")
VCPUS = {"plain": [(0, True), (1, True)], "dup": [(0, True), (1, False)], "reuse": [], "fork": [(0, True), (1, True)],
         "threads": [(n, True) for n in range(8)], "exec": [(3, False)], "pointers": [(0, False)]}

# On a model: each is stopped at its first KVM_RUN. A client with one thread has not come to the second vCPU's.
SIM_HOST = "arm64-kvm-neoverse-n1-6-12"
SIM_VCPUS = {"plain": [(0, True), (1, False)], "dup": VCPUS["dup"], "threads": VCPUS["threads"], "reuse": [], "pointers": VCPUS["pointers"]}


def build(folder):
    """{name in the guest: file}: a dynamic command, its library, the VMM of examples/ and the client."""
    if not os.path.exists(os.path.join(CROSS, SHARED[0])):
        raise CannotBeHad(f"no {SHARED[0]} in {CROSS} (libc6-dev-arm64-cross)")
    target = os.path.join(folder, "arm64-dynamic")
    os.makedirs(folder, exist_ok=True)
    with open(target + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(target, "build.ninja")):
            static.run(["meson", "setup", target, static.SOURCE, "-Dtests=false", "-Dstatic=disabled",
                        *static.options("arm64"), "-Dc_link_args=", "-Dprefer_static=false"])
        static.run(["ninja", "-C", target, "guestcpu", "libguestcpu-sim.so", "examples/example-vmm"])
        client = os.path.join(target, "client")
        static.run([*initramfs.compiler("arm64"), "-O1", "-D_GNU_SOURCE", "-pthread",
                    os.path.join(static.SOURCE, "tests/sim/client.c"), "-o", client])
    return {"/bin/guestcpu": os.path.join(target, "guestcpu"), "/bin/libguestcpu-sim.so": os.path.join(target, "libguestcpu-sim.so"),
            "/bin/vmm": os.path.join(target, "examples/example-vmm"), "/bin/client": client,
            **{"/lib/" + name: os.path.join(CROSS, name) for name in SHARED}}


def check_client(action, doc):
    wrong = []
    vcpus = sorted((v["id"], v["ran"]) for v in doc["vcpus"])
    if vcpus != (VCPUS if doc["kvm"] == "real" else SIM_VCPUS)[action]:
        wrong.append(f"{action}: vCPUs {vcpus}")
    # of those that were only set up, not all came to KVM_ARM_VCPU_INIT
    wrong += [f"{action}: vCPU {v['id']} ran, and no KVM_ARM_VCPU_INIT was seen" for v in doc["vcpus"]
              if v["ran"] and v["vcpu_init"]["target"] is None]
    for vcpu in doc["vcpus"]:
        calls = [c["call"] for c in doc["calls"] if c["vcpu"] == vcpu["index"]]
        if vcpu["ran"] and (calls.count("KVM_RUN"), calls[-1]) != (1, "KVM_RUN"):
            wrong.append(f"{action}: vCPU {vcpu['id']}: {calls}")
    return wrong


def check_vmm(doc, plan):
    """examples/vmm.c gives its guest the plan: what it wrote is the plan's."""
    wrong = []
    first = {r["id"]: r["value"] for r in doc["vcpus"][0]["registers"]}
    for reg in plan["registers"]:
        if reg["write"] and first.get(reg["id"]) != [reg["value"]]:
            wrong.append(f"vmm: {reg['name']}: {first.get(reg['id'])}, planned {reg['value']}")
    if not any(reg["write"] for reg in plan["registers"]):
        wrong.append("vmm: the plan writes nothing")
    for vcpu in doc["vcpus"]:
        if vcpu["vcpu_init"]["features"][0] != plan["vcpu_init"]["features"][0]:
            wrong.append(f"vmm: vCPU {vcpu['id']}: {vcpu['vcpu_init']}, planned {plan['vcpu_init']}")
    return wrong


def documents(result):
    """The documents of the commands, or what failed, as text."""
    for ran in result["commands"]:
        try:
            yield ran["command"], json.loads(ran["stdout"]) if ran["status"] == 0 else None, ran
        except ValueError:
            yield ran["command"], None, ran


def run(series, folder):
    """{"line", "failed", "status"} of one kernel; raises CannotBeHad, BuildFailed."""
    request = "host,-FEAT_RNG,-FEAT_AES"
    runs = [f"guestcpu trace --json -- client {action}" for action in ACTIONS]
    runs += [f"guestcpu sim --json --host {SIM_HOST} -- client {action}" for action in SIM_VCPUS]
    for host, command in ("kvm", "trace"), (SIM_HOST, f"sim --host {SIM_HOST}"):
        runs += [f"guestcpu plan --json --gic none --vcpus 2 --host {host} -c {request}", f"guestcpu {command} --json -- vmm {request} 2"]
    files = [(source, target) for target, source in build(folder).items()]
    result = boot(Spec("arm64", runs, series=series, files=files, command_limit=90))
    if gate.no_verdict(result):
        return gate.no_verdict(result)
    wrong, plan, seen = [], None, 0
    for command, doc, ran in documents(result):
        if not doc:
            wrong.append(f"{command}: {ran['status']} {ran['stdout'][-600:]} {ran['stderr'][-300:]}")
            continue
        client = re.search(r"client (\w+)$", command)
        if "plan" in command:
            plan = doc
        elif client:
            wrong += check_client(client.group(1), doc)
        elif plan:
            wrong += check_vmm(doc, plan)
        seen += len(doc["vcpus"])
    line = f"{len(runs)} commands, {seen} vCPUs, {len(wrong)} wrong"
    return {"status": int(bool(wrong)), "line": line, "failed": wrong}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", required=True, help="where commands are built")
    parser.add_argument("series")
    arguments = parser.parse_args()
    found = gate.tried(f"trace on arm64 {arguments.series}", lambda: run(arguments.series, arguments.build))
    if "line" in found:
        gate.tell(f"trace and sim, arm64 {arguments.series}", found)
    return found["status"]


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Records the bundled snapshots, data/hosts/*.json.

    record.py --build DIR [--only TEXT] [--out data/hosts]     those of RECORDINGS
    record.py --build DIR --here x86-amd-pvm-6-18              this machine's KVM

Each is what `guestcpu probe --name NAME` says there.  Of a machine that is not
a Debian kernel in QEMU, the release is cut to its number: the rest is
somebody's private name for a build.  A snapshot is written only if this
machine's own command reads it, its hash holds and a plan can be made from it.
Exit status: 0 all written; 1 some not; 3 something cannot be had.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import static  # noqa: E402
from aptstate import CannotBeHad  # noqa: E402
from boot import Spec, boot  # noqa: E402

# name, architecture, kernel series, QEMU's CPU, more properties of QEMU's machine
RECORDINGS = [
    ("x86-amd-max-6-1", "x86", "6.1", "max,-cx16", ""),
    ("x86-amd-max-6-12", "x86", "6.12", "max,-cx16", ""),
    ("x86-amd-rome-6-1", "x86", "6.1", "EPYC-Rome,-cx16", ""),
    ("x86-amd-rome-6-12", "x86", "6.12", "EPYC-Rome,-cx16", ""),
    ("x86-amd-opteron-g3-6-1", "x86", "6.1", "Opteron_G3,-cx16", ""),
    ("x86-amd-opteron-g3-6-12", "x86", "6.12", "Opteron_G3,-cx16", ""),
    *((f"arm64-kvm-{cpu}-{series.replace('.', '-')}", "arm64", series, cpu, "mte=on" if cpu == "max" else "")
      for cpu in ("max", "neoverse-n1", "cortex-a76") for series in ("6.1", "6.12", "7.2")),
]
NATIVE = static.MACHINE.get(os.uname().machine, "")


class NotRecorded(Exception):
    """This one snapshot could not be made."""


def run(command):
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    if done.returncode:
        raise NotRecorded(f"{' '.join(command)}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def recorded(folder, name, arch, series, cpu, machine):
    """The document of a kernel in QEMU."""
    path = "/tmp/snapshot.json"
    result = boot(Spec(arch, [f"guestcpu probe --name {name} -o {path}"], series=series, cpu=cpu,
                       machine=machine, gets=[path], command_limit=120,
                       files=[(static.build(arch, folder), "/bin/guestcpu")]))
    if result["status"] != "done":
        raise NotRecorded(result["attempts"][-1]["reason"])
    if result["commands"][0]["status"]:
        raise NotRecorded(result["commands"][0]["stderr"])
    return result["files"][path]


def measured_here(command, name):
    """The document of this machine, its release cut to a number."""
    document = json.loads(run([command, "probe", "--name", name]))
    release = re.match(r"\d+(\.\d+)*", document["host"].get("kernel") or "")
    document["host"]["kernel"] = release[0] if release else None
    del document["hash"]
    with tempfile.TemporaryDirectory(prefix="guestcpu-record-") as folder:
        path = os.path.join(folder, "edited.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(document, file)
        return run([command, "probe", "--host", path])      # canonical, with a new hash


def keep(command, out, name, body):
    """Into place, if it is good."""
    path = os.path.join(out, name + ".json")
    new = path + ".new"
    with open(new, "wb") as file:
        file.write(body)
    try:
        arch = json.loads(body)["arch"]
        same = run([command, "probe", "--host", new]) == body
        run([command, "plan", "--arch", arch, "--host", new])
    except (NotRecorded, ValueError):
        os.unlink(new)
        raise
    if not same:
        os.unlink(new)
        raise NotRecorded("it is not canonical")
    os.replace(new, path)
    print(f"{name}: {len(body)} bytes", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--build", required=True, help="where the static commands are built")
    parser.add_argument("--out", default=os.path.join(static.SOURCE, "data", "hosts"))
    parser.add_argument("--only", default="", help="those whose name has this text")
    parser.add_argument("--here", metavar="NAME", help="this machine's KVM, under that name")
    arguments = parser.parse_args()
    failed = 0
    try:
        command = static.build(NATIVE, arguments.build)
        os.makedirs(arguments.out, exist_ok=True)
        todo = [r for r in RECORDINGS if arguments.only in r[0]]
        if arguments.here:
            todo = [(arguments.here,)]
        for name, *rest in todo:
            try:
                body = (recorded(arguments.build, name, *rest) if rest else
                        measured_here(command, name))
                keep(command, arguments.out, name, body)
            except (NotRecorded, ValueError) as error:
                failed += 1
                print(f"{name}: not recorded: {error}", flush=True)
    except (CannotBeHad, static.BuildFailed, OSError) as error:
        print(f"record: cannot be had: {error}", file=sys.stderr)
        return 3
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())

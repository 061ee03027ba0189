#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boot a Debian kernel in QEMU TCG, with its real KVM, and run commands there.

    boot.py --arch x86 --series 6.1 --file ./cmd:/bin/cmd --run 'cmd --json'

Prints one JSON document.  Exit status: 0 every command returned 0; 1 some did
not; 2 usage; 3 the environment lacks something; 4 infrastructure failure: the
outer kernel crashed, hung or its records broke, twice.  That is no verdict on
what was run.  As a module: boot(Spec(...)) returns the same as a dict.
"""

import argparse
import base64
import ctypes
import dataclasses
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import fetch  # noqa: E402
import initramfs  # noqa: E402
import wire  # noqa: E402
from aptstate import CannotBeHad  # noqa: E402

SCHEMA = "guestcpu-kernels-boot/1"
DEFAULT_CPU = {"x86": "max,-cx16", "arm64": "max"}
TAINT_DIED = 1 << 7         # an oops killed something: results mean nothing
TAINT_LOCKUP = 1 << 14
DIED = re.compile(r"Kernel panic|Oops:|BUG: |double fault|Internal error:")
CONSOLE_TAIL = 4000


@dataclasses.dataclass
class Spec:
    """What to boot and what to run.  kernel/modules default to the series."""
    arch: str
    runs: list
    series: str = ""
    kernel: str = ""
    modules: list = dataclasses.field(default_factory=list)
    files: list = dataclasses.field(default_factory=list)   # [(source, path in guest)]
    gets: list = dataclasses.field(default_factory=list)    # paths in the guest
    cpu: str = ""
    machine: str = ""               # more properties of the QEMU machine (arm64)
    cpus: int = 2
    memory: int = 1024
    append: str = ""
    limit: float = 180.0            # seconds for one whole boot
    command_limit: int = 0          # seconds per command; 0: only `limit`
    attempts: int = 2
    holder: str = ""                # a ready-made holder command (x86)
    qemu: str = ""


class Infrastructure(Exception):
    """This attempt says nothing about the commands; `completed` of them ended."""

    def __init__(self, reason, completed=0):
        super().__init__(reason)
        self.completed = completed


def qemu_command(spec, initrd, data):
    """The boot line; the data port is a file on the host."""
    cpu = spec.cpu or DEFAULT_CPU[spec.arch]
    name = spec.qemu or f"qemu-system-{initramfs.MACHINE[spec.arch]}"
    path = shutil.which(name)
    if not path:
        raise CannotBeHad(f"no {name} on this machine")
    line = [path, "-nodefaults", "-no-user-config", "-accel", "tcg,thread=multi", "-cpu", cpu,
            "-smp", str(spec.cpus), "-m", str(spec.memory), "-display", "none",
            "-serial", "stdio", "-monitor", "none", "-no-reboot",
            "-chardev", f"file,id=data,path={data}",
            "-kernel", spec.kernel, "-initrd", initrd]
    if spec.arch == "x86":
        line += ["-vga", "none", "-net", "none", "-device", "isa-serial,chardev=data"]
        append = "console=ttyS0 panic=-1 quiet tsc=reliable clocksource=tsc"
    else:
        line += ["-M", "virt,virtualization=on,gic-version=3" +
                 (f",{spec.machine}" if spec.machine else ""), "-net", "none",
                 "-device", "pci-serial,chardev=data"]
        append = "console=ttyAMA0 panic=-1 quiet"
    return [*line, "-append", f"{append} {spec.append}".strip()]


def die_with_parent():
    """A test runner that kills us must not leave QEMU behind."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL, 0, 0, 0)


def run_qemu(command, console, limit):
    """Run QEMU to its end; raises Infrastructure if it does not end itself."""
    with open(console, "wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
        try:
            status = process.wait(timeout=limit)
        except subprocess.TimeoutExpired as error:
            raise Infrastructure(f"no end within {limit:g} s") from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if status:
        # By a signal: QEMU crashed.  By itself: it refuses our command line.
        kind = Infrastructure if status < 0 else CannotBeHad
        with open(console, encoding="utf-8", errors="replace") as file:
            said = [line for line in file.read().splitlines() if line.startswith("qemu")]
        raise kind(f"QEMU ended with status {status}" + (f": {said[-1]}" if said else ""))


def collect(spec, records):
    """Records to {"uname", "kvm", "commands", "files", ...}."""
    by = {(kind, index): body for kind, index, body in records}
    problems = [text(body).strip() for kind, _, body in records if kind == "problem"]
    commands = []
    for number, command in enumerate(spec.runs):
        status = int(by["status", number])
        commands.append({"command": command, "status": status,
                         "timed_out": ("late", number) in by,
                         "stdout": text(by["stdout", number]),
                         "stderr": text(by["stderr", number])})
    return {"release": text(by["uname", 0]).strip(), "kvm": by["kvm", 0] == b"yes\n",
            "problems": problems, "taint": int(by["taint", 0]), "commands": commands,
            "files": {path: by.get(("file", number)) for number, path in enumerate(spec.gets)}}


def text(body):
    return body.decode("utf-8", errors="backslashreplace")


def attempt(spec, folder):
    """One boot.  The collected results; raises Infrastructure."""
    nonce = secrets.token_hex(8)
    paths = {name: os.path.join(folder, name) for name in ("initrd", "data", "console")}
    with open(paths["initrd"], "wb") as file:
        file.write(initramfs.build(spec.arch, spec.modules, spec.runs, spec.files, spec.gets,
                                   nonce, spec.command_limit, spec.holder))
    command = qemu_command(spec, paths["initrd"], paths["data"])
    failure = None
    try:
        run_qemu(command, paths["console"], spec.limit)
    except Infrastructure as error:
        failure = str(error)
    with open(paths["console"], encoding="utf-8", errors="replace") as file:
        console = file.read()
    data = b""
    if os.path.exists(paths["data"]):
        with open(paths["data"], "rb") as file:
            data = file.read()
    died = DIED.search(console)
    if died:
        line = console[died.start():].splitlines()[0].strip()
        failure = f"the outer kernel died: {line}" + (f" ({failure})" if failure else "")
    elif not failure and "Power down" not in console:
        failure = "the outer kernel ended without powering down"
    try:
        records = wire.parse(data, nonce)
    except wire.BrokenFrame as error:
        ended = sum(kind == "status" for kind, _, _ in error.records)
        raise Infrastructure(failure or f"broken frame: {error}", ended) from error
    found = collect(spec, records)
    if not failure and found["taint"] & (TAINT_DIED | TAINT_LOCKUP):
        failure = f"the outer kernel had an oops or a lockup (taint {found['taint']})"
    if not failure and found["problems"]:
        failure = found["problems"][0]
    if not failure and not found["kvm"]:
        failure = "no /dev/kvm in the outer guest"
    if failure:
        raise Infrastructure(failure, len(spec.runs))
    return found


def prepare(spec):
    """Fill in what follows from the series; check what can be checked."""
    spec = dataclasses.replace(spec)
    if not spec.kernel:
        kernel = fetch.fetch_kernel(spec.arch, spec.series)
        spec.kernel, spec.modules = kernel["kernel"], kernel["modules"]
    for path in [spec.kernel, *spec.modules, *(source for source, _ in spec.files)]:
        if not os.path.isfile(path):
            raise CannotBeHad(f"no file {path}")
    return spec


def boot(spec):
    """Boot, at most spec.attempts times; the result as a dict.

    "status" is "done" or "infrastructure"; "infrastructure" counts the
    attempts that failed.  "files" holds bytes, or None for a missing file.
    """
    spec = prepare(spec)
    result = {"schema": SCHEMA, "arch": spec.arch, "series": spec.series,
              "cpu": spec.cpu or DEFAULT_CPU[spec.arch], "status": "infrastructure",
              "infrastructure": 0, "attempts": []}
    for _ in range(spec.attempts):
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="guestcpu-boot-") as folder:
            entry = {"ok": True}
            try:
                result.update(attempt(spec, folder))
                result["status"] = "done"
            except Infrastructure as error:
                result["infrastructure"] += 1
                with open(os.path.join(folder, "console"), encoding="utf-8",
                          errors="replace") as file:
                    entry = {"ok": False, "reason": str(error),
                             "completed": error.completed,
                             "console": file.read()[-CONSOLE_TAIL:]}
        entry["seconds"] = round(time.monotonic() - started, 2)
        result["attempts"].append(entry)
        if entry["ok"]:
            break
    return result


def jsonable(result, out):
    """The result with files as text, as base64, or written below `out`."""
    files = {}
    for number, (path, body) in enumerate(result.get("files", {}).items()):
        if body is None:
            files[path] = None
            continue
        files[path] = {"bytes": len(body)}
        if out:
            name = f"{number}-{os.path.basename(path)}"
            with open(os.path.join(out, name), "wb") as file:
                file.write(body)
            files[path]["path"] = name
            continue
        try:
            files[path]["text"] = body.decode("utf-8")
        except UnicodeDecodeError:
            files[path]["base64"] = base64.b64encode(body).decode("ascii")
    return {**result, "files": files}


def write_out(result, out):
    os.makedirs(out, exist_ok=True)
    for number, command in enumerate(result.get("commands", [])):
        for name in ("stdout", "stderr"):
            with open(os.path.join(out, f"{number}.{name}"), "w", encoding="utf-8") as file:
                file.write(command[name])
    with open(os.path.join(out, "result.json"), "w", encoding="utf-8") as file:
        json.dump(jsonable(result, out), file, indent=1)
        file.write("\n")


def pair(argument):
    source, colon, target = argument.partition(":")
    if not colon or not target.startswith("/"):
        raise argparse.ArgumentTypeError("expected SRC:/PATH/IN/GUEST")
    return source, target


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--arch", choices=("x86", "arm64"), required=True)
    kernel = parser.add_mutually_exclusive_group(required=True)
    kernel.add_argument("--series", default="", help="6.1, 6.12, ..., newest (fetch.py)")
    kernel.add_argument("--kernel", default="", help="a kernel image of your own")
    parser.add_argument("--module", action="append", default=[],
                        help="with --kernel: a module, in load order; may be repeated")
    parser.add_argument("--cpu", default="", help="QEMU CPU model "
                        "(default: max,-cx16 on x86, max on arm64)")
    parser.add_argument("--machine", default="", help="more properties of the QEMU machine, "
                        "such as mte=on (arm64)")
    parser.add_argument("--file", action="append", default=[], type=pair,
                        metavar="SRC:DST", help="put a file into the guest")
    parser.add_argument("--run", action="append", default=[], metavar="COMMAND",
                        help="a shell command line to run there; may be repeated")
    parser.add_argument("--get", action="append", default=[], metavar="PATH",
                        help="a file to bring back; may be repeated")
    parser.add_argument("--append", default="", help="more kernel command line")
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
    parser.add_argument("--limit", type=float, default=180.0, help="seconds per boot")
    parser.add_argument("--command-limit", type=int, default=0,
                        help="seconds per command; over it is a verdict, not infrastructure")
    parser.add_argument("--attempts", type=int, default=2)
    parser.add_argument("--holder", default="", help="a ready-made static holder (x86)")
    parser.add_argument("--qemu", default="", help="the QEMU command")
    parser.add_argument("--out", help="directory for result.json, output and files")
    return parser.parse_args()


def main():
    options = vars(parse_arguments())
    out = options.pop("out")
    for plural in ("run", "get", "file", "module"):
        options[plural + "s"] = options.pop(plural)
    try:
        result = boot(Spec(**options))
    except (CannotBeHad, OSError, ValueError) as error:
        print(f"boot: {error}", file=sys.stderr)
        return 3
    if out:
        write_out(result, out)
    else:
        json.dump(jsonable(result, None), sys.stdout, indent=1)
        print()
    if result["status"] != "done":
        return 4
    return int(any(command["status"] for command in result["commands"]))


if __name__ == "__main__":
    sys.exit(main())

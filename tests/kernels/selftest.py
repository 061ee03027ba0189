#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves the kernels tier itself, with a trivial command instead of guestcpu.

    selftest.py                 everything
    selftest.py --offline       only what needs neither QEMU nor packages
    selftest.py --reliability 3 [--arch A] [--series S] [--cpu C ...]
                                boots, runs 90 VMs in each, counts; no verdict

Exit status: 0 all hold; 1 a check does not; 3 something cannot be had.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import aptstate  # noqa: E402
import differ  # noqa: E402
import initramfs  # noqa: E402
import wire  # noqa: E402
from boot import Spec, boot  # noqa: E402

KERNELS = [("x86", "6.1"), ("x86", "6.12"), ("arm64", "6.1"), ("arm64", "6.12")]
failures = []


def check(name, holds, detail=""):
    print(f"{'ok  ' if holds else 'FAIL'} {name}" + (f"  {detail}" if detail else ""), flush=True)
    if not holds:
        failures.append(name)


def record(kind, index, body):
    digest = wire.checksum(f"{kind} {index}".encode(), body).decode()
    return f"@{kind} {index} {len(body)} {digest}\n".encode() + body + b"\n"


def broken(data):
    try:
        wire.parse(data, "n1")
    except wire.BrokenFrame:
        return True
    return False


def offline_wire():
    bodies = [b"", b"@@end n1\n", bytes(range(256)), b"\n\n"]
    records = b"".join(record("file", i, body) for i, body in enumerate(bodies))
    whole = b"noise\n@@guestcpu n1\n" + records + b"@@end n1\n"
    check("wire: whole", [body for _, _, body in wire.parse(whole, "n1")] == bodies)
    check("wire: every cut is noticed", all(broken(whole[:i]) for i in range(len(whole))))
    start = whole.index(b"@file")
    flips = (whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1:]
             for i in range(start, len(whole)))
    check("wire: every flipped bit is noticed", all(broken(data) for data in flips))
    check("wire: another session's data", broken(whole.replace(b"n1", b"n2")))


def offline_sources():
    deb822 = ("# comment\nTypes: deb deb-src\nURIs: http://mirror.example/debian\n"
              "Suites: bookworm bookworm-updates\nComponents: main contrib\n"
              "Signed-By: /k.gpg\n\nTypes: deb\nEnabled: no\nURIs: http://off.example/debian\n"
              "Suites: bookworm\nComponents: main\n")
    lines = ("deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian-security "
             "bookworm-security main # c\n# deb http://no.example/ bookworm main\n"
             "deb-src http://no.example/debian bookworm main\n"
             "deb cdrom:[Debian]/ bookworm main\n")
    sources = aptstate.parse_deb822(deb822) + aptstate.parse_one_line(lines)
    both = aptstate.derive(sources, "trixie", "arm64")
    check("sources: suite is changed", "Suites: trixie\n" in both and "bookworm" not in both)
    check("sources: security follows", "debian-security\nSuites: trixie-security\n" in both)
    check("sources: key is kept", both.count("Signed-By: /k.gpg") == 2)
    check("sources: disabled ones are not used", "no.example" not in both
          and "off.example" not in both and "cdrom" not in both)
    check("sources: sid has no security", "security" not in aptstate.derive(sources, "sid", "amd64"))
    other = aptstate.parse_one_line("deb http://mirror.example/ubuntu noble main universe\n")
    try:
        aptstate.derive(other, "trixie", "amd64")
        check("sources: another distribution is refused", False)
    except aptstate.CannotBeHad as error:
        check("sources: another distribution is refused", "noble" in str(error))


def offline_cpio():
    archive = initramfs.Cpio()
    archive.add("a/b/c", 0o100644, b"hello")
    archive.add("a/d", 0o100755, b"")
    with tempfile.TemporaryDirectory() as folder:
        try:
            subprocess.run(["cpio", "-idm", "--quiet"], input=archive.finish(), cwd=folder,
                           check=True, timeout=60)
        except FileNotFoundError:
            print("skip cpio: no cpio on this machine")
            return
        with open(os.path.join(folder, "a/b/c"), "rb") as file:
            check("cpio: unpacks", file.read() == b"hello"
                  and os.access(os.path.join(folder, "a/d"), os.X_OK))


def offline_differ():
    """A boot whose job was killed is tried once more, and no other."""
    once, killed, done = differ.once, {"status": 4, "killed": True}, {"status": 0, "killed": False}
    wrong = {"status": 1, "killed": False}
    for name, boots, want, left in (("killed, then not", [killed, done], done, 0), ("killed twice", [killed, killed], killed, 0),
                                    ("not killed", [wrong, done], wrong, 1)):
        differ.once = lambda *_, boots=boots: boots.pop(0)
        check(f"differ: {name}", differ.run("x86:6.1", None, 1, 1) == want and len(boots) == left)
    differ.once = once


def command(arch):
    return initramfs.compile_static(arch, os.path.join(HERE, "check.c"))


def describe(result):
    seconds = "+".join(str(entry["seconds"]) for entry in result["attempts"])
    reasons = [entry["reason"] for entry in result["attempts"] if not entry["ok"]]
    return (f"{result.get('release', '?')} {seconds} s, infrastructure {result['infrastructure']}"
            + "".join(f" [{reason}]" for reason in reasons))


def online_kernel(arch, series):
    """One boot with everything in it: output, status, files, time limit."""
    noise = "for i in 1 2 3 4 5; do echo '<0>noise' >/dev/kmsg; echo noise >/dev/console; done"
    result = boot(Spec(arch, series=series, files=[(command(arch), "/bin/check")],
                       runs=["check", f"{noise}; head -c 300000 /dev/urandom >/tmp/random; {noise}; "
                             "sha256sum </tmp/random; echo e >&2; exit 7", "sleep 60"],
                       gets=["/tmp/random", "/not-there"], command_limit=5))
    name = f"{arch} {series}"
    check(f"{name}: boots", result["status"] == "done", describe(result))
    if result["status"] != "done":
        return
    first, second, third = result["commands"]
    check(f"{name}: the series is right", result["release"].startswith(series + "."))
    check(f"{name}: KVM answers", first["status"] == 0
          and "KVM_GET_API_VERSION 12\n" in first["stdout"]
          and "guest ran 1\n" in first["stdout"])
    check(f"{name}: exit status and stderr", second["status"] == 7 and second["stderr"] == "e\n")
    body = result["files"]["/tmp/random"] or b""
    check(f"{name}: a file comes back whole under console noise", len(body) == 300000
          and second["stdout"].split()[0] == hashlib.sha256(body).hexdigest())
    check(f"{name}: a file that is not there", result["files"]["/not-there"] is None)
    check(f"{name}: a command over its limit", third["timed_out"] and third["status"] == 137)


def online_failures():
    result = boot(Spec("x86", ["echo c >/proc/sysrq-trigger"], series="6.12"))
    reasons = [entry.get("reason", "") for entry in result["attempts"]]
    check("panic: infrastructure, twice, no verdict", result["status"] == "infrastructure"
          and result["infrastructure"] == 2 and "commands" not in result
          and all("died" in reason for reason in reasons), describe(result))
    result = boot(Spec("x86", ["echo b >/proc/sysrq-trigger"], series="6.1", attempts=1))
    check("reset: infrastructure", "without powering down" in result["attempts"][0]["reason"],
          describe(result))
    result = boot(Spec("arm64", ["true", "sleep 600"], series="6.12", attempts=1, limit=30))
    check("hang: infrastructure", "no end within 30 s" in result["attempts"][0]["reason"]
          and result["attempts"][0]["completed"] == 1, describe(result))


def reliability(options):
    kernels = [(arch, series) for arch, series in KERNELS
               if options.arch in (None, arch) and options.series in (None, series)]
    if options.arch and options.series and not kernels:
        kernels = [(options.arch, options.series)]
    for arch, series in kernels:
        for cpu in options.cpu or [""]:
            good, seconds, reasons = 0, [], []
            for _ in range(options.reliability):
                result = boot(Spec(arch, ["check 30"] * 3, series=series, cpu=cpu, attempts=1,
                                   limit=90, files=[(command(arch), "/bin/check")]))
                entry = result["attempts"][0]
                fine = entry["ok"] and not any(c["status"] for c in result["commands"])
                good += fine
                seconds.append(entry["seconds"])
                if not fine:
                    reasons.append(entry.get("reason", "the command failed"))
            print(f"{arch} {series} {cpu or 'default'}: {good} of {options.reliability} good, "
                  f"{min(seconds):.1f} to {max(seconds):.1f} s"
                  + "".join(f"\n    {reason}" for reason in reasons), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--offline", action="store_true")
    parser.add_argument("--reliability", type=int, metavar="BOOTS")
    parser.add_argument("--arch", choices=("x86", "arm64"))
    parser.add_argument("--series")
    parser.add_argument("--cpu", action="append")
    options = parser.parse_args()
    try:
        if options.reliability:
            reliability(options)
            return 0
        offline_wire()
        offline_sources()
        offline_cpio()
        offline_differ()
        if not options.offline:
            for arch, series in KERNELS:
                online_kernel(arch, series)
            online_failures()
    except aptstate.CannotBeHad as error:
        print(f"selftest: {error}", file=sys.stderr)
        return 3
    print(f"{len(failures)} failed" if failures else "all hold")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""QEMU and guestcpu on the real KVM of a known kernel, in an outer guest.

The outer guest is the kernels tier's (tests/kernels): a Debian kernel in QEMU
without hardware virtualization, with kvm-amd inside. The oracle's QEMU, its
libraries, its firmware and the shim go along; in there it runs with -accel kvm
once for each request, and what the shim wrote comes back and is judged out here
like any other answer. A snapshot taken in there is what guestcpu plans from, and
QEMU out here, shown that snapshot, must answer what QEMU in there answered.
"""
import gzip
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tarfile
import tempfile

import compare
import generate
import hosts
import qemu
import words
from case import Case

sys.path.insert(0, os.path.join(words.ROOT, "tests", "kernels"))
# pylint: disable=wrong-import-position
import static  # noqa: E402
from aptstate import CannotBeHad  # noqa: E402
from boot import Spec, boot  # noqa: E402

FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin")
INFRASTRUCTURE = 4
# The outer guest is small, and its KVM slow.
MOST_VCPUS = 12
TALK = "".join('{"execute":"%s"}\\n' % name
               for name in ("qmp_capabilities", "query-cpus-fast", "quit"))


def probe_here(binary, folder):
    """A snapshot of this machine's KVM, as a file."""
    path = os.path.join(folder, "here.json")
    done = subprocess.run([binary, "probe", "-o", path], text=True,
                          capture_output=True, timeout=120)
    if done.returncode:
        raise qemu.QemuError("guestcpu probe: " + done.stderr.strip())
    return path


def libraries(which):
    """[(path here, path there)] of what QEMU and the shim are linked with."""
    done = subprocess.run(["ldd", which.binary], text=True, capture_output=True,
                          env=dict(os.environ, **which.env), timeout=30)
    found = []
    for line in done.stdout.splitlines():
        match = re.match(r"\s*(?:(\S+) => )?(/\S+) \(0x", line)
        if match:
            name, path = match.groups()
            found.append((os.path.realpath(path), "/lib/" + name if name else path))
    if not found:
        raise CannotBeHad("ldd does not say what QEMU is linked with")
    return found


def firmware(which):
    folders = [arg for arg in which.args if arg != "-L"]
    for name in FIRMWARE:
        path = next((os.path.join(folder, name) for folder in folders
                     if os.path.exists(os.path.join(folder, name))), None)
        if not path:
            raise CannotBeHad("QEMU's tree has no " + name)
        yield path, "/firmware/" + name


class There:
    """QEMU in the outer guest, as qemu.command_line() takes it."""
    binary = "/bin/qemu"
    args = ["-L", "/firmware"]


def script(cases):
    """The commands of all requests."""
    lines = ["export LD_LIBRARY_PATH=/lib", "mkdir -p /out"]
    for number, case in enumerate(cases):
        argv = qemu.command_line(There, **case.asked())
        lines.append(
            "printf %s | GUESTCPU_ORACLE_LOG=/out/%d.log LD_PRELOAD=/lib/shim.so "
            "timeout 60 %s >/out/%d.said 2>/out/%d.err"
            % (shlex.quote(TALK), number, shlex.join(argv), number, number))
    # What QEMU was told of KVM is there with the snapshot already, but the shim
    # says it again: leave nothing out.
    lines.append("tar cf - -C /out . | gzip -c >/answers.tgz")
    return "\n".join(lines) + "\n"


def vcpus_said(text):
    """How many vCPUs QEMU said it has, or None if it did not run."""
    for line in text.splitlines():
        try:
            answer = json.loads(line).get("return")
        except ValueError:
            continue
        if isinstance(answer, list):
            return len(answer)
    return None


def answers(archive, cases, version):
    """The answer to each case, out of the archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        texts = {os.path.basename(member.name): tar.extractfile(member).read()
                 for member in tar if member.isfile()}
    for number, case in enumerate(cases):
        said, errors, log = (
            texts.get("%d.%s" % (number, kind), b"").decode("utf-8", "replace")
            for kind in ("said", "err", "log"))
        case.version = version
        case.qemu = qemu.answer_of(log.splitlines(), vcpus_said(said),
                                   errors.strip(), version)


def boot_with(options, which, cases):
    """(boot result, what came back) of a boot that runs all cases."""
    arch, _, series = options.where.partition(":")
    if arch != "x86":
        raise CannotBeHad("QEMU's CPU models of " + arch + " are not compared")
    with tempfile.NamedTemporaryFile("w", prefix="guestcpu-inside-") as batch:
        batch.write(script(cases))
        batch.flush()
        files = [(static.build(arch, options.build), "/bin/guestcpu"),
                 (which.binary, There.binary), (qemu.build_shim()[1], "/lib/shim.so"),
                 (batch.name, "/batch"), *libraries(which), *firmware(which)]
        gets = ["/snapshot.json.gz", "/answers.tgz"]
        result = boot(Spec(arch, ["guestcpu probe -o /snapshot.json && gzip -n /snapshot.json",
                                  "sh /batch"], series=series, files=files, gets=gets,
                           limit=60.0 + 4 * len(cases)))
    return result, [result.get("files", {}).get(path) for path in gets]


def offered_there(series):
    """A bundled snapshot of the same CPU, for what is worth asking for."""
    for name in ("x86-amd-max-" + series.replace(".", "-"), "x86-amd-max-6-12"):
        document = hosts.read(name)
        if document:
            return document
    raise CannotBeHad("no bundled snapshot of kvm-amd")


def cases_for(options, which):
    """Random requests small enough for the outer guest."""
    facts = generate.Facts(which, generate.knows_modules(options.guestcpu))
    series = options.where.partition(":")[2]
    generator = generate.Generator(options.seed, facts, {None: offered_there(series)},
                                   MOST_VCPUS)
    return [Case(generator.request()) for _ in range(options.count)]


def shown_alike(case, which, host):
    """Lines for where QEMU out here, shown the snapshot, answers otherwise."""
    true, hidden = case.qemu, hosts.from_instruction(case)
    shown = qemu.ask(qemu=which, host=host, **case.asked())
    if "phys-bits" in (true["refused"] or shown["refused"] or ""):
        return          # judged by the width that the instruction says
    if bool(true["refused"]) != bool(shown["refused"]):
        yield "refused: %s, shown %s" % (true["refused"], shown["refused"])
        return
    for vcpu in sorted(set(true["tables"]) | set(shown["tables"])):
        tables = [answer["tables"].get(vcpu, []) for answer in (true, shown)]
        where = words.places(*tables)
        one, other = (words.vector(table, answer["msrs"].get(vcpu, {}), where)
                      for table, answer in zip(tables, (true, shown)))
        for word in sorted(one.keys() | other.keys()):
            if (one[word] ^ other[word]) & ~hosts.hidden_bits(hidden, word):
                yield "vCPU %d %s: 0x%x, shown 0x%x" % (vcpu, word, one[word], other[word])
    if compare.qemu_caps(true) != compare.qemu_caps(shown):
        yield "capabilities: %s, shown %s" % (compare.qemu_caps(true),
                                              compare.qemu_caps(shown))


def judge(options, which, tally, cases, snapshot):
    """Compare each case, and the two ways of asking QEMU."""
    host = hosts.answers(hosts.read_file(snapshot))
    native = hosts.vendor(host[0]) == hosts.native_vendor() and not qemu.why_not()
    unlike = 0
    for case in cases:
        case.snapshot = snapshot
        try:
            case.ask_us(options.guestcpu)
            tally.add(compare.Judged(case, tally.rows))
            lines = list(shown_alike(case, which, host)) if native else []
        except compare.ERRORS as error:
            tally.fail(case.title.split(" | "), error)
            continue
        unlike += bool(lines)
        for line in lines:
            print("   shown the snapshot, QEMU answers otherwise to %s: %s"
                  % (case.title, line))
    print("QEMU shown the snapshot: %s" % ("%d of %d answers differ from the true ones"
                                           % (unlike, len(cases)) if native else
                                           "not asked, no KVM of that vendor here"))
    return unlike


def run(options, which, tally):
    """One boot, all requests; returns the exit code."""
    cases = cases_for(options, which)
    result, (snapshot, archive) = boot_with(options, which, cases)
    if result["status"] != "done":
        print("%s: infrastructure, no verdict: %s"
              % (options.where, result["attempts"][-1]["reason"]))
        return INFRASTRUCTURE
    if not snapshot or not archive:
        print("%s: nothing came back: %s"
              % (options.where, [ran["stderr"] for ran in result["commands"]]))
        return 1
    answers(archive, cases, which.version)
    with tempfile.NamedTemporaryFile(suffix=".json", prefix="guestcpu-inside-") as file:
        file.write(gzip.decompress(snapshot))
        file.flush()
        unlike = judge(options, which, tally, cases, file.name)
    tally.tell(options.seed, "%s (%s), %.1f s" % (options.where, result["release"],
                                                  result["attempts"][-1]["seconds"]))
    return tally.status() or int(bool(unlike))

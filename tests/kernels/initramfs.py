# SPDX-License-Identifier: MIT
"""The initramfs of the outer guest: busybox, modules, holder, files, init."""

import gzip
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess

import fetch
import kmod

HERE = os.path.dirname(os.path.abspath(__file__))
MACHINE = {"x86": "x86_64", "arm64": "aarch64"}
ELF_MACHINE = {"x86": 62, "arm64": 183}
PT_INTERP = 3


class Cpio:
    """A cpio archive in the format that the kernel reads (newc)."""

    def __init__(self):
        self.parts = []
        self.known = set()

    def add(self, name, mode, data=b"", device=(0, 0)):
        name = name.strip("/")
        if name in self.known:
            raise ValueError(f"/{name} is in the initramfs twice")
        parent = os.path.dirname(name)
        if parent and parent not in self.known:
            self.add(parent, stat.S_IFDIR | 0o755)
        self.known.add(name)
        self._entry(name, mode, data, device)

    def _entry(self, name, mode, data, device):
        encoded = os.fsencode(name) + b"\0"
        fields = (len(self.parts) + 1, mode, 0, 0, 1, 0, len(data), 0, 0,
                  *device, len(encoded), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields)
        self.parts.append(pad(header + encoded) + pad(data))

    def finish(self):
        self._entry("TRAILER!!!", 0, b"", (0, 0))
        return b"".join(self.parts)


def pad(data):
    return data + b"\0" * (-len(data) % 4)


def elf_machine(path):
    """(machine number, the interpreter it needs or None) of an ELF file, or None."""
    with open(path, "rb") as file:
        data = file.read(4096)
    if data[:5] != b"\x7fELF\x02" or data[5] != 1:
        return None
    offset = int.from_bytes(data[32:40], "little")
    size = int.from_bytes(data[54:56], "little")
    count = int.from_bytes(data[56:58], "little")
    interpreter = None
    for i in range(count):
        head = data[offset + i * size:offset + (i + 1) * size]
        if int.from_bytes(head[:4], "little") == PT_INTERP:
            at = int.from_bytes(head[8:16], "little")
            interpreter = data[at:].partition(b"\0")[0].decode("ascii", "replace")
    return int.from_bytes(data[18:20], "little"), interpreter


def busybox(arch):
    """Path of a static busybox for `arch`: this machine's, else fetched."""
    here = shutil.which("busybox")
    if here and elf_machine(here) == (ELF_MACHINE[arch], None):
        return here
    root = fetch.fetch_packages(arch, ["busybox-static"])["root"]
    for path in ("usr/bin/busybox", "bin/busybox"):
        if os.path.exists(os.path.join(root, path)):
            return os.path.join(root, path)
    raise fetch.CannotBeHad(f"busybox-static for {arch} holds no busybox")


def compiler(arch):
    """The C compiler command for `arch`; $CC_X86 and $CC_ARM64 override."""
    named = os.environ.get(f"CC_{arch.upper()}")
    if named:
        return shlex.split(named)
    names = [f"{MACHINE[arch]}-linux-gnu-gcc"]
    if platform.machine() == MACHINE[arch]:
        names = ["cc", "gcc", "clang", *names]
    for name in names:
        if shutil.which(name):
            return [name]
    raise fetch.CannotBeHad(f"no C compiler for {arch} (tried {', '.join(names)})")


def compile_static(arch, source):
    """Compile one C file to a static command; kept in the cache."""
    with open(source, "rb") as file:
        key = hashlib.sha256(file.read()).hexdigest()[:16]
    stem = os.path.splitext(os.path.basename(source))[0]
    folder = os.path.join(fetch.cache_dir(), "commands")
    target = os.path.join(folder, f"{stem}-{arch}-{key}")
    if os.path.exists(target):
        return target
    os.makedirs(folder, exist_ok=True)
    made = f"{target}.{os.getpid()}"
    done = subprocess.run([*compiler(arch), "-O2", "-static", "-Wall", "-o", made, source],
                          stderr=subprocess.PIPE, text=True, timeout=120, check=False)
    if done.returncode:
        raise fetch.CannotBeHad(f"{stem}.c does not compile for {arch}: {done.stderr.strip()}")
    os.replace(made, target)
    return target


def read(path):
    with open(path, "rb") as file:
        return file.read()


def check_file(arch, source, targets):
    """A command of the wrong sort would only say "not found" in the guest."""
    found = elf_machine(source)
    if found and found[0] != ELF_MACHINE[arch]:
        raise fetch.CannotBeHad(f"{source} is not a program for {arch}")
    if found and found[1] and found[1] not in targets:
        raise fetch.CannotBeHad(f"{source} is not statically linked, and {found[1]} is not given")


def build(arch, modules, runs, files, gets, nonce, command_limit=0, holder=None):
    """The compressed initramfs.  files: [(source path, path in the guest)]."""
    archive = Cpio()
    for folder in ("proc", "sys", "tmp"):
        archive.add(folder, stat.S_IFDIR | 0o755)
    archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    archive.add("bin/busybox", stat.S_IFREG | 0o755, read(busybox(arch)))
    archive.add("init", stat.S_IFREG | 0o755, read(os.path.join(HERE, "init.sh")))
    port = "/dev/ttyS1" if arch == "x86" else "/dev/ttyS0"
    settings = f"port={port}\nnonce={nonce}\nlimit={int(command_limit)}\n"
    archive.add("tier/settings", stat.S_IFREG | 0o644, settings.encode("ascii"))
    for number, path in enumerate(modules):
        archive.add(f"tier/modules/{number:02}-{kmod.plain_name(path)}.ko",
                    stat.S_IFREG | 0o644, kmod.read(path))
    if arch == "x86":
        holder = holder or compile_static(arch, os.path.join(HERE, "holder.c"))
        archive.add("tier/holder", stat.S_IFREG | 0o755, read(holder))
    for number, command in enumerate(runs):
        archive.add(f"tier/run/{number}", stat.S_IFREG | 0o644, command.encode() + b"\n")
    for number, path in enumerate(gets):
        archive.add(f"tier/get/{number}", stat.S_IFREG | 0o644, path.encode() + b"\n")
    for source, target in files:
        check_file(arch, source, [target for _, target in files])
        mode = stat.S_IMODE(os.stat(source).st_mode)
        archive.add(target, stat.S_IFREG | mode, read(source))
    return gzip.compress(archive.finish(), compresslevel=1, mtime=0)

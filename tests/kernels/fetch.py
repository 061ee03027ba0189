#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fetch Debian packages for the kernels tier; nothing is installed.

    fetch.py --arch x86|arm64 --series 6.1|6.12|...|newest
        {"kernel": path, "modules": [paths in load order], "release": ...}
    fetch.py --arch arm64 --package busybox-static [--package ...]
        {"root": directory all of them are unpacked in, "packages": {name: version}}

JSON on stdout, progress on stderr.  Exit 3 with a one-line reason on stderr
when something cannot be had.  A second call answers from the cache alone.
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from aptstate import AptState, CannotBeHad  # noqa: E402
import kmod  # noqa: E402

DEBIAN_ARCH = {"x86": "amd64", "arm64": "arm64"}
KVM_MODULES = {"x86": ["kvm-amd"], "arm64": []}

# Where a kernel series is looked for, first match wins.
RELEASES = {
    "6.1": ["bookworm"],
    "6.12": ["bookworm", "bookworm-backports", "trixie"],
    "newest": ["sid", "trixie-backports"],
}
OTHER_RELEASES = ["trixie-backports", "trixie", "sid"]
PACKAGE_RELEASES = ["bookworm", "trixie", "sid"]


def log(text):
    print(f"fetch: {text}", file=sys.stderr, flush=True)


def cache_dir():
    """$GUESTCPU_CACHE, else $XDG_CACHE_HOME/guestcpu, else ~/.cache/guestcpu."""
    named = os.environ.get("GUESTCPU_CACHE")
    if not named:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        named = os.path.join(base, "guestcpu")
    return os.path.abspath(named)


@contextlib.contextmanager
def locked():
    """One fetcher at a time per cache."""
    os.makedirs(cache_dir(), exist_ok=True)
    with open(os.path.join(cache_dir(), "lock"), "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def stamp_path(arch, key):
    return os.path.join(cache_dir(), "stamps", f"{arch}-{key}.json")


def stamp_read(arch, key):
    """What an earlier fetch answered, if all its paths are still there."""
    try:
        with open(stamp_path(arch, key), encoding="utf-8") as file:
            answer = json.load(file)
    except (OSError, ValueError):
        return None
    paths = [answer[name] for name in ("kernel", "root", "cross_file") if name in answer]
    paths += answer.get("modules", [])
    return answer if paths and all(os.path.exists(path) for path in paths) else None


def stamp_write(arch, key, answer):
    path = stamp_path(arch, key)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(answer, file, indent=1)
    os.replace(path + ".new", path)


def state(arch, release, refresh):
    made = AptState(os.path.join(cache_dir(), "apt"), DEBIAN_ARCH[arch], release, log)
    made.update(force=refresh)
    return made


def unpack(apt, packages, target):
    """Download the packages [(name, version)] and unpack them into `target`."""
    parent = os.path.dirname(target)
    os.makedirs(parent, exist_ok=True)
    work = tempfile.mkdtemp(prefix=".unpack-", dir=parent)
    try:
        for name, version in packages:
            with tempfile.TemporaryDirectory(prefix=".deb-", dir=parent) as debs:
                deb = apt.download(name, version, debs)
                subprocess.run(["dpkg-deb", "-x", deb, work], check=True, timeout=600)
        os.chmod(work, 0o755)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(work, target)
    except subprocess.SubprocessError as error:
        raise CannotBeHad(f"{packages[0][0]} could not be unpacked: {error}") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def natural(text):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", text)]


def kernel_packages(apt, arch, series):
    """The newest installable kernel of a series in one release:
    [(package, version), ...] with the image first, or None."""
    number = r"[0-9]+[.][0-9]+" if series == "newest" else re.escape(series)
    flavour = f"cloud-{DEBIAN_ARCH[arch]}"
    pattern = rf"^linux-image-{number}[.][0-9][^-]*(-[0-9]+)?-{flavour}$"
    names = [name for name in apt.names(f"^linux-image-.*-{flavour}$")
             if re.search(pattern, name)]
    for name in sorted(names, key=natural, reverse=True):
        found = [name]
        image = apt.show(name)
        if not image:
            continue
        # Newer kernels are split: the image depends on -binary and -modules.
        found += re.findall(r"\b(linux-(?:binary|modules)-[^ ,(]+)", image.get("Depends", ""))
        shown = [(item, (apt.show(item) or {}).get("Version")) for item in found]
        if all(version for _, version in shown):
            return shown
    return None


def find_kernel(root):
    """(path of the kernel image, its release) in an unpacked tree."""
    for folder in ("boot", "usr/lib/modules", "lib/modules"):
        for where, _, files in sorted(os.walk(os.path.join(root, folder))):
            for name in sorted(files):
                if name == "vmlinuz":
                    return os.path.join(where, name), os.path.basename(where)
                if name.startswith("vmlinuz-"):
                    return os.path.join(where, name), name[len("vmlinuz-"):]
    raise CannotBeHad(f"no kernel image in {root}")


def modules_for(arch, root, release):
    for folder in ("usr/lib/modules", "lib/modules"):
        tree = os.path.join(root, folder, release)
        if os.path.isdir(os.path.join(tree, "kernel")):
            return kmod.load_order(tree, KVM_MODULES[arch])
    raise CannotBeHad(f"no modules of {release} in {root}")


def fetch_kernel(arch, series, refresh=False):
    """{"kernel", "modules", "release", ...}; raises CannotBeHad."""
    with locked():
        if not refresh and (answer := stamp_read(arch, f"kernel-{series}")):
            return answer
        complaint = ""
        for release in RELEASES.get(series, OTHER_RELEASES):
            apt = state(arch, release, refresh)
            packages = kernel_packages(apt, arch, series)
            if not packages:
                complaint = complaint or apt.complaint
                continue
            root = os.path.join(cache_dir(), "kernels", arch, packages[0][0])
            unpack(apt, packages, root)
            kernel, uname = find_kernel(root)
            answer = {"kernel": kernel, "modules": modules_for(arch, root, uname),
                      "release": uname, "package": packages[0][0],
                      "version": packages[0][1], "suite": release}
            stamp_write(arch, f"kernel-{series}", answer)
            return answer
        raise CannotBeHad(f"no cloud kernel of series {series} for {arch} in "
                          f"{', '.join(RELEASES.get(series, OTHER_RELEASES))}"
                          + (f" ({complaint})" if complaint else ""))


def fetch_packages(arch, names, refresh=False):
    """{"root", "packages"}: the packages unpacked into one directory."""
    key = "packages-" + "+".join(sorted(names))
    with locked():
        if not refresh and (answer := stamp_read(arch, key)):
            return answer
        complaint = ""
        for release in PACKAGE_RELEASES:
            apt = state(arch, release, refresh)
            shown = [(name, (apt.show(name) or {}).get("Version")) for name in names]
            if not all(version for _, version in shown):
                complaint = complaint or apt.complaint
                continue
            root = os.path.join(cache_dir(), "packages", arch, "+".join(sorted(names)))
            unpack(apt, shown, root)
            answer = {"root": root, "packages": dict(shown), "suite": release}
            stamp_write(arch, key, answer)
            return answer
        raise CannotBeHad(f"no {' or no '.join(names)} for {arch}"
                          + (f" ({complaint})" if complaint else ""))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--arch", choices=sorted(DEBIAN_ARCH), required=True)
    parser.add_argument("--refresh", action="store_true", help="ask the archive again")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--series", help="kernel series: 6.1, 6.12, ..., or newest")
    what.add_argument("--package", action="append", help="any package; may be repeated")
    options = parser.parse_args()
    if options.series and not re.fullmatch(r"newest|\d+\.\d+", options.series):
        parser.error("a series is two numbers, such as 6.12, or newest")
    try:
        if options.series:
            answer = fetch_kernel(options.arch, options.series, options.refresh)
        else:
            answer = fetch_packages(options.arch, options.package, options.refresh)
    except (CannotBeHad, OSError, subprocess.SubprocessError) as error:
        print(f"fetch: cannot be had: {error}", file=sys.stderr)
        return 3
    json.dump(answer, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())

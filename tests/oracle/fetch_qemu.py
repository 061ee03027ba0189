#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Put the oracle's QEMU into the cache, without installing anything.

Debian's own packages are unpacked with dpkg -x. A private apt state, whose
sources are the machine's own with the suite changed, is used, so that the
machine's apt is left as it is. Prints the directory of the unpacked tree.

Exit: 0 done, 3 the environment cannot give it (one line says why).
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

SERIES = "10.0"
PACKAGE = "qemu-system-x86"
# Which suite of which Debian has the series.
SUITES = {"bookworm": ["bookworm", "bookworm-updates", "bookworm-backports"],
          "trixie": ["trixie", "trixie-updates"]}
# Other emulators of the same source are not needed.
UNWANTED = re.compile(r"^qemu-(system-(?!x86$|common$|data$)|efi-|utils$)")


class Unavailable(Exception):
    """The machine cannot give what is needed; the text says why."""


def cache_dir():
    own = os.environ.get("GUESTCPU_CACHE")
    if own:
        return own
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "guestcpu")


def tree_dir(series=SERIES):
    return os.path.join(cache_dir(), "qemu-" + series)


def read_text(path):
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


def stanzas_of_list(text):
    """One-line sources as (uri, suites, components, signed_by)."""
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+(.+)",
                         line.split("#")[0])
        if match:
            options, uri, suite, components = match.groups()
            signed = re.search(r"signed-by=(\S+)", options or "")
            yield (uri, [suite], components.split(),
                   signed.group(1) if signed else None)


def stanzas_of_sources(text):
    """Sources in deb822 form."""
    for block in re.split(r"\n\s*\n", text):
        fields = {}
        for line in block.splitlines():
            match = re.match(r"([A-Za-z-]+):\s*(.*)", line)
            if match:
                fields[match.group(1).lower()] = match.group(2).strip()
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() in ("no", "false"):
            continue
        yield (fields.get("uris", "").split(" ")[0],
               fields.get("suites", "").split(),
               fields.get("components", "").split(),
               fields.get("signed-by") or None)


def debian_source():
    """The machine's main Debian source: (uri, codename, signed_by)."""
    found = []
    for path in (["/etc/apt/sources.list"]
                 + sorted(glob.glob("/etc/apt/sources.list.d/*.list"))):
        if os.path.exists(path):
            found += stanzas_of_list(read_text(path))
    for path in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        found += stanzas_of_sources(read_text(path))
    for uri, suites, components, signed in found:
        if "main" not in components:
            continue
        for suite in suites:
            if suite in SUITES:
                return uri, suite, signed
    raise Unavailable("no apt source of " + " or ".join(sorted(SUITES))
                      + " on this machine to derive one from")


def run(argv, cwd=None):
    env = dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
    done = subprocess.run(argv, cwd=cwd, env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=900)
    if done.returncode:
        last = (done.stdout.strip().splitlines() or ["no output"])[-1]
        raise Unavailable("%s failed: %s" % (" ".join(argv[:1]), last))
    return done.stdout


def apt_options(state):
    """A private apt state under `state`, with the suite changed."""
    uri, codename, signed = debian_source()
    sources = os.path.join(state, "oracle.sources")
    with open(sources, "w", encoding="utf-8") as stream:
        stream.write("Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n"
                     % (uri, " ".join(SUITES[codename])))
        if signed:
            stream.write("Signed-By: %s\n" % signed)
    for sub in ("lists/partial", "cache/archives/partial"):
        os.makedirs(os.path.join(state, sub))
    settings = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": os.path.join(state, "lists"),
        "Dir::Cache": os.path.join(state, "cache"),
        "Debug::NoLocking": "1",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",
        "APT::Default-Release": SUITES[codename][-1]
                                if codename == "bookworm" else codename,
    }
    return [part for key, value in settings.items()
            for part in ("-o", "%s=%s" % (key, value))]


def wanted_packages(options):
    """(name, version) of what apt would install for QEMU, and of QEMU."""
    text = run(["apt-get"] + options
               + ["--simulate", "--no-install-recommends", "install", PACKAGE])
    wanted = []
    for match in re.finditer(r"^Inst (\S+) (?:\[\S+\] )?\((\S+)", text, re.M):
        name, version = match.groups()
        if not UNWANTED.match(name):
            wanted.append((name, version))
    if not any(name == PACKAGE for name, _ in wanted):
        # The machine has this very version: unpack it all the same.
        policy = run(["apt-cache"] + options + ["policy", PACKAGE])
        version = re.search(r"Candidate: (\S+)", policy).group(1)
        wanted += [(name, version) for name in
                   (PACKAGE, "qemu-system-common", "qemu-system-data")]
        wanted.append(("seabios", None))
    return wanted


def fetch(series=SERIES):
    """Download and unpack; returns the directory."""
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise Unavailable(tool + " is not on this machine")
    target = tree_dir(series)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with tempfile.TemporaryDirectory(dir=os.path.dirname(target),
                                     prefix="qemu-fetch-") as state:
        options = apt_options(state)
        run(["apt-get"] + options + ["update"])
        wanted = wanted_packages(options)
        version = dict(wanted)[PACKAGE]
        if not re.sub(r"^\d+:", "", version).startswith(series + "."):
            raise Unavailable("apt offers %s %s, not %s"
                              % (PACKAGE, version, series))
        names = [name + ("=" + ver if ver else "") for name, ver in wanted]
        run(["apt-get"] + options + ["download"] + names, cwd=state)
        tree = os.path.join(state, "tree")
        for deb in sorted(glob.glob(os.path.join(state, "*.deb"))):
            run(["dpkg-deb", "-x", deb, tree])
        with open(os.path.join(tree, "complete"), "w",
                  encoding="utf-8") as stream:
            stream.writelines("%s %s\n" % (n, v or "-") for n, v in wanted)
        shutil.rmtree(target, ignore_errors=True)
        os.rename(tree, target)
    return target


def ensure(series=SERIES, refresh=False):
    """The directory of the unpacked QEMU; fetched if it is not there."""
    target = tree_dir(series)
    if not refresh and os.path.exists(os.path.join(target, "complete")):
        return target
    try:
        return fetch(series)
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(str(error).splitlines()[0]) from error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--refresh", action="store_true",
                        help="fetch again even if the cache has it")
    options = parser.parse_args()
    try:
        print(ensure(refresh=options.refresh))
    except Unavailable as error:
        print("fetch_qemu: QEMU %s cannot be had: %s" % (SERIES, error),
              file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""A private apt state: reach Debian suites without touching the machine.

Sources are derived from those the machine already uses (same addresses, same
keys, another suite), so no archive address is written down here.  Lists,
caches and configuration live in a directory of ours; apt's own signature
checks apply; nothing is ever installed.
"""

import os
import re
import shlex
import shutil
import subprocess
import time

LISTS_LIVE_SECONDS = 24 * 3600
COMMAND_SECONDS = 900

SUITE = re.compile(
    r"(?P<base>buster|bullseye|bookworm|trixie|forky|duke|sid|unstable|testing|"
    r"stable|oldstable|oldoldstable)(?P<tail>(-(updates|backports|security|"
    r"proposed-updates|backports-sloppy)|/updates)?)/?")

# Settings of the machine that must not leak into the private state: places
# we replace, and hooks that act on the machine.  What remains are things such
# as proxies, certificates and credentials, which we need.
DROPPED = ("Dir::State", "Dir::Cache", "Dir::Log", "Dir::Etc::sourcelist",
           "Dir::Etc::sourceparts", "Dir::Etc::preferences",
           "Dir::Etc::preferencesparts", "Dir::Etc::main", "Dir::Etc::parts",
           "APT::Architecture", "APT::Architectures", "APT::Update",
           "APT::Default-Release", "Acquire::IndexTargets",
           "Acquire::Languages", "DPkg", "Binary", "CommandLine")


class CannotBeHad(Exception):
    """What was asked for is not available here; the text says why."""


class Source:
    """One archive the machine uses: addresses, key, whether it is security."""

    def __init__(self, uris, suites, components, signed_by):
        self.uris = list(uris)
        self.suites = list(suites)
        self.components = list(components)
        self.signed_by = signed_by

    def kinds(self):
        """{"main"}, {"security"}, both, or nothing if not Debian's shape."""
        found = set()
        for suite in self.suites:
            match = SUITE.fullmatch(suite)
            if match and "main" in self.components:
                tail = match["tail"]
                found.add("security" if tail in ("-security", "/updates") else "main")
        return found


def parse_deb822(text):
    """The `deb` entries of a .sources file."""
    sources = []
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n[ \t]*\n", text):
        fields, last = {}, None
        for line in stanza.splitlines():
            if line[:1] in " \t" and last:
                fields[last] += "\n" + line
            elif ":" in line:
                last, value = line.split(":", 1)
                last = last.strip().lower()
                fields[last] = value.strip()
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").strip().lower() in ("no", "false", "0", "off"):
            continue
        sources.append(Source(fields.get("uris", "").split(), fields.get("suites", "").split(),
                              fields.get("components", "").split(), fields.get("signed-by")))
    return sources


def parse_one_line(text):
    """The `deb` entries of a one-line .list file."""
    sources = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>[^#]+)", line)
        if not match:
            continue
        words = match["rest"].split()
        if len(words) < 2:
            continue
        signed_by = None
        for option in (match["options"] or "").split():
            name, _, value = option.partition("=")
            if name.lower() == "signed-by":
                signed_by = value.replace(",", " ")
        sources.append(Source(words[:1], words[1:2], words[2:], signed_by))
    return sources


def machine_sources():
    """Every enabled `deb` source of this machine."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise CannotBeHad("no apt-get and dpkg-deb on this machine")
    shell = subprocess.run(["apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f",
                            "PARTS", "Dir::Etc::sourceparts/d"], text=True,
                           stdout=subprocess.PIPE, timeout=60, check=True).stdout
    where = dict(line.split("=", 1) for line in shlex.split(shell))
    paths = [where.get("LIST", "")]
    parts = where.get("PARTS", "")
    if os.path.isdir(parts):
        paths += sorted(os.path.join(parts, name) for name in os.listdir(parts))
    sources = []
    for path in paths:
        if not os.path.isfile(path) or not path.endswith((".list", ".sources")):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        sources += parse_deb822(text) if path.endswith(".sources") else parse_one_line(text)
    return sources


def derive(sources, release, arch):
    """Text of a .sources file that reaches `release` the way the machine
    reaches its own; security updates too if the machine has them."""
    wanted = {"main": release}
    if "-" not in release and release not in ("sid", "unstable"):
        wanted["security"] = release + "-security"
    stanzas = []
    for source in sources:
        uris = [uri for uri in source.uris if not uri.startswith("cdrom:")]
        for kind in sorted(source.kinds()):
            if kind not in wanted or not uris:
                continue
            stanza = (f"Types: deb\nURIs: {' '.join(uris)}\nSuites: {wanted[kind]}\n"
                      f"Components: main\nArchitectures: {arch}\n")
            if source.signed_by:
                stanza += f"Signed-By: {source.signed_by}\n"
            if stanza not in stanzas:
                stanzas.append(stanza)
    if not any(f"Suites: {release}\n" in stanza for stanza in stanzas):
        seen = sorted({suite for source in sources for suite in source.suites})
        raise CannotBeHad("this machine's apt sources name no Debian archive to derive "
                          f"{release} from (suites seen: {', '.join(seen) or 'none'})")
    return "\n".join(stanzas)


def machine_settings():
    """The machine's apt settings without those in DROPPED, as a config file."""
    dump = subprocess.run(["apt-config", "dump"], text=True, stdout=subprocess.PIPE,
                          timeout=60, check=True).stdout
    kept = []
    for line in dump.splitlines():
        name = line.split(" ", 1)[0].lower()
        drop = any(name == prefix or name.startswith(prefix + "::")
                   for prefix in (item.lower() for item in DROPPED))
        if not drop and line.count('"') == 2:
            kept.append(line)
    return "\n".join(kept) + "\n"


class AptState:
    """Lists and cache for one Debian architecture and one release."""

    def __init__(self, root, arch, release, log):
        self.dir = os.path.join(root, f"{arch}-{release}")
        self.arch = arch
        self.release = release
        self.log = log
        self.conf = os.path.join(self.dir, "apt.conf")
        self.complaint = ""

    def prepare(self):
        """Write our sources, pins and configuration."""
        for name in ("lists/partial", "cache/archives/partial", "etc", "none"):
            os.makedirs(os.path.join(self.dir, name), exist_ok=True)
        etc = os.path.join(self.dir, "etc")
        write(os.path.join(etc, "debian.sources"),
              derive(machine_sources(), self.release, self.arch))
        write(os.path.join(etc, "preferences"),
              "Package: *\nPin: release o=Debian\nPin-Priority: 900\n\n"
              "Package: *\nPin: release o=Debian Backports\nPin-Priority: 900\n\n"
              "Package: *\nPin: release n=*\nPin-Priority: -1\n")
        own = {
            "Dir::State": self.dir, "Dir::State::lists": self.dir + "/lists",
            "Dir::State::status": "/dev/null",
            "Dir::State::extended_states": self.dir + "/extended_states",
            "Dir::Cache": self.dir + "/cache", "Dir::Log": self.dir,
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": etc,
            "Dir::Etc::preferences": etc + "/preferences",
            "Dir::Etc::preferencesparts": self.dir + "/none",
            "Dir::Etc::main": "/dev/null", "Dir::Etc::parts": self.dir + "/none",
            "APT::Architecture": self.arch, "APT::Architectures::": self.arch,
            "Acquire::Languages": "none", "Acquire::Retries": "2",
            "Acquire::http::Timeout": "30", "Acquire::https::Timeout": "30",
            "APT::Get::AllowUnauthenticated": "false",
            "Acquire::AllowInsecureRepositories": "false",
        }
        if os.geteuid() == 0:
            # The download user may not enter our cache (a home directory).
            own["APT::Sandbox::User"] = "root"
        write(self.conf, machine_settings() +
              "".join(f'{name} "{value}";\n' for name, value in own.items()))

    def run(self, *command, cwd=None):
        environment = dict(os.environ, APT_CONFIG=self.conf, LC_ALL="C")
        try:
            return subprocess.run(command, text=True, cwd=cwd, env=environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=COMMAND_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            raise CannotBeHad(f"{command[0]} took longer than {COMMAND_SECONDS} s") from error

    def update(self, force=False):
        """Bring the lists up to date, unless they are recent."""
        stamp = os.path.join(self.dir, "updated")
        if not force and os.path.exists(stamp):
            if time.time() - os.path.getmtime(stamp) < LISTS_LIVE_SECONDS:
                return
        self.prepare()
        self.log(f"reading the package lists of {self.release} for {self.arch}")
        done = self.run("apt-get", "-q", "update")
        lines = [line for line in done.stderr.splitlines() if line[:2] in ("E:", "W:")]
        self.complaint = lines[0] if lines else ""
        if not lines:
            write(stamp, "")
        elif os.path.exists(stamp):
            os.unlink(stamp)

    def names(self, pattern):
        """Names of the packages that match a POSIX regular expression."""
        done = self.run("apt-cache", "search", "--names-only", pattern)
        return [line.split(" ", 1)[0] for line in done.stdout.splitlines() if line]

    def show(self, name):
        """Fields of the candidate version of a package, or None."""
        done = self.run("apt-cache", "show", "--no-all-versions", name)
        if done.returncode or not done.stdout.strip():
            return None
        fields = {}
        for line in done.stdout.split("\n\n")[0].splitlines():
            if ": " in line and line[0] != " ":
                field, value = line.split(": ", 1)
                fields[field] = value
        return fields

    def download(self, name, version, directory):
        """Download one package into `directory`; the path of the .deb."""
        self.log(f"downloading {name} {version} ({self.arch})")
        wanted = f"{name}:{self.arch}={version}"
        done = self.run("apt-get", "-q", "download", wanted, cwd=directory)
        if done.returncode:                        # lists may be out of date
            self.update(force=True)
            done = self.run("apt-get", "-q", "download", wanted, cwd=directory)
        found = [item for item in os.listdir(directory) if item.endswith(".deb")]
        if done.returncode or len(found) != 1:
            last = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise CannotBeHad(f"{name} could not be downloaded: {last}")
        return os.path.join(directory, found[0])


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)

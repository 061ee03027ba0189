# SPDX-License-Identifier: MIT
"""One request: what it says, and what guestcpu and QEMU answer to it."""
import functools
import json
import subprocess

import hosts
import qemu

EXITS = ((0, "mwait"), (1, "hlt"), (2, "pause"), (3, "cstate"))
DISABLE_EXITS = 143
LEVELS = ("sockets", "dies", "modules", "cores", "threads")


class Topology:
    """`N`, one socket of N cores, or `N,sockets=,dies=,modules=,cores=,threads=`."""

    def __init__(self, text):
        count, *levels = text.split(",")
        self.vcpus = int(count)
        self.counts = dict.fromkeys(LEVELS, 1)
        if not levels:
            self.counts["cores"] = self.vcpus
        for level in levels:
            name, _, value = level.partition("=")
            if name not in self.counts:
                raise ValueError("no level of a topology: " + name)
            self.counts[name] = int(value)

    def said(self):
        """In full, as QEMU and guestcpu take it; levels of one are left out."""
        return "%d,%s" % (self.vcpus, ",".join(
            "%s=%d" % (name, count) for name, count in self.counts.items()
            if count > 1 or name in ("sockets", "cores", "threads")))

    def text(self):
        """As short as a row of a table has it."""
        plain = Topology(str(self.vcpus))
        return str(self.vcpus) if plain.counts == self.counts else self.said()

    def per_package(self):
        return self.vcpus // self.counts["sockets"]

    def widths(self):
        """Bits of the APIC id below each level but the first."""
        return sum((self.counts[name] - 1).bit_length() for name in LEVELS[1:])

    def id_limit(self, most=0):
        """One more than the largest APIC id, with room for `most` vCPUs."""
        inner = 1
        for name in LEVELS[1:]:
            inner *= self.counts[name]
        last, limit = max(self.vcpus, most) - 1, 0
        limit = (last // inner) << self.widths()
        shift, rest = 0, last % inner
        for name in reversed(LEVELS[1:]):
            count = self.counts[name]
            limit |= (rest % count) << shift
            rest //= count
            shift += (count - 1).bit_length()
        return limit + 1


class Case:
    """One request, and what both sides answer to it."""

    def __init__(self, columns):
        self.flags, self.irqchip, smp, extra = columns
        self.topology = Topology(smp)
        self.smp = self.topology.vcpus
        self.extra = parse_extra(extra)
        self.title = " | ".join(columns)
        self.host = self.extra.get("host")
        self.snapshot = None    # of the KVM that QEMU runs on, where there is one
        self.qemu = self.plan = self.our_error = None
        self.explained_by = set()       # ids of the rows that explain a difference

    def why_skip(self):
        """Why QEMU cannot be shown the host that the row names, or None."""
        if not self.host:
            return None
        document = read_host(self.host)
        if not document:
            return "no snapshot " + self.host
        vendor = hosts.vendor(hosts.answers(document)[0])
        if vendor != hosts.native_vendor():
            return "%s is of another vendor, %s" % (self.host, vendor)
        return None

    def document(self):
        """The snapshot that both are shown, or that was taken where QEMU ran."""
        return read_host(self.host) if self.host else hosts.read_file(self.snapshot)

    def knows_msr(self, index):
        """Whether the host that is shown has a feature MSR."""
        return index in hosts.answers(self.document())[1]

    def maxcpus(self):
        return int(self.extra.get("maxcpus", 0))

    def asked(self):
        """What qemu.ask() and qemu.command_line() take, but for the host."""
        return {"cpu": self.extra.get("qemu", self.flags),
                "irqchip": self.irqchip, "smp": self.topology.said(),
                "cpu_pm": "cpu-pm" in self.extra,
                "machine": self.extra.get("machine", "q35"),
                "maxcpus": self.maxcpus()}

    def ask_qemu(self, which):
        self.version = which.version
        host = hosts.answers(read_host(self.host)) if self.host else None
        self.qemu = qemu.ask(qemu=which, host=host, **self.asked())

    def consents(self):
        """What guestcpu is told about the VMM, so that it stands for QEMU."""
        argv = []
        if "plain-vmm" in self.extra:
            return argv
        if self.irqchip == "split":
            argv += ["--handles", "msi-ext-dest-id"]
        if self.topology.id_limit(self.maxcpus()) > 255:
            argv += ["--x2apic-ids"]
        return argv

    def refused_msrs(self):
        """MSRs whose value the host's KVM does not take."""
        if self.host:
            return hosts.refused_msrs(read_host(self.host))
        return {msr for msrs in self.qemu["refused_msrs"].values()
                for msr in msrs}

    def our_command(self, binary):
        # QEMU's machine types of today make one socket of all vCPUs.
        argv = [binary, "plan", "--json", "-c", self.flags,
                "--irqchip", self.irqchip, "--smp", self.topology.said()]
        argv += self.consents()
        if self.host or self.snapshot:
            argv += ["--host", hosts.path(self.host) if self.host
                     else self.snapshot]
        if "cpu-pm" in self.extra:
            mask = self.qemu["extensions"].get(DISABLE_EXITS, 0)
            argv += ["--disable-exits",
                     ",".join(name for bit, name in EXITS if mask >> bit & 1)]
        return argv

    def ask_us(self, binary):
        done = subprocess.run(self.our_command(binary), text=True,
                              capture_output=True, timeout=60)
        try:
            document = json.loads(done.stdout)
        except ValueError:
            document = {}
        # A request that it does not take is refused as well; QEMU does the same.
        if done.returncode not in (0, 1, 2) or not document:
            raise qemu.QemuError("guestcpu ended with %d: %s"
                                 % (done.returncode,
                                    (done.stderr or done.stdout).strip()))
        if done.returncode == 0:
            self.plan = document
        elif "error" in document:
            self.our_error = document["error"]["text"]
        else:
            self.our_error = "; ".join(
                finding["text"] for finding in document["findings"]
                if finding["severity"] == "error")


@functools.lru_cache(maxsize=None)
def read_host(name):
    return hosts.read(name)


def parse_extra(text):
    """The extra column: {word: value or True}."""
    extra = {}
    for word in text.split():
        if word != "-":
            key, _, value = word.partition("=")
            extra[key] = value or True
    return extra

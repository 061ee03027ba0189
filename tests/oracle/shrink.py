# SPDX-License-Identifier: MIT
"""Make a request smaller while the same thing is still wrong with it."""
from case import LEVELS, Topology

TRIES = 200


def without_each(words):
    """Shorter lists: halves first, then each word left out."""
    half = len(words) // 2
    if half > 1:
        yield words[:half]
        yield words[half:]
    for index in range(len(words)):
        yield words[:index] + words[index + 1:]


def smaller_topologies(text):
    topology = Topology(text)
    for plain in ("1", "2"):
        if topology.vcpus > int(plain):
            yield plain
    for name in LEVELS:
        count = topology.counts[name]
        for fewer in sorted({1, 2, 3, count // 2, count - 1}):
            if 1 <= fewer < count:
                counts = dict(topology.counts, **{name: fewer})
                total = 1
                for value in counts.values():
                    total *= value
                yield Topology("%d,%s" % (total, ",".join(
                    "%s=%d" % pair for pair in counts.items()))).text()


def smaller(columns):
    """Requests a step simpler than this one, the most promising first."""
    flags, irqchip, smp, extra = columns
    model, *items = flags.split(",")
    for kept in without_each(items):
        yield [",".join([model] + kept), irqchip, smp, extra]
    if irqchip != "kernel":
        yield [flags, "kernel", smp, extra]
    for text in smaller_topologies(smp):
        yield [flags, irqchip, text, extra]
    said = [word for word in extra.split() if word != "-"]
    for kept in without_each(said):
        yield [flags, irqchip, smp, " ".join(kept) or "-"]


def shrink(columns, still_wrong, tries=TRIES):
    """The smallest request found for which still_wrong(columns) holds."""
    seen = {tuple(columns)}
    again = True
    while again:
        again = False
        for candidate in smaller(columns):
            if tuple(candidate) in seen:
                continue
            if len(seen) > tries:
                return columns
            seen.add(tuple(candidate))
            if still_wrong(candidate):
                columns, again = candidate, True
                break
    return columns

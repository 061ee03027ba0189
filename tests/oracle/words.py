# SPDX-License-Identifier: MIT
"""The words that are compared, and how a table of either side is read."""
import functools
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
REGISTERS = ("eax", "ebx", "ecx", "edx")


@functools.lru_cache(maxsize=None)
def address(leaf, sub, register):
    return "CPUID.0x%x.0x%x.%s" % (leaf, sub, register)


def number(value):
    """A number that may be written as a hex string."""
    return int(value, 0) if isinstance(value, str) else int(value)


def places(*tables):
    """Every (leaf, sub-leaf) that one of the tables has."""
    return {(entry[0], entry[1] if entry[2] & 1 else 0)
            for table in tables for entry in table}


def vector(table, msrs, where=None):
    """{address: value} of the words at `where`, by default the table's own.

    `table` is [[function, index, flags, eax, ebx, ecx, edx]...]; an entry
    without the index flag stands for every index, as in KVM. What is not
    there is 0, as in KVM.
    """
    exact = {(entry[0], entry[1]): entry[3:] for entry in table if entry[2] & 1}
    whole = {entry[0]: entry[3:] for entry in table if not entry[2] & 1}
    words = Words()
    for leaf, sub in places(table) if where is None else where:
        values = exact.get((leaf, sub)) or whole.get(leaf) or (0, 0, 0, 0)
        for register, value in zip(REGISTERS, values):
            words[address(leaf, sub, register)] = value
    for index, value in msrs.items():
        words["MSR.0x%x" % index] = value
    return words


class Words(dict):
    """{address: value}; a word that is not there is 0."""

    def __missing__(self, key):
        return 0


def bit_names():
    """{(word, bit): name} from the project's own table, if it is there."""
    names = {}
    path = os.path.join(ROOT, "data", "x86", "fields.txt")
    if not os.path.exists(path):
        return names
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            columns = [c.strip() for c in line.split("|")]
            if line.startswith("#") or len(columns) < 4:
                continue
            match = re.fullmatch(r"(\d+)(?::(\d+))?", columns[3])
            if not match:
                continue
            high = int(match.group(1))
            low = int(match.group(2) or high)
            for bit in range(low, high + 1):
                names[(columns[2], bit)] = columns[1]
    return names


def entries(table):
    return [[number(entry["leaf"]), number(entry["subleaf"]),
             number(entry.get("flags", 0))]
            + [number(entry[register]) for register in REGISTERS]
            for entry in table]


def bits_of(value):
    return [bit for bit in range(64) if value >> bit & 1]


def read_rows(path, columns):
    """Rows of a table of ours: [(line number, [column...])...]."""
    rows = []
    with open(path, encoding="utf-8") as stream:
        for count, line in enumerate(stream, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            row = [column.strip() for column in line.split("|")]
            if len(row) != columns:
                raise ValueError("%s:%d: %d columns, not %d"
                                 % (path, count, len(row), columns))
            rows.append((count, row))
    return rows

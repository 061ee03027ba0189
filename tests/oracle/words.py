# SPDX-License-Identifier: MIT
"""The words that are compared, and how a table of either side is read."""
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
# Every CPUID word that holds feature bits: (leaf, sub-leaf, registers).
FEATURE_WORDS = (
    (0x1, 0, "ecx edx"), (0x6, 0, "eax"), (0x7, 0, "ebx ecx edx"),
    (0x7, 1, "eax ecx edx"), (0x7, 2, "edx"), (0xd, 0, "eax edx"),
    (0xd, 1, "eax ecx edx"), (0x12, 0, "eax ebx"), (0x12, 1, "eax"),
    (0x14, 0, "ebx ecx"), (0x1e, 1, "eax"), (0x24, 0, "ebx"),
    (0x40000001, 0, "eax edx"), (0x80000001, 0, "ecx edx"),
    (0x80000007, 0, "ebx edx"), (0x80000008, 0, "ebx"),
    (0x8000000a, 0, "edx"), (0x8000001f, 0, "eax"),
    (0x80000021, 0, "eax ecx"), (0x80000022, 0, "eax"),
    (0xc0000001, 0, "edx"))
# IA32_CORE_CAPABILITIES, IA32_ARCH_CAPABILITIES, IA32_PERF_CAPABILITIES.
FEATURE_MSRS = (0xcf, 0x10a, 0x345)
REGISTERS = ("eax", "ebx", "ecx", "edx")


def address(leaf, sub, register):
    return "CPUID.0x%x.0x%x.%s" % (leaf, sub, register)


def number(value):
    """A number that may be written as a hex string."""
    return int(value, 0) if isinstance(value, str) else int(value)


def vector(table, msrs):
    """{address: value} of the compared words.

    `table` is [[function, index, flags, eax, ebx, ecx, edx]...]; an entry
    without the index flag stands for every index, as in KVM.
    """
    words = {}
    for leaf, sub, registers in FEATURE_WORDS:
        found = next((e for e in table if e[0] == leaf
                      and (not e[2] & 1 or e[1] == sub)), None)
        for register in registers.split():
            value = found[3 + REGISTERS.index(register)] if found else 0
            words[address(leaf, sub, register)] = value
    for index in FEATURE_MSRS:
        words["MSR.0x%x" % index] = msrs.get(index, 0)
    return words


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

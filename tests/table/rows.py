# SPDX-License-Identifier: MIT
"""Reads our own tables, for what compares them with other people's."""

import sys


def rows(path, columns):
    """Rows of one of our tables."""
    out = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if not line.strip() or line.startswith("#"):
                continue
            cells = [c.strip() for c in line.split("|")]
            if len(cells) != columns:
                sys.exit(f"{path}:{number}: {len(cells)} columns, expected {columns}")
            out.append(cells)
    return out

# SPDX-License-Identifier: MIT
"""Kernel modules of an unpacked package: what to load, in which order.

A package that was never installed has no modules.dep, so dependencies are
read from the modules' own .modinfo text.
"""

import lzma
import os
import re
import subprocess

NAME = re.compile(r"(?P<stem>.+)\.ko(?P<packed>\.xz|\.zst|\.gz)?$")


def read(path):
    """The bytes of a module, decompressed."""
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith((".zst", ".gz")):
        tool = "zstd" if path.endswith(".zst") else "gzip"
        return subprocess.run([tool, "-dc"], input=data, stdout=subprocess.PIPE,
                              check=True, timeout=120).stdout
    return data


def plain_name(path):
    """kvm-amd.ko.xz -> kvm_amd, the name the kernel itself uses."""
    match = NAME.match(os.path.basename(path))
    return match["stem"].replace("-", "_") if match else None


def find_modules(tree):
    """{name: path} of every module below .../lib/modules/RELEASE."""
    found = {}
    for where, _, files in os.walk(os.path.join(tree, "kernel")):
        for file in files:
            name = plain_name(file)
            if name:
                found[name] = os.path.join(where, file)
    return found


def depends(path):
    """Names of the modules that the module at `path` needs."""
    match = re.search(rb"\0depends=([^\0]*)\0", read(path))
    words = match[1].decode("ascii").split(",") if match else []
    return [word.replace("-", "_") for word in words if word]


def load_order(tree, wanted):
    """Paths of the wanted modules and all they need, in insmod order.
    A module that is not there is taken to be built in."""
    found = find_modules(tree)
    order = []

    def visit(name):
        path = found.get(name)
        if path is None or path in order:
            return
        for other in depends(path):
            visit(other)
        order.append(path)

    for name in wanted:
        visit(name.replace("-", "_"))
    return order

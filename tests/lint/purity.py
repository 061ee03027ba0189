#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The core asks nothing of the machine: purity.py libgcpu_core.a

Every symbol that its objects need is one of their own, or on this list.
"""
import re
import sys

from common import finish, symbols

ALLOWED = set("""
    memcpy memmove memset memcmp memchr
    strlen strcmp strncmp strchr strrchr strstr strcpy strncpy strcat strncat strnlen
    malloc calloc realloc free qsort snprintf vsnprintf
    __stack_chk_fail _GLOBAL_OFFSET_TABLE_
""".split())

# What compilers put in by themselves: fortified forms of the above, sanitizers, coverage.
HELPERS = re.compile(r"__(?:mem|str)[a-z]+_chk|__v?snprintf_chk|__(?:asan|ubsan|sanitizer|sancov|llvm|gcov)_\w+|"
                     r"__(?:start|stop)___sancov\w*")


def main(path):
    rows = symbols(path)
    own = {name for _, kind, name in rows if kind not in "Uw"}
    problems = []
    for where, kind, name in rows:
        if kind in "Uw" and name not in own and name not in ALLOWED and not HELPERS.fullmatch(name):
            problems.append(f"{where}: needs {name}")
    finish("purity", problems, len(own))


main(sys.argv[1])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every header compiles on its own, twice in one file, without a warning.

    headers.py SOURCE BUILD COMPILER...

Public headers (<guestcpu/x.h>) as C11, pedantic, as GNU C89 and as C++11; ours
as GNU C11. Exit status 0, 1, or 77 if nothing could be tried.
"""
import pathlib
import subprocess
import sys
import tempfile

USE = """#include <guestcpu/plan.h>
int use(const struct gcpu_plan *plan, unsigned n);
int use(const struct gcpu_plan *plan, unsigned n) { return gcpu_plan_has(plan, n); }
"""


def compiles(compiler, language, includes, text):
    run = subprocess.run(
        [*compiler, *language, '-fsyntax-only', '-Wall', '-Wextra', '-Werror', '-Wshadow', '-Wundef',
         *(f'-I{i}' for i in includes), '-'], input=text, text=True, capture_output=True)
    return run.returncode == 0, run.stderr


def main():
    source, build = (pathlib.Path(p) for p in sys.argv[1:3])
    compiler = sys.argv[3:]
    includes = [source / 'include', build / 'include', source / 'src', source / 'src/core', source / 'src/run',
                source / 'guest', build / 'gen']
    headers = sorted({f'guestcpu/{h.name}' for root in (source, build)
                      for h in (root / 'include/guestcpu').glob('*.h')})
    headers += sorted(str(h.relative_to(source / 'src')) for h in (source / 'src').rglob('*.h'))
    languages = {
        'C11': ['-xc', '-std=c11', '-pedantic'],
        'GNU C89': ['-xc', '-std=gnu89'],
        'GNU C11': ['-xc', '-std=c11', '-D_GNU_SOURCE'],
        'C++11': ['-xc++', '-std=c++11', '-pedantic'],
    }
    for name in list(languages):
        ok, _ = compiles(compiler, languages[name], [], 'int one;\n')
        if not ok:
            print(f'this compiler has no {name}')
            del languages[name]
    failed = tried = 0
    for header in headers:
        public = header.startswith('guestcpu/')
        for name, language in languages.items():
            if public == (name == 'GNU C11'):
                continue
            ok, why = compiles(compiler, language, includes, f'#include <{header}>\n' * 2 + 'int here;\n')
            tried += 1
            if not ok:
                failed += 1
                print(f'FAIL {header} as {name}:\n{why}')
        if public and 'C++11' in languages:
            failed += check_linkage(compiler, languages['C++11'], includes, header)
    for name, language in languages.items():
        failed += check_inline(compiler, name, language, includes)
    print(f'{tried} compiled, {failed} failed')
    return 1 if failed else 0 if tried else 77


def check_inline(compiler, name, language, includes):
    """What a header defines is in as many objects as include it: none has a definition of its own that
    another's would meet. A program that does not inline it needs the library's, or in C++ has a weak one."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        out = str(pathlib.Path(folder, 'one.o'))
        for optimize, wanted in (('-O0', 'W' if '-xc++' in language else 'U'), ('-O2', None)):
            run = subprocess.run([*compiler, *language, optimize, '-c', '-Wall', '-Wextra', '-Werror',
                                  '-Wmissing-prototypes' if '-xc' in language else '-Wall',
                                  *(f'-I{i}' for i in includes), '-o', out, '-'], input=USE, text=True, capture_output=True)
            names = subprocess.run(['nm', out], text=True, capture_output=True).stdout.split('\n')
            kinds = [line.split()[-2] for line in names if line.endswith(' gcpu_plan_has')]
            if run.returncode or kinds != [wanted] * bool(wanted):
                failed += 1
                print(f'FAIL gcpu_plan_has as {name} {optimize}: {kinds}\n{run.stderr}')
    return failed


def check_linkage(compiler, language, includes, header):
    """Functions of a public header have C linkage in C++: else they would link to nothing."""
    run = subprocess.run([*compiler, *language, '-E', '-P', *(f'-I{i}' for i in includes), '-'],
                         input=f'#include <{header}>\n', text=True, capture_output=True)
    depth, outside = 0, []
    inside = []
    for line in run.stdout.splitlines():
        if 'extern "C"' in line and '{' in line:
            inside.append(depth)
        depth += line.count('{') - line.count('}')
        if inside and depth <= inside[-1]:
            inside.pop()
        if 'gcpu_' in line and '(' in line and '(*' not in line and not inside:
            outside.append(line.strip())
    for line in outside:
        print(f'FAIL {header}: no C linkage: {line}')
    return len(outside)


if __name__ == '__main__':
    sys.exit(main())

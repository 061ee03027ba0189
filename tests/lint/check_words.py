#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Commands and options are the same wherever they are named.

usage: check_words.py GUESTCPU [MAN] [COMPLETION] [DOCUMENT...]

What `guestcpu --help` and `guestcpu COMMAND --help` print is compared with the
manual page (SYNOPSIS, COMMANDS, OPTIONS), with what the bash completion really
offers, and with the command lines in README.md and docs/*.md. The properties of
requests in the page are compared with data/*/properties.txt.
"""
import glob
import json
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPTION = re.compile(r"^  (?:(-\w),|   ) (--[\w-]+)(?: (\S+))?  +(\S.*)$")
GLOBAL = ""
# Options that are something else in another command; each of their forms stands in the page.
TWO_FORMS = {"--on"}

wrong = []


def complain(where, text):
    wrong.append(f"{where}: {text}")


def same(where, what, expected, found):
    for word in sorted(set(expected) - set(found)):
        complain(where, f"{what}: '{word}' is missing")
    for word in sorted(set(found) - set(expected)):
        complain(where, f"{what}: '{word}' is not in --help")


def run(tool, *args):
    done = subprocess.run([tool, *args], capture_output=True, text=True, timeout=30)
    if done.returncode or done.stderr:
        sys.exit(f"{tool} {' '.join(args)}: exit {done.returncode}, {done.stderr.strip()}")
    return done.stdout


class Help:
    """What the command says of itself."""

    def __init__(self, tool):
        text = run(tool, "--help")
        part = re.search(r"^commands:\n((?:  .*\n)+)", text, re.M)
        self.commands = [line.split()[0] for line in part.group(1).splitlines()]
        self.options = {GLOBAL: self.parse("guestcpu --help", text)}
        for command in self.commands:
            text = run(tool, command, "--help")
            if not text.startswith(f"guestcpu {command}: "):
                complain("guestcpu --help", f"'{command}' has no help of its own")
            self.options[command] = self.parse(f"guestcpu {command} --help", text)
        self.all = {}
        for command, options in self.options.items():
            for name, fact in options.items():
                forms = self.all.setdefault(name, [])
                if fact not in forms:
                    forms.append(fact)
                if len(forms) > 1 and name not in TWO_FORMS:
                    complain(f"guestcpu {command} --help", f"'{name}' differs from elsewhere")

    @staticmethod
    def parse(where, text):
        options = {}
        part = re.search(r"^options:\n((?:  .*\n)+)", text, re.M)
        for line in part.group(1).splitlines() if part else []:
            m = OPTION.match(line)
            if not m:
                complain(where, f"cannot read '{line}'")
                continue
            options[m.group(2)] = (m.group(1), m.group(3))
        return options

    def words(self, command):
        """Long and short options of a command, --help everywhere."""
        out = set()
        for name, (letter, _) in self.options[command].items():
            out |= {name, letter} - {None}
        return out


def sections(page):
    parts, name = {}, None
    for line in page.splitlines():
        if line.startswith(".Sh "):
            name = line[4:]
            parts[name] = []
        elif name:
            parts[name].append(line)
    return parts


def check_synopsis(where, lines, h):
    found, command = {}, None
    for line in lines:
        if line.startswith(".Nm"):
            command = GLOBAL
        elif line.startswith(".Cm "):
            command = line.split()[1]
            if command in found:
                complain(where, f"SYNOPSIS has '{command}' twice")
            found[command] = {}
        for m in re.finditer(r"(?:Fl|\|) -?(-?[\w-]+)(?: Ar (\S+))?", line):
            found.setdefault(command, {})["--" + m.group(1).lstrip("-")] = m.group(2)
    same(where, "SYNOPSIS", h.commands, [c for c in found if c])
    same(where, "SYNOPSIS without a command", h.options[GLOBAL], found.get(GLOBAL, {}))
    for command in set(h.commands) & set(found):
        expected = set(h.options[command]) - {"--help"}
        same(where, f"SYNOPSIS of {command}", expected, found[command])
        for name in expected & set(found[command]):
            if bool(found[command][name]) != bool(h.options[command][name][1]):
                complain(where, f"SYNOPSIS of {command}: '{name}' and its value")


def check_options(where, lines, h):
    found = {}
    for line in lines:
        m = re.match(r"\.It (?:Fl (\w) , )?Fl -([\w-]+)(?: (.*))?$", line)
        if m:
            value = re.sub(r"\b(Cm|Ar|Ns)\b|\s", "", m.group(3) or "") or None
            form = (m.group(1) and "-" + m.group(1), value)
            if form in found.get("--" + m.group(2), []):
                complain(where, f"OPTIONS has '--{m.group(2)}' twice")
            found.setdefault("--" + m.group(2), []).append(form)
        elif line.startswith(".It"):
            complain(where, f"OPTIONS: cannot read '{line}'")
    same(where, "OPTIONS", h.all, found)
    for name in set(h.all) & set(found):
        if sorted(h.all[name], key=str) != sorted(found[name], key=str):
            complain(where, f"OPTIONS: {name} is {found[name]}, not {h.all[name]}")


def check_properties(where, lines):
    known, found = set(), set()
    for path in glob.glob(os.path.join(ROOT, "data/*/properties.txt")):
        with open(path, encoding="utf-8") as f:
            known |= {name for line in f if line.strip() and not line.startswith("#")
                      for name in line.split("|")[0].split()}
    for line in lines:
        if line.startswith(".It "):
            found |= set(re.findall(r"Cm (\S+) Ns = Ns (?:Cm (?:on|off)|Ar [A-Z]+)(?= ,|$)", line))
    for name in sorted(known ^ found):
        complain(where, f"REQUESTS: property '{name}' is "
                        + ("missing" if name in known else "not in data/*/properties.txt"))


def check_man(path, h):
    with open(path, encoding="utf-8") as f:
        parts = sections(f.read())
    where = os.path.relpath(path)
    for name in ("SYNOPSIS", "COMMANDS", "OPTIONS", "REQUESTS", "EXIT STATUS", "EXAMPLES"):
        if name not in parts:
            complain(where, f"no section {name}")
            parts[name] = []
    check_synopsis(where, parts["SYNOPSIS"], h)
    found = [line.split()[2] for line in parts["COMMANDS"] if line.startswith(".It Cm ")]
    same(where, "COMMANDS", h.commands, found)
    check_options(where, parts["OPTIONS"], h)
    check_properties(where, parts["REQUESTS"])
    for name, lines in parts.items():
        for m in re.finditer(r"\bFl -([\w-]+)", "\n".join(lines)):
            if "--" + m.group(1) not in h.all:
                complain(where, f"{name}: no such option '--{m.group(1)}'")
    text = "\n".join(parts["EXAMPLES"])
    for line in re.findall(r"^guestcpu .*$", text, re.M):
        check_line(where, line, h)


COMPLETE = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_guestcpu
printf '%s\\n' "${COMPREPLY[@]}"
"""


def complete(path, tool, *words):
    done = subprocess.run(["bash", "-c", COMPLETE, "bash", path, tool, *words],
                          capture_output=True, text=True, timeout=30)
    if done.returncode or done.stderr:
        complain(os.path.relpath(path), f"completing {words}: {done.stderr.strip()}")
    return [word for word in done.stdout.split("\n") if word]


def check_completion(path, tool, h):
    where = os.path.relpath(path)
    same(where, "commands", h.commands, complete(path, tool, ""))
    same(where, "options without a command", h.words(GLOBAL), complete(path, tool, "-"))
    for command in h.commands:
        offered = complete(path, tool, command, "-")
        same(where, f"options of {command}", h.words(command), offered)
        if len(offered) != len(set(offered)):
            complain(where, f"options of {command}: one stands there twice")
        for name, (letter, value) in sorted(h.options[command].items()):
            if name == "--cpu":
                check_presets(where, path, tool, command)
            choices = value.split("|") if value and re.fullmatch(r"[a-z0-9|-]+", value) else None
            for word in filter(None, (name, letter)):
                if choices:
                    same(where, f"values of {word}", choices, complete(path, tool, command, word, ""))
                options = set(complete(path, tool, command, word, "-")) & h.words(command)
                if value and options:
                    complain(where, f"'{word}' takes a value, and options are offered for it")
                elif not value and not options:
                    complain(where, f"'{word}' takes no value, and one is offered for it")


def check_presets(where, path, tool, command):
    """A shell parts words at "=": the request so far, "=", what stands behind it."""
    done = subprocess.run([tool, "features", "--arch", "x86", "--presets", "--json"], capture_output=True, text=True,
                          check=True, timeout=30)
    for preset in json.loads(done.stdout)["presets"]:
        offered = complete(path, tool, command, "-c", "host," + preset["property"], "=", preset["name"][:2])
        same(where, f"preset {preset['name']}", [preset["name"]], offered)


def check_line(where, line, h):
    """One command line of a document."""
    line = re.split(r"\s{2,}|\s[|>#&]", line.strip())[0]
    words = line.split()[1:]
    if not words:
        return
    if words[0] not in h.commands:
        if words[0] != "COMMAND" and words[0] not in h.words(GLOBAL):
            complain(where, f"no such command: '{line}'")
        return
    for word in words[1:words.index("--") if "--" in words else None]:
        option = word.strip("[]").split("=")[0]
        if option.startswith("-") and option != "-" and option not in h.words(words[0]):
            complain(where, f"no such option '{option}' of {words[0]}: '{line}'")


def check_document(path, h):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    found = re.findall(r"^(?:    |\$ )(guestcpu .*)$", text, re.M)
    found += re.findall(r"`(guestcpu [^`]*)`", text)
    for line in found:
        check_line(os.path.relpath(path), line, h)
    return len(found)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    tool = os.path.abspath(sys.argv[1])
    given = sys.argv[2:] + [None] * 2
    man = given[0] or os.path.join(ROOT, "man/guestcpu.1")
    completion = given[1] or os.path.join(ROOT, "completions/guestcpu.bash")
    documents = [d for d in sys.argv[4:]] or [os.path.join(ROOT, "README.md")] + sorted(
        glob.glob(os.path.join(ROOT, "docs/*.md")))
    h = Help(tool)
    check_man(man, h)
    check_completion(completion, tool, h)
    lines = sum(check_document(path, h) for path in documents)
    if not lines:
        complain("README.md", "no command line found in any document")
    for text in wrong:
        print(text)
    if not wrong:
        print(f"{len(h.commands)} commands, {len(h.all)} options, {lines} command lines: "
              "the same in help, man page, completion and documents")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

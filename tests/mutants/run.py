#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Does the conformance suite notice a software KVM that is wrong?

run.py SOURCE BUILD RESULTS [NAME...]

Each block of mutants.txt changes one place of the model; the command is linked once more with that one
object instead of its own, and the conformance suite run on a model that the change touches must fail, in
the case that the block names. First of all it must pass without any change.
"""
import json
import os
import shlex
import subprocess
import sys
import tempfile

KEYS = ("file", "on", "case")


def fail(text):
    sys.exit(f"mutants: {text}")


def read(path):
    """Blocks: == name, key: value, lines with '- ' are replaced by those with '+ '."""
    out = []
    for number, line in enumerate(open(path, encoding="utf-8").read().split("\n"), 1):
        where = f"{path}:{number}"
        if line.startswith("=="):
            out.append({"name": line[2:].strip(), "where": where, "old": [], "new": []})
        elif not line.strip() or line.startswith("#"):
            continue
        elif not out:
            fail(f"{where}: a line before the first '== name'")
        elif line.startswith(("- ", "+ ")):
            out[-1]["old" if line[0] == "-" else "new"].append(line[2:])
        else:
            key, _, value = line.partition(":")
            if key not in KEYS:
                fail(f"{where}: '{key}' is not one of {', '.join(KEYS)}")
            out[-1][key] = value.strip()
    for m in out:
        for key in KEYS:
            if key not in m:
                fail(f"{m['where']}: {m['name']} has no '{key}:'")
    return out


def mutate(source, m):
    """The file with the change, which must fit in exactly one place; blanks at the ends of lines aside."""
    lines = open(os.path.join(source, m["file"]), encoding="utf-8").read().split("\n")
    old = [l.strip() for l in m["old"]]
    places = [i for i in range(len(lines)) if old and [l.strip() for l in lines[i:i + len(old)]] == old]
    if len(places) != 1:
        fail(f"{m['where']}: {m['name']}: its lines are {len(places)} times in {m['file']}")
    return "\n".join(lines[:places[0]] + m["new"] + lines[places[0] + len(old):])


def compile_command(build, source, name):
    path = os.path.realpath(os.path.join(source, name))
    for c in json.load(open(os.path.join(build, "compile_commands.json"), encoding="utf-8")):
        if os.path.realpath(os.path.join(c["directory"], c["file"])) == path:
            return shlex.split(c["command"])
    return fail(f"{name} is compiled nowhere")


def build_mutant(source, build, m, folder, link):
    changed, obj, exe = (os.path.join(folder, m["name"] + e) for e in (".c", ".o", ""))
    with open(changed, "w", encoding="utf-8") as f:
        f.write(mutate(source, m))
    command = compile_command(build, source, m["file"])
    at = command.index("-o")
    command[at + 1] = obj
    command[-1] = changed
    command += ["-I" + os.path.join(os.path.realpath(source), os.path.dirname(m["file"])), "-w"]
    subprocess.run(strip(command), cwd=build, check=True)
    linked = list(link)
    linked[linked.index("-o") + 1] = exe
    linked.insert(linked.index(exe) + 1, obj)
    subprocess.run(linked, cwd=build, check=True)
    return exe


def strip(command):
    """Without what is for ninja's own book-keeping."""
    out, skip = [], False
    for word in command:
        if skip:
            skip = False
        elif word in ("-MF", "-MQ"):
            skip = True
        elif word != "-MD":
            out.append(word)
    return out


def conform(exe, on):
    """Names of the cases that failed."""
    r = subprocess.run([exe, "conform", "--on", on, "--json"], stdout=subprocess.PIPE, timeout=120, check=False)
    if r.returncode not in (0, 1):
        return [f"exit code {r.returncode}"]
    return [c["name"] for c in json.loads(r.stdout)["cases"] if c["outcome"] == "failed"]


def main(source, build, results, *names):
    mutants = read(os.path.join(os.path.dirname(__file__), "mutants.txt"))
    build = os.path.abspath(build)
    link = shlex.split(subprocess.run(["ninja", "-C", build, "-t", "commands", "guestcpu"], check=True,
                                      stdout=subprocess.PIPE, text=True).stdout.strip().split("\n")[-1])
    survived = 0
    for on in sorted({m["on"] for m in mutants}):
        failed = conform(os.path.join(build, "guestcpu"), on)
        if failed:
            fail(f"{on} fails without any change: {' '.join(failed[:5])}")
    with tempfile.TemporaryDirectory() as folder:
        for m in mutants:
            if names and m["name"] not in names:
                continue
            failed = conform(build_mutant(source, build, m, folder, link), m["on"])
            killed = m["case"] in failed
            survived += not killed
            print(f"{'killed' if killed else 'SURVIVED':9}{m['name']:32}{m['on']:34}"
                  + (f"by {m['case']}, {len(failed)} failed" if killed else
                     f"{m['case']} did not notice; failed: {' '.join(failed[:4]) or 'nothing'}"))
    n = len(names) or len(mutants)
    line = f"mutants: {n - survived} of {n} killed"
    print(line)
    if not names:
        os.makedirs(results, exist_ok=True)
        with open(os.path.join(results, "mutants.txt"), "w", encoding="utf-8") as f:
            f.write(line + "\n")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

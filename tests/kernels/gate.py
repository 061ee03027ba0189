# SPDX-License-Identifier: MIT
"""What the gates of this tier share: the hosts, what cannot be had, what is kept and told, and how it ends.

A gate's finding is a dictionary: "status" 0, 1 or 4, "line" to tell, "failed" lines.
"""

import argparse
import glob
import json
import os

import static
from aptstate import CannotBeHad

# The best that QEMU has of each; pauth-impdef is three times as fast to emulate as the architecture's own algorithm.
CPU = {"x86": "max,-cx16", "arm64": "max,pauth-impdef=on"}
MACHINE = {"x86": "", "arm64": "mte=on"}
SKIP = 77


def options(document, required=(), **more):
    """A parser for what every gate takes; MORE: further options, as name=help."""
    parser = argparse.ArgumentParser(description=document.split("\n", 1)[0])
    for name, text in {"build": "where the static commands are built", "results": "where what has run is kept",
                       **more}.items():
        parser.add_argument("--" + name, required=name in required, help=text)
    parser.add_argument("--report", action="store_true", help="newer kernels: tell, never fail")
    return parser


def no_verdict(result):
    """The finding of a boot that was no verdict, else None."""
    if result["status"] == "done":
        return None
    return {"status": 4, "line": f"infrastructure: {result['attempts'][-1]['reason']}", "failed": []}


def tried(what, run):
    """What run() finds; where it cannot be tried that is told, and the finding is a status alone."""
    try:
        return run()
    except CannotBeHad as error:
        print(f"SKIP: kernels: {what}: {error}", flush=True)
        return {"status": SKIP}
    except static.BuildFailed as error:
        print(f"{what}: the static command does not build: {error}", flush=True)
        return {"status": 1}


def tell(where, found, most=None):
    """The first MOST lines of what failed, and the finding's own."""
    for line in found["failed"][:most]:
        print(line)
    print(f"{where}: {found['line']}", flush=True)


def keep(results, name, document):
    """A result that kept() gives back, where there is a folder for it."""
    if results:
        os.makedirs(results, exist_ok=True)
        with open(os.path.join(results, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(document, file)


def kept(results, gate):
    """Every result that a gate has kept."""
    for path in sorted(glob.glob(os.path.join(results, gate + "-*.json"))):
        with open(path, encoding="utf-8") as file:
            yield json.load(file)


def ended(statuses, report):
    """The exit status of a gate that has tried several."""
    verdicts = [status for status in statuses if status != SKIP]
    return 0 if report else max(verdicts, default=SKIP)

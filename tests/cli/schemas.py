# SPDX-License-Identifier: MIT
"""Documents of the command against docs/schema.

Needs python3-jsonschema; whoever imports this runs once more with the system's Python if that has it.
"""
import functools
import json
import os
import subprocess
import sys

try:
    import jsonschema
except ImportError:
    SYSTEM = "/usr/bin/python3"
    if sys.executable != SYSTEM and os.path.exists(SYSTEM) and subprocess.run(
            [SYSTEM, "-c", "import jsonschema"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        os.execv(SYSTEM, [SYSTEM, *sys.argv])
    jsonschema = None

import cli

MISSING = None if jsonschema else "no jsonschema (Debian: python3-jsonschema)"


def tighten(schema):
    """A key that no schema names is a mistake of ours, though readers must bear it."""
    if isinstance(schema, list):
        for part in schema:
            tighten(part)
    elif isinstance(schema, dict):
        for part in schema.values():
            tighten(part)
        if "object" in schema.get("type", ()) and "properties" in schema:
            schema["additionalProperties"] = False


@functools.lru_cache
def validator(name):
    path = os.path.join(cli.ROOT, "docs/schema", name + ".schema.json")
    with open(path, encoding="utf-8") as f:
        schema = json.load(f)
    jsonschema.Draft202012Validator.check_schema(schema)
    tighten(schema)
    return jsonschema.Draft202012Validator(schema)


def errors(name, doc):
    """What is wrong with a document of that schema, the first few. Not asked under sanitizers: the document
    is the same there, and this takes longer than to make it."""
    if os.environ.get("GUESTCPU_SANITIZED"):
        return []
    found = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in validator(name).iter_errors(doc)]
    return found[:5]

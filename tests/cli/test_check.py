#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What scripts/check.sh says of tests that did not pass: scripts/failures.py on a log such as Meson writes."""
import json
import os
import subprocess
import sys

import cli

TESTS = [
    {"name": "fine", "result": "OK", "duration": 1.0, "stdout": "nothing to see"},
    {"name": "left-out", "result": "SKIP", "duration": 0.0, "stdout": "SKIP: no KVM"},
    {"name": "wrong", "result": "FAIL", "duration": 2.4, "stdout": "".join(f"line {n}\n" for n in range(40)), "stderr": "the end\n"},
    {"name": "endless", "result": "TIMEOUT", "duration": 30.2, "stdout": ""},
]


class Check(cli.Test):
    def said(self, tests):
        path = os.path.join(cli.scratch(), "testlog.json")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(t) + "\n" for t in tests)
        return subprocess.run([sys.executable, os.path.join(cli.ROOT, "scripts/failures.py"), path], capture_output=True,
                              text=True, check=True).stdout.splitlines()

    def test_failures(self):
        said = self.said(TESTS)
        self.assertEqual([line for line in said if not line.startswith(" ")],
                         ["wrong: fail after 2 s", "endless: timeout after 30 s"])
        self.assertIn("  the end", said)
        self.assertIn("  line 39", said)
        self.assertNotIn("  line 0", said)

    def test_none(self):
        self.assertEqual(self.said(TESTS[:2]), [])


if __name__ == "__main__":
    sys.exit(cli.main())

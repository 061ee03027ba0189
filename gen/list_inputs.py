# SPDX-License-Identifier: MIT
"""Lists every file of data/, for the build's dependencies."""

import os
import sys

for root, dirs, names in os.walk(sys.argv[1]):
    dirs.sort()
    for name in sorted(names):
        if name.endswith((".txt", ".json")):
            print(os.path.join(root, name))

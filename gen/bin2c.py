#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write a binary file as a C array: bin2c.py IN OUT NAME"""
import sys


def main(argv):
    if len(argv) != 4:
        sys.exit(__doc__)
    with open(argv[1], 'rb') as f:
        data = f.read()
    if not data:
        sys.exit('bin2c.py: %s is empty' % argv[1])
    lines = ['/* Made by gen/bin2c.py, do not edit. */',
             'static const unsigned char %s[%d] = {' % (argv[3], len(data))]
    for at in range(0, len(data), 16):
        lines.append('\t' + ' '.join('%d,' % b for b in data[at:at + 16]))
    lines += ['};', '']
    with open(argv[2], 'w', encoding='ascii') as f:
        f.write('\n'.join(lines))


main(sys.argv)

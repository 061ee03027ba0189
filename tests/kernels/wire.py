# SPDX-License-Identifier: MIT
"""The records that the guest writes to its data port (see init.sh).

    @@guestcpu NONCE
    @KIND INDEX BYTES SHA256
    BYTES bytes, then a newline
    ...
    @@end NONCE

SHA256 is over "KIND INDEX\\n" and the bytes.  Nothing but the guest's own
process 1 writes there, so kernel messages cannot get in between; a count or a
checksum that is wrong is a broken frame.
"""

import hashlib
import re

HEADER = re.compile(rb"@([a-z]+) (\d+) (\d+) ([0-9a-f]{64})\n")


class BrokenFrame(Exception):
    """The guest's records are cut off or damaged."""


def checksum(label, body):
    return hashlib.sha256(label + b"\n" + body).hexdigest().encode("ascii")


def parse(data, nonce):
    """[(kind, index, bytes)] of a complete stream; raises BrokenFrame, with
    the records read so far in its attribute `records`."""
    records = []

    def broken(why):
        error = BrokenFrame(why)
        error.records = records
        return error

    opening = f"@@guestcpu {nonce}\n".encode("ascii")
    closing = f"@@end {nonce}\n".encode("ascii")
    start = data.find(opening)
    if start < 0:
        raise broken("the guest never opened its data port")
    at = start + len(opening)
    while True:
        if data.startswith(closing, at):
            if at + len(closing) != len(data):
                raise broken("there is something after the end marker")
            return records
        header = HEADER.match(data, at)
        if not header:
            if len(data) - at < 120:
                raise broken(f"the records stop after {len(records)}")
            raise broken(f"record {len(records)} has a damaged header")
        count = int(header[3])
        body = data[header.end():header.end() + count]
        at = header.end() + count + 1
        if len(body) != count or data[at - 1:at] != b"\n":
            raise broken(f"record {len(records)} ({header[1].decode()}) is cut off")
        if checksum(header[1] + b" " + header[2], body) != header[4]:
            raise broken(f"record {len(records)} ({header[1].decode()}) has a wrong checksum")
        records.append((header[1].decode("ascii"), int(header[2]), body))

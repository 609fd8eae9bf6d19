#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""remains.py KEYLOG PID... - which of its secrets these processes have in memory

For each prints the PID and the secret's label. Looked for are their ends, as
malloc() writes into the beginning of what is free.
"""
import sys

# Larger ones are for records, or a sanitizer's own.
MAPPING_MAX = 64 << 20


def memory(pid):
    with open(f"/proc/{pid}/maps") as maps, \
            open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in maps:
            bounds, access = line.split()[:2]
            start, end = (int(x, 16) for x in bounds.split("-"))
            if access == "rw-p" and end - start <= MAPPING_MAX:
                mem.seek(start)
                yield mem.read(end - start)


def main():
    with open(sys.argv[1]) as log:
        secrets = [line.split() for line in log]
    for pid in sys.argv[2:]:
        for part in memory(pid):
            for label, _, secret in secrets:
                end = bytes.fromhex(secret)[-16:]
                if end in part or end.hex().encode() in part:
                    print(pid, label)


main()

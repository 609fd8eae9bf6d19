#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""given.py SOCKET... -- COMMAND... - start it as a service manager would

SOCKET is ADDRESS:PORT, [ADDRESS]:PORT or unix:PATH of a stream socket that
listens, udp:ADDRESS:PORT, or bound:ADDRESS:PORT of one that does not. They become
descriptors from 3 on, non-blocking, with LISTEN_FDS and its like.
"""
import os
import socket
import sys


def make(text):
    kind, rest = socket.SOCK_STREAM, text
    if text.startswith("unix:"):
        s = socket.socket(socket.AF_UNIX, kind)
        s.bind(text[5:])
    else:
        if text.startswith("udp:"):
            kind, rest = socket.SOCK_DGRAM, text[4:]
        elif text.startswith("bound:"):
            rest = text[6:]
        host, port = rest.rsplit(":", 1)
        six = host.startswith("[")
        s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((host.strip("[]"), int(port)))
    s.setblocking(False)
    if rest == text and kind == socket.SOCK_STREAM:
        s.listen(512)
    return s


def main():
    split = sys.argv.index("--")
    sockets = [make(text) for text in sys.argv[1:split]]
    high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(sockets)]
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i)
    os.closerange(3 + len(high), 200)
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)),
                      LISTEN_FDNAMES=":".join("x" * len(high)))
    os.execvp(sys.argv[split + 1], sys.argv[split + 1:])


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A new ktlsd that does not get there: what SUCCESSOR in the environment says

exits, killed           before it says a word
older                   it speaks another version
garbage, unasked        what it says first makes no sense, or is for later
killed-hello            it says hello, and is killed
killed-state            it has heard that there is a state
killed-all              it has got all that there is, and is killed
listens                 likewise, after it has accepted from all that listens
waits                   it has got all, and does nothing
"""
import array
import os
import signal
import socket
import struct
import sys

HELLO, STATE, FDS, SERVES = 1, 3, 4, 5


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def message(kind, version=1, number=0):
    return b"ktlsd-u\0" + struct.pack("=3I204x", version, kind, number)


def receive(s):
    size = array.array("i").itemsize
    data, control, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(253 * size))
    fds = array.array("i")
    for _, _, part in control:
        fds.frombytes(part[:len(part) - len(part) % size])
    return data, list(fds)


def main():
    role = os.environ["SUCCESSOR"]
    if role == "exits":
        sys.exit(3)
    if role == "killed":
        die()
    s = socket.socket(fileno=int(os.environ["KTLSD_UPGRADE"]))
    if role == "garbage":
        s.send(b"x" * 40)
    elif role == "unasked":
        s.send(message(SERVES))
    else:
        s.send(message(HELLO, 0 if role == "older" else 1))
    if role == "killed-hello":
        die()
    if role in ("garbage", "unasked", "older"):
        data, _ = receive(s)
        print("heard:", data[20:].split(b"\0")[0].decode(), file=sys.stderr)
        signal.pause()
    data, fds = receive(s)
    want, got = struct.unpack_from("=I", data, 16)[0], []
    if role == "killed-state":
        die()
    while len(got) < want:
        got += receive(s)[1]
    print(f"got {len(got)} descriptors", file=sys.stderr, flush=True)
    if role == "waits":
        signal.pause()
    for fd in got:
        t = socket.socket(fileno=os.dup(fd))
        if role == "listens" and t.getsockopt(socket.SOL_SOCKET,
                                              socket.SO_ACCEPTCONN):
            t.listen(1)
    die()


main()

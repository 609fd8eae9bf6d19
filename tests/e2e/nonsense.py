#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""nonsense.py hello|queue|crowd|shut PATH - what a hostile consumer may do

hello: to a route's registration socket. Prints how often each status of an
       answer came (status=N times=N), hung_up for none.
queue: registers, and writes messages that are not ktlsd's to the queue, which
       its siblings read; then sets options on it. Prints sent=N.
crowd: connects 400 times and says nothing, then goes. Prints connected=N.
shut:  registers, and shuts the queue down.
"""
import array
import collections
import os
import socket
import struct
import sys
import time

MAGIC = b"ktlsd-q\0"
HELLO = struct.pack("=8sH6x", MAGIC, 1)
RIGHTS = (socket.SOL_SOCKET, socket.SCM_RIGHTS)
PROXY = b"\r\n\r\n\0\r\nQUIT\n"
OWN = bytes.fromhex("e70013 0100 0101 0200 0100 0300 08 0000000000000102")


def connect(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(8)
    s.connect(path)
    return s


def send(s, data, fds=()):
    rights = [(*RIGHTS, array.array("i", fds))] if fds else []
    try:
        s.sendmsg([data], rights, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        return True
    except OSError:
        return False


def pair(kind=socket.SOCK_SEQPACKET):
    return socket.socketpair(socket.AF_UNIX, kind)


def hellos(path):
    """Pairs of what is said and the sockets that go with it."""
    null = open("/dev/null")
    tcp = socket.create_server(("127.0.0.1", 0))
    queue, stream, shut = pair(), pair(socket.SOCK_STREAM), pair()
    shut[0].shutdown(socket.SHUT_RDWR)
    _, *other = register(path)
    odd = connect(path)
    yield from ((data, ()) for data in (
        b"", b"x", HELLO[:-1], HELLO + b"x", HELLO * 4000, b"\0" * 16,
        b"GET / HTTP/1.1\r\n", struct.pack("=8sH6x", MAGIC, 0),
        struct.pack("=8sH6x", MAGIC, 2), struct.pack("=8sH6s", MAGIC, 1,
                                                     b"\xff" * 6)))
    yield from ((HELLO, offer) for offer in (
        queue[:1], queue * 2, (queue[0], queue[0]), (queue[0], null), (null,) * 2,
        (tcp, tcp), stream, shut, (queue[0], pair()[1]), (odd, odd),
        (other[1], other[0]), (null,) * 253, tuple(pair()) * 100))
    yield b"", queue
    yield b"x" * 100, queue


def register(path):
    s = connect(path)
    send(s, HELLO)
    answer, fds, _, _ = socket.recv_fds(s, 256, 2)
    if len(fds) != 2:
        sys.exit(answer[16:].split(b"\0")[0].decode())
    return s, *(socket.socket(fileno=fd) for fd in fds)


def say_hello(path):
    seen = collections.Counter()
    for data, files in hellos(path):
        s = connect(path)
        send(s, data, [f.fileno() for f in files])
        s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        try:
            answer, fds, _, _ = socket.recv_fds(s, 256, 253)
        except OSError:
            answer, fds = b"", []
        status = answer and struct.unpack_from("=8sHH", answer)[2]
        seen[status if answer else "hung_up"] += 1
        send(s, HELLO)	# more than hello
        for fd in fds:
            os.close(fd)
        s.close()
    for status, times in seen.items():
        print(f"status={status} times={times}")


def messages():
    good = PROXY + b"\x21\x00" + struct.pack("!H", len(OWN)) + OWN
    yield from ((good, n) for n in (0, 2, 3, 253))
    yield from ((data, 1) for data in (
        b"x", PROXY, good[:-1], good[:16], good + b"x", b"\0" * 16384,
        good.replace(b"\x21\x00", b"\x31\x00", 1), b"y" * 100000,
        PROXY + b"\x21\x11\xff\xff", PROXY + b"\x21\x21\x00\x00",
        PROXY + b"\x21\x00\x00\x03\xe7\xff\xff",
        PROXY + b"\x21\x00" + struct.pack("!H", 16000) + b"\xe7" * 16000))
    yield b"z" * 40000, 253
    yield b"", 1
    yield b"", 253


def write_queue(path):
    _registration, reader, writer = register(path)
    files = [os.open("/dev/null", os.O_RDONLY) for _ in range(253)]
    sent = sum(send(writer, data, files[:n]) for data, n in messages())
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    reader.setsockopt(socket.SOL_SOCKET, 34, 1)	# SO_PASSSEC
    reader.setsockopt(socket.SOL_SOCKET, 35, 1)	# SO_TIMESTAMPNS
    sent += sum(send(writer, data, files[:n]) for data, n in messages())
    print(f"sent={sent}")


def crowd(path):
    there = []
    for _ in range(400):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.setblocking(False)
        try:
            s.connect(path)
            there.append(s)
        except BlockingIOError:	# the backlog is full: it is busy with others
            time.sleep(0.01)
    print(f"connected={len(there)}")


def shut(path):
    register(path)[1].shutdown(socket.SHUT_RDWR)


{"hello": say_hello, "queue": write_queue, "crowd": crowd, "shut": shut}[sys.argv[1]](sys.argv[2])

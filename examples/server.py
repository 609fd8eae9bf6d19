#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""HTTP in Python, behind ktlsd:  ktls-run --queue PATH -- python3 server.py"""
import os, re, socket, stat, sys, threading

SOL_TLS, SET_TYPE, GET_TYPE, ALERT = 282, 1, 2, b"\x15"  # <linux/tls.h>
REQUEST = rb"(?is)\w+ (?:/bytes/(\d+))?(?:.*?\ncontent-length: (\d+))?.*?\r\n\r\n"

def accept(queue):  # see handoff(7): Message, Rules for consumers
    msg, fds, flags, _ = socket.recv_fds(queue, 16384, 253)
    bad = len(fds) != 1 or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC)
    if bad or not (msg.startswith(b"\r\n\r\n\0\r\nQUIT\n\x21") and
                   stat.S_ISSOCK(os.fstat(fds[0]).st_mode)):
        for fd in fds:
            os.close(fd)
        raise OSError("not from ktlsd") if msg or fds else EOFError
    sock = socket.socket(fileno=fds[0])
    sock.settimeout(30)
    return sock

def read(sock):  # b"": the client has said that this is the end
    data, control, *_ = sock.recvmsg(65536, 64)
    types = [c[2] for c in control if c[:2] == (SOL_TLS, GET_TYPE)]
    if data and types in ([], [b"\x17"]):
        return data
    named = sock.family == socket.AF_UNIX and sock.getpeername()
    if types == [ALERT] and data[1:] == b"\0" or not data and named:
        return b""  # close_notify; in a relay the other end was given a name
    raise ConnectionResetError("cut off")

def end(sock):
    if sock.family == socket.AF_UNIX:
        sock.bind("")
    else:  # close_notify
        sock.sendmsg([b"\1\0"], [(SOL_TLS, SET_TYPE, ALERT)])
    sock.shutdown(socket.SHUT_WR)
    while read(sock): pass  # closed with data unread, it would be reset

def serve(sock):
    data = more = read(sock)
    while more and not ((m := re.match(REQUEST, data)) and
                        len(data) >= m.end() + int(m[2] or 0)):
        data += (more := read(sock))
    if more:
        body = b"x" * int(m[1] or 0) + b"got %d\n" % int(m[2] or 0)
        sock.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + body)
    end(sock)

def worker(queue):
    while True:
        try:
            with accept(queue) as sock:
                serve(sock)
        except OSError as e:
            print("ended:", e, file=sys.stderr)

queue = socket.socket(fileno=3)
for _ in range(8):  # at a time, so descriptors are never short
    threading.Thread(target=worker, args=[queue]).start()

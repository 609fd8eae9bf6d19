#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""notified.py PATH - be the other end of sd_notify(3)

Prints a line for each datagram, with its sender's pid: "pid=1 READY=1 ...".
"""
import socket
import struct
import sys

s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(sys.argv[1])
print("listening", flush=True)
while True:
    text, control, _, _ = s.recvmsg(4096, 256)
    pid = struct.unpack("3i", control[0][2][:12])[0]
    print(f"pid={pid}", *text.decode().split("\n"), flush=True)

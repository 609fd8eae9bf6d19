#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""passed.py QUEUE CERTIFICATE KEY - a consumer of a passthrough route

Registers at QUEUE as handoff(7) says, without libktls, takes one connection
after the other and performs its handshake. Answers each request with a line
`passed by NAME`. On standard output: event=registered, and for each connection
event=passed with mode, server_name and alpn as ktlsd told, agreed and got (the
name in the handshake) or error, and the socket's ulp.
"""
import socket
import ssl
import struct
import sys

MAGIC = b"ktlsd-q\0"
PLAIN = 2
TCP_ULP = 31


def register(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(path)
    s.send(struct.pack("=8sH6x", MAGIC, 1))
    answer, fds, _, _ = socket.recv_fds(s, 256, 2)
    status = struct.unpack_from("=8sHHI", answer)[2]
    if status:
        sys.exit(answer[16:].split(b"\0")[0].decode())
    return s, socket.socket(fileno=fds[0]), fds[1]


def tlvs(data):
    while data:
        kind, length = struct.unpack_from("!BH", data)
        yield kind, data[3:3 + length]
        data = data[3 + length:]


def parse(message):
    family, length = struct.unpack_from("!BH", message, 13)
    told = dict(tlvs(message[16 + {0x11: 12, 0x21: 36, 0: 0}[family]:]))
    own = dict(tlvs(told[0xE7]))
    return own[1][0], told.get(2, b"").decode(), told.get(1, b"").decode(), \
        0x20 in told


def serve(context, connection):
    names = []
    context.sni_callback = lambda s, name, c: names.append(name)
    with context.wrap_socket(connection, server_side=True) as tls:
        agreed = tls.selected_alpn_protocol()
        got = f"agreed={agreed} got={names[0] if names else None}"
        if agreed != "acme-tls/1" and tls.recv(4096):
            body = f"passed by {names[0] if names else 'nobody'}\n"
            tls.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                        b"Content-Length: %d\r\n\r\n" % len(body) +
                        body.encode())
        return got


def main():
    path, certificate, key = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["acme-tls/1", "http/1.1"])
    registration, queue, write_end = register(path)
    print("event=registered", flush=True)
    while True:
        message, fds, _, _ = socket.recv_fds(queue, 16384, 1)
        if not message:
            return
        mode, name, alpn, has_ssl = parse(message)
        connection = socket.socket(fileno=fds[0])
        ulp = connection.getsockopt(socket.IPPROTO_TCP, TCP_ULP, 16)
        connection.settimeout(20)
        try:
            result = serve(context, connection)
        except OSError as e:
            result = f"error={type(e).__name__}"
        finally:
            connection.close()
        mode = "plain" if mode == PLAIN else mode
        print(f"event=passed mode={mode} server_name={name} alpn={alpn} "
              f"ssl={has_ssl} {result} ulp={ulp.decode()}", flush=True)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""hello.py PORT OPTION... - a TLS client that sends its ClientHello as it likes

--from ADDRESS       of ours
--name NAME          server_name
--alpn A,B           protocols
--pieces N           the ClientHello in so many writes, 50 ms apart
--pad N              that many bytes of protocols that nobody has
--stop N             nothing behind its first N bytes, and wait for the end
--then reset         of those: FIN (default: neither)
--session            connect twice, offering the first one's session; with
--second NAME        the second time under this name
Prints one line: result=ok with version, alpn, key (bits of an RSA certificate's
key, or EC), reused and the answer's last line; result=closed, result=reset,
result=waits (after 3 s) or result=alert and its text.
"""
import argparse
import socket
import ssl
import sys
import time

CHUNK = 16384


def parse():
    p = argparse.ArgumentParser()
    p.add_argument("port", type=int)
    p.add_argument("--from", dest="source", default="127.0.0.1")
    p.add_argument("--name")
    p.add_argument("--second")
    p.add_argument("--alpn", default="")
    p.add_argument("--pieces", type=int, default=1)
    p.add_argument("--pad", type=int, default=0)
    p.add_argument("--stop", type=int)
    p.add_argument("--then")
    p.add_argument("--session", action="store_true")
    return p.parse_args()


def connect(o):
    s = socket.create_connection(("127.0.0.1", o.port),
                                 source_address=(o.source, 0))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.settimeout(20)
    return s


def new_context(o):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    alpn = [a for a in o.alpn.split(",") if a]
    alpn += [f"padding-{i:07}" for i in range(o.pad // 16)]
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def send(s, data, pieces):
    size = -(-len(data) // pieces)
    for i in range(0, len(data), size):
        s.sendall(data[i:i + size])
        if pieces > 1:
            time.sleep(0.05)


def step(s, call, incoming, outgoing, pieces=1):
    """Repeat CALL of the TLS object until it has what it needs."""
    while True:
        try:
            result = call()
        except ssl.SSLWantReadError:
            result = None
        if outgoing.pending:
            send(s, outgoing.read(), pieces)
            pieces = 1
        if result is not None:
            return result
        data = s.recv(CHUNK)
        if not data:
            raise ConnectionAbortedError
        incoming.write(data)


def key_of(tls):
    der = tls.getpeercert(binary_form=True)
    rsa = bytes.fromhex("2a864886f70d010101")
    return "RSA" if rsa in der else "EC"


def talk(o, context, name, session):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name,
                           session=session)
    with connect(o) as s:
        step(s, lambda: tls.do_handshake() or True, incoming, outgoing,
             o.pieces)
        tls.write(b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        try:
            while True:
                data = step(s, lambda: tls.read(CHUNK), incoming, outgoing)
                if not data:
                    break
                answer += data
        except (ssl.SSLZeroReturnError, ConnectionAbortedError):
            pass
    last = answer.decode().strip().splitlines()[-1:] or ["-"]
    print(f"result=ok tls={tls.version()} "
          f"agreed={tls.selected_alpn_protocol()} key={key_of(tls)} "
          f"reused={int(tls.session_reused)} {last[0]}")
    return tls.session


def stop_early(o, context):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=o.name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    with connect(o) as s:
        s.settimeout(3)
        s.sendall(outgoing.read()[:o.stop])
        if o.then:
            s.shutdown(socket.SHUT_WR)
        data = s.recv(CHUNK)
        print("result=answer" if data else "result=closed")


def main():
    o = parse()
    context = new_context(o)
    try:
        if o.stop is not None:
            stop_early(o, context)
            return
        session = talk(o, context, o.name, None)
        if o.session:
            talk(o, context, o.second or o.name, session)
    except TimeoutError:
        print("result=waits")
    except ConnectionRefusedError:
        print("result=refused")
    except ConnectionResetError:
        print("result=reset")
    except ConnectionAbortedError:
        print("result=closed")
    except ssl.SSLError as e:
        print(f"result=alert {e.reason}")


main()

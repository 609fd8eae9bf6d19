#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""families.py PORT WHAT... - a server, which says to clients where they are from

In the order of WHAT it listens on 4 (0.0.0.0) or 6 ([::]) at PORT, or waits for
a second, while it serves already.
"""
import asyncio
import sys

ADDRESSES = {"4": "0.0.0.0", "6": "::"}


async def serve(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    peer = writer.get_extra_info("peername")[0].encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" %
                 (len(peer), peer))
    await writer.drain()
    writer.close()


async def main():
    for what in sys.argv[2:]:
        if what == "wait":
            await asyncio.sleep(1)
        else:
            await asyncio.start_server(serve, ADDRESSES[what], int(sys.argv[1]))
            print("listens", what, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())

# SPDX-License-Identifier: MIT
"""redate.py IN KEY FROM TO OUT - give an OCSP response other dates

openssl-ocsp(1) makes no response that has ended or ends within seconds. This
puts FROM (producedAt, thisUpdate) and TO (nextUpdate), in seconds from now,
into a response and signs it again.
"""
import re
import subprocess
import sys
import time

source, key, begin, end, target = sys.argv[1:]
der = bytearray(open(source, "rb").read())


def header(at):
    """Start and end of the contents of the DER value at an offset."""
    length, start = der[at + 1], at + 2
    if length >= 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[start : start + count], "big")
        start += count
    return start, start + length


def value(tag, contents):
    """A DER value."""
    size = len(contents)
    if size < 0x80:
        return bytes([tag, size]) + contents
    count = (size.bit_length() + 7) // 8
    return bytes([tag, 0x80 | count]) + size.to_bytes(count, "big") + contents


def stamp(seconds):
    when = time.gmtime(time.time() + int(seconds))
    return time.strftime("%Y%m%d%H%M%SZ", when).encode()


# OCSPResponse { status, [0] { SEQUENCE { oid, OCTET STRING { Basic... } } } }
status = header(0)[0]
oid = header(header(header(status)[1])[0])[0]
octets = header(oid)[1]
tbs = header(header(octets)[0])[0]
algorithm = header(tbs)[1]
signature = header(algorithm)[1]
certificates = header(signature)[1]

# producedAt, thisUpdate and nextUpdate are its only GeneralizedTimes when the
# certificate is not revoked.
times = [m.start(1) for m in re.finditer(rb"\x18\x0f(\d{14}Z)", der)]
times = [t for t in times if tbs < t < algorithm]
assert len(times) == 3, times
for offset, seconds in zip(times, (begin, begin, end)):
    der[offset : offset + 15] = stamp(seconds)

new = subprocess.run(
    ["openssl", "dgst", "-sha256", "-sign", key],
    input=bytes(der[tbs:algorithm]), stdout=subprocess.PIPE, check=True,
).stdout
basic = value(0x30, bytes(der[tbs:signature]) + value(3, b"\0" + new)
              + bytes(der[certificates:]))
response = value(0x30, bytes(der[oid:octets]) + value(4, basic))
der = value(0x30, bytes(der[status:header(status)[1]]) + value(0xA0, response))
open(target, "wb").write(der)

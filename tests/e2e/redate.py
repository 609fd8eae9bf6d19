# SPDX-License-Identifier: MIT
"""redate.py IN KEY FROM TO OUT - give an OCSP response other dates

openssl-ocsp(1) makes no response that has ended or ends within seconds. This
puts FROM (producedAt, thisUpdate) and TO (nextUpdate), in seconds from now,
into a response and signs it again. Nothing changes its length: times have a
fixed one, and signing is repeated until the signature has the old one.
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


def stamp(seconds):
    when = time.gmtime(time.time() + int(seconds))
    return time.strftime("%Y%m%d%H%M%SZ", when).encode()


# OCSPResponse { status, [0] { SEQUENCE { oid, OCTET STRING { Basic... } } } }
at = header(0)[0]
at = header(at)[1]
at = header(header(at)[0])[0]
at = header(header(at)[1])[0]
tbs = header(at)[0]
tbs_end = header(tbs)[1]
signature, signature_end = header(header(tbs_end)[1])
signature += 1  # the BIT STRING's count of unused bits

# producedAt, thisUpdate and nextUpdate are its only GeneralizedTimes when the
# certificate is not revoked.
times = [m.start(1) for m in re.finditer(rb"\x18\x0f(\d{14}Z)", der)]
times = [t for t in times if tbs < t < tbs_end]
assert len(times) == 3, times
for offset, seconds in zip(times, (begin, begin, end)):
    der[offset : offset + 15] = stamp(seconds)

for _ in range(100):
    new = subprocess.run(
        ["openssl", "dgst", "-sha256", "-sign", key],
        input=bytes(der[tbs:tbs_end]), stdout=subprocess.PIPE, check=True,
    ).stdout
    if len(new) == signature_end - signature:
        break
else:
    sys.exit("no signature of the same length")
der[signature:signature_end] = new
open(target, "wb").write(der)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""recipe.py DIR - cases from OpenSSL's own OCSP tests, in the form of `cases`

DIR has the package's files; the responses, base64 there, get a copy in DER
beside them. What each test expects comes from its recipe: the response, the
file with trusted certificates, other certificates, the exit status, the time.

`openssl ocsp` is not told there which certificate it is about, and then reads
no dates. We are told (the certificates lie beside the responses), so each case
is judged twice: when the response was made, where the verdict must be theirs;
and at the recipe's time, where what they accept may have run out for us.
"""
import base64
import glob
import os
import re
import sys

TESTS = "test/ocsp-tests"

# Why a response is to be refused, by the prefix that says what is wrong in it
# or in the issuer's certificate.
REASONS = {
    "ISOP": "bad-signature",
    "WRID": "no-signer",
    "WINH": "other-issuer",
    "WIKH": "other-issuer",
    "WKDOSC": "no-signer|delegate-not-issued",
    "ISDOSC": "delegate-not-issued",
    "WSNIC": "not-issuer",
    "WKIC": "not-issuer",
}

CALL = re.compile(
    r'test_ocsp\(\s*"[^"]*"\s*,\s*"([^"]+)\.ors"\s*,\s*"([^"]+)"\s*,'
    r'\s*"([^"]*)"\s*,\s*(\d+)\s*,\s*\d+\s*(?:,\s*"([^"]*)")?\s*\)')


def refusal(*names):
    prefixes = [name.split("_")[0] for name in names]
    # Nothing wrong with either: then this is not its issuer.
    return next((REASONS[p] for p in prefixes if p in REASONS), "not-issuer")


def print_case(call, time):
    response, trusted, others, status, option = call
    # -issuer gives no trust, so that only the trusted one may be the issuer.
    issuer = trusted if option == "-issuer" or not others else others
    base = response.split("_")[-1]
    leaf = os.path.basename(glob.glob(f"{base}_Cert_*.pem")[0])
    files = f"{issuer} {leaf} {response}.der"
    if int(status):
        why = refusal(response, issuer)
        print(f"produced {files} refuse {why}")
        print(f"@{time} {files} refuse {why}")
    else:
        print(f"produced {files} good ok")
        print(f"@{time} {files} good ok|expired "
              "`openssl ocsp -respin` does not look at nextUpdate")


def decode_responses():
    for name in glob.glob("*.ors"):
        with open(name, "rb") as text, \
                open(name[:-len("ors")] + "der", "wb") as der:
            der.write(base64.b64decode(text.read()))


def main():
    os.chdir(sys.argv[1])
    with open("test/recipes/80-test_ocsp.t") as recipe:
        text = recipe.read()
    calls = CALL.findall(text)
    time = re.search(r'"-attime"\s*,\s*"(\d+)"', text)
    if not time or len(calls) != text.count("test_ocsp("):
        sys.exit("recipe.py: this recipe is written in another way")
    print("in openssl", TESTS)
    os.chdir(TESTS)
    decode_responses()
    for call in calls:
        print_case(call, time[1])


main()

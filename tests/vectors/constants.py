#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""constants.py SOURCE... - certificates and responses out of test programs

Each string constant of a C file (#define NAME "..." or NAME[] = "...", with
\\x escapes) or of a Go file (const NAME = "..." in hexadecimal, or `...`)
becomes SOURCE-strings/NAME: PEM for PEM and certificates, else the bytes.
"""
import os
import re
import ssl
import sys

STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
C = re.compile(r'(?:#define (\w+)|(\w+)\[\] =)'
               r'((?:\s|\\\n|"(?:[^"\\\n]|\\.)*")+)')
GO = re.compile(r'^const (\w+) = ((?:[\s+]|"[0-9a-f]*")+|`[^`]*`)', re.M)


def joined(text):
    return "".join(STRING.findall(text))


def c_constants(text):
    for macro, array, value in C.findall(text):
        yield macro or array, joined(value).encode("latin1").decode(
            "unicode_escape").encode("latin1")


def go_constants(text):
    for name, value in GO.findall(text):
        if value.startswith("`"):
            yield name, value.strip("`").encode()
        else:
            yield name, bytes.fromhex(joined(value))


def main():
    for source in sys.argv[1:]:
        with open(source, encoding="utf-8") as file:
            text = file.read()
        os.makedirs(source + "-strings", exist_ok=True)
        split = go_constants if source.endswith(".go") else c_constants
        for name, value in split(text):
            if name.endswith("CertHex"):
                value = ssl.DER_cert_to_PEM_cert(value).encode()
            with open(f"{source}-strings/{name}", "wb") as out:
                out.write(value)


main()

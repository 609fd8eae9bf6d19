/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>

#include "ocsp/decode.h"

TestSuite(ocsp_decode, .timeout = 10);

#define TEXT(s) s, sizeof(s) - 1
#define BLOCK(label, body) \
	"-----BEGIN " label "-----\n" body "\n-----END " label "-----\n"

/* What a file gives: "label=bytes;", "!label;" for a broken block. */
static const char *decode(const char *file, size_t len)
{
	static uint8_t out[4000];
	static char said[4000];
	struct ocsp_decoder d = {
		.in = { (const uint8_t *)file, len }, .out = out
	};
	int rc;

	said[0] = '\0';
	while ((rc = ocsp_decode(&d)) != -ENOENT) {
		sprintf(said + strlen(said), rc ? "!%s;" : "%s=%.*s;", d.label,
			(int)d.der.len,
			d.der.len ? (const char *)d.der.data : "");
		cr_expect(!d.der.len ||
				  strnlen((const char *)d.der.data, d.der.len) ==
					  d.der.len, "bytes too many");
		cr_assert_leq(d.out - out, (ssize_t)len);
	}
	cr_expect_eq(ocsp_decode(&d), -ENOENT, "twice");
	return said;
}

static const struct {
	const char *what, *file;
	size_t len;
	const char *said;
} cases[] = {
	{ "nothing", TEXT(""), "" },
	{ "DER", TEXT("\x30\x03\x0a\x01\x03"), "=\x30\x03\x0a\x01\x03;" },
	{ "DER with more behind it", TEXT("\x30\x01\x01xyz"),
	  "=\x30\x01\x01xyz;" },
	{ "bytes that are no DER", TEXT("\x01garbage"), "=\x01garbage;" },
	{ "DER with PEM in it",
	  TEXT("\x30\x01" BLOCK("X", "YWJj")),
	  "=\x30\x01" BLOCK("X", "YWJj") ";" },

	{ "base64", TEXT("YWJj"), "=abc;" },
	{ "base64 of all digits", TEXT("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo="),
	  "=ABCDEFGHIJKLMNOPQRSTUVWXYZ;" },
	{ "+ and /", TEXT("P7+/Pg=="), "=?\xbf\xbf>;" },
	{ "one pad", TEXT("YWI="), "=ab;" },
	{ "two pads", TEXT("YQ=="), "=a;" },
	{ "lines", TEXT("YW\nJj\nZGVm\n"), "=abcdef;" },
	{ "lines with CR", TEXT("YWJj\r\nZGVm\r\n\r\n"), "=abcdef;" },
	{ "spaces and tabs", TEXT(" Y W\tJ j "), "=abc;" },
	{ "a digit too few", TEXT("YWJ"), "!;" },
	{ "a digit more", TEXT("YWJjZ"), "!;" },
	{ "three pads", TEXT("Y==="), "!;" },
	{ "only pads", TEXT("===="), "!;" },
	{ "digits behind pads", TEXT("YQ==YWJj"), "!;" },
	{ "a digit behind a pad", TEXT("YQ=a"), "!;" },
	{ "other characters", TEXT("YW-_"), "!;" },
	{ "white space", TEXT(" \n"), "!;" },
	{ "prose", TEXT("<html>no such page</html>\n"), "!;" },

	{ "PEM", TEXT(BLOCK("CERTIFICATE", "YWJj")), "CERTIFICATE=abc;" },
	{ "any label", TEXT(BLOCK("OCSP RESPONSE", "YWJj")),
	  "OCSP RESPONSE=abc;" },
	{ "a label of 40",
	  TEXT(BLOCK("0123456789012345678901234567890123456789", "YWJj")),
	  "0123456789012345678901234567890=abc;" },
	{ "no label", TEXT(BLOCK("", "YWJj") "behind"), "=abc;" },
	{ "PEM with CR",
	  TEXT("-----BEGIN X-----\r\nYW\r\nJj\r\n-----END X-----\r\n"),
	  "X=abc;" },
	{ "no line break at the end",
	  TEXT("-----BEGIN X-----\nYWJj\n-----END X-----"), "X=abc;" },
	{ "text around",
	  TEXT("0 s:CN=\xc3\xa4\n" BLOCK("X", "YWJj") "and so on\n"),
	  "X=abc;" },
	{ "several in order",
	  TEXT("one\n" BLOCK("X", "YWJj") "two\n" BLOCK("Y", "ZGVm")),
	  "X=abc;Y=def;" },
	{ "one that is broken between others",
	  TEXT(BLOCK("X", "YWJj") BLOCK("KEY", "Proc-Type: 4,ENCRYPTED")
	       BLOCK("Y", "ZGVm")),
	  "X=abc;!KEY;Y=def;" },
	{ "the first one broken",
	  TEXT(BLOCK("KEY", "DEK-Info: 0") BLOCK("Y", "ZGVm")),
	  "!KEY;Y=def;" },
	{ "no end", TEXT("-----BEGIN X-----\nYWJj\n"), "!X;" },
	{ "another's end", TEXT("-----BEGIN X-----\nYWJj\n-----END Y-----\n"),
	  "!X;" },
	{ "a start cut off", TEXT("-----BEGIN X"), "!;" },
	{ "no label, broken, and more", TEXT(BLOCK("", "?") "YWJj"), "!;" },
	{ "an empty block", TEXT(BLOCK("X", "")), "!X;" },
};

Test(ocsp_decode, takes_what_people_write)
{
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_str_eq(decode(cases[i].file, cases[i].len),
				 cases[i].said, "%s: %s", cases[i].what,
				 decode(cases[i].file, cases[i].len));
}

// SPDX-License-Identifier: MIT
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdlib.h>

#include "pem.h"
#include "tool.h"

FILE *must_open(const char *file, const char *mode)
{
	FILE *f = fopen(file, mode);

	if (!f)
		die("%s: %m", file);
	return f;
}

void must_close(FILE *f, const char *file)
{
	if (ferror(f) | fclose(f))
		die("%s: cannot be written", file);
}

X509 *read_cert(const char *file)
{
	FILE *f = must_open(file, "r");
	X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);

	if (!cert)
		die("%s: %s", file, ssl_reason());
	fclose(f);
	return cert;
}

EVP_PKEY *read_key(const char *file)
{
	FILE *f = must_open(file, "r");
	EVP_PKEY *key = PEM_read_PrivateKey(f, NULL, NULL, NULL);

	if (!key)
		die("%s: %s", file, ssl_reason());
	fclose(f);
	return key;
}

char *text(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		die("out of memory");
	va_end(ap);
	return s;
}

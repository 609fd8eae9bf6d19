/* SPDX-License-Identifier: MIT */
/*
 * The head of a responder's answer, and the URL that asks it; for libFuzzer.
 * The first byte says which, the rest is lines, or a base and a request behind
 * its end. What was read keeps to what the header promises.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "ocsp/http.h"

#define MUST(expression) \
	do { \
		if (!(expression)) \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* In memory of its own size, so that a read behind it shows. */
static void give_line(struct ocsp_http *http, const uint8_t *line, size_t len,
		      int64_t now)
{
	char *copy = malloc(len ? len : 1);

	MUST(copy);
	if (len)
		memcpy(copy, line, len);
	ocsp_http_line(http, copy, len, now);
	free(copy);
	MUST(http->status == 0 || (http->status >= 100 && http->status < 1000));
	MUST(http->fresh >= -1 && http->retry_after >= -1);
	MUST(http->max_age >= -1 && http->age >= -1 && http->expires >= -1);
	MUST(http->max_age < 0 || http->fresh <= http->max_age);
	MUST(http->status || !http->is_ocsp);
}

static void fuzz_head(const uint8_t *data, size_t size)
{
	struct ocsp_http http = { 0 };
	const uint8_t *end;
	int64_t now;
	size_t len;

	if (size < sizeof(now))
		return;
	memcpy(&now, data, sizeof(now));
	data += sizeof(now);
	size -= sizeof(now);
	while (size) {
		end = memchr(data, '\n', size);
		len = end ? (size_t)(end - data) + 1 : size;
		give_line(&http, data, len, now);
		data += len;
		size -= len;
	}
}

/* What a responder makes of the path: the request again. */
static void expect_request(const char *path, struct ocsp_bytes request)
{
	static const char *const codes[] = { "%2B", "%2F", "%3D" };
	uint8_t der[OCSP_GET_MAX + 3];
	char text[OCSP_GET_MAX + 1];
	size_t len = 0, i;

	for (; *path; path++) {
		text[len] = *path;
		for (i = 0; i < 3 && *path == '%'; i++)
			if (strncmp(path, codes[i], 3) == 0)
				text[len] = "+/="[i];
		if (*path == '%')
			path += 2;
		len++;
	}
	MUST(len == (request.len + 2) / 3 * 4);
	MUST(EVP_DecodeBlock(der, (uint8_t *)text, (int)len) >= 0);
	MUST(memcmp(der, request.data, request.len) == 0);
}

static void fuzz_url(const uint8_t *data, size_t size)
{
	const uint8_t *end = memchr(data, '\0', size);
	struct ocsp_bytes request;
	char url[OCSP_GET_MAX + 1];
	const char *base = (const char *)data;
	size_t len;

	if (!end)
		return;
	request.data = end + 1;
	request.len = size - (size_t)(request.data - data);
	memset(url, 'x', sizeof(url));
	if (ocsp_get_url(base, request, url))
		return;
	MUST(strnlen(url, sizeof(url)) <= OCSP_GET_MAX);
	len = strlen(base);
	while (len && base[len - 1] == '/')
		len--;
	MUST(strncmp(url, base, len) == 0 && url[len] == '/');
	MUST(url[strcspn(url, "?#")] == '\0');
	expect_request(url + len + 1, request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 2)
		fuzz_url(data + 1, size - 1);
	else
		fuzz_head(data + 1, size - 1);
	return 0;
}

/* Mutations start from heads and URLs as they are. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	static const char head[] =
		"\0\x21\x9c\xbc\x2e\0\0\0\0"	/* 6 Nov 1994 */
		"HTTP/1.1 302 Found\r\n"
		"Retry-After: Sun Nov  6 08:51:37 1994\r\n\r\n"
		"HTTP/1.1 200 OK\r\n"
		"Content-Type: application/ocsp-response; a=\"\\\"\"\r\n"
		"Cache-Control: public, max-age=\"60\", no-transform\r\n"
		"Age: 20, 3\r\n"
		"Expires: Sunday, 06-Nov-94 08:50:37 GMT\r\n"
		"Expires: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"Cache-Control: no-store\r\n\r\n";
	static const char url[] = "\1http://a.example/ocsp//\0"
				  "\x30\x03\xfb\xef\xbe\xff\xff\xff";
	const char *good = seed % 2 ? head : url;
	size_t len = seed % 2 ? sizeof(head) - 1 : sizeof(url) - 1;

	if ((size < 2 || seed % 256 < 2) && len <= max) {
		memcpy(data, good, len);
		size = len;
	}
	return LLVMFuzzerMutate(data, size, max);
}

// SPDX-License-Identifier: MIT
/*
 * JA4: "t13d1516h2_8daaf6152771_e5627efa2ab1". What is in clear; then the
 * ciphers, sorted; then the extensions, sorted, and signature algorithms as they
 * come, each list as the first 12 digits of its SHA-256. GREASE (RFC 8701) does
 * not count anywhere.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handshake/internal.h"

#define LIST_MAX 512
#define HASH_DIGITS 12

#define EXT_SERVER_NAME 0
#define EXT_SIGNATURE_ALGORITHMS 13
#define EXT_ALPN 16
#define EXT_SUPPORTED_VERSIONS 43

struct list {
	uint16_t value[LIST_MAX];
	unsigned int n;
};

struct facts {
	uint16_t version;
	bool named;
	unsigned int n_extensions;	/* with those that @extensions lacks */
	struct ocsp_bytes alpn;		/* the first protocol */
	struct list ciphers, extensions, schemes;
};

static bool take(struct ocsp_bytes *in, size_t len, struct ocsp_bytes *part)
{
	if (len > in->len)
		return false;
	*part = (struct ocsp_bytes){ in->data, len };
	in->data += len;
	in->len -= len;
	return true;
}

static bool take16(struct ocsp_bytes *in, uint16_t *value)
{
	struct ocsp_bytes part;

	if (!take(in, 2, &part))
		return false;
	*value = part.data[0] << 8 | part.data[1];
	return true;
}

/* Something that has its length before it, in one or two bytes. */
static bool take_vector(struct ocsp_bytes *in, int bytes,
			struct ocsp_bytes *part)
{
	struct ocsp_bytes head;

	if (!take(in, bytes, &head))
		return false;
	return take(in, bytes == 1 ? head.data[0] :
				     (size_t)(head.data[0] << 8 | head.data[1]),
		    part);
}

static bool is_grease(uint16_t value)
{
	return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

static bool add(struct list *list, uint16_t value)
{
	if (is_grease(value))
		return true;
	if (list->n == LIST_MAX)
		return false;
	list->value[list->n++] = value;
	return true;
}

static bool add_all(struct list *list, struct ocsp_bytes values)
{
	uint16_t value;

	while (values.len)
		if (!take16(&values, &value) || !add(list, value))
			return false;
	return true;
}

static bool read_versions(struct facts *f, struct ocsp_bytes data)
{
	struct ocsp_bytes versions;
	uint16_t highest = 0;
	uint16_t value;

	if (!take_vector(&data, 1, &versions))
		return false;
	while (versions.len) {
		if (!take16(&versions, &value))
			return false;
		if (!is_grease(value) && value > highest)
			highest = value;
	}
	f->version = highest;
	return true;
}

static bool read_alpn(struct facts *f, struct ocsp_bytes data)
{
	struct ocsp_bytes protocols;

	if (!take_vector(&data, 2, &protocols))
		return false;
	return !protocols.len || take_vector(&protocols, 1, &f->alpn);
}

static bool read_extension(struct facts *f, uint16_t type,
			   struct ocsp_bytes data)
{
	struct ocsp_bytes schemes;

	f->n_extensions += !is_grease(type);
	switch (type) {
	case EXT_SERVER_NAME:
		f->named = true;
		return true;
	case EXT_ALPN:
		return read_alpn(f, data);
	case EXT_SUPPORTED_VERSIONS:
		if (!read_versions(f, data))
			return false;
		break;
	case EXT_SIGNATURE_ALGORITHMS:
		if (!take_vector(&data, 2, &schemes) ||
		    !add_all(&f->schemes, schemes))
			return false;
		break;
	}
	return add(&f->extensions, type);
}

/* RFC 8446 4.1.2 */
static bool read_hello(struct facts *f, struct ocsp_bytes in)
{
	struct ocsp_bytes ciphers, extensions, data;
	uint16_t type;

	if (!take(&in, 4, &data) || data.data[0] != 1 ||
	    !take16(&in, &f->version) || !take(&in, 32, &data) ||
	    !take_vector(&in, 1, &data) || !take_vector(&in, 2, &ciphers) ||
	    !take_vector(&in, 1, &data) || !add_all(&f->ciphers, ciphers))
		return false;
	if (!in.len)
		return true;
	if (!take_vector(&in, 2, &extensions))
		return false;
	while (extensions.len)
		if (!take16(&extensions, &type) ||
		    !take_vector(&extensions, 2, &data) ||
		    !read_extension(f, type, data))
			return false;
	return true;
}

static int compare(const void *a, const void *b)
{
	return *(const uint16_t *)a - *(const uint16_t *)b;
}

static void sort(struct list *list)
{
	qsort(list->value, list->n, sizeof(list->value[0]), compare);
}

/* As "1301,1302", without a NUL. Returns its length. */
static size_t print(const struct list *list, char *text)
{
	static const char digits[] = "0123456789abcdef";
	char *p = text;

	for (unsigned int i = 0; i < list->n; i++) {
		uint16_t v = list->value[i];

		if (i)
			*p++ = ',';
		for (int shift = 12; shift >= 0; shift -= 4)
			*p++ = digits[v >> shift & 15];
	}
	return p - text;
}

static bool hash(const EVP_MD *sha256, const char *text, size_t len,
		 char out[static HASH_DIGITS + 1])
{
	uint8_t digest[EVP_MAX_MD_SIZE];

	if (!EVP_Digest(text, len, digest, NULL, sha256, NULL))
		return false;
	for (int i = 0; i < HASH_DIGITS / 2; i++)
		sprintf(out + 2 * i, "%02x", digest[i]);
	return true;
}

/* Two lists with '_' between them; no first one: no hash but zeros. */
static bool hash_lists(const EVP_MD *sha256, struct list *sorted,
		       const struct list *as_is,
		       char out[static HASH_DIGITS + 1])
{
	char text[2 * 5 * LIST_MAX];
	size_t len;

	sort(sorted);
	len = print(sorted, text);
	if (as_is && as_is->n) {
		text[len++] = '_';
		len += print(as_is, text + len);
	}
	if (sorted->n)
		return hash(sha256, text, len, out);
	memset(out, '0', HASH_DIGITS);
	out[HASH_DIGITS] = '\0';
	return true;
}

static const char *version_name(uint16_t version)
{
	switch (version) {
	case 0x0304:
		return "13";
	case 0x0303:
		return "12";
	case 0x0302:
		return "11";
	case 0x0301:
		return "10";
	case 0x0300:
		return "s3";
	case 0x0002:
		return "s2";
	default:
		return "00";
	}
}

static bool is_alphanumeric(uint8_t c)
{
	return c < 0x80 && isalnum(c);
}

/* First and last character, or of the hexadecimal form where they are odd. */
static void mark_alpn(struct ocsp_bytes alpn, char mark[static 3])
{
	uint8_t first, last;
	char hex[5];

	strcpy(mark, "00");
	if (!alpn.len)
		return;
	first = alpn.data[0];
	last = alpn.data[alpn.len - 1];
	if (is_alphanumeric(first) && is_alphanumeric(last)) {
		mark[0] = first;
		mark[1] = last;
		return;
	}
	sprintf(hex, "%02x%02x", first, last);
	mark[0] = hex[0];
	mark[1] = hex[3];
}

static unsigned int two_digits(unsigned int n)
{
	return n < 99 ? n : 99;
}

void hs_ja4_make(const EVP_MD *sha256, const uint8_t *message, size_t len,
		 char ja4[static HS_JA4_LEN + 1])
{
	struct facts f;
	char ciphers[HASH_DIGITS + 1], rest[HASH_DIGITS + 1], alpn[3];

	ja4[0] = '\0';
	f.named = false;
	f.alpn.len = 0;
	f.n_extensions = f.ciphers.n = f.extensions.n = f.schemes.n = 0;
	if (!read_hello(&f, (struct ocsp_bytes){ message, len }) ||
	    !hash_lists(sha256, &f.ciphers, NULL, ciphers) ||
	    !hash_lists(sha256, &f.extensions, &f.schemes, rest))
		return;
	mark_alpn(f.alpn, alpn);
	snprintf(ja4, HS_JA4_LEN + 1, "t%s%c%02u%02u%s_%s_%s",
		 version_name(f.version), f.named ? 'd' : 'i',
		 two_digits(f.ciphers.n), two_digits(f.n_extensions), alpn,
		 ciphers, rest);
}

const char *hs_ja4(const struct hs *hs)
{
	return hs->ja4;
}

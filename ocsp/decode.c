/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "ocsp/decode.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Any DER that this is about has control characters: lengths, versions. */
static bool is_text(struct ocsp_bytes in)
{
	size_t i;

	for (i = 0; i < in.len; i++)
		if ((in.data[i] < ' ' && !is_space(in.data[i])) ||
		    in.data[i] == 0x7f)
			return false;
	return true;
}

static struct ocsp_bytes skip(struct ocsp_bytes in, size_t n)
{
	return (struct ocsp_bytes){ in.data + n, in.len - n };
}

/* Where @text starts in @in; false: nowhere. */
static bool find(struct ocsp_bytes in, const char *text, size_t *at)
{
	const uint8_t *p = memmem(in.data, in.len, text, strlen(text));

	if (p)
		*at = (size_t)(p - in.data);
	return p;
}

static int value_of(uint8_t c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* RFC 4648 4, all of @in. Its result is not longer than @in. */
static int take_base64(struct ocsp_decoder *d, struct ocsp_bytes in)
{
	uint8_t *to = d->out;
	unsigned int digits = 0, pads = 0;
	uint32_t bits = 0;
	size_t i;
	int value;

	for (i = 0; i < in.len; i++) {
		if (is_space(in.data[i]))
			continue;
		value = in.data[i] == '=' ? 0 : value_of(in.data[i]);
		pads += in.data[i] == '=';
		if (value < 0 || pads > 2 || (pads && in.data[i] != '='))
			return -EINVAL;
		bits = bits << 6 | (uint32_t)value;
		if (++digits % 4)
			continue;
		*to++ = (uint8_t)(bits >> 16);
		*to++ = (uint8_t)(bits >> 8);
		*to++ = (uint8_t)bits;
	}
	if (digits == 0 || digits % 4)
		return -EINVAL;
	to -= pads;
	d->der = (struct ocsp_bytes){ d->out, (size_t)(to - d->out) };
	d->out = to;
	return 0;
}

static void set_label(struct ocsp_decoder *d, struct ocsp_bytes label)
{
	size_t len = label.len;

	if (len >= sizeof(d->label))
		len = sizeof(d->label) - 1;
	memcpy(d->label, label.data, len);
	d->label[len] = '\0';
}

/* RFC 7468 2, from behind BEGIN. The block ends with a line of the same label. */
static int take_pem(struct ocsp_decoder *d, struct ocsp_bytes in)
{
	char end[sizeof(END) + sizeof(d->label)];
	struct ocsp_bytes body;
	size_t len;

	d->in = skip(in, in.len);
	d->label[0] = '\0';
	if (!find(in, DASHES, &len))
		return -EINVAL;
	set_label(d, (struct ocsp_bytes){ in.data, len });
	body = skip(in, len + strlen(DASHES));
	strcpy(end, END);
	strcat(end, d->label);
	if (!find(body, end, &len))
		return -EINVAL;
	d->in = skip(body, len + strlen(end));
	body.len = len;
	return take_base64(d, body);
}

/* A file without PEM. */
static int take_all(struct ocsp_decoder *d)
{
	struct ocsp_bytes all = d->in;

	d->in = skip(all, all.len);
	if (is_text(all))
		return take_base64(d, all);
	d->der = all;
	return 0;
}

int ocsp_decode(struct ocsp_decoder *d)
{
	bool first = !d->begun;
	size_t begin;

	d->begun = true;
	if ((!first || is_text(d->in)) && find(d->in, BEGIN, &begin))
		return take_pem(d, skip(d->in, begin + strlen(BEGIN)));
	return first && d->in.len ? take_all(d) : -ENOENT;
}

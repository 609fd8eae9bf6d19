/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <time.h>

#include "ocsp/der.h"

/* libcrypto's decoder goes no deeper either. */
#define MAX_DEPTH 30

#define CLASS_MASK 0xc0
#define CONSTRUCTED 0x20
#define NUMBER_MASK 0x1f

static bool take_any(struct ocsp_bytes *in, struct ocsp_bytes *value)
{
	const uint8_t *p = in->data;
	size_t head = 2, len;

	if (in->len < 2 || (p[0] & NUMBER_MASK) == NUMBER_MASK)
		return false;
	len = p[1];
	if (len == 0x81) {
		head = 3;
		if (in->len < head || p[2] < 0x80)
			return false;
		len = p[2];
	} else if (len == 0x82) {
		head = 4;
		if (in->len < head || p[2] == 0)
			return false;
		len = (size_t)p[2] << 8 | p[3];
	} else if (len >= 0x80) {
		return false;
	}
	if (len > in->len - head)
		return false;

	*value = (struct ocsp_bytes){ p + head, len };
	in->data += head + len;
	in->len -= head + len;
	return true;
}

bool ocsp_der_take(struct ocsp_bytes *in, uint8_t tag, struct ocsp_bytes *value)
{
	return in->len && in->data[0] == tag && take_any(in, value);
}

/* X.690 10.2, 11.1: what is constructed, and the two BOOLEANs. */
static bool form_valid(uint8_t tag, struct ocsp_bytes value)
{
	bool constructed = tag & CONSTRUCTED;

	if (tag & CLASS_MASK)
		return true;
	switch (tag & NUMBER_MASK) {
	case V_ASN1_EOC:
		return false;
	case V_ASN1_SEQUENCE:
	case V_ASN1_SET:
		return constructed;
	case V_ASN1_BOOLEAN:
		return !constructed && value.len == 1 &&
		       (value.data[0] == 0 || value.data[0] == 0xff);
	default:
		return !constructed;
	}
}

static bool valid(struct ocsp_bytes in, int depth)
{
	struct ocsp_bytes value;
	uint8_t tag;

	if (depth == 0)
		return false;
	while (in.len) {
		tag = in.data[0];
		if (!take_any(&in, &value) || !form_valid(tag, value))
			return false;
		if ((tag & CONSTRUCTED) && !valid(value, depth - 1))
			return false;
	}
	return true;
}

bool ocsp_der_valid(struct ocsp_bytes in)
{
	return valid(in, MAX_DEPTH);
}

bool ocsp_der_time(const ASN1_TIME *time, int64_t *seconds)
{
	int len = ASN1_STRING_type(time) == V_ASN1_UTCTIME ? 13 : 15;
	struct tm tm;

	/* With this length there is no room for a fraction or an offset. */
	if (ASN1_STRING_length(time) != len ||
	    ASN1_STRING_get0_data(time)[len - 1] != 'Z' ||
	    !ASN1_TIME_to_tm(time, &tm))
		return false;
	*seconds = timegm(&tm);
	return true;
}

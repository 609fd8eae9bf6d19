/* SPDX-License-Identifier: MIT */
#include <string.h>

#include <criterion/criterion.h>

#include "ocsp/der.h"

TestSuite(ocsp_der, .timeout = 10);

#define BYTES(string) \
	{ \
		(const uint8_t *)(string), sizeof(string) - 1 \
	}

Test(ocsp_der, tells_der_from_ber)
{
	static const struct {
		struct ocsp_bytes in;
		bool want;
	} cases[] = {
		{ BYTES(""), true },
		{ BYTES("\x05\x00"), true },
		{ BYTES("\x05\x00\x05\x00"), true },
		{ BYTES("\x30\x02\x05\x00"), true },
		{ BYTES("\x30\x04\x31\x02\x05\x00"), true },
		{ BYTES("\x01\x01\xff"), true },
		{ BYTES("\x01\x01\x00"), true },
		{ BYTES("\x80\x01\x00"), true },
		{ BYTES("\xa0\x02\x05\x00"), true },
		/* cut short */
		{ BYTES("\x05"), false },
		{ BYTES("\x04\x01"), false },
		{ BYTES("\x04\x81"), false },
		{ BYTES("\x04\x82\x01"), false },
		{ BYTES("\x30\x02\x04\x01"), false },
		{ BYTES("\xa0\x01\x05"), false },
		{ BYTES("\x05\x00\x00"), false },
		/* lengths */
		{ BYTES("\x30\x80\x00\x00"), false },
		{ BYTES("\x04\x81\x01\x00"), false },
		{ BYTES("\x04\x82\x00\x01\x00"), false },
		{ BYTES("\x04\x83\x00\x00\x01\x00"), false },
		{ BYTES("\x04\xff"), false },
		/* forms */
		{ BYTES("\x00\x00"), false },
		{ BYTES("\x1f\x01\x00"), false },
		{ BYTES("\x10\x00"), false },
		{ BYTES("\x11\x00"), false },
		{ BYTES("\x24\x03\x04\x01\x00"), false },
		{ BYTES("\x21\x03\x01\x01\x00"), false },
		{ BYTES("\x01\x01\x01"), false },
		{ BYTES("\x01\x00"), false },
		{ BYTES("\x01\x02\xff\xff"), false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cr_expect_eq(ocsp_der_valid(cases[i].in), cases[i].want,
			     "case %zu", i);
}

Test(ocsp_der, takes_lengths_on_either_side_of_each_form)
{
	static const size_t lens[] = { 0, 1, 127, 128, 255, 256, 65531 };
	static uint8_t der[65536];
	struct ocsp_bytes in, value;
	size_t i, head;

	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		der[0] = 0x04;
		head = 2;
		der[1] = (uint8_t)lens[i];
		if (lens[i] >= 256) {
			head = 4;
			der[1] = 0x82;
			der[2] = (uint8_t)(lens[i] >> 8);
			der[3] = (uint8_t)lens[i];
		} else if (lens[i] >= 128) {
			head = 3;
			der[1] = 0x81;
			der[2] = (uint8_t)lens[i];
		}
		in = (struct ocsp_bytes){ der, head + lens[i] };
		cr_assert(ocsp_der_take(&in, 0x04, &value), "%zu", lens[i]);
		cr_expect_eq(value.data, der + head);
		cr_expect_eq(value.len, lens[i]);
		cr_expect_eq(in.len, 0);
		in = (struct ocsp_bytes){ der, head + lens[i] - 1 };
		cr_expect_not(ocsp_der_take(&in, 0x04, &value));
	}
}

Test(ocsp_der, leaves_alone_what_it_does_not_take)
{
	static const struct ocsp_bytes two = BYTES("\x02\x01\x07\x05\x00");
	struct ocsp_bytes in = two, value;

	cr_expect_not(ocsp_der_take(&in, 0x05, &value));
	cr_expect_eq(in.data, two.data);
	cr_expect(ocsp_der_take(&in, 0x02, &value));
	cr_expect_eq(value.data[0], 7);
	cr_expect_eq(in.len, 2);
	cr_expect(ocsp_der_take(&in, 0x05, &value));
	cr_expect_not(ocsp_der_take(&in, 0x05, &value));
}

Test(ocsp_der, bounds_the_depth)
{
	uint8_t der[200] = { 0 };
	int depth;

	for (depth = 1; depth <= 60; depth++) {
		memset(der, 0x30, sizeof(der));
		for (int i = 0; i < depth; i++)
			der[2 * i + 1] = (uint8_t)(2 * (depth - i - 1));
		cr_expect_eq(ocsp_der_valid((struct ocsp_bytes){
				     der, (size_t)depth * 2 }),
			     depth < 30, "depth %d", depth);
	}
}

Test(ocsp_der, reads_times_of_both_types)
{
	static const struct {
		int type;
		const char *text;
		bool want;
		int64_t seconds;
	} cases[] = {
		{ V_ASN1_GENERALIZEDTIME, "19700101000000Z", true, 0 },
		{ V_ASN1_GENERALIZEDTIME, "20231114221320Z", true, 1700000000 },
		{ V_ASN1_GENERALIZEDTIME, "20240229000000Z", true, 1709164800 },
		{ V_ASN1_GENERALIZEDTIME, "20380119031408Z", true,
		  INT64_C(1) << 31 },
		{ V_ASN1_GENERALIZEDTIME, "99991231235959Z", true,
		  253402300799 },
		{ V_ASN1_UTCTIME, "231114221320Z", true, 1700000000 },
		{ V_ASN1_UTCTIME, "491231235959Z", true, 2524607999 },
		{ V_ASN1_UTCTIME, "500101000000Z", true, -631152000 },
		{ V_ASN1_UTCTIME, "2311142213Z", false, 0 },
		{ V_ASN1_UTCTIME, "20231114221320Z", false, 0 },
		{ V_ASN1_GENERALIZEDTIME, "231114221320Z", false, 0 },
		{ V_ASN1_GENERALIZEDTIME, "20230229000000Z", false, 0 },
		{ V_ASN1_GENERALIZEDTIME, "20231114241320Z", false, 0 },
		{ V_ASN1_GENERALIZEDTIME, "20231114221360Z", false, 0 },
		{ V_ASN1_GENERALIZEDTIME, "20231114221320z", false, 0 },
		{ V_ASN1_GENERALIZEDTIME, "202311142213.5Z", false, 0 },
		{ V_ASN1_GENERALIZEDTIME, "", false, 0 },
	};
	ASN1_STRING *time;
	int64_t seconds;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		time = ASN1_STRING_type_new(cases[i].type);
		cr_assert(ASN1_STRING_set(time, cases[i].text, -1));
		seconds = 0;
		cr_expect_eq(ocsp_der_time(time, &seconds), cases[i].want,
			     "%s", cases[i].text);
		if (cases[i].want)
			cr_expect_eq(seconds, cases[i].seconds, "%s",
				     cases[i].text);
		ASN1_STRING_free(time);
	}
}

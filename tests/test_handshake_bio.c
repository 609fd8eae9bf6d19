// SPDX-License-Identifier: MIT
#include "tests/handshake_peer.h"

#include "handshake/internal.h"

TestSuite(bio, .timeout = 10);

#define BYTES(s) s, sizeof(s) - 1

static const struct {
	const char *bytes;
	size_t len;
	uint64_t records;
	bool changed;
} streams[] = {
	{ BYTES(""), 0, false },
	{ BYTES("\x16\x03\x03\0\1a"), 1, false },
	{ BYTES("\x16\x03\x03\0\1a\x17\x03\x03\0\3abc"), 2, false },
	/* an empty record is one too */
	{ BYTES("\x16\x03\x03\0\0\x16\x03\x03\0\0"), 2, false },
	/* the sequence begins behind the last ChangeCipherSpec */
	{ BYTES("\x16\x03\x03\0\1a\x14\x03\x03\0\1\1"), 0, true },
	{ BYTES("\x16\x03\x03\0\1a\x14\x03\x03\0\1\1\x16\x03\x03\0\1a"), 1,
	  true },
	/* one inside a record is none */
	{ BYTES("\x16\x03\x03\0\6\x14\x03\x03\0\1\1"), 1, false },
};

Test(bio, records_are_counted_however_the_stream_is_cut)
{
	for (size_t i = 0; i < COUNT(streams); i++) {
		for (size_t chunk = 1; chunk < 20; chunk++) {
			struct hs_stream s = { 0 };
			size_t len = streams[i].len;

			for (size_t at = 0; at < len; at += chunk)
				hs_stream_scan(
					&s, (uint8_t *)streams[i].bytes + at,
					len - at < chunk ? len - at : chunk);
			cr_expect_eq(s.records, streams[i].records, "%zu/%zu",
				     i, chunk);
			cr_expect_eq(s.changed, streams[i].changed);
			cr_expect_eq(s.left, 0);
		}
	}
}

Test(bio, a_record_of_64_kib_is_one)
{
	static uint8_t record[5 + 65535] = { 23, 3, 3, 255, 255 };
	struct hs_stream s = { 0 };

	memset(record + 5, 20, 65535);
	hs_stream_scan(&s, record, 30000);
	hs_stream_scan(&s, record + 30000, sizeof(record) - 30000);
	hs_stream_scan(&s, record, 5);
	cr_assert_eq(s.records, 2);
	cr_assert_eq(s.left, 65535);
}

/* What is appended comes out in order, whatever was sent in between. */
Test(bio, the_output_grows_and_keeps_its_order)
{
	struct hs *hs = calloc(1, sizeof(*hs));
	uint8_t in = 0, out = 0;
	uint8_t piece[999];
	struct ocsp_bytes b;

	for (size_t round = 1; round < 400; round++) {
		size_t n = round * 37 % sizeof(piece);

		for (size_t i = 0; i < n; i++)
			piece[i] = in++;
		cr_assert_eq(hs_append(hs, piece, n), 0);
		b = hs_output(hs);
		n = round % 3 ? b.len / 2 : b.len;
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(b.data[i], out++);
		hs_output_sent(hs, n);
	}
	cr_assert_leq(hs->out_size, 8192);
	free(hs->out);
	free(hs);
}

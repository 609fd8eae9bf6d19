// SPDX-License-Identifier: MIT
#include "tests/client_hello.h"
#include "tests/handshake_peer.h"

#include "handshake/internal.h"

TestSuite(ja4, .timeout = 30);

#define TLS12 0x0303
#define GREASE 0x6a6a

static const char *ja4_of(const struct hello *h)
{
	static char ja4[HS_JA4_LEN + 1];
	uint8_t *copy = malloc(h->len);	/* an over-read is seen */

	memcpy(copy, h->data, h->len);
	hs_ja4_make(EVP_sha256(), copy, h->len, ja4);
	free(copy);
	return ja4;
}

/* The client of the specification's example, in the order in which it speaks. */
static const uint16_t example_ciphers[] = {
	GREASE, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9,
	0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
};
static const uint16_t example_extensions[] = {
	0x1a1a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d,
	0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0xfafa, 0x0015,
};
static const uint16_t example_schemes[] = {
	0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601,
};
static const uint16_t example_versions[] = { GREASE, 0x0304, 0x0303 };

static void make_example(struct hello *h, unsigned int n_extensions)
{
	hello_begin(h, TLS12, example_ciphers, COUNT(example_ciphers));
	for (size_t i = 0; i < n_extensions; i++) {
		uint16_t type = example_extensions[i];

		if (type == 0x000d)
			hello_extend_list(h, type, example_schemes,
					  COUNT(example_schemes));
		else if (type == 0x002b)
			hello_extend_versions(h, example_versions,
					      COUNT(example_versions));
		else if (type == 0x0010)
			hello_extend(h, type, "\0\x0c\x02h2\x08http/1.1", 14);
		else
			hello_extend(h, type, "12345", 5);
	}
}

Test(ja4, is_as_in_the_specifications_example)
{
	static struct hello h;

	make_example(&h, COUNT(example_extensions));
	cr_assert_str_eq(ja4_of(&h), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

/* By sha256sum(1) of the lists. */
static const struct {
	uint16_t version;
	uint16_t cipher;	/* 0: none */
	uint16_t extension;	/* 0: none */
	const char *ja4;
} simple[] = {
	{ 0x0303, 0, 0, "t12i000000_000000000000_000000000000" },
	{ 0x0303, GREASE, GREASE, "t12i000000_000000000000_000000000000" },
	/* 1301; 0017 */
	{ 0x0302, 0x1301, 0x0017, "t11i010100_0f2cb44170f4_1ca028f07214" },
	{ 0x0301, 0, 0x0017, "t10i000100_000000000000_1ca028f07214" },
	{ 0x0300, 0, 0, "ts3i000000_000000000000_000000000000" },
	{ 0x0002, 0, 0, "ts2i000000_000000000000_000000000000" },
	{ 0x7f12, 0, 0, "t00i000000_000000000000_000000000000" },
};

Test(ja4, says_what_little_there_is)
{
	static struct hello h;

	for (size_t i = 0; i < COUNT(simple); i++) {
		hello_begin(&h, simple[i].version, &simple[i].cipher,
			    !!simple[i].cipher);
		if (simple[i].extension)
			hello_extend(&h, simple[i].extension, "", 0);
		cr_expect_str_eq(ja4_of(&h), simple[i].ja4, "case %zu: %s", i,
				 ja4_of(&h));
	}
}

static const struct {
	const char *wire;	/* of the extension, its first length aside */
	size_t len;
	const char *mark;
} protocols[] = {
	{ "\x02h2", 3, "h2" },
	{ "\x08http/1.1\x02h2", 12, "h1" },
	{ "\x01x", 2, "xx" },
	{ "", 0, "00" },
	{ "\x00", 1, "00" },
	/* the specification's */
	{ "\x01\xab", 2, "ab" },
	{ "\x02\xab\xcd", 3, "ad" },
	{ "\x02\x30\xab", 3, "3b" },
	{ "\x04\x30\x31\xab\xcd", 5, "3d" },
	{ "\x04\x30\xab\xcd\x31", 5, "01" },
};

Test(ja4, marks_the_first_protocol)
{
	static struct hello h;

	for (size_t i = 0; i < COUNT(protocols); i++) {
		uint8_t data[32] = { 0, protocols[i].len };

		memcpy(data + 2, protocols[i].wire, protocols[i].len);
		hello_begin(&h, TLS12, NULL, 0);
		hello_extend(&h, 16, data, protocols[i].len + 2);
		cr_expect_eq(strncmp(ja4_of(&h) + 8, protocols[i].mark, 2), 0,
			     "case %zu: %s", i, ja4_of(&h));
	}
}

Test(ja4, counts_no_further_than_99)
{
	static struct hello h;
	uint16_t list[600];

	for (size_t i = 0; i < COUNT(list); i++)
		list[i] = 0xc000 + i;
	hello_begin(&h, TLS12, list, 99);
	cr_expect_eq(strncmp(ja4_of(&h), "t12i9900", 8), 0);
	hello_begin(&h, TLS12, list, 100);
	cr_expect_eq(strncmp(ja4_of(&h), "t12i9900", 8), 0);
	hello_begin(&h, TLS12, list, 512);
	cr_expect_eq(strlen(ja4_of(&h)), HS_JA4_LEN);
	hello_begin(&h, TLS12, list, 513);
	cr_expect_str_empty(ja4_of(&h));
}

/* One cut short ends where a length says, so each cut is a fault but two. */
Test(ja4, is_empty_for_what_is_no_client_hello)
{
	static struct hello h, cut;
	size_t begin;

	make_example(&h, COUNT(example_extensions));
	begin = h.extensions;
	for (cut = h, cut.len = 0; cut.len < h.len; cut.len++)
		cr_expect_eq(!*ja4_of(&cut), cut.len != begin, "%zu", cut.len);
	h.data[0] = 2;
	cr_expect_str_empty(ja4_of(&h));
}

Test(ja4, survives_any_changed_byte)
{
	static struct hello h, changed;

	make_example(&h, COUNT(example_extensions));
	for (size_t i = 0; i < h.len; i++) {
		changed = h;
		for (int k = 0; k < 256; k += 5) {
			size_t len;

			changed.data[i] = k;
			len = strlen(ja4_of(&changed));
			cr_assert(!len || len == HS_JA4_LEN);
		}
	}
}

/* A real client's, that says something of itself by an extension of its own. */
static void shake_hands(struct duo *d, size_t chunk)
{
	d->chunk = chunk;
	duo_connect(d);
	duo_done(d);
}

static int add_nothing(SSL *ssl, unsigned int type, unsigned int context,
		       const unsigned char **out, size_t *len, X509 *x,
		       size_t index, int *alert, void *arg)
{
	(void)ssl, (void)type, (void)context, (void)x, (void)index;
	(void)alert, (void)arg;
	*out = (const unsigned char *)"";
	*len = 0;
	return 1;
}

Test(ja4, is_the_same_however_the_hello_arrives)
{
	static const size_t chunks[] = { 0, 1, 100 };
	char first[HS_JA4_LEN + 1] = "";
	struct duo d;
	bool scsv;

	duo_init(&d, "P-256");
	d.config.ja4 = true;
	SSL_CTX_set_ciphersuites(d.client_ctx, "TLS_AES_128_GCM_SHA256");
	SSL_CTX_set_cipher_list(d.client_ctx, "ECDHE-ECDSA-AES128-GCM-SHA256");
	for (size_t i = 0; i < COUNT(chunks); i++) {
		shake_hands(&d, chunks[i]);
		if (!i)
			strcpy(first, hs_ja4(d.hs));
		/* 1301,c02b; before them 00ff, unless an extension says that */
		scsv = hs_ja4(d.hs)[5] == '3';
		cr_expect_eq(strncmp(hs_ja4(d.hs), scsv ? "t13d03" : "t13d02",
				     6), 0, "%s", hs_ja4(d.hs));
		cr_expect_eq(strncmp(hs_ja4(d.hs) + 10,
				     scsv ? "_342068d8c85c_" : "_777cda164f4b_",
				     14), 0, "%s", hs_ja4(d.hs));
		cr_expect_str_eq(hs_ja4(d.hs), first);
		duo_disconnect(&d);
	}
	/* Extensions that libssl does not know count, too. */
	cr_assert(SSL_CTX_add_custom_ext(d.client_ctx, 0x4469,
					 SSL_EXT_CLIENT_HELLO, add_nothing,
					 NULL, NULL, NULL, NULL));
	shake_hands(&d, 0);
	cr_expect_str_neq(hs_ja4(d.hs), first);
	cr_expect_eq(strtol((char[]){ hs_ja4(d.hs)[6], hs_ja4(d.hs)[7], 0 },
			    NULL, 10),
		     strtol((char[]){ first[6], first[7], 0 }, NULL, 10) + 1);
	duo_fini(&d);
}

Test(ja4, of_two_hellos_is_the_first_ones)
{
	char first[HS_JA4_LEN + 1] = "";
	struct duo d;

	duo_init(&d, "P-256");
	d.config.ja4 = true;
	duo_connect(&d);
	cr_assert(SSL_set1_groups_list(d.client, "P-384:P-256"));
	/* one that the client sends no key share for */
	cr_assert(SSL_set1_groups_list(d.hs->ssl, "P-256"));
	SSL_do_handshake(d.client);
	duo_collect(&d);
	duo_feed(&d);
	strcpy(first, hs_ja4(d.hs));
	cr_assert_eq(strlen(first), HS_JA4_LEN);
	duo_done(&d);
	cr_expect_str_eq(hs_ja4(d.hs), first);
	duo_fini(&d);
}

Test(ja4, is_not_made_unless_it_is_asked_for)
{
	struct duo d;

	duo_init(&d, "P-256");
	shake_hands(&d, 0);
	cr_expect_str_empty(hs_ja4(d.hs));
	duo_fini(&d);
}

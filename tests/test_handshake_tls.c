// SPDX-License-Identifier: MIT
#include "tests/client_hello.h"
#include "tests/handshake_peer.h"

#include <errno.h>

#include "handshake/internal.h"
#include "handshake/tls.h"

TestSuite(tls, .timeout = 60);

#define PQ (OPENSSL_VERSION_NUMBER >= 0x30500000L)
#define TLS12_PAIRS ((1u << KTLS_CIPHERS) - 1)
#define ALL12 \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:" \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:" \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define ALL13 \
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:" \
	"TLS_CHACHA20_POLY1305_SHA256"

/* What a context offers, of those versions that it does: names with ':'. */
static const char *offered(const SSL_CTX *ssl)
{
	static char list[512];
	int min = SSL_CTX_get_min_proto_version((SSL_CTX *)ssl);
	int max = SSL_CTX_get_max_proto_version((SSL_CTX *)ssl);
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ssl);

	list[0] = '\0';
	for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
		const SSL_CIPHER *c = sk_SSL_CIPHER_value(all, i);
		bool is13 = !strcmp(SSL_CIPHER_get_version(c), "TLSv1.3");

		if (is13 ? max < TLS1_3_VERSION : min > TLS1_2_VERSION)
			continue;
		if (*list)
			strcat(list, ":");
		strcat(list, SSL_CIPHER_get_name(c));
	}
	return list;
}

static const struct {
	struct hs_tls tls;
	unsigned int pairs;
	const char *offered;
} offers[] = {
	{ { 0 }, KTLS_ALL_PAIRS, ALL13 ":" ALL12 },
	{ { .preset = HS_PRESET_INTERMEDIATE }, KTLS_ALL_PAIRS,
	  ALL13 ":" ALL12 },
	{ { .preset = HS_PRESET_MODERN }, KTLS_ALL_PAIRS, ALL13 },
	{ { .preset = HS_PRESET_MODERN, .min_version = KTLS_TLS13 },
	  KTLS_ALL_PAIRS, ALL13 },
	{ { .preset = HS_PRESET_INTERMEDIATE, .min_version = KTLS_TLS13 },
	  KTLS_ALL_PAIRS, ALL13 },
	{ { .min_version = KTLS_TLS12 }, KTLS_ALL_PAIRS, ALL13 ":" ALL12 },
	/* by the key that is there, and by what the kernel takes */
	{ { .preset = HS_PRESET_MODERN, .min_version = KTLS_TLS12,
	    .ciphers = "ECDHE-RSA-AES128-GCM-SHA256" },
	  KTLS_ALL_PAIRS, ALL13 ":ECDHE-RSA-AES128-GCM-SHA256" },
	{ { .ciphers = "ECDHE-RSA-AES256-GCM-SHA384:"
		       "ECDHE-ECDSA-AES128-GCM-SHA256:"
		       "ECDHE-RSA-AES256-GCM-SHA384" },
	  TLS12_PAIRS,
	  "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256" },
	{ { .ciphersuites = "TLS_CHACHA20_POLY1305_SHA256:"
			    "TLS_AES_256_GCM_SHA384" },
	  KTLS_PAIR(KTLS_TLS13, KTLS_AES_256_GCM), "TLS_AES_256_GCM_SHA384" },
	{ { .ciphers = ALL12 }, KTLS_PAIR(KTLS_TLS12, KTLS_AES_128_GCM),
	  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256" },
	/* what is for another version does not matter */
	{ { .min_version = KTLS_TLS13, .ciphers = ALL12 },
	  KTLS_PAIR(KTLS_TLS13, KTLS_AES_128_GCM), "TLS_AES_128_GCM_SHA256" },
	{ { .preset = HS_PRESET_MODERN, .ciphers = ALL12 }, KTLS_ALL_PAIRS,
	  ALL13 },
};

/* The server's side of what a client gets; the context is the caller's. */
static struct hs_ctx *context(struct duo *d, const struct hs_tls *tls,
			      unsigned int pairs)
{
	d->config.tls = tls;
	d->config.pairs = pairs;
	return duo_ctx(d);
}

Test(tls, offers_what_was_asked_for_and_the_kernel_takes)
{
	struct duo d;

	duo_init(&d, "P-256");
	for (size_t i = 0; i < COUNT(offers); i++) {
		struct hs_ctx *ctx = context(&d, &offers[i].tls,
					     offers[i].pairs);

		cr_expect_str_eq(offered(ctx->ssl), offers[i].offered,
				 "case %zu: %s", i, offered(ctx->ssl));
		hs_ctx_free(ctx);
		d.ctx = NULL;
	}
	duo_fini(&d);
}

#define OPTION(name, value) \
	.options = &(const struct hs_option){ name, value }, .n_options = 1

static const struct {
	struct hs_tls tls;
	unsigned int pairs;
	const char *error;
} faults[] = {
	{ { .ciphers = "ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA" },
	  KTLS_ALL_PAIRS, "ciphers: AES128-SHA is none of ECDHE-ECDSA-AES128-" },
	{ { .ciphers = "DHE-RSA-AES128-GCM-SHA256" }, KTLS_ALL_PAIRS,
	  "ciphers: DHE-RSA-AES128-GCM-SHA256 is none of " },
	{ { .ciphers = "TLS_AES_128_GCM_SHA256" }, KTLS_ALL_PAIRS,
	  "ciphers: TLS_AES_128_GCM_SHA256 is none of " },
	{ { .ciphers = "HIGH:!aNULL" }, KTLS_ALL_PAIRS,
	  "ciphers: HIGH is none of " },
	{ { .ciphers = "" }, KTLS_ALL_PAIRS, "ciphers:  is none of " },
	{ { .min_version = KTLS_TLS13, .ciphers = "nonsense" }, KTLS_ALL_PAIRS,
	  "ciphers: nonsense is none of " },
	{ { .ciphersuites = "TLS_AES_128_CCM_SHA256" }, KTLS_ALL_PAIRS,
	  "ciphersuites: TLS_AES_128_CCM_SHA256 is none of "
	  "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, "
	  "TLS_CHACHA20_POLY1305_SHA256" },
	{ { .ciphers = "ECDHE-RSA-CHACHA20-POLY1305" },
	  KTLS_PAIR(KTLS_TLS12, KTLS_AES_128_GCM),
	  "ciphers: none of them can be offloaded" },
	{ { .ciphersuites = "TLS_AES_128_GCM_SHA256" },
	  KTLS_PAIR(KTLS_TLS13, KTLS_AES_256_GCM) | TLS12_PAIRS,
	  "ciphersuites: none of them can be offloaded" },
	{ { .preset = HS_PRESET_MODERN, .min_version = KTLS_TLS12 },
	  KTLS_ALL_PAIRS,
	  "min_version: the preset modern has no ciphers for TLS 1.2" },
	{ { .preset = HS_PRESET_MODERN }, TLS12_PAIRS,
	  "there is no TLS version and cipher to offer" },
	{ { .min_version = KTLS_TLS13 }, TLS12_PAIRS,
	  "there is no TLS version and cipher to offer" },
	{ { OPTION("MaxProtocol", "TLSv1.2"), .min_version = KTLS_TLS13 },
	  KTLS_ALL_PAIRS, "there is no TLS version and cipher to offer" },
	{ { OPTION("MaxProtocol", "TLSv1.1") }, KTLS_ALL_PAIRS,
	  "there is no TLS version and cipher to offer" },
	{ { .groups = "X25519:nonsense" }, KTLS_ALL_PAIRS,
	  "groups: nonsense is unknown to OpenSSL 3." },
	{ { .groups = "X25519:P-256:X25519" }, KTLS_ALL_PAIRS,
	  "groups: X25519 is there twice" },
	{ { .groups = "?nonsense" }, KTLS_ALL_PAIRS,
	  "groups: none of them is known to OpenSSL 3." },
	{ { .groups = "*X25519" }, KTLS_ALL_PAIRS,
	  "groups: *X25519 is not a name" },
	{ { .groups = "X25519/P-256" }, KTLS_ALL_PAIRS,
	  "groups: X25519/P-256 is not a name" },
	{ { .groups = "-X25519" }, KTLS_ALL_PAIRS,
	  "groups: -X25519 is not a name" },
	{ { .groups = "" }, KTLS_ALL_PAIRS, "groups:  is not a name" },
	{ { .signature_algorithms = "ed25519:nonsense" }, KTLS_ALL_PAIRS,
	  "signature_algorithms: nonsense is unknown to OpenSSL 3." },
	{ { OPTION("KTLS", "on") }, KTLS_ALL_PAIRS,
	  "options: KTLS is none of Options, MaxProtocol, "
	  "ClientSignatureAlgorithms" },
	{ { OPTION("RecordPadding", "512") }, KTLS_ALL_PAIRS,
	  "options: RecordPadding is none of " },
	{ { OPTION("NumTickets", "9") }, KTLS_ALL_PAIRS,
	  "options: NumTickets is none of " },
	{ { OPTION("VerifyCAFile", "/etc/passwd") }, KTLS_ALL_PAIRS,
	  "options: VerifyCAFile is none of " },
	{ { OPTION("Options", "ServerPreference,KTLS") }, KTLS_ALL_PAIRS,
	  "options: KTLS is none of ServerPreference, PrioritizeChaCha, "
	  "MiddleboxCompat" },
	{ { OPTION("Options", "-NoRenegotiation") }, KTLS_ALL_PAIRS,
	  "options: NoRenegotiation is none of " },
	{ { OPTION("Options", "Compression") }, KTLS_ALL_PAIRS,
	  "options: Compression is none of " },
	{ { OPTION("Options", "-SessionTicket") }, KTLS_ALL_PAIRS,
	  "options: SessionTicket is none of " },
	{ { OPTION("Options", "-ExtendedMasterSecret") }, KTLS_ALL_PAIRS,
	  "options: ExtendedMasterSecret is none of " },
	{ { OPTION("MaxProtocol", "TLSv7") }, KTLS_ALL_PAIRS,
	  "does not take TLSv7 for MaxProtocol" },
	{ { OPTION("ClientSignatureAlgorithms", "nonsense") }, KTLS_ALL_PAIRS,
	  "does not take nonsense for ClientSignatureAlgorithms" },
};

Test(tls, each_fault_is_named_by_its_key)
{
	struct duo d;

	duo_init(&d, "P-256");
	hs_ctx_free(duo_ctx(&d));
	for (size_t i = 0; i < COUNT(faults); i++) {
		const struct hs_tls *tls = &faults[i].tls;
		const struct hs_option *option;
		char error[512] = "";
		char again[512] = "";

		cr_expect_eq(hs_tls_check(tls, faults[i].pairs, &option, error,
					  sizeof(error)), -EINVAL);
		cr_expect(strstr(error, faults[i].error), "case %zu: %s", i,
			  error);
		cr_expect_eq(option, !strncmp(error, "options: ", 9) ?
					     tls->options : NULL);
		d.config.tls = tls;
		d.config.pairs = faults[i].pairs;
		cr_expect_null(hs_ctx_new(&d.config, again, sizeof(again)));
		cr_expect_str_eq(again, error);
		cr_expect_eq(ERR_peek_error(), 0);
	}
	d.ctx = NULL;
	duo_fini(&d);
}

Test(tls, names_the_option_at_fault)
{
	static const struct hs_option options[] = {
		{ "Options", "-MiddleboxCompat" },
		{ "options", "+serverpreference,PrioritizeChaCha" },
		{ "Nonsense", "1" },
		{ "MaxProtocol", "TLSv1.3" },
	};
	struct hs_tls tls = { .options = options, .n_options = 4 };
	const struct hs_option *option;
	char error[512];

	cr_assert_eq(hs_tls_check(&tls, KTLS_ALL_PAIRS, &option, error,
				  sizeof(error)), -EINVAL);
	cr_assert_eq(option, &options[2]);
	tls.n_options = 2;
	cr_assert_eq(hs_tls_check(&tls, KTLS_ALL_PAIRS, &option, error,
				  sizeof(error)), 0, "%s", error);
	cr_assert_null(option);
}

static const struct {
	struct hs_tls tls;
	bool server;	/* whose order of ciphers counts */
} orders[] = {
	{ { 0 }, true },
	{ { .preset = HS_PRESET_INTERMEDIATE }, false },
	{ { .preset = HS_PRESET_MODERN }, false },
	{ { .preset = HS_PRESET_MODERN, OPTION("Options", "ServerPreference") },
	  true },
	{ { OPTION("Options", "-ServerPreference") }, false },
};

Test(tls, the_order_of_ciphers_is_the_presets_or_the_options)
{
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct hs_info info;
		struct duo d;

		duo_init(&d, "P-256");
		d.config.tls = &orders[i].tls;
		SSL_CTX_set_ciphersuites(d.client_ctx, "TLS_AES_256_GCM_SHA384:"
						       "TLS_AES_128_GCM_SHA256");
		duo_connect(&d);
		duo_done(&d);
		hs_get_info(d.hs, &info);
		cr_expect_str_eq(info.cipher, orders[i].server ?
						      "TLS_AES_128_GCM_SHA256" :
						      "TLS_AES_256_GCM_SHA384");
		duo_fini(&d);
	}
}

static const struct {
	struct hs_tls tls;
	const char *client, *group;	/* NULL: none in common */
} groups[] = {
	{ { .preset = HS_PRESET_MODERN }, "X25519", "x25519" },
	{ { .preset = HS_PRESET_MODERN }, "P-521:P-384", "secp384r1" },
	{ { .preset = HS_PRESET_INTERMEDIATE }, "P-256", "secp256r1" },
	{ { .preset = HS_PRESET_INTERMEDIATE }, "P-521", NULL },
	{ { .preset = HS_PRESET_MODERN, .groups = "P-521" }, "X25519:P-521",
	  "secp521r1" },
	{ { .groups = "?nonsense:secp384r1:?rubbish" }, "P-256:P-384",
	  "secp384r1" },
	{ { 0 }, "P-521", "secp521r1" },
#if PQ
	{ { .preset = HS_PRESET_MODERN }, "X25519MLKEM768:X25519",
	  "X25519MLKEM768" },
	{ { .preset = HS_PRESET_INTERMEDIATE }, "X25519MLKEM768",
	  "X25519MLKEM768" },
	{ { 0 }, "X25519MLKEM768:X25519", "X25519MLKEM768" },
	{ { .preset = HS_PRESET_MODERN, .groups = "X25519" },
	  "X25519MLKEM768:X25519", "x25519" },
#endif
};

Test(tls, groups_are_the_presets_or_those_named)
{
	for (size_t i = 0; i < COUNT(groups); i++) {
		struct hs_info info;
		struct duo d;

		duo_init(&d, "P-256");
		d.config.tls = &groups[i].tls;
		cr_assert(SSL_CTX_set1_groups_list(d.client_ctx,
						   groups[i].client));
		duo_connect(&d);
		duo_run(&d);
		cr_expect_eq(d.step, groups[i].group ? HS_DONE : HS_FAIL,
			     "case %zu: %s", i, hs_error(d.hs));
		hs_get_info(d.hs, &info);
		if (groups[i].group)
			cr_expect_eq(strcasecmp(info.group, groups[i].group),
				     0, "case %zu: %s", i, info.group);
		else
			cr_expect_eq(hs_failure(d.hs), HS_F_CIPHER);
		duo_fini(&d);
	}
}

Test(tls, signature_algorithms_are_those_named)
{
	struct hs_tls tls = { .signature_algorithms = "?nonsense:"
						      "RSA-PSS+SHA512:"
						      "rsa_pkcs1_sha512" };
	struct hs_info info;
	struct duo d;

	duo_init(&d, "RSA");
	d.config.tls = &tls;
	duo_connect(&d);
	duo_done(&d);
	hs_get_info(d.hs, &info);
	cr_assert_str_eq(info.sig_scheme, "rsa_pss_rsae_sha512");
	duo_fini(&d);
}

Test(tls, tls13_can_be_left_out)
{
	struct hs_tls tls = { OPTION("MaxProtocol", "TLSv1.2") };
	struct duo d;

	duo_init(&d, "P-256");
	cr_assert_str_eq(offered(context(&d, &tls, KTLS_ALL_PAIRS)->ssl),
			 ALL12);
	duo_fini(&d);
}

Test(tls, the_keys_work_without_the_record_for_middleboxes)
{
	struct hs_tls tls = { OPTION("Options", "-MiddleboxCompat") };
	struct ktls_keys keys;
	struct duo d;

	duo_init(&d, "P-256");
	d.config.tls = &tls;
	duo_connect(&d);
	duo_done(&d);
	cr_assert_eq(hs_keys(d.hs, &keys), 0);
	duo_try_keys(&d, &keys);
	duo_fini(&d);
}

/* A system's configuration that says all that must not be. */
static void write_config(const char *file)
{
	FILE *f = fopen(file, "w");

	cr_assert(f);
	fputs("openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\n"
	      "system_default = all\n[all]\nMinProtocol = TLSv1\n"
	      "MaxProtocol = TLSv1.1\nProtocol = -TLSv1.3\n"
	      "CipherString = ALL:@SECLEVEL=0\n"
	      "Options = KTLS,-NoRenegotiation,UnsafeLegacyRenegotiation,"
	      "Compression,-ServerPreference,-PrioritizeChaCha\n", f);
	fclose(f);
}

Test(tls, the_systems_configuration_switches_nothing_on)
{
	char file[] = "/tmp/test_handshake_tls.XXXXXX";
	struct ktls_keys keys;
	struct hs_ctx *ctx;
	struct duo d;

	close(mkstemp(file));
	write_config(file);
	setenv("OPENSSL_CONF", file, 1);
	duo_init(&d, "P-256");
	unlink(file);
	ctx = duo_ctx(&d);
	cr_expect_str_eq(offered(ctx->ssl), ALL13 ":" ALL12);
	cr_expect_eq(SSL_CTX_get_options(ctx->ssl) &
			     (SSL_OP_ENABLE_KTLS | SSL_OP_NO_RENEGOTIATION |
			      SSL_OP_NO_COMPRESSION | SSL_OP_NO_TLSv1_3 |
			      SSL_OP_ALLOW_CLIENT_RENEGOTIATION |
			      SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION),
		     SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	cr_expect_eq(SSL_CTX_get_max_early_data(ctx->ssl), 0);
	cr_expect_eq(SSL_CTX_get_read_ahead(ctx->ssl), 0);
	SSL_CTX_set_max_proto_version(d.client_ctx, 0);
	SSL_CTX_clear_options(d.client_ctx, SSL_OP_NO_TLSv1_3);
	duo_connect(&d);
	duo_done(&d);
	cr_assert_eq(hs_keys(d.hs, &keys), 0);
	cr_assert_eq(keys.version, KTLS_TLS13);
	duo_try_keys(&d, &keys);
	duo_fini(&d);
}

/* --- ClientHellos of several segments ---------------------------------- */

#define MLKEM 0x11ec		/* X25519MLKEM768 */
#define MLKEM_SHARE 1216	/* bytes */
#define X25519 0x001d

/* As a post-quantum client begins; with X25519's share, too, or without. */
static void make_hello(struct hello *h, bool both)
{
	static const uint16_t suites[] = { 0x1301, 0x1302, 0x1303 };
	static const uint16_t versions[] = { KTLS_TLS13 };
	static const uint16_t known[] = { MLKEM, X25519 };
	static const uint16_t schemes[] = { 0x0403, 0x0804, 0x0401 };
	struct hello shares = { .len = 0 };

	hello_put16(&shares, 4 + MLKEM_SHARE + (both ? 4 + 32 : 0));
	hello_put16(&shares, MLKEM);
	hello_put16(&shares, MLKEM_SHARE);
	for (int i = 0; i < MLKEM_SHARE; i++)
		hello_put8(&shares, i);
	if (both) {
		hello_put16(&shares, X25519);
		hello_put16(&shares, 32);
		for (int i = 0; i < 32; i++)
			hello_put8(&shares, 9);
	}
	hello_begin(h, KTLS_TLS12, suites, COUNT(suites));
	hello_extend_versions(h, versions, 1);
	hello_extend_list(h, 10, known, COUNT(known));
	hello_extend_list(h, 13, schemes, COUNT(schemes));
	hello_extend(h, 51, shares.data, shares.len);
}

/* SHA-256 of "HelloRetryRequest" begins with it, RFC 8446 4.1.3 */
static bool is_retry(const uint8_t *random)
{
	return !memcmp(random, "\xcf\x21\xad\x74\xe5\x9a\x61\x11", 8);
}

/* The group of a ServerHello's or a retry's key_share. */
static uint16_t answered_group(const uint8_t *message)
{
	const uint8_t *p = message + 4 + 2 + 32;
	const uint8_t *end;

	p += 1 + *p + 2 + 1;	/* session id, cipher, compression */
	end = p + 2 + (p[0] << 8 | p[1]);
	for (p += 2; p < end; p += 4 + (p[2] << 8 | p[3]))
		if (p[0] << 8 == 0 && p[1] == 51)
			return p[4] << 8 | p[5];
	return 0;
}

static const size_t segments[] = { 0, 1, 536, 1200, 1448 };
static const size_t records[] = { 16384, 1000, 100 };

/* Where the group is known, it is switched off: what it is like is below. */
static void answer_large_hello(bool both, size_t chunk, size_t record)
{
	static struct hello h;
	struct hs_tls tls = { .groups = "X25519:P-256" };
	struct ocsp_bytes out;
	struct duo d;

	duo_init(&d, "P-256");
	d.config.tls = &tls;
	d.chunk = chunk;
	duo_connect(&d);
	make_hello(&h, both);
	d.wire_len = hello_records(&h, record, d.wire);
	while (duo_feed(&d))
		;
	cr_assert_eq(d.step, HS_MORE, "%s", hs_error(d.hs));
	out = hs_output(d.hs);
	cr_assert_gt(out.len, 80);
	cr_assert_eq(out.data[0], SSL3_RT_HANDSHAKE);
	cr_assert_eq(out.data[5], SSL3_MT_SERVER_HELLO);
	cr_assert_eq(is_retry(out.data + 5 + 6), !both);
	cr_assert_eq(answered_group(out.data + 5), X25519);
	duo_fini(&d);
}

Test(tls, a_hello_with_a_large_unknown_key_share_is_answered)
{
	for (size_t i = 0; i < COUNT(segments); i++)
		for (size_t k = 0; k < COUNT(records); k++) {
			answer_large_hello(true, segments[i], records[k]);
			answer_large_hello(false, segments[i], records[k]);
		}
}

Test(tls, the_keys_work_after_a_hello_of_several_segments)
{
	for (size_t i = 0; i < COUNT(segments); i++) {
		struct ktls_keys keys;
		uint8_t alpn[4000];
		struct duo d;

		duo_init(&d, "P-256");
		d.chunk = segments[i];
		/* 40 protocols of 99 bytes; none is asked for here */
		memset(alpn, 'a', sizeof(alpn));
		for (size_t k = 0; k < sizeof(alpn); k += 100)
			alpn[k] = 99;
		SSL_CTX_set_alpn_protos(d.client_ctx, alpn, sizeof(alpn));
#if PQ
		SSL_CTX_set1_groups_list(d.client_ctx,
					 "X25519MLKEM768:X25519");
#endif
		duo_connect(&d);
		duo_done(&d);
		cr_assert_eq(hs_keys(d.hs, &keys), 0);
		duo_try_keys(&d, &keys);
		duo_fini(&d);
	}
}

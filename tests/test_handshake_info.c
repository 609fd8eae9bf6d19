// SPDX-License-Identifier: MIT
#include "tests/handshake_peer.h"

TestSuite(info, .timeout = 30);

static const struct {
	const char *type;
	uint16_t version;
	const char *sigalgs, *groups;	/* the client's */
	const char *key_alg, *cert_sig_alg, *sig_scheme, *group;
} cases[] = {
	{ "P-256", KTLS_TLS13, NULL, "X25519", "EC256", "SHA256",
	  "ecdsa_secp256r1_sha256", "x25519" },
	{ "P-384", KTLS_TLS13, NULL, "P-256", "EC384", "SHA256",
	  "ecdsa_secp384r1_sha384", "secp256r1" },
	{ "RSA", KTLS_TLS13, NULL, "X25519", "RSA2048", "SHA256",
	  "rsa_pss_rsae_sha256", "x25519" },
	{ "RSA", KTLS_TLS12, "RSA+SHA512", "P-384", "RSA2048", "SHA256",
	  "rsa_pkcs1_sha512", "secp384r1" },
	{ "RSA", KTLS_TLS12, "RSA-PSS+SHA384", "P-521", "RSA2048", "SHA256",
	  "rsa_pss_rsae_sha384", "secp521r1" },
	{ "P-256", KTLS_TLS12, "ECDSA+SHA384", "X25519:P-256",
	  "EC256", "SHA256", "ecdsa_secp384r1_sha384", "x25519" },
	{ "ED25519", KTLS_TLS13, NULL, "X25519", "ED25519", "SHA256",
	  "ed25519", "x25519" },
};

Test(info, names_what_was_agreed)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct hs_info info;
		struct duo d;

		duo_init(&d, cases[i].type);
		client_pair(&d, cases[i].version, KTLS_AES_128_GCM);
		/* the CA signs with ECDSA and SHA-256 */
		if (cases[i].sigalgs)
			SSL_CTX_set_verify(d.client_ctx, SSL_VERIFY_NONE, NULL);
		duo_connect(&d);
		if (cases[i].sigalgs)
			cr_assert(SSL_set1_sigalgs_list(d.client,
							cases[i].sigalgs));
		cr_assert(SSL_set1_groups_list(d.client, cases[i].groups));
		duo_done(&d);
		hs_get_info(d.hs, &info);
		cr_expect_eq(info.version, cases[i].version);
		cr_expect_str_eq(info.key_alg, cases[i].key_alg);
		cr_expect_str_eq(info.cert_sig_alg, cases[i].cert_sig_alg);
		cr_expect_str_eq(info.sig_scheme, cases[i].sig_scheme);
		cr_expect_str_eq(info.group, cases[i].group);
		cr_expect_str_eq(info.server_name, "localhost");
		cr_expect_eq(info.max_fragment, 0);
		cr_expect_eq(info.alpn_len, 0);
		cr_expect_not(info.resumed);
		duo_fini(&d);
	}
}

Test(info, names_what_a_resumption_agreed)
{
	static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

	for (size_t i = 0; i < COUNT(versions); i++) {
		struct hs_info info;
		struct duo d;
		char buf[8];

		duo_init(&d, "P-256");
		client_pair(&d, versions[i], KTLS_AES_128_GCM);
		SSL_CTX_set1_groups_list(d.client_ctx, "X25519:P-256");
		duo_connect(&d);
		duo_done(&d);
		SSL_read(d.client, buf, sizeof(buf));
		duo_disconnect(&d);
		duo_connect(&d);
		SSL_set_session(d.client, d.session);
		duo_done(&d);
		hs_get_info(d.hs, &info);
		cr_assert(info.resumed);
		cr_expect_str_eq(info.server_name, "localhost");
		cr_expect_str_eq(info.sig_scheme, "");
		cr_expect_str_eq(info.group, versions[i] == KTLS_TLS13 ?
						     "x25519" : "");
		cr_expect_str_eq(info.key_alg, "EC256");
		duo_fini(&d);
	}
}

Test(info, a_client_without_a_name_has_an_empty_one)
{
	struct hs_info info;
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	SSL_set_tlsext_host_name(d.client, NULL);
	duo_done(&d);
	hs_get_info(d.hs, &info);
	cr_assert_str_eq(info.server_name, "");
	duo_fini(&d);
}

Test(info, each_fragment_length_is_given_in_bytes)
{
	for (uint8_t mode = TLSEXT_max_fragment_length_512;
	     mode <= TLSEXT_max_fragment_length_4096; mode++) {
		struct hs_info info;
		struct duo d;

		duo_init(&d, "P-256");
		duo_connect(&d);
		SSL_set_tlsext_max_fragment_length(d.client, mode);
		duo_done(&d);
		hs_get_info(d.hs, &info);
		cr_expect_eq(info.max_fragment, 256 << mode);
		duo_fini(&d);
	}
}

Test(info, may_be_asked_before_anything_was_agreed)
{
	struct hs_info info;
	struct duo d;

	duo_init(&d, "P-256");
	duo_connect(&d);
	hs_get_info(d.hs, &info);
	cr_assert_str_eq(info.cipher, "");
	cr_assert_str_eq(info.server_name, "");
	cr_assert_str_eq(info.group, "");
	cr_assert_str_eq(info.sig_scheme, "");
	duo_fini(&d);
}

// SPDX-License-Identifier: MIT
#include "tests/handshake_peer.h"

#include <errno.h>

#include "handshake/tickets.h"

TestSuite(binding, .timeout = 30);

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

static void shake_hands(struct duo *d, uint16_t version)
{
	client_pair(d, version, KTLS_AES_128_GCM);
	duo_connect(d);
	duo_done(d);
}

/* The session that the client was given last goes with the next handshake. */
static void resume(struct duo *d, uint16_t version)
{
	struct hs_info info;
	char buf[8];

	if (d->client)
		SSL_read(d->client, buf, sizeof(buf));
	duo_disconnect(d);
	client_pair(d, version, KTLS_AES_128_GCM);
	duo_connect(d);
	SSL_set_session(d->client, d->session);
	duo_done(d);
	hs_get_info(d->hs, &info);
	cr_assert(info.resumed);
}

/* What the client has by RFC 9266. */
static void clients(struct duo *d, uint8_t out[32])
{
	cr_assert_eq(SSL_export_keying_material(
			     d->client, out, 32, "EXPORTER-Channel-Binding", 24,
			     (const unsigned char *)"", 0, 1), 1);
}

Test(binding, both_ends_have_the_same_exporter_and_no_other_connection)
{
	for (size_t i = 0; i < COUNT(versions); i++) {
		uint8_t first[32], ours[32], theirs[32];
		struct duo d;

		duo_init(&d, "P-256");
		shake_hands(&d, versions[i]);
		cr_assert_eq(hs_exporter(d.hs, first), 0);
		clients(&d, theirs);
		cr_expect_arr_eq(first, theirs, 32);
		resume(&d, versions[i]);
		cr_assert_eq(hs_exporter(d.hs, ours), 0);
		clients(&d, theirs);
		cr_expect_arr_eq(ours, theirs, 32);
		cr_expect_arr_neq(ours, first, 32);
		duo_fini(&d);
	}
}

Test(binding, without_extended_master_secret_tls12_has_no_exporter)
{
	uint8_t out[32];
	struct duo d;

	duo_init(&d, "P-256");
	SSL_CTX_set_options(d.client_ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
	shake_hands(&d, KTLS_TLS12);
	cr_expect_eq(hs_exporter(d.hs, out), -ENOTSUP);
	duo_disconnect(&d);
	shake_hands(&d, KTLS_TLS13);
	cr_expect_eq(hs_exporter(d.hs, out), 0);
	duo_fini(&d);
}

Test(binding, there_is_none_before_the_end)
{
	uint8_t out[HS_END_POINT_MAX];
	struct duo d;
	size_t len;

	duo_init(&d, "P-256");
	duo_connect(&d);
	cr_expect_eq(hs_exporter(d.hs, out), -EIO);
	cr_expect_eq(hs_end_point(d.hs, out, &len), -EIO);
	duo_fini(&d);
}

/* --- tls-server-end-point ----------------------------------------------- */

/* A leaf that is signed by a key of that type and with that digest. */
static void make_leaf(struct pki *p, const char *key_type, const char *ca_type,
		      const EVP_MD *md)
{
	EVP_PKEY *ca_key = pki_key(ca_type);
	EVP_PKEY *key = pki_key(key_type);
	X509 *ca = pki_cert(ca_key, "Test CA", NULL, ca_key, 30);
	X509 *leaf = pki_cert(key, "localhost", ca, ca_key, 30);

	cr_assert(X509_sign(leaf, ca_key, md));
	pki_write(p, leaf, ca, key);
	X509_free(leaf);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
}

/* What @d's client has by RFC 5929, of the certificate that it was sent. */
static void expect_end_point(struct duo *d, X509 *sent, const EVP_MD *md)
{
	uint8_t ours[HS_END_POINT_MAX], theirs[EVP_MAX_MD_SIZE];
	unsigned int theirs_len;
	size_t len = 0;

	cr_assert_eq(hs_end_point(d->hs, ours, &len), 0);
	cr_assert(X509_digest(sent, md, theirs, &theirs_len));
	cr_assert_eq(len, theirs_len);
	cr_expect_arr_eq(ours, theirs, len);
}

static void allow_weak_signatures(void)
{
	char file[] = "/tmp/test_handshake_binding.XXXXXX";
	int fd = mkstemp(file);

	dprintf(fd, "openssl_conf = main\n[main]\nssl_conf = ssl\n[ssl]\n"
		"system_default = all\n[all]\n"
		"CipherString = DEFAULT:@SECLEVEL=0\n");
	close(fd);
	setenv("OPENSSL_CONF", file, 1);
	OPENSSL_init_ssl(0, NULL);
	unlink(file);
}

static const struct {
	const char *ca, *signed_with, *digest;
} signatures[] = {
	{ "RSA", "SHA256", "SHA256" }, { "RSA", "SHA384", "SHA384" },
	{ "RSA", "SHA512", "SHA512" }, { "P-256", "SHA384", "SHA384" },
	/* weak ones are not used */
	{ "RSA", "SHA1", "SHA256" }, { "P-256", "SHA1", "SHA256" },
};

Test(binding, the_end_point_is_the_digest_of_the_certificates_signature)
{
	allow_weak_signatures();
	for (size_t i = 0; i < COUNT(signatures); i++) {
		struct duo d;
		X509 *sent;

		duo_init(&d, "P-256");
		pki_remove(&d.pki);
		make_leaf(&d.pki, "P-256", signatures[i].ca,
			  EVP_get_digestbyname(signatures[i].signed_with));
		SSL_CTX_set_verify(d.client_ctx, SSL_VERIFY_NONE, NULL);
		shake_hands(&d, versions[i % 2]);
		sent = SSL_get1_peer_certificate(d.client);
		expect_end_point(&d, sent,
				 EVP_get_digestbyname(signatures[i].digest));
		X509_free(sent);
		duo_fini(&d);
	}
}

Test(binding, the_end_point_is_not_defined_for_signatures_without_a_digest)
{
	uint8_t out[HS_END_POINT_MAX];
	struct duo d;
	size_t len;

	duo_init(&d, "P-256");
	pki_remove(&d.pki);
	make_leaf(&d.pki, "P-256", "ED25519", NULL);
	SSL_CTX_set_verify(d.client_ctx, SSL_VERIFY_NONE, NULL);
	shake_hands(&d, KTLS_TLS13);
	cr_expect_eq(hs_end_point(d.hs, out, &len), -ENOTSUP);
	duo_fini(&d);
}

/* Another certificate takes the place of the one that there was. */
static void renew(struct duo *d)
{
	char buf[8];

	SSL_read(d->client, buf, sizeof(buf));
	duo_disconnect(d);
	hs_ctx_free(d->ctx);
	hs_cert_free(d->cert);
	d->ctx = NULL;
	d->cert = NULL;
	pki_remove(&d->pki);
	pki_make(&d->pki, "P-256", 30);
}

/* The client goes on with the certificate that it has seen, renewed or not. */
Test(binding, the_end_point_of_a_resumed_session_is_the_full_handshakes)
{
	for (size_t i = 0; i < COUNT(versions); i++) {
		struct hs_ticket_keys keys;
		struct hs_tickets *tickets = hs_tickets_new();
		struct duo d;
		X509 *sent;

		memset(&keys, 7, sizeof(keys));
		hs_tickets_set(tickets, &keys);
		duo_init(&d, "P-256");
		d.config.keys = tickets;
		shake_hands(&d, versions[i]);
		sent = SSL_get1_peer_certificate(d.client);
		/* By its first ticket, then one that came with a resumption. */
		resume(&d, versions[i]);
		expect_end_point(&d, sent, EVP_sha256());
		renew(&d);
		resume(&d, versions[i]);
		expect_end_point(&d, sent, EVP_sha256());
		X509_free(sent);
		duo_fini(&d);
		hs_tickets_free(tickets);
	}
}

/* Two certificates for one name: the one that is the client's counts. */
Test(binding, the_end_point_is_of_the_certificate_that_was_sent)
{
	static const char *const sigalgs[] = { "ECDSA+SHA256", "RSA-PSS+SHA256" };
	char error[200];
	struct pki rsa;
	struct hs_cert *other;
	struct hs_site sites[2];
	struct duo d;

	duo_init(&d, "P-256");
	pki_make(&rsa, "RSA", 30);
	other = cert_of_pair(rsa.chain, rsa.key, error, sizeof(error));
	cr_assert(other, "%s", error);
	d.cert = cert_of_pair(d.pki.chain, d.pki.key, error, sizeof(error));
	sites[0] = (struct hs_site){ .cert = d.cert };
	sites[1] = (struct hs_site){ .cert = other };
	d.config.sites = sites;
	d.config.n_sites = 2;
	SSL_CTX_set_verify(d.client_ctx, SSL_VERIFY_NONE, NULL);
	for (size_t i = 0; i < COUNT(sigalgs); i++) {
		for (size_t v = 0; v < COUNT(versions); v++) {
			X509 *sent;

			client_pair(&d, versions[v], KTLS_AES_128_GCM);
			duo_connect(&d);
			cr_assert(SSL_set1_sigalgs_list(d.client, sigalgs[i]));
			duo_done(&d);
			sent = SSL_get1_peer_certificate(d.client);
			cr_assert_eq(EVP_PKEY_get_base_id(
					     X509_get0_pubkey(sent)),
				     i ? EVP_PKEY_RSA : EVP_PKEY_EC);
			expect_end_point(&d, sent, EVP_sha256());
			X509_free(sent);
			duo_disconnect(&d);
		}
	}
	duo_fini(&d);
	hs_cert_free(other);
	pki_remove(&rsa);
}

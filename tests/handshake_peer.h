/* SPDX-License-Identifier: MIT */
/*
 * A TLS client on memory for the tests of handshake/, certificates made on the
 * spot, and a record layer of its own to try the keys with.
 */
#ifndef TESTS_HANDSHAKE_PEER_H
#define TESTS_HANDSHAKE_PEER_H

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "handshake/handshake.h"
#include "handshake/info.h"
#include "handshake/relay.h"
#include "tests/rsa_key.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define WIRE_MAX (1 << 20)

/* hs_cert_read() of one key, which has no passphrase. */
static inline struct hs_cert *cert_of_pair(const char *chain, const char *key,
					   char *error, size_t error_len)
{
	const struct hs_cert_files files = {
		.chain = chain, .keys = &key, .n_keys = 1,
	};

	return hs_cert_read(&files, error, error_len);
}

/* A CA and a leaf for "localhost" in a directory of their own. */
struct pki {
	char dir[64], chain[80], key[80], ca[80];
};

static inline void pki_extend(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	cr_assert(ext && X509_add_ext(cert, ext, -1));
	X509_EXTENSION_free(ext);
}

static inline void pki_sign(X509 *cert, EVP_PKEY *key)
{
	cr_assert(X509_sign(cert, key,
			    EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ?
				    NULL : EVP_sha256()));
}

/* A certificate of any names; each may be NULL. @issuer NULL: a CA's. */
static inline X509 *pki_cert_for(EVP_PKEY *key, const char *common,
				 const char *alternative, X509 *issuer,
				 EVP_PKEY *issuer_key, long days)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);

	cr_assert(X509_set_version(cert, 2));
	ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400 * 30);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400 * days);
	if (common)
		X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
					   (const unsigned char *)common, -1,
					   -1, 0);
	X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) :
					    subject);
	X509_set_pubkey(cert, key);
	if (alternative)
		pki_extend(cert, NID_subject_alt_name, alternative);
	if (!issuer)
		pki_extend(cert, NID_basic_constraints, "critical,CA:TRUE");
	pki_sign(cert, issuer_key);
	return cert;
}

static inline X509 *pki_cert(EVP_PKEY *key, const char *name, X509 *issuer,
			     EVP_PKEY *issuer_key, long days)
{
	return pki_cert_for(key, name, issuer ? "DNS:localhost" : NULL, issuer,
			    issuer_key, days);
}

static inline EVP_PKEY *pki_key(const char *type)
{
	if (!strcmp(type, "RSA"))
		return rsa_key(0);
	if (!strcmp(type, "ED25519"))
		return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return EVP_EC_gen(type);
}

static inline void pki_write(struct pki *p, X509 *leaf, X509 *ca,
			     EVP_PKEY *key)
{
	FILE *f;

	strcpy(p->dir, "/tmp/test_handshake.XXXXXX");
	cr_assert(mkdtemp(p->dir));
	sprintf(p->chain, "%s/chain.pem", p->dir);
	sprintf(p->key, "%s/key.pem", p->dir);
	sprintf(p->ca, "%s/ca.pem", p->dir);
	f = fopen(p->chain, "w");
	cr_assert(f && PEM_write_X509(f, leaf) && PEM_write_X509(f, ca));
	fclose(f);
	f = fopen(p->ca, "w");
	cr_assert(f && PEM_write_X509(f, ca));
	fclose(f);
	f = fopen(p->key, "w");
	cr_assert(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
	fclose(f);
}

/* @type: "P-256", "RSA", "ED25519"; the leaf ends in @days */
static inline void pki_make_for(struct pki *p, const char *type,
				const char *common, const char *alternative,
				long days)
{
	EVP_PKEY *ca_key = pki_key("P-256");
	EVP_PKEY *key = pki_key(type);
	X509 *ca = pki_cert(ca_key, "Test CA", NULL, ca_key, 30);
	X509 *leaf = pki_cert_for(key, common, alternative, ca, ca_key, days);

	pki_write(p, leaf, ca, key);
	X509_free(leaf);
	X509_free(ca);
	EVP_PKEY_free(key);
	EVP_PKEY_free(ca_key);
}

static inline void pki_make(struct pki *p, const char *type, long days)
{
	pki_make_for(p, type, "localhost", "DNS:localhost", days);
}

static inline void pki_remove(const struct pki *p)
{
	unlink(p->chain);
	unlink(p->key);
	unlink(p->ca);
	rmdir(p->dir);
}

/*
 * A response for a certificate, signed by nobody in particular, with @text as its
 * nonce: newer libraries look for the certificate in what they send. To be freed
 * with OPENSSL_free().
 */
static inline struct ocsp_bytes staple_make(struct ocsp_bytes cert,
					    const void *text, int len)
{
	EVP_PKEY *key = pki_key("P-256");
	X509 *signer = pki_cert(key, "Test CA", NULL, key, 30);
	const unsigned char *p = cert.data;
	X509 *x = d2i_X509(NULL, &p, cert.len);
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), x, signer);
	ASN1_TIME *then = X509_gmtime_adj(NULL, 0);
	OCSP_RESPONSE *response;
	unsigned char *der = NULL;

	OCSP_basic_add1_status(basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, then,
			       NULL);
	OCSP_basic_add1_nonce(basic, (unsigned char *)text, len);
	cr_assert(OCSP_basic_sign(basic, signer, key, EVP_sha256(), NULL,
				  OCSP_NOCERTS));
	response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(response, &der);
	OCSP_RESPONSE_free(response);
	ASN1_TIME_free(then);
	OCSP_CERTID_free(id);
	OCSP_BASICRESP_free(basic);
	X509_free(x);
	X509_free(signer);
	EVP_PKEY_free(key);
	return (struct ocsp_bytes){ der, len };
}

static inline void staple_set(struct hs_cert *cert, unsigned int depth,
			      const char *text, const struct ocsp_times *times)
{
	struct ocsp_bytes der = staple_make(hs_cert_der(cert, depth), text,
					    strlen(text));

	cr_assert_eq(hs_cert_set_staple(cert, depth, der, times), 0);
	OPENSSL_free((void *)der.data);
}

/* The text of staple_make(); it stays until the next call. */
static inline const char *staple_text(OCSP_RESPONSE *response)
{
	static char text[32];
	OCSP_BASICRESP *basic = OCSP_response_get1_basic(response);
	X509_EXTENSION *nonce;
	ASN1_OCTET_STRING *data;

	cr_assert(basic);
	nonce = OCSP_BASICRESP_get_ext(
		basic, OCSP_BASICRESP_get_ext_by_NID(
			       basic, NID_id_pkix_OCSP_Nonce, -1));
	data = X509_EXTENSION_get_data(nonce);
	/* an OCTET STRING in it */
	snprintf(text, sizeof(text), "%.*s", ASN1_STRING_length(data) - 2,
		 ASN1_STRING_get0_data(data) + 2);
	OCSP_BASICRESP_free(basic);
	return text;
}

static inline const char *staple_read(struct ocsp_bytes der)
{
	const unsigned char *p = der.data;
	OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &p, der.len);
	const char *text;

	cr_assert(response);
	text = staple_text(response);
	OCSP_RESPONSE_free(response);
	return text;
}

/* The same of what a client got for the leaf; NULL: nothing. */
static inline const char *staple_received(SSL *client)
{
	const unsigned char *der;
	long len = SSL_get_tlsext_status_ocsp_resp(client, &der);

	return len < 0 ? NULL : staple_read((struct ocsp_bytes){ der, len });
}

/* Both ends of a connection and the bytes under way to the server. */
struct duo {
	struct pki pki;
	struct hs_config config;
	struct hs_site site;	/* with @cert */
	struct hs_cert *cert;
	struct hs_ctx *ctx;
	struct hs *hs;
	enum hs_choice (*choose)(void *arg, struct hs_hello *hello);
	enum hs_step step;
	int64_t now;
	size_t chunk;		/* bytes that arrive at once, 0: all */
	SSL_CTX *client_ctx;
	SSL *client;
	SSL_SESSION *session;	/* the last one that the client was given */
	uint8_t *wire;
	size_t wire_len;
	size_t sent;		/* bytes that the server sent */
};

static inline int duo_session(SSL *ssl, SSL_SESSION *session)
{
	struct duo *d = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	SSL_SESSION_free(d->session);
	d->session = session;
	return 1;
}

static inline void duo_init(struct duo *d, const char *key_type)
{
	memset(d, 0, sizeof(*d));
	pki_make(&d->pki, key_type, 30);
	d->config = (struct hs_config){
		.sites = &d->site,
		.n_sites = 1,
		.pairs = KTLS_ALL_PAIRS,
		.tickets = 2,
	};
	d->now = 1000;
	d->wire = malloc(WIRE_MAX);
	d->client_ctx = SSL_CTX_new(TLS_client_method());
	cr_assert(d->wire && d->client_ctx);
	SSL_CTX_set_app_data(d->client_ctx, d);
	SSL_CTX_set_session_cache_mode(d->client_ctx, SSL_SESS_CACHE_CLIENT);
	SSL_CTX_sess_set_new_cb(d->client_ctx, duo_session);
	cr_assert(SSL_CTX_load_verify_locations(d->client_ctx, d->pki.ca,
						NULL));
	SSL_CTX_set_verify(d->client_ctx, SSL_VERIFY_PEER, NULL);
}

/* What the server has, where there is nothing yet. */
static inline struct hs_ctx *duo_ctx(struct duo *d)
{
	char error[256] = "";

	if (!d->cert)
		d->cert = cert_of_pair(d->pki.chain, d->pki.key, error,
				       sizeof(error));
	cr_assert(d->cert, "%s", error);
	d->site.cert = d->cert;
	if (!d->ctx)
		d->ctx = hs_ctx_new(&d->config, error, sizeof(error));
	cr_assert(d->ctx, "%s", error);
	return d->ctx;
}

static inline void duo_connect(struct duo *d)
{
	BIO *in = BIO_new(BIO_s_mem());
	BIO *out = BIO_new(BIO_s_mem());

	duo_ctx(d);
	d->hs = hs_new(d->ctx, d->choose, d);
	d->client = SSL_new(d->client_ctx);
	cr_assert(d->hs && d->client && in && out);
	d->step = HS_MORE;
	d->wire_len = 0;
	d->sent = 0;
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(d->client, in, out);
	SSL_set_connect_state(d->client);
	SSL_set_tlsext_host_name(d->client, "localhost");
	SSL_set1_host(d->client, "localhost");
}

static inline void duo_disconnect(struct duo *d)
{
	hs_free(d->hs);
	if (d->client)
		SSL_set_shutdown(d->client,
				 SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(d->client);
	d->hs = NULL;
	d->client = NULL;
}

static inline void duo_fini(struct duo *d)
{
	duo_disconnect(d);
	hs_ctx_free(d->ctx);
	hs_cert_free(d->cert);
	SSL_SESSION_free(d->session);
	SSL_CTX_free(d->client_ctx);
	free(d->wire);
	pki_remove(&d->pki);
}

/* What the client wrote goes under way. */
static inline size_t duo_collect(struct duo *d)
{
	int n = BIO_read(SSL_get_wbio(d->client), d->wire + d->wire_len,
			 WIRE_MAX - d->wire_len);

	if (n <= 0)
		return 0;
	d->wire_len += n;
	return n;
}

static inline size_t duo_deliver(struct duo *d)
{
	struct ocsp_bytes out = hs_output(d->hs);

	if (out.len)
		cr_assert_eq(BIO_write(SSL_get_rbio(d->client), out.data,
				       out.len), (int)out.len);
	hs_output_sent(d->hs, out.len);
	d->sent += out.len;
	return out.len;
}

/*
 * Feeds one arrival from a buffer of exactly its size, so that a read behind
 * it is seen by a checker. Bytes not taken stay and come again with more.
 */
static inline bool duo_feed(struct duo *d)
{
	size_t len = d->wire_len;
	uint8_t *arrival;
	size_t used;

	if (d->chunk && d->chunk < len)
		len = d->chunk;
	if (!len || d->step != HS_MORE)
		return false;
	arrival = malloc(len);
	memcpy(arrival, d->wire, len);
	d->step = hs_feed(d->hs, arrival, len, d->now, &used);
	free(arrival);
	cr_assert_leq(used, len);
	if (d->step == HS_MORE)
		cr_assert_eq(used, len, "an undecided handshake takes all");
	d->wire_len -= used;
	memmove(d->wire, d->wire + used, d->wire_len);
	return true;
}

/* Shakes hands until nobody has anything to say. */
static inline void duo_run(struct duo *d)
{
	bool moved;

	do {
		moved = false;
		ERR_clear_error();
		if (!SSL_is_init_finished(d->client))
			SSL_do_handshake(d->client);
		moved |= duo_collect(d) > 0;
		moved |= duo_feed(d);
		moved |= duo_deliver(d) > 0;
	} while (moved);
}

static inline void duo_done(struct duo *d)
{
	duo_run(d);
	cr_assert_eq(d->step, HS_DONE, "%s", hs_error(d->hs));
	cr_assert(SSL_is_init_finished(d->client));
}

/* --- a record layer ---------------------------------------------------- */

static inline bool is_gcm12(const struct ktls_keys *k)
{
	return k->version == KTLS_TLS12 && k->cipher != KTLS_CHACHA20_POLY1305;
}

static inline void record_nonce(const struct ktls_keys *k,
				const struct ktls_dir *dir,
				const uint8_t *explicit, uint8_t nonce[12])
{
	memcpy(nonce, dir->iv, 12);
	if (is_gcm12(k)) {
		memcpy(nonce + 4, explicit, 8);
		return;
	}
	for (int i = 0; i < 8; i++)
		nonce[11 - i] ^= dir->seq >> (8 * i);
}

static inline int aead(const struct ktls_keys *k, const struct ktls_dir *dir,
		       int encrypt, const uint8_t *nonce, const uint8_t *aad,
		       int aad_len, uint8_t *text, int len, uint8_t *tag)
{
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	const EVP_CIPHER *cipher =
		k->cipher == KTLS_AES_128_GCM ? EVP_aes_128_gcm() :
		k->cipher == KTLS_AES_256_GCM ? EVP_aes_256_gcm() :
						EVP_chacha20_poly1305();
	int n;
	int ok = EVP_CipherInit_ex(c, cipher, NULL, dir->key, nonce, encrypt);

	ok = ok && EVP_CipherUpdate(c, NULL, &n, aad, aad_len);
	ok = ok && EVP_CipherUpdate(c, text, &n, text, len);
	if (!encrypt)
		ok = ok && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, 16,
					       tag);
	ok = ok && EVP_CipherFinal_ex(c, text + n, &n);
	if (encrypt)
		ok = ok && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, 16,
					       tag);
	EVP_CIPHER_CTX_free(c);
	return ok;
}

static inline int record_aad(const struct ktls_keys *k,
			     const struct ktls_dir *dir, uint8_t type, int len,
			     const uint8_t *header, uint8_t aad[13])
{
	if (k->version == KTLS_TLS13) {
		memcpy(aad, header, 5);
		return 5;
	}
	for (int i = 0; i < 8; i++)
		aad[7 - i] = dir->seq >> (8 * i);
	aad[8] = type;
	aad[9] = aad[10] = 3;
	aad[11] = len >> 8;
	aad[12] = len;
	return 13;
}

/* Seals @len bytes as the next record of k->tx. Returns its length. */
static inline int record_seal(struct ktls_keys *k, uint8_t type,
			      const void *data, int len, uint8_t *record)
{
	int explicit = is_gcm12(k) ? 8 : 0;
	int inner = len + (k->version == KTLS_TLS13);
	int total = explicit + inner + 16;
	uint8_t *text = record + 5 + explicit;
	uint8_t nonce[12];
	uint8_t aad[13];
	int aad_len;

	record[0] = k->version == KTLS_TLS13 ? 23 : type;
	record[1] = record[2] = 3;
	record[3] = total >> 8;
	record[4] = total;
	for (int i = 0; i < explicit; i++)
		record[5 + 7 - i] = k->tx.seq >> (8 * i);
	memcpy(text, data, len);
	if (k->version == KTLS_TLS13)
		text[len] = type;
	aad_len = record_aad(k, &k->tx, type, inner, record, aad);
	record_nonce(k, &k->tx, record + 5, nonce);
	cr_assert(aead(k, &k->tx, 1, nonce, aad, aad_len, text, inner,
		       text + inner));
	k->tx.seq++;
	return 5 + total;
}

/*
 * Opens the record at @record in place with @dir. Returns the plaintext's
 * length, -1 when it is not the next one; *@type and *@text are set.
 */
static inline int record_open(const struct ktls_keys *k, struct ktls_dir *dir,
			      uint8_t *record, uint8_t *type, uint8_t **text)
{
	int explicit = is_gcm12(k) ? 8 : 0;
	int len = (record[3] << 8 | record[4]) - explicit - 16;
	uint8_t nonce[12];
	uint8_t aad[13];
	int aad_len;

	*text = record + 5 + explicit;
	*type = record[0];
	aad_len = record_aad(k, dir, *type, len, record, aad);
	record_nonce(k, dir, record + 5, nonce);
	if (len < 0 || !aead(k, dir, 0, nonce, aad, aad_len, *text, len,
			     *text + len))
		return -1;
	dir->seq++;
	if (k->version == KTLS_TLS13) {
		while (len && !(*text)[len - 1])
			len--;
		*type = (*text)[--len];
	}
	return len;
}

static inline void client_pair(struct duo *d, uint16_t version,
			       enum ktls_cipher cipher)
{
	static const char *const tls12[] = { "AES128-GCM-SHA256",
					     "AES256-GCM-SHA384",
					     "CHACHA20-POLY1305" };
	static const char *const tls13[] = { "TLS_AES_128_GCM_SHA256",
					     "TLS_AES_256_GCM_SHA384",
					     "TLS_CHACHA20_POLY1305_SHA256" };
	char list[128];

	SSL_CTX_set_min_proto_version(d->client_ctx, version);
	SSL_CTX_set_max_proto_version(d->client_ctx, version);
	sprintf(list, "ECDHE-ECDSA-%s:ECDHE-RSA-%s", tls12[cipher],
		tls12[cipher]);
	cr_assert(SSL_CTX_set_cipher_list(d->client_ctx, list));
	cr_assert(SSL_CTX_set_ciphersuites(d->client_ctx, tls13[cipher]));
}

/* The kernel's work from here on: a record each way under @keys. */
static inline void duo_try_keys(struct duo *d, struct ktls_keys *keys)
{
	static const char to_client[] = "from the kernel";
	static const char to_server[] = "from the client";
	uint8_t record[256];
	uint8_t *text;
	uint8_t type;
	char buf[64];
	int len;

	len = record_seal(keys, 23, to_client, sizeof(to_client), record);
	BIO_write(SSL_get_rbio(d->client), record, len);
	len = SSL_read(d->client, buf, sizeof(buf));
	cr_assert_eq(len, (int)sizeof(to_client), "tx key or sequence number");
	cr_assert_str_eq(buf, to_client);

	cr_assert_eq(SSL_write(d->client, to_server, sizeof(to_server)),
		     (int)sizeof(to_server));
	d->wire_len = 0;
	duo_collect(d);
	len = record_open(keys, &keys->rx, d->wire, &type, &text);
	cr_assert_eq(len, (int)sizeof(to_server), "rx key or sequence number");
	cr_assert_eq(type, 23);
	cr_assert_str_eq((char *)text, to_server);
}

#endif

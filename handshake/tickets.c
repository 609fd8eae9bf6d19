// SPDX-License-Identifier: MIT
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "handshake/admit.h"
#include "handshake/internal.h"

#define NAME_LEN 16
#define HMAC_LEN 32
#define AES_LEN 32
#define IV_LEN 16

_Static_assert(NAME_LEN + HMAC_LEN + AES_LEN == HS_TICKET_KEY,
	       "a key is nothing else");

struct hs_tickets {
	struct hs_ticket_keys keys;
	EVP_CIPHER *cipher;	/* fetched once: each time it takes locks */
};

/* Pages of their own, as nothing smaller can be left out of core dumps. */
struct hs_tickets *hs_tickets_new(void)
{
	struct hs_tickets *t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (t == MAP_FAILED)
		return NULL;
	madvise(t, sizeof(*t), MADV_DONTDUMP);
	t->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	if (t->cipher &&
	    RAND_priv_bytes((uint8_t *)&t->keys, sizeof(t->keys)) == 1)
		return t;
	hs_tickets_free(t);
	return NULL;
}

void hs_tickets_free(struct hs_tickets *t)
{
	if (!t)
		return;
	EVP_CIPHER_free(t->cipher);
	explicit_bzero(t, sizeof(*t));
	munmap(t, sizeof(*t));
}

void hs_tickets_set(struct hs_tickets *t, const struct hs_ticket_keys *keys)
{
	t->keys = *keys;
}

const struct hs_ticket_keys *hs_tickets_get(const struct hs_tickets *t)
{
	return &t->keys;
}

/* The current one first, which is nearly always it; -1: none is called so. */
static int find(const struct hs_ticket_keys *keys, const uint8_t *name)
{
	static const int order[] = { HS_TICKET_CURRENT, HS_TICKET_PREVIOUS,
				     HS_TICKET_NEXT };
	size_t i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (!memcmp(keys->key[order[i]], name, NAME_LEN))
			return order[i];
	return -1;
}

static int set_keys(const struct hs_tickets *t, int index, const uint8_t *iv,
		    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	const uint8_t *hmac = t->keys.key[index] + NAME_LEN;
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_END,
	};

	return EVP_MAC_init(mac, hmac, HMAC_LEN, params) &&
	       EVP_CipherInit_ex2(cipher, t->cipher, hmac + HMAC_LEN, iv, seal,
				  NULL);
}

/*
 * OpenSSL's callback, before a ticket is made or opened. Returns 1; 2: take it,
 * and send another; 0: make none, or ignore it, for a full handshake; -1: out of
 * memory.
 */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv,
		     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seal)
{
	const struct hs *hs = hs_of(ssl);
	const struct hs_tickets *t = hs->ctx->tickets;
	int index = seal ? HS_TICKET_CURRENT : find(&t->keys, name);

	/* TLS 1.2 has promised one: the client gets an empty one then. */
	if (index < 0 || (seal && hs->no_ticket))
		return 0;
	if (seal) {
		memcpy(name, t->keys.key[index], NAME_LEN);
		if (RAND_bytes(iv, IV_LEN) != 1)
			return -1;
	}
	if (!set_keys(t, index, iv, cipher, mac, seal))
		return -1;
	/* TLS 1.3's clients want to use each once (RFC 8446 C.4). */
	return index == HS_TICKET_CURRENT && SSL_version(ssl) == TLS1_2_VERSION ?
	       1 : 2;
}

/* When it was made, seconds since the epoch */
static int64_t begin_of(const SSL_SESSION *session)
{
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
	return SSL_SESSION_get_time_ex(session);
#else
	return SSL_SESSION_get_time(session);
#endif
}

/* What of our own goes along in a ticket; of the chain as much as there is. */
struct extra {
	uint64_t end;		/* seconds, big-endian */
	uint8_t end_point_len;
	uint8_t end_point[HS_END_POINT_MAX];
	uint8_t chain[HS_CHAIN_MAX];
};
#define EXTRA_LEN offsetof(struct extra, chain)

/* Returns its length; 0: there is none. */
static size_t get_extra(SSL_SESSION *session, struct extra *extra)
{
	size_t len = 0;
	void *data;

	if (!SSL_SESSION_get0_ticket_appdata(session, &data, &len) ||
	    len < EXTRA_LEN || len > sizeof(*extra))
		return 0;
	memcpy(extra, data, len);
	return extra->end_point_len <= HS_END_POINT_MAX ? len : 0;
}

bool hs_ticket_end_point(SSL_SESSION *session,
			 uint8_t out[static HS_END_POINT_MAX], size_t *len)
{
	struct extra extra;

	if (!get_extra(session, &extra))
		return false;
	*len = extra.end_point_len;
	memcpy(out, extra.end_point, *len);
	return true;
}

ssize_t hs_ticket_chain(SSL_SESSION *session, uint8_t out[static HS_CHAIN_MAX])
{
	struct extra extra;
	size_t len = get_extra(session, &extra);

	if (!len)
		return -ENODATA;
	memcpy(out, extra.chain, len - EXTRA_LEN);
	return len - EXTRA_LEN;
}

static bool make_extra(SSL *ssl, SSL_SESSION *session, int64_t begin,
		       int64_t left, struct extra *extra)
{
	const struct hs_cert *cert = hs_cert_used(hs_of(ssl));
	size_t len = EXTRA_LEN;

	memset(extra, 0, sizeof(*extra));
	len += hs_chain_write(ssl, begin, &left, extra->chain);
	extra->end = htobe64(begin + left);
	extra->end_point_len = cert->end_point_len;
	memcpy(extra->end_point, cert->end_point, sizeof(extra->end_point));
	return SSL_SESSION_set1_ticket_appdata(session, extra, len);
}

/*
 * OpenSSL's callback, before a session becomes a ticket. In TLS 1.3 each
 * resumption brings a ticket with a lifetime of its own, and so a client could
 * go on for ever after one full handshake, its certificate long revoked (RFC
 * 8446 4.6.1). So the end of the first lifetime goes along, and is everyone's;
 * and what the client knows of our certificate, which may be another by then, and
 * we of those above its own.
 */
static int keep_extra(SSL *ssl, void *arg)
{
	SSL_SESSION *session = SSL_get_session(ssl);
	int64_t begin = begin_of(session);
	/* And not the session's, which may be of an older configuration. */
	int64_t left = SSL_CTX_get_timeout(hs_of(ssl)->ctx->ssl);
	struct extra extra;

	(void)arg;
	if (!get_extra(session, &extra) &&
	    !make_extra(ssl, session, begin, left, &extra))
		return 0;
	if ((int64_t)be64toh(extra.end) - begin < left)
		left = (int64_t)be64toh(extra.end) - begin;
	SSL_SESSION_set_timeout(session, left > 0 ? left : 0);
	return 1;
}

int hs_tickets_init(struct hs_ctx *ctx, const struct hs_config *config)
{
	if (config->lifetime_s)
		SSL_CTX_set_timeout(ctx->ssl, config->lifetime_s);
	if (!SSL_CTX_set_session_ticket_cb(ctx->ssl, keep_extra,
					   hs_admit_again, NULL))
		return -EIO;
	ctx->tickets = config->keys;
	if (ctx->tickets &&
	    !SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx->ssl, on_ticket))
		return -EIO;
	return 0;
}

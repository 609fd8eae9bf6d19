// SPDX-License-Identifier: MIT
#include "handshake/provider.h"

#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/provider.h>

#include "handshake/hmac.h"
#include "handshake/kdf.h"
#include "handshake/x25519.h"

#define NAME "ktlsd"
#define PROPERTIES "provider=" NAME "," HS_PROPERTY
#define FUNCTION(f) ((void (*)(void))(f))

/* --- key schedules: a context holds nothing, each call brings all ------------ */

static void *kdf_new(void *provider)
{
	return provider;
}

static void kdf_free(void *kdf)
{
	(void)kdf;
}

static int tls13_derive(void *kdf, unsigned char *out, size_t len,
			const OSSL_PARAM params[])
{
	(void)kdf;
	return hs_kdf_tls13(out, len, params);
}

static int prf_derive(void *kdf, unsigned char *out, size_t len,
		      const OSSL_PARAM params[])
{
	(void)kdf;
	return hs_kdf_prf(out, len, params);
}

static const OSSL_DISPATCH tls13_functions[] = {
	{ OSSL_FUNC_KDF_NEWCTX, FUNCTION(kdf_new) },
	{ OSSL_FUNC_KDF_FREECTX, FUNCTION(kdf_free) },
	{ OSSL_FUNC_KDF_DERIVE, FUNCTION(tls13_derive) },
	{ 0, NULL }
};

static const OSSL_DISPATCH prf_functions[] = {
	{ OSSL_FUNC_KDF_NEWCTX, FUNCTION(kdf_new) },
	{ OSSL_FUNC_KDF_FREECTX, FUNCTION(kdf_free) },
	{ OSSL_FUNC_KDF_DERIVE, FUNCTION(prf_derive) },
	{ 0, NULL }
};

/* --- HMAC ------------------------------------------------------------------- */

struct mac {
	enum hs_digest digest;
	bool has_digest, has_key;
	struct hs_hmac hmac;
};

static void *mac_new(void *provider)
{
	(void)provider;
	return OPENSSL_zalloc(sizeof(struct mac));
}

static void mac_free(void *mac)
{
	OPENSSL_clear_free(mac, sizeof(struct mac));
}

static void *mac_dup(void *mac)
{
	return OPENSSL_memdup(mac, sizeof(struct mac));
}

static int mac_set(void *mac, const OSSL_PARAM params[])
{
	const OSSL_PARAM *p =
		OSSL_PARAM_locate_const(params, OSSL_MAC_PARAM_DIGEST);
	struct mac *m = mac;

	if (!p)
		return 1;
	m->has_digest = p->data_type == OSSL_PARAM_UTF8_STRING &&
			hs_digest_find(p->data, &m->digest);
	m->has_key = false;
	return m->has_digest;
}

static int mac_init(void *mac, const unsigned char *key, size_t len,
		    const OSSL_PARAM params[])
{
	struct mac *m = mac;

	if ((params && !mac_set(m, params)) || !m->has_digest)
		return 0;
	if (key)
		hs_hmac_init(&m->hmac, m->digest, key, len);
	else if (m->has_key)
		hs_hmac_again(&m->hmac);
	m->has_key |= !!key;
	return m->has_key;
}

static int mac_update(void *mac, const unsigned char *data, size_t len)
{
	struct mac *m = mac;

	if (!m->has_key)
		return 0;
	hs_hmac_add(&m->hmac, data, len);
	return 1;
}

static int mac_final(void *mac, unsigned char *out, size_t *len, size_t size)
{
	struct mac *m = mac;

	/* Without it hmac may have another digest, of which more is written. */
	*len = hs_digest_len(m->digest);
	if (!m->has_key || size < *len)
		return 0;
	hs_hmac_end(&m->hmac, out);
	return 1;
}

static int mac_get(void *mac, OSSL_PARAM params[])
{
	const struct mac *m = mac;
	OSSL_PARAM *p = OSSL_PARAM_locate(params, OSSL_MAC_PARAM_SIZE);

	return !p || OSSL_PARAM_set_size_t(p, m->has_digest ?
					   hs_digest_len(m->digest) : 0);
}

static const OSSL_PARAM *mac_gettable(void *mac, void *provider)
{
	static const OSSL_PARAM params[] = {
		OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, NULL),
		OSSL_PARAM_END
	};

	(void)mac;
	(void)provider;
	return params;
}

static const OSSL_PARAM *mac_settable(void *mac, void *provider)
{
	static const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, NULL, 0),
		OSSL_PARAM_END
	};

	(void)mac;
	(void)provider;
	return params;
}

static const OSSL_DISPATCH hmac_functions[] = {
	{ OSSL_FUNC_MAC_NEWCTX, FUNCTION(mac_new) },
	{ OSSL_FUNC_MAC_DUPCTX, FUNCTION(mac_dup) },
	{ OSSL_FUNC_MAC_FREECTX, FUNCTION(mac_free) },
	{ OSSL_FUNC_MAC_INIT, FUNCTION(mac_init) },
	{ OSSL_FUNC_MAC_UPDATE, FUNCTION(mac_update) },
	{ OSSL_FUNC_MAC_FINAL, FUNCTION(mac_final) },
	{ OSSL_FUNC_MAC_GETTABLE_CTX_PARAMS, FUNCTION(mac_gettable) },
	{ OSSL_FUNC_MAC_SETTABLE_CTX_PARAMS, FUNCTION(mac_settable) },
	{ OSSL_FUNC_MAC_GET_CTX_PARAMS, FUNCTION(mac_get) },
	{ OSSL_FUNC_MAC_SET_CTX_PARAMS, FUNCTION(mac_set) },
	{ 0, NULL }
};

/* --- the provider ----------------------------------------------------------- */

static const OSSL_ALGORITHM kdfs[] = {
	{ OSSL_KDF_NAME_TLS1_3_KDF, PROPERTIES, tls13_functions, NULL },
	{ OSSL_KDF_NAME_TLS1_PRF, PROPERTIES, prf_functions, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM macs[] = {
	{ OSSL_MAC_NAME_HMAC, PROPERTIES, hmac_functions, NULL },
	{ NULL, NULL, NULL, NULL }
};

static const OSSL_ALGORITHM *query(void *provider, int operation,
				   int *no_cache)
{
	(void)provider;
	*no_cache = 0;
	switch (operation) {
	case OSSL_OP_KDF:
		return kdfs;
	case OSSL_OP_MAC:
		return macs;
	case OSSL_OP_KEYMGMT:
		return hs_x25519_keymgmt;
	case OSSL_OP_KEYEXCH:
		return hs_x25519_keyexch;
	default:
		return NULL;
	}
}

static const OSSL_DISPATCH provider_functions[] = {
	{ OSSL_FUNC_PROVIDER_QUERY_OPERATION, FUNCTION(query) },
	{ OSSL_FUNC_PROVIDER_GET_CAPABILITIES,
	  FUNCTION(hs_x25519_capabilities) },
	{ 0, NULL }
};

static int init(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in,
		const OSSL_DISPATCH **out, void **provider)
{
	void *context = hs_x25519_load(PROPERTIES);

	(void)in;
	*out = provider_functions;
	/* None of the other functions looks at it. */
	*provider = context ? context : (void *)handle;
	return 1;
}

/* Does who fetches a key schedule with @properties get ours? */
static bool is_ours(const char *properties)
{
	EVP_KDF *kdf;
	bool ours;

	ERR_set_mark();
	kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_TLS1_3_KDF, properties);
	ours = kdf && !strcmp(NAME, OSSL_PROVIDER_get0_name(
					    EVP_KDF_get0_provider(kdf)));
	EVP_KDF_free(kdf);
	ERR_pop_to_mark();
	return ours;
}

/*
 * Who has no wish gets the first provider's: so those that there are anyhow
 * come first, which is to ask for the default one. Where openssl.cnf has others
 * alone, as a FIPS module with no more said of it, they do all. Should it be ours
 * all the same, it would be asked for what it cannot do.
 */
static OSSL_PROVIDER *load(void)
{
	OSSL_PROVIDER *ours = NULL;

	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
	if (OSSL_PROVIDER_available(NULL, "default") &&
	    OSSL_PROVIDER_add_builtin(NULL, NAME, init))
		ours = OSSL_PROVIDER_try_load(NULL, NAME, 1);
	if (ours && is_ours(NULL)) {
		OSSL_PROVIDER_unload(ours);
		ours = NULL;
	}
	return ours;
}

bool hs_provider_load(void)
{
	static OSSL_PROVIDER *loaded;	/* as long as the process */
	static bool tried;

	if (!tried)
		loaded = load();
	tried = true;
	return loaded && is_ours(HS_PROPERTIES);
}

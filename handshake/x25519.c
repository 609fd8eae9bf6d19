// SPDX-License-Identifier: MIT
#include "handshake/x25519.h"

#include <string.h>

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <sodium.h>

#include "handshake/edwards.h"

#define NAME "X25519"
#define FUNCTION(f) ((void (*)(void))(f))
#define KEY_LEN 32
#define FUNCTIONS_MAX 64

/* More than libsodium's function leaves on the stack of what it was given. */
#define STACK 4096

OSSL_ALGORITHM hs_x25519_keymgmt[2], hs_x25519_keyexch[2];

static OSSL_PROVIDER *theirs;
static OSSL_DISPATCH functions[FUNCTIONS_MAX];
/* Those of the default provider that ours call. */
static OSSL_FUNC_keymgmt_new_fn *new_key;
static OSSL_FUNC_keymgmt_free_fn *free_key;
static OSSL_FUNC_keymgmt_import_fn *import_key;
static OSSL_FUNC_keymgmt_gen_init_fn *begin_gen;
static OSSL_FUNC_keymgmt_gen_set_params_fn *set_gen;
static OSSL_FUNC_keymgmt_gen_settable_params_fn *settable_gen;
static OSSL_FUNC_keymgmt_gen_fn *gen;
static OSSL_FUNC_keymgmt_gen_cleanup_fn *end_gen;

/* --- making keys ------------------------------------------------------------ */

struct gen {
	void *context, *theirs;
	bool ours;	/* an ordinary key, and not parameters alone */
};

/*
 * What makes no difference to the key. It would with what newer libcrypto takes
 * to derive it from (RFC 9180 7.1.3), or with what is yet to come.
 */
static bool is_ordinary(const OSSL_PARAM *p)
{
	while (p && p->key && (!strcmp(p->key, OSSL_PKEY_PARAM_GROUP_NAME) ||
			       !strcmp(p->key, OSSL_PKEY_PARAM_PROPERTIES)))
		p++;
	return !p || !p->key;
}

static void gen_cleanup(void *arg)
{
	struct gen *g = arg;

	end_gen(g->theirs);
	OPENSSL_free(g);
}

static void *gen_init(void *context, int selection, const OSSL_PARAM params[])
{
	struct gen *g = OPENSSL_zalloc(sizeof(*g));

	if (!g)
		return NULL;
	g->context = context;
	g->ours = selection & OSSL_KEYMGMT_SELECT_KEYPAIR &&
		  is_ordinary(params);
	g->theirs = begin_gen(context, selection, params);
	if (g->theirs)
		return g;
	OPENSSL_free(g);
	return NULL;
}

static int gen_set_params(void *arg, const OSSL_PARAM params[])
{
	struct gen *g = arg;

	g->ours &= is_ordinary(params);
	return set_gen(g->theirs, params);
}

static const OSSL_PARAM *gen_settable_params(void *arg, void *context)
{
	struct gen *g = arg;

	return settable_gen(g ? g->theirs : NULL, context);
}

/*
 * RFC 7748 5. By the point of edwards25519, for which libsodium has a table; where
 * the CPU has AVX its function for curve25519 has none, and takes twice as long.
 */
static int make_pair(uint8_t private[static KEY_LEN],
		     uint8_t public[static KEY_LEN])
{
	uint8_t point[KEY_LEN];
	int err;

	if (RAND_priv_bytes(private, KEY_LEN) <= 0)
		return 0;
	private[0] &= 248;
	private[31] &= 127;
	private[31] |= 64;
	err = crypto_scalarmult_ed25519_base(point, private);
	sodium_stackzero(STACK);
	if (err)
		return 0;
	hs_edwards_to_u(public, point);
	return 1;
}

static void *make(void *context)
{
	uint8_t private[KEY_LEN], public[KEY_LEN];
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, public,
					KEY_LEN),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PRIV_KEY, private,
					KEY_LEN),
		OSSL_PARAM_END
	};
	void *key = new_key(context);

	if (key && (!make_pair(private, public) ||
		    !import_key(key, OSSL_KEYMGMT_SELECT_KEYPAIR, params))) {
		free_key(key);
		key = NULL;
	}
	OPENSSL_cleanse(private, sizeof(private));
	return key;
}

static void *generate(void *arg, OSSL_CALLBACK *progress, void *progress_arg)
{
	struct gen *g = arg;

	return g->ours ? make(g->context) :
			 gen(g->theirs, progress, progress_arg);
}

/* --- what they have --------------------------------------------------------- */

/*
 * Puts one into our table. Those that make keys are replaced; one that we do not
 * know is left out, since it may be for a struct gen of theirs.
 */
static bool take(OSSL_DISPATCH *to, const OSSL_DISPATCH *from)
{
	*to = *from;
	switch (from->function_id) {
	case OSSL_FUNC_KEYMGMT_NEW:
		new_key = OSSL_FUNC_keymgmt_new(from);
		return true;
	case OSSL_FUNC_KEYMGMT_FREE:
		free_key = OSSL_FUNC_keymgmt_free(from);
		return true;
	case OSSL_FUNC_KEYMGMT_IMPORT:
		import_key = OSSL_FUNC_keymgmt_import(from);
		return true;
	case OSSL_FUNC_KEYMGMT_GEN_INIT:
		begin_gen = OSSL_FUNC_keymgmt_gen_init(from);
		to->function = FUNCTION(gen_init);
		return true;
	case OSSL_FUNC_KEYMGMT_GEN_SET_PARAMS:
		set_gen = OSSL_FUNC_keymgmt_gen_set_params(from);
		to->function = FUNCTION(gen_set_params);
		return true;
	case OSSL_FUNC_KEYMGMT_GEN_SETTABLE_PARAMS:
		settable_gen = OSSL_FUNC_keymgmt_gen_settable_params(from);
		to->function = FUNCTION(gen_settable_params);
		return true;
	case OSSL_FUNC_KEYMGMT_GEN:
		gen = OSSL_FUNC_keymgmt_gen(from);
		to->function = FUNCTION(generate);
		return true;
	case OSSL_FUNC_KEYMGMT_GEN_CLEANUP:
		end_gen = OSSL_FUNC_keymgmt_gen_cleanup(from);
		to->function = FUNCTION(gen_cleanup);
		return true;
	case OSSL_FUNC_KEYMGMT_LOAD:
	case OSSL_FUNC_KEYMGMT_GET_PARAMS:
	case OSSL_FUNC_KEYMGMT_GETTABLE_PARAMS:
	case OSSL_FUNC_KEYMGMT_SET_PARAMS:
	case OSSL_FUNC_KEYMGMT_SETTABLE_PARAMS:
	case OSSL_FUNC_KEYMGMT_QUERY_OPERATION_NAME:
	case OSSL_FUNC_KEYMGMT_HAS:
	case OSSL_FUNC_KEYMGMT_VALIDATE:
	case OSSL_FUNC_KEYMGMT_MATCH:
	case OSSL_FUNC_KEYMGMT_IMPORT_TYPES:
	case OSSL_FUNC_KEYMGMT_EXPORT:
	case OSSL_FUNC_KEYMGMT_EXPORT_TYPES:
	case OSSL_FUNC_KEYMGMT_DUP:
		return true;
	default:
		return false;
	}
}

static bool take_all(const OSSL_DISPATCH *from)
{
	size_t n = 0;

	for (; from->function_id && n < FUNCTIONS_MAX - 1; from++)
		n += take(&functions[n], from);
	functions[n].function_id = 0;
	return !from->function_id && new_key && free_key && import_key &&
	       begin_gen && set_gen && settable_gen && gen && end_gen;
}

static const OSSL_ALGORITHM *find(OSSL_PROVIDER *provider, int operation)
{
	const OSSL_ALGORITHM *a;
	int no_cache;

	a = OSSL_PROVIDER_query_operation(provider, operation, &no_cache);
	while (a && a->algorithm_names &&
	       (strncmp(a->algorithm_names, NAME, strlen(NAME)) ||
		!strchr(":", a->algorithm_names[strlen(NAME)])))
		a++;
	return a && a->algorithm_names ? a : NULL;
}

static bool fill_tables(OSSL_PROVIDER *provider, const char *properties)
{
	const OSSL_ALGORITHM *keymgmt = find(provider, OSSL_OP_KEYMGMT);
	const OSSL_ALGORITHM *keyexch = find(provider, OSSL_OP_KEYEXCH);

	if (!keymgmt || !keyexch || !take_all(keymgmt->implementation))
		return false;
	hs_x25519_keymgmt[0] = *keymgmt;
	hs_x25519_keymgmt[0].property_definition = properties;
	hs_x25519_keymgmt[0].implementation = functions;
	hs_x25519_keyexch[0] = *keyexch;
	hs_x25519_keyexch[0].property_definition = properties;
	return true;
}

void *hs_x25519_load(const char *properties)
{
	/* Not to load it where openssl.cnf wants others alone. */
	if (!OSSL_PROVIDER_available(NULL, "default") || sodium_init() < 0)
		return NULL;
	theirs = OSSL_PROVIDER_try_load(NULL, "default", 1);
	if (!theirs)
		return NULL;
	if (fill_tables(theirs, properties))
		return OSSL_PROVIDER_get0_provider_ctx(theirs);
	OSSL_PROVIDER_unload(theirs);
	return NULL;
}

/* --- and can ---------------------------------------------------------------- */

struct asking {
	OSSL_CALLBACK *callback;
	void *arg;
};

static int pass_on(const OSSL_PARAM params[], void *arg)
{
	const struct asking *asking = arg;
	const OSSL_PARAM *p = OSSL_PARAM_locate_const(
		params, OSSL_CAPABILITY_TLS_GROUP_ALG);
	const char *name;

	if (!p || !OSSL_PARAM_get_utf8_string_ptr(p, &name) ||
	    strcmp(name, NAME))
		return 1;
	return asking->callback(params, asking->arg);
}

int hs_x25519_capabilities(void *context, const char *capability,
			   OSSL_CALLBACK *callback, void *arg)
{
	struct asking asking = { callback, arg };

	(void)context;
	if (!hs_x25519_keymgmt[0].implementation ||
	    strcmp(capability, "TLS-GROUP"))
		return 1;
	return OSSL_PROVIDER_get_capabilities(theirs, capability, pass_on,
					      &asking);
}

// SPDX-License-Identifier: MIT
/*
 * What may be negotiated, from names to a context. What the system's openssl.cnf
 * says of versions, ciphers and their order is replaced.
 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/err.h>

#include "handshake/internal.h"
#include "handshake/pem.h"
#include "handshake/tls.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define LIST_MAX 256

/* All that there is, in the guidelines' order. */
static const struct {
	const char *name;
	uint16_t version;
	enum ktls_cipher cipher;
} ciphers[] = {
	{ "TLS_AES_128_GCM_SHA256", KTLS_TLS13, KTLS_AES_128_GCM },
	{ "TLS_AES_256_GCM_SHA384", KTLS_TLS13, KTLS_AES_256_GCM },
	{ "TLS_CHACHA20_POLY1305_SHA256", KTLS_TLS13, KTLS_CHACHA20_POLY1305 },
	{ "ECDHE-ECDSA-AES128-GCM-SHA256", KTLS_TLS12, KTLS_AES_128_GCM },
	{ "ECDHE-RSA-AES128-GCM-SHA256", KTLS_TLS12, KTLS_AES_128_GCM },
	{ "ECDHE-ECDSA-AES256-GCM-SHA384", KTLS_TLS12, KTLS_AES_256_GCM },
	{ "ECDHE-RSA-AES256-GCM-SHA384", KTLS_TLS12, KTLS_AES_256_GCM },
	{ "ECDHE-ECDSA-CHACHA20-POLY1305", KTLS_TLS12, KTLS_CHACHA20_POLY1305 },
	{ "ECDHE-RSA-CHACHA20-POLY1305", KTLS_TLS12, KTLS_CHACHA20_POLY1305 },
};

static const char preset_groups[] = "?X25519MLKEM768:X25519:prime256v1:"
				    "secp384r1";

/*
 * Flags of the option Options, with '-' before them to switch them off. Not
 * there: what ktlsd's safety or its own keys decide (KTLS, NoRenegotiation,
 * UnsafeLegacyRenegotiation, Compression, AntiReplay, SessionTicket,
 * ExtendedMasterSecret), what gives up forward secrecy (AllowNoDHEKEX,
 * PreferNoDHEKEX), and what does nothing with AEADs and ECDHE (EncryptThenMac,
 * EmptyFragments, DHSingle, ECDHSingle).
 */
static const char *const flags[] = {
	"ServerPreference",	/* whose order of ciphers counts */
	"PrioritizeChaCha",	/* unless the client prefers ChaCha20 */
	"MiddleboxCompat",	/* RFC 8446 D.4; no record is sealed in it */
};

/*
 * The options. Not there: what has a key of its own (certificates, versions,
 * ciphers, groups, tickets, client certificates); what reads files at other
 * times than those (ServerInfoFile, DHParameters); and RecordPadding, which the
 * kernel does not do, so that records' lengths would tell them apart.
 */
static const char option_flags[] = "Options";
static const char *const options[] = {
	option_flags,
	"MaxProtocol",	/* TLSv1.2, where TLS 1.3 is not wanted */
	"ClientSignatureAlgorithms",	/* what clients may sign with */
};

/* One name of a list with @between, the next one's place in *@at; NULL: end */
static const char *next_name(const char **at, char between, size_t *len)
{
	const char *name = *at;
	const char *end;

	if (!name)
		return NULL;
	end = strchr(name, between);
	*len = end ? (size_t)(end - name) : strlen(name);
	*at = end ? end + 1 : NULL;
	return name;
}

static void append(char list[static LIST_MAX], const char *between,
		   const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, LIST_MAX - len, "%s%s", len ? between : "", name);
}

/* Index of the cipher of @version by that name; -1 */
static int find_cipher(uint16_t version, const char *name, size_t len)
{
	for (size_t i = 0; i < COUNT(ciphers); i++)
		if (ciphers[i].version == version &&
		    strlen(ciphers[i].name) == len &&
		    !memcmp(ciphers[i].name, name, len))
			return (int)i;
	return -1;
}

/* One set of ciphers: of a version, of those that are wanted and can be had. */
struct choice {
	uint16_t version;
	unsigned int pairs;
	bool wanted;
	unsigned int taken;	/* bits by index: each once */
	char list[LIST_MAX];
};

static void take(struct choice *c, size_t i)
{
	if (!(c->pairs & KTLS_PAIR(c->version, ciphers[i].cipher)) ||
	    c->taken & 1u << i)
		return;
	c->taken |= 1u << i;
	append(c->list, ":", ciphers[i].name);
}

static int report_cipher(const struct hs_report *r, uint16_t version,
			 const char *name, size_t len)
{
	char all[LIST_MAX] = "";

	for (size_t i = 0; i < COUNT(ciphers); i++)
		if (ciphers[i].version == version)
			append(all, ", ", ciphers[i].name);
	return hs_report(r, "%.*s is none of %s", (int)len, name, all);
}

/* @names NULL: all. Returns 0 or -EINVAL. */
static int choose(struct choice *c, const char *names,
		  const struct hs_report *r)
{
	bool named = names;
	const char *name;
	size_t len;
	int i;

	for (i = 0; !named && i < (int)COUNT(ciphers); i++)
		if (ciphers[i].version == c->version)
			take(c, i);
	while ((name = next_name(&names, ':', &len))) {
		i = find_cipher(c->version, name, len);
		if (i < 0)
			return report_cipher(r, c->version, name, len);
		take(c, i);
	}
	if (named && c->wanted && !*c->list)
		return hs_report(r, "none of them can be offloaded");
	return 0;
}

static bool wants_tls12(const struct hs_tls *tls)
{
	if (tls->min_version)
		return tls->min_version == KTLS_TLS12;
	return tls->preset != HS_PRESET_MODERN;
}

/* Returns 0, or -EIO when libssl fails. */
static int set_versions(SSL_CTX *ssl, bool tls12, bool tls13)
{
	return SSL_CTX_set_min_proto_version(ssl, tls12 ? TLS1_2_VERSION :
							  TLS1_3_VERSION) &&
	       SSL_CTX_set_max_proto_version(ssl, tls13 ? TLS1_3_VERSION :
							  TLS1_2_VERSION) ?
		       0 : -EIO;
}

static int set_choices(SSL_CTX *ssl, const struct choice *c12,
		       const struct choice *c13)
{
	bool tls12 = c12->wanted && *c12->list;
	bool tls13 = c13->wanted && *c13->list;

	if (!tls12 && !tls13)
		return -ENOENT;
	if ((tls12 && !SSL_CTX_set_cipher_list(ssl, c12->list)) ||
	    (tls13 && !SSL_CTX_set_ciphersuites(ssl, c13->list)))
		return -EIO;
	return set_versions(ssl, tls12, tls13);
}

/* After the options, of which one is MaxProtocol. */
static int set_ciphers(SSL_CTX *ssl, const struct hs_tls *tls,
		       unsigned int pairs, char *error, size_t error_len)
{
	struct hs_report r12 = { "ciphers", error, error_len };
	struct hs_report r13 = { "ciphersuites", error, error_len };
	struct hs_report min = { "min_version", error, error_len };
	int max = SSL_CTX_get_max_proto_version(ssl);
	struct choice c12 = { KTLS_TLS12, pairs, wants_tls12(tls), 0, "" };
	struct choice c13 = { KTLS_TLS13, pairs, true, 0, "" };
	int ret;

	c12.wanted = c12.wanted && (!max || max >= TLS1_2_VERSION);
	c13.wanted = !max || max >= TLS1_3_VERSION;
	if (choose(&c12, tls->ciphers, &r12) ||
	    choose(&c13, tls->ciphersuites, &r13))
		return -EINVAL;
	if (c12.wanted && tls->preset == HS_PRESET_MODERN && !tls->ciphers)
		return hs_report(&min, "the preset modern has no ciphers for "
				       "TLS 1.2");
	ret = set_choices(ssl, &c12, &c13);
	if (ret != -ENOENT)
		return ret;
	snprintf(error, error_len,
		 "there is no TLS version and cipher to offer");
	return -EINVAL;
}

/* None of the signs that newer ones give a meaning in their lists. */
static bool is_name(const char *name)
{
	if (!isalnum((unsigned char)*name))
		return false;
	while (isalnum((unsigned char)*name) || (*name && strchr("_-+", *name)))
		name++;
	return !*name;
}

static bool has_name(const char *list, const char *name)
{
	const char *known;
	size_t len;

	while ((known = next_name(&list, ':', &len)))
		if (strlen(name) == len && !strncasecmp(known, name, len))
			return true;
	return false;
}

/*
 * Adds one name to the @list that @ssl has. Alone first, because OpenSSL says of
 * a list no more than that something is wrong with it.
 */
static int add_name(SSL_CTX *ssl, int command, char *list, const char *name,
		    const struct hs_report *r)
{
	bool optional = *name == '?';
	size_t len = strlen(list);

	name += optional;
	if (!is_name(name))
		return hs_report(r, "%s is not a name", name);
	if (SSL_CTX_ctrl(ssl, command, 0, (char *)name) != 1) {
		if (!optional)
			return hs_report(r, "%s is unknown to OpenSSL %s", name,
					 OpenSSL_version(OPENSSL_VERSION_STRING));
		/* What it has from before stays. */
		return 0;
	}
	if (has_name(list, name))
		return hs_report(r, "%s is there twice", name);
	sprintf(list + len, "%s%s", len ? ":" : "", name);
	if (SSL_CTX_ctrl(ssl, command, 0, list) == 1)
		return 0;
	return hs_report(r, "%s is there twice, or one too many", name);
}

static int add_names(SSL_CTX *ssl, int command, char *list, char *names,
		     const struct hs_report *r)
{
	char *name;
	int ret;

	while ((name = strsep(&names, ":"))) {
		ret = add_name(ssl, command, list, name, r);
		if (ret)
			return ret;
	}
	return *list ? 0 : hs_report(r, "none of them is known to OpenSSL %s",
				     OpenSSL_version(OPENSSL_VERSION_STRING));
}

/* @names NULL: as it is. @command: of SSL_CTX_ctrl() */
static int set_list(SSL_CTX *ssl, int command, const char *names,
		    const struct hs_report *r)
{
	char *copy = names ? strdup(names) : NULL;
	char *list = names ? calloc(1, strlen(names) + 1) : NULL;
	int ret = -EIO;

	if (!names)
		return 0;
	if (copy && list)
		ret = add_names(ssl, command, list, copy, r);
	free(copy);
	free(list);
	return ret;
}

static bool is_among(const char *const *names, size_t n, const char *name,
		     size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(names[i]) == len &&
		    !strncasecmp(names[i], name, len))
			return true;
	return false;
}

static int report_option(const struct hs_report *r, const char *name,
			 size_t len, const char *const *names, size_t n)
{
	char all[LIST_MAX] = "";

	for (size_t i = 0; i < n; i++)
		append(all, ", ", names[i]);
	return hs_report(r, "%.*s is none of %s", (int)len, name, all);
}

static int check_flags(const char *value, const struct hs_report *r)
{
	const char *name;
	size_t len;

	while ((name = next_name(&value, ',', &len))) {
		if (len && (*name == '-' || *name == '+')) {
			name++;
			len--;
		}
		if (!is_among(flags, COUNT(flags), name, len))
			return report_option(r, name, len, flags, COUNT(flags));
	}
	return 0;
}

static int set_option(SSL_CONF_CTX *conf, const struct hs_option *o,
		      char *error, size_t error_len)
{
	struct hs_report r = { "options", error, error_len };
	size_t len = strlen(o->name);

	if (!is_among(options, COUNT(options), o->name, len))
		return report_option(&r, o->name, len, options,
				     COUNT(options));
	if (!strcasecmp(o->name, option_flags) && check_flags(o->value, &r))
		return -EINVAL;
	if (SSL_CONF_cmd(conf, o->name, o->value) != 2)
		return hs_report(&r, "OpenSSL %s does not take %s for %s",
				 OpenSSL_version(OPENSSL_VERSION_STRING),
				 o->value, o->name);
	return 0;
}

static int set_options(SSL_CTX *ssl, const struct hs_tls *tls,
		       const struct hs_option **option, char *error,
		       size_t error_len)
{
	SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
	int ret = conf ? 0 : -EIO;

	if (conf) {
		SSL_CONF_CTX_set_flags(conf, SSL_CONF_FLAG_FILE |
					     SSL_CONF_FLAG_SERVER);
		SSL_CONF_CTX_set_ssl_ctx(conf, ssl);
	}
	for (size_t i = 0; i < tls->n_options && !ret; i++) {
		*option = &tls->options[i];
		ret = set_option(conf, *option, error, error_len);
	}
	if (!ret)
		*option = NULL;
	SSL_CONF_CTX_free(conf);
	return ret;
}

/* Before the options, which may say something else. */
static int set_defaults(SSL_CTX *ssl, const struct hs_tls *tls)
{
	SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE |
				 SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_clear_options(ssl, SSL_OP_NO_TLSv1_2 | SSL_OP_NO_TLSv1_3);
	/* The guidelines' ciphers are equally good, and clients know best
	 * which of them is fast for them. */
	if (tls->preset != HS_PRESET_NONE)
		SSL_CTX_clear_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	return set_versions(ssl, true, true);
}

static int apply(SSL_CTX *ssl, const struct hs_tls *tls, unsigned int pairs,
		 const struct hs_option **option, char *error, size_t error_len)
{
	struct hs_report groups = { "groups", error, error_len };
	struct hs_report sigalgs = { "signature_algorithms", error, error_len };
	const char *named = tls->groups;
	int ret = set_defaults(ssl, tls);

	if (!named && tls->preset != HS_PRESET_NONE)
		named = preset_groups;
	if (!ret)
		ret = set_options(ssl, tls, option, error, error_len);
	if (!ret)
		ret = set_ciphers(ssl, tls, pairs, error, error_len);
	if (!ret)
		ret = set_list(ssl, SSL_CTRL_SET_GROUPS_LIST, named, &groups);
	if (!ret)
		ret = set_list(ssl, SSL_CTRL_SET_SIGALGS_LIST,
			       tls->signature_algorithms, &sigalgs);
	if (ret == -EIO)
		snprintf(error, error_len, "libssl cannot be set up: %s",
			 hs_ssl_reason());
	ERR_clear_error();
	return ret;
}

int hs_tls_apply(SSL_CTX *ssl, const struct hs_tls *tls, unsigned int pairs,
		 char *error, size_t error_len)
{
	static const struct hs_tls defaults;
	const struct hs_option *option;

	return apply(ssl, tls ? tls : &defaults, pairs, &option, error,
		     error_len);
}

int hs_tls_check(const struct hs_tls *tls, unsigned int pairs,
		 const struct hs_option **option, char *error,
		 size_t error_len)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	int ret = -EIO;

	*option = NULL;
	if (ssl)
		ret = apply(ssl, tls, pairs, option, error, error_len);
	else
		snprintf(error, error_len, "out of memory");
	SSL_CTX_free(ssl);
	ERR_clear_error();
	return ret;
}

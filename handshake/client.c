// SPDX-License-Identifier: MIT
/*
 * Which client certificates are accepted: what the configuration names, read.
 */
#include "handshake/client.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "handshake/admit.h"
#include "handshake/crls.h"
#include "handshake/internal.h"
#include "handshake/pem.h"

static int out_of_memory(const struct hs_report *r)
{
	return hs_report(r, "out of memory");
}

static int compare_names(const X509_NAME *const *a, const X509_NAME *const *b)
{
	return X509_NAME_cmp(*a, *b);
}

static int add_name(struct hs_client *client, const X509 *ca)
{
	X509_NAME *name = (X509_NAME *)X509_get_subject_name(ca);

	if (sk_X509_NAME_find(client->names, name) >= 0)
		return 0;
	name = X509_NAME_dup(name);
	if (name && sk_X509_NAME_push(client->names, name))
		return 0;
	X509_NAME_free(name);
	return -ENOMEM;
}

static int add_cas(struct hs_client *client, const struct hs_report *r,
		   STACK_OF(X509) *cas)
{
	for (int i = 0; i < sk_X509_num(cas); i++) {
		X509 *ca = sk_X509_value(cas, i);

		if (!X509_STORE_add_cert(client->store, ca) ||
		    add_name(client, ca))
			return out_of_memory(r);
	}
	return 0;
}

static int keep_crls(struct hs_client *client, const struct hs_report *r,
		     STACK_OF(X509_CRL) *crls)
{
	for (int i = 0; i < sk_X509_CRL_num(crls); i++) {
		X509_CRL *crl = sk_X509_CRL_value(crls, i);

		if (!X509_STORE_add_crl(client->store, crl) ||
		    !sk_X509_CRL_push(client->crls, crl))
			return out_of_memory(r);
		X509_CRL_up_ref(crl);
	}
	return 0;
}

static int add_crls(struct hs_client *client,
		    const struct hs_client_config *config, struct hs_report *r,
		    STACK_OF(X509) *cas)
{
	STACK_OF(X509_CRL) *crls;
	int ret = 0;

	for (size_t i = 0; !ret && i < config->n_crls; i++) {
		r->file = config->crls[i];
		crls = hs_crls_read(r);
		if (!crls)
			return -EINVAL;
		ret = hs_crls_prove(r, crls, cas, !config->depth);
		if (!ret)
			ret = keep_crls(client, r, crls);
		sk_X509_CRL_pop_free(crls, X509_CRL_free);
	}
	return ret;
}

static int add_allow(struct hs_client *client,
		     const struct hs_client_config *config,
		     const struct hs_report *r)
{
	size_t bad;
	int err = hs_allow_init(&client->allow, config->allow, config->n_allow,
				&bad);

	if (err == -EINVAL)
		snprintf(r->error, r->len, "%s: whom to allow cannot be told "
			 "by this", config->allow[bad]);
	else if (err)
		out_of_memory(r);
	return err;
}

static bool hash(EVP_MD_CTX *digest, const void *data, size_t len)
{
	uint64_t prefix = htole64(len);

	return EVP_DigestUpdate(digest, &prefix, sizeof(prefix)) &&
	       EVP_DigestUpdate(digest, data, len);
}

static bool hash_cert(EVP_MD_CTX *digest, const X509 *cert)
{
	unsigned char *der = NULL;
	int len = i2d_X509(cert, &der);
	bool ok = len > 0 && hash(digest, der, len);

	OPENSSL_free(der);
	return ok;
}

/* Each part has its length before it, so that no two configurations agree. */
static int make_id(struct hs_client *client,
		   const struct hs_client_config *config,
		   const struct hs_report *r, STACK_OF(X509) *cas)
{
	char terms[64];
	int len = snprintf(terms, sizeof(terms), "%d %u %d %d %zu",
			   config->required, config->depth, config->n_crls > 0,
			   config->crl_expired_warn, config->n_allow);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool ok = digest && EVP_DigestInit(digest, EVP_sha256()) &&
		  hash(digest, terms, len);

	for (size_t i = 0; ok && i < config->n_allow; i++)
		ok = hash(digest, config->allow[i], strlen(config->allow[i]));
	for (int i = 0; ok && i < sk_X509_num(cas); i++)
		ok = hash_cert(digest, sk_X509_value(cas, i));
	ok = ok && EVP_DigestFinal(digest, client->id, NULL);
	EVP_MD_CTX_free(digest);
	return ok ? 0 : out_of_memory(r);
}

static void set_rules(struct hs_client *client,
		      const struct hs_client_config *config)
{
	unsigned long flags = X509_V_FLAG_PARTIAL_CHAIN;

	if (config->n_crls)
		flags |= X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
	X509_STORE_set_flags(client->store, flags);
	X509_STORE_set_depth(client->store, config->depth);
	client->required = config->required;
	client->crl_expired_warn = config->crl_expired_warn;
}

static int load(struct hs_client *client, const struct hs_client_config *config,
		struct hs_report *r)
{
	STACK_OF(X509) *cas;
	int ret;

	client->store = X509_STORE_new();
	client->names = sk_X509_NAME_new(compare_names);
	client->crls = sk_X509_CRL_new_null();
	if (!client->store || !client->names || !client->crls)
		return out_of_memory(r);
	set_rules(client, config);
	cas = hs_read_chain(r);
	if (!cas)
		return -EINVAL;
	ret = add_cas(client, r, cas);
	if (!ret)
		ret = make_id(client, config, r, cas);
	if (!ret)
		ret = add_crls(client, config, r, cas);
	if (!ret)
		ret = add_allow(client, config, r);
	sk_X509_pop_free(cas, X509_free);
	return ret;
}

struct hs_client *hs_client_new(const struct hs_client_config *config,
				char *error, size_t error_len)
{
	struct hs_report r = { config->ca_file, error, error_len };
	struct hs_client *client = calloc(1, sizeof(*client));
	int ret;

	if (!client) {
		out_of_memory(&r);
		return NULL;
	}
	client->references = 1;
	ret = load(client, config, &r);
	ERR_clear_error();
	if (!ret)
		return client;
	hs_client_free(client);
	return NULL;
}

struct hs_client *hs_client_get(struct hs_client *client)
{
	if (client)
		client->references++;
	return client;
}

void hs_client_free(struct hs_client *client)
{
	if (!client || --client->references)
		return;
	X509_STORE_free(client->store);
	sk_X509_NAME_pop_free(client->names, X509_NAME_free);
	sk_X509_CRL_pop_free(client->crls, X509_CRL_free);
	hs_allow_fini(&client->allow);
	free(client);
}

const uint8_t *hs_client_id(const struct hs_client *client)
{
	return client->id;
}

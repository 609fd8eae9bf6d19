/* SPDX-License-Identifier: MIT */
#include "certs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "cert_loaded.h"
#include "keylog.h"
#include "log.h"
#include "tls.h"

/* What a certificate does not say for itself its listener says. */
static struct hs_site make_site(const struct config *config,
				const struct config_listener *listener,
				const struct certs *certs, size_t i)
{
	const struct config_cert *cert = certs_entry(config, certs, i);
	const struct config_alpn *alpn = cert->alpn.len ? &cert->alpn :
							  &listener->alpn;

	return (struct hs_site){
		.cert = certs->cert[i],
		.alpn = alpn->wire,
		.alpn_len = alpn->len,
		.client = client_rules_find(&certs->rules, cert->client.set ?
					    &cert->client : &listener->client),
		.min_version = cert->min_version,
	};
}

/* Those of the listener's entries, both in ascending order; returns how many. */
static size_t make_sites(const struct config *config,
			 const struct config_listener *listener,
			 const struct certs *certs, struct hs_site *sites)
{
	size_t n = 0, entry = 0, i;

	for (i = 0; i < certs->n; i++) {
		unsigned int e = certs->files.file[i].entry;

		while (entry < listener->n_certs && listener->certs[entry] < e)
			entry++;
		if (!listener->n_certs || (entry < listener->n_certs &&
					   listener->certs[entry] == e))
			sites[n++] = make_site(config, listener, certs, i);
	}
	return n;
}

static struct hs_ctx *make_context(const struct config *config,
				   const struct config_listener *listener,
				   const struct certs *certs,
				   unsigned int pairs)
{
	struct hs_tls *tls = tls_settings(listener, pairs);
	struct hs_site *sites = tls ? calloc(certs->n, sizeof(*sites)) :
				      NULL;
	struct hs_config hs = {
		.sites = sites,
		.strict = listener->strict_sni,
		.alpn_ignore = listener->alpn_ignore,
		.pairs = pairs,
		.tickets = listener->tickets,
		.keys = certs->tickets,
		.lifetime_s = config->ticket_lifetime_s,
		.max_hello = config->limits.client_hello,
		.tls = tls,
		.ja4 = tls_told(config, listener) & CONFIG_TELL_JA4,
		.keylog = config->keylog ? keylog_write : NULL,
	};
	char error[512] = "out of memory";
	struct hs_ctx *ctx = NULL;

	if (sites)
		hs.n_sites = make_sites(config, listener, certs, sites);
	if (sites)
		ctx = hs_ctx_new(&hs, error, sizeof(error));
	if (tls && !ctx)
		log_error("event=listener_refused at=%s:%u:%u error=\"%s\"",
			  listener->mark.file, listener->mark.line,
			  listener->mark.column, error);
	free(sites);
	free(tls);
	return ctx;
}

static bool read_rules(const struct config *config, struct certs *certs)
{
	bool ok = true;
	size_t i;

	for (i = 0; ok && i < config->n_listeners; i++)
		ok = client_rules_read(&certs->rules,
				       &config->listeners[i].client,
				       &config->listeners[i].mark);
	for (i = 0; ok && i < config->n_certs; i++)
		ok = client_rules_read(&certs->rules, &config->certs[i].client,
				       &config->certs[i].mark);
	return ok;
}

/* --- what is the same in the configuration before --------------------------- */

/*
 * struct earlier - the certificates of the configuration before
 * @sorted: their places by chain, made when they are not in the same order
 * @at:     where the next one is expected
 */
struct earlier {
	const struct certs *certs;
	const struct cert_file **sorted;
	size_t at;
};

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_settings(const struct config_cert *a,
			  const struct config_cert *b)
{
	return same_text(a->password_file, b->password_file) &&
	       a->staple == b->staple &&
	       same_text(a->staple_file, b->staple_file) &&
	       same_text(a->issuer, b->issuer) &&
	       same_text(a->responder, b->responder);
}

static bool same_files(const struct cert_file *a, const struct cert_file *b)
{
	size_t i;

	if (a->n_keys != b->n_keys)
		return false;
	for (i = 0; i < a->n_keys; i++)
		if (!same_text(a->keys[i], b->keys[i]))
			return false;
	return same_text(a->chain, b->chain);
}

/* What all certificates are read by. */
static bool same_policy(const struct config_ocsp *a,
			const struct config_ocsp *b)
{
	size_t i;

	if (a->missing_refuse != b->missing_refuse ||
	    a->n_responders != b->n_responders)
		return false;
	for (i = 0; i < a->n_responders; i++)
		if (!same_text(a->responders[i].host, b->responders[i].host) ||
		    !same_text(a->responders[i].url, b->responders[i].url))
			return false;
	return true;
}

static int by_chain(const void *a, const void *b)
{
	const struct cert_file *x = *(const struct cert_file *const *)a;
	const struct cert_file *y = *(const struct cert_file *const *)b;

	return strcmp(x->chain, y->chain);
}

static void sort(struct earlier *earlier)
{
	const struct cert_files *files = &earlier->certs->files;
	size_t i;

	earlier->sorted = calloc(files->n, sizeof(*earlier->sorted));
	for (i = 0; earlier->sorted && i < files->n; i++)
		earlier->sorted[i] = &files->file[i];
	if (earlier->sorted)
		qsort(earlier->sorted, files->n,
		      sizeof(*earlier->sorted), by_chain);
}

/* Sets @earlier->at to where the chain is the same. */
static bool find(struct earlier *earlier, const struct cert_file *file)
{
	const struct cert_files *files = &earlier->certs->files;
	const struct cert_file **found;

	if (earlier->at < files->n &&
	    !strcmp(files->file[earlier->at].chain, file->chain))
		return true;
	if (!earlier->sorted)
		sort(earlier);
	found = earlier->sorted ? bsearch(&file, earlier->sorted, files->n,
					  sizeof(*earlier->sorted), by_chain) :
				  NULL;
	if (found)
		earlier->at = (size_t)(*found - files->file);
	return found;
}

static struct cert_loaded *take(struct earlier *earlier,
				const struct config *config,
				const struct cert_file *file)
{
	const struct certs *certs = earlier->certs;
	size_t at;

	if (!certs || !find(earlier, file))
		return NULL;
	at = earlier->at++;
	if (!same_files(&certs->files.file[at], file) ||
	    !same_settings(certs_entry(certs->config, certs, at),
			   &config->certs[file->entry]) ||
	    !cert_loaded_holds(certs->loaded[at], config, file))
		return NULL;
	return cert_loaded_get(certs->loaded[at]);
}

/* --- all of them ------------------------------------------------------------ */

static bool load_certs(struct certs *certs, const struct certs *previous)
{
	const struct config *config = certs->config;
	struct earlier earlier = { .certs = previous };
	struct cert_loaded *loaded = NULL;
	size_t i;

	if (previous && !same_policy(&config->ocsp, &previous->config->ocsp))
		earlier.certs = NULL;
	for (i = 0; i < certs->files.n; i++) {
		const struct cert_file *file = &certs->files.file[i];

		loaded = take(&earlier, config, file);
		if (!loaded)
			loaded = cert_loaded_new(config, file);
		if (!loaded)
			break;
		certs->loaded[i] = loaded;
		certs->cert[i] = loaded->cert;
		certs->unasked[i] = loaded->slots.unasked;
		certs->n_slots += loaded->slots.n;
		certs->n++;
	}
	free(earlier.sorted);
	return loaded;
}

/* They stay their certificates'. */
static bool list_slots(struct certs *certs)
{
	struct certs_slot *slot;
	size_t i, j;

	certs->slots = slot = calloc(certs->n_slots + 1, sizeof(*slot));
	for (i = 0; slot && i < certs->n; i++)
		for (j = 0; j < certs->loaded[i]->slots.n; j++, slot++) {
			*slot = certs->loaded[i]->slots.slot[j];
			slot->cert = (unsigned int)i;
		}
	return certs->slots;
}

static bool make_contexts(struct certs *certs, unsigned int pairs)
{
	const struct config *config = certs->config;
	size_t i;

	for (i = 0; i < config->n_listeners; i++) {
		certs->contexts[i] = make_context(config, &config->listeners[i],
						  certs, pairs);
		if (!certs->contexts[i])
			return false;
		certs->n_contexts++;
	}
	return true;
}

static bool allocate(struct certs *certs)
{
	size_t n = certs->files.n;

	certs->loaded = calloc(n, sizeof(*certs->loaded));
	certs->cert = calloc(n, sizeof(*certs->cert));
	certs->unasked = calloc(n, sizeof(*certs->unasked));
	certs->contexts = calloc(certs->config->n_listeners,
				 sizeof(*certs->contexts));
	return certs->loaded && certs->cert && certs->unasked &&
	       certs->contexts;
}

static bool load_all(struct certs *certs, unsigned int pairs,
		     const struct certs *previous)
{
	if (cert_files_find(certs->config, false, &certs->files))
		return false;
	if (!allocate(certs)) {
		log_error("event=start_failed error=\"out of memory\"");
		return false;
	}
	if (!load_certs(certs, previous) || !read_rules(certs->config, certs) ||
	    !make_contexts(certs, pairs))
		return false;
	if (list_slots(certs))
		return true;
	log_error("event=start_failed error=\"out of memory\"");
	return false;
}

struct certs *certs_load(const struct config *config, unsigned int pairs,
			 struct hs_tickets *tickets,
			 const struct certs *previous)
{
	struct certs *certs = calloc(1, sizeof(*certs));

	if (!certs) {
		log_error("event=start_failed error=\"out of memory\"");
		return NULL;
	}
	certs->config = config;
	certs->tickets = tickets;
	if (load_all(certs, pairs, previous))
		return certs;
	certs_free(certs);
	return NULL;
}

void certs_free(struct certs *certs)
{
	size_t i;

	if (!certs)
		return;
	for (i = 0; i < certs->n_contexts; i++)
		hs_ctx_free(certs->contexts[i]);
	for (i = 0; i < certs->n; i++)
		cert_loaded_free(certs->loaded[i]);
	client_rules_fini(&certs->rules);
	cert_files_free(&certs->files);
	free(certs->slots);
	free(certs->unasked);
	free(certs->contexts);
	free(certs->cert);
	free(certs->loaded);
	free(certs);
}

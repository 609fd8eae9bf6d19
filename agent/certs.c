/* SPDX-License-Identifier: MIT */
#include "certs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "keylog.h"
#include "log.h"
#include "slots.h"
#include "tls.h"

static void warn_if_readable(const char *key)
{
	struct stat st;

	if (!stat(key, &st) && st.st_mode & S_IRWXO)
		log_warn("event=key_exposed file=\"%s\" error=\"everyone on "
			 "this machine can access the private key\" "
			 "remedy=\"chmod o= it\"", key);
}

static void log_staple(const char *file, const char *error)
{
	log_error("event=staple_refused file=\"%s\" error=\"%s\"", file,
		  error);
}

/* At most one byte more than a response may have, so that it shows. */
static ssize_t read_staple(const char *file, uint8_t *buf)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, buf, OCSP_MAX_LEN + 1);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

/* Right once, and past now, as may happen to one that is in use. */
static bool is_past(enum ocsp_verdict verdict)
{
	return verdict == OCSP_EXPIRED || verdict == OCSP_TOO_OLD ||
	       verdict == OCSP_DELEGATE_EXPIRED;
}

/* So it is, too, to a machine that has not been told the time yet. */
static bool is_ahead(enum ocsp_verdict verdict)
{
	return verdict == OCSP_NOT_YET || verdict == OCSP_PRODUCED_LATER ||
	       verdict == OCSP_DELEGATE_NOT_YET;
}

/* As ocsp_check(), and one that will be right is, with a warning. */
static enum ocsp_verdict check_staple(const char *file,
				      struct ocsp_bytes response,
				      struct ocsp_bytes leaf,
				      struct ocsp_bytes issuer,
				      struct ocsp_times *times)
{
	const struct ocsp_limits *limits = &ocsp_default_limits;
	int64_t now = time(NULL), produced;
	enum ocsp_verdict verdict = ocsp_check(response, leaf, issuer, limits,
					       now, times);
	const char *reason = ocsp_reason(verdict);

	if (!is_ahead(verdict) || !ocsp_produced(response, &produced))
		return verdict;
	verdict = ocsp_check(response, leaf, issuer, limits, produced, times);
	if (verdict == OCSP_OK)
		log_warn("event=staple_not_yet file=\"%s\" error=\"%s: "
			 "certificates are sent without it until then, or "
			 "until the clock is right\"", file, reason);
	return verdict;
}

static bool load_staple(const struct config_cert *config, const char *chain,
			struct hs_cert *cert)
{
	static uint8_t der[OCSP_MAX_LEN + 1];
	const char *file = config->staple_file;
	ssize_t n = read_staple(file, der);
	struct ocsp_bytes response = { der, n > 0 ? (size_t)n : 0 };
	enum ocsp_verdict verdict;
	struct ocsp_bytes issuer;
	struct ocsp_times times;
	uint8_t *owned;
	int err;

	if (n < 0) {
		log_staple(file, strerror((int)-n));
		return false;
	}
	err = slots_issuer(config, cert, 0, &issuer, &owned);
	if (err == -ENOENT)
		log_error("event=staple_refused file=\"%s\" error=\"the chain "
			  "%s does not hold the issuer\" remedy=\"name its "
			  "file with issuer:\"", file, chain);
	if (err)
		return false;
	verdict = check_staple(file, response, hs_cert_der(cert, 0), issuer,
			       &times);
	free(owned);
	if (is_past(verdict)) {
		log_warn("event=staple_expired file=\"%s\" error=\"%s: "
			 "certificates are sent without it\"", file,
			 ocsp_reason(verdict));
		return true;
	}
	if (verdict != OCSP_OK) {
		log_staple(file, ocsp_reason(verdict));
		return false;
	}
	if (!hs_cert_set_staple(cert, 0, response, &times))
		return true;
	log_staple(file, strerror(ENOMEM));
	return false;
}

static struct hs_cert *read_cert(const struct config_cert *config,
				 const struct cert_file *file)
{
	const struct hs_cert_files files = {
		.chain = file->chain,
		.keys = (const char *const *)file->keys,
		.n_keys = file->n_keys,
		.password_file = config->password_file,
	};
	char error[1024];
	struct hs_cert *cert = hs_cert_read(&files, error, sizeof(error));

	if (cert)
		warn_if_readable(hs_cert_key_file(cert));
	else
		log_error("event=certificate_refused at=%s:%u:%u error=\"%s\"",
			  config->mark.file, config->mark.line,
			  config->mark.column, error);
	return cert;
}

static struct hs_cert *load_cert(const struct config *config,
				 const struct cert_file *file)
{
	const struct config_cert *entry = &config->certs[file->entry];
	struct hs_cert *cert = read_cert(entry, file);

	if (!cert)
		return NULL;
	if (entry->staple == CONFIG_STAPLE_FILE &&
	    !load_staple(entry, file->chain, cert)) {
		hs_cert_free(cert);
		return NULL;
	}
	hs_cert_require_staple(cert, config->ocsp.missing_refuse &&
				     slots_must(entry, cert));
	return cert;
}

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

static bool load_all(const struct config *config, struct certs *certs,
		     unsigned int pairs)
{
	size_t i;

	if (cert_files_find(config, false, &certs->files))
		return false;
	certs->cert = calloc(certs->files.n, sizeof(*certs->cert));
	certs->contexts = calloc(config->n_listeners,
				 sizeof(*certs->contexts));
	if (!certs->cert || !certs->contexts) {
		log_error("event=start_failed error=\"out of memory\"");
		return false;
	}
	for (i = 0; i < certs->files.n; i++) {
		certs->cert[i] = load_cert(config, &certs->files.file[i]);
		if (!certs->cert[i])
			return false;
		certs->n++;
	}
	if (!read_rules(config, certs))
		return false;
	for (i = 0; i < config->n_listeners; i++) {
		certs->contexts[i] = make_context(config, &config->listeners[i],
						  certs, pairs);
		if (!certs->contexts[i])
			return false;
		certs->n_contexts++;
	}
	return !slots_find(config, certs);
}

struct certs *certs_load(const struct config *config, unsigned int pairs,
			 struct hs_tickets *tickets)
{
	struct certs *certs = calloc(1, sizeof(*certs));

	if (certs)
		certs->tickets = tickets;
	if (certs && load_all(config, certs, pairs))
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
		hs_cert_free(certs->cert[i]);
	client_rules_fini(&certs->rules);
	slots_free(certs);
	cert_files_free(&certs->files);
	free(certs->contexts);
	free(certs->cert);
	free(certs);
}

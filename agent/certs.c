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

#include "log.h"

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

/* The issuer's certificate, from its own file or the chain; empty: logged. */
static struct ocsp_bytes find_issuer(const struct config_cert *cert,
				     struct hs_ctx *ctx, uint8_t **owned)
{
	struct ocsp_bytes issuer = { NULL, 0 };
	char error[512];

	if (!cert->issuer) {
		issuer = hs_ctx_issuer(ctx);
		if (!issuer.len)
			log_error("event=staple_refused file=\"%s\" error=\""
				  "the chain %s does not hold the issuer\" "
				  "remedy=\"name its file with issuer:\"",
				  cert->staple_file, cert->chain);
		return issuer;
	}
	issuer = hs_read_cert(cert->issuer, error, sizeof(error));
	if (!issuer.data)
		log_error("event=issuer_refused error=\"%s\"", error);
	*owned = (uint8_t *)issuer.data;
	return issuer;
}

/* Right once, and past now, as may happen to one that is in use. */
static bool is_past(enum ocsp_verdict verdict)
{
	return verdict == OCSP_EXPIRED || verdict == OCSP_TOO_OLD ||
	       verdict == OCSP_DELEGATE_EXPIRED;
}

static bool load_staple(const struct config_cert *cert, struct hs_ctx *ctx)
{
	static uint8_t der[OCSP_MAX_LEN + 1];
	ssize_t n = read_staple(cert->staple_file, der);
	struct ocsp_bytes response = { der, n > 0 ? (size_t)n : 0 };
	enum ocsp_verdict verdict;
	struct ocsp_bytes issuer;
	struct ocsp_times times;
	uint8_t *owned = NULL;

	if (n < 0) {
		log_staple(cert->staple_file, strerror((int)-n));
		return false;
	}
	issuer = find_issuer(cert, ctx, &owned);
	if (!issuer.len)
		return false;
	verdict = ocsp_check(response, hs_ctx_leaf(ctx), issuer,
			     &ocsp_default_limits, time(NULL), &times);
	free(owned);
	if (is_past(verdict)) {
		log_warn("event=staple_expired file=\"%s\" error=\"%s: "
			 "certificates are sent without it\"", cert->staple_file,
			 ocsp_reason(verdict));
		return true;
	}
	if (verdict != OCSP_OK) {
		log_staple(cert->staple_file, ocsp_reason(verdict));
		return false;
	}
	if (!hs_ctx_set_staple(ctx, response, times.next_update))
		return true;
	log_staple(cert->staple_file, strerror(ENOMEM));
	return false;
}

static struct hs_ctx *load(const struct config *config,
			   const struct config_listener *listener,
			   unsigned int pairs)
{
	const struct config_cert *cert = &config->certs[0];
	struct hs_config hs = {
		.chain_file = cert->chain,
		.key_file = cert->key,
		.alpn = listener->alpn,
		.alpn_len = listener->alpn_len,
		.pairs = pairs,
		.tickets = listener->tickets,
	};
	struct hs_ctx *ctx;
	char error[512];

	ctx = hs_ctx_new(&hs, error, sizeof(error));
	if (!ctx) {
		log_error("event=certificate_refused at=%s:%u:%u error=\"%s\"",
			  cert->mark.file, cert->mark.line, cert->mark.column,
			  error);
		return NULL;
	}
	if (cert->staple == CONFIG_STAPLE_FILE && !load_staple(cert, ctx)) {
		hs_ctx_free(ctx);
		return NULL;
	}
	return ctx;
}

struct hs_ctx **certs_load(const struct config *config, unsigned int pairs)
{
	struct hs_ctx **contexts = calloc(config->n_listeners,
					  sizeof(*contexts));
	size_t i;

	if (!contexts)
		return NULL;
	for (i = 0; i < config->n_certs; i++)
		warn_if_readable(config->certs[i].key);
	for (i = 0; i < config->n_listeners; i++) {
		contexts[i] = load(config, &config->listeners[i], pairs);
		if (contexts[i])
			continue;
		certs_free(contexts, config->n_listeners);
		return NULL;
	}
	return contexts;
}

void certs_free(struct hs_ctx **contexts, size_t n)
{
	size_t i;

	if (!contexts)
		return;
	for (i = 0; i < n; i++)
		hs_ctx_free(contexts[i]);
	free(contexts);
}

/* SPDX-License-Identifier: MIT */
#include "slots.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "log.h"
#include "ocsp/cert.h"

/* More URLs of one certificate than this are not asked. */
#define MAX_URLS 4

bool slots_must(const struct config_cert *config, const struct hs_cert *cert)
{
	if (config->staple == CONFIG_STAPLE_OFF)
		return false;
	return config->staple == CONFIG_STAPLE_MUST ||
	       ocsp_must_staple(hs_cert_der(cert, 0));
}

int slots_issuer(const struct config_cert *config, const struct hs_cert *cert,
		 unsigned int depth, struct ocsp_bytes *issuer,
		 uint8_t **owned)
{
	char error[512];

	*owned = NULL;
	*issuer = hs_cert_issuer(cert, depth);
	if (!config->issuer || (depth && issuer->len))
		return issuer->len ? 0 : -ENOENT;
	*issuer = hs_read_issuer(cert, depth, config->issuer, error,
				 sizeof(error));
	*owned = (uint8_t *)issuer->data;
	if (issuer->len)
		return 0;
	if (depth)
		return -ENOENT;
	log_error("event=issuer_refused at=%s:%u:%u error=\"%s\"",
		  config->mark.file, config->mark.line, config->mark.column,
		  error);
	return -EINVAL;
}

/* The URL to ask instead of one that a certificate names. */
static const char *mapped(const struct config_ocsp *ocsp, const char *url)
{
	const char *host = strstr(url, "://") + 3;
	size_t len = strcspn(host, host[0] == '[' ? "]" : ":/?#");
	size_t i;

	len += host[len] == ']';
	for (i = 0; i < ocsp->n_responders; i++) {
		const struct config_responder *r = &ocsp->responders[i];

		if (strlen(r->host) == len && !strncasecmp(r->host, host, len))
			return r->url;
	}
	return url;
}

static int add_url(struct certs_slot *slot, const char *url)
{
	size_t len = strlen(url) + 1;
	char *urls = realloc(slot->urls, slot->urls_len + len);

	if (!urls)
		return -ENOMEM;
	memcpy(urls + slot->urls_len, url, len);
	slot->urls = urls;
	slot->urls_len += len;
	return 0;
}

/* Whom to ask; the key responder: is about the leaf. */
static int find_urls(const struct config *config,
		     const struct config_cert *cert, struct certs_slot *slot)
{
	char url[OCSP_URL_MAX];
	unsigned int i;
	int err = 0;

	if (!slot->depth && cert->responder)
		return add_url(slot, cert->responder);
	for (i = 0; i < MAX_URLS && !err; i++) {
		if (ocsp_responder(slot->der, i, url))
			break;
		err = add_url(slot, mapped(&config->ocsp, url));
	}
	return err;
}

static int make_name(struct certs_slot *slot, const struct hs_cert *cert)
{
	int n;

	if (slot->depth)
		n = asprintf(&slot->name, "%s, position %u",
			     hs_cert_name(cert), slot->depth);
	else
		n = asprintf(&slot->name, "%s", hs_cert_name(cert));
	if (n < 0)
		slot->name = NULL;
	return slot->name ? 0 : -ENOMEM;
}

/* Certificates without a responder are usual, unless they must be stapled. */
static void say_unasked(const struct config_cert *config,
			const struct certs_slot *slot)
{
	log_line(slot->must ? LOG_L_WARN : LOG_L_DEBUG,
		 "event=no_responder at=%s:%u:%u certificate=\"%s\" "
		 "error=\"it is not stapled, for it names no OCSP responder, "
		 "nor does responder:\"", config->mark.file,
		 config->mark.line, config->mark.column, slot->name);
}

/* Chains end below the root, so for the last of them that is usual, too. */
static void say_unissued(const struct config_cert *config, const char *chain,
			 const struct certs_slot *slot)
{
	log_line(slot->depth ? LOG_L_DEBUG : LOG_L_WARN,
		 "event=issuer_missing at=%s:%u:%u certificate=\"%s\" "
		 "error=\"it cannot be stapled, for the chain %s does not hold "
		 "its issuer\" remedy=\"name the issuer's file with issuer:\"",
		 config->mark.file, config->mark.line, config->mark.column,
		 slot->name, chain);
}

/* Returns 1 when @slot is complete, 0 when there is none, or -errno. */
static int fill(const struct config *config, const struct cert_file *of,
		const struct hs_cert *cert, struct certs_slot *slot)
{
	const struct config_cert *c = &config->certs[of->entry];
	int err;

	slot->must = !slot->depth && slots_must(c, cert);
	slot->der = hs_cert_der(cert, slot->depth);
	ocsp_fingerprint(slot->der, slot->fingerprint);
	err = make_name(slot, cert);
	if (!err)
		err = find_urls(config, c, slot);
	if (err) {
		log_error("event=start_failed error=\"%s\"", strerror(-err));
		return err;
	}
	err = slots_issuer(c, cert, slot->depth, &slot->issuer, &slot->owned);
	if (err && err != -ENOENT)
		return err;
	if (!slot->urls)
		say_unasked(c, slot);
	else if (err)
		say_unissued(c, of->chain, slot);
	return slot->urls && !err;
}

static void slot_free(struct certs_slot *slot)
{
	free(slot->name);
	free(slot->urls);
	free(slot->owned);
}

static int add(const struct config *config, const struct cert_file *of,
	       const struct hs_cert *cert, unsigned int depth,
	       struct slots *all)
{
	struct certs_slot slot = { .depth = depth };
	struct certs_slot *slots;
	int ret = fill(config, of, cert, &slot);

	slots = ret == 1 ? realloc(all->slot, (all->n + 1) * sizeof(*slots)) :
			   NULL;
	if (ret == 1 && !slots)
		ret = -ENOMEM;
	if (!ret && !depth)
		all->unasked = (struct certs_unasked){
			slot.urls ? "its issuer is not known" :
			"it names no OCSP responder, nor does responder:",
			slot.must };
	if (ret != 1) {
		slot_free(&slot);
		return ret;
	}
	slots[all->n++] = slot;
	all->slot = slots;
	return 0;
}

int slots_find(const struct config *config, const struct cert_file *of,
	       const struct hs_cert *cert, struct slots *slots)
{
	enum config_staple policy = config->certs[of->entry].staple;
	unsigned int n = hs_cert_depths(cert), depth;
	int err = 0;

	if (policy != CONFIG_STAPLE_AUTO && policy != CONFIG_STAPLE_MUST)
		return 0;
	for (depth = 0; depth < n && !err; depth++)
		err = add(config, of, cert, depth, slots);
	return err;
}

void slots_free(struct slots *slots)
{
	size_t i;

	for (i = 0; i < slots->n; i++)
		slot_free(&slots->slot[i]);
	free(slots->slot);
}

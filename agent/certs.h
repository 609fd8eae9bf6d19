/* SPDX-License-Identifier: MIT */
/*
 * Certificates and their staples, from the files that the configuration names
 * to one context per listener, and what the stapler is to look after.
 */
#ifndef AGENT_CERTS_H
#define AGENT_CERTS_H

#include "cert_files.h"
#include "client_rules.h"
#include "config/config.h"
#include "handshake/ctx.h"

/*
 * struct certs_slot - a position of a chain that needs a staple from a responder
 * @cert:   index into struct certs' cert
 * @depth:  see hs_cert_set_staple()
 * @name:   for people: the certificate's, and its position when that is not 0
 * @urls:   responders to ask in turn, a NUL behind each; @urls_len bytes
 * @der:    the certificate at this position; the certificate's own
 * @fingerprint: its
 * @issuer: its issuer's certificate
 * @owned:  its bytes, where they are not of the chain
 * @must:   a leaf that must be stapled, by the configuration or by itself
 */
struct certs_slot {
	unsigned int cert, depth;
	char *name;
	char *urls;
	size_t urls_len;
	struct ocsp_bytes der, issuer;
	uint8_t fingerprint[OCSP_FINGERPRINT_LEN];
	uint8_t *owned;
	bool must;
};

/*
 * struct certs_unasked - a certificate that should be stapled and has no slot
 * @why:  a sentence; NULL: it has one, or should not be stapled
 * @must: as there
 */
struct certs_unasked {
	const char *why;
	bool must;
};

struct cert_loaded;

/*
 * struct certs - all that was loaded
 * @files:          where they are, and which of config's certs they are of
 * @loaded, @cert, @unasked: by the index of @files
 * @contexts:       by the index of config's listeners
 * @slots:          what they point to is the certificates'
 * @tickets:        the keys of the contexts' tickets, borrowed
 */
struct certs {
	const struct config *config;
	struct cert_files files;
	struct cert_loaded **loaded;
	struct hs_cert **cert;
	size_t n;
	struct hs_ctx **contexts;
	size_t n_contexts;
	struct client_rules rules;
	struct certs_slot *slots;	/* by certificate, then depth */
	size_t n_slots;
	struct certs_unasked *unasked;
	struct hs_tickets *tickets;
};

/*
 * certs_load - every certificate, and a context for every listener
 * @config:   outlives it
 * @pairs:    versions and ciphers to offer, see struct hs_config
 * @tickets:  the contexts' keys; outlives them
 * @previous: what was loaded before: certificates whose files and settings have
 *            not changed since are shared with it; or NULL
 * Logs what is wrong, one line per finding, each with its file. A staple FILE
 * that is past its nextUpdate is left out with a warning, as it would be were
 * ktlsd already running; so is one whose time is to come, until it does, for
 * machines may be told the time after the start. One that is never right is an
 * error.
 * Returns NULL after an error.
 */
struct certs *certs_load(const struct config *config, unsigned int pairs,
			 struct hs_tickets *tickets,
			 const struct certs *previous);
void certs_free(struct certs *certs);	/* takes NULL */

/* certs_chain - the file of a certificate, by which people tell it from others */
static inline const char *certs_chain(const struct certs *certs, size_t cert)
{
	return certs->files.file[cert].chain;
}

/* certs_entry - what the configuration says of it */
static inline const struct config_cert *
certs_entry(const struct config *config, const struct certs *certs, size_t cert)
{
	return &config->certs[certs->files.file[cert].entry];
}

#endif

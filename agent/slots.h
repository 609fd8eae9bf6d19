/* SPDX-License-Identifier: MIT */
/*
 * What the configuration and a certificate say about its staple: whether it must
 * have one, who has issued it, and whom to ask.
 */
#ifndef AGENT_SLOTS_H
#define AGENT_SLOTS_H

#include "certs.h"

/*
 * slots_must - must a certificate be stapled?
 * By the configuration, or by what it says itself (RFC 7633) unless the
 * configuration switches stapling off.
 */
bool slots_must(const struct config_cert *config, const struct hs_cert *cert);

/*
 * slots_issuer - whose key the responses for a position are about
 * A leaf's is looked for in the file that the configuration names, else in the
 * chain; an intermediate's the other way round.
 * @owned: gets what is to be freed, or NULL
 * Returns 0, -ENOENT when it is nowhere, or -EINVAL when the leaf's is not in
 * its file, which is logged.
 */
int slots_issuer(const struct config_cert *config, const struct hs_cert *cert,
		 unsigned int depth, struct ocsp_bytes *issuer,
		 uint8_t **owned);

/* struct slots - of one certificate; their cert is left to the caller */
struct slots {
	struct certs_slot *slot;
	size_t n;
	struct certs_unasked unasked;
};

/*
 * slots_find - the positions of a chain for which responders are asked
 * One without a responder has none, which is as it should be; one whose issuer
 * is not known is logged. Returns 0, or -errno, logged; slots_free() in any case.
 */
int slots_find(const struct config *config, const struct cert_file *of,
	       const struct hs_cert *cert, struct slots *slots);
void slots_free(struct slots *slots);

#endif

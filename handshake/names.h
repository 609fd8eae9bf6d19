/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: the certificate for the name that a client asks for. */
#ifndef HANDSHAKE_NAMES_H
#define HANDSHAKE_NAMES_H

#include <stddef.h>

struct hs_cert;
struct hs_config;
struct hs_ctx;

struct hs_name {
	const char *name;	/* the certificate's own, in lower case */
	struct hs_cert *cert;
	size_t order;		/* of the certificate */
};

/* A context's certificates by their names, sorted, each name once. */
struct hs_names {
	struct hs_name *entry;
	size_t n;
};

/*
 * hs_names_init - give a context its certificates
 * Returns 0, or a negative value and a sentence in @error that names the file.
 */
int hs_names_init(struct hs_ctx *ctx, const struct hs_config *config,
		  char *error, size_t error_len);
void hs_names_fini(struct hs_ctx *ctx);

#endif

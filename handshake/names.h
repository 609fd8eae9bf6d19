/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: the certificates for the name that a client asks for. */
#ifndef HANDSHAKE_NAMES_H
#define HANDSHAKE_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct hs_site;

/* OpenSSL has room for one certificate of each. */
enum hs_key { HS_KEY_RSA, HS_KEY_EC, HS_KEY_ED25519, HS_KEY_ED448, HS_KEY_OTHER,
	      HS_KEYS };

/*
 * A site by one of its names. Those for one name follow each other, by their
 * order in the configuration, each with another type of key: a set, known by
 * its first.
 */
struct hs_name {
	const char *name;	/* the certificate's own, in lower case */
	const struct hs_site *site;
	unsigned int n;		/* of the set; 0 in all but its first */
};

/* A place of the table of sets, by the hashes of their names. */
struct hs_slot {
	uint32_t hash;
	uint32_t set;		/* index of its first; UINT32_MAX: empty */
};

/* A context's sites by their names, sorted. */
struct hs_names {
	struct hs_name *entry;
	size_t n;
	struct hs_slot *slot;	/* a set in the first free one from its hash on */
	uint32_t mask;		/* their number, a power of two, less one */
	struct hs_name fallback[HS_KEYS];	/* the set for all other names */
};

/* hs_names_init - @sites stay as they are until hs_names_fini(). 0 or -ENOMEM. */
int hs_names_init(struct hs_names *names, const struct hs_site *sites,
		  size_t n);
void hs_names_fini(struct hs_names *names);
/*
 * hs_names_find - the set for a name, exact before wildcard
 * @name: in lower case; the same again afterwards
 * NULL: there is none.
 */
const struct hs_name *hs_names_find(const struct hs_names *names, char *name);

#endif

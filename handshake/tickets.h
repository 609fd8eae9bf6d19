/* SPDX-License-Identifier: MIT */
/*
 * The keys of stateless session tickets (RFC 5077, RFC 8446 4.6.1), shared by
 * all contexts of a process. A ticket is a session, encrypted with AES-256-CBC
 * and authenticated with HMAC-SHA-256.
 */
#ifndef HANDSHAKE_TICKETS_H
#define HANDSHAKE_TICKETS_H

#include <stddef.h>
#include <stdint.h>

/* Its name's 16 bytes, which tickets begin with, HMAC's 32 and AES's 32. */
#define HS_TICKET_KEY 80

/*
 * Tickets of all three are taken, and made with the current one. In TLS 1.3
 * each that is taken is answered by a new one, in TLS 1.2 those of the other
 * two are. The next one is there so that processes need not change at the same
 * moment.
 */
enum { HS_TICKET_PREVIOUS, HS_TICKET_CURRENT, HS_TICKET_NEXT, HS_TICKET_KEYS };

struct hs_ticket_keys {
	uint8_t key[HS_TICKET_KEYS][HS_TICKET_KEY];
};

struct hs_tickets;

/*
 * hs_tickets_new - with random keys
 * They are left out of core dumps. NULL when out of memory, or libcrypto fails.
 */
struct hs_tickets *hs_tickets_new(void);
void hs_tickets_free(struct hs_tickets *tickets);	/* wipes; takes NULL */

/* hs_tickets_set - use these from now on; copied, and the old ones wiped */
void hs_tickets_set(struct hs_tickets *tickets,
		    const struct hs_ticket_keys *keys);
/* hs_tickets_get - those in use, until the next hs_tickets_set() */
const struct hs_ticket_keys *hs_tickets_get(const struct hs_tickets *tickets);

#endif

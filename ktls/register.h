/* SPDX-License-Identifier: MIT */
/*
 * The registration protocol, spoken over a route's SEQPACKET socket; see
 * handoff(7). Integers in host order: both ends are on one machine.
 */
#ifndef KTLS_REGISTER_H
#define KTLS_REGISTER_H

#include <stdint.h>

#define KTLS_REG_MAGIC "ktlsd-q"	/* 8 bytes with its NUL */
#define KTLS_REG_VERSION 1

/* What a consumer says; an offer carries {read end, write end}. */
struct ktls_hello {
	char magic[8];
	uint16_t version;
	uint16_t reserved[3];
};

enum ktls_reg_status {
	KTLS_REG_OK,		/* two descriptors: {read end, write end} */
	KTLS_REG_ADOPTED,	/* the offered queue is used; no descriptor */
	KTLS_REG_REFUSED,	/* not allowed: text says what to change */
	KTLS_REG_BAD_VERSION,	/* version is the one that ktlsd speaks */
	KTLS_REG_BAD_OFFER,	/* the offer is no queue; text says why */
	KTLS_REG_ERROR,		/* ktlsd is out of something; text says what */
};

/* flags of an answer; others are for later, and not looked at */
#define KTLS_REG_IPV6 1		/* clients with an IPv6 address may come */

/*
 * ktlsd's answer; text is a NUL-terminated sentence, empty on success. flags
 * were its last bytes once: 0 on success, and nobody's business else.
 */
struct ktls_answer {
	char magic[8];
	uint16_t version;
	uint16_t status;
	uint32_t hold_ms;	/* older messages in the queue are to be dropped */
	char text[236];
	uint32_t flags;		/* of a registration; 0 in a refusal */
};

#endif

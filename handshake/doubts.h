/* SPDX-License-Identifier: MIT */
/* What is no fault of the files, and keeps people out all the same. */
#ifndef HANDSHAKE_DOUBTS_H
#define HANDSHAKE_DOUBTS_H

#include <stdint.h>

#include "handshake/cert.h"
#include "handshake/client.h"

/* struct hs_doubts - who wants to know, and when; @now: seconds since the epoch */
struct hs_doubts {
	int64_t now;
	void (*say)(void *arg, const char *sentence);
	void *arg;
};

/* hs_cert_doubts - is it within its time? */
void hs_cert_doubts(const struct hs_cert *cert, const struct hs_doubts *to);

/*
 * hs_client_doubts - whom will these rules refuse, whoever they are?
 * Each CA that is not within its time, or has no list although there are lists;
 * and each CA whose lists are all past their time or ahead of it, unless those
 * count (crl_expired_warn).
 */
void hs_client_doubts(const struct hs_client *client,
		      const struct hs_doubts *to);

#endif

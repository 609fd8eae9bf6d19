/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: how a handshake fails. */
#ifndef HANDSHAKE_FAILURE_H
#define HANDSHAKE_FAILURE_H

#include "handshake/handshake.h"

/* failure.c: the first one wins */
enum hs_step hs_fail(struct hs *hs, enum hs_failure failure, uint8_t alert,
		     const char *sentence);
/* hs_blame - from a callback of OpenSSL's, which sends the alert and fails */
void hs_blame(struct hs *hs, enum hs_failure failure, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* hs_fail_peer - by an alert of the peer, which gets none back */
enum hs_step hs_fail_peer(struct hs *hs, int alert);
enum hs_step hs_fail_ssl(struct hs *hs, int ssl_error);

/* alert.c: a fatal alert, sealed when the write key is in use */
void hs_alert(struct hs *hs, uint8_t alert);

#endif

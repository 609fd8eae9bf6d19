/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: how a handshake fails. */
#ifndef HANDSHAKE_FAILURE_H
#define HANDSHAKE_FAILURE_H

#include "handshake/handshake.h"

/* failure.c: the first one wins */
enum hs_step hs_fail(struct hs *hs, enum hs_failure failure, uint8_t alert,
		     const char *sentence);
/* hs_fail_peer - by an alert of the peer, which gets none back */
enum hs_step hs_fail_peer(struct hs *hs, int alert);
enum hs_step hs_fail_ssl(struct hs *hs, int ssl_error);

/* alert.c: a fatal alert, sealed when the write key is in use */
void hs_alert(struct hs *hs, uint8_t alert);

#endif

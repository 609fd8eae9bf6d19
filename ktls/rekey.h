/* SPDX-License-Identifier: MIT */
/*
 * Inside of libktls: the secrets of a connection whose keys may change (RFC
 * 8446 4.6.3, 7.2), and what is to be sent for that. Each from _moved on does
 * nothing, and returns 0, where c->rekey is NULL.
 */
#ifndef KTLS_REKEY_H
#define KTLS_REKEY_H

#include <stdbool.h>

#include "ktls.h"

/* Copies both, 32 or 48 bytes each; NULL: out of memory. */
struct ktls_rekey *ktls_rekey_new(struct ktls_bytes rx, struct ktls_bytes tx);
/* Wipes; takes NULL. */
void ktls_rekey_free(struct ktls_rekey *r);

/*
 * ktls_rekey_follow - the peer has changed its key
 * @asks: and wants ours changed
 * Returns 1, or -EKEYEXPIRED: the kernel takes no other, the connection failed.
 */
int ktls_rekey_follow(struct ktls_conn *c, bool asks);
/* What is to be said of receiving once data has been given. */
void ktls_rekey_fail(struct ktls_conn *c, int error);
int ktls_rekey_failed(const struct ktls_conn *c);
/* Whether the peer has changed its key since the last call. */
bool ktls_rekey_moved(struct ktls_conn *c);
/* Answers that, if there is something to answer and room for it. */
void ktls_rekey_answer(struct ktls_conn *c);
/* Before data: what must go first. Returns 0, or -errno, and no data may go. */
int ktls_rekey_before(struct ktls_conn *c, int flags);
/* And after, with records of at least @record bytes but for the last. */
void ktls_rekey_count(struct ktls_conn *c, size_t bytes, size_t record);

#endif

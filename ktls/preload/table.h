/* SPDX-License-Identifier: MIT */
/*
 * What we know of this process's descriptors. Reading is a load or two, without
 * a lock; entries are never given back to the system, so that who uses a
 * descriptor that another thread closes reads an old entry and no wild one.
 */
#ifndef PRELOAD_TABLE_H
#define PRELOAD_TABLE_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ktls/ktls.h"

/* Descriptors beyond are never given to the server. */
#define TABLE_FDS (1 << 20)

/*
 * LISTENER: the queue, in the place of a listening socket
 * IDLE:     in its place too, but another one gets the connections
 * CONN:     a connection out of the queue
 * OWN:      ours, and no business of the server's
 */
enum entry_kind { ENTRY_LISTENER, ENTRY_IDLE, ENTRY_CONN, ENTRY_OWN };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/*
 * @refs:   descriptors that share it
 * @local:  of a listener what it was bound to; a family is always there
 * @nonblocking, @listening: a listener's, as the server set them
 * @ended:  the server has shut down what comes in
 * @bound:  the server has bound it, and did not find it there
 * @forks:  preload_forks when it was accepted
 * @dev, @ino: the socket's, since a number may be reused behind our back
 * @epoll:  where it was added, or -1
 * @reset:  closing is to cut off: SO_LINGER with 0 seconds
 * @own:    of ours, where its number is kept
 * @error:  what ended the receiving direction for good, or 0
 */
struct entry {
	_Atomic uint32_t refs, next;
	enum entry_kind kind;
	union address local, peer;
	int queue;
	_Atomic bool nonblocking, listening, ended, bound;
	struct ktls_conn conn;
	int forks;
	dev_t dev;
	ino_t ino;
	_Atomic int epoll;
	_Atomic int *own;
	_Atomic bool reset, got_close;
	_Atomic int error;
};

extern _Atomic uint32_t *table_slots;
extern struct entry *table_entries;
/* One more than the highest descriptor that ever had an entry. */
extern _Atomic int table_end;

/* Returns 0 or -errno. Until then there is nothing in it. */
int table_init(void);

/* An entry of one reference, all 0 but for @kind, @epoll and the refs; or NULL */
struct entry *table_new(enum entry_kind kind);
/* Gives up one reference. Returns whether it was the last one. */
bool table_unref(struct entry *e);

static inline struct entry *table_get(int fd)
{
	uint32_t i;

	if (!table_slots || (unsigned int)fd >= TABLE_FDS)
		return NULL;
	i = atomic_load_explicit(&table_slots[fd], memory_order_acquire);
	return i ? &table_entries[i] : NULL;
}

/* The entry of a connection, or of a listener (IDLE too), or NULL. */
struct entry *table_conn(int fd);
struct entry *table_listener(int fd);

/*
 * Puts @e, a reference of the caller's, at @fd, or nothing with NULL. What was
 * there is given up: it may be one that was closed behind our back.
 */
void table_set(int fd, struct entry *e);
/* @copy is another descriptor for what @fd is. */
void table_share(int fd, int copy);

#endif

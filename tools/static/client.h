/* SPDX-License-Identifier: MIT */
/* One HTTP connection. Descriptors do not block; nothing here waits. */
#ifndef STATIC_CLIENT_H
#define STATIC_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>
#include <time.h>

#include "ktls/ktls.h"

#define HEADER_MAX 8192 /* bytes of a request's header */

enum client_phase {
	REQUEST,	/* waiting for a header */
	RESPONSE,	/* sending head and file */
	GOODBYE,	/* sending close_notify */
	LINGER,		/* reading on: to close with data unread would reset */
			/* the connection and cost the peer our last bytes */
};

/* @by_age, @armed: the worker's; @wants: epoll events to go on at */
struct client {
	TAILQ_ENTRY(client) by_age;
	uint32_t armed, wants;
	struct ktls_conn conn;
	enum client_phase phase;
	time_t since;	/* CLOCK_MONOTONIC, in s, of the last progress */
	bool last;	/* no request after this one */
	bool fresh;	/* none has come yet */
	size_t in_len, head_len, head_sent;
	int file;	/* -1: none */
	off_t offset, end;
	char in[HEADER_MAX + 1];
	char head[2048];
};

/* NULL when out of memory; then @conn is still the caller's. */
struct client *client_new(const struct ktls_conn *conn, time_t now);

/*
 * client_run - go on as far as one turn takes it
 * @root: folder the files are below
 * Returns false when the connection is over: client_free().
 */
bool client_run(struct client *c, int root, time_t now);

/* Whether nothing is lost to the peer when it is closed now. */
bool client_is_idle(const struct client *c);

/* Closes; an idle connection with close_notify, any other as cut off. */
void client_free(struct client *c);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What master and a proxy say to each other over a SEQPACKET socketpair. The
 * end of the pair is as good as PROXY_MSG_STOP: master is gone.
 */
#ifndef AGENT_PROXY_MSG_H
#define AGENT_PROXY_MSG_H

#include <stdint.h>
#include <sys/socket.h>

#define PROXY_MSG_NAME 64	/* of a route, with its NUL */
#define PROXY_MSG_BACKENDS 64

enum proxy_msg_type {
	PROXY_MSG_OPTIONS,	/* to proxy, first; with the board's memory */
	PROXY_MSG_ROUTE,	/* to proxy; with what route_register() gave */
	PROXY_MSG_READY,	/* to master: registered for all routes */
	PROXY_MSG_ACCEPT,	/* to proxy: take connections */
	PROXY_MSG_LEAVE,	/* to proxy: others take this route's; take what
				 * waits now, and then no more */
	PROXY_MSG_STOP,		/* to proxy: end once there are no connections
				 * and nobody sends any, or when time is up */
	PROXY_MSG_TYPES,
};

/* enum proxy_header - what connections to servers begin with */
enum proxy_header { PROXY_HEADER_NONE, PROXY_HEADER_V1, PROXY_HEADER_V2 };

/* struct proxy_options - @process: which one of the board's it is */
struct proxy_options {
	uint32_t process, n_processes, n_routes, n_backends;
	uint32_t drain_ms;
};

/*
 * struct proxy_order - a route
 * @first:   its first backend's number, among those of all routes
 * @backend: IPv4, IPv6 or Unix
 */
struct proxy_order {
	char name[PROXY_MSG_NAME];
	uint32_t header, connect_ms, max_fails, fail_ms;
	uint32_t first, n;
	struct {
		struct sockaddr_storage addr;
		uint32_t addr_len;
	} backend[PROXY_MSG_BACKENDS];
};

/* struct proxy_msg - @route: of ROUTE and LEAVE, from 0 */
struct proxy_msg {
	uint32_t type, route;
	union {
		struct proxy_options options;
		struct proxy_order order;
	};
};

/*
 * proxy_msg_send - say something; @fd travels along unless it is -1
 * Borrowed @fd. Never blocks. Returns 0 or -errno of sendmsg(2).
 */
int proxy_msg_send(int sock, const struct proxy_msg *msg, int fd);

/*
 * proxy_msg_recv - hear something, never blocks
 * @fd: gets the descriptor that came along, the caller's, or -1
 * Returns 1, 0 at the end, or -errno; -EAGAIN: nothing there; -EBADMSG: not a
 * message of ours, or one without the descriptor that it comes with.
 */
int proxy_msg_recv(int sock, struct proxy_msg *msg, int *fd);

#endif

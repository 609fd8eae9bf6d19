/* SPDX-License-Identifier: MIT */
/*
 * Listening sockets that this process did not make: given to it by a service
 * manager (sd_listen_fds(3)), or by the master whose place it takes. Each goes
 * to the one place in the configuration that has its address.
 */
#ifndef AGENT_INHERIT_H
#define AGENT_INHERIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "config/config.h"

/* PROXY: of a proxy's route, which has no socket: that there is one here, too. */
enum inherit_kind {
	INHERIT_LISTENER, INHERIT_ROUTE, INHERIT_CONTROL, INHERIT_PROXY
};

/*
 * struct inherit_socket
 * @number:  the giver's, among those of this kind
 * @fd:      -1 once taken
 * @addr:    what it was bound to: a port of 0 stays 0; of a route and of
 *           control a path
 * @foreign: stays its giver's: it is not shut, nor is its file removed
 */
struct inherit_socket {
	enum inherit_kind kind;
	unsigned int number;
	int fd;
	struct sockaddr_storage addr;
	socklen_t addr_len;
	bool v6only, foreign;
};

/* struct inherit - zeroed: there are none */
struct inherit {
	struct inherit_socket *socket;
	size_t n;
};

/* inherit_add - one more; takes its fd, also on failure: -ENOMEM */
int inherit_add(struct inherit *set, const struct inherit_socket *socket);

/*
 * inherit_environ - those that LISTEN_PID and LISTEN_FDS tell of
 * These and LISTEN_FDNAMES are removed from the environment. What is no bound,
 * listening stream socket is closed with a warning. Returns 0 or -ENOMEM.
 */
int inherit_environ(struct inherit *set);

/*
 * inherit_listener - the socket for this listener, now the caller's
 * @foreign: gets the socket's
 * Returns -1 when there is none.
 */
int inherit_listener(struct inherit *set, const struct config_listener *config,
		     bool *foreign);
/* inherit_path - likewise for the route or the control socket at @path */
int inherit_path(struct inherit *set, enum inherit_kind kind,
		 const char *path);

/* inherit_close - those that nobody took; warns of foreign ones */
void inherit_close(struct inherit *set);

#endif

/* SPDX-License-Identifier: MIT */
#include "inherit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

/* The first one that a service manager gives. */
#define FIRST_FD 3
/* "unix:" and a path, or less. */
#define NAME_MAX_LEN (sizeof(struct sockaddr_un) + 8)

int inherit_add(struct inherit *set, const struct inherit_socket *socket)
{
	struct inherit_socket *more =
		realloc(set->socket, (set->n + 1) * sizeof(*more));

	if (!more) {
		close(socket->fd);
		return -ENOMEM;
	}
	set->socket = more;
	set->socket[set->n++] = *socket;
	return 0;
}

/* --- by address ------------------------------------------------------------ */

static bool same_path(const struct sockaddr_storage *addr, socklen_t len,
		      const char *path)
{
	const struct sockaddr_un *un = (const void *)addr;
	size_t n = len - offsetof(struct sockaddr_un, sun_path);

	return len > offsetof(struct sockaddr_un, sun_path) &&
	       n <= sizeof(un->sun_path) &&
	       strnlen(un->sun_path, n) == strlen(path) &&
	       !memcmp(un->sun_path, path, strlen(path));
}

static bool same_v4(const struct sockaddr_in *a, const struct sockaddr_in *b)
{
	return a->sin_port == b->sin_port &&
	       a->sin_addr.s_addr == b->sin_addr.s_addr;
}

static bool same_v6(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
	return a->sin6_port == b->sin6_port &&
	       !memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(a->sin6_addr)) &&
	       a->sin6_scope_id == b->sin6_scope_id;
}

static bool same_address(const struct inherit_socket *socket,
			 const struct config_listener *config)
{
	const void *a = &socket->addr, *b = &config->addr;

	if (socket->addr.ss_family != config->addr.ss_family)
		return false;
	if (socket->addr.ss_family == AF_UNIX)
		return same_path(a, socket->addr_len,
				 ((const struct sockaddr_un *)b)->sun_path);
	return socket->addr.ss_family == AF_INET ? same_v4(a, b) :
						   same_v6(a, b);
}

static int take(struct inherit_socket *socket)
{
	int fd = socket->fd;

	socket->fd = -1;
	return fd;
}

/* What its owner chose for it stays. */
static bool fits(const struct inherit_socket *socket,
		 const struct config_listener *config)
{
	if (socket->kind != INHERIT_LISTENER || socket->fd < 0 ||
	    !same_address(socket, config))
		return false;
	if (config->addr.ss_family != AF_INET6 ||
	    socket->v6only == config->v6only)
		return true;
	if (socket->foreign)
		log_warn("event=socket_differs bind=%s error=\"v6only is %s "
			 "where the socket was made, and stays so\"",
			 config->bind, socket->v6only ? "true" : "false");
	return socket->foreign;
}

int inherit_listener(struct inherit *set, const struct config_listener *config,
		     bool *foreign)
{
	size_t i;

	for (i = 0; i < set->n; i++) {
		if (!fits(&set->socket[i], config))
			continue;
		*foreign = set->socket[i].foreign;
		return take(&set->socket[i]);
	}
	return -1;
}

int inherit_path(struct inherit *set, enum inherit_kind kind, const char *path)
{
	size_t i;

	for (i = 0; i < set->n; i++) {
		struct inherit_socket *socket = &set->socket[i];

		if (socket->kind == kind && socket->fd >= 0 &&
		    same_path(&socket->addr, socket->addr_len, path))
			return take(socket);
	}
	return -1;
}

/* --- from a service manager ------------------------------------------------ */

static void name_of(const struct inherit_socket *socket,
		    char name[static NAME_MAX_LEN])
{
	const struct sockaddr_in6 *in6 = (const void *)&socket->addr;
	const struct sockaddr_in *in = (const void *)&socket->addr;
	const struct sockaddr_un *un = (const void *)&socket->addr;
	char host[INET6_ADDRSTRLEN] = "?";

	if (socket->addr.ss_family == AF_UNIX) {
		snprintf(name, NAME_MAX_LEN, "unix:%.*s",
			 (int)sizeof(un->sun_path), un->sun_path);
	} else if (socket->addr.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(name, NAME_MAX_LEN, "[%s]:%u", host,
			 ntohs(in6->sin6_port));
	} else {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(name, NAME_MAX_LEN, "%s:%u", host,
			 ntohs(in->sin_port));
	}
}

static int option(int fd, int level, int name)
{
	socklen_t len = sizeof(int);
	int value = -1;

	return getsockopt(fd, level, name, &value, &len) ? -1 : value;
}

/* Why it is of no use; NULL: it is. */
static const char *examine(struct inherit_socket *s)
{
	s->addr_len = sizeof(s->addr);
	if (getsockname(s->fd, (struct sockaddr *)&s->addr, &s->addr_len))
		return strerror(errno);
	if (s->addr.ss_family != AF_INET && s->addr.ss_family != AF_INET6 &&
	    s->addr.ss_family != AF_UNIX)
		return "it is of another family";
	if (option(s->fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM)
		return "it is no stream socket";
	if (option(s->fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
		return "it does not listen";
	s->v6only = s->addr.ss_family == AF_INET6 &&
		    option(s->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 1;
	return NULL;
}

static int add_given(struct inherit *set, int fd)
{
	struct inherit_socket s = { .fd = fd, .foreign = true };
	const char *why = examine(&s);

	if (!why) {
		fcntl(fd, F_SETFD, FD_CLOEXEC);
		/* With it an accept by a ring does not wait. */
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
		return inherit_add(set, &s);
	}
	log_warn("event=socket_refused descriptor=%d error=\"%s\"", fd, why);
	close(fd);
	return 0;
}

/* A number above 0, or 0. */
static long number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long n = text ? strtol(text, &end, 10) : 0;

	return text && *text && !*end && n > 0 && n <= INT_MAX ? n : 0;
}

int inherit_environ(struct inherit *set)
{
	int n = number("LISTEN_PID") == getpid() ? (int)number("LISTEN_FDS") :
						   0;
	int err = 0, i;

	/* There cannot be more, whatever it says. */
	if (n > getdtablesize())
		n = getdtablesize();
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	for (i = 0; i < n && !err; i++)
		err = add_given(set, FIRST_FD + i);
	return err;
}

void inherit_close(struct inherit *set)
{
	char name[NAME_MAX_LEN];
	size_t i;

	for (i = 0; i < set->n; i++) {
		struct inherit_socket *s = &set->socket[i];

		if (s->fd < 0)
			continue;
		name_of(s, name);
		if (s->foreign)
			log_warn("event=socket_unused bind=%s descriptor=%d "
				 "error=\"no listener has this address\"",
				 name, s->fd);
		close(s->fd);
	}
	free(set->socket);
	*set = (struct inherit){ NULL, 0 };
}

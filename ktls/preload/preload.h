/* SPDX-License-Identifier: MIT */
/*
 * libktls-accept.so: loaded into a server that knows nothing of ktlsd, it passes
 * the queue off as a listening TCP socket. ktls-run(1) says which queue, in the
 * place of which port, by the environment.
 */
#ifndef PRELOAD_PRELOAD_H
#define PRELOAD_PRELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "ktls/preload/table.h"

/*
 * The environment's variable: "1 INODE,FD" of the socket that gets our reports,
 * and then for each queue " INODE,FD,OWN,PORT,HOLD_MS,NONBLOCKING,IPV6,ADDRESS".
 * OWN is our own descriptor, 0 where none was left by who executed us. ADDRESS is
 * that which the server bound, a sockaddr in hexadecimal, or "-".
 */
#define PRELOAD_ENV "KTLS_ACCEPT"
#define PRELOAD_QUEUES_MAX 16
#define PRELOAD_ENV_MAX 4096

/*
 * A message to ktls-run, over a SEQPACKET socket.
 * @family: 0: the library is there; AF_INET or AF_INET6: the server listens
 * @port:   where it believes to, in the place of
 * @given:  the queue that ktls-run put there
 */
struct preload_report {
	int family, port, given;
};

/* What lets a server have IPv6 clients, or none come; %d is the server's port. */
#define PRELOAD_REMEDY                                                      \
	"Let it listen on [::]:%d as well, or in ktlsd's configuration the "  \
	"listener have bind: 0.0.0.0 and its port, or the rule from: "        \
	"[0.0.0.0/0]"

/*
 * @ino:     by which it is known again
 * @fd:      our own descriptor of it, -1 when we have none
 * @given:   where ktls-run put it
 * @port:    for whose bind(2) it is, 0: the first one's
 * @bound:   what that was, family 0 when none was
 * @nonblocking: as the server would have it; the queue itself never waits
 * @ipv6:    IPv6 clients may come: a listener of IPv4 alone gets nobody
 */
struct preload_queue {
	ino_t ino;
	_Atomic int fd, port;
	int given;
	unsigned int hold_ms;
	union address bound;
	_Atomic bool nonblocking;
	bool ipv6;
};

/* @report_fd: -1 when there is none; it may have become another's number */
struct preload_state {
	struct preload_queue queues[PRELOAD_QUEUES_MAX];
	int n;
	ino_t report_ino;
	_Atomic int report_fd;
};
extern struct preload_state preload;

/*
 * This process's id, 0 where we are not wanted. In a child of vfork(2), which
 * has our memory and not our descriptors, getpid(2) says another.
 */
extern pid_t preload_pid;
/* How often this process has forked, or was forked since it began. */
extern int preload_forks;
/* It is a forked child, of whom it is not said that it serves. */
extern bool preload_is_child;

/* Is the memory ours alone? Only then may the table change. */
bool preload_ours(void);

__attribute__((format(printf, 1, 2))) void preload_say(const char *format, ...);

/* env.c: the variable's text to @s and back. 0 or -EINVAL, or -E2BIG. */
int preload_parse(struct preload_state *s, const char *text);
int preload_format(const struct preload_state *s, char *buf, size_t len);

/* init.c: to ktls-run, if it is there; never waits */
void preload_report(const struct preload_report *report);

/* listen.c: makes @fd, which is queue @i, a listener. */
struct entry *preload_add_listener(int fd, int i, const union address *bound);
void preload_set_nonblocking(struct entry *e, bool on);
/* linger.c: says close_notify as soon as there is room. Does not take @fd. */
void preload_linger(int fd, const struct ktls_conn *c);
void preload_linger_forked(void);
/* close.c: @fd is about to be closed, by whatever call. */
void preload_forget(int fd);
/* Is what is at @fd still what was entered? See struct entry. */
bool preload_is_same(const struct entry *e, int fd);
/* @fd was closed behind our back, and @e was what it had been. */
void preload_gone(const struct entry *e, int fd);
/* known.c: what @fd is, that came from elsewhere */
void preload_recognise(int fd);
/* Descriptors from another process may be connections and queues of ours. */
void preload_received(const struct msghdr *msg);
/* Takes the own descriptor that who executed us has left, if it is there. */
void preload_take_own(struct preload_queue *q);
/*
 * An own descriptor of @fd's file, which the server cannot close; its number goes
 * to *@place, and another one when it has to make room. 0 or -errno. While one is
 * made or closed the lock is held, for calls that do not wait.
 */
int preload_own(int fd, _Atomic int *place);
/* Closes it. What becomes of *@place is the caller's. */
void preload_disown(_Atomic int *place);
void preload_lock(void);
void preload_unlock(void);
void preload_known_forked(void);
bool preload_is_own(int fd);
/* Has it make room, if it is still there; takes the lock. 0 or -errno. */
int preload_move_own(int fd);

/*
 * address.c: @from in @family, IPv4 as a mapped address in IPv6, none as the
 * unspecified one. -EAFNOSUPPORT: an IPv6 address in IPv4.
 */
int address_as(const struct sockaddr_storage *from, int family,
	       union address *to);
/* As accept(2) and its like fill in an address; @to may be NULL. */
void address_out(const union address *from, struct sockaddr *to,
		 socklen_t *len);

#endif

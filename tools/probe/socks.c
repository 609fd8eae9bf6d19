// SPDX-License-Identifier: MIT
#include "tools/probe/socks.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools/probe/diag.h"
#include "tools/probe/owners.h"

struct view {
	const struct probe_options *options;
	struct diag_list now, before;
	struct owners owners;
	uint64_t now_ms;	/* when @now was read */
	bool sees;		/* what an empty list means: there are none */
};

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* --- what there is ------------------------------------------------------ */

static int compare_inodes(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int read_owners(struct view *v)
{
	uint32_t *inodes = calloc(v->now.n + 1, sizeof(*inodes));
	size_t i;
	int err;

	if (!inodes)
		return -ENOMEM;
	for (i = 0; i < v->now.n; i++)
		inodes[i] = v->now.socks[i].inode;
	qsort(inodes, v->now.n, sizeof(*inodes), compare_inodes);
	err = owners_read(&v->owners, inodes, v->now.n);
	free(inodes);
	return err;
}

/* Does an empty list mean that there are none? It is said when it does not. */
static bool look_for_sight(void)
{
	const int sees = diag_sees();

	if (!sees)
		fputs("ktls-probe: this kernel says which sockets are TLS to "
		      "those alone who have CAP_NET_ADMIN: run it as root\n",
		      stderr);
	else if (sees < 0)
		fprintf(stderr, "ktls-probe: without a connection over loopback "
			"it is not known whether there are none, or they are "
			"not shown: %s\n", strerror(-sees));
	return sees > 0;
}

/* Returns 0, or PROBE_FAILED, said. */
static int refresh(struct view *v)
{
	const struct diag_list unused = v->before;
	const uint64_t ms = clock_ms();
	const char *error;
	int err;

	v->before = v->now;
	v->now = unused;
	error = diag_read(&v->now);
	if (error) {
		fprintf(stderr, "ktls-probe: sockets cannot be listed: %s\n",
			error);
		return PROBE_FAILED;
	}
	if (!v->sees && !v->now.n && !look_for_sight())
		return PROBE_FAILED;
	v->sees = true;
	diag_rates(&v->now, &v->before, ms - v->now_ms);
	v->now_ms = ms;
	/* Without processes it is still a list. */
	err = read_owners(v);
	if (err)
		fprintf(stderr, "ktls-probe: processes cannot be found: %s\n",
			strerror(-err));
	return 0;
}

/* --- for people --------------------------------------------------------- */

static const char *print_address(const struct sockaddr_storage *a,
				 char out[static 64])
{
	char host[INET6_ADDRSTRLEN + 16], port[8];

	if (getnameinfo((const struct sockaddr *)a, a->ss_family == AF_INET ?
			sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6),
			host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV))
		strcpy(out, "?");
	else
		snprintf(out, 64, a->ss_family == AF_INET ? "%s:%s" : "[%s]:%s",
			 host, port);
	return out;
}

static void print_processes(const struct view *v, const struct diag_sock *sock)
{
	const struct owner *owner;
	size_t n, i;

	owner = owners_find(&v->owners, sock->inode, &n);
	if (!n)
		printf(sock->inode ? "in a queue, or not ours to see" : "-");
	for (i = 0; i < n; i++)
		printf("%s%s(%d)", i ? "," : "", owner[i].name,
		       (int)owner[i].pid);
}

/* Columns as wide as the longest address; IPv6's may be twice IPv4's. */
static int widest(const struct view *v)
{
	size_t len, most = strlen("255.255.255.255:65535");
	char text[64];

	for (size_t i = 0; i < v->now.n; i++) {
		len = strlen(print_address(&v->now.socks[i].local, text));
		most = len > most ? len : most;
		len = strlen(print_address(&v->now.socks[i].remote, text));
		most = len > most ? len : most;
	}
	return (int)most;
}

static void print_sock(const struct view *v, const struct diag_sock *sock,
		       int width)
{
	char local[64], remote[64];

	printf("%-*s  %-*s  %-7s  %-17s  %-8s  %-8s  %12" PRIu64 "  %12" PRIu64
	       "  ", width, print_address(&sock->local, local), width,
	       print_address(&sock->remote, remote), sock->version,
	       sock->cipher, sock->tx, sock->rx, sock->sent, sock->received);
	if (v->options->watch_s)
		printf("%11" PRIu64 "  %11" PRIu64 "  ", sock->sent_s,
		       sock->received_s);
	print_processes(v, sock);
	putchar('\n');
}

static int print_table(const struct view *v)
{
	const bool watch = v->options->watch_s, tty = isatty(STDOUT_FILENO);
	const int width = widest(v);

	if (watch && tty)
		printf("\033[H\033[J");
	printf("%-*s  %-*s  %-7s  %-17s  %-8s  %-8s  %12s  %12s  ", width,
	       "LOCAL", width, "REMOTE", "VERSION", "CIPHER", "TX", "RX",
	       "SENT", "RECEIVED");
	if (watch)
		printf("%11s  %11s  ", "SENT/S", "RECEIVED/S");
	puts("PROCESS");
	for (size_t i = 0; i < v->now.n; i++)
		print_sock(v, &v->now.socks[i], width);
	if (watch && !tty)
		putchar('\n');
	return report_flush(stdout);
}

/* --- for programs ------------------------------------------------------- */

static json_t *pack_processes(const struct view *v, const struct diag_sock *sock)
{
	json_t *all = json_array();
	const struct owner *owner;
	size_t n, i;

	owner = owners_find(&v->owners, sock->inode, &n);
	for (i = 0; i < n; i++)
		json_array_append_new(all, json_pack("{s:i, s:s}", "pid",
						     (int)owner[i].pid, "name",
						     owner[i].name));
	return all;
}

static json_t *pack_sock(const struct view *v, const struct diag_sock *sock)
{
	char local[64], remote[64];
	json_t *all = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:I, s:I, "
				"s:o}",
				"local", print_address(&sock->local, local),
				"remote", print_address(&sock->remote, remote),
				"version", sock->version,
				"cipher", sock->cipher,
				"tx", sock->tx, "rx", sock->rx,
				"no_pad", (int)sock->no_pad,
				"sent", (json_int_t)sock->sent,
				"received", (json_int_t)sock->received,
				"processes", pack_processes(v, sock));

	if (!v->options->watch_s)
		return all;
	json_object_set_new(all, "sent_per_s", json_integer((json_int_t)
							    sock->sent_s));
	json_object_set_new(all, "received_per_s",
			    json_integer((json_int_t)sock->received_s));
	return all;
}

static int print_json(const struct view *v)
{
	json_t *all = json_array();

	for (size_t i = 0; i < v->now.n; i++)
		json_array_append_new(all, pack_sock(v, &v->now.socks[i]));
	return report_dump(json_pack("{s:o}", "sockets", all), stdout);
}

/* --- again and again ----------------------------------------------------- */

/*
 * SIGINT and SIGTERM end it between two lists, or while it writes one: a reader
 * that does not read must not keep it. What it writes at once is whole.
 */
static void end(int signo)
{
	(void)signo;
	_exit(0);
}

static void prepare(sigset_t *ends)
{
	const struct sigaction action = { .sa_handler = end };

	sigemptyset(ends);
	sigaddset(ends, SIGINT);
	sigaddset(ends, SIGTERM);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigprocmask(SIG_BLOCK, ends, NULL);
}

static int print(const struct view *v)
{
	return v->options->json ? print_json(v) : print_table(v);
}

static int print_endable(const struct view *v, const sigset_t *ends)
{
	int status;

	sigprocmask(SIG_UNBLOCK, ends, NULL);
	status = print(v);
	sigprocmask(SIG_BLOCK, ends, NULL);
	return status;
}

/* Waits for what ends us; false: it came. */
static bool wait_for_turn(const struct view *v, const sigset_t *ends)
{
	struct timespec left = { .tv_sec = v->options->watch_s };

	return sigtimedwait(ends, NULL, &left) < 0;
}

int socks_run(const struct probe_options *options)
{
	struct view v = { .options = options };
	sigset_t ends;
	int status;

	if (options->watch_s)
		prepare(&ends);
	do {
		status = refresh(&v);
		if (!status)
			status = options->watch_s ? print_endable(&v, &ends) :
						    print(&v);
	} while (!status && options->watch_s && wait_for_turn(&v, &ends));
	diag_free(&v.now);
	diag_free(&v.before);
	owners_free(&v.owners);
	return status;
}

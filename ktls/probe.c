// SPDX-License-Identifier: MIT
#include "install.h"

#include <errno.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/*
 * Two ends of a TCP connection over loopback: the ULP goes on nothing else.
 * Returns 0 with both ends, or -errno with none.
 */
static int tcp_pair(int listener, int pair[2])
{
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int rc;

	pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (pair[0] < 0)
		return -errno;
	if (!getsockname(listener, (struct sockaddr *)&addr, &len) &&
	    !connect(pair[0], (struct sockaddr *)&addr, sizeof(addr)) &&
	    (pair[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		return 0;
	rc = -errno;
	close(pair[0]);
	return rc;
}

static int rekey(int fd, const struct ktls_keys *keys)
{
	const int rc = ktls_install_tx(fd, keys);

	return rc ? rc : ktls_install_rx(fd, keys);
}

/* What is tried on a connection of its own: 0 or -errno. */
typedef int trial_fn(const int pair[2], const struct ktls_keys *keys);

static int try_attach(const int pair[2], const struct ktls_keys *keys)
{
	(void)keys;
	return ktls_attach(pair[0]);
}

static int try_tx(const int pair[2], const struct ktls_keys *keys)
{
	const int rc = ktls_attach(pair[0]);

	return rc ? rc : ktls_install_tx(pair[0], keys);
}

static int try_rx(const int pair[2], const struct ktls_keys *keys)
{
	const int rc = ktls_attach(pair[1]);

	return rc ? rc : ktls_install_rx(pair[1], keys);
}

/* A record from one end to the other; both directions have the same key. */
static int try_record(const int pair[2], const struct ktls_keys *keys)
{
	const struct timeval limit = {.tv_sec = 2};
	int rc = try_tx(pair, keys);
	char byte = 0;

	if (!rc)
		rc = try_rx(pair, keys);
	if (rc)
		return rc;
	setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (send(pair[0], "x", 1, MSG_NOSIGNAL) != 1 ||
	    recv(pair[1], &byte, 1, 0) != 1 || byte != 'x')
		return -EIO;
	return 0;
}

static int try_both(const int pair[2], const struct ktls_keys *keys)
{
	const int rc = ktls_attach(pair[0]);

	return rc ? rc : ktls_install(pair[0], keys);
}

static int try_max_payload(const int pair[2], const struct ktls_keys *keys)
{
	struct ktls_keys limited = *keys;

	limited.max_payload = 512;
	return try_both(pair, &limited);
}

static int try_rekey(const int pair[2], const struct ktls_keys *keys)
{
	const int rc = try_both(pair, keys);

	return rc ? rc : rekey(pair[0], keys);
}

static int try_no_pad(const int pair[2], const struct ktls_keys *keys)
{
	const int rc = try_rx(pair, keys);

	return rc ? rc : ktls_expect_no_pad(pair[1]);
}

/*
 * Returns 0 with what came of it in *@result (0 or -errno), or -errno when there
 * is no connection to try it on.
 */
static int try_on(int listener, trial_fn *trial, const struct ktls_keys *keys,
		  int *result)
{
	int pair[2] = {-1, -1};
	int rc = tcp_pair(listener, pair);

	if (rc)
		return rc;
	*result = trial(pair, keys);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* What a version and cipher that work can besides. */
static int try_more(int listener, const struct ktls_keys *keys,
		    struct ktls_support *support)
{
	const struct {
		trial_fn *trial;
		bool *found, later; /* in TLS 1.3 alone */
	} more[] = {
		{try_max_payload, &support->max_payload, false},
		{try_rekey, &support->rekey, true},
		{try_no_pad, &support->no_pad, true},
	};
	int rc = 0, result;

	for (size_t i = 0; !rc && i < sizeof(more) / sizeof(more[0]); i++) {
		if (*more[i].found ||
		    (more[i].later && keys->version != KTLS_TLS13))
			continue;
		rc = try_on(listener, more[i].trial, keys, &result);
		*more[i].found = !rc && !result;
	}
	return rc;
}

static int try_pair(int listener, const struct ktls_keys *keys, int *tx,
		    int *rx)
{
	int rc = try_on(listener, try_tx, keys, tx);
	int result;

	if (!rc)
		rc = try_on(listener, try_rx, keys, rx);
	if (rc || *tx || *rx)
		return rc;
	rc = try_on(listener, try_record, keys, &result);
	*tx = *rx = result;
	return rc;
}

static int try_all(int listener, struct ktls_support *support)
{
	static const uint16_t versions[] = {KTLS_TLS12, KTLS_TLS13};
	struct ktls_keys keys = {.max_payload = 0};
	int rc;

	for (int i = 0; i < KTLS_PAIRS; i++) {
		keys.version = versions[i / KTLS_CIPHERS];
		keys.cipher = i % KTLS_CIPHERS;
		rc = try_pair(listener, &keys, &support->tx[i],
			      &support->rx[i]);
		if (rc)
			return rc;
		if (support->tx[i] || support->rx[i])
			continue;
		support->pairs |= KTLS_PAIR(keys.version, keys.cipher);
		rc = try_more(listener, &keys, support);
		if (rc)
			return rc;
	}
	return 0;
}

int ktls_probe(struct ktls_support *support)
{
	__attribute__((cleanup(close_fd))) int listener =
		socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int rc;

	*support = (struct ktls_support){0};
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 1))
		return -errno;
	rc = try_on(listener, try_attach, NULL, &support->error);
	for (int i = 0; i < KTLS_PAIRS; i++)
		support->tx[i] = support->rx[i] = support->error;
	if (rc || support->error)
		return rc;
	return try_all(listener, support);
}

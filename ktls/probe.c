// SPDX-License-Identifier: MIT
#include "install.h"

#include <errno.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

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

/*
 * One trial on a connection of its own: the ULP, and made-up @keys in both
 * directions unless they are NULL, and again with @twice. Returns 0 with what
 * came of it in *@result (0 or -errno), or -errno when there is no connection.
 */
static int try_keys(int listener, const struct ktls_keys *keys, bool twice,
		    int *result)
{
	int pair[2] = {-1, -1};
	int rc = tcp_pair(listener, pair);

	if (rc)
		return rc;
	*result = ktls_attach(pair[0]);
	if (!*result && keys)
		*result = ktls_install(pair[0], keys);
	if (!*result && twice)
		*result = rekey(pair[0], keys);
	close(pair[0]);
	close(pair[1]);
	return 0;
}

/* What a version and cipher that work can besides. */
static int try_more(int listener, struct ktls_keys *keys,
		    struct ktls_support *support)
{
	int rc = 0, result;

	if (!support->max_payload) {
		keys->max_payload = 512;
		rc = try_keys(listener, keys, false, &result);
		support->max_payload = !rc && !result;
		keys->max_payload = 0;
	}
	if (!rc && !support->rekey && keys->version == KTLS_TLS13) {
		rc = try_keys(listener, keys, true, &result);
		support->rekey = !rc && !result;
	}
	return rc;
}

static int try_all(int listener, struct ktls_support *support)
{
	static const uint16_t versions[] = {KTLS_TLS12, KTLS_TLS13};
	struct ktls_keys keys = {.max_payload = 0};
	int rc, result;

	for (int i = 0; i < 2 * KTLS_CIPHERS; i++) {
		keys.version = versions[i / KTLS_CIPHERS];
		keys.cipher = i % KTLS_CIPHERS;
		rc = try_keys(listener, &keys, false, &result);
		if (rc)
			return rc;
		if (result)
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
	rc = try_keys(listener, NULL, false, &support->error);
	if (rc || support->error)
		return rc;
	return try_all(listener, support);
}

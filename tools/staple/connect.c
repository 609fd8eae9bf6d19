/* SPDX-License-Identifier: MIT */
#include "tools/staple/connect.h"

#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>

#include "tools/staple/options.h"

#define ADDRESS_S 3 /* for one of several addresses */

static const char *volatile doing = "";
static volatile sig_atomic_t status_in_time;

static void say(const char *text)
{
	if (write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(STAPLE_USAGE);
}

static void out_of_time(int signal)
{
	(void)signal;
	say("ktls-staple: no time left: ");
	say(doing);
	say("\n");
	_exit(status_in_time);
}

void staple_limit_time(enum staple_exit status)
{
	status_in_time = (sig_atomic_t)status;
	signal(SIGALRM, out_of_time);
	alarm(status == STAPLE_GOOD ? 0 : CONNECT_S);
}

static int try_address(const struct addrinfo *a)
{
	const struct timeval limit = { .tv_sec = ADDRESS_S };
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd < 0)
		return -errno;
	/* For connect(2), too; then the error is EINPROGRESS. */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, a->ai_addr, a->ai_addrlen))
		return fd;
	error = errno == EINPROGRESS ? ETIMEDOUT : errno;
	close(fd);
	return -error;
}

static void show_address(const struct addrinfo *a, int result)
{
	char host[NI_MAXHOST] = "?", port[NI_MAXSERV] = "?";

	getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof(host), port,
		    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	printf(a->ai_family == AF_INET6 ? "address: [%s]:%s: %s\n" :
					  "address: %s:%s: %s\n",
	       host, port, result < 0 ? strerror(-result) : "connected");
}

int staple_connect(const char *host, const char *port)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *all, *a;
	int fd = -1, rc;

	doing = "looking the name up";
	rc = getaddrinfo(host, port, &hints, &all);
	if (rc) {
		staple_complain("%s: %s", host, gai_strerror(rc));
		return -1;
	}
	doing = "connecting";
	for (a = all; a && fd < 0; a = a->ai_next) {
		fd = try_address(a);
		show_address(a, fd);
	}
	freeaddrinfo(all);
	if (fd < 0)
		staple_complain("%s port %s: cannot connect", host, port);
	return fd < 0 ? -1 : fd;
}

static SSL *new_client(int fd, const char *name, int max_version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = NULL;

	if (ctx && SSL_CTX_set_max_proto_version(ctx, max_version))
		ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	if (!ssl)
		return NULL;
	SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
	if (!SSL_set_fd(ssl, fd) ||
	    (name && !SSL_set_tlsext_host_name(ssl, name))) {
		SSL_free(ssl);
		return NULL;
	}
	return ssl;
}

static void say_handshake(const SSL *ssl, int rc)
{
	const int error = SSL_get_error(ssl, rc), saved = errno;
	const char *why = ERR_reason_error_string(ERR_peek_error());

	if (!why && error == SSL_ERROR_SYSCALL && saved)
		why = strerror(saved);
	staple_complain("the TLS handshake failed: %s",
			why ? why : "the server hung up");
}

SSL *staple_handshake(int fd, const char *name, int max_version)
{
	SSL *ssl;
	int rc;

	doing = "in the TLS handshake";
	ERR_clear_error();
	ssl = new_client(fd, name, max_version);
	if (!ssl) {
		staple_complain("OpenSSL takes no such name: %s",
				name ? name : "");
		close(fd);
		return NULL;
	}
	errno = 0;
	rc = SSL_connect(ssl);
	if (rc == 1)
		return ssl;
	say_handshake(ssl, rc);
	SSL_free(ssl);
	close(fd);
	return NULL;
}

void staple_hang_up(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

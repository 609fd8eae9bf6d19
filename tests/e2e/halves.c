// SPDX-License-Identifier: MIT
/*
 * halves - a TLS client that ends one direction and goes on in the other
 *
 *   halves -c CA [-r] [-a] BYTES ADDRESS:PORT
 *   -r  reads to the end first, and only then sends
 *   -a  ends without close_notify, by closing
 *
 * Sends BYTES of pattern(), close_notify and a FIN, then reads to the end.
 * Prints what it read in one line, then `end=close_notify|cut bytes=N`.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool/tool.h"

#define TIMEOUT_MS 60000

static bool read_all(SSL *ssl)
{
	char buf[16384];
	size_t bytes = 0;
	int n;

	while ((n = SSL_read(ssl, buf, sizeof(buf))) > 0) {
		if (!bytes)
			printf("%.*s", n > 200 ? 200 : n, buf);
		bytes += n;
	}
	n = SSL_get_error(ssl, n);
	printf("%send=%s bytes=%zu\n", bytes ? "\n" : "",
	       n == SSL_ERROR_ZERO_RETURN ? "close_notify" : "cut", bytes);
	return n == SSL_ERROR_ZERO_RETURN;
}

static void send_bytes(SSL *ssl, size_t bytes, bool cut)
{
	const uint8_t *data;
	size_t len, done = 0;

	while (done < bytes) {
		data = pattern(done, &len);
		if (len > bytes - done)
			len = bytes - done;
		if (SSL_write(ssl, data, len) <= 0) {
			printf("end=cut bytes=0\n");
			exit(1);
		}
		done += len;
	}
	if (cut)
		return;
	SSL_shutdown(ssl);
	shutdown(SSL_get_fd(ssl), SHUT_WR);
}

int main(int argc, char **argv)
{
	bool reads_first = false, cut = false, clean = true;
	const char *ca = NULL;
	SSL_CTX *ctx;
	SSL *ssl;
	int c;

	while ((c = getopt(argc, argv, "c:ra")) != -1) {
		if (c == 'c')
			ca = optarg;
		else if (c == 'r')
			reads_first = true;
		else
			cut = true;
	}
	if (!ca || optind + 2 != argc)
		die("usage: halves -c CA [-r] [-a] BYTES ADDRESS:PORT");
	signal(SIGPIPE, SIG_IGN);
	ctx = client_ctx(ca);
	ssl = SSL_new(ctx);
	SSL_set_tlsext_host_name(ssl, "localhost");
	SSL_set_fd(ssl, tcp_connect(argv[optind + 1], TIMEOUT_MS));
	if (SSL_connect(ssl) != 1)
		die("no handshake: %s", ssl_reason());
	if (reads_first)
		clean = read_all(ssl);
	send_bytes(ssl, parse_size(argv[optind]), cut);
	if (!reads_first && !cut)
		clean = read_all(ssl);
	close(SSL_get_fd(ssl));
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return clean ? 0 : 1;
}

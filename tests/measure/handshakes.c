// SPDX-License-Identifier: MIT
/*
 * handshakes - what handshakes take of the server's CPU time, without a kernel
 *
 *   handshakes [options] DIR
 *   -n N         certificates (1), DIR/n00001-chain.pem with n00001.key for
 *                n00001.test and so on, as certs(1) makes them
 *   -c COUNT     handshakes of each kind (1000)
 *   -v 1.2|1.3   (1.3)
 *   -k KIND      only these: see below
 *
 * The kinds, in turn, so that what else the machine does disturbs all alike: a
 * context with the first certificate alone, full and resumed; one with all of
 * them, always for the same name and for all names in turn. Prints microseconds
 * for the first, and how the others relate to it:
 *   us=... resumed=... same=... spread=...
 * With -k full, resumed, same or spread there is one number, in microseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "handshake/handshake.h"
#include "handshake/tickets.h"
#include "tests/e2e/tool/pem.h"
#include "tests/e2e/tool/tool.h"

enum kind { FULL, RESUMED, SAME, SPREAD, KINDS };

static const char *const kind_names[] = { "full", "resumed", "same", "spread" };
static const char *dir, *version = "1.3";
static int n_certs = 1, count = 1000, only = -1;

static struct hs_site *sites;
static struct hs_ctx *first, *all;
static SSL_CTX *clients;
static SSL_SESSION *session;
static double server_us[KINDS];

static double cpu_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

/* --- the server ------------------------------------------------------------- */

static void load_site(struct hs_site *site, int i)
{
	static const uint8_t http[] = "\x8http/1.1";
	char *chain = text("%s/n%05d-chain.pem", dir, i);
	const char *key = text("%s/n%05d.key", dir, i);
	struct hs_cert_files files = { .chain = chain, .keys = &key,
				       .n_keys = 1 };
	char error[512];

	site->cert = hs_cert_read(&files, error, sizeof(error));
	if (!site->cert)
		die("%s", error);
	site->alpn = http;
	site->alpn_len = sizeof(http) - 1;
	free(chain);
	free((char *)key);
}

static struct hs_ctx *context(int n, struct hs_tickets *tickets)
{
	struct hs_config config = {
		.sites = sites, .n_sites = n, .pairs = KTLS_ALL_PAIRS,
		.tickets = 2, .keys = tickets, .lifetime_s = 43200,
		.max_hello = 16384,
	};
	char error[512];
	struct hs_ctx *ctx = hs_ctx_new(&config, error, sizeof(error));

	if (!ctx)
		die("%s", error);
	return ctx;
}

/* --- the client ------------------------------------------------------------- */

static int keep_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	if (session)
		return 0;
	session = s;
	return 1;
}

static SSL *client(int number, bool resume)
{
	char *name = text("n%05d.test", number);
	SSL *ssl = SSL_new(clients);
	SSL_SESSION *copy;

	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_connect_state(ssl);
	SSL_set_tlsext_host_name(ssl, name);
	if (resume && session) {
		/* OpenSSL uses a TLS 1.3 session once only. */
		copy = SSL_SESSION_dup(session);
		SSL_set_session(ssl, copy);
		SSL_SESSION_free(copy);
	}
	free(name);
	return ssl;
}

/* What the client says next, behind what is left of before. */
static void listen_to(SSL *ssl, uint8_t *buf, size_t *len, size_t size)
{
	int n;

	if (!SSL_is_init_finished(ssl) && SSL_do_handshake(ssl) != 1 &&
	    SSL_get_error(ssl, -1) != SSL_ERROR_WANT_READ)
		die("the client fails: %s", ssl_reason());
	n = BIO_read(SSL_get_wbio(ssl), buf + *len, size - *len);
	*len += n > 0 ? n : 0;
}

static void answer(struct hs *hs, SSL *ssl)
{
	struct ocsp_bytes out = hs_output(hs);

	BIO_write(SSL_get_rbio(ssl), out.data, out.len);
	hs_output_sent(hs, out.len);
}

/* --- both ------------------------------------------------------------------- */

static void converse(struct hs *hs, SSL *ssl, double *us)
{
	enum hs_step step = HS_MORE;
	uint8_t buf[8192];
	size_t len = 0, used;
	double since;

	while (step == HS_MORE) {
		listen_to(ssl, buf, &len, sizeof(buf));
		since = cpu_us();
		step = hs_feed(hs, buf, len, time(NULL), &used);
		*us += cpu_us() - since;
		memmove(buf, buf + used, len - used);
		len -= used;
		answer(hs, ssl);
	}
	if (step != HS_DONE)
		die("the server fails: %s", hs_error(hs));
	SSL_do_handshake(ssl);
	SSL_read(ssl, buf, 1);	/* tickets */
}

static void shake_hands(struct hs_ctx *ctx, int number, bool resume, double *us)
{
	bool has_session = session;
	SSL *ssl = client(number, resume);
	double since = cpu_us();
	struct hs *hs = hs_new(ctx, NULL, NULL);
	struct ktls_keys keys;

	*us += cpu_us() - since;
	if (!hs)
		die("out of memory");
	converse(hs, ssl, us);
	if (SSL_session_reused(ssl) != (resume && has_session))
		die("a session is resumed, or is not, against expectation");
	since = cpu_us();
	if (hs_keys(hs, &keys))
		die("there are no keys");
	hs_free(hs);
	*us += cpu_us() - since;
	SSL_shutdown(ssl);
	SSL_free(ssl);
}

static void one_of(enum kind kind, int i)
{
	/* A prime, so that no two neighbours are neighbours in memory. */
	int number = kind == SPREAD ? (int)(i * 7919L % n_certs) + 1 :
		     kind == SAME ? n_certs / 2 + 1 : 1;

	if (only >= 0 && kind != (enum kind)only)
		return;
	shake_hands(kind == SAME || kind == SPREAD ? all : first, number,
		    kind == RESUMED, &server_us[kind]);
}

static void run(int n)
{
	int i, kind;

	memset(server_us, 0, sizeof(server_us));
	for (i = 0; i < n; i++)
		for (kind = 0; kind < KINDS; kind++)
			one_of(kind, i);
}

static void set_option(int c)
{
	switch (c) {
	case 'n':
		n_certs = atoi(optarg);
		break;
	case 'c':
		count = atoi(optarg);
		break;
	case 'v':
		version = optarg;
		break;
	case 'k':
		for (only = KINDS - 1; only >= 0; only--)
			if (!strcmp(kind_names[only], optarg))
				return;
		/* fall through */
	default:
		die("usage: see the head of handshakes.c");
	}
}

static void prepare(void)
{
	struct hs_tickets *tickets = hs_tickets_new();
	double before = 0;
	int i;

	sites = calloc(n_certs, sizeof(*sites));
	for (i = 0; i < n_certs; i++)
		load_site(&sites[i], i + 1);
	first = context(1, tickets);
	all = context(n_certs, tickets);
	clients = client_ctx(NULL);
	only_version(clients, version);
	SSL_CTX_set_session_cache_mode(clients,
				       SSL_SESS_CACHE_CLIENT |
				       SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(clients, keep_session);
	shake_hands(first, 1, false, &before);
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "n:c:v:k:")) != -1)
		set_option(c);
	if (optind + 1 != argc || n_certs < 1 || count < 1)
		set_option('?');
	dir = argv[optind];
	prepare();
	run(count / 10 + 1);
	run(count);
	if (only >= 0)
		printf("us=%.1f\n", server_us[only] / count);
	else
		printf("us=%.1f resumed=%.4f same=%.4f spread=%.4f\n",
		       server_us[FULL] / count,
		       server_us[RESUMED] / server_us[FULL],
		       server_us[SAME] / server_us[FULL],
		       server_us[SPREAD] / server_us[FULL]);
	return 0;
}

/* SPDX-License-Identifier: MIT */
/* ktls-staple probe: what staple does a server send? */
#include <arpa/inet.h>
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ocsp/cert.h"
#include "tools/staple/connect.h"
#include "tools/staple/files.h"
#include "tools/staple/options.h"
#include "tools/staple/show.h"

struct probe {
	const char *where, *name, *ca_file;
	char host[256], port[8];
	struct staple_certs sent, cas;
};

/* A number, or a service's name; getaddrinfo(3) takes any number modulo 2^16. */
static bool is_port(const char *text)
{
	char *end;
	const long n = strtol(text, &end, 10);

	if (isalpha((unsigned char)text[0]))
		return true;
	return isdigit((unsigned char)text[0]) && !*end && n > 0 && n <= 65535;
}

/* HOST:PORT, and [ADDRESS]:PORT where there are colons in the address. */
static bool split(struct probe *p)
{
	const char *colon = strrchr(p->where, ':'), *host = p->where;
	size_t len = colon ? (size_t)(colon - host) : 0;
	bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';

	if (bracketed) {
		host++;
		len -= 2;
	}
	if (!len || len >= sizeof(p->host) || !is_port(colon + 1) ||
	    strlen(colon + 1) >= sizeof(p->port) ||
	    (!bracketed && memchr(host, ':', len))) {
		staple_complain("not HOST:PORT or [ADDRESS]:PORT: %s",
				p->where);
		return false;
	}
	memcpy(p->host, host, len);
	strcpy(p->port, colon + 1);
	return true;
}

/* RFC 6066 3: no addresses in SNI. */
static bool is_address(const char *host)
{
	struct in6_addr any;

	return inet_pton(AF_INET, host, &any) == 1 ||
	       inet_pton(AF_INET6, host, &any) == 1 || strchr(host, '%');
}

static bool parse(struct probe *p, int argc, char **argv)
{
	const struct staple_option options[] = {
		{ "sni", staple_set_text, &p->name, 0, 0 },
		{ "ca", staple_set_text, &p->ca_file, 0, 0 },
		{ 0 },
	};

	if (!staple_options(argc, argv, options, &p->where) ||
	    !staple_needs("HOST:PORT", p->where) || !split(p))
		return false;
	if (!p->name && !is_address(p->host))
		p->name = p->host;
	return true;
}

static SSL *call(struct probe *p, int max_version)
{
	int fd = staple_connect(p->host, p->port);

	return fd < 0 ? NULL : staple_handshake(fd, p->name, max_version);
}

static bool keep_chain(struct probe *p, SSL *ssl)
{
	const STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	int i;

	for (i = 0; i < sk_X509_num(chain); i++)
		if (!staple_add_cert(&p->sent, sk_X509_value(chain, i)))
			break;
	if (p->sent.n > 0)
		return true;
	staple_complain("the server sent no certificate");
	return false;
}

static struct ocsp_bytes staple_of(SSL *ssl)
{
	const uint8_t *data = NULL;
	long len = SSL_get_tlsext_status_ocsp_resp(ssl, &data);

	return (struct ocsp_bytes){ data, len > 0 ? (size_t)len : 0 };
}

static const struct staple_cert *find_issuer(const struct probe *p)
{
	const struct staple_cert *issuer;
	char text[300];

	issuer = staple_find_issuer(p->sent.certs, &p->sent);
	if (issuer) {
		printf("issuer: %s (from the server)\n",
		       staple_subject(issuer->x509, text));
		return issuer;
	}
	issuer = staple_find_issuer(p->sent.certs, &p->cas);
	if (issuer)
		printf("issuer: %s (from %s)\n",
		       staple_subject(issuer->x509, text), p->ca_file);
	return issuer;
}

static enum staple_exit judge(const struct probe *p, struct ocsp_bytes staple)
{
	const struct staple_cert *issuer = find_issuer(p);
	const int64_t now = time(NULL);
	struct ocsp_times times;
	enum ocsp_verdict verdict;

	if (!issuer) {
		staple_complain("a staple came, but the issuer, who vouches for "
				"it, is neither in the server's chain nor "
				"given by --ca");
		return STAPLE_USAGE;
	}
	verdict = ocsp_check(staple, p->sent.certs[0].der, issuer->der,
			     &ocsp_default_limits, now, &times);
	staple_show_verdict(verdict, &times, now);
	return verdict == OCSP_OK ? STAPLE_GOOD : STAPLE_REFUSED;
}

/* Some servers staple for the older version alone. */
static void try_older(struct probe *p)
{
	SSL *ssl;

	printf("again with TLS 1.2\n");
	staple_limit_time(STAPLE_REFUSED);
	ssl = call(p, TLS1_2_VERSION);
	if (!ssl)
		return;
	printf("%s: the server sent %s\n", SSL_get_version(ssl),
	       staple_of(ssl).len ? "a staple" : "no staple");
	staple_hang_up(ssl);
}

static void show_must(const struct probe *p, enum staple_exit status)
{
	if (ocsp_must_staple(p->sent.certs[0].der))
		printf("must-staple: %s\n",
		       status == STAPLE_GOOD ?
			       "honoured" :
			       "not honoured: strict clients go away");
}

static enum staple_exit look(struct probe *p, SSL *ssl)
{
	struct ocsp_bytes staple = staple_of(ssl);
	enum staple_exit status = STAPLE_REFUSED;

	printf("version: %s\n", SSL_get_version(ssl));
	if (!keep_chain(p, ssl))
		return STAPLE_USAGE;
	staple_show_cert(&p->sent.certs[0]);
	if (staple.len)
		status = judge(p, staple);
	else
		printf("none: the server sent no staple\n");
	if (status != STAPLE_USAGE)
		show_must(p, status);
	return status;
}

static enum staple_exit run(struct probe *p)
{
	enum staple_exit status;
	bool older_may_do;
	SSL *ssl;

	if (p->ca_file && !staple_read_certs(p->ca_file, &p->cas))
		return STAPLE_USAGE;
	signal(SIGPIPE, SIG_IGN);
	staple_limit_time(STAPLE_USAGE);
	ssl = call(p, 0);
	staple_limit_time(STAPLE_GOOD);
	if (!ssl)
		return STAPLE_USAGE;
	status = look(p, ssl);
	older_may_do = !staple_of(ssl).len && SSL_version(ssl) >= TLS1_3_VERSION;
	staple_hang_up(ssl);
	if (older_may_do)
		try_older(p);
	return status;
}

enum staple_exit staple_probe(int argc, char **argv)
{
	struct probe p = { 0 };
	enum staple_exit status;

	if (!parse(&p, argc, argv))
		return staple_usage();
	setvbuf(stdout, NULL, _IOLBF, 0); /* out_of_time() flushes nothing */
	status = run(&p);
	staple_free_certs(&p.sent);
	staple_free_certs(&p.cas);
	return status;
}

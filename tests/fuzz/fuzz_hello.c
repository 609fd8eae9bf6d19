/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as what a stranger sends to a listener: from the first record to
 * the choice of site, protocol, session and route, the second ClientHello, and
 * in TLS 1.2 the client's certificate. What comes of them does not depend on
 * the pieces they arrive in, and nobody gets in without the key of a session or
 * of a certificate.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "handshake/client.h"
#include "handshake/handshake.h"
#include "handshake/info.h"
#include "handshake/ja4.h"
#include "handshake/tickets.h"
#include "handshake/tls.h"
#include "tests/fuzz/seeds.h"

#define MAX_HELLO 4096
#define CHOICES 4
#define ALPN "\x02h2\x08http/1.1"

#define need(fact)							\
	do {								\
		if (fact)						\
			break;						\
		fprintf(stderr, "not so, line %d: %s\n", __LINE__, #fact);\
		abort();						\
	} while (0)

/* --- what is listened with ------------------------------------------------ */

static char folder[] = "/tmp/fuzz_hello.XXXXXX";
static EVP_PKEY *key;
static X509 *ca;

static X509 *make_cert(const char *name, X509 *issuer)
{
	X509 *cert = X509_new();
	X509_NAME *subject = X509_get_subject_name(cert);
	char names[80];
	X509_EXTENSION *ext;

	snprintf(names, sizeof(names), "DNS:%s", name);
	ext = X509V3_EXT_conf_nid(NULL, NULL, issuer ? NID_subject_alt_name :
				  NID_basic_constraints,
				  issuer ? names : "critical,CA:TRUE");
	need(X509_set_version(cert, 2));
	ASN1_INTEGER_set(X509_get_serialNumber(cert), issuer ? 2 : 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -86400);
	X509_gmtime_adj(X509_getm_notAfter(cert), 86400 * 30);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) :
					    subject);
	X509_set_pubkey(cert, key);
	X509_add_ext(cert, ext, -1);
	need(X509_sign(cert, key, EVP_sha256()));
	X509_EXTENSION_free(ext);
	return cert;
}

static const char *path_of(const char *name)
{
	static char path[80];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static struct hs_cert *make_site_cert(const char *name)
{
	const char *pem = path_of("pem");
	const struct hs_cert_files files = {
		.chain = pem, .keys = &pem, .n_keys = 1,
	};
	X509 *cert = make_cert(name, ca);
	FILE *f = fopen(pem, "w");
	struct hs_cert *loaded;
	char error[256];

	need(f && PEM_write_X509(f, cert) &&
	     PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL));
	fclose(f);
	X509_free(cert);
	loaded = hs_cert_read(&files, error, sizeof(error));
	need(loaded);
	unlink(pem);
	return loaded;
}

static struct hs_client *make_client(bool required, const char *allow)
{
	struct hs_client_config config = {
		.ca_file = path_of("ca"),
		.required = required,
		.depth = 2,
		.allow = &allow,
		.n_allow = allow != NULL,
	};
	struct hs_client *client;
	FILE *f = fopen(config.ca_file, "w");
	char error[256];

	need(f && PEM_write_X509(f, ca));
	fclose(f);
	client = hs_client_new(&config, error, sizeof(error));
	need(client);
	unlink(config.ca_file);
	return client;
}

/* Lax; strict and with a second ClientHello for most; for TLS 1.2, too. */
enum { LAX, STRICT, OLD, CTXS };
static struct hs_ctx *ctxs[CTXS];

static void make_ctxs(void)
{
	static const uint8_t alpn[] = ALPN;
	static const struct hs_tls tls[CTXS] = {
		[STRICT] = { .groups = "P-384" },
		[OLD] = { .min_version = KTLS_TLS12 },
	};
	struct hs_site sites[] = {
		{ .cert = make_site_cert("first.test") },
		{ .cert = make_site_cert("*.first.test"),
		  .alpn = alpn, .alpn_len = sizeof(alpn) - 1,
		  .client = make_client(true, "dns:*.friends.test") },
		{ .cert = make_site_cert("third.test"),
		  .alpn = alpn, .alpn_len = 3,
		  .client = make_client(false, NULL),
		  .min_version = KTLS_TLS13 },
	};
	struct hs_config config = {
		.sites = sites,
		.n_sites = sizeof(sites) / sizeof(*sites),
		.pairs = KTLS_ALL_PAIRS,
		.tickets = 2,
		.keys = hs_tickets_new(),
		.max_hello = MAX_HELLO,
		.ja4 = true,
	};
	char error[256];

	for (int i = 0; i < CTXS; i++) {
		config.strict = i == STRICT;
		config.alpn_ignore = i == OLD;
		config.tls = &tls[i];
		ctxs[i] = hs_ctx_new(&config, error, sizeof(error));
		need(ctxs[i]);
	}
}

/* --- good inputs ---------------------------------------------------------- */

/* The first byte says what listens, and the second in how many pieces. */
static struct blob seeds[16];
static unsigned int n_seeds;
static SSL_SESSION *session;

static int keep_session(SSL *ssl, SSL_SESSION *s)
{
	(void)ssl;
	SSL_SESSION_free(session);
	session = s;
	return 1;
}

/* All that a client of @ctx says in a handshake; @resume: the last session */
static void add_seed(int ctx, const char *name, uint16_t version,
		     const char *alpn, const char *identity, bool resume)
{
	SSL_CTX *client_ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(client_ctx);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	struct blob *seed = &seeds[n_seeds++];
	struct hs *hs = hs_new(ctxs[ctx], NULL, NULL);
	enum hs_step step = HS_MORE;
	uint8_t buf[8192] = { (uint8_t)ctx, 5 };
	X509 *cert = NULL;
	size_t used;
	int n;

	blob_put(seed, buf, 2);
	SSL_CTX_set_session_cache_mode(client_ctx,
				       SSL_SESS_CACHE_CLIENT |
				       SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client_ctx, keep_session);
	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	SSL_set_max_proto_version(ssl, version);
	SSL_set_tlsext_host_name(ssl, name);
	SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
	SSL_set_alpn_protos(ssl, (const uint8_t *)alpn, strlen(alpn));
	if (identity) {
		cert = make_cert(identity, ca);
		need(SSL_use_certificate(ssl, cert) &&
		     SSL_use_PrivateKey(ssl, key));
	}
	if (resume)
		need(SSL_set_session(ssl, session));
	for (;;) {
		SSL_do_handshake(ssl);
		n = BIO_read(out, buf, sizeof(buf));
		if (n <= 0 || step != HS_MORE)
			break;
		blob_put(seed, buf, n);
		step = hs_feed(hs, buf, n, time(NULL), &used);
		if (hs_output(hs).len)
			BIO_write(in, hs_output(hs).data, hs_output(hs).len);
		hs_output_sent(hs, hs_output(hs).len);
	}
	need(step == HS_DONE);
	SSL_read(ssl, buf, sizeof(buf));	/* tickets */
	hs_free(hs);
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	SSL_CTX_free(client_ctx);
	X509_free(cert);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	need(mkdtemp(folder));
	key = EVP_EC_gen("P-256");
	ca = make_cert("Clients", NULL);
	make_ctxs();
	rmdir(folder);
	add_seed(LAX, "first.test", TLS1_3_VERSION, ALPN, NULL, false);
	add_seed(LAX, "first.test", TLS1_3_VERSION, ALPN, NULL, true);
	add_seed(LAX, "third.test", TLS1_3_VERSION, "\x02h2", "x.test", false);
	add_seed(LAX, "third.test", TLS1_3_VERSION, "\x02h2", "x.test", true);
	add_seed(STRICT, "Third.Test.", TLS1_3_VERSION, "\x02h2", NULL, false);
	add_seed(STRICT, "Third.Test.", TLS1_3_VERSION, "\x02h2", NULL, true);
	add_seed(OLD, "a.first.test", TLS1_2_VERSION, ALPN, "a.friends.test",
		 false);
	add_seed(OLD, "a.first.test", TLS1_2_VERSION, ALPN, NULL, true);
	return 0;
}

/* --- mutations ------------------------------------------------------------ */

/* Of a ClientHello in one record behind two bytes: where its lengths are. */
#define RECORD 2
#define MESSAGE (RECORD + 5)
#define SESSION_ID (MESSAGE + 4 + 2 + 32)

static size_t get16(const uint8_t *p)
{
	return (size_t)p[0] << 8 | p[1];
}

static void add16(uint8_t *p, size_t more)
{
	size_t sum = get16(p) + more;

	p[0] = sum >> 8;
	p[1] = sum;
}

/* Returns where the extensions' length is, or 0. */
static size_t find_extensions(const uint8_t *data, size_t size)
{
	size_t at = SESSION_ID, end;

	if (size < at + 1 || data[RECORD] != 22 || data[MESSAGE] != 1)
		return 0;
	end = MESSAGE + get16(data + RECORD + 3);
	if (end > size || get16(data + MESSAGE + 2) + 4 + MESSAGE != end)
		return 0;
	at += 1 + data[at];
	if (at + 2 > end)
		return 0;
	at += 2 + get16(data + at);
	if (at + 1 > end)
		return 0;
	at += 1 + data[at];
	return at + 2 <= end && at + 2 + get16(data + at) == end ? at : 0;
}

/* The extension at a random place. Returns its offset, or 0. */
static size_t pick(const uint8_t *data, size_t list, unsigned int random)
{
	size_t end = list + 2 + get16(data + list), at = list + 2, found = 0;
	unsigned int n = 0;

	for (; at + 4 <= end; at += 4 + get16(data + at + 2))
		if (random % ++n == 0)
			found = at;
	return found && found + 4 + get16(data + found + 2) <= end ? found : 0;
}

/* The @old bytes at @at become the @len bytes at @with; lengths follow. */
static size_t replace(uint8_t *data, size_t size, size_t max, size_t list,
		      size_t at, size_t old, const uint8_t *with, size_t len)
{
	if (size - old + len > max)
		return 0;
	memmove(data + at + len, data + at + old, size - at - old);
	memcpy(data + at, with, len);
	add16(data + RECORD + 3, len - old);
	add16(data + MESSAGE + 2, len - old);
	add16(data + list, len - old);
	return size - old + len;
}

/* An extension changed, twice, gone, or of another type. 0: nothing was done */
static size_t mutate_extension(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	static uint8_t copy[4096];
	size_t list = find_extensions(data, size), at, body;

	at = list ? pick(data, list, seed >> 8) : 0;
	if (!at)
		return 0;
	body = get16(data + at + 2);
	if (body > sizeof(copy) / 2)
		return 0;
	memcpy(copy, data + at, 4 + body);
	switch (seed >> 4 & 7) {
	case 0:
		return replace(data, size, max, list, at, 4 + body, copy, 0);
	case 1:
		return replace(data, size, max, list, at, 0, copy, 4 + body);
	case 2:
		data[at + 1] = seed >> 16;
		return size;
	default:
		body = LLVMFuzzerMutate(copy + 4, body, sizeof(copy) / 2);
		copy[2] = body >> 8;
		copy[3] = body;
		return replace(data, size, max, list, at,
			       4 + get16(data + at + 2), copy, 4 + body);
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	size_t changed = 0;

	if (seed % 4 && size >= 2)
		changed = mutate_extension(data, size, max, seed);
	return changed ? changed :
			 mutate_from(seeds, n_seeds, data, size, max, seed);
}

/* --- what must hold ------------------------------------------------------- */

/* struct seen - what the choice was made by, and what came of it */
struct seen {
	bool stop;		/* at names that begin with 't' */
	unsigned int n;
	char name[CHOICES][256];
	size_t offered[CHOICES], protocol[CHOICES];
	bool stopped;
	enum hs_step step;
	enum hs_failure failure;
	char error[200];
	char ja4[HS_JA4_LEN + 1];
};

static enum hs_choice choose(void *arg, struct hs_hello *hello)
{
	struct seen *seen = arg;
	const char *name = hello->server_name;

	/* Not even by renegotiation are there more. */
	need(seen->n < 2 && !seen->stopped && strlen(name) < 256);
	need(!name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")]);
	strcpy(seen->name[seen->n], name);
	seen->offered[seen->n] = hello->offered.len;
	seen->protocol[seen->n] = hello->protocol.len;
	seen->n++;
	hello->realm = *name == 'f' ? "one" : "other";
	seen->stopped = seen->stop && *name == 't';
	return seen->stopped ? HS_STOP : HS_GO_ON;
}

/* The log puts it between quotes. */
static void check_error(const char *error)
{
	need(*error);
	for (; *error; error++)
		need(isprint((unsigned char)*error) && *error != '"');
}

/* A fatal alert ends the output, in the clear unless keys are in use. */
static void check_output(const struct hs *hs, const struct seen *seen)
{
	struct ocsp_bytes out = hs_output(hs);

	if (seen->step == HS_PASS)
		need(!out.len && seen->n == 1 && seen->stopped);
	if (seen->step != HS_FAIL)
		return;
	need(seen->failure != HS_F_NONE && seen->failure != HS_F_INTERNAL);
	check_error(seen->error);
	if (seen->failure == HS_F_ALERT)
		return;
	/* What follows a ServerHello may be encrypted. */
	need(out.len >= 7);
	if (out.len == 7)
		need(out.data[0] == 21 && out.data[5] == 2);
}

/* In pieces of @piece bytes; 0: all at once */
static void run(struct seen *seen, int ctx, const uint8_t *data, size_t size,
		size_t piece)
{
	struct hs *hs = hs_new(ctxs[ctx], choose, seen);
	size_t used, n, at = 0;
	uint8_t *copy;

	seen->step = HS_MORE;
	while (seen->step == HS_MORE && at < size) {
		n = piece && piece < size - at ? piece : size - at;
		copy = malloc(n);
		memcpy(copy, data + at, n);
		seen->step = hs_feed(hs, copy, n, time(NULL), &used);
		free(copy);
		need(used <= n);
		need(seen->step != HS_MORE || used == n);
		at += used;
	}
	/* That would take a session's secret, or a private key. */
	need(seen->step != HS_DONE);
	seen->failure = hs_failure(hs);
	snprintf(seen->error, sizeof(seen->error), "%s", hs_error(hs));
	strcpy(seen->ja4, hs_ja4(hs));
	check_output(hs, seen);
	hs_free(hs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole = { 0 }, parts = { 0 };
	int ctx;

	if (size < 3)
		return 0;
	ctx = data[0] % CTXS;
	whole.stop = parts.stop = data[0] & 0x80;
	run(&whole, ctx, data + 2, size - 2, 0);
	run(&parts, ctx, data + 2, size - 2, 1 + data[1] % 64);
	need(!memcmp(&whole, &parts, sizeof(whole)));
	return 0;
}

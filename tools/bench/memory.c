// SPDX-License-Identifier: MIT
#include "memory.h"

#include <stdlib.h>
#include <time.h>

#include "tls_server.h"
#include "util.h"

#define WARM_UP 20

/* @clock_ns: what two looks at the clock take of the time between them. */
struct memory {
	SSL_CTX *server;
	struct talker talker;
	uint64_t server_ns, clock_ns;
	uint8_t buf[16384];
	struct flights flights;
	struct memory_lap lap;
};

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

static uint64_t look_ns(void)
{
	const unsigned int n = 1000;
	uint64_t sum = 0, since;
	unsigned int i;

	for (i = 0; i < n; i++) {
		since = cpu_ns();
		sum += cpu_ns() - since;
	}
	return sum / n;
}

static void book(struct memory *m, uint64_t since)
{
	const uint64_t took = cpu_ns() - since;

	m->server_ns += took > m->clock_ns ? took - m->clock_ns : 0;
}

static SSL *accept_one(struct memory *m)
{
	const uint64_t since = cpu_ns();
	SSL *ssl = SSL_new(m->server);

	if (!ssl)
		die("SSL_new: %s", talk_error());
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_accept_state(ssl);
	book(m, since);
	return ssl;
}

/* The server's next flight, into .buf, in which the client's is. */
static size_t answer(struct memory *m, SSL *ssl, size_t len)
{
	const uint64_t since = cpu_ns();
	int n;

	BIO_write(SSL_get_rbio(ssl), m->buf, (int)len);
	n = SSL_do_handshake(ssl);
	if (n != 1 && SSL_get_error(ssl, n) != SSL_ERROR_WANT_READ)
		die("OpenSSL's server fails: %s", talk_error());
	n = BIO_read(SSL_get_wbio(ssl), m->buf, sizeof(m->buf));
	book(m, since);
	return n > 0 ? n : 0;
}

static void part(struct memory *m, SSL *ssl)
{
	const uint64_t since = cpu_ns();

	/* Or else the session could not be resumed. */
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	book(m, since);
}

static void flight(struct flights *f, size_t len)
{
	if (f->n == FLIGHTS_MAX)
		die("a handshake of more than %d flights", FLIGHTS_MAX);
	f->len[f->n++] = len;
}

/* @done: an end's part is; it is so for the first time. */
static void lap(uint64_t *lap_ns, bool done, uint64_t since)
{
	if (done && !*lap_ns)
		*lap_ns = now_ns() - since;
}

static void shake_hands(struct memory *m, unsigned int *tickets)
{
	const uint64_t since = now_ns();
	struct flights f = {.n = 0};
	struct talk t;
	size_t len = 0;
	SSL *ssl;

	m->lap = (struct memory_lap){0};
	talk_open(&t, &m->talker);
	if (talk_take(&t, NULL, 0))
		die("OpenSSL's client fails: %s", talk_error());
	ssl = accept_one(m);
	while ((len = talk_give(&t, m->buf, sizeof(m->buf)))) {
		flight(&f, len);
		len = answer(m, ssl, len);
		lap(&m->lap.taken_ns, SSL_is_init_finished(ssl), since);
		if (!len)
			break;
		flight(&f, len);
		if (talk_take(&t, m->buf, len))
			die("OpenSSL's client fails: %s", talk_error());
		lap(&m->lap.shaken_ns, t.done, since);
		if (t.done && !f.complete)
			f.complete = f.n;
	}
	if (!t.done || !SSL_is_init_finished(ssl))
		die("a handshake in memory did not come to its end");
	if (m->talker.plan->resume && !t.resumed && m->flights.n)
		die("a session in memory was not resumed");
	part(m, ssl);
	*tickets += t.tickets;
	m->flights = f;
	talk_close(&t);
}

static struct memory *memory_new(const struct talk_plan *plan,
				 enum bench_key key)
{
	struct memory *m = zalloc(sizeof(*m));

	m->server = tls_server_context(key, TLS_USER);
	m->clock_ns = look_ns();
	talker_init(&m->talker, plan);
	return m;
}

static void memory_free(struct memory *m)
{
	talker_fini(&m->talker);
	SSL_CTX_free(m->server);
	free(m);
}

void memory_run(const struct talk_plan *plan, enum bench_key key,
		unsigned int count, struct memory_outcome *out)
{
	struct memory *m = memory_new(plan, key);
	unsigned int i;

	*out = (struct memory_outcome){.done = count};
	for (i = 0; i < WARM_UP + count; i++) {
		if (i == WARM_UP)
			m->server_ns = out->tickets = 0;
		shake_hands(m, &out->tickets);
	}
	out->server_ns = m->server_ns;
	out->flights = m->flights;
	memory_free(m);
}

void memory_laps(const struct talk_plan *plan, enum bench_key key,
		 unsigned int count, unsigned int pause_ms,
		 struct memory_lap *laps)
{
	struct memory *m = memory_new(plan, key);
	unsigned int i, tickets = 0;

	for (i = 0; i < WARM_UP + count; i++) {
		sleep_ms(pause_ms);
		shake_hands(m, &tickets);
		if (i >= WARM_UP)
			laps[i - WARM_UP] = m->lap;
	}
	memory_free(m);
}

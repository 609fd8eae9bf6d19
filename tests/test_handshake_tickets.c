// SPDX-License-Identifier: MIT
#include "handshake/tickets.h"

#include <sys/time.h>
#include <time.h>

#include "tests/handshake_peer.h"

TestSuite(tickets, .timeout = 30);

#define LIFETIME_S 1000

static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };
static struct duo d;
static struct hs_tickets *tickets;
static int64_t later_s;

/* OpenSSL's clock, which is this one, as the program's name comes first. */
time_t time(time_t *t)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += later_s;
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}

/* Since 3.3 it is this one. */
int gettimeofday(struct timeval *tv, void *zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	tv->tv_sec = now.tv_sec + later_s;
	tv->tv_usec = now.tv_nsec / 1000;
	return 0;
}

static struct hs_ticket_keys keys_from(uint8_t first)
{
	struct hs_ticket_keys keys;
	int i;

	for (i = 0; i < HS_TICKET_KEYS; i++)
		memset(keys.key[i], first + i, HS_TICKET_KEY);
	return keys;
}

static void use(uint8_t first)
{
	struct hs_ticket_keys keys = keys_from(first);

	hs_tickets_set(tickets, &keys);
}

static void start(void)
{
	later_s = 0;
	tickets = hs_tickets_new();
	cr_assert(tickets);
	duo_init(&d, "P-256");
	d.config.keys = tickets;
	d.config.lifetime_s = LIFETIME_S;
}

static void stop(void)
{
	duo_fini(&d);
	hs_tickets_free(tickets);
}

static void make_new(SSL_SESSION *session)
{
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
	SSL_SESSION_set_time_ex(session, time(NULL));
#else
	SSL_SESSION_set_time(session, time(NULL));
#endif
}

/*
 * Connects, with @session unless it is NULL, of which the client believes that it
 * is new: it would not even try an old one. Returns whether it was resumed.
 */
static bool connect_with(SSL_SESSION *session)
{
	struct hs_info info;
	char buf[8];

	duo_disconnect(&d);
	SSL_SESSION_free(d.session);
	d.session = NULL;
	duo_connect(&d);
	if (session) {
		make_new(session);
		SSL_set_session(d.client, session);
	}
	duo_done(&d);
	SSL_read(d.client, buf, sizeof(buf));
	hs_get_info(d.hs, &info);
	return info.resumed;
}

/* A session by a full handshake, the caller's to free. */
static SSL_SESSION *full(uint16_t version)
{
	client_pair(&d, version, KTLS_AES_128_GCM);
	cr_assert_not(connect_with(NULL));
	cr_assert(d.session);
	SSL_SESSION_up_ref(d.session);
	return d.session;
}

/* The first byte of the name of the key that the client's ticket is made with. */
static uint8_t ticket_key(void)
{
	const unsigned char *ticket;
	size_t len;

	SSL_SESSION_get0_ticket(SSL_get_session(d.client), &ticket, &len);
	cr_assert_gt(len, 16);
	return ticket[0];
}

/* Keys by their first bytes: a ticket of 11 meets others. */
static const struct {
	uint8_t first;
	bool resumed;
	uint8_t ticket;		/* what the client has then */
} rotations[] = {
	{ 10, true, 11 },	/* current */
	{ 11, true, 12 },	/* previous */
	{ 9, true, 10 },	/* next */
	{ 12, false, 13 },	/* gone */
	{ 8, false, 9 },	/* not yet there */
};

Test(tickets, are_taken_of_three_keys_and_made_with_the_current_one,
     .init = start, .fini = stop)
{
	size_t v, i;

	for (v = 0; v < COUNT(versions); v++) {
		for (i = 0; i < COUNT(rotations); i++) {
			SSL_SESSION *session;

			use(10);
			session = full(versions[v]);
			cr_expect_eq(ticket_key(), 11);
			use(rotations[i].first);
			cr_expect_eq(connect_with(session),
				     rotations[i].resumed, "%zu", i);
			cr_expect_eq(ticket_key(), rotations[i].ticket, "%zu",
				     i);
			/* It is another each time, or none comes. */
			cr_expect_eq(d.session != NULL,
				     versions[v] == KTLS_TLS13 ||
					     !rotations[i].resumed);
			SSL_SESSION_free(session);
		}
	}
}

Test(tickets, are_those_of_every_context_with_the_keys, .init = start,
     .fini = stop)
{
	size_t v;

	for (v = 0; v < COUNT(versions); v++) {
		struct hs_tickets *others = hs_tickets_new();
		SSL_SESSION *session = full(versions[v]);

		cr_assert(others);
		hs_ctx_free(d.ctx);
		d.ctx = NULL;
		duo_disconnect(&d);
		d.config.keys = others;
		cr_expect_not(connect_with(session), "random ones are others");
		hs_tickets_set(others, hs_tickets_get(tickets));
		cr_expect(connect_with(session));
		duo_disconnect(&d);
		hs_ctx_free(d.ctx);
		d.ctx = NULL;
		d.config.keys = tickets;
		hs_tickets_free(others);
		SSL_SESSION_free(session);
	}
}

/* @session with one byte of its ticket changed */
static SSL_SESSION *damage(SSL_SESSION *session, size_t at)
{
	unsigned char *der = NULL;
	int len = i2d_SSL_SESSION(session, &der);
	const unsigned char *ticket, *p = der;
	SSL_SESSION *damaged;
	unsigned char *found;
	size_t ticket_len;

	SSL_SESSION_get0_ticket(session, &ticket, &ticket_len);
	found = memmem(der, len, ticket, ticket_len);
	cr_assert(found);
	found[at < ticket_len ? at : ticket_len - 1] ^= 1;
	damaged = d2i_SSL_SESSION(NULL, &p, len);
	cr_assert(damaged);
	OPENSSL_free(der);
	return damaged;
}

Test(tickets, that_are_damaged_anywhere_are_ignored, .init = start,
     .fini = stop)
{
	static const size_t places[] = { 0, 15, 16, 31, 32, 80, SIZE_MAX };
	size_t v, i;

	for (v = 0; v < COUNT(versions); v++) {
		SSL_SESSION *session = full(versions[v]);

		for (i = 0; i < COUNT(places); i++) {
			SSL_SESSION *damaged = damage(session, places[i]);

			cr_expect_not(connect_with(damaged), "%zu", i);
			SSL_SESSION_free(damaged);
		}
		cr_expect(connect_with(session));
		SSL_SESSION_free(session);
	}
}

Test(tickets, say_their_lifetime_and_are_of_no_use_after_it, .init = start,
     .fini = stop)
{
	size_t v;

	for (v = 0; v < COUNT(versions); v++) {
		SSL_SESSION *session;

		later_s = 0;
		session = full(versions[v]);
		cr_expect_eq(SSL_SESSION_get_ticket_lifetime_hint(session),
			     LIFETIME_S);
		later_s = LIFETIME_S - 10;
		cr_expect(connect_with(session));
		later_s = LIFETIME_S + 10;
		cr_expect_not(connect_with(session));
		cr_expect_eq(SSL_SESSION_get_ticket_lifetime_hint(d.session),
			     LIFETIME_S);
		SSL_SESSION_free(session);
	}
}

Test(tickets, of_resumed_sessions_end_with_the_first_lifetime, .init = start,
     .fini = stop)
{
	SSL_SESSION *session = full(KTLS_TLS13);
	unsigned long hint;
	int i;

	for (i = 1; i < 10; i++) {
		later_s = i * LIFETIME_S / 10;
		cr_assert(connect_with(session), "%d", i);
		hint = SSL_SESSION_get_ticket_lifetime_hint(d.session);
		cr_expect_leq(hint, LIFETIME_S - later_s);
		cr_expect_geq(hint, LIFETIME_S - later_s - 10);
		SSL_SESSION_free(session);
		session = d.session;
		d.session = NULL;
	}
	later_s = LIFETIME_S + 10;
	cr_expect_not(connect_with(session));
	SSL_SESSION_free(session);
}

/* A shorter one holds for sessions that come back, too. */
Test(tickets, are_renewed_for_no_longer_than_configured, .init = start,
     .fini = stop)
{
	SSL_SESSION *session = full(KTLS_TLS13);

	duo_disconnect(&d);
	hs_ctx_free(d.ctx);
	d.ctx = NULL;
	d.config.lifetime_s = LIFETIME_S / 10;
	cr_expect(connect_with(session));
	cr_expect_leq(SSL_SESSION_get_ticket_lifetime_hint(d.session),
		      LIFETIME_S / 10);
	SSL_SESSION_free(session);
}

Test(tickets, keys_are_random_at_first)
{
	struct hs_tickets *a = hs_tickets_new(), *b = hs_tickets_new();
	const struct hs_ticket_keys *all[] = { hs_tickets_get(a),
					       hs_tickets_get(b) };
	const uint8_t *key[2 * HS_TICKET_KEYS];
	size_t i, j;

	for (i = 0; i < COUNT(key); i++) {
		key[i] = all[i / HS_TICKET_KEYS]->key[i % HS_TICKET_KEYS];
		for (j = 0; j < i; j++)
			cr_expect(memcmp(key[i], key[j], 16) &&
				  memcmp(key[i] + 64, key[j] + 64, 16));
	}
	hs_tickets_free(a);
	hs_tickets_free(b);
	hs_tickets_free(NULL);
}

Test(tickets, keys_are_not_in_core_dumps, .init = start, .fini = stop)
{
	uintptr_t at = (uintptr_t)hs_tickets_get(tickets);
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long begin, end;
	bool inside = false, left_out = false;
	char line[512];

	cr_assert(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
			inside = begin <= at && at < end;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			left_out = strstr(line, " dd ");
	}
	fclose(maps);
	cr_assert(left_out);
}

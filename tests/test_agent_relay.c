// SPDX-License-Identifier: MIT
/*
 * The relay as it is used: a client over TCP, a handshake, the hand-off of the
 * consumer's end through a queue, and a worker's ring in between.
 */
#include "agent/relay.h"

#include <stddef.h>
#include <sys/un.h>

#include "agent_rig.h"
#include "ktls/end.h"

TestSuite(relay, .timeout = 60);

#define MEGABYTE (1 << 20)
static void start(void)
{
	start_worker();
	dial(0);
	shake_hands();
	take();
	turn(0);
}

static void start_narrow(void)
{
	start_worker();
	dial(65536);
	shake_hands();
	take();
	turn(0);
}

/* The worker forgets the connection within @ms, and keeps nothing of it. */
static void gone_within(uint64_t ms)
{
	uint64_t end = loop_now_ms() + ms;

	while (w.slab.used && loop_now_ms() < end)
		turn(5);
	cr_assert_eq(w.slab.used, 0, "a connection is left");
	turn(0);	/* the ring closes */
	if (client)
		hang_up_client();
	close(consumer);
	cr_assert_eq(case_fds(), before);
}

static void stop(void)
{
	ring_fini(&w.ring);
	conn_slab_fini(&w.slab);
	rules_free(listener.rules);
	duo_fini(&duo);
}

/* What the consumer hears next, "" at the end. */
static const char *consumer_hears(void)
{
	static char text[256];
	ssize_t n = -1;
	int i;

	for (i = 0; i < 400 && n < 0; i++) {
		turn(5);
		n = recv(consumer, text, sizeof(text) - 1, MSG_DONTWAIT);
		cr_assert(n >= 0 || errno == EAGAIN, "%s", strerror(errno));
	}
	cr_assert_geq(n, 0, "there is nothing to hear");
	text[n] = '\0';
	return text;
}

static void consumer_says(const char *text)
{
	cr_assert_eq(send(consumer, text, strlen(text), MSG_NOSIGNAL),
		     (ssize_t)strlen(text));
}

static bool ended_cleanly(void)
{
	struct sockaddr_un name;
	socklen_t len = sizeof(name);

	cr_assert_eq(getpeername(consumer, (void *)&name, &len), 0);
	return len > offsetof(struct sockaddr_un, sun_path);
}

static void client_closes(void)
{
	SSL_shutdown(client);
}

Test(relay, moves_data_both_ways, .init = start, .fini = stop)
{
	client_says("hello");
	cr_assert_str_eq(consumer_hears(), "hello");
	consumer_says("answer");
	cr_assert_str_eq(client_hears(NULL), "answer");
	cr_assert_eq(metrics.value[METRIC_HANDED_OFF_RELAY], 1);
	cr_assert_eq(metrics.value[METRIC_RELAYED_UNAVAILABLE], 1);
	relay_cut(w.slab.conns[0].relay);
	gone_within(100);
}

/* --- much -------------------------------------------------------------- */

struct way {
	size_t sent, got;
};

static uint8_t pattern(size_t i, uint8_t salt)
{
	return (uint8_t)(i * 7 + i / 251 + salt);
}

static bool client_sends(struct way *up)
{
	uint8_t buf[5000];
	size_t n = MEGABYTE - up->sent, i;

	n = n < sizeof(buf) ? n : sizeof(buf);
	for (i = 0; i < n; i++)
		buf[i] = pattern(up->sent + i, 1);
	if (!n || SSL_write_ex(client, buf, n, &n) != 1)
		return false;
	up->sent += n;
	return true;
}

static bool consumer_sends(struct way *down)
{
	uint8_t buf[5000];
	size_t n = MEGABYTE - down->sent, i;
	ssize_t put;

	n = n < sizeof(buf) ? n : sizeof(buf);
	for (i = 0; i < n; i++)
		buf[i] = pattern(down->sent + i, 2);
	put = n ? send(consumer, buf, n, MSG_DONTWAIT) : -1;
	if (put <= 0)
		return false;
	down->sent += (size_t)put;
	return true;
}

static void check(struct way *way, const uint8_t *buf, size_t n, uint8_t salt)
{
	size_t i;

	for (i = 0; i < n; i++)
		cr_assert_eq(buf[i], pattern(way->got + i, salt), "at %zu",
			     way->got + i);
	way->got += n;
}

static bool client_takes(struct way *down)
{
	uint8_t buf[5000];
	size_t n;

	ERR_clear_error();
	if (SSL_read_ex(client, buf, sizeof(buf), &n) != 1)
		return false;
	check(down, buf, n, 2);
	return true;
}

static bool consumer_takes(struct way *up)
{
	uint8_t buf[5000];
	ssize_t n = recv(consumer, buf, sizeof(buf), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	check(up, buf, (size_t)n, 1);
	return true;
}

static void move_megabytes(bool fill_first)
{
	struct way up = { 0, 0 }, down = { 0, 0 };
	int idle = 0;

	/* Nobody reads until nothing more can be written. */
	while (fill_first && idle < 20) {
		bool moved = client_sends(&up);

		moved |= consumer_sends(&down);
		idle = moved ? 0 : idle + 1;
		turn(moved ? 0 : 1);
	}
	idle = 0;
	while (up.got < MEGABYTE || down.got < MEGABYTE) {
		bool moved = client_sends(&up);

		moved |= consumer_sends(&down);
		moved |= client_takes(&down);
		moved |= consumer_takes(&up);
		idle = moved ? 0 : idle + 1;
		cr_assert_lt(idle, 2000, "stuck at %zu up, %zu down", up.got,
			     down.got);
		turn(moved ? 0 : 1);
	}
}

Test(relay, moves_a_megabyte_each_way_at_once, .init = start, .fini = stop)
{
	move_megabytes(false);
	client_closes();
	close(consumer);
	gone_within(2000);
}

Test(relay, goes_on_when_both_directions_were_full, .init = start_narrow,
     .fini = stop)
{
	move_megabytes(true);
	client_closes();
	close(consumer);
	gone_within(2000);
}

Test(relay, keeps_what_waits_when_the_client_stops_reading_for_long,
     .init = start_narrow, .fini = stop)
{
	struct way down = { 0, 0 };
	uint64_t end = loop_now_ms() + 2 * LINGER_MS;

	while (loop_now_ms() < end) {
		consumer_sends(&down);
		turn(5);
	}
	while (down.got < down.sent || down.sent < MEGABYTE) {
		consumer_sends(&down);
		client_takes(&down);
		turn(0);
	}
	ktls_end_cleanly(consumer);
	hang_up_client();
	gone_within(1000);
}

/* --- ends -------------------------------------------------------------- */

Test(relay, passes_on_a_close_notify_and_lets_the_consumer_finish,
     .init = start, .fini = stop)
{
	int error;

	client_says("request");
	client_closes();
	cr_assert_str_eq(consumer_hears(), "request");
	cr_assert_str_eq(consumer_hears(), "");
	cr_assert(ended_cleanly());
	consumer_says("late answer");
	cr_assert_str_eq(client_hears(NULL), "late answer");
	ktls_end_cleanly(consumer);
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_eq(error, SSL_ERROR_ZERO_RETURN);
	cr_assert(ended_cleanly());
	gone_within(1000);
}

Test(relay, says_close_notify_for_the_consumer_and_goes_on_reading,
     .init = start, .fini = stop)
{
	int error;

	consumer_says("bye");
	ktls_end_cleanly(consumer);
	cr_assert_str_eq(client_hears(NULL), "bye");
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_eq(error, SSL_ERROR_ZERO_RETURN);
	client_says("still here");
	cr_assert_str_eq(consumer_hears(), "still here");
	turn_for(2 * LINGER_MS);	/* more than a closing one gets */
	client_says("and now too");
	cr_assert_str_eq(consumer_hears(), "and now too");
	client_closes();
	cr_assert_str_eq(consumer_hears(), "");
	cr_assert(ended_cleanly());
	gone_within(1000);
}

Test(relay, leaves_the_consumer_what_it_has_not_read_yet, .init = start,
     .fini = stop)
{
	ktls_end_cleanly(consumer);
	client_says("one");
	client_closes();
	while (w.slab.used)
		turn(5);
	cr_assert_str_eq(consumer_hears(), "one");
	cr_assert_str_eq(consumer_hears(), "");
	cr_assert(ended_cleanly(), "its name outlives the relay");
	gone_within(0);
}

Test(relay, says_no_close_notify_for_a_consumer_that_was_cut_off,
     .init = start, .fini = stop)
{
	int error;

	consumer_says("half an ans");
	close(consumer);	/* as the kernel does for the killed */
	consumer = -1;
	cr_assert_str_eq(client_hears(NULL), "half an ans");
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_neq(error, SSL_ERROR_ZERO_RETURN);
	hang_up_client();
	gone_within(3000);
}

Test(relay, gives_no_name_to_an_end_without_close_notify, .init = start,
     .fini = stop)
{
	client_says("cut");
	shutdown(client_fd, SHUT_WR);
	cr_assert_str_eq(consumer_hears(), "cut");
	cr_assert_str_eq(consumer_hears(), "");
	cr_assert_not(ended_cleanly());
	consumer_says("sorry");
	cr_assert_str_eq(client_hears(NULL), "sorry");
	close(consumer);
	gone_within(1000);
}

Test(relay, ends_with_a_client_that_resets, .init = start, .fini = stop)
{
	struct linger off = { 1, 0 };

	client_says("x");
	cr_assert_str_eq(consumer_hears(), "x");
	setsockopt(client_fd, SOL_SOCKET, SO_LINGER, &off, sizeof(off));
	hang_up_client();
	cr_assert_str_eq(consumer_hears(), "");
	cr_assert_not(ended_cleanly());
	gone_within(1000);
}

Test(relay, ends_when_the_consumer_leaves_and_the_client_stays, .init = start,
     .fini = stop)
{
	uint64_t then = loop_now_ms();
	int error;

	ktls_end_cleanly(consumer);
	close(consumer);
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_eq(error, SSL_ERROR_ZERO_RETURN);
	while (w.slab.used)
		turn(5);
	cr_assert_geq(loop_now_ms(), then + LINGER_MS - 1);
	gone_within(0);
}

/*
 * As a server does that answers 413 and closes: the rest of the request must
 * not make a reset of the end, which would destroy the answer.
 */
Test(relay, delivers_the_answer_of_a_consumer_that_did_not_read_the_rest,
     .init = start, .fini = stop)
{
	struct way up = { 0, 0 };
	char answer[64] = "";
	int error, i;

	for (i = 0; i < 100; i++) {
		client_sends(&up);
		turn(0);
	}
	consumer_says("413");
	ktls_end_cleanly(consumer);
	close(consumer);
	for (i = 0; i < 50; i++) {
		client_sends(&up);
		turn(1);
	}
	strcat(answer, client_hears(&error));
	cr_assert_str_eq(answer, "413");
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_eq(error, SSL_ERROR_ZERO_RETURN, "a reset: %d", error);
	gone_within(2000);
}

/* Nobody else is left who would give up on such a client. */
Test(relay, limits_a_client_that_reads_nothing_once_the_consumer_is_gone,
     .init = start_narrow, .fini = stop)
{
	struct way down = { 0, 0 };
	socklen_t len = sizeof(int);
	int timeout = 0, idle = 0;

	while (idle < 20) {
		idle = consumer_sends(&down) ? 0 : idle + 1;
		turn(idle ? 1 : 0);
	}
	close(consumer);
	turn_for(2 * LINGER_MS);
	getsockopt(w.slab.conns[0].fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
		   &len);
	cr_assert_gt(timeout, 0);
	cr_assert_leq(timeout, 60000);
	relay_cut(w.slab.conns[0].relay);
	gone_within(1000);
}

/* --- errors ------------------------------------------------------------ */

Test(relay, answers_a_broken_record_with_an_alert_that_arrives, .init = start,
     .fini = stop)
{
	static const char record[] = "\x17\x03\x03\x00\x20"
				     "0123456789abcdef0123456789abcdef";
	static const char more[20000];
	int error;

	cr_assert_eq(write(client_fd, record, sizeof(record) - 1),
		     (ssize_t)sizeof(record) - 1);
	cr_assert_gt(write(client_fd, more, sizeof(more)), 0);
	cr_assert_str_eq(consumer_hears(), "");
	cr_assert_not(ended_cleanly());
	cr_assert_gt(write(client_fd, more, sizeof(more)), 0);
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_eq(error, SSL_ERROR_SSL, "a reset: %d", error);
	cr_assert_eq(ERR_GET_REASON(ERR_peek_last_error()),
		     SSL_R_SSLV3_ALERT_BAD_RECORD_MAC);
	gone_within(2000);
}

/* Each asks for an answer that the client does not read. */
Test(relay, takes_no_more_key_updates_than_it_can_answer, .init = start_narrow,
     .fini = stop)
{
	struct conn *c = &w.slab.conns[0];
	int i, idle = 0;

	for (i = 0; i < 200000 && idle < 100; i++) {
		if (!SSL_want_write(client))
			SSL_key_update(client, SSL_KEY_UPDATE_REQUESTED);
		idle = SSL_do_handshake(client) == 1 ? 0 : idle + 1;
		if (!(i % 64) || idle)
			turn(0);
		cr_assert_lt(hs_output(c->hs).len, 65536, "after %d", i);
	}
	cr_assert_geq(idle, 100, "the client has to wait");
	cr_assert_eq(w.slab.used, 1);
	/*
	 * It goes on once the client reads: libssl's does so only when what it was
	 * about to write is written, so that goes to where there is room.
	 */
	SSL_set0_wbio(client, BIO_new(BIO_s_mem()));
	consumer_says("still here");
	cr_assert_str_eq(client_hears(NULL), "still here");
	relay_cut(c->relay);
	gone_within(1000);
}

/* --- the queue --------------------------------------------------------- */

Test(relay, ends_what_no_consumer_took, .fini = stop)
{
	int error;

	start_worker();
	queue_remove(&worker_routes[0].queue, 1);
	before = case_fds();
	dial(0);
	shake_hands();
	cr_assert_str_eq(client_hears(&error), "");
	cr_assert_eq(metrics.value[METRIC_QUEUE_EXPIRED], 1);
	cr_assert_eq(metrics.value[METRIC_HANDED_OFF_RELAY], 0);
	consumer = -1;
	gone_within(1000);
}

/* Many connections wait for this worker; a consumer is to hold up none. */
Test(relay, does_not_wait_for_a_descriptor_of_the_consumer, .init = start,
     .fini = stop)
{
	int silent, lingers = case_lingering(&silent);
	uint64_t began = loop_now_ms();

	cr_assert_eq(ktls_send_fds(consumer, "answer", 6, &lingers, 1), 0);
	close(lingers);
	cr_assert_str_eq(client_hears(NULL), "answer");
	turn_for(100);
	cr_assert_lt(loop_now_ms() - began, (CASE_LINGER_S - 1) * 1000);
	close(silent);
	relay_cut(w.slab.conns[0].relay);
	gone_within(100);
}

Test(relay, may_be_cut_at_any_time_and_twice, .init = start, .fini = stop)
{
	struct relay *r = w.slab.conns[0].relay;
	struct way up = { 0, 0 }, down = { 0, 0 };
	int i;

	for (i = 0; i < 300; i++) {
		client_sends(&up);
		consumer_sends(&down);
		turn(0);
	}
	relay_cut(r);
	if (w.slab.used)
		relay_cut(r);
	gone_within(1000);
}

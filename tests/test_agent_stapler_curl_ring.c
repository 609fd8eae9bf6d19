// SPDX-License-Identifier: MIT
#include "agent/stapler/curl_ring.h"

#include "agent/loop.h"
#include "agent_case.h"
#include "agent_http.h"

static struct http_server server;
static struct ring ring;
static struct curl_ring curl;
static unsigned int before;

struct transfer {
	CURL *easy;
	size_t received;
	unsigned int ends;
	CURLcode code;
};
static struct transfer transfers[300];
static unsigned int n_transfers, n_ended;
static void (*when_ended)(struct transfer *t);

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	(void)data;
	t->received += size * n;
	return size * n;
}

static void on_ended(struct curl_ring *c, void *arg, CURLcode code)
{
	struct transfer *t = arg;

	cr_assert_eq(c, &curl);
	t->code = code;
	t->ends++;
	n_ended++;
	if (when_ended)
		when_ended(t);
}

static struct transfer *prepare(const char *host)
{
	struct transfer *t = &transfers[n_transfers++];
	char url[64];

	snprintf(url, sizeof(url), "http://%s:%u/", host, server.port);
	t->easy = curl_easy_init();
	curl_easy_setopt(t->easy, CURLOPT_URL, url);
	curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, 15000L);
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	return t;
}

static void begin(struct transfer *t)
{
	cr_assert_eq(curl_ring_add(&curl, t->easy, t), 0);
}

static void turn(void)
{
	uint64_t now = loop_now_ms(), next = curl_ring_run(&curl, now);
	int64_t wait = 100;

	if (next < now + 100)
		wait = next > now ? (int64_t)(next - now) : 0;
	cr_assert_eq(ring_wait(&ring, wait), 0);
	ring_call_back(&ring);
}

static void turn_until_ended(unsigned int n)
{
	while (n_ended < n)
		turn();
}

static void start(void)
{
	int err;

	http_start(&server);
	strcpy((char *)server.shared->body, "hello");
	server.shared->len = 5;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	before = case_fds();
	err = ring_init(&ring);
	if (err)
		cr_skip_test("%s", uring_denied(err));
	cr_assert_eq(curl_ring_init(&curl, &ring, 4, on_ended), 0);
}

static void stop(void)
{
	unsigned int i;

	for (i = 0; i < n_transfers; i++) {
		if (!transfers[i].ends)
			curl_ring_remove(&curl, transfers[i].easy);
		curl_easy_cleanup(transfers[i].easy);
	}
	ring_fini(&ring);
	curl_ring_fini(&curl);
	cr_expect_eq(case_fds(), before);
	http_stop(&server);
}

TestSuite(curl_ring, .init = start, .fini = stop, .timeout = 40);

Test(curl_ring, carries_many_transfers_at_once)
{
	unsigned int i;

	server.shared->delay_ms = 20;
	for (i = 0; i < 60; i++)
		begin(prepare("127.0.0.1"));
	turn_until_ended(60);
	for (i = 0; i < 60; i++) {
		cr_assert_eq(transfers[i].code, CURLE_OK);
		cr_assert_eq(transfers[i].received, 5);
		cr_assert_eq(transfers[i].ends, 1);
	}
	cr_assert_gt(server.shared->most_active, 1);
}

static void begin_another(struct transfer *t)
{
	cr_assert_eq(t->code, CURLE_OK);
	if (n_transfers < COUNT(transfers))
		begin(prepare("127.0.0.1"));
}

/* Each closes its socket, whose number the next one gets at once. */
Test(curl_ring, is_not_confused_by_numbers_that_are_used_again)
{
	server.shared->mode = HTTP_ONCE;
	when_ended = begin_another;
	begin(prepare("127.0.0.1"));
	begin(prepare("127.0.0.1"));
	begin(prepare("127.0.0.1"));
	turn_until_ended(COUNT(transfers));
	cr_assert_eq(server.shared->requests, COUNT(transfers));
	cr_assert_eq(server.shared->connections, COUNT(transfers));
}

Test(curl_ring, keeps_connections_for_the_next_transfer)
{
	when_ended = begin_another;
	begin(prepare("127.0.0.1"));
	turn_until_ended(COUNT(transfers));
	cr_assert_eq(server.shared->connections, 1);
}

/* libcurl's resolver thread says through a socket that it has the address. */
Test(curl_ring, hears_of_names_that_are_resolved)
{
	begin(prepare("localhost"));
	turn();
	cr_assert_not_null(curl.polls);
	turn_until_ended(1);
	cr_assert_eq(transfers[0].code, CURLE_OK);
}

Test(curl_ring, ends_transfers_whose_time_is_over)
{
	uint64_t began = loop_now_ms();

	server.shared->mode = HTTP_SILENT;
	curl_easy_setopt(prepare("127.0.0.1")->easy, CURLOPT_TIMEOUT_MS, 200L);
	begin(&transfers[0]);
	turn_until_ended(1);
	cr_assert_eq(transfers[0].code, CURLE_OPERATION_TIMEDOUT);
	cr_assert_geq(loop_now_ms(), began + 199);
	cr_assert_lt(loop_now_ms(), began + 5000);
}

Test(curl_ring, says_when_a_connection_is_refused_or_breaks)
{
	http_stop(&server);
	begin(prepare("127.0.0.1"));
	turn_until_ended(1);
	cr_assert_eq(transfers[0].code, CURLE_COULDNT_CONNECT);
	http_start(&server);
	server.shared->mode = HTTP_HANG_UP;
	begin(prepare("127.0.0.1"));
	turn_until_ended(2);
	cr_assert_eq(transfers[1].code, CURLE_GOT_NOTHING);
}

/* The socket is waited for in both directions, in either order. */
Test(curl_ring, sends_more_than_a_socket_holds)
{
	static char body[4 << 20];

	server.shared->mode = HTTP_DRIBBLE;
	server.shared->len = 3000;
	prepare("127.0.0.1");
	curl_easy_setopt(transfers[0].easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(transfers[0].easy, CURLOPT_POSTFIELDSIZE,
			 (long)sizeof(body));
	begin(&transfers[0]);
	turn_until_ended(1);
	cr_assert_eq(transfers[0].code, CURLE_OK);
	cr_assert_eq(transfers[0].received, 3000);
	cr_assert_eq(server.shared->received, sizeof(body));
}

Test(curl_ring, breaks_transfers_off_and_goes_on)
{
	unsigned int i;

	server.shared->mode = HTTP_SILENT;
	for (i = 0; i < 20; i++)
		begin(prepare("127.0.0.1"));
	while (server.shared->active < 20)
		turn();
	for (i = 0; i < 20; i++) {
		curl_ring_remove(&curl, transfers[i].easy);
		transfers[i].ends++;
	}
	/* The server sees the end: no poll in flight holds a socket open. */
	while (server.shared->active)
		turn();
	cr_assert_null(curl.polls);
	server.shared->mode = HTTP_ANSWER;
	begin(prepare("127.0.0.1"));
	turn_until_ended(1);
	cr_assert_eq(transfers[20].code, CURLE_OK);
}

Test(curl_ring, ends_in_the_middle_without_a_trace)
{
	unsigned int i;

	server.shared->mode = HTTP_SILENT;
	for (i = 0; i < 20; i++)
		begin(prepare("127.0.0.1"));
	while (server.shared->active < 10)
		turn();
}

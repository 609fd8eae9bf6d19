// SPDX-License-Identifier: MIT
/* The load generator against the server that is part of the program. */
#include <criterion/criterion.h>

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/bench/behind.h"
#include "tools/bench/client.h"
#include "tools/bench/cpus.h"
#include "tools/bench/group.h"
#include "tools/bench/server.h"
#include "tools/bench/util.h"

#define COUNT 12
#define FILE_SIZE "300000"

static struct client_part *part;
static struct server server = {.name = "own"};

static void set_up(void)
{
	char *path;

	group_init(scratch_remove);
	scratch_init();
	scratch_certificate(KEY_P256);
	path = scratch("www/bytes-" FILE_SIZE);
	write_file(path, "");
	cr_assert_eq(truncate(path, atoi(FILE_SIZE)), 0);
	free(path);
	part = zalloc(sizeof(*part) + COUNT * sizeof(uint64_t));
}

TestSuite(bench_client, .timeout = 60, .init = set_up);

static void start(enum own_tls tls)
{
	static struct cpus cpus;
	const struct setup setup = {.key = KEY_P256, .cpus = &cpus};

	cpus = cpus_here();
	server.tls = tls;
	server_start(&server, &setup);
}

/* With TLS 1.3, or in the clear. */
static struct client *client(bool tls, bool resume, uint16_t port)
{
	static struct talk_plan plan;

	plan = (struct talk_plan){.version = tls ? TLS1_3_VERSION : 0,
				  .resume = resume};
	return client_new(&plan, port);
}

Test(bench_client, shakes_hands_as_often_as_told)
{
	const struct client_task task = {.count = COUNT, .parallel = 5};
	struct client *c;
	unsigned int i;

	start(TLS_USER);
	c = client(true, true, server.port);
	client_run(c, &task, part);
	cr_assert_eq(part->done, COUNT, "%s", part->error);
	cr_assert_eq(part->failed, 0);
	cr_assert_lt(part->resumed, COUNT, "there was no session before");
	client_run(c, &task, part);
	cr_assert_eq(part->done, COUNT);
	cr_assert_eq(part->resumed, COUNT);
	cr_assert_eq(part->tickets, COUNT);
	cr_assert_gt(part->cpu_ns, 0);
	for (i = 0; i < COUNT; i++)
		cr_assert(part->latency_ns[i] > 0 &&
			  part->latency_ns[i] <=
				  part->end_ns - part->begin_ns);
	client_free(c);
	server_stop(&server);
}

Test(bench_client, tells_when_it_connected_and_who_took_it_when)
{
	const struct client_task task = {.count = 2, .parallel = 1};
	struct client *c;

	start(TLS_USER);
	c = client(true, false, server.port);
	client_run(c, &task, part);
	cr_assert_eq(part->done, 2, "%s", part->error);
	cr_assert_gt(part->since_ns, part->begin_ns + part->latency_ns[0]);
	cr_assert_leq(part->since_ns + part->latency_ns[1], part->end_ns);
	cr_assert_gt(server.seen->taken_ns, part->since_ns);
	cr_assert_lt(server.seen->taken_ns, part->end_ns);
	client_free(c);
	server_stop(&server);
}

static void transfer(enum own_tls tls, const char *request, uint64_t up,
		     uint64_t down)
{
	const struct client_task task = {
		.count = 3, .parallel = 2, .request = request, .upload = up,
		.download = down, .record = 4096,
	};
	struct client *c;

	start(tls);
	c = client(tls != TLS_NONE, false, server.port);
	client_run(c, &task, part);
	cr_assert_eq(part->done, 3, "%s", part->error);
	client_free(c);
	server_stop(&server);
}

#define GET(what) "GET /" what "bytes-" FILE_SIZE " HTTP/1.1\r\n\r\n"
#define PUT "PUT /put-100001 HTTP/1.1\r\n\r\n"

static unsigned long taken_at_gate;
static uint64_t gate_ns;

static void gate(void *arg)
{
	cr_assert_eq(arg, &gate_ns);
	cr_assert_eq(gate_ns, 0, "it is passed once");
	cr_assert_eq(part->done, 0);
	taken_at_gate = server.seen->taken;
	gate_ns = now_ns();
}

Test(bench_client, all_have_shaken_hands_before_one_asks)
{
	const struct client_task task = {
		.count = 3, .parallel = 3, .request = GET(""), .record = 4096,
		.download = atoi(FILE_SIZE), .gate = gate, .gate_arg = &gate_ns,
	};
	struct client *c;

	start(TLS_USER);
	c = client(true, false, server.port);
	client_run(c, &task, part);
	cr_assert_eq(part->done, 3, "%s", part->error);
	cr_assert_eq(taken_at_gate, server.seen->taken);
	cr_assert_geq(part->begin_ns, gate_ns, "times begin there");
	client_free(c);
	server_stop(&server);
}

Test(bench_client, the_gate_opens_for_those_who_are_left)
{
	const struct client_task task = {
		.count = 3, .parallel = 3, .request = GET(""), .record = 4096,
		.gate = gate, .gate_arg = &gate_ns,
	};
	/* Nobody listens there. */
	struct client *c = client(true, false, 1);

	start(TLS_USER);
	client_run(c, &task, part);
	cr_assert_eq(part->failed, 3);
	cr_assert_neq(gate_ns, 0);
	client_free(c);
	server_stop(&server);
}

Test(bench_client, bytes_come_by_sendfile)
{
	transfer(TLS_NONE, GET(""), 0, atoi(FILE_SIZE));
}

Test(bench_client, bytes_come_by_write_through_tls)
{
	transfer(TLS_USER, GET("write-4096/"), 0, atoi(FILE_SIZE));
}

Test(bench_client, bytes_go_through_tls)
{
	transfer(TLS_USER, PUT, 100001, 0);
}

Test(bench_client, bytes_go_in_the_clear)
{
	transfer(TLS_NONE, PUT, 100001, 0);
}

Test(bench_client, what_is_not_there_fails)
{
	const struct client_task task = {
		.count = 2, .parallel = 2, .request = "GET /bytes-5 HTTP/1.1\r\n"
						      "\r\n",
		.download = 5,
	};
	struct client *c;

	start(TLS_NONE);
	c = client(false, false, server.port);
	client_run(c, &task, part);
	cr_assert_eq(part->done, 0, "there is no such file");
	cr_assert_eq(part->failed, 2);
	cr_assert_str_eq(part->error, "the server closed it");
	client_free(c);
	server_stop(&server);
}

Test(bench_client, what_is_held_is_dropped_with_the_server)
{
	const struct client_task task = {.count = 6, .parallel = 4,
					 .hold = true};
	struct client *c;
	int tries = 0;

	start(TLS_USER);
	c = client(true, false, server.port);
	client_run(c, &task, part);
	client_run(c, &task, part);
	cr_assert_eq(part->done, 6, "%s", part->error);
	sleep_ms(100);
	cr_assert_eq(client_dropped(c), 0, "tickets are no end");
	server_stop(&server);
	while (client_dropped(c) < 12 && tries++ < 100)
		sleep_ms(20);
	cr_assert_eq(client_dropped(c), 12);
	client_free(c);
}

Test(bench_client, says_why_connections_fail)
{
	const struct client_task task = {.count = 4, .parallel = 4};
	struct client *c;
	int fd = behind_listen(0);
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	getsockname(fd, (struct sockaddr *)&at, &len);
	close(fd);
	c = client(true, false, ntohs(at.sin_port));
	client_run(c, &task, part);
	cr_assert_eq(part->done, 0);
	cr_assert_eq(part->failed, 4);
	cr_assert_str_eq(part->error, "Connection refused");
	client_free(c);
}

/* SPDX-License-Identifier: MIT */
/* The processes are real: this very program, executed anew, is a proxy. */
#include "agent/proxies.h"

#include <arpa/inet.h>
#include <signal.h>
#include <time.h>

#include "agent/loop.h"
#include "agent/proxy/proxy.h"
#include "ktls/descriptors.h"
#include "ktls/message.h"

#include "agent_case.h"

TestSuite(agent_proxies, .timeout = 30);

static struct config_backend server;
static struct config_route routes[] = {
	{ .name = (char *)"web", .queue = 16, .hold_timeout_ms = 5000,
	  .proxy = { .backends = &server, .n = 1, .connect_timeout_ms = 1000,
		     .max_fails = 1, .fail_timeout_ms = 1000 } },
};
static struct config config = {
	.workers = 2, .routes = routes, .n_routes = 1,
	.drain_timeout_ms = 1000, .handshake_timeout_ms = 500,
	.proxy_uid = CASE_NOBODY, .proxy_gid = CASE_NOBODY,
};
static struct metrics metrics;
static struct route_events events;
static struct route *route;
static struct proxy_metrics *counts;
static struct proxies *all;
static int loop, listener, queue_end = -1, client_end;

__attribute__((constructor)) static void be_proxy(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--proxy"))
		return;
	signal(SIGPIPE, SIG_IGN);
	_exit(proxy_run(PROXY_FD));
}

static void on_added(void *arg, const struct route *r, uint64_t id, int fd)
{
	(void)arg;
	(void)r;
	(void)id;
	if (queue_end >= 0)
		close(queue_end);
	queue_end = dup(fd);
}

static void on_removed(void *arg, const struct route *r, uint64_t id)
{
	(void)arg;
	(void)r;
	(void)id;
}

static void on_live(void *arg, const struct route *r, bool live)
{
	(void)arg;
	(void)r;
	(void)live;
}

static void turn_until(bool (*done)(void))
{
	uint64_t end = loop_now_ms() + 10000, now;
	int status;
	pid_t pid;

	while (!done() && (now = loop_now_ms()) < end) {
		proxies_tick(all, now);
		route_tick(route, now);
		cr_assert_eq(loop_wait(loop, 10), 0);
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			cr_expect(proxies_ended(all, pid, status));
	}
	cr_assert(done());
}

static bool are_ready(void)
{
	return proxies_ready(all) == 1;
}

static bool are_gone(void)
{
	return !proxies_count(all);
}

static bool is_taken(void)
{
	return case_readable(listener, 0);
}

static bool is_one_less(void)
{
	return proxies_count(all) < 2;
}

static void start(void)
{
	struct sockaddr_in *in = (void *)&server.addr;
	char error[128];

	server.addr_len = sizeof(*in);
	server.text = (char *)"server";
	in->sin_family = AF_INET;
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (void *)in, sizeof(*in)), 0);
	cr_assert_eq(listen(listener, 16), 0);
	cr_assert_eq(getsockname(listener, (void *)in, &server.addr_len), 0);
	loop = loop_new();
	events = (struct route_events){ on_added, on_removed, on_live,
					&metrics, NULL };
	route = route_open(&routes[0], -1, loop, &events, error,
			   sizeof(error));
	cr_assert(route);
	counts = proxy_metrics_new();
	all = proxies_new(&(struct proxies_setup){ &config, &route, loop,
			  &metrics, counts });
	cr_assert(all);
	turn_until(are_ready);
}

static void stop(void)
{
	proxies_leave(all, 0);
	proxies_stop(all);
	turn_until(are_gone);
	proxies_free(all);
	route_close(route);
	proxy_metrics_free(counts);
	close(queue_end);
	close(listener);
	close(loop);
}

static void hand_over(void)
{
	struct ktls_info info = { .mode = KTLS_RELAY };
	struct timespec now;
	uint8_t buf[256];
	ssize_t n;
	int pair[2];

	clock_gettime(CLOCK_MONOTONIC, &now);
	info.handoff_ns = (uint64_t)now.tv_sec * 1000000000;
	n = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
		     0);
	cr_assert_eq(ktls_send_fds(queue_end, buf, (size_t)n, &pair[1], 1), 0);
	close(pair[1]);
	client_end = pair[0];
}

Test(agent_proxies, are_consumers_of_their_route, .init = start, .fini = stop)
{
	int fd;
	char c;

	cr_expect_eq(route_registrations(route), 2);
	hand_over();
	cr_expect_not(case_readable(listener, 100), "they may not yet");
	proxies_accept(all);
	turn_until(is_taken);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_eq(send(client_end, "x", 1, 0), 1);
	cr_expect_eq(recv(fd, &c, 1, 0), 1);
	close(client_end);
	close(fd);
}

Test(agent_proxies, are_started_again_and_nothing_that_waits_is_lost,
     .init = start, .fini = stop)
{
	FILE *f;
	int pid;

	proxies_accept(all);
	/* Both of them, by the list of our children. */
	f = fopen("/proc/thread-self/children", "re");
	while (fscanf(f, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	fclose(f);
	hand_over();
	turn_until(is_one_less);
	turn_until(are_ready);
	turn_until(is_taken);
	cr_expect_eq(metrics.value[METRIC_PROXY_RESTARTS], 2);
	close(client_end);
}

static void *uid_of(int pid, char *buf, size_t len)
{
	char path[64], *line = NULL;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	f = fopen(path, "re");
	while (f && fgets(buf, (int)len, f))
		if (!strncmp(buf, "Uid:", 4)) {
			line = buf;
			break;
		}
	if (f)
		fclose(f);
	return line;
}

Test(agent_proxies, are_of_the_account_that_was_named, .init = start,
     .fini = stop)
{
	char buf[256];
	FILE *f;
	int pid;

	if (geteuid())
		cr_skip_test("only root can be somebody else");
	f = fopen("/proc/thread-self/children", "re");
	cr_assert_eq(fscanf(f, "%d", &pid), 1);
	fclose(f);
	cr_assert(uid_of(pid, buf, sizeof(buf)));
	cr_expect(strstr(buf, "65534\t65534"), "%s", buf);
}

Test(agent_proxies, are_none_where_no_route_wants_them)
{
	struct config_route plain = { .name = (char *)"a",
				      .handoff = (char *)"/a" };
	struct config none = { .workers = 2, .routes = &plain, .n_routes = 1 };
	struct proxy_metrics *m = proxy_metrics_new();
	struct proxies *p = proxies_new(&(struct proxies_setup){ &none, NULL,
					-1, &metrics, m });

	cr_assert(p);
	cr_expect_eq(proxies_tick(p, 1), UINT64_MAX);
	cr_expect_eq(proxies_ready(p), 1);
	proxies_accept(p);
	proxies_stop(p);
	cr_expect_eq(proxies_count(p), 0);
	proxies_free(p);
	proxy_metrics_free(m);
}

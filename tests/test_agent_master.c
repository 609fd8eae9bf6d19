// SPDX-License-Identifier: MIT
/*
 * A whole ktlsd below this process: master, two workers, and as its stapler this
 * program executed anew. The test is its client and asks its control socket.
 */
#include "agent/master.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/un.h>

#include "agent/loop.h"
#include "agent/staple_msg.h"
#include "tests/handshake_peer.h"

#include "agent_case.h"

TestSuite(master, .timeout = 60);

#define WORKERS 2

static char dir[32], state[64], control_path[64], handoff[64];
static struct config_cert config_cert;
static struct config_route route = {
	.name = (char *)"web", .handoff = handoff, .mode = 0600, .queue = 64,
	.hold_timeout_ms = 60000,
};
static struct config_listener listener = { .bind = (char *)"here",
					   .backlog = 64 };
static struct config config = {
	.workers = WORKERS,
	.user = (char *)"nobody", .uid = CASE_NOBODY, .gid = CASE_NOBODY,
	.stapler_user = (char *)"nobody",
	.state_dir = state,
	.control = control_path,
	.ktls = CONFIG_KTLS_OFF,
	.handshake_timeout_ms = 5000,
	.drain_timeout_ms = 100,
	.certs = &config_cert, .n_certs = 1,
	.listeners = &listener, .n_listeners = 1,
	.routes = &route, .n_routes = 1,
	.ocsp = { .timeout_ms = 1000, .min_interval_s = 1,
		  .max_interval_s = 60, .start_wait_ms = 20000, .per_host = 1 },
};
static struct certs_slot slot = {
	.name = (char *)"localhost", .urls = (char *)"http://a/",
	.urls_len = 10,
};
static struct duo duo;
static struct certs certs = { &duo.cert, 1, &duo.ctx, 1, &slot, 1, NULL };
static struct sockaddr_in bound;
static int port_fd;
static pid_t pid;

/* Staples are "response 1", "response 2" ..., each good for longer. */
#define NEXT_UPDATE(n) (4000000000 + (n))

static void send_response(struct ocsp_bytes cert, unsigned int n)
{
	struct staple_msg msg = {
		.type = STAPLE_MSG_RESPONSE,
		.response.times = { time(NULL) - 10, NEXT_UPDATE(n) },
	};
	char text[32];

	sprintf(text, "response %u", n);
	msg.part[0] = staple_make(cert, text, (int)strlen(text));
	staple_msg_send(3, &msg, 0);
	OPENSSL_free((void *)msg.part[0].data);
}

/* Each REFRESH brings another; one that is given back is the last. */
static void play(void)
{
	static uint8_t buf[STAPLE_MSG_MAX], cert_buf[4096];
	struct ocsp_bytes cert = { cert_buf, 0 };
	struct pollfd p = { .fd = 3, .events = POLLIN };
	struct staple_msg msg;
	unsigned int n = 0;

	/* A test that fails leaves it behind, with the pipe of its output. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (poll(&p, 1, -1) == 1 && staple_msg_recv(3, &msg, buf) == 1) {
		/* What it is to play stands where a proxy's URL would. */
		while (msg.type == STAPLE_MSG_OPTIONS && msg.part[1].len)
			pause();
		if (msg.type == STAPLE_MSG_SLOT)
			memcpy(cert_buf, msg.part[2].data,
			       cert.len = msg.part[2].len);
		if (msg.type == STAPLE_MSG_SLOT && msg.part[4].len)
			sscanf(staple_read(msg.part[4]), "response %u", &n);
		if (msg.type == STAPLE_MSG_START) {
			staple_msg_send(3, &(struct staple_msg){
					.type = STAPLE_MSG_LOADED }, 0);
			usleep(n ? 0 : 500000);
			if (!n)
				send_response(cert, ++n);
		}
		if (msg.type == STAPLE_MSG_REFRESH)
			send_response(cert, ++n);
	}
	_exit(0);
}

__attribute__((constructor)) static void be_stapler(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--stapler"))
		play();
}

/* A port that is ours, and that another of us may listen at. */
static void take_port(void)
{
	socklen_t len = sizeof(bound);
	int on = 1;

	port_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bound.sin_family = AF_INET;
	bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(port_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	cr_assert_eq(bind(port_fd, (void *)&bound, len), 0);
	cr_assert_eq(getsockname(port_fd, (void *)&bound, &len), 0);
	memcpy(&listener.addr, &bound, len);
	listener.addr_len = len;
}

static void start(const char *role)
{
	struct ktls_support support = { 0 };

	config.ocsp.proxy = (char *)role;
	case_make_dir(dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(control_path, sizeof(control_path), "%s/control", dir);
	snprintf(handoff, sizeof(handoff), "%s/web", dir);
	route.user = geteuid();
	route.group = getegid();
	config.stapler_uid = geteuid() ? geteuid() : CASE_NOBODY;
	config.stapler_gid = geteuid() ? getegid() : CASE_NOBODY;
	duo_init(&duo, "P-256");
	duo_ctx(&duo);
	config_cert.chain = duo.pki.chain;
	slot.der = hs_cert_der(duo.cert, 0);
	slot.issuer = hs_cert_issuer(duo.cert, 0);
	take_port();
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid)
		_exit(master_run(&config, &certs, &support));
}

static void start_good(void)
{
	start(NULL);
}

static void start_deaf(void)
{
	start("deaf");
}

/* SIGTERM ends all of it; how long that took. */
static uint64_t end(void)
{
	uint64_t begun = loop_now_ms();
	int status;

	kill(pid, SIGTERM);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	return loop_now_ms() - begun;
}

static void clean_up(void)
{
	static const char *const names[] = { "state/ocsp", "state", NULL };

	duo_fini(&duo);
	close(port_fd);
	case_remove_dir(dir, names);
}

static void stop(void)
{
	end();
	clean_up();
}

static const char *ask(const char *request)
{
	static char answer[65536];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t got = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), i;
	ssize_t n;

	strcpy(addr.sun_path, control_path);
	for (i = 0; i < 2000 && connect(fd, (void *)&addr, sizeof(addr)); i++)
		usleep(5000);
	cr_assert_gt(send(fd, request, strlen(request), MSG_NOSIGNAL), 0);
	while ((n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
		got += (size_t)n;
	answer[got] = '\0';
	close(fd);
	return answer;
}

static void wait_for(const char *request, const char *text)
{
	int i;

	for (i = 0; i < 1000 && !strstr(ask(request), text); i++)
		usleep(10000);
	cr_assert(strstr(ask(request), text), "no %s in:\n%s", text,
		  ask(request));
}

/* Until the newest staple is this one, and every worker has it or has not. */
static void wait_for_staple(unsigned int n, const char *delivered)
{
	time_t end = (time_t)NEXT_UPDATE(n);
	char text[64];
	size_t len = strftime(text, sizeof(text), "next_update=%FT%TZ",
			      gmtime(&end));

	cr_assert(len);
	wait_for("staples\n", text);
	snprintf(text, sizeof(text), "delivered=%s", delivered);
	wait_for("staples\n", text);
}

static bool is_listening(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err = connect(fd, (void *)&bound, sizeof(bound)) ? errno : 0;

	close(fd);
	cr_assert(!err || err == ECONNREFUSED);
	return !err;
}

/* The staple that a client gets, as text. */
static const char *staple(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	SSL *ssl = SSL_new(duo.client_ctx);
	const char *text;

	cr_assert_eq(connect(fd, (void *)&bound, sizeof(bound)), 0);
	SSL_set_fd(ssl, fd);
	SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp);
	cr_assert_eq(SSL_connect(ssl), 1);
	text = staple_received(ssl);
	SSL_free(ssl);
	close(fd);
	return text ? text : "";
}

/* Of more clients than there are workers. */
static void expect_staples(const char *text)
{
	int i;

	for (i = 0; i < 4 * WORKERS; i++)
		cr_expect_str_eq(staple(), text);
}

/* Sends @number to master's children that are staplers, or that are not. */
static unsigned int signal_children(bool staplers, int number)
{
	char path[64], line[256];
	unsigned int n = 0;
	FILE *list, *file;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
		 (int)pid);
	list = fopen(path, "r");
	cr_assert(list);
	while (fscanf(list, "%d", &child) == 1) {
		size_t len;

		snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
		file = fopen(path, "r");
		if (!file)
			continue;
		len = fread(line, 1, sizeof(line), file);
		fclose(file);
		if (!!memmem(line, len, "--stapler", 9) != staplers)
			continue;
		kill(child, number);
		n++;
	}
	fclose(list);
	return n;
}

/* And until there are workers, which are started then. */
static void wait_until_serving(void)
{
	int i;

	for (i = 0; i < 2000 && (!is_listening() ||
				 signal_children(false, 0) < WORKERS); i++)
		usleep(5000);
}

Test(master, listens_once_there_is_a_staple_for_the_first_connection,
     .init = start_good, .fini = stop)
{
	cr_expect(strstr(ask("staples\n"), " status=none delivered=no "));
	cr_expect_not(is_listening());
	wait_until_serving();
	cr_expect_str_eq(staple(), "response 1");
	cr_expect(strstr(ask("staples\n"), " status=good delivered=yes "));
	cr_expect(strstr(ask("metrics\n"), "ktlsd_staple_age_seconds{cert"));
}

Test(master, gives_a_new_staple_to_every_worker, .init = start_good,
     .fini = stop)
{
	wait_until_serving();
	cr_expect_str_eq(ask("refresh localhost\n"),
			 "asked for 1 OCSP responses\n");
	wait_for_staple(2, "yes");
	expect_staples("response 2");
}

Test(master, gives_a_new_worker_the_newest_staple, .init = start_good,
     .fini = stop)
{
	wait_until_serving();
	ask("refresh\n");
	wait_for_staple(2, "yes");
	cr_expect_eq(signal_children(false, SIGKILL), WORKERS);
	wait_for("metrics\n", "ktlsd_worker_restarts_total 2\n");
	expect_staples("response 2");
}

Test(master, is_not_touched_by_a_stapler_that_dies, .init = start_good,
     .fini = stop)
{
	wait_until_serving();
	cr_expect_eq(signal_children(true, SIGKILL), 1);
	expect_staples("response 1");
	wait_for("metrics\n", "ktlsd_stapler_restarts_total 1\n");
	cr_expect(strstr(ask("staples\n"), " status=good delivered=yes "));
	/* The next one knows what the last one found. */
	ask("refresh\n");
	wait_for_staple(2, "yes");
	expect_staples("response 2");
}

Test(master, is_not_touched_by_a_stapler_that_hangs, .init = start_good,
     .fini = clean_up)
{
	int i;

	wait_until_serving();
	cr_expect_eq(signal_children(true, SIGSTOP), 1);
	for (i = 0; i < 200; i++)
		ask("refresh\n");
	expect_staples("response 1");
	cr_expect_geq(end(), 1900, "it had its time to end");
}

/* A worker that is stopped is not waited for, and gets it in the end. */
Test(master, goes_on_while_a_worker_does_not_take_its_staple,
     .init = start_good, .fini = stop)
{
	int i;

	wait_until_serving();
	cr_expect_eq(signal_children(false, SIGSTOP), WORKERS);
	for (i = 0; i < 100; i++)
		ask("refresh\n");
	wait_for_staple(101, "no");
	signal_children(false, SIGCONT);
	wait_for_staple(101, "yes");
	cr_expect_str_eq(staple(), "response 101");
}

Test(master, ends_when_it_is_told_while_it_waits, .init = start_deaf,
     .fini = clean_up)
{
	cr_expect(strstr(ask("staples\n"), " status=none "));
	cr_expect_not(is_listening());
	cr_expect_lt(end(), 10000);
	cr_expect(access(control_path, F_OK));
}

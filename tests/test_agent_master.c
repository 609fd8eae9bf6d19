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

static char dir[32], socket_path[64], file_path[64];
static struct duo duo;
static struct sockaddr_in bound;
static int port_fd;
static unsigned int n_workers = WORKERS;
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
}

/* @role: of the stapler, see play(); @more: lines at the end */
static void write_config(const char *role, const char *more)
{
	FILE *file = fopen(file_path, "w");

	cr_assert(file);
	fprintf(file, "workers: %u\nuser: nobody\nstapler_user: nobody\n"
		"ktls: off\nhandshake_timeout: 5s\ncontrol: %s\n%s%s"
		"ocsp: {timeout: 1s, start_wait: 20s%s%s}\n"
		"certificates:\n"
		"  - {chain: %s, key: %s, responder: \"http://a/\"}\n"
		"listeners:\n"
		"  - {bind: \"127.0.0.1:%u\", route: web, backlog: 64}\n"
		"routes:\n"
		"  - {name: web, handoff: %s/web, queue: 64}\n%s",
		n_workers, socket_path,
		strstr(more, "drain_timeout") ? "" : "drain_timeout: 100ms\n",
		strstr(more, "state_dir") ? "" : "state_dir: state\n", role ? ", proxy: " : "",
		role ? role : "", duo.pki.chain, duo.pki.key,
		ntohs(bound.sin_port), dir, more);
	cr_assert_eq(fclose(file), 0);
}

static int run_master(void)
{
	char *argv[] = { (char *)"/nonexistent/ktlsd", NULL };
	struct config *config = config_load(file_path, stderr);
	struct ticket_keys *tickets = ticket_keys_new();
	struct watcher *watcher = watcher_new();
	struct generation *first =
		config ? generation_new(config, tickets, NULL) : NULL;
	int status = first ? master_run(file_path, argv, first, tickets,
					    watcher) : 1;

	watcher_free(watcher);
	ticket_keys_free(tickets);
	return status;
}

static void start(const char *role)
{
	case_make_dir(dir);
	snprintf(socket_path, sizeof(socket_path), "%s/control", dir);
	snprintf(file_path, sizeof(file_path), "%s/conf", dir);
	duo_init(&duo, "P-256");
	duo_ctx(&duo);
	take_port();
	write_config(role, "");
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid)
		_exit(run_master());
}

static void start_good(void)
{
	start(NULL);
}

static void start_deaf(void)
{
	start("\"http://deaf:1\"");
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
	static const char *const names[] = {
		"state/ocsp", "state/tickets/keys", "state/tickets", "state",
		"other/ocsp", "other/tickets/keys", "other/tickets", "other",
		"conf", NULL
	};

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

	strcpy(addr.sun_path, socket_path);
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
	cr_expect(access(socket_path, F_OK));
}

/* --- another configuration ------------------------------------------------- */

static bool has_metric(const char *line)
{
	return strstr(ask("metrics\n"), line);
}

static void wait_until_drained(void)
{
	wait_for("metrics\n", "ktlsd_workers_draining 0\n");
}

Test(master, goes_on_with_staples_and_stapler_over_a_reload,
     .init = start_good, .fini = stop)
{
	wait_until_serving();
	ask("refresh\n");
	wait_for_staple(2, "yes");
	write_config(NULL, "drain_timeout: 50ms\n");
	cr_expect_str_eq(ask("reload\n"), "ok generation=2 workers=2\n");
	expect_staples("response 2");
	cr_expect(strstr(ask("staples\n"), " status=good delivered=yes "));
	ask("refresh\n");
	wait_for_staple(3, "yes");
	expect_staples("response 3");
	wait_until_drained();
	cr_expect_eq(signal_children(false, 0), WORKERS);
	cr_expect_eq(signal_children(true, 0), 1);
	cr_expect(has_metric("ktlsd_stapler_restarts_total 0\n"));
	cr_expect(has_metric("ktlsd_worker_restarts_total 0\n"));
	cr_expect(has_metric("ktlsd_generation 2\n"));
}

Test(master, has_another_stapler_when_its_options_changed,
     .init = start_good, .fini = stop)
{
	wait_until_serving();
	ask("refresh\n");
	wait_for_staple(2, "yes");
	write_config(NULL, "state_dir: other\n");
	cr_expect_str_eq(ask("reload\n"), "ok generation=2 workers=2\n");
	expect_staples("response 2");
	/* The first one may still end. */
	ask("refresh\n");
	wait_for_staple(3, "yes");
	expect_staples("response 3");
	wait_until_drained();
	cr_expect_eq(signal_children(true, 0), 1);
}

Test(master, serves_on_when_a_configuration_is_wrong, .init = start_good,
     .fini = stop)
{
	char error[128];

	wait_until_serving();
	write_config(NULL, "nonsense: 1\n");
	snprintf(error, sizeof(error), "error: generation=1 serves on\n"
		 "%s:16:1: ", file_path);
	cr_expect_eq(strncmp(ask("reload\n"), error, strlen(error)), 0, "%s",
		     ask("reload\n"));
	cr_expect(has_metric("ktlsd_last_reload_failed 1\n"));
	cr_expect(has_metric("ktlsd_generation 1\n"));
	cr_expect_str_eq(staple(), "response 1");
	cr_expect_eq(signal_children(false, 0), WORKERS);
	write_config(NULL, "");
	cr_expect_str_eq(ask("reload\n"), "ok generation=2 workers=2\n");
	cr_expect(has_metric("ktlsd_last_reload_failed 0\n"));
}

Test(master, reloads_once_for_all_who_ask_meanwhile, .init = start_good,
     .fini = stop)
{
	int i;

	wait_until_serving();
	for (i = 0; i < 5; i++)
		kill(pid, SIGHUP);
	for (i = 0; i < 1000 && has_metric("ktlsd_generation 1\n"); i++)
		usleep(10000);
	usleep(200000);
	wait_until_drained();
	cr_expect(has_metric("ktlsd_generation 2\n") ||
		  has_metric("ktlsd_generation 3\n"));
}

/* More, fewer; and the counts of those that went stay. */
Test(master, changes_the_number_of_its_workers, .init = start_good,
     .fini = stop)
{
	static const unsigned int numbers[] = { 3, 1, 2 };
	char line[64];
	size_t i;

	wait_until_serving();
	for (i = 0; i < COUNT(numbers); i++) {
		n_workers = numbers[i];
		write_config(NULL, "");
		ask("reload\n");
		cr_expect_str_eq(staple(), "response 1");
		wait_until_drained();
		cr_expect_eq(signal_children(false, 0), numbers[i]);
		snprintf(line, sizeof(line), "ktlsd_staples_total"
			 "{result=\"sent\"} %zu\n", i + 1);
		wait_for("metrics\n", line);
	}
	cr_expect(has_metric("ktlsd_connections_accepted_total{worker=\"2\"}"));
}

// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "ktls/descriptors.h"
#include "ktls/ktls.h"
#include "ktls/register.h"

TestSuite(registration, .timeout = 30);

/*
 * A registrar of ktlsd's, as small as one can be: a route socket in a folder
 * of its own, and in a forked process one answer to each registration. Its
 * process ends with ktlsd_stop(), and so do the registrations.
 */
static char dir[] = "/tmp/test_ktls_register.XXXXXX";
static struct sockaddr_un route = { .sun_family = AF_UNIX };

struct plan {
	uint16_t status;
	const char *text;
	int n_fds;		/* that go with the answer */
	int type;		/* of the sockets in it */
	uint16_t version;
	size_t len;		/* of the answer */
	int expect_offer;
};

static uint32_t flags;	/* of the answers of those that are started from now */

static const struct plan good = { KTLS_REG_OK, "", 2, SOCK_SEQPACKET,
				  KTLS_REG_VERSION, sizeof(struct ktls_answer),
				  0 };
static const struct plan adopting = { KTLS_REG_ADOPTED, "", 0, SOCK_SEQPACKET,
				      KTLS_REG_VERSION,
				      sizeof(struct ktls_answer), 1 };

static void make_route(void)
{
	cr_assert(mkdtemp(dir));
	snprintf(route.sun_path, sizeof(route.sun_path), "%s/route", dir);
}

static void remove_route(void)
{
	unlink(route.sun_path);
	rmdir(dir);
}

static void answer(int sock, const struct plan *plan)
{
	struct ktls_answer answer = { .magic = KTLS_REG_MAGIC,
				      .version = plan->version,
				      .status = plan->status,
				      .hold_ms = 4321,
				      .flags = flags };
	struct pollfd wait = { .fd = sock, .events = POLLIN };
	struct ktls_hello hello;
	struct ktls_fds fds;
	int pair[2];

	poll(&wait, 1, -1);
	if (ktls_recv_fds(sock, &hello, sizeof(hello), &fds, 0) !=
		    sizeof(hello) ||
	    memcmp(hello.magic, KTLS_REG_MAGIC, sizeof(hello.magic)) ||
	    hello.version != KTLS_REG_VERSION ||
	    fds.n != (plan->expect_offer ? 2 : 0))
		_exit(1);
	/* The adopter proves it: a message through the offer's write end. */
	if (fds.n && send(fds.fd[1], "adopted", 7, 0) != 7)
		_exit(1);
	if (socketpair(AF_UNIX, plan->type, 0, pair))
		_exit(1);
	strcpy(answer.text, plan->text);
	if (ktls_send_fds(sock, &answer, plan->len, pair, plan->n_fds))
		_exit(1);
	close(pair[0]);
	close(pair[1]);
}

static pid_t ktlsd_start(const struct plan *plan)
{
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	pid_t pid;

	unlink(route.sun_path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&route, sizeof(route)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid)
		while (1)
			answer(accept(fd, NULL, NULL), plan);
	close(fd);
	return pid;
}

static void ktlsd_stop(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFSIGNALED(status), "ktlsd did not like what it was sent");
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* Steps when told to, until step says @want. Returns how long it took. */
static int step_until(struct ktls_registration *reg, int want, int limit_ms)
{
	const int64_t start = now_ms();
	struct pollfd p = { .fd = ktls_registration_fd(reg), .events = POLLIN };
	int rc;

	do {
		cr_assert_eq(poll(&p, 1, limit_ms), 1, "nothing to do");
		rc = ktls_registration_step(reg);
		cr_assert_lt(now_ms() - start, limit_ms, "still %d", rc);
	} while (rc != want);
	return now_ms() - start;
}

static int open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

Test(registration, brings_the_queue, .init = make_route, .fini = remove_route)
{
	struct ktls_registration *reg = NULL;
	const pid_t ktlsd = ktlsd_start(&good);
	const int before = open_fds();
	char error[300] = "";
	int fd;

	cr_assert_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     0, "%s", error);
	fd = ktls_registration_queue_fd(reg);
	cr_expect_geq(fd, 0);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(ktls_registration_hold_ms(reg), 4321);
	cr_expect_eq(ktls_registration_step(reg), 0);
	ktls_registration_free(reg);
	cr_expect_eq(open_fds(), before);
	ktlsd_stop(ktlsd);
}

static int ipv6_with(uint32_t said)
{
	struct ktls_registration *reg = NULL;
	char error[300] = "";
	pid_t ktlsd;
	int ipv6;

	flags = said;
	ktlsd = ktlsd_start(&good);
	cr_assert_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     0, "%s", error);
	ipv6 = ktls_registration_ipv6(reg);
	cr_expect_str_eq(ktls_registration_error(reg), "");
	ktls_registration_free(reg);
	ktlsd_stop(ktlsd);
	return ipv6;
}

Test(registration, says_whether_ipv6_may_come, .init = make_route,
     .fini = remove_route)
{
	cr_expect_eq(ipv6_with(0), 0);
	cr_expect_eq(ipv6_with(KTLS_REG_IPV6), 1);
	/* What a later ktlsd may say besides. */
	cr_expect_eq(ipv6_with(~0U), 1);
	cr_expect_eq(ipv6_with(~(uint32_t)KTLS_REG_IPV6), 0);
}

Test(registration, goes_by_what_the_next_ktlsd_says_of_ipv6,
     .init = make_route, .fini = remove_route)
{
	struct ktls_registration *reg;
	pid_t ktlsd;

	cr_assert_eq(ktls_register_later(route.sun_path, &reg), 0);
	cr_expect_eq(ktls_registration_ipv6(reg), 0);
	flags = KTLS_REG_IPV6;
	ktlsd = ktlsd_start(&adopting);
	step_until(reg, 0, 2000);
	cr_expect_eq(ktls_registration_ipv6(reg), 1);
	ktlsd_stop(ktlsd);
	step_until(reg, -ENOTCONN, 1000);
	cr_expect_eq(ktls_registration_ipv6(reg), 1);
	flags = 0;
	ktlsd = ktlsd_start(&adopting);
	step_until(reg, 0, 2000);
	cr_expect_eq(ktls_registration_ipv6(reg), 0);
	ktls_registration_free(reg);
	ktlsd_stop(ktlsd);
}

/* One of before there were flags: its text is as long as all that is left. */
Test(registration, takes_an_answer_without_flags, .init = make_route,
     .fini = remove_route)
{
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct ktls_answer old = { .magic = KTLS_REG_MAGIC,
				   .version = KTLS_REG_VERSION,
				   .status = KTLS_REG_REFUSED };
	char *const text = (char *)&old + offsetof(struct ktls_answer, text);
	struct ktls_registration *reg;
	char error[300] = "";
	pid_t ktlsd;

	memset(text, 'x', 239);
	cr_assert_eq(text + 240, (char *)(&old + 1));
	cr_assert_eq(bind(fd, (struct sockaddr *)&route, sizeof(route)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	ktlsd = fork();
	if (!ktlsd) {
		send(accept(fd, NULL, NULL), &old, sizeof(old), 0);
		_exit(0);
	}
	cr_expect_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     -EACCES);
	cr_expect_eq(strspn(error, "x"), 236);
	cr_expect_eq(strlen(error), 236);
	waitpid(ktlsd, NULL, 0);
	close(fd);
}

static const struct {
	const char *what;
	struct plan plan;
	int said;
	const char *sentence;
} refusals[] = {
	{ "a user who may not",
	  { KTLS_REG_REFUSED, "uid 1000: set allow_uids", 0, SOCK_SEQPACKET,
	    KTLS_REG_VERSION, sizeof(struct ktls_answer), 0 },
	  -EACCES, "uid 1000: set allow_uids" },
	{ "another version",
	  { KTLS_REG_BAD_VERSION, "version 2 is spoken here", 0, SOCK_SEQPACKET,
	    2, sizeof(struct ktls_answer), 0 },
	  -EPROTO, "version 2 is spoken here" },
	{ "a shortage",
	  { KTLS_REG_ERROR, "too many queues", 0, SOCK_SEQPACKET,
	    KTLS_REG_VERSION, sizeof(struct ktls_answer), 0 },
	  -ENOBUFS, "too many queues" },
	{ "an adoption of nothing",
	  { KTLS_REG_ADOPTED, "", 0, SOCK_SEQPACKET, KTLS_REG_VERSION,
	    sizeof(struct ktls_answer), 0 },
	  -EPROTO, NULL },
	{ "one descriptor",
	  { KTLS_REG_OK, "", 1, SOCK_SEQPACKET, KTLS_REG_VERSION,
	    sizeof(struct ktls_answer), 0 },
	  -EPROTO, NULL },
	{ "no descriptor",
	  { KTLS_REG_OK, "", 0, SOCK_SEQPACKET, KTLS_REG_VERSION,
	    sizeof(struct ktls_answer), 0 },
	  -EPROTO, NULL },
	{ "sockets of another type",
	  { KTLS_REG_OK, "", 2, SOCK_STREAM, KTLS_REG_VERSION,
	    sizeof(struct ktls_answer), 0 },
	  -EPROTO, NULL },
	{ "a short answer",
	  { KTLS_REG_OK, "", 2, SOCK_SEQPACKET, KTLS_REG_VERSION,
	    sizeof(struct ktls_answer) - 1, 0 },
	  -EPROTO, NULL },
};

Test(registration, fails_with_ktlsds_own_sentence_and_keeps_nothing,
     .init = make_route, .fini = remove_route)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(*refusals); i++) {
		struct ktls_registration *reg;
		const pid_t ktlsd = ktlsd_start(&refusals[i].plan);
		const int before = open_fds();
		char error[300] = "";

		cr_expect_eq(ktls_register(route.sun_path, &reg, error,
					   sizeof(error)),
			     refusals[i].said, "%s", refusals[i].what);
		if (refusals[i].sentence)
			cr_expect_str_eq(error, refusals[i].sentence);
		cr_expect_neq(error[0], '\0');
		cr_expect_eq(open_fds(), before, "%s", refusals[i].what);
		ktlsd_stop(ktlsd);
	}
}

/* Answers without having read the hello, before or after it came. */
static void refuse_unread(unsigned int delay_us)
{
	const struct ktls_answer refused = { .magic = KTLS_REG_MAGIC,
					     .version = KTLS_REG_VERSION,
					     .status = KTLS_REG_REFUSED,
					     .text = "not you" };
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct ktls_registration *reg;
	char error[300] = "";
	pid_t ktlsd;
	int sock;

	unlink(route.sun_path);
	cr_assert_eq(bind(fd, (struct sockaddr *)&route, sizeof(route)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	ktlsd = fork();
	if (!ktlsd) {
		sock = accept(fd, NULL, NULL);
		usleep(delay_us);
		send(sock, &refused, sizeof(refused), 0);
		_exit(0);
	}
	cr_expect_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     -EACCES);
	cr_expect_str_eq(error, "not you");
	waitpid(ktlsd, NULL, 0);
	close(fd);
}

Test(registration, hears_a_refusal_that_did_not_wait_for_its_hello,
     .init = make_route, .fini = remove_route)
{
	for (unsigned int i = 0; i < 20; i++)
		refuse_unread(i % 2 * 10000);
}

Test(registration, says_at_once_that_there_is_no_ktlsd, .init = make_route,
     .fini = remove_route)
{
	struct ktls_registration *reg;
	const int64_t start = now_ms();
	char error[300] = "", long_path[200];

	cr_expect_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     -ENOENT);
	cr_expect(strstr(error, route.sun_path), "%s", error);
	ktlsd_stop(ktlsd_start(&good));
	cr_expect_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     -ECONNREFUSED);
	cr_expect_lt(now_ms() - start, 1000);
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	cr_expect_eq(ktls_register(long_path, &reg, error, sizeof(error)),
		     -ENAMETOOLONG);
}

Test(registration, does_not_wait_for_ever, .init = make_route,
     .fini = remove_route)
{
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct ktls_registration *reg;
	const int64_t start = now_ms();
	char error[300] = "";

	/* Connects, by the backlog, and is never answered. */
	cr_assert_eq(bind(fd, (struct sockaddr *)&route, sizeof(route)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	cr_expect_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     -ETIMEDOUT);
	cr_expect_geq(now_ms() - start, 4900);
	close(fd);
}

Test(registration, offers_its_queue_to_the_next_ktlsd, .init = make_route,
     .fini = remove_route)
{
	struct ktls_registration *reg;
	pid_t ktlsd = ktlsd_start(&good);
	char error[300] = "", text[16];
	int fd;

	cr_assert_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     0);
	fd = ktls_registration_queue_fd(reg);
	for (int i = 0; i < 2; i++) {
		ktlsd_stop(ktlsd);
		step_until(reg, -ENOTCONN, 1000);
		/* Nobody there for several tries. */
		usleep(350 * 1000);
		cr_expect_eq(ktls_registration_step(reg), -ENOTCONN);
		cr_expect_eq(recv(fd, text, sizeof(text), MSG_DONTWAIT), -1);
		cr_expect_eq(errno, EAGAIN, "the queue was hung up");

		ktlsd = ktlsd_start(&adopting);
		cr_expect_lt(step_until(reg, 0, 2000), 1000);
		cr_expect_eq(ktls_registration_queue_fd(reg), fd);
		cr_expect_eq(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
	}
	ktls_registration_free(reg);
	ktlsd_stop(ktlsd);
}

Test(registration, keeps_its_queue_when_the_offer_is_refused,
     .init = make_route, .fini = remove_route)
{
	static const struct plan refusing = { KTLS_REG_BAD_OFFER, "no queue", 0,
					      SOCK_SEQPACKET, KTLS_REG_VERSION,
					      sizeof(struct ktls_answer), 1 };
	static const struct plan insisting = { KTLS_REG_OK, "", 2,
					       SOCK_SEQPACKET, KTLS_REG_VERSION,
					       sizeof(struct ktls_answer), 1 };
	struct ktls_registration *reg;
	pid_t ktlsd = ktlsd_start(&good);
	char error[300] = "";
	int fd, before;

	cr_assert_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     0);
	fd = ktls_registration_queue_fd(reg);
	before = open_fds();
	ktlsd_stop(ktlsd);
	ktlsd = ktlsd_start(&refusing);
	step_until(reg, -ESTALE, 2000);
	ktlsd_stop(ktlsd);
	/* A second queue is none of ours: consumers poll the first. */
	ktlsd = ktlsd_start(&insisting);
	step_until(reg, -EPROTO, 3000);
	cr_expect_eq(open_fds(), before - 1, "all but the registration");
	ktlsd_stop(ktlsd);
	ktlsd = ktlsd_start(&adopting);
	step_until(reg, 0, 3000);
	cr_expect_eq(ktls_registration_queue_fd(reg), fd);
	ktls_registration_free(reg);
	ktlsd_stop(ktlsd);
}

/* How often a poll loop would have been woken within @ms. */
static int wakeups(struct ktls_registration *reg, int ms)
{
	struct pollfd p = { .fd = ktls_registration_fd(reg), .events = POLLIN };
	const int64_t end = now_ms() + ms;
	int n = 0;

	while (now_ms() < end && poll(&p, 1, end - now_ms()) > 0) {
		ktls_registration_step(reg);
		n++;
	}
	return n;
}

Test(registration, never_spins_even_if_a_child_kept_it, .init = make_route,
     .fini = remove_route)
{
	struct ktls_registration *reg;
	pid_t ktlsd = ktlsd_start(&good), child;
	char error[300] = "";

	cr_assert_eq(ktls_register(route.sun_path, &reg, error, sizeof(error)),
		     0);
	cr_expect_eq(wakeups(reg, 200), 0);
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	ktlsd_stop(ktlsd);
	cr_expect_leq(wakeups(reg, 1000), 12);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ktls_registration_free(reg);
}

Test(registration, ends_with_its_process_when_children_detach,
     .init = make_route, .fini = remove_route)
{
	/* No ktlsd but this test, which wants to see the hang-up. */
	const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct pollfd p = { .events = 0 };
	pid_t server;
	char pid_text[16];
	int out[2], sock;

	cr_assert_eq(bind(fd, (struct sockaddr *)&route, sizeof(route)), 0);
	cr_assert_eq(listen(fd, 8), 0);
	cr_assert_eq(pipe(out), 0);
	server = fork();
	if (!server) {
		struct ktls_registration *reg;
		char error[300];
		pid_t worker;
		int own;

		close(fd);
		if (ktls_register(route.sun_path, &reg, error, sizeof(error)))
			_exit(1);
		own = ktls_registration_queue_fd(reg);
		worker = fork();
		if (!worker) {
			if (ktls_registration_detach(reg) != own ||
			    fcntl(own, F_GETFD) < 0)
				_exit(1);
			dprintf(out[1], "%d", getpid());
			pause();
		}
		pause();
		_exit(0);
	}
	sock = accept(fd, NULL, NULL);
	answer(sock, &good);
	cr_assert_gt(read(out[0], pid_text, sizeof(pid_text)), 0);
	p.fd = sock;
	cr_expect_eq(poll(&p, 1, 100), 0, "detaching ended the registration");
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	cr_expect_eq(poll(&p, 1, 2000), 1);
	cr_expect(p.revents & POLLHUP);
	kill(atoi(pid_text), SIGKILL);
	close(sock);
	close(fd);
}

Test(registration, needs_no_ktlsd_to_have_a_queue, .init = make_route,
     .fini = remove_route)
{
	const int before = open_fds();
	struct ktls_registration *reg;
	char text[16];
	pid_t ktlsd;
	int fd;

	cr_assert_eq(ktls_register_later(route.sun_path, &reg), 0);
	fd = ktls_registration_queue_fd(reg);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect_eq(ktls_registration_hold_ms(reg), 0);
	step_until(reg, -ENOTCONN, 1000);
	cr_expect(strstr(ktls_registration_error(reg), route.sun_path));

	ktlsd = ktlsd_start(&adopting);
	step_until(reg, 0, 2000);
	cr_expect_eq(ktls_registration_hold_ms(reg), 4321);
	cr_expect_eq(ktls_registration_queue_fd(reg), fd);
	cr_expect_eq(recv(fd, text, sizeof(text), MSG_DONTWAIT), 7);
	ktls_registration_free(reg);
	cr_expect_eq(open_fds(), before);
	ktlsd_stop(ktlsd);
}

Test(registration, offers_its_queue_at_once_to_a_ktlsd_that_is_there,
     .init = make_route, .fini = remove_route)
{
	const pid_t ktlsd = ktlsd_start(&adopting);
	struct ktls_registration *reg;

	cr_assert_eq(ktls_register_later(route.sun_path, &reg), 0);
	cr_expect_lt(step_until(reg, 0, 2000), 1000);
	ktls_registration_free(reg);
	ktlsd_stop(ktlsd);
}

Test(registration, tells_later_why_it_is_refused, .init = make_route,
     .fini = remove_route)
{
	struct plan refusing = adopting;
	struct ktls_registration *reg;
	char long_path[200];
	pid_t ktlsd;

	refusing.status = KTLS_REG_REFUSED;
	refusing.text = "uid 1000: set allow_uids";
	ktlsd = ktlsd_start(&refusing);
	cr_assert_eq(ktls_register_later(route.sun_path, &reg), 0);
	step_until(reg, -EACCES, 2000);
	cr_expect_str_eq(ktls_registration_error(reg), refusing.text);
	ktls_registration_free(reg);
	ktlsd_stop(ktlsd);
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	cr_expect_eq(ktls_register_later(long_path, &reg), -ENAMETOOLONG);
}

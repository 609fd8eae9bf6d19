// SPDX-License-Identifier: MIT
/* Two routes in one process: what one gives, the other takes. */
#include "agent/route.h"

#include <sys/un.h>

#include "agent_case.h"
#include "ktls/descriptors.h"
#include "ktls/register.h"

TestSuite(route_pass, .timeout = 20);

static const struct ktls_hello hello = {
	.magic = KTLS_REG_MAGIC,
	.version = KTLS_REG_VERSION,
};
static char dir[32], path[64];
static struct config_route config = {
	.name = (char *)"web",
	.handoff = path,
	.mode = 0600,
	.queue = 64,
	.hold_timeout_ms = 300,
};
static struct metrics metrics;
static unsigned int n_added, n_live;
static uint64_t added;
static struct ktls_answer answer;
static struct ktls_fds given;
static struct route *old, *new;
static int loop;

static void on_added(void *arg, const struct route *r, uint64_t id, int fd)
{
	(void)arg;
	(void)r;
	(void)fd;
	n_added++;
	added = id;
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
	n_live += live;
}

static const struct route_events events = { on_added, on_removed, on_live,
					    &metrics, NULL };

static void start(void)
{
	char error[256] = "";

	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/web.sock", dir);
	config.user = geteuid();
	config.group = getegid();
	loop = loop_new();
	old = route_open(&config, -1, loop, &events, error, sizeof(error));
	cr_assert(old, "%s", error);
}

static void stop(void)
{
	route_close(old);
	route_close(new);
	close(loop);
	case_remove_dir(dir, NULL);
}

static void run(void)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		cr_assert_eq(loop_wait(loop, 0), 0);
	if (old)
		route_tick(old, loop_now_ms());
	if (new)
		route_tick(new, loop_now_ms());
}

/* Registers, with @offer unless it is NULL. */
static int say_hello(const int *offer)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
	cr_assert_eq(ktls_send_fds(fd, &hello, sizeof(hello), offer,
				   offer ? 2 : 0), 0);
	run();
	return fd;
}

/* Its answer's status, -EAGAIN, or -ESHUTDOWN at the end. */
static int hear(int fd)
{
	ssize_t n = ktls_recv_fds(fd, &answer, sizeof(answer), &given,
				  MSG_CMSG_CLOEXEC);

	return n == sizeof(answer) ? answer.status : n ? (int)n : -ESHUTDOWN;
}

static int offer(int pair[2])
{
	int fd;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair), 0);
	fd = say_hello(pair);
	cr_assert_eq(hear(fd), KTLS_REG_ADOPTED);
	return fd;
}

/* What travelling does to descriptors: copies, whose originals stay. */
static int *copies(const struct upgrade_writer *w)
{
	int *fds = calloc(w->n_fds, sizeof(*fds));
	size_t i;

	for (i = 0; i < w->n_fds; i++)
		fds[i] = fcntl(w->fds[i], F_DUPFD_CLOEXEC, 0);
	return fds;
}

static int take(const struct upgrade_record *record, const int *fds)
{
	char error[256] = "";

	switch (record->type) {
	case UPGRADE_ROUTE:
		new = route_open(&config, fds[0], loop, &events, error,
				 sizeof(error));
		cr_assert(new, "%s", error);
		return 0;
	case UPGRADE_QUEUE:
		return route_take_queue(new, fds[0], fds[1]);
	default:
		return route_take_registration(new, record, fds[0]);
	}
}

static void pass(void)
{
	char *bytes;
	size_t len;
	struct upgrade_writer w = { .file = open_memstream(&bytes, &len) };
	struct upgrade_reader r;
	struct upgrade_record record;
	const uint8_t *data;
	int *fds, *at, ret;

	route_pause(old);
	route_give(old, 3, &w);
	fclose(w.file);
	at = fds = copies(&w);
	r = (struct upgrade_reader){ (uint8_t *)bytes, (uint8_t *)bytes + len,
				     w.n_fds, false };
	while ((ret = upgrade_read(&r, &record, &data)) == 1) {
		cr_assert_eq(take(&record, at), 0);
		at += upgrade_fds(record.type);
	}
	cr_assert_eq(ret, 0);
	route_taken(new);
	free(bytes);
	free(fds);
	free(w.fds);
}

Test(route_pass, goes_on_where_consumers_notice_nothing, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();
	int queue[2], fd = offer(queue), other, copy;
	uint64_t id = added;

	n_added = n_live = 0;
	pass();
	cr_expect_eq(n_added, 1);
	cr_expect_eq(added, id);
	cr_expect_eq(n_live, 1);
	cr_expect_eq(route_registrations(new), 1);
	route_leave(old);
	old = NULL;
	cr_expect_eq(access(path, F_OK), 0);
	cr_expect_eq(hear(fd), -EAGAIN, "it is still registered");
	/* Somebody else gets the same queue, and at once. */
	other = say_hello(NULL);
	cr_assert_eq(hear(other), KTLS_REG_OK);
	cr_assert_eq(given.n, 2);
	copy = given.fd[0];
	cr_assert_eq(send(queue[1], "x", 1, 0), 1);
	cr_expect(case_readable(copy, 0));
	ktls_close_fds(&given);
	close(other);
	close(fd);
	run();
	cr_expect_eq(route_registrations(new), 0, "its end is noticed");
	close(queue[0]);
	close(queue[1]);
	cr_expect_leq(case_fds(), before + 2, "the queue, which stays");
}

Test(route_pass, resumes_as_if_nothing_had_been, .init = start, .fini = stop)
{
	int queue[2], fd = offer(queue), late, gone[2];
	int left = offer(gone);

	pass();
	close(left);
	run();
	cr_expect_eq(route_registrations(old), 2, "it hears nobody");
	route_leave(new);
	new = NULL;
	late = say_hello(NULL);
	cr_expect_eq(hear(late), -EAGAIN);
	route_resume(old);
	run();
	cr_expect_eq(hear(late), KTLS_REG_OK);
	cr_expect_eq(hear(fd), -EAGAIN);
	cr_expect_eq(route_registrations(old), 2, "one left, one came");
}

Test(route_pass, has_a_queue_for_what_workers_hold, .init = start, .fini = stop)
{
	int fd;

	cr_expect_eq(n_added, 0);
	pass();
	cr_expect_eq(n_added, 2, "the old workers', and the new ones'");
	cr_expect_eq(n_live, 0);
	route_leave(old);
	old = NULL;
	fd = say_hello(NULL);
	cr_expect_eq(hear(fd), KTLS_REG_OK, "at once");
}

Test(route_pass, knows_how_far_a_registration_has_come, .init = start,
     .fini = stop)
{
	int waits = say_hello(NULL), silent;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(addr.sun_path, path);
	silent = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(silent, (void *)&addr, sizeof(addr)), 0);
	run();
	cr_assert_eq(hear(waits), -EAGAIN);
	pass();
	route_leave(old);
	old = NULL;
	ktls_send_fds(silent, &hello, sizeof(hello), NULL, 0);
	run();
	cr_expect_eq(hear(silent), KTLS_REG_OK);
	route_tick(new, loop_now_ms() + 10000);
	cr_expect_eq(hear(waits), KTLS_REG_OK);
	cr_expect_eq(route_registrations(new), 2);
}

Test(route_pass, refuses_a_registration_with_a_queue_that_is_not_there,
     .init = start, .fini = stop)
{
	const struct upgrade_record record = {
		.type = UPGRADE_REGISTRATION,
		.registration = { .queue = 1, .stage = UPGRADE_LIVE },
	};
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	cr_expect_eq(route_take_registration(old, &record, fd), -EBADMSG);
	cr_expect_not(case_is_open(fd));
	cr_expect_eq(route_registrations(old), 0);
}

// SPDX-License-Identifier: MIT
#include "agent/watcher.h"

#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <time.h>

#include "agent/loop.h"

#include "agent_case.h"

TestSuite(watcher, .timeout = 30);

/* Later than everything that was planned because of what happened by now. */
#define MUCH_LATER_MS 600000

static char dir[32], chain[64], crl[64], tickets[64];
static struct config_cert cert;
static struct config_listener listener;
static char *crls[] = { crl };
static struct config config = {
	.certs = &cert, .n_certs = 1, .listeners = &listener, .n_listeners = 1,
};
static struct watcher *watcher;
static int loop;

static void run(const char *commands)
{
	char *script;

	cr_assert(asprintf(&script, "cd %s && { %s\n}", dir, commands) > 0);
	cr_assert_eq(system(script), 0, "%s", commands);
	free(script);
}

static void start(void)
{
	case_make_dir(dir);
	loop = loop_new();
	watcher = watcher_new();
	cr_assert(watcher && loop >= 0);
	config.watch = true;
	config.ticket_keys.path = NULL;
	cert = (struct config_cert){ .chain = chain };
	listener = (struct config_listener){ 0 };
	snprintf(chain, sizeof(chain), "%s/a.pem", dir);
	snprintf(crl, sizeof(crl), "%s/lists/crl.pem", dir);
	snprintf(tickets, sizeof(tickets), "%s/tickets", dir);
}

static void stop(void)
{
	char command[64];

	watcher_free(watcher);
	close(loop);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	cr_assert_eq(system(command), 0);
}

static void watch_it(void)
{
	watcher_use(watcher, &config);
	watcher_attach(watcher, loop);
}

/* What is new is looked at twice, see watch_files_look(). */
static void settle(void)
{
	watch_it();
	while (watcher_due(watcher) != UINT64_MAX)
		cr_assert_not(watcher_tick(watcher, watcher_due(watcher)));
}

/* All that happened is heard. */
static void hear(void)
{
	struct pollfd p = { .fd = loop, .events = POLLIN };

	while (poll(&p, 1, 0) > 0)
		loop_wait(loop, 0);
}

static bool notices(void)
{
	hear();
	return watcher_tick(watcher, loop_now_ms() + MUCH_LATER_MS);
}

/* --- what counts as a change ------------------------------------------------- */

static const struct {
	const char *before, *change;
	bool changed, again;	/* after @change, and after writing to a.pem */
} cases[] = {
	{ "echo 1 >a.pem", "echo 2 >a.pem", true, true },
	{ "echo 1 >a.pem", "echo 2 >b; mv b a.pem", true, true },
	{ "echo 1 >a.pem", "echo 2 >b; mkdir c; mv b c; rm -r c", false, true },
	{ "echo 1 >a.pem", "cat a.pem >/dev/null", false, true },
	{ "echo 1 >a.pem", "rm a.pem", true, true },
	{ "echo 1 >a.pem", "chmod 600 a.pem", true, true },
	{ "true", "echo 1 >a.pem", true, true },
	{ "echo 1 >a.pem", "echo 1 >a.pem.key", true, true },
	{ "echo 1 >a.pem; echo 1 >a.key", "echo 2 >a.key", true, true },
	/* as certbot does */
	{ "mkdir archive live; echo 1 >archive/a1.pem; "
	  "ln -s ../archive/a1.pem live/a.pem; ln -s live/a.pem a.pem",
	  "echo 2 >archive/a2.pem; ln -sf ../archive/a2.pem live/a.pem", true,
	  true },
	{ "mkdir archive live; echo 1 >archive/a1.pem; "
	  "ln -s ../archive/a1.pem live/a.pem; ln -s live/a.pem a.pem",
	  "echo 2 >archive/a1.pem", true, true },
	{ "mkdir archive live; echo 1 >archive/a1.pem; "
	  "ln -s ../archive/a1.pem live/a.pem; ln -s live/a.pem a.pem",
	  "echo 2 >archive/a2.pem", false, true },
	/* as Kubernetes does */
	{ "mkdir ..1; echo 1 >..1/a.pem; ln -s ..1 ..data; "
	  "ln -s ..data/a.pem a.pem",
	  "mkdir ..2; echo 2 >..2/a.pem; ln -s ..2 ..tmp; mv -T ..tmp ..data; "
	  "rm -r ..1", true, true },
	/* a link above it */
	{ "mkdir -p d/1/x d/2/x; echo 1 >d/1/x/a; echo 1 >d/2/x/a; "
	  "ln -s 1 d/v; ln -s d/v/x/a a.pem",
	  "ln -s 2 d/w; mv -T d/w d/v", true, true },
	/* a folder above it */
	{ "mkdir -p d/v/w/x d/n/w/x; echo 1 >d/v/w/x/a; echo 2 >d/n/w/x/a; "
	  "ln -s d/v/w/x/a a.pem", "mv d/v d/old; mv d/n d/v", true, true },
	/* what was never there */
	{ "ln -s v/w/x/a a.pem", "mkdir v", false, true },
	{ "ln -s v/w/x/a a.pem", "mkdir -p v/w/x; echo 1 >v/w/x/a", true, true },
	{ "ln -s a.pem b; ln -s b a.pem", "rm b", false, true },
};

Test(watcher, notices_what_makes_another_file_of_it, .init = start,
     .fini = stop)
{
	for (size_t i = 0; i < COUNT(cases); i++) {
		run(cases[i].before);
		watch_it();
		cr_expect_not(notices(), "%zu: nothing happened", i);
		run(cases[i].change);
		cr_expect_eq(notices(), cases[i].changed, "%zu: %s", i,
			     cases[i].change);
		cr_expect_not(notices(), "%zu: once", i);
		run("mkdir -p v/w/x; echo more >>a.pem");
		cr_expect(notices(), "%zu: again", i);
		run("rm -rf * ..[1-9]* ..data");
		notices();
	}
}

Test(watcher, follows_what_comes_later_step_by_step, .init = start,
     .fini = stop)
{
	static const char *const steps[] = {
		"mkdir v", "mkdir v/w", "ln -s ../real v/w/x", "mkdir v/real",
	};

	run("ln -s v/w/x/a a.pem");
	watch_it();
	for (size_t i = 0; i < COUNT(steps); i++) {
		run(steps[i]);
		cr_expect_not(notices(), "%s", steps[i]);
	}
	run("echo 1 >v/real/a");
	cr_expect(notices());
	run("rm -r v; mkdir -p v/w/x; echo 2 >v/w/x/a");
	cr_expect(notices());
	run("echo 3 >v/w/x/a");
	cr_expect(notices());
}

static const struct {
	const char *change;
	bool changed;
} folder_cases[] = {
	{ "echo 1 >certs/README", false },
	{ "echo 1 >certs/b.pem", true },
	{ "echo 2 >certs/b.pem", true },
	{ "mkdir certs/c", false },
	{ "mkdir certs/c/d", false },
	{ "echo 1 >certs/c/privkey.pem; echo 1 >certs/c/fullchain.pem", true },
	{ "echo 2 >certs/c/privkey.pem", true },
	{ "rm certs/b.pem", true },
	{ "rm -r certs/c", true },
	{ "rm certs/a.pem", true },
	{ "echo 1 >certs/a.pem", true },
	{ "rm -r certs", true },
	{ "mkdir certs", true },	/* a file in the eyes of before */
	{ "echo 1 >certs/a.pem", true },
};

Test(watcher, notices_what_comes_into_a_folder, .init = start, .fini = stop)
{
	run("mkdir certs; echo 1 >certs/a.pem");
	snprintf(chain, sizeof(chain), "%s/certs", dir);
	watch_it();
	for (size_t i = 0; i < COUNT(folder_cases); i++) {
		run(folder_cases[i].change);
		cr_expect_eq(notices(), folder_cases[i].changed, "%zu: %s", i,
			     folder_cases[i].change);
	}
}

Test(watcher, watches_lists_and_ticket_keys_even_if_not_told_to, .init = start,
     .fini = stop)
{
	run("mkdir lists; echo 1 >a.pem; echo 1 >lists/crl.pem; echo 1 "
	    ">tickets; echo 1 >ca.pem");
	config.watch = false;
	config.ticket_keys.path = tickets;
	listener.client.crls = (struct config_texts){ crls, 1 };
	listener.client.ca = chain;
	watch_it();
	run("echo 2 >a.pem");
	cr_expect_not(notices());
	run("echo 2 >lists/crl.pem");
	cr_expect(notices());
	run("echo 2 >tickets");
	cr_expect(notices());
	config.watch = true;
	watcher_use(watcher, &config);
	run("echo 3 >a.pem");
	cr_expect(notices());
}

Test(watcher, watches_all_that_is_read_for_a_certificate, .init = start,
     .fini = stop)
{
	static const char *const names[] = {
		"chain", "key", "password", "staple", "issuer", "ca", "crl",
	};
	char path[COUNT(names)][64], change[64];
	char *lists[] = { path[6] };
	size_t i;

	for (i = 0; i < COUNT(names); i++)
		snprintf(path[i], sizeof(path[i]), "%s/%s", dir, names[i]);
	cert = (struct config_cert){
		.chain = path[0], .key = path[1], .password_file = path[2],
		.staple_file = path[3], .issuer = path[4],
		.client = { .ca = path[5], .crls = { lists, 1 } },
	};
	watch_it();
	for (i = 0; i < COUNT(names); i++) {
		snprintf(change, sizeof(change), "echo 1 >%s", names[i]);
		run(change);
		cr_expect(notices(), "%s", names[i]);
	}
}

Test(watcher, needs_nothing_where_there_is_nothing_to_watch, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();

	config.watch = false;
	watch_it();
	cr_expect_eq(case_fds(), before);
	cr_expect_eq(watcher_due(watcher), UINT64_MAX);
	cr_expect_not(notices());
	config.watch = true;
	run("echo 1 >a.pem");
	watcher_use(watcher, &config);
	run("echo 2 >a.pem");
	cr_expect(notices(), "it is in the loop from then on");
}

/* --- when --------------------------------------------------------------------- */

Test(watcher, waits_until_it_is_quiet, .init = start, .fini = stop)
{
	uint64_t begun, due;

	run("echo 1 >a.pem");
	watch_it();
	cr_expect_neq(watcher_due(watcher), UINT64_MAX, "what is new");
	settle();
	begun = loop_now_ms();
	run("echo 2 >a.pem");
	hear();
	due = watcher_due(watcher);
	cr_assert_geq(due, begun + 500);
	cr_assert_leq(due, loop_now_ms() + 500);
	cr_expect_not(watcher_tick(watcher, due - 1));
	usleep(20000);
	run("echo 3 >a.pem");
	hear();
	cr_expect_gt(watcher_due(watcher), due);
	cr_expect_not(watcher_tick(watcher, due));
	cr_expect(watcher_tick(watcher, watcher_due(watcher)));
	cr_expect_eq(watcher_due(watcher), UINT64_MAX);
}

Test(watcher, waits_no_longer_than_five_seconds, .init = start, .fini = stop)
{
	uint64_t begun;

	run("echo 1 >a.pem");
	watch_it();
	begun = loop_now_ms();
	do {
		run("echo 2 >a.pem");
		hear();
		usleep(50000);
	} while (loop_now_ms() < begun + 4700);
	cr_expect_leq(watcher_due(watcher), begun + 5500);
	cr_expect(notices());
}

Test(watcher, tries_once_more_what_failed, .init = start, .fini = stop)
{
	uint64_t now = loop_now_ms();

	run("echo 1 >a.pem");
	settle();
	watcher_done(watcher, true, now);
	cr_expect_eq(watcher_due(watcher), UINT64_MAX, "it was not by us");
	run("echo 2 >a.pem");
	cr_assert(notices());
	watcher_use(watcher, &config);
	watcher_done(watcher, true, now);
	cr_expect_eq(watcher_due(watcher), now + 1000);
	cr_expect_not(watcher_tick(watcher, now + 999));
	cr_expect(watcher_tick(watcher, now + 1000));
	watcher_use(watcher, &config);
	watcher_done(watcher, true, now + 1001);
	cr_expect_eq(watcher_due(watcher), UINT64_MAX, "once");
	run("echo 3 >a.pem");
	cr_assert(notices());
	watcher_done(watcher, false, now);
	cr_expect_eq(watcher_due(watcher), UINT64_MAX, "it succeeded");
}

/* What changes while it is read is noticed when we come to it. */
Test(watcher, misses_nothing_before_it_is_attached, .init = start,
     .fini = stop)
{
	run("echo 1 >a.pem");
	watcher_use(watcher, &config);
	run("echo 2 >a.pem");
	watcher_attach(watcher, loop);
	cr_expect(notices());
}

/* So often is each of two files closed, in turn: the same again would be no event. */
static void close_often(int times)
{
	int folder = open(dir, O_PATH | O_DIRECTORY), i;

	for (i = 0; i < 2 * times; i++) {
		int fd = openat(folder, i % 2 ? "1" : "2", O_WRONLY);

		cr_assert_geq(fd, 0);
		close(fd);
	}
	close(folder);
}

Test(watcher, finds_a_change_in_an_overflow, .init = start, .fini = stop)
{
	FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	int max = 0;

	cr_assert(f && fscanf(f, "%d", &max) == 1);
	fclose(f);
	if (max > 100000)
		cr_skip_test("the queue is very long");
	run("mkdir v; echo 1 >v/a; ln -s v/a a.pem; echo 1 >1; echo 1 >2");
	watch_it();
	close_often(max);
	run("rm -r v; mkdir v; echo 2 >v/a");
	cr_expect(notices());
	run("echo 3 >v/a");
	cr_expect(notices(), "the new folder is watched");
}

/* --- the kernel's limits ------------------------------------------------------- */

static bool put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	close(fd);
	return n == (ssize_t)strlen(text);
}

/* An account of our own has limits of its own; false: not on this machine. */
static bool limit(const char *file, const char *value)
{
	char map[32], path[64];

	snprintf(map, sizeof(map), "0 %u 1", (unsigned int)geteuid());
	snprintf(path, sizeof(path), "/proc/sys/user/%s", file);
	return !unshare(CLONE_NEWUSER) && put("/proc/self/uid_map", map) &&
	       put(path, value);
}

static const char *warned(void)
{
	static char text[1024];
	int old_stderr = dup(STDERR_FILENO), i;
	int log = memfd_create("log", MFD_CLOEXEC);
	ssize_t n;

	dup2(log, STDERR_FILENO);
	for (i = 0; i < 2; i++)
		watch_it();
	dup2(old_stderr, STDERR_FILENO);
	n = pread(log, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(log);
	close(old_stderr);
	return text;
}

/* Returns whether it is still noticed, if late. */
static bool is_polled(void)
{
	uint64_t now = loop_now_ms();

	watcher_tick(watcher, now + 1000);
	now += 1000;
	if (watcher_due(watcher) != now + 60000)
		return false;
	if (watcher_tick(watcher, now + 60000))
		return false;
	return !system("echo 2 >$DIR/a.pem") &&
	       watcher_tick(watcher, now + 120000) &&
	       watcher_due(watcher) == now + 180000;
}

static void run_out_of(const char *file, const char *value, const char *what)
{
	const char *text, *warning;

	if (!limit(file, value))
		_exit(0);
	setenv("DIR", dir, 1);
	run("echo 1 >a.pem");
	text = warned();
	warning = strstr(text, "warn event=watch_incomplete");
	CHECK(warning && strstr(warning, what));
	CHECK(strchr(warning, '\n') == warning + strlen(warning) - 1);
	CHECK(is_polled());
}

static void run_out_of_watches(void)
{
	run_out_of("max_inotify_watches", "1",
		   "sysctl fs.inotify.max_user_watches");
}

static void run_out_of_instances(void)
{
	run_out_of("max_inotify_instances", "0",
		   "sysctl fs.inotify.max_user_instances");
}

Test(watcher, looks_from_time_to_time_where_it_cannot_watch, .init = start,
     .fini = stop)
{
	case_in_child(run_out_of_watches);
	case_in_child(run_out_of_instances);
}

// SPDX-License-Identifier: MIT
/*
 * The old master's side, with this program executed anew as the new one: what it
 * then does its second argument says.
 */
#include "agent/upgrade.h"

#include <signal.h>
#include <sys/prctl.h>

#include "agent/upgrade_join.h"
#include "agent_case.h"

TestSuite(upgrade, .timeout = 30);

static char self[256];
static const char *role;
static char *arguments[] = { self, NULL, NULL };
static struct upgrade u;
static int loop;

/* What the old one was told to do, and what clients were told. */
static unsigned int n_given, n_went_on, n_left;
static struct upgrade_taken left[8];
static char answer[512];
static uint64_t answered;

/* --- the new one ----------------------------------------------------------- */

static void serve(void)
{
	struct inherit set = { NULL, 0 };
	struct upgrade_join j;

	if (upgrade_join(&j, 5000) || upgrade_join_sockets(&j, &set) ||
	    set.n != 2)
		_exit(10);
	if (inherit_path(&set, INHERIT_CONTROL, "/ctl") < 0 ||
	    getenv(UPGRADE_ENV))
		_exit(11);
	upgrade_join_serves(&j, &set);
	sleep(1);	/* longer than the old one takes to hear of it */
	_exit(0);
}

__attribute__((constructor)) static void be_new(int argc, char **argv)
{
	struct upgrade_join j;
	const char *sock = getenv(UPGRADE_ENV);

	if (!sock || argc != 2)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!strcmp(argv[1], "serve"))
		serve();
	if (!strcmp(argv[1], "exit"))
		_exit(7);
	if (!strcmp(argv[1], "join"))
		_exit(upgrade_join(&j, 0) ? 4 : 5);
	if (!strcmp(argv[1], "twice")) {
		upgrade_say(atoi(sock), UPGRADE_HELLO, 0, NULL, NULL, 0);
		upgrade_say(atoi(sock), UPGRADE_HELLO, 0, NULL, NULL, 0);
	}
	if (!strcmp(argv[1], "tell") || !strcmp(argv[1], "late"))
		upgrade_say(atoi(sock), UPGRADE_FAILED, 0, "I would rather not",
			    NULL, 0);
	if (!strcmp(argv[1], "tell") || !strcmp(argv[1], "late"))
		_exit(1);
	pause();
}

/* --- the old one ----------------------------------------------------------- */

static void on_give(void *arg, struct upgrade_writer *w)
{
	cr_assert_eq(arg, &u);
	n_given++;
	upgrade_write(w, &(struct upgrade_record){
		      .type = UPGRADE_CONTROL, .number = 3, .data_len = 4 },
		      (int[]){ 2 }, "/ctl");
	upgrade_write(w, &(struct upgrade_record){
		      .type = UPGRADE_ROUTE, .number = 4, .data_len = 4 },
		      (int[]){ 2 }, "/web");
	if (!strcmp(role, "full"))
		w->err = -ENOMEM;
}

static void on_go_on(void *arg)
{
	(void)arg;
	n_went_on++;
}

static void on_leave(void *arg, const struct upgrade_taken *taken, size_t n)
{
	(void)arg;
	n_left++;
	cr_assert_leq(n, COUNT(left));
	memcpy(left, taken, n * sizeof(*taken));
	cr_expect_eq(n, 1, "%zu are taken", n);
}

static void on_answer(void *arg, uint64_t ticket, const char *text)
{
	(void)arg;
	answered = ticket;
	snprintf(answer, sizeof(answer), "%s", text);
}

static const struct upgrade_events events = { on_give, on_go_on, on_leave,
					      on_answer, &u };

static void init(const char *what)
{
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	cr_assert_gt(n, 0);
	/* It has no other init than us. */
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	role = what;
	arguments[1] = (char *)(!strcmp(what, "full") ? "join" : what);
	loop = loop_new();
	upgrade_init(&u, loop, &events, arguments);
}

static void fini(void)
{
	upgrade_fini(&u);
	close(loop);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

/* One round of master's loop; returns whether the new one has ended. */
static bool turn(void)
{
	cr_assert_eq(loop_wait(loop, 20), 0);
	return u.end.fd < 0;
}

static void begin(const char *what)
{
	init(what);
	upgrade_want(&u);
	cr_assert_neq(upgrade_tick(&u, loop_now_ms(), true), UINT64_MAX);
	cr_assert_gt(u.pid, 0);
}

Test(upgrade, goes_when_the_new_one_serves)
{
	uint64_t ticket;

	init("serve");
	ticket = upgrade_want(&u);
	cr_expect_eq(upgrade_tick(&u, loop_now_ms(), false), UINT64_MAX);
	cr_expect_eq(u.phase, UPGRADE_IDLE, "something else is under way");
	upgrade_tick(&u, loop_now_ms(), true);
	cr_expect_not(upgrade_given(&u));
	while (!n_left)
		cr_assert(!turn() || n_left, "it ended");
	cr_expect_eq(n_given, 1);
	cr_expect_eq(left[0].type, UPGRADE_CONTROL);
	cr_expect_eq(left[0].number, 3);
	cr_expect(upgrade_given(&u));
	cr_expect_neq(upgrade_tick(&u, loop_now_ms(), false), UINT64_MAX);
	cr_expect_not(answered, "workers still accept");
	cr_expect_eq(upgrade_tick(&u, loop_now_ms(), true), UINT64_MAX);
	cr_expect_eq(answered, ticket);
	cr_expect_eq(strncmp(answer, "ok pid=", 7), 0, "%s", answer);
	answered = 0;
	upgrade_tick(&u, loop_now_ms(), true);
	cr_expect_not(answered, "once");
	while (!turn())
		;
	cr_expect_eq(n_went_on, 0);
	fini();
}

/* What it says when it has ended, after it was given what we have or not. */
static void fails(const char *what, bool given, const char *why)
{
	begin(what);
	while (u.phase != UPGRADE_IDLE)
		turn();
	cr_expect_eq(n_given, given, "%s", what);
	cr_expect_eq(n_went_on, given, "%s", what);
	cr_expect_eq(n_left, 0);
	cr_expect_not(upgrade_given(&u));
	cr_expect_eq(strncmp(answer, "error: ", 7), 0);
	cr_expect(strstr(answer, why), "%s: %s", what, answer);
	fini();
}

Test(upgrade, serves_on_when_the_new_one_ends)
{
	fails("exit", false, "ended before it served");
}

Test(upgrade, serves_on_when_the_new_one_ends_with_what_it_was_given)
{
	fails("join", true, "ended before it served");
}

Test(upgrade, serves_on_when_the_new_one_says_why_it_does_not)
{
	fails("tell", false, "I would rather not");
}

Test(upgrade, hears_why_when_its_end_is_noticed_first)
{
	begin("late");
	cr_assert(case_readable(u.end.fd, 5000));
	u.end.ready(&u.end);
	cr_expect(strstr(answer, "I would rather not"), "%s", answer);
	fini();
}

Test(upgrade, serves_on_when_the_new_one_makes_no_sense)
{
	fails("twice", true, "makes no sense");
}

Test(upgrade, serves_on_when_it_cannot_write_all)
{
	fails("full", true, strerror(ENOMEM));
}

Test(upgrade, kills_a_new_one_that_takes_too_long)
{
	uint64_t due;

	begin("pause");
	due = upgrade_tick(&u, loop_now_ms(), true);
	cr_expect_geq(due, loop_now_ms() + 50000);
	cr_expect_eq(upgrade_tick(&u, due, true), UINT64_MAX);
	while (u.phase != UPGRADE_IDLE)
		turn();
	cr_expect(strstr(answer, "too long"), "%s", answer);
	cr_expect_eq(n_went_on, 0, "nothing was given");
	fini();
}

Test(upgrade, kills_it_when_it_has_to_stop)
{
	int end;

	begin("pause");
	end = dup(u.end.fd);
	upgrade_stop(&u);
	cr_expect(case_readable(end, 5000), "it has not ended");
	close(end);
	cr_expect_eq(u.end.fd, -1);
	cr_expect_eq(n_went_on, 0);
	fini();
}

Test(upgrade, refuses_a_second_one)
{
	begin("pause");
	cr_expect_neq(upgrade_want(&u), 0);
	upgrade_tick(&u, loop_now_ms(), true);
	cr_expect_str_eq(answer, "error: an upgrade is under way\n");
	cr_expect_eq(u.phase, UPGRADE_STARTED);
	fini();
}

Test(upgrade, serves_on_where_there_is_no_program)
{
	case_make_dir(self);
	strcat(self, "/x");
	cr_assert_eq(symlink("/bin/true", self), 0);
	role = "none";
	loop = loop_new();
	upgrade_init(&u, loop, &events, arguments);
	cr_assert_str_eq(u.program, self, "a link is not followed yet");
	unlink(self);
	upgrade_want(&u);
	upgrade_tick(&u, loop_now_ms(), true);
	while (u.phase != UPGRADE_IDLE)
		turn();
	cr_expect(strstr(answer, "cannot be executed: No such file"), "%s",
		  answer);
	*strrchr(self, '/') = '\0';
	rmdir(self);
	fini();
}

Test(upgrade, leaks_nothing)
{
	unsigned int before = case_fds();

	begin("exit");
	while (u.phase != UPGRADE_IDLE)
		turn();
	fini();
	cr_expect_eq(case_fds(), before);
}

/* --- the program ------------------------------------------------------------ */

static void program_is(const char *argv0, const char *expected)
{
	char *path = upgrade_program(argv0);

	cr_assert(path);
	cr_expect_str_eq(path, expected, "%s: %s", argv0 ? argv0 : "-", path);
	free(path);
}

Test(upgrade, finds_the_file_that_it_was_started_from)
{
	char *exe = realpath("/proc/self/exe", NULL);
	static char dir[32], path[64];

	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/prog", dir);
	cr_assert_eq(symlink("/bin/sh", path), 0);
	cr_assert_eq(chdir(dir), 0);
	program_is(path, path);
	snprintf(path, sizeof(path), "%s/./prog", dir);
	program_is("./prog", path);
	setenv("PATH", "relative::/nonexistent:/bin", 1);
	program_is("sh", "/bin/sh");
	program_is("no-program-of-this-name", exe);
	program_is("/nonexistent/ktlsd", exe);
	program_is("", exe);
	program_is(NULL, exe);
	unsetenv("PATH");
	program_is("sh", exe);
	cr_assert_eq(chdir("/"), 0);
	case_remove_dir(dir, (const char *const[]){ "prog", NULL });
	free(exe);
}

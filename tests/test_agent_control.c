// SPDX-License-Identifier: MIT
#include "agent/control.h"

#include <sys/un.h>

#include "agent_case.h"

TestSuite(control, .timeout = 10);

static char dir[32], path[64];
static int loop;
static struct control *control;

static void print_value(void *arg, const char *argument, FILE *out)
{
	cr_expect_null(argument);
	fprintf(out, "value %s\n", (const char *)arg);
}

static void print_much(void *arg, const char *argument, FILE *out)
{
	unsigned int i;

	(void)arg;
	(void)argument;
	for (i = 0; i < 200000; i++)
		fprintf(out, "line %u\n", i);
}

static void print_echo(void *arg, const char *argument, FILE *out)
{
	(void)arg;
	fprintf(out, "<%s>\n", argument ? argument : "nothing");
}

static uint64_t begin_later(void *arg)
{
	(void)arg;
	return 7;
}

static const struct control_command commands[] = {
	{ "value", false, print_value, NULL },
	{ "much", false, print_much, NULL },
	{ "echo", true, print_echo, NULL },
	{ "later", false, NULL, begin_later },
	{ NULL, false, NULL, NULL },
};

static void start(void)
{
	char error[256] = "";

	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	loop = loop_new();
	control = control_open(path, -1, loop, commands, (void *)"seven", error,
			       sizeof(error));
	cr_assert(control, "%s", error);
}

static void stop(void)
{
	control_close(control);
	close(loop);
	case_remove_dir(dir, NULL);
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(fd, (void *)&addr, sizeof(addr)), 0);
	return fd;
}

static void run(void)
{
	unsigned int i;

	for (i = 0; i < 20; i++)
		cr_assert_eq(loop_wait(loop, 0), 0);
}

static bool whole;	/* the last answer was, as its NUL says */

/* All that comes until the end, which the loop has to bring. */
static const char *read_answer(int fd)
{
	static char answer[4 << 20];
	size_t got = 0;
	ssize_t n;

	while ((n = recv(fd, answer + got, sizeof(answer) - 1 - got,
			 MSG_DONTWAIT))) {
		if (n > 0)
			got += (size_t)n;
		else if (errno == EAGAIN)
			cr_assert_eq(loop_wait(loop, 10), 0);
		else
			break;
	}
	answer[got] = '\0';
	whole = got && strlen(answer) == got - 1;
	close(fd);
	return answer;
}

static const char *ask(const char *request, size_t len)
{
	int fd = dial();

	cr_assert_eq(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	return read_answer(fd);
}

#define COMMANDS "error: unknown command; there are: value much echo later\n"

static const struct {
	const char *request, *answer;
} requests[] = {
	{ "value\n", "value seven\n" },
	{ "value\r\n", "value seven\n" },
	{ "value", "value seven\n" },
	{ "value\nmuch\n", "value seven\n" },
	{ "values\n", COMMANDS },
	{ "\n", COMMANDS },
	{ "value much\n", "error: value takes no argument\n" },
	{ "value \n", "error: value takes no argument\n" },
	{ "later now\n", "error: later takes no argument\n" },
	{ "val\n", COMMANDS },
	{ " value\n", COMMANDS },
	{ "echo\n", "<nothing>\n" },
	{ "echo \n", "<>\n" },
	{ "echo /etc/a b.pem\n", "</etc/a b.pem>\n" },
};

Test(control, answers_a_line_with_a_text_and_the_end, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds(), i;

	for (i = 0; i < COUNT(requests); i++) {
		cr_expect_str_eq(ask(requests[i].request,
				     strlen(requests[i].request)),
				 requests[i].answer);
		cr_expect(whole);
	}
	cr_assert_eq(case_fds(), before);
}

Test(control, answers_garbage_with_the_commands_it_knows, .init = start,
     .fini = stop)
{
	static char garbage[4096];
	unsigned int before = case_fds();

	memset(garbage, 0xfe, sizeof(garbage));
	garbage[7] = '\0';
	cr_expect_str_eq(ask(garbage, sizeof(garbage)), COMMANDS);
	cr_expect_str_eq(ask("\0value\n", 7), COMMANDS);
	cr_assert_eq(case_fds(), before);
}

Test(control, takes_the_longest_path_as_an_argument, .init = start,
     .fini = stop)
{
	static char line[5000] = "echo ";
	const char *answer;

	memset(line + 5, 'a', 4095);
	line[5 + 4095] = '\n';
	answer = ask(line, strlen(line));
	cr_assert_eq(strlen(answer), 4095 + 3);
}

Test(control, gives_an_answer_beyond_any_buffer_whole, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();
	const char *answer = ask("much\n", 5);

	cr_assert_gt(strlen(answer), 2000000);
	cr_assert(strstr(answer, "line 199999\n"));
	cr_assert(whole);
	cr_assert_eq(case_fds(), before);
}

Test(control, serves_others_while_a_client_does_not_read, .init = start,
     .fini = stop)
{
	int fd = dial();

	cr_assert_eq(send(fd, "much\n", 5, 0), 5);
	run();
	cr_assert_str_eq(ask("value\n", 6), "value seven\n");
	/* Nothing of it was lost meanwhile. */
	cr_assert(strstr(read_answer(fd), "line 199999\n"));
}

Test(control, hangs_up_on_who_reads_nothing_for_ten_seconds, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();
	int silent = dial(), slow = dial();
	uint64_t due, now;
	char some[60000];

	run();
	cr_assert_eq(control_tick(control, loop_now_ms()), UINT64_MAX,
		     "one that has not asked has time");
	cr_assert_eq(send(slow, "much\n", 5, 0), 5);
	run();
	due = control_tick(control, now = loop_now_ms());
	cr_assert_leq(due, now + 10000);
	cr_assert_gt(due, now + 5000);
	/* Each thing it takes gives it time again. */
	usleep(20000);
	while (recv(slow, some, sizeof(some), MSG_DONTWAIT) > 0)
		;
	run();
	cr_assert_gt(control_tick(control, due), due);
	cr_assert_eq(control_tick(control, due + 20000), UINT64_MAX);
	cr_assert_eq(case_fds(), before + 3);
	cr_assert_eq(strstr(read_answer(slow), "line 199999"), NULL);
	cr_assert_not(whole, "and it can tell");
	close(silent);
	run();
	cr_assert_eq(case_fds(), before);
}

Test(control, forgets_a_client_that_hangs_up_in_its_answer, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds();
	int fd = dial();

	cr_assert_eq(send(fd, "much\n", 5, 0), 5);
	run();
	close(fd);
	run();
	cr_assert_eq(case_fds(), before);
	cr_assert_eq(control_tick(control, loop_now_ms()), UINT64_MAX);
}

Test(control, is_for_its_owner_alone_and_removed_at_the_end, .init = start,
     .fini = stop)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode, S_IFSOCK | 0600);
	cr_assert_eq(st.st_uid, geteuid());
	control_close(control);
	control = NULL;
	cr_assert(access(path, F_OK));
}

Test(control, keeps_silent_clients_but_not_many, .init = start, .fini = stop)
{
	unsigned int before = case_fds(), i;
	int fd[100];

	for (i = 0; i < COUNT(fd); i++) {
		fd[i] = dial();
		run();
	}
	cr_assert_lt(case_fds(), before + COUNT(fd) + 20);
	/* It is the oldest that had to go. */
	cr_assert(case_readable(fd[0], 0));
	cr_assert_not(case_readable(fd[COUNT(fd) - 1], 0));
	cr_assert_str_eq(ask("value\n", 6), "value seven\n");
	for (i = 0; i < COUNT(fd); i++)
		close(fd[i]);
	run();
	cr_assert_eq(case_fds(), before);
}

/* They come from before the end of the service; a silent one asks after it. */
Test(control, ends_its_clients_with_itself, .init = start, .fini = stop)
{
	unsigned int before = case_fds();
	int one = dial(), two = dial();

	run();
	control_close(control);
	control = NULL;
	cr_assert_eq(send(one, "value\n", 6, MSG_NOSIGNAL), -1);
	close(two);
	run();
	close(one);
	cr_assert_eq(case_fds(), before - 1);
}

static int ask_later(void)
{
	int fd = dial();

	cr_assert_eq(send(fd, "later\n", 6, MSG_NOSIGNAL), 6);
	run();
	return fd;
}

Test(control, answers_later_all_who_wait_for_it, .init = start, .fini = stop)
{
	int one = ask_later(), two = ask_later(), gone = ask_later();

	close(gone);
	run();
	control_answer(control, 6, "of something else\n");
	cr_expect_not(case_readable(one, 0));
	cr_expect_str_eq(ask("value\n", 6), "value seven\n");
	control_answer(control, 7, "done\n");
	cr_expect_str_eq(read_answer(one), "done\n");
	cr_expect_str_eq(read_answer(two), "done\n");
	cr_expect(whole);
}

Test(control, moves_to_another_path_with_its_clients, .init = start,
     .fini = stop)
{
	char old[64], error[256] = "";
	int waits = ask_later(), fd;

	strcpy(old, path);
	strcat(path, "2");
	fd = control_listen(path, error, sizeof(error));
	cr_assert_geq(fd, 0, "%s", error);
	cr_expect_str_eq(control_path(control), old);
	cr_assert_eq(control_move(control, path, fd), 0);
	cr_expect_str_eq(control_path(control), path);
	cr_expect(access(old, F_OK));
	cr_expect_str_eq(ask("value\n", 6), "value seven\n");
	control_answer(control, 7, "done\n");
	cr_expect_str_eq(read_answer(waits), "done\n");
}

Test(control, leaves_its_socket_to_another_but_answers_who_waits,
     .init = start, .fini = stop)
{
	int waits = ask_later(), silent = dial(), fd, later;
	char byte;

	run();
	fd = dup(control_fd(control));
	control_pause(control);
	later = dial();
	send(later, "value\n", 6, 0);
	run();
	cr_expect_eq(recv(later, &byte, 1, MSG_DONTWAIT), -1, "it is paused");
	control_resume(control);
	cr_expect_str_eq(read_answer(later), "value seven\n");
	control_leave(control, true);
	cr_expect_eq(control_fd(control), -1);
	cr_expect_str_eq(control_path(control), "");
	cr_expect_eq(recv(silent, &byte, 1, MSG_DONTWAIT), 0,
		     "nobody is left to ask");
	control_answer(control, 7, "done\n");
	cr_expect_str_eq(read_answer(waits), "done\n");
	control_close(control);
	cr_assert_eq(access(path, F_OK), 0, "it is somebody else's");
	/* Who goes on with it, and removes it. */
	control = control_open(path, fd, loop, commands, (void *)"eight", NULL,
			       0);
	cr_expect_str_eq(ask("value\n", 6), "value eight\n");
}

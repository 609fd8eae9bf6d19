// SPDX-License-Identifier: MIT
#include "agent/control.h"

#include <sys/un.h>

#include "agent_case.h"

TestSuite(control, .timeout = 10);

static char dir[32], path[64];
static int loop;
static struct control *control;

static void print_value(void *arg, FILE *out)
{
	fprintf(out, "value %s\n", (const char *)arg);
}

static void print_much(void *arg, FILE *out)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < 8000; i++)
		fprintf(out, "line %u\n", i);
}

static const struct control_command commands[] = {
	{ "value", print_value },
	{ "much", print_much },
	{ NULL, NULL },
};

static void start(void)
{
	char error[256] = "";

	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	loop = loop_new();
	control = control_open(path, loop, commands, (void *)"seven", error,
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

/* Sends @request and returns all that comes back until the end. */
static const char *ask(const char *request, size_t len)
{
	static char answer[1 << 20];
	size_t got = 0;
	int fd = dial();
	ssize_t n;

	cr_assert_eq(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
	run();
	while ((n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0)) > 0)
		got += (size_t)n;
	answer[got] = '\0';
	close(fd);
	return answer;
}

static const struct {
	const char *request, *answer;
} requests[] = {
	{ "value\n", "value seven\n" },
	{ "value\r\n", "value seven\n" },
	{ "value", "value seven\n" },
	{ "value\nmuch\n", "value seven\n" },
	{ "values\n", "error: unknown command; there are: value much\n" },
	{ "\n", "error: unknown command; there are: value much\n" },
	{ "value much\n", "error: unknown command; there are: value much\n" },
};

Test(control, answers_a_line_with_a_text_and_the_end, .init = start,
     .fini = stop)
{
	unsigned int before = case_fds(), i;

	for (i = 0; i < COUNT(requests); i++)
		cr_expect_str_eq(ask(requests[i].request,
				     strlen(requests[i].request)),
				 requests[i].answer);
	cr_assert_eq(case_fds(), before);
}

Test(control, answers_garbage_with_the_commands_it_knows, .init = start,
     .fini = stop)
{
	static char garbage[4096];
	unsigned int before = case_fds();

	memset(garbage, 0xfe, sizeof(garbage));
	garbage[7] = '\0';
	cr_expect(strstr(ask(garbage, sizeof(garbage)), "unknown command"));
	cr_expect(strstr(ask("\0value\n", 7), "unknown command"));
	cr_assert_eq(case_fds(), before);
}

Test(control, gives_a_long_answer_whole, .init = start, .fini = stop)
{
	const char *answer = ask("much\n", 5);

	cr_assert_gt(strlen(answer), 70000);
	cr_assert(strstr(answer, "line 7999\n"));
}

Test(control, does_not_wait_for_a_client_that_does_not_read, .init = start,
     .fini = stop)
{
	int fd = dial(), size = 4608;

	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	cr_assert_eq(send(fd, "much\n", 5, 0), 5);
	run();
	cr_assert_str_eq(ask("value\n", 6), "value seven\n");
	close(fd);
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

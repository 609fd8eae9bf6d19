// SPDX-License-Identifier: MIT
#include "agent/keylog.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "agent_case.h"

TestSuite(keylog, .timeout = 20);

static char dir[] = "/tmp/test_agent_keylog.XXXXXX";
static char file[64], said[2048], text[65536];
static struct config config;

static void start(void)
{
	cr_assert(mkdtemp(dir));
	sprintf(file, "%s/keys", dir);
	config.keylog = file;
}

static void stop(void)
{
	unlink(file);
	rmdir(dir);
}

/* Opens, and keeps what was logged. */
static int try(struct keylog **log)
{
	int old = dup(STDERR_FILENO), err;
	FILE *f = tmpfile();

	dup2(fileno(f), STDERR_FILENO);
	err = keylog_open(&config, log);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(f);
	said[fread(said, 1, sizeof(said) - 1, f)] = '\0';
	fclose(f);
	return err;
}

static const char *content(void)
{
	FILE *f = fopen(file, "r");

	cr_assert(f);
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	return text;
}

Test(keylog, is_off_without_a_word_of_it)
{
	struct keylog *log = (void *)&config;

	cr_assert_eq(try(&log), 0);
	cr_assert_null(log);
	cr_assert_str_empty(said);
	cr_assert_eq(keylog_fd(NULL), -1);
	keylog_close(NULL);
	keylog_use(NULL);
	keylog_write("nothing to write to");
}

Test(keylog, is_made_for_its_owner_alone_and_appended_to, .init = start,
     .fini = stop)
{
	struct keylog *log;
	struct stat st;

	umask(0);
	cr_assert_eq(try(&log), 0);
	cr_expect(strstr(said, " warn event=keylog_on file="), "%s", said);
	cr_assert_eq(fstat(keylog_fd(log), &st), 0);
	cr_expect_eq(st.st_mode, S_IFREG | 0600);
	cr_expect(fcntl(keylog_fd(log), F_GETFD) & FD_CLOEXEC);
	keylog_use(log);
	keylog_write("first");
	keylog_close(log);
	keylog_write("after the end");

	cr_assert_eq(try(&log), 0);
	keylog_use(log);
	keylog_write("second");
	keylog_close(log);
	cr_expect_str_eq(content(), "first\nsecond\n");
}

Test(keylog, takes_no_line_that_is_too_long, .init = start, .fini = stop)
{
	struct keylog *log;
	char line[600];

	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	cr_assert_eq(try(&log), 0);
	keylog_use(log);
	keylog_write(line);
	keylog_close(log);
	cr_expect_str_empty(content());
}

static void make_link(void)
{
	cr_assert_eq(symlink("elsewhere", file), 0);
}

static void make_fifo(void)
{
	cr_assert_eq(mkfifo(file, 0600), 0);
}

static void make_readable(void)
{
	close(creat(file, 0600));
	cr_assert_eq(chmod(file, 0640), 0);
}

static void make_folder(void)
{
	cr_assert_eq(mkdir(file, 0700), 0);
}

static void make_foreign(void)
{
	close(creat(file, 0600));
	cr_assert_eq(chown(file, CASE_NOBODY, CASE_NOBODY), 0);
}

static const struct {
	void (*make)(void);
	const char *error;
	bool root;
} unfit[] = {
	{ make_link, "it is a symbolic link", false },
	{ make_fifo, "No such device or address", false },
	{ make_readable, "others may access it: chmod 600 it", false },
	{ make_folder, "Is a directory", false },
	{ make_foreign, "it is another user's", true },
};

Test(keylog, is_refused_where_others_may_have_a_hand_in_it, .init = start,
     .fini = stop)
{
	for (size_t i = 0; i < COUNT(unfit); i++) {
		struct keylog *log;

		if (unfit[i].root && geteuid())
			continue;
		unfit[i].make();
		cr_expect_lt(try(&log), 0);
		cr_expect_null(log);
		cr_expect(strstr(said, " error event=keylog_failed file="));
		cr_expect(strstr(said, unfit[i].error), "%s", said);
		if (unlink(file))
			rmdir(file);
	}
}

Test(keylog, gets_whole_lines_from_several_processes, .init = start,
     .fini = stop)
{
	unsigned int count[3] = { 0 };
	struct keylog *log;
	char line[201] = "";

	cr_assert_eq(try(&log), 0);
	keylog_use(log);
	for (int i = 0; i < 3; i++) {
		memset(line, 'a' + i, sizeof(line) - 1);
		if (fork())
			continue;
		for (int k = 0; k < 100; k++)
			keylog_write(line);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	keylog_close(log);
	for (const char *p = content(); *p; p += sizeof(line)) {
		memset(line, *p, sizeof(line) - 1);
		cr_assert(!memcmp(p, line, 200) && p[200] == '\n');
		count[*p - 'a']++;
	}
	for (int i = 0; i < 3; i++)
		cr_expect_eq(count[i], 100);
}

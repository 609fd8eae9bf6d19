/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "ocsp/store.h"

/* In the tables, what is left out is zero on purpose. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* The real files in a folder of the test's own. */
static char path[] = "/tmp/test_ocsp_store.XXXXXX";
static struct ocsp_files files;

/*
 * The fake ones do as the real ones do, but for call number @fail_at, counted
 * from 1, of @fail_op, which returns @fail_with, or kills the process.
 */
#define KILL -9999
enum op { OPEN, STAT, READ, WRITE, SYNC, CLOSE, RENAME, UNLINK, LOOK, LIST };

static enum op fail_op;
static int fail_at, calls[LIST + 1];
static ssize_t fail_with;
static size_t chunk;	/* bytes that one read or write does at most */
static int interrupts;	/* how many reads, writes and syncs do nothing */

static bool fails(enum op op)
{
	if (++calls[op] != fail_at || op != fail_op)
		return false;
	if (fail_with == KILL)
		raise(SIGKILL);
	return true;
}

static int fake_open(int dir, const char *name, int flags, mode_t mode)
{
	return fails(OPEN) ? (int)fail_with :
			     files.open(dir, name, flags, mode);
}

static int fake_stat(int fd, struct stat *st)
{
	return fails(STAT) ? (int)fail_with : files.stat(fd, st);
}

static ssize_t fake_read(int fd, void *buf, size_t len)
{
	if (fails(READ))
		return fail_with;
	if (interrupts && interrupts--)
		return -EINTR;
	return files.read(fd, buf, chunk && chunk < len ? chunk : len);
}

static ssize_t fake_write(int fd, const void *buf, size_t len)
{
	if (fails(WRITE))
		return fail_with;
	if (interrupts && interrupts--)
		return -EINTR;
	return files.write(fd, buf, chunk && chunk < len ? chunk : len);
}

static int fake_sync(int fd)
{
	if (fails(SYNC))
		return (int)fail_with;
	if (interrupts && interrupts--)
		return -EINTR;
	return files.sync(fd);
}

static int fake_close(int fd)
{
	int ret = files.close(fd);

	return fails(CLOSE) ? (int)fail_with : ret;
}

static int fake_rename(int dir, const char *from, const char *to)
{
	return fails(RENAME) ? (int)fail_with : files.rename(dir, from, to);
}

static int fake_unlink(int dir, const char *name)
{
	return fails(UNLINK) ? (int)fail_with : files.unlink(dir, name);
}

static int fake_look(int dir, const char *name, struct stat *st)
{
	return fails(LOOK) ? (int)fail_with : files.look(dir, name, st);
}

static int fake_list(int dir, void (*each)(void *arg, const char *name),
		     void *arg)
{
	return fails(LIST) ? (int)fail_with : files.list(dir, each, arg);
}

static struct ocsp_files fake;

static void let_fail(enum op op, int at, ssize_t with)
{
	memset(calls, 0, sizeof(calls));
	fail_op = op;
	fail_at = at;
	fail_with = with;
}

static const uint8_t mine[OCSP_FINGERPRINT_LEN] = {
	0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
};
#define MINE \
	"0123456789abcdef" \
	"000000000000000000000000000000000000000000000000.der"

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	ocsp_files_init(&files, open(path, O_RDONLY | O_DIRECTORY));
	cr_assert_geq(files.dir, 0);
	fake = (struct ocsp_files){
		files.dir, fake_open, fake_stat, fake_read, fake_write,
		fake_sync, fake_close, fake_rename, fake_unlink, fake_look,
		fake_list,
	};
	let_fail(OPEN, 0, 0);
	chunk = 0;
	interrupts = 0;
}

static void remove_one(void *arg, const char *name)
{
	(void)arg;
	if (unlinkat(files.dir, name, 0))
		unlinkat(files.dir, name, AT_REMOVEDIR);
}

static void teardown(void)
{
	files.list(files.dir, remove_one, NULL);
	close(files.dir);
	rmdir(path);
}

TestSuite(ocsp_store, .init = setup, .fini = teardown, .timeout = 60);

static void count_one(void *arg, const char *name)
{
	*(int *)arg += name[0] != '.' || strlen(name) > 2;
}

static int count(void)
{
	int n = 0;

	cr_assert_eq(files.list(files.dir, count_one, &n), 0);
	return n;
}

static uint8_t buf[OCSP_MAX_LEN + 1];

static void expect_stored(const char *want, const char *what)
{
	ssize_t n = ocsp_store_read(&files, mine, buf);

	cr_assert_eq(n, strlen(want), "%s: %zd", what, n);
	cr_expect_arr_eq(buf, want, strlen(want), "%s", what);
}

static struct ocsp_bytes bytes(const char *text)
{
	return (struct ocsp_bytes){ (const uint8_t *)text, strlen(text) };
}

Test(ocsp_store, reads_back_what_it_wrote)
{
	struct stat st;

	cr_expect_eq(ocsp_store_read(&files, mine, buf), -ENOENT);
	cr_assert_eq(ocsp_store_write(&files, mine, bytes("one")), 0);
	expect_stored("one", "the first");
	cr_assert_eq(ocsp_store_write(&files, mine, bytes("the second")), 0);
	expect_stored("the second", "the second");
	cr_assert_eq(ocsp_store_write(&files, mine, bytes("3")), 0);
	expect_stored("3", "a shorter one");
	cr_expect_eq(count(), 1);
	cr_assert_eq(files.look(files.dir, MINE, &st), 0);
	cr_expect_eq(st.st_size, 1);
	cr_expect_eq(ocsp_store_remove(&files, mine), 0);
	cr_expect_eq(ocsp_store_remove(&files, mine), -ENOENT);
	cr_expect_eq(count(), 0);
}

Test(ocsp_store, takes_64_kib_and_no_byte_more)
{
	static uint8_t big[OCSP_MAX_LEN + 2];
	struct ocsp_bytes der = { big, OCSP_MAX_LEN };
	size_t i;
	int fd;

	for (i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 7 + i / 256);
	cr_assert_eq(ocsp_store_write(&files, mine, der), 0);
	cr_assert_eq(ocsp_store_read(&files, mine, buf), OCSP_MAX_LEN);
	cr_expect_arr_eq(buf, big, OCSP_MAX_LEN);
	for (der.len++; der.len <= sizeof(big); der.len++) {
		cr_expect_eq(ocsp_store_write(&files, mine, der), -EFBIG);
		cr_expect_eq(ocsp_store_read(&files, mine, buf), OCSP_MAX_LEN);
		fd = openat(files.dir, MINE, O_WRONLY | O_TRUNC);
		cr_assert_eq(write(fd, big, der.len), (ssize_t)der.len);
		close(fd);
		cr_expect_eq(ocsp_store_read(&files, mine, buf), -EFBIG);
		fd = openat(files.dir, MINE, O_WRONLY | O_TRUNC);
		cr_assert_eq(write(fd, big, OCSP_MAX_LEN), OCSP_MAX_LEN);
		close(fd);
	}
	cr_expect_eq(count(), 1);
}

Test(ocsp_store, copes_with_short_and_interrupted_operations)
{
	for (chunk = 1; chunk < 12; chunk++) {
		interrupts = 3;
		cr_assert_eq(ocsp_store_write(&fake, mine,
					      bytes("some response")),
			     0);
		interrupts = 3;
		memset(buf, 0, sizeof(buf));
		cr_assert_eq(ocsp_store_read(&fake, mine, buf), 13);
		cr_expect_arr_eq(buf, "some response", 13);
		cr_assert_eq(ocsp_store_remove(&fake, mine), 0);
	}
	/* Both syncs. */
	chunk = 0;
	let_fail(SYNC, 1, -EINTR);
	cr_expect_eq(ocsp_store_write(&fake, mine, bytes("a")), 0);
	let_fail(SYNC, 2, -EINTR);
	cr_expect_eq(ocsp_store_write(&fake, mine, bytes("b")), 0);
	let_fail(CLOSE, 1, -EINTR);
	cr_expect_eq(ocsp_store_write(&fake, mine, bytes("c")), 0);
	expect_stored("c", "after interruptions");
	cr_expect_eq(count(), 1);
}

Test(ocsp_store, leaves_the_old_response_whole_whatever_fails)
{
	static const struct {
		enum op op;
		int at;
		int with, want;
	} cases[] = {
		{ OPEN, 1, -EACCES, -EACCES },
		{ OPEN, 1, -EMFILE, -EMFILE },
		{ OPEN, 1, -ELOOP, -ELOOP },
		{ WRITE, 1, -ENOSPC, -ENOSPC },
		{ WRITE, 2, -ENOSPC, -ENOSPC },
		{ WRITE, 2, -EIO, -EIO },
		{ WRITE, 2, 0, -EIO },
		{ SYNC, 1, -EIO, -EIO },
		{ SYNC, 1, -EDQUOT, -EDQUOT },
		{ CLOSE, 1, -EIO, -EIO },
		{ RENAME, 1, -EROFS, -EROFS },
	};
	size_t i;

	cr_assert_eq(ocsp_store_write(&files, mine, bytes("the old one")), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		chunk = 4;
		let_fail(cases[i].op, cases[i].at, cases[i].with);
		cr_expect_eq(ocsp_store_write(&fake, mine,
					      bytes("the new one")),
			     cases[i].want, "case %zu", i);
		expect_stored("the old one", "after a failure");
		cr_expect_eq(count(), 1, "case %zu: temporary file", i);
	}
	let_fail(SYNC, 2, -EIO);
	cr_expect_eq(ocsp_store_write(&fake, mine, bytes("the new one")),
		     -EIO);
	expect_stored("the new one", "the folder could not be synced");
	cr_expect_eq(count(), 1);
}

Test(ocsp_store, tells_why_it_cannot_read)
{
	static const struct {
		enum op op;
		int at;
	} cases[] = {
		{ OPEN, 1 }, { STAT, 1 }, { READ, 1 }, { READ, 2 },
	};
	int fd = dup(files.dir), after;
	size_t i;

	cr_assert_eq(ocsp_store_write(&files, mine, bytes("response")), 0);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		chunk = 4;
		let_fail(cases[i].op, cases[i].at, -EIO);
		cr_expect_eq(ocsp_store_read(&fake, mine, buf), -EIO,
			     "case %zu", i);
	}
	/* No descriptor is left behind. */
	close(fd);
	after = dup(files.dir);
	cr_expect_eq(after, fd);
	close(after);
}

Test(ocsp_store, keeps_other_files_by_the_name_and_mode_they_are_given)
{
	char longest[OCSP_STORE_NAME + 1] = "";
	struct stat st;

	cr_assert_eq(ocsp_files_write(&files, "other", 0600, bytes("text")), 0);
	cr_assert_eq(ocsp_files_read(&files, "other", buf, 3, &st), 3);
	cr_expect_arr_eq(buf, "tex", 3);
	cr_expect_eq(st.st_mode, S_IFREG | 0600);
	cr_expect_eq(st.st_uid, geteuid());
	cr_expect_eq(st.st_size, 4);
	memset(longest, 'a', OCSP_STORE_NAME - 1);
	cr_expect_eq(ocsp_files_write(&files, longest, 0600, bytes("a")), 0);
	longest[OCSP_STORE_NAME - 1] = 'a';
	cr_expect_eq(ocsp_files_write(&files, longest, 0600, bytes("a")),
		     -ENAMETOOLONG);
	cr_expect_eq(count(), 2);
}

/* Another process writes, and is killed in front of an operation. */
static void write_killed(enum op op, int at, const char *text)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		chunk = 4;
		let_fail(op, at, KILL);
		ocsp_store_write(&fake, mine, bytes(text));
		_exit(1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

Test(ocsp_store, survives_a_kill_at_any_moment)
{
	static const struct {
		enum op op;
		int at;
		bool renamed;
	} cases[] = {
		{ OPEN, 1 },   { WRITE, 1 },  { WRITE, 2 }, { SYNC, 1 },
		{ CLOSE, 1 },  { RENAME, 1 }, { SYNC, 2, true },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(ocsp_store_write(&files, mine, bytes("old")), 0);
		write_killed(cases[i].op, cases[i].at, "the new one");
		expect_stored(cases[i].renamed ? "the new one" : "old",
			      "after a kill");
		/* The next one need not wait for the sweep. */
		cr_expect_eq(ocsp_store_write(&files, mine, bytes("next")), 0);
		expect_stored("next", "after the next one");
		cr_expect_eq(ocsp_store_sweep(&files, 0, 30),
			     !(cases[i].renamed || cases[i].op == OPEN),
			     "case %zu", i);
		cr_expect_eq(count(), 1, "case %zu", i);
	}
}

Test(ocsp_store, takes_ten_temporary_files_for_enough)
{
	int i;

	cr_assert_eq(ocsp_store_write(&files, mine, bytes("old")), 0);
	for (i = 0; i < 10; i++)
		write_killed(WRITE, 2, "killed");
	cr_expect_eq(ocsp_store_write(&files, mine, bytes("new")), -EEXIST);
	expect_stored("old", "in the way");
	cr_expect_eq(count(), 11);
	cr_expect_eq(ocsp_store_sweep(&files, 0, 30), 10);
	cr_expect_eq(ocsp_store_write(&files, mine, bytes("new")), 0);
	expect_stored("new", "after the sweep");
}

Test(ocsp_store, says_that_a_folder_is_in_the_way_whatever_the_kernel_does)
{
	cr_assert_eq(mkdirat(files.dir, MINE, 0700), 0);
	cr_expect_eq(ocsp_store_write(&files, mine, bytes("a")), -EISDIR);
	let_fail(RENAME, 1, -EACCES);
	cr_expect_eq(ocsp_store_write(&fake, mine, bytes("a")), -EISDIR);
	cr_expect_eq(count(), 1);
}

Test(ocsp_store, reads_regular_files_only_and_never_waits)
{
	int fd = openat(files.dir, "target", O_WRONLY | O_CREAT, 0600);

	cr_assert_eq(write(fd, "foreign", 7), 7);
	close(fd);
	cr_assert_eq(symlinkat("target", files.dir, MINE), 0);
	cr_expect_eq(ocsp_store_read(&files, mine, buf), -EINVAL, "a link");
	/* Writing replaces the link, not what it leads to. */
	cr_expect_eq(ocsp_store_write(&files, mine, bytes("new")), 0);
	expect_stored("new", "instead of the link");
	fd = openat(files.dir, "target", O_RDONLY);
	cr_expect_eq(read(fd, buf, sizeof(buf)), 7);
	close(fd);
	ocsp_store_remove(&files, mine);

	cr_assert_eq(mkfifoat(files.dir, MINE, 0600), 0);
	cr_expect_eq(ocsp_store_read(&files, mine, buf), -EINVAL, "a FIFO");
	ocsp_store_remove(&files, mine);

	cr_assert_eq(mkdirat(files.dir, MINE, 0700), 0);
	cr_expect_eq(ocsp_store_read(&files, mine, buf), -EINVAL, "a folder");
	cr_expect_lt(ocsp_store_write(&files, mine, bytes("new")), 0);
	cr_expect_eq(count(), 2);
}

#define WRITTEN INT64_C(1700000000)
#define DAY 86400

static void put_file(const char *name)
{
	const struct timespec times[] = { { WRITTEN }, { WRITTEN } };
	int fd = openat(files.dir, name, O_WRONLY | O_CREAT, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(futimens(fd, times), 0);
	close(fd);
}

#define SIXTEEN "0123456789abcdef"
#define DIGITS SIXTEEN SIXTEEN SIXTEEN SIXTEEN

static const char *const foreign[] = {
	"README", "lost+found", ".hidden", ".der", DIGITS,
	DIGITS "0.der", "0" DIGITS ".der.tmp0", DIGITS ".pem",
	DIGITS ".der.bak", DIGITS ".der.tmp", DIGITS ".der.tmpx",
	DIGITS ".der.tmp10", DIGITS ".der~", DIGITS ".tmp0",
	"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"
	".der.tmp0",
};
#define FOREIGN (int)(sizeof(foreign) / sizeof(foreign[0]))

Test(ocsp_store, sweeps_what_is_old_and_its_own)
{
	static const struct {
		int64_t now;
		unsigned int days;
		bool swept;
	} cases[] = {
		{ WRITTEN, 30, false },
		{ WRITTEN + 30 * DAY, 30, false },
		{ WRITTEN + 30 * DAY + 1, 30, true },
		{ WRITTEN, 0, false },
		{ WRITTEN + 1, 0, true },
		/* A clock that was set back, and others. */
		{ WRITTEN - 900 * DAY, 30, false },
		{ 0, 30, false },
		{ INT64_MIN, 0, false },
		{ INT64_MAX, 30, true },
		{ INT64_MAX, 4294967295U, true },
		{ WRITTEN + 4000 * (int64_t)DAY, 4294967295U, false },
	};
	size_t i;
	int n;

	for (n = 0; n < FOREIGN; n++)
		put_file(foreign[n]);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file(DIGITS ".der");
		put_file(MINE);
		put_file(MINE ".tmp0");
		put_file(DIGITS ".der.tmp9");
		n = ocsp_store_sweep(&files, cases[i].now, cases[i].days);
		cr_expect_eq(n, cases[i].swept ? 4 : 2, "case %zu: %d", i, n);
		cr_expect_eq(count(), FOREIGN + (cases[i].swept ? 0 : 2),
			     "case %zu", i);
	}
}

Test(ocsp_store, sweeps_regular_files_only)
{
	cr_assert_eq(symlinkat("/etc/passwd", files.dir, MINE ".tmp0"), 0);
	cr_assert_eq(mkfifoat(files.dir, MINE ".tmp1", 0600), 0);
	cr_assert_eq(mkdirat(files.dir, MINE ".tmp2", 0700), 0);
	cr_assert_eq(mkdirat(files.dir, MINE, 0700), 0);
	cr_expect_eq(ocsp_store_sweep(&files, INT64_MAX, 0), 0);
	cr_expect_eq(count(), 4);
}

Test(ocsp_store, tells_of_a_sweep_that_failed_and_goes_on)
{
	static const struct {
		enum op op;
		int at, with, want, left;
	} cases[] = {
		{ LIST, 1, -EIO, -EIO, 3 },
		{ LOOK, 1, -EIO, -EIO, 1 },
		{ LOOK, 2, -EIO, -EIO, 1 },
		{ LOOK, 1, -ENOENT, 2, 1 },
		{ UNLINK, 1, -EROFS, -EROFS, 1 },
		{ UNLINK, 1, -ENOENT, 2, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file(MINE ".tmp0");
		put_file(MINE ".tmp1");
		put_file(MINE ".tmp2");
		let_fail(cases[i].op, cases[i].at, cases[i].with);
		cr_expect_eq(ocsp_store_sweep(&fake, 0, 0), cases[i].want,
			     "case %zu", i);
		cr_expect_eq(count(), cases[i].left, "case %zu", i);
	}
}

Test(ocsp_store, names_files_by_fingerprint_in_lower_case)
{
	uint8_t fingerprint[OCSP_FINGERPRINT_LEN];
	char name[OCSP_STORE_NAME];
	size_t i;

	ocsp_store_name(mine, name);
	cr_expect_str_eq(name, MINE);
	memset(fingerprint, 0xf0, sizeof(fingerprint));
	ocsp_store_name(fingerprint, name);
	for (i = 0; i < 64; i++)
		cr_expect_eq(name[i], i % 2 ? '0' : 'f');
	cr_expect_str_eq(name + 64, ".der");
}

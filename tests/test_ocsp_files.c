/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "ocsp/store.h"

static char path[] = "/tmp/test_ocsp_files.XXXXXX";
static struct ocsp_files files;

static void setup(void)
{
	cr_assert_not_null(mkdtemp(path));
	ocsp_files_init(&files, open(path, O_RDONLY | O_DIRECTORY));
	cr_assert_geq(files.dir, 0);
}

static void teardown(void)
{
	files.unlink(files.dir, "a");
	files.unlink(files.dir, "b");
	close(files.dir);
	rmdir(path);
}

TestSuite(ocsp_files, .init = setup, .fini = teardown, .timeout = 60);

static void note(void *arg, const char *name)
{
	if (name[0] != '.')
		strcat(arg, name);
}

Test(ocsp_files, do_what_the_system_calls_do)
{
	char names[64] = "", text[8];
	struct stat st;
	int fd;

	fd = files.open(files.dir, "a", O_RDWR | O_CREAT | O_EXCL, 0600);
	cr_assert_geq(fd, 0);
	cr_expect_eq(files.write(fd, "text", 4), 4);
	cr_expect_eq(files.sync(fd), 0);
	cr_expect_eq(files.stat(fd, &st), 0);
	cr_expect_eq(st.st_size, 4);
	cr_expect_eq(lseek(fd, 0, SEEK_SET), 0);
	cr_expect_eq(files.read(fd, text, sizeof(text)), 4);
	cr_expect_eq(files.close(fd), 0);
	cr_expect_eq(files.sync(files.dir), 0);
	cr_expect_eq(files.rename(files.dir, "a", "b"), 0);
	cr_expect_eq(files.look(files.dir, "b", &st), 0);
	cr_expect_eq(files.list(files.dir, note, names), 0);
	cr_expect_eq(files.list(files.dir, note, names), 0);
	cr_expect_str_eq(names, "bb", "listed from its begin each time");
	cr_expect_eq(files.unlink(files.dir, "b"), 0);
}

Test(ocsp_files, return_errno)
{
	struct stat st;
	char byte;

	cr_expect_eq(files.open(files.dir, "a", O_RDONLY, 0), -ENOENT);
	cr_expect_eq(files.look(files.dir, "a", &st), -ENOENT);
	cr_expect_eq(files.rename(files.dir, "a", "b"), -ENOENT);
	cr_expect_eq(files.unlink(files.dir, "a"), -ENOENT);
	cr_expect_eq(files.stat(-1, &st), -EBADF);
	cr_expect_eq(files.read(-1, &byte, 1), -EBADF);
	cr_expect_eq(files.write(-1, &byte, 1), -EBADF);
	cr_expect_eq(files.sync(-1), -EBADF);
	cr_expect_eq(files.close(-1), -EBADF);
	cr_expect_eq(files.list(-1, note, NULL), -EBADF);
}

Test(ocsp_files, look_at_a_link_itself)
{
	struct stat st;

	cr_assert_eq(symlinkat("nowhere", files.dir, "a"), 0);
	cr_expect_eq(files.look(files.dir, "a", &st), 0);
	cr_expect(S_ISLNK(st.st_mode));
}

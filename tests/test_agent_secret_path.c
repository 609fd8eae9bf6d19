// SPDX-License-Identifier: MIT
#include "agent/secret_path.h"

#include "agent_case.h"

TestSuite(secret_path, .timeout = 10);

static char dir[32], file[64];

static void start(void)
{
	case_make_dir(dir);
	snprintf(file, sizeof(file), "%s/key", dir);
	close(open(file, O_CREAT | O_WRONLY, 0600));
}

static void stop(void)
{
	static const char *const names[] = { "key", "link", NULL };

	case_remove_dir(dir, names);
}

static const char *missing(const char *path)
{
	static char error[512];

	error[0] = '\0';
	return secret_path_missing(path, error, sizeof(error)) ? error : NULL;
}

Test(secret_path, is_shown_when_it_exists, .init = start, .fini = stop)
{
	char link[64];

	cr_expect_null(missing(file));
	cr_expect_null(missing(dir));
	/* Who opens it will say why that cannot be. */
	snprintf(link, sizeof(link), "%s/link", dir);
	cr_assert_eq(symlink("nowhere", link), 0);
	cr_expect_null(missing(link));
}

Test(secret_path, is_shown_when_it_cannot_be_looked_at, .init = start,
     .fini = stop)
{
	char link[64];

	snprintf(link, sizeof(link), "%s/link", dir);
	cr_assert_eq(symlink("link", link), 0);
	strcat(link, "/key");
	cr_expect_null(missing(link));
}

#define NOT_THERE "there is no such file in "
#define NOT_SHOWN "; its name is not shown, as it may be the secret itself"

Test(secret_path, of_what_is_not_there_only_the_folder_is_shown, .init = start,
     .fini = stop)
{
	static const char *const secrets[] = {
		"hunter2", "MHcCAQEEIFxk", "a/b//c+d==", "a\nb/c",
	};
	static char path[10000], expected[256];
	size_t i;

	snprintf(expected, sizeof(expected), NOT_THERE "%s" NOT_SHOWN, dir);
	for (i = 0; i < COUNT(secrets); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, secrets[i]);
		cr_expect_str_eq(missing(path), expected);
		cr_expect_str_eq(missing(secrets[i]), NOT_THERE
				 "the current folder" NOT_SHOWN);
	}
	cr_expect_str_eq(missing("/hunter2"), NOT_THERE "/" NOT_SHOWN);
	cr_expect_str_eq(missing("/a/b+c/d="), NOT_THERE "/" NOT_SHOWN);
	snprintf(path, sizeof(path), "%s/b+c/d=", file);
	snprintf(expected, sizeof(expected), NOT_THERE "%s" NOT_SHOWN, file);
	cr_expect_str_eq(missing(path), expected);
}

Test(secret_path, may_be_longer_than_paths_are, .init = start, .fini = stop)
{
	static char path[10000];
	char expected[256];
	size_t n = sprintf(path, "%s/", dir);

	memset(path + n, 'A', sizeof(path) - 1 - n);
	snprintf(expected, sizeof(expected), NOT_THERE "%s" NOT_SHOWN, dir);
	cr_expect_str_eq(missing(path), expected);
	for (n += 50; n < sizeof(path) - 1; n += 50)
		path[n] = '/';
	cr_expect_str_eq(missing(path), expected);
}

/* SPDX-License-Identifier: MIT */
#include "secret_path.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* What cannot be looked at for another reason is a path nevertheless. */
static bool is_missing(const char *path)
{
	struct stat st;

	return lstat(path, &st) && (errno == ENOENT || errno == ENOTDIR ||
				    errno == ENAMETOOLONG);
}

/* The longest part of @path that exists, its last component left out. */
static const char *existing(const char *path, char folder[PATH_MAX])
{
	char *slash;

	snprintf(folder, PATH_MAX, "%s", path);
	while ((slash = strrchr(folder, '/'))) {
		slash[slash == folder] = '\0';
		if (slash == folder || !is_missing(folder))
			return folder;
	}
	return "the current folder";
}

bool secret_path_missing(const char *path, char *error, size_t error_len)
{
	char folder[PATH_MAX];

	if (!is_missing(path))
		return false;
	snprintf(error, error_len, "there is no such file in %s; its name is "
		 "not shown, as it may be the secret itself",
		 existing(path, folder));
	return true;
}

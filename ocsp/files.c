/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "ocsp/store.h"

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

static int file_open(int dir, const char *name, int flags, mode_t mode)
{
	return result(openat(dir, name, flags, mode));
}

static int file_stat(int fd, struct stat *st)
{
	return result(fstat(fd, st));
}

static ssize_t file_read(int fd, void *buf, size_t len)
{
	ssize_t n = read(fd, buf, len);

	return n < 0 ? -errno : n;
}

static ssize_t file_write(int fd, const void *buf, size_t len)
{
	ssize_t n = write(fd, buf, len);

	return n < 0 ? -errno : n;
}

static int file_sync(int fd)
{
	return result(fsync(fd));
}

static int file_close(int fd)
{
	return result(close(fd));
}

static int file_rename(int dir, const char *from, const char *to)
{
	return result(renameat(dir, from, dir, to));
}

static int file_unlink(int dir, const char *name)
{
	return result(unlinkat(dir, name, 0));
}

static int file_look(int dir, const char *name, struct stat *st)
{
	return result(fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW));
}

/* By a descriptor of its own: a position in the folder is not shared. */
static int file_list(int dir, void (*each)(void *arg, const char *name),
		     void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int ret = 0;
	DIR *list;

	if (fd < 0)
		return -errno;
	list = fdopendir(fd);
	if (!list) {
		ret = -errno;
		close(fd);
		return ret;
	}
	for (;;) {
		errno = 0;
		entry = readdir(list);
		if (!entry)
			break;
		each(arg, entry->d_name);
	}
	ret = -errno;
	closedir(list);
	return ret;
}

void ocsp_files_init(struct ocsp_files *files, int dir)
{
	*files = (struct ocsp_files){
		.dir = dir,
		.open = file_open,
		.stat = file_stat,
		.read = file_read,
		.write = file_write,
		.sync = file_sync,
		.close = file_close,
		.rename = file_rename,
		.unlink = file_unlink,
		.look = file_look,
		.list = file_list,
	};
}

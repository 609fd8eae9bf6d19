/* SPDX-License-Identifier: MIT */
#include "keylog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

/* The longest there is: a label, a random of 32 bytes, a secret of 48. */
#define LINE_MAX_LEN 512

struct keylog {
	int fd;
};

static const struct keylog *in_use;

/* Why a file that could be opened cannot take secrets; NULL: it can. */
static const char *why_unfit(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is not an ordinary file";
	if (st->st_uid != geteuid())
		return "it is another user's";
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		return "others may access it: chmod 600 it";
	return NULL;
}

/* Returns a descriptor, or -errno and the reason in *@why. */
static int open_file(const char *file, const char **why)
{
	/* O_NONBLOCK: not to wait for the other side of a FIFO. */
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW |
			    O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st)) {
		int err = -errno;

		*why = err == -ELOOP ? "it is a symbolic link" :
				       strerror(-err);
		if (fd >= 0)
			close(fd);
		return err;
	}
	*why = why_unfit(&st);
	if (!*why)
		return fd;
	close(fd);
	return -EPERM;
}

int keylog_open(const struct config *config, struct keylog **log)
{
	const char *file = config->keylog, *why = "out of memory";
	int fd = -ENOMEM;

	*log = NULL;
	if (!file)
		return 0;
	*log = malloc(sizeof(**log));
	if (*log)
		fd = open_file(file, &why);
	if (fd < 0) {
		log_error("event=keylog_failed file=\"%s\" error=\"%s\"", file,
			  why);
		free(*log);
		*log = NULL;
		return fd;
	}
	(*log)->fd = fd;
	log_warn("event=keylog_on file=\"%s\" effect=\"the secrets of EVERY "
		 "connection are written to this file: who has it can decrypt "
		 "their traffic\" remedy=\"after debugging remove keylog: from "
		 "the configuration, and the file\"", file);
	return 0;
}

void keylog_close(struct keylog *log)
{
	if (!log)
		return;
	if (in_use == log)
		in_use = NULL;
	close(log->fd);
	free(log);
}

int keylog_fd(const struct keylog *log)
{
	return log ? log->fd : -1;
}

void keylog_use(const struct keylog *log)
{
	in_use = log;
}

/* The log says that something is wrong, once; it never says what was lost. */
static void complain(const char *error)
{
	static bool complained;

	if (!complained)
		log_warn("event=keylog_incomplete error=\"%s\"", error);
	complained = true;
}

void keylog_write(const char *line)
{
	char copy[LINE_MAX_LEN];
	int n = snprintf(copy, sizeof(copy), "%s\n", line);
	ssize_t written;

	if (in_use && n > 0 && (size_t)n < sizeof(copy)) {
		written = write(in_use->fd, copy, (size_t)n);
		if (written != n)
			complain(written < 0 ? strerror(errno) :
					       "a line was cut short");
	}
	explicit_bzero(copy, sizeof(copy));
}

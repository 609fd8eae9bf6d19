/* SPDX-License-Identifier: MIT */
#include "state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* Opens state_dir itself. Only its last folder is made. */
static int open_state_dir(const char *path)
{
	bool made = !mkdir(path, 0755);
	int fd = made || errno == EEXIST ? open(path, FOLDER) : -1;

	if (fd < 0)
		return -errno;
	/* Whatever the umask is, the stapler has to come through. */
	if (made)
		fchmod(fd, 0755);
	return fd;
}

/* Opens a folder in it, made when it is missing, and no link to one. */
static int open_inner(int dir, const char *name, struct stat *st)
{
	int fd, err;

	if (mkdirat(dir, name, 0700) && errno != EEXIST)
		return -errno;
	fd = openat(dir, name, FOLDER | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (!fstat(fd, st))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* Returns @fd, or -errno and closes it. */
static int make_private(int fd, const struct stat *st, uid_t uid, gid_t gid)
{
	int err;

	if ((st->st_uid == uid && st->st_gid == gid) || !fchown(fd, uid, gid))
		if ((st->st_mode & 07777) == 0700 || !fchmod(fd, 0700))
			return fd;
	err = -errno;
	close(fd);
	return err;
}

static const char *why(int err)
{
	return err == -ENOTDIR || err == -ELOOP ?
	       "it is no folder, or a link to one" : strerror(-err);
}

/* Opens the folder and fills @path with what is at fault if that fails. */
static int open_ocsp(const struct config *config, char path[STATE_DIR_MAX])
{
	int n = snprintf(path, STATE_DIR_MAX, "%s/ocsp", config->state_dir);
	int dir = n < STATE_DIR_MAX ? open_state_dir(config->state_dir) :
		  -ENAMETOOLONG;
	struct stat st;
	int fd;

	if (dir < 0) {
		snprintf(path, STATE_DIR_MAX, "%s", config->state_dir);
		return dir;
	}
	fd = open_inner(dir, "ocsp", &st);
	close(dir);
	if (fd < 0)
		return fd;
	return make_private(fd, &st, config->stapler_uid, config->stapler_gid);
}

/* Returns false when it is the folder that was there before. */
static bool note_folder(struct state_dir *dir, int fd)
{
	bool first = !dir->error && !dir->ino;
	struct stat st;

	if (fstat(fd, &st) || (!dir->error && dir->ino == st.st_ino &&
			       dir->dev == st.st_dev))
		return false;
	dir->dev = st.st_dev;
	dir->ino = st.st_ino;
	dir->error = 0;
	if (!first)
		log_info("event=state_dir_recovered folder=\"%s\" effect=\"OCSP "
			 "responses are kept there from now on\"", dir->path);
	return true;
}

static void note_failure(struct state_dir *dir, int err)
{
	if (err != dir->error)
		log_warn("event=state_dir_failed folder=\"%s\" error=\"%s\" "
			 "effect=\"OCSP responses are kept in memory only\" "
			 "remedy=\"set state_dir: to a folder that can be "
			 "written\"", dir->path, why(err));
	dir->error = err;
	dir->path[0] = '\0';
}

bool state_dir_ocsp(const struct config *config, struct state_dir *dir)
{
	int fd = open_ocsp(config, dir->path);
	bool another;

	if (fd < 0) {
		note_failure(dir, fd);
		return false;
	}
	another = note_folder(dir, fd);
	close(fd);
	return another;
}

int state_dir_tickets(const char *state_dir)
{
	int dir = open_state_dir(state_dir), fd;
	struct stat st;

	if (dir < 0)
		return dir;
	fd = open_inner(dir, "tickets", &st);
	close(dir);
	if (fd < 0)
		return fd;
	if (st.st_uid == geteuid())
		return make_private(fd, &st, st.st_uid, st.st_gid);
	close(fd);
	return -EPERM;
}

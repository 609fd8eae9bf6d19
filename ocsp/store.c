/* SPDX-License-Identifier: MIT */
#include "ocsp/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define TEMP_SUFFIX ".tmp"
/* The name, the suffix and a digit: with OCSP_STORE_NAME's NUL */
#define TEMP_NAME (OCSP_STORE_NAME + sizeof(TEMP_SUFFIX))
#define SECONDS_PER_DAY 86400ULL

void ocsp_store_name(const uint8_t fingerprint[OCSP_FINGERPRINT_LEN],
		     char name[OCSP_STORE_NAME])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < OCSP_FINGERPRINT_LEN; i++) {
		*name++ = digits[fingerprint[i] >> 4];
		*name++ = digits[fingerprint[i] & 15];
	}
	memcpy(name, ".der", 5);
}

/* Whatever lies there under the name must neither block nor lead elsewhere. */
static int open_stored(const struct ocsp_files *files, const char *name,
		       struct stat *st)
{
	int fd = files->open(files->dir, name,
			     O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY |
				     O_CLOEXEC,
			     0);
	int ret;

	if (fd < 0)
		return fd == -ELOOP ? -EINVAL : fd;
	ret = files->stat(fd, st);
	if (!ret && !S_ISREG(st->st_mode))
		ret = -EINVAL;
	if (!ret)
		return fd;
	files->close(fd);
	return ret;
}

static ssize_t read_all(const struct ocsp_files *files, int fd, uint8_t *buf,
			size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = files->read(fd, buf + len, size - len);
		if (n == -EINTR)
			continue;
		if (n < 0)
			return n;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

ssize_t ocsp_files_read(const struct ocsp_files *files, const char *name,
			uint8_t *buf, size_t size, struct stat *st)
{
	int fd = open_stored(files, name, st);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read_all(files, fd, buf, size);
	files->close(fd);
	return n;
}

ssize_t ocsp_store_read(const struct ocsp_files *files,
			const uint8_t fingerprint[OCSP_FINGERPRINT_LEN],
			uint8_t buf[OCSP_MAX_LEN + 1])
{
	char name[OCSP_STORE_NAME];
	struct stat st;
	ssize_t n;

	ocsp_store_name(fingerprint, name);
	n = ocsp_files_read(files, name, buf, OCSP_MAX_LEN + 1, &st);
	return n > OCSP_MAX_LEN ? -EFBIG : n;
}

/*
 * A temporary file of nobody else's: another writer in the same folder, or one
 * that was killed, may have the first names.
 */
static int open_temp(const struct ocsp_files *files, const char *name,
		     mode_t mode, char temp[TEMP_NAME])
{
	size_t len = strlen(name) + strlen(TEMP_SUFFIX);
	int fd = -EEXIST;
	char digit;

	strcpy(temp, name);
	strcat(temp, TEMP_SUFFIX);
	temp[len + 1] = '\0';
	for (digit = '0'; digit <= '9' && fd == -EEXIST; digit++) {
		temp[len] = digit;
		fd = files->open(files->dir, temp,
				 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
					 O_CLOEXEC,
				 mode);
	}
	return fd;
}

static int write_all(const struct ocsp_files *files, int fd,
		     struct ocsp_bytes der)
{
	ssize_t n;

	while (der.len) {
		n = files->write(fd, der.data, der.len);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			return n ? (int)n : -EIO;
		der.data += n;
		der.len -= (size_t)n;
	}
	return 0;
}

static int sync_file(const struct ocsp_files *files, int fd)
{
	int ret;

	do
		ret = files->sync(fd);
	while (ret == -EINTR);
	return ret;
}

/* Network filesystems tell of a full disk when the file is closed. */
static int close_written(const struct ocsp_files *files, int fd)
{
	int ret = files->close(fd);

	return ret == -EINTR ? 0 : ret;
}

/* A sandbox refuses to replace a folder with another error than the kernel. */
static int rename_over(const struct ocsp_files *files, const char *from,
		       const char *to)
{
	int ret = files->rename(files->dir, from, to);
	struct stat st;

	if (ret && !files->look(files->dir, to, &st) && S_ISDIR(st.st_mode))
		return -EISDIR;
	return ret;
}

int ocsp_files_write(const struct ocsp_files *files, const char *name,
		     mode_t mode, struct ocsp_bytes bytes)
{
	char temp[TEMP_NAME];
	int fd, ret, closed;

	if (strlen(name) >= OCSP_STORE_NAME)
		return -ENAMETOOLONG;
	fd = open_temp(files, name, mode, temp);
	if (fd < 0)
		return fd;
	ret = write_all(files, fd, bytes);
	if (!ret)
		ret = sync_file(files, fd);
	closed = close_written(files, fd);
	if (!ret)
		ret = closed;
	if (!ret)
		ret = rename_over(files, temp, name);
	if (!ret)
		return sync_file(files, files->dir);
	files->unlink(files->dir, temp);
	return ret;
}

int ocsp_store_write(const struct ocsp_files *files,
		     const uint8_t fingerprint[OCSP_FINGERPRINT_LEN],
		     struct ocsp_bytes der)
{
	char name[OCSP_STORE_NAME];

	if (der.len > OCSP_MAX_LEN)
		return -EFBIG;
	ocsp_store_name(fingerprint, name);
	return ocsp_files_write(files, name, 0644, der);
}

int ocsp_store_remove(const struct ocsp_files *files,
		      const uint8_t fingerprint[OCSP_FINGERPRINT_LEN])
{
	char name[OCSP_STORE_NAME];

	ocsp_store_name(fingerprint, name);
	return files->unlink(files->dir, name);
}

struct sweep {
	const struct ocsp_files *files;
	int64_t now;
	unsigned int days;
	int removed, error;
};

/* The part of a name behind the digits and ".der", or NULL: not ours. */
static const char *own_suffix(const char *name)
{
	size_t digits = strspn(name, "0123456789abcdef");

	if (digits != 2 * OCSP_FINGERPRINT_LEN ||
	    strncmp(name + digits, ".der", 4) != 0)
		return NULL;
	return name + digits + 4;
}

static bool is_temp(const char *suffix)
{
	size_t len = strlen(TEMP_SUFFIX);

	return strncmp(suffix, TEMP_SUFFIX, len) == 0 && suffix[len] >= '0' &&
	       suffix[len] <= '9' && !suffix[len + 1];
}

static bool is_old(const struct sweep *s, int64_t written)
{
	return written < s->now && (uint64_t)s->now - (uint64_t)written >
					   s->days * SECONDS_PER_DAY;
}

static void sweep_one(void *arg, const char *name)
{
	const char *suffix = own_suffix(name);
	struct sweep *s = arg;
	struct stat st;
	int ret;

	if (!suffix || (*suffix && !is_temp(suffix)))
		return;
	ret = s->files->look(s->files->dir, name, &st);
	if (!ret && !(S_ISREG(st.st_mode) &&
		      (*suffix || is_old(s, st.st_mtime))))
		return;
	if (!ret)
		ret = s->files->unlink(s->files->dir, name);
	if (!ret)
		s->removed++;
	else if (ret != -ENOENT && !s->error)
		s->error = ret;
}

int ocsp_store_sweep(const struct ocsp_files *files, int64_t now,
		     unsigned int days)
{
	struct sweep s = { .files = files, .now = now, .days = days };
	int ret = files->list(files->dir, sweep_one, &s);

	if (ret < 0)
		return ret;
	return s.error ? s.error : s.removed;
}

/* SPDX-License-Identifier: MIT */
/*
 * Responses on disk: a folder with one file per certificate, the response as
 * it came, in DER, so that every OCSP tool reads it. What is read back is as
 * little trusted as what a responder sends: the caller checks it again.
 */
#ifndef OCSP_STORE_H
#define OCSP_STORE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "ocsp/cert.h"

/* 64 hex digits of the certificate's fingerprint, ".der", NUL */
#define OCSP_STORE_NAME (2 * OCSP_FINGERPRINT_LEN + 5)

/*
 * struct ocsp_files - the file operations that the store needs, so that tests
 * can let each of them fail; as the system calls, but with 0 or more, or
 * -errno. @dir is the folder's descriptor, not one of O_PATH.
 * @stat: by descriptor
 * @look: by name, of a symbolic link itself
 * @list: calls @each with each name; what @each removes may be listed or not
 */
struct ocsp_files {
	int dir;
	int (*open)(int dir, const char *name, int flags, mode_t mode);
	int (*stat)(int fd, struct stat *st);
	ssize_t (*read)(int fd, void *buf, size_t len);
	ssize_t (*write)(int fd, const void *buf, size_t len);
	int (*sync)(int fd);
	int (*close)(int fd);
	int (*rename)(int dir, const char *from, const char *to);
	int (*unlink)(int dir, const char *name);
	int (*look)(int dir, const char *name, struct stat *st);
	int (*list)(int dir, void (*each)(void *arg, const char *name),
		    void *arg);
};
/* ocsp_files_init - the real ones, on @dir, which stays the caller's */
void ocsp_files_init(struct ocsp_files *files, int dir);

/*
 * ocsp_files_read - a whole file, or its first @size bytes
 * @st: gets whose it is, and what else fstat(2) says
 * Returns bytes, or -ENOENT, -EINVAL (not a regular file; a link is not
 * followed, nor a FIFO waited for), or another -errno.
 */
ssize_t ocsp_files_read(const struct ocsp_files *files, const char *name,
			uint8_t *buf, size_t size, struct stat *st);

/*
 * ocsp_files_write - temporary file, fsync, rename, fsync of the folder
 * @name: shorter than OCSP_STORE_NAME
 * At any moment the file is the old one or the new one, whole. On failure the
 * old one stays and the temporary file goes; only where the last fsync fails,
 * the new one is there already, but may not outlive a power failure.
 * Returns 0, -EEXIST (@name with .tmp0 to .tmp9 is all in the way), -EISDIR (a
 * folder in the file's place), or another -errno.
 */
int ocsp_files_write(const struct ocsp_files *files, const char *name,
		     mode_t mode, struct ocsp_bytes bytes);

void ocsp_store_name(const uint8_t fingerprint[OCSP_FINGERPRINT_LEN],
		     char name[OCSP_STORE_NAME]);

/*
 * ocsp_store_read - what is stored for a certificate
 * @buf: OCSP_MAX_LEN + 1 bytes, the last one so that excess shows
 * Returns as ocsp_files_read(), or -EFBIG (more than OCSP_MAX_LEN).
 */
ssize_t ocsp_store_read(const struct ocsp_files *files,
			const uint8_t fingerprint[OCSP_FINGERPRINT_LEN],
			uint8_t buf[OCSP_MAX_LEN + 1]);

/*
 * ocsp_store_write - replace what is stored for a certificate
 * Returns as ocsp_files_write(), of whose -EEXIST a sweep is the remedy, or
 * -EFBIG (more than OCSP_MAX_LEN).
 */
int ocsp_store_write(const struct ocsp_files *files,
		     const uint8_t fingerprint[OCSP_FINGERPRINT_LEN],
		     struct ocsp_bytes der);

/* ocsp_store_remove - 0, -ENOENT or another -errno */
int ocsp_store_remove(const struct ocsp_files *files,
		      const uint8_t fingerprint[OCSP_FINGERPRINT_LEN]);

/*
 * ocsp_store_sweep - remove what a killed writer left, and responses that
 * nobody wrote again for @days, which are those of certificates long gone
 * Touches only regular files of its own form of name; others' stay. To be
 * called before the first write. Returns files removed, or the first -errno
 * when some could not be.
 */
int ocsp_store_sweep(const struct ocsp_files *files, int64_t now,
		     unsigned int days);

#endif

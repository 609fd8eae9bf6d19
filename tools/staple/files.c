/* SPDX-License-Identifier: MIT */
#include "tools/staple/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>

#include "ocsp/decode.h"
#include "ocsp/der.h"
#include "ocsp/parse.h"
#include "ocsp/signer.h"
#include "tools/staple/options.h"

#define FILE_MAX (4 << 20) /* bytes; a system's bundle of CAs has 200 KB */

static bool fail(const char *path, const char *why)
{
	staple_complain("%s: %s", path, why);
	return false;
}

static ssize_t read_all(int fd, uint8_t *data, size_t room)
{
	size_t len = 0;
	ssize_t n;

	while (len < room && (n = read(fd, data + len, room - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			len += (size_t)n;
	}
	return (ssize_t)len;
}

/* A second block of the same size is for what is decoded. */
static bool read_file(const char *path, struct ocsp_bytes *in, uint8_t **file,
		      uint8_t **decoded)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return fail(path, strerror(errno));
	*file = malloc(FILE_MAX + 1);
	*decoded = malloc(FILE_MAX + 1);
	len = *file && *decoded ? read_all(fd, *file, FILE_MAX + 1) : -ENOMEM;
	close(fd);
	if (len < 0)
		return fail(path, strerror((int)-len));
	if (len > FILE_MAX)
		return fail(path, "longer than 4 MiB");
	*in = (struct ocsp_bytes){ *file, (size_t)len };
	return true;
}

/* Takes over @x509. */
static bool append(struct staple_certs *certs, struct ocsp_bytes der,
		   X509 *x509)
{
	struct staple_cert *p = reallocarray(certs->certs, certs->n + 1,
					     sizeof(*p));

	if (!p) {
		X509_free(x509);
		return false;
	}
	certs->certs = p;
	p[certs->n++] = (struct staple_cert){ der, x509 };
	return true;
}

/* In openssl-x509(1)'s own form something follows the certificate. */
static struct ocsp_bytes trim_trusted(const struct ocsp_decoder *d)
{
	struct ocsp_bytes rest = d->der, value, der = d->der;

	if (!strcmp(d->label, "TRUSTED CERTIFICATE") &&
	    ocsp_der_take(&rest, DER_SEQUENCE, &value))
		der.len -= rest.len;
	return der;
}

/* Keys and the like may stand beside certificates; those must be whole. */
static bool claims_cert(const struct ocsp_decoder *d)
{
	return !d->label[0] || (strstr(d->label, "CERTIFICATE") &&
				!strstr(d->label, "REQUEST"));
}

static bool decode_certs(const char *path, struct ocsp_decoder *d,
			 struct staple_certs *certs)
{
	struct ocsp_bytes der;
	X509 *x509;
	int rc;

	while ((rc = ocsp_decode(d)) != -ENOENT) {
		der = trim_trusted(d);
		x509 = rc ? NULL : ocsp_parse_cert(der);
		if (!x509 && claims_cert(d))
			return fail(path, "holds no certificate, or one that "
					  "cannot be parsed");
		if (x509 && !append(certs, der, x509))
			return fail(path, "out of memory");
	}
	return certs->n || fail(path, "holds no certificate");
}

bool staple_read_certs(const char *path, struct staple_certs *certs)
{
	struct ocsp_decoder d = { 0 };
	bool good;

	good = read_file(path, &d.in, &certs->file, &certs->decoded);
	d.out = certs->decoded;
	good = good && decode_certs(path, &d, certs);
	ERR_clear_error();
	return good;
}

bool staple_add_cert(struct staple_certs *certs, X509 *x509)
{
	uint8_t *der = NULL;
	int len = i2d_X509(x509, &der);

	if (len < 0)
		return false;
	X509_up_ref(x509);
	if (append(certs, (struct ocsp_bytes){ der, (size_t)len }, x509))
		return true;
	OPENSSL_free(der);
	return false;
}

void staple_free_certs(struct staple_certs *certs)
{
	size_t i;

	for (i = 0; i < certs->n; i++) {
		X509_free(certs->certs[i].x509);
		if (!certs->file)
			OPENSSL_free((void *)certs->certs[i].der.data);
	}
	free(certs->certs);
	free(certs->file);
	free(certs->decoded);
}

const struct staple_cert *staple_find_issuer(const struct staple_cert *leaf,
					     const struct staple_certs *certs)
{
	const struct staple_cert *found = NULL;
	size_t i;

	for (i = 0; i < certs->n && !found; i++)
		if (X509_get0_pubkey(certs->certs[i].x509) &&
		    ocsp_issued_by(leaf->x509, certs->certs[i].x509))
			found = &certs->certs[i];
	ERR_clear_error();
	return found;
}

bool staple_read_response(const char *path, struct ocsp_bytes *der,
			  uint8_t **file, uint8_t **decoded)
{
	struct ocsp_decoder d = { 0 };

	if (!read_file(path, der, file, decoded))
		return false;
	d.in = *der;
	d.out = *decoded;
	if (!ocsp_decode(&d))
		*der = d.der;
	return true;
}

static int write_all(int fd, struct ocsp_bytes der)
{
	ssize_t n;

	while (der.len) {
		n = write(fd, der.data, der.len);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			der.data += n;
			der.len -= (size_t)n;
		}
	}
	/* Pipes and terminals have no disk. */
	return fsync(fd) && errno != EINVAL ? -errno : 0;
}

static int write_to(const char *path, int flags, struct ocsp_bytes der)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | flags, 0666);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_all(fd, der);
	if (close(fd) && !rc)
		rc = -errno;
	return rc;
}

static int write_new(const char *path, struct ocsp_bytes der)
{
	int rc = write_to(path, O_CREAT | O_EXCL, der);

	if (rc && rc != -EEXIST)
		unlink(path);
	return rc;
}

static int sync_folder_of(const char *path)
{
	char copy[PATH_MAX];
	int fd, rc;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	rc = fsync(fd) ? -errno : 0;
	close(fd);
	return rc;
}

static int replace(const char *path, struct ocsp_bytes der)
{
	char temporary[PATH_MAX];
	int rc;

	if (snprintf(temporary, sizeof(temporary), "%s.%d.tmp", path,
		     getpid()) >= (int)sizeof(temporary))
		return -ENAMETOOLONG;
	rc = write_new(temporary, der);
	if (!rc && rename(temporary, path)) {
		rc = -errno;
		unlink(temporary);
	}
	return rc ? rc : sync_folder_of(path);
}

bool staple_write(const char *path, struct ocsp_bytes der)
{
	struct stat st;
	int rc;

	/* A link such as /dev/stdout, or a device, is to stay what it is. */
	if (lstat(path, &st) || S_ISREG(st.st_mode))
		rc = replace(path, der);
	else
		rc = write_to(path, O_TRUNC, der);
	return !rc || fail(path, strerror(-rc));
}

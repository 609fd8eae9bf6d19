/* SPDX-License-Identifier: MIT */
#include "ticket_store.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ocsp/store.h"

/* The number is the version of what follows. */
static const char magic[16] = "ktlsd tickets 1\n";

/* Numbers are big-endian. */
struct image {
	char magic[sizeof(magic)];
	uint64_t rotate_at;
	struct hs_ticket_keys keys;
	uint64_t sum;
};

/* Against damage; who may write the file can also compute it. FNV-1a */
static uint64_t sum(const struct image *image)
{
	const uint8_t *p = (const uint8_t *)image;
	uint64_t hash = 0xcbf29ce484222325;
	size_t i;

	for (i = 0; i < offsetof(struct image, sum); i++)
		hash = (hash ^ p[i]) * 0x100000001b3;
	return htobe64(hash);
}

static const char *refuse(const struct image *image, ssize_t n,
			  const struct stat *st)
{
	if (st->st_uid != geteuid())
		return "it belongs to somebody else";
	if (st->st_mode & (S_IRWXG | S_IRWXO))
		return "others could read it";
	if (n >= (ssize_t)sizeof(magic) &&
	    !memcmp(image->magic, magic, sizeof(magic) - 2) &&
	    memcmp(image->magic, magic, sizeof(magic)))
		return "it is of another version";
	if (n != sizeof(*image) || memcmp(image->magic, magic, sizeof(magic)) ||
	    image->sum != sum(image))
		return "it is damaged";
	return NULL;
}

int ticket_store_read(int dir, struct ticket_store *stored, const char **error)
{
	struct ocsp_files files;
	struct {
		struct image image;
		uint8_t more;
	} buf;
	struct stat st;
	ssize_t n;

	ocsp_files_init(&files, dir);
	n = ocsp_files_read(&files, TICKET_STORE_FILE, (uint8_t *)&buf,
			    sizeof(buf), &st);
	if (n == -EINVAL)
		*error = "it is not a regular file";
	else if (n >= 0)
		*error = refuse(&buf.image, n, &st);
	if (n >= 0 && *error)
		n = -EINVAL;
	if (n >= 0) {
		stored->rotate_at = (int64_t)be64toh(buf.image.rotate_at);
		stored->keys = buf.image.keys;
	}
	explicit_bzero(&buf, sizeof(buf));
	return n < 0 ? (int)n : 0;
}

/* What a killed writer left holds keys, too. */
static void sweep(const struct ocsp_files *files)
{
	char name[] = TICKET_STORE_FILE ".tmp0";

	for (; name[sizeof(name) - 2] <= '9'; name[sizeof(name) - 2]++)
		files->unlink(files->dir, name);
}

int ticket_store_write(int dir, const struct ticket_store *stored)
{
	struct image image = {
		.rotate_at = htobe64((uint64_t)stored->rotate_at),
		.keys = stored->keys,
	};
	struct ocsp_files files;
	int err;

	memcpy(image.magic, magic, sizeof(magic));
	image.sum = sum(&image);
	ocsp_files_init(&files, dir);
	sweep(&files);
	err = ocsp_files_write(&files, TICKET_STORE_FILE, 0600,
			       (struct ocsp_bytes){ (uint8_t *)&image,
						    sizeof(image) });
	explicit_bzero(&image, sizeof(image));
	return err;
}

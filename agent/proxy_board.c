/* SPDX-License-Identifier: MIT */
#include "proxy_board.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t health_size(const struct proxy_board *b)
{
	return b->n_backends * sizeof(struct proxy_health);
}

static size_t counts_size(const struct proxy_board *b)
{
	return (size_t)b->n_processes * b->n_routes *
	       sizeof(struct proxy_counts);
}

static size_t size_of(const struct proxy_board *b)
{
	return health_size(b) + counts_size(b) +
	       (size_t)b->n_processes * b->n_backends * sizeof(uint32_t);
}

int proxy_board_map(struct proxy_board *b, int fd)
{
	struct stat st;
	void *map;

	b->size = size_of(b);
	if (fstat(fd, &st))
		return -errno;
	/* What is beyond its end would be a bus error later. */
	if ((uint64_t)st.st_size != b->size)
		return -EINVAL;
	map = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	b->map = map;
	return 0;
}

int proxy_board_new(struct proxy_board *b)
{
	int fd = memfd_create("proxy-board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size_of(b)) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		err = -errno;
	if (!err)
		err = proxy_board_map(b, fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

void proxy_board_free(struct proxy_board *b)
{
	if (b->map)
		munmap(b->map, b->size);
	b->map = NULL;
}

struct proxy_health *proxy_board_health(const struct proxy_board *b,
					uint32_t backend)
{
	return (struct proxy_health *)b->map + backend;
}

struct proxy_counts *proxy_board_counts(const struct proxy_board *b,
					uint32_t process, uint32_t route)
{
	return (struct proxy_counts *)(b->map + health_size(b)) +
	       (size_t)process * b->n_routes + route;
}

uint32_t *proxy_board_active(const struct proxy_board *b, uint32_t process,
			     uint32_t backend)
{
	return (uint32_t *)(b->map + health_size(b) + counts_size(b)) +
	       (size_t)process * b->n_backends + backend;
}

uint32_t proxy_board_load(const struct proxy_board *b, uint32_t backend)
{
	uint32_t sum = 0, i;

	for (i = 0; i < b->n_processes; i++)
		sum += __atomic_load_n(proxy_board_active(b, i, backend),
				       __ATOMIC_RELAXED);
	return sum;
}

void proxy_board_ended(const struct proxy_board *b, uint32_t process)
{
	uint32_t i;

	for (i = 0; i < b->n_backends; i++)
		__atomic_store_n(proxy_board_active(b, process, i), 0,
				 __ATOMIC_RELAXED);
}

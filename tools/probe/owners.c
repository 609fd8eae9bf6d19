// SPDX-License-Identifier: MIT
#include "tools/probe/owners.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fetch/text.h"

struct scan {
	struct owners *o;
	const uint32_t *inodes;
	size_t n;
};

static int compare_inodes(const void *a, const void *b)
{
	const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int compare(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;
	const int inodes = compare_inodes(&x->inode, &y->inode);

	return inodes ? inodes : (x->pid > y->pid) - (x->pid < y->pid);
}

/* The name is the process's own choice. */
static void read_name(int process, char *out, size_t out_len)
{
	const int fd = openat(process, "comm", O_RDONLY | O_CLOEXEC);
	char name[32];
	ssize_t n = fd < 0 ? -1 : read(fd, name, sizeof(name));

	if (fd >= 0)
		close(fd);
	if (n > 0 && name[n - 1] == '\n')
		n--;
	fetch_escape(n > 0 ? name : "?", n > 0 ? (size_t)n : 1, out, out_len);
}

static int add(struct owners *o, const struct owner *new)
{
	struct owner *more;
	size_t room = o->room ? 2 * o->room : 64;

	if (o->n == o->room) {
		more = realloc(o->all, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		o->all = more;
		o->room = room;
	}
	o->all[o->n++] = *new;
	return 0;
}

/* Is the descriptor one of the sockets that are looked for? Sets *@inode. */
static bool is_wanted(const struct scan *s, int fds, const char *name,
		      uint32_t *inode)
{
	char link[64];
	const ssize_t n = readlinkat(fds, name, link, sizeof(link) - 1);

	if (n < 0)
		return false;
	link[n] = '\0';
	return sscanf(link, "socket:[%u]", inode) == 1 &&
	       bsearch(inode, s->inodes, s->n, sizeof(*inode), compare_inodes);
}

static int scan_process(struct scan *s, int process, pid_t pid)
{
	const int fd = openat(process, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct owner owner = { .pid = pid };
	struct dirent *entry;
	int err = 0;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return 0;	/* it has gone, or is none of ours */
	}
	while (!err && (entry = readdir(dir))) {
		if (!is_wanted(s, fd, entry->d_name, &owner.inode))
			continue;
		if (!owner.name[0])
			read_name(process, owner.name, sizeof(owner.name));
		err = add(s->o, &owner);
	}
	closedir(dir);
	return err;
}

static int scan_all(struct scan *s, DIR *proc)
{
	struct dirent *entry;
	int process, err = 0;

	while (!err && (entry = readdir(proc))) {
		const pid_t pid = atoi(entry->d_name);

		if (pid <= 0)
			continue;
		process = openat(dirfd(proc), entry->d_name,
				 O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (process < 0)
			continue;
		err = scan_process(s, process, pid);
		close(process);
	}
	return err;
}

/* By socket; one that has it under several descriptors is the same one. */
static void sort(struct owners *o)
{
	size_t n = 0;

	if (o->n)
		qsort(o->all, o->n, sizeof(*o->all), compare);
	for (size_t i = 0; i < o->n; i++)
		if (!n || compare(&o->all[n - 1], &o->all[i]))
			o->all[n++] = o->all[i];
	o->n = n;
}

int owners_read(struct owners *o, const uint32_t *inodes, size_t n)
{
	struct scan scan = { o, inodes, n };
	DIR *proc;
	int err;

	o->n = 0;
	if (!n)
		return 0;
	proc = opendir("/proc");
	if (!proc)
		return -errno;
	err = scan_all(&scan, proc);
	closedir(proc);
	sort(o);
	return err;
}

void owners_free(struct owners *o)
{
	free(o->all);
	*o = (struct owners){ .n = 0 };
}

const struct owner *owners_find(const struct owners *o, uint32_t inode,
				size_t *n)
{
	size_t first = 0, end = o->n, middle;

	while (first < end) {
		middle = first + (end - first) / 2;
		if (o->all[middle].inode < inode)
			first = middle + 1;
		else
			end = middle;
	}
	for (*n = 0; first + *n < o->n && o->all[first + *n].inode == inode;)
		++*n;
	return *n ? &o->all[first] : NULL;
}

// SPDX-License-Identifier: MIT
#include "table.h"

#include <errno.h>
#include <string.h>

#include <sys/mman.h>

_Atomic uint32_t *table_slots;
struct entry *table_entries;
_Atomic int table_end;

/* Behind the entries that were used at least once; 0 is none. */
static _Atomic uint32_t used = 1;
/*
 * Those that are free: the first one's index, and above it a count that makes
 * each state of the list another one, so that a compare and swap is safe.
 */
static _Atomic uint64_t free_list;

static void *reserve(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* Address space only: memory comes with use. */
int table_init(void)
{
	void *slots = reserve(TABLE_FDS * sizeof(*table_slots));

	table_entries = reserve(TABLE_FDS * sizeof(*table_entries));
	if (!slots || !table_entries)
		return -ENOMEM;
	table_slots = slots;
	return 0;
}

static uint32_t take_free(void)
{
	uint64_t head = atomic_load(&free_list), next;
	uint32_t i;

	do {
		i = head;
		if (!i)
			return 0;
		next = (head >> 32) + 1;
		next = next << 32 | atomic_load(&table_entries[i].next);
	} while (!atomic_compare_exchange_weak(&free_list, &head, next));
	return i;
}

static void give_free(uint32_t i)
{
	uint64_t head = atomic_load(&free_list), next;

	do {
		atomic_store(&table_entries[i].next, (uint32_t)head);
		next = ((head >> 32) + 1) << 32 | i;
	} while (!atomic_compare_exchange_weak(&free_list, &head, next));
}

struct entry *table_new(enum entry_kind kind)
{
	uint32_t i = take_free();
	struct entry *e;

	if (!i && used < TABLE_FDS)
		i = atomic_fetch_add(&used, 1);
	if (!i || i >= TABLE_FDS)
		return NULL;
	e = &table_entries[i];
	memset(e, 0, sizeof(*e));
	e->kind = kind;
	e->epoll = -1;
	e->refs = 1;
	return e;
}

bool table_unref(struct entry *e)
{
	if (atomic_fetch_sub(&e->refs, 1) != 1)
		return false;
	/* Of a connection its secrets are wiped. */
	ktls_release(&e->conn);
	give_free(e - table_entries);
	return true;
}

static struct entry *of_kinds(int fd, enum entry_kind a, enum entry_kind b)
{
	struct entry *e = table_get(fd);

	return e && (e->kind == a || e->kind == b) ? e : NULL;
}

struct entry *table_conn(int fd)
{
	return of_kinds(fd, ENTRY_CONN, ENTRY_CONN);
}

struct entry *table_listener(int fd)
{
	return of_kinds(fd, ENTRY_LISTENER, ENTRY_IDLE);
}

void table_set(int fd, struct entry *e)
{
	int end = atomic_load(&table_end);
	uint32_t old;

	if (e)
		while (end <= fd &&
		       !atomic_compare_exchange_weak(&table_end, &end, fd + 1))
			;
	old = atomic_exchange(&table_slots[fd], e ? e - table_entries : 0);
	if (old)
		table_unref(&table_entries[old]);
}

void table_share(int fd, int copy)
{
	struct entry *e = table_get(fd);

	if (!e || e->kind == ENTRY_OWN || copy < 0 || copy >= TABLE_FDS)
		return;
	atomic_fetch_add(&e->refs, 1);
	table_set(copy, e);
}

// SPDX-License-Identifier: MIT
/*
 * The table of names: which certificates there are for the one that a client
 * asks for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handshake/internal.h"

static int by_name(const void *a, const void *b)
{
	const struct hs_name *x = a;
	const struct hs_name *y = b;

	return strcmp(x->name, y->name);
}

/* Sites are in one array. */
static int by_site(const void *a, const void *b)
{
	const struct hs_name *x = a;
	const struct hs_name *y = b;

	return (x->site > y->site) - (x->site < y->site);
}

static int by_name_and_site(const void *a, const void *b)
{
	int order = by_name(a, b);

	return order ? order : by_site(a, b);
}

static bool has_key(const struct hs_name *set, enum hs_key key)
{
	for (unsigned int i = 0; i < set->n; i++)
		if (set[i].site->cert->key_type == key)
			return true;
	return false;
}

/* Behind the last of @set, unless it has one of that type of key. */
static bool add(struct hs_name *set, const struct hs_name *name)
{
	if (has_key(set, name->site->cert->key_type))
		return false;
	set[set->n] = *name;
	set[set->n].n = 0;
	set->n++;
	return true;
}

/* Joins the first @n entries, which are sorted, into sets. */
static void join(struct hs_names *names, size_t n)
{
	struct hs_name *set = NULL;

	for (size_t i = 0; i < n; i++) {
		struct hs_name name = names->entry[i];

		if (set && !by_name(set, &name)) {
			names->n += add(set, &name);
			continue;
		}
		set = &names->entry[names->n++];
		*set = name;
		set->n = 1;
	}
}

/* FNV-1a; the names in the table are our own. */
static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261u;

	while (*name)
		h = (h ^ (uint8_t)*name++) * 16777619u;
	return h;
}

/*
 * With many names a search among the sorted ones would wait for memory at each
 * step, together a hundredth of a handshake; here it waits for three.
 */
static int make_table(struct hs_names *names)
{
	uint32_t size = 2;

	while (size < 2 * names->n)
		size *= 2;
	names->slot = malloc(size * sizeof(*names->slot));
	if (!names->slot)
		return -ENOMEM;
	memset(names->slot, 0xff, size * sizeof(*names->slot));
	names->mask = size - 1;
	for (uint32_t i = 0; i < names->n; i++) {
		uint32_t h = hash(names->entry[i].name);
		uint32_t at = h & names->mask;

		if (!names->entry[i].n)
			continue;
		while (names->slot[at].set != UINT32_MAX)
			at = (at + 1) & names->mask;
		names->slot[at] = (struct hs_slot){ h, i };
	}
	return 0;
}

static const struct hs_name *look_up(const struct hs_names *names,
				     const char *name)
{
	uint32_t h = hash(name);
	uint32_t at = h;

	for (;; at++) {
		const struct hs_slot *s = &names->slot[at & names->mask];

		if (s->set == UINT32_MAX)
			return NULL;
		if (s->hash == h && !strcmp(names->entry[s->set].name, name))
			return &names->entry[s->set];
	}
}

static void make_fallback(struct hs_names *names, const struct hs_site *first)
{
	struct hs_name *set = names->fallback;
	const struct hs_cert *cert = first->cert;

	*set = (struct hs_name){ "", first, 1 };
	for (unsigned int i = 0; i < cert->n_names; i++) {
		const struct hs_name *found = look_up(names, cert->names[i]);

		for (unsigned int k = 0; k < found->n; k++)
			add(set, &found[k]);
	}
	/* As they stand in other sets. */
	qsort(set + 1, set->n - 1, sizeof(*set), by_site);
}

int hs_names_init(struct hs_names *names, const struct hs_site *sites, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		total += sites[i].cert->n_names;
	names->entry = calloc(total + 1, sizeof(*names->entry));
	if (!names->entry)
		return -ENOMEM;
	total = 0;
	for (size_t i = 0; i < n; i++) {
		const struct hs_cert *cert = sites[i].cert;

		for (unsigned int k = 0; k < cert->n_names; k++)
			names->entry[total++] = (struct hs_name){
				cert->names[k], &sites[i], 0 };
	}
	qsort(names->entry, total, sizeof(*names->entry), by_name_and_site);
	join(names, total);
	if (make_table(names))
		return -ENOMEM;
	make_fallback(names, sites);
	return 0;
}

void hs_names_fini(struct hs_names *names)
{
	free(names->entry);
	free(names->slot);
}

const struct hs_name *hs_names_find(const struct hs_names *names, char *name)
{
	const struct hs_name *found = look_up(names, name);
	char *dot = strchr(name, '.');
	char before;

	if (found || !dot || dot == name)
		return found;
	before = dot[-1];
	dot[-1] = '*';
	found = look_up(names, dot - 1);
	dot[-1] = before;
	return found;
}

/* SPDX-License-Identifier: MIT */
/* What is known of staples when the configuration changes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "staples_table.h"

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && !strcmp(a, b));
}

static bool same_bytes(struct ocsp_bytes a, struct ocsp_bytes b)
{
	return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

static bool same_certificate(const struct staple *a, const struct staple *b)
{
	return !memcmp(a->fingerprint, b->fingerprint, OCSP_FINGERPRINT_LEN);
}

/* All that a stapler is told of a slot. */
static bool same_slot(const struct staple *a, const struct staple *b)
{
	const struct certs_slot *x = a->slot, *y = b->slot;

	return same_certificate(a, b) && same_text(x->name, y->name) &&
	       x->urls_len == y->urls_len &&
	       !memcmp(x->urls, y->urls, x->urls_len) &&
	       same_bytes(x->issuer, y->issuer);
}

/* All that it is told once, or made of. */
static bool same_options(const struct config *a, const struct config *b)
{
	const struct config_ocsp *x = &a->ocsp, *y = &b->ocsp;

	return x->timeout_ms == y->timeout_ms &&
	       x->min_interval_s == y->min_interval_s &&
	       x->max_interval_s == y->max_interval_s &&
	       x->per_host == y->per_host && x->hash == y->hash &&
	       x->revoked_staple == y->revoked_staple &&
	       same_text(x->proxy, y->proxy) &&
	       same_text(x->ca.path, y->ca.path) &&
	       same_text(a->state_dir, b->state_dir) &&
	       a->stapler_uid == b->stapler_uid &&
	       a->stapler_gid == b->stapler_gid;
}

static bool can_follow(const struct staples *s, const struct staples *previous)
{
	size_t i;

	if (s->list.n != previous->list.n ||
	    !same_options(s->setup.config, previous->setup.config))
		return false;
	for (i = 0; i < s->list.n; i++)
		if (!same_slot(&s->staple[i], &previous->staple[i]))
			return false;
	return true;
}

static struct hs_cert *cert_of(const struct staples *s, size_t i)
{
	return s->setup.certs->cert[s->list.item[i].cert];
}

/* @known: the certificate has it already */
static int hold(struct staples *s, size_t i, const struct delivery_item *from,
		bool known)
{
	struct delivery_item *item = &s->list.item[i];
	uint8_t *copy = malloc(from->der.len + 1);

	if (!copy || (!known && hs_cert_set_staple(cert_of(s, i), item->depth,
						   from->der, &from->times))) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, from->der.data, from->der.len);
	free((void *)item->der.data);
	item->der = (struct ocsp_bytes){ copy, from->der.len };
	item->times = from->times;
	item->generation = from->generation;
	return 0;
}

/* The response that is held there. */
static int take_response(struct staples *s, size_t i,
			 const struct staples *previous, size_t j)
{
	return hold(s, i, &previous->list.item[j],
		    cert_of(s, i) == cert_of(previous, j));
}

/* The texts may get lost. */
static void take_attempt(struct staple *staple, const struct staple *from)
{
	staple->revoked = from->revoked;
	staple->attempts = from->attempts;
	staple->last = from->last;
	staple->result = from->result;
	staple->verdict = from->verdict;
	free(staple->url);
	free(staple->error);
	staple->url = from->url ? strdup(from->url) : NULL;
	staple->error = from->error ? strdup(from->error) : NULL;
}

static int take(struct staples *s, size_t i, const struct staples *previous,
		size_t j)
{
	struct staple *staple = &s->staple[i];

	take_attempt(staple, &previous->staple[j]);
	if (!staple->settled)
		s->n_unsettled--;
	staple->settled = true;
	return previous->list.item[j].generation ?
	       take_response(s, i, previous, j) : 0;
}

static int by_fingerprint(const void *a, const void *b)
{
	const struct staple *x = *(const struct staple *const *)a;
	const struct staple *y = *(const struct staple *const *)b;

	return memcmp(x->fingerprint, y->fingerprint, OCSP_FINGERPRINT_LEN);
}

static const struct staple **sort(const struct staples *s)
{
	const struct staple **sorted = calloc(s->list.n + 1, sizeof(*sorted));
	size_t i;

	for (i = 0; sorted && i < s->list.n; i++)
		sorted[i] = &s->staple[i];
	if (sorted)
		qsort(sorted, s->list.n, sizeof(*sorted), by_fingerprint);
	return sorted;
}

int staples_inherit(struct staples *s, const struct staples *previous)
{
	const struct staple **sorted = sort(previous), **found;
	size_t n = previous->list.n, i;
	int err = sorted ? 0 : -ENOMEM;

	for (i = 0; i < s->list.n && !err; i++) {
		const struct staple *key = &s->staple[i];

		found = bsearch(&key, sorted, n, sizeof(*sorted),
				by_fingerprint);
		if (found)
			err = take(s, i, previous,
				   (size_t)(*found - previous->staple));
	}
	free(sorted);
	s->loaded = !s->n_unsettled;	/* nothing new is stored */
	s->follows = !err && can_follow(s, previous);
	return err;
}

/* One that did not fit in here stays as it is, as old as it may be. */
static void catch_up(struct staples *s, const struct staples *previous)
{
	size_t i;

	for (i = 0; i < s->list.n; i++) {
		bool changed = s->list.item[i].generation !=
			       previous->list.item[i].generation;

		s->staple[i].refresh = previous->staple[i].refresh;
		s->staple[i].planned = previous->staple[i].planned;
		s->staple[i].next = previous->staple[i].next;
		take_attempt(&s->staple[i], &previous->staple[i]);
		if (changed && !take_response(s, i, previous, i))
			s->setup.changed(s->setup.arg, i);
	}
}

/* The process, and how far it was told things. */
static void take_stapler(struct staples *s, struct staples *previous)
{
	if (previous->talking)
		loop_remove(s->setup.loop, &previous->child.socket);
	s->child = previous->child;
	s->folder = previous->folder;
	s->talking = previous->talking;
	s->renewing = previous->renewing;
	s->phase = previous->phase;
	s->next = previous->next;
	s->ping_ms = previous->ping_ms;
	s->pings = previous->pings;
	s->ping = previous->ping;
	s->loaded = previous->loaded;
	s->follows = false;
	previous->child.pid = 0;
	previous->child.socket.fd = -1;
	previous->talking = false;
	if (!s->talking)
		return;
	loop_add(s->setup.loop, &s->child.socket);
	staples_speak(s);
}

void staples_take_over(struct staples *s, struct staples *previous)
{
	size_t i;

	if (!previous) {
		s->follows = false;
		return;
	}
	for (i = 0; i < FETCH_RESULTS; i++)
		s->failures[i] += previous->failures[i];
	if (s->follows) {
		catch_up(s, previous);
		take_stapler(s, previous);
	}
	staples_stop(previous);
}

/* --- another process ------------------------------------------------------- */

static void give(const struct staples *s, size_t i, struct upgrade_writer *w)
{
	const struct delivery_item *item = &s->list.item[i];
	struct upgrade_record record = {
		.type = UPGRADE_STAPLE,
		.flags = s->staple[i].revoked ? UPGRADE_REVOKED : 0,
		.data_len = (uint32_t)item->der.len,
		.staple = {
			.this_update = item->times.this_update,
			.next_update = item->times.next_update,
		},
	};

	memcpy(record.staple.fingerprint, s->staple[i].fingerprint,
	       OCSP_FINGERPRINT_LEN);
	upgrade_write(w, &record, NULL, item->der.len ?
		      (const void *)item->der.data : "");
}

void staples_give(const struct staples *s, struct upgrade_writer *w)
{
	size_t i;

	for (i = 0; i < s->list.n; i++)
		give(s, i, w);
}

/* As a rule they come in our order. Returns list.n when it is none of ours. */
static size_t find(const struct staples *s, const uint8_t *fingerprint)
{
	size_t n = s->list.n, i, at;

	for (i = 0; i < n; i++) {
		at = (s->turn + i) % n;
		if (!s->staple[at].settled &&
		    !memcmp(s->staple[at].fingerprint, fingerprint,
			    OCSP_FINGERPRINT_LEN))
			return at;
	}
	return n;
}

int staples_take(struct staples *s, const struct upgrade_record *record,
		 const uint8_t *der)
{
	const struct ocsp_times times = { record->staple.this_update,
					  record->staple.next_update };
	const struct delivery_item from = {
		.der = { der, record->data_len },
		.times = times,
		.generation = 1,
	};
	size_t i = find(s, record->staple.fingerprint);

	if (i == s->list.n)
		return 0;
	s->turn = i + 1;
	s->staple[i].settled = true;
	s->staple[i].revoked = record->flags & UPGRADE_REVOKED;
	s->n_unsettled--;
	return record->data_len ? hold(s, i, &from, false) : 0;
}

void staples_taken(struct staples *s)
{
	s->follows = s->loaded = !s->n_unsettled;
}

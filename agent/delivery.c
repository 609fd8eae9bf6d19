/* SPDX-License-Identifier: MIT */
#include "delivery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Staples that a worker may have before it said that it took the first. */
#define WINDOW 16

int delivery_init(struct delivery *d, const struct delivery_list *list)
{
	*d = (struct delivery){ .list = list };
	d->taken = calloc(list->n + 1, sizeof(*d->taken));
	d->lacks = calloc(list->n + 1, sizeof(*d->lacks));
	return d->taken && d->lacks ? 0 : -ENOMEM;
}

void delivery_fini(struct delivery *d)
{
	free(d->taken);
	free(d->lacks);
}

void delivery_inherit(struct delivery *d)
{
	size_t i;

	for (i = 0; i < d->list->n; i++)
		d->taken[i] = d->list->item[i].generation;
	memset(d->lacks, 0, d->list->n * sizeof(*d->lacks));
	d->n_lacking = 0;
	d->under_way = 0;
}

void delivery_changed(struct delivery *d, size_t slot)
{
	d->n_lacking += !d->lacks[slot];
	d->lacks[slot] = true;
}

static int send(const struct delivery *d, int channel, size_t slot)
{
	const struct delivery_item *item = &d->list->item[slot];
	struct channel_staple staple = {
		.type = CHANNEL_STAPLE,
		.cert = item->cert,
		.depth = item->depth,
		.id = (uint64_t)slot << 32 | item->generation,
		.times = item->times,
	};

	return channel_send_staple(channel, &staple, item->der);
}

int delivery_run(struct delivery *d, int channel)
{
	int err;

	while (d->n_lacking && d->under_way < WINDOW) {
		if (d->next >= d->list->n)
			d->next = 0;
		if (!d->lacks[d->next]) {
			d->next++;
			continue;
		}
		err = send(d, channel, d->next);
		/* Without room, what is under way brings an answer. */
		if (err)
			return err == -EAGAIN && d->under_way ? 0 : err;
		d->lacks[d->next++] = false;
		d->n_lacking--;
		d->under_way++;
	}
	return 0;
}

void delivery_answered(struct delivery *d, uint64_t id, bool taken)
{
	size_t slot = id >> 32;

	if (d->under_way)
		d->under_way--;
	if (slot >= d->list->n)
		return;
	if (taken)
		d->taken[slot] = (uint32_t)id;
	else if ((uint32_t)id == d->list->item[slot].generation)
		delivery_changed(d, slot);
}

bool delivery_done(const struct delivery *d, size_t slot)
{
	return d->taken[slot] == d->list->item[slot].generation;
}

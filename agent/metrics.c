/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Slots that are mapped at once. */
#define CHUNK 32
/* The label of what is nobody's worker. */
#define MASTER UINT_MAX

static const struct {
	const char *name, *labels;
} texts[METRIC_COUNT] = {
#define METRICS_TEXT(id, name, labels) [METRIC_##id] = { name, labels },
	METRICS(METRICS_TEXT)
#undef METRICS_TEXT
};

/* struct place - who counts in a slot, or did */
struct place {
	struct metrics *slot;
	unsigned int worker;
	bool taken;
};

/* Of @place the first @n have been taken once; @room: slots there are. */
struct metrics_pool {
	struct place *place;
	size_t n, room;
	unsigned int workers;	/* labels, from 0 */
};

struct metrics_pool *metrics_pool_new(void)
{
	struct metrics_pool *pool = calloc(1, sizeof(*pool));

	if (pool && metrics_take(pool, MASTER))
		return pool;
	metrics_pool_free(pool);
	return NULL;
}

void metrics_pool_free(struct metrics_pool *pool)
{
	size_t i;

	if (!pool)
		return;
	for (i = 0; i < pool->room; i += CHUNK)
		munmap(pool->place[i].slot, CHUNK * sizeof(struct metrics));
	free(pool->place);
	free(pool);
}

static bool add_chunk(struct metrics_pool *pool)
{
	struct place *place = reallocarray(pool->place, pool->room + CHUNK,
					   sizeof(*place));
	struct metrics *slots;
	size_t i;

	if (!place)
		return false;
	pool->place = place;
	slots = mmap(NULL, CHUNK * sizeof(*slots), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (slots == MAP_FAILED)
		return false;
	for (i = 0; i < CHUNK; i++)
		place[pool->room++].slot = &slots[i];
	return true;
}

struct metrics *metrics_take(struct metrics_pool *pool, unsigned int worker)
{
	struct place *place = NULL;
	size_t i;

	for (i = 0; i < pool->n && !place; i++)
		if (!pool->place[i].taken && pool->place[i].worker == worker)
			place = &pool->place[i];
	if (!place && pool->n == pool->room && !add_chunk(pool))
		return NULL;
	if (!place)
		place = &pool->place[pool->n++];
	place->worker = worker;
	place->taken = true;
	if (worker != MASTER && worker >= pool->workers)
		pool->workers = worker + 1;
	return place->slot;
}

void metrics_give(struct metrics_pool *pool, const struct metrics *slot)
{
	size_t i;

	for (i = 0; i < pool->n; i++)
		if (pool->place[i].slot == slot)
			pool->place[i].taken = false;
}

struct metrics *metrics_master(const struct metrics_pool *pool)
{
	return pool->place[0].slot;
}

static uint64_t read_value(const struct place *place, unsigned int id)
{
	return __atomic_load_n(&place->slot->value[id], __ATOMIC_RELAXED);
}

static void print_sum(const struct metrics_pool *pool, unsigned int id,
		      FILE *out)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < pool->n; i++)
		sum += read_value(&pool->place[i], id);
	if (texts[id].labels[0])
		fprintf(out, "ktlsd_%s{%s} %" PRIu64 "\n", texts[id].name,
			texts[id].labels, sum);
	else
		fprintf(out, "ktlsd_%s %" PRIu64 "\n", texts[id].name, sum);
}

static void print_worker(const struct metrics_pool *pool, unsigned int id,
			 unsigned int worker, FILE *out)
{
	uint64_t sum = 0;
	size_t i;

	for (i = 0; i < pool->n; i++)
		if (pool->place[i].worker == worker)
			sum += read_value(&pool->place[i], id);
	fprintf(out, "ktlsd_%s{worker=\"%u\"} %" PRIu64 "\n", texts[id].name,
		worker, sum);
}

void metrics_label(FILE *out, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			fputc('\\', out);
		if (*value == '\n')
			fputs("\\n", out);
		else
			fputc(*value, out);
	}
}

void metrics_print(const struct metrics_pool *pool, FILE *out)
{
	unsigned int id, i;

	for (id = 0; id < METRIC_COUNT; id++) {
		if (!id || strcmp(texts[id].name, texts[id - 1].name))
			fprintf(out, "# TYPE ktlsd_%s counter\n",
				texts[id].name);
		if (texts[id].labels) {
			print_sum(pool, id, out);
			continue;
		}
		for (i = 0; i < pool->workers; i++)
			print_worker(pool, id, i, out);
	}
}

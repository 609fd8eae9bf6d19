/* SPDX-License-Identifier: MIT */
#include "metrics.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

static const struct {
	const char *name, *labels;
} texts[METRIC_COUNT] = {
#define METRICS_TEXT(id, name, labels) [METRIC_##id] = { name, labels },
	METRICS(METRICS_TEXT)
#undef METRICS_TEXT
};

struct metrics *metrics_new(unsigned int slots)
{
	void *page = mmap(NULL, slots * sizeof(struct metrics),
			  PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			  -1, 0);

	return page == MAP_FAILED ? NULL : page;
}

void metrics_free(struct metrics *slots, unsigned int n)
{
	if (slots)
		munmap(slots, n * sizeof(*slots));
}

static uint64_t read_value(const struct metrics *slot, unsigned int id)
{
	return __atomic_load_n(&slot->value[id], __ATOMIC_RELAXED);
}

static void print_sum(const struct metrics *slots, unsigned int n,
		      unsigned int id, FILE *out)
{
	uint64_t sum = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		sum += read_value(&slots[i], id);
	if (texts[id].labels[0])
		fprintf(out, "ktlsd_%s{%s} %" PRIu64 "\n", texts[id].name,
			texts[id].labels, sum);
	else
		fprintf(out, "ktlsd_%s %" PRIu64 "\n", texts[id].name, sum);
}

void metrics_print(const struct metrics *slots, unsigned int n, FILE *out)
{
	unsigned int id, i;

	for (id = 0; id < METRIC_COUNT; id++) {
		if (!id || strcmp(texts[id].name, texts[id - 1].name))
			fprintf(out, "# TYPE ktlsd_%s counter\n",
				texts[id].name);
		if (texts[id].labels) {
			print_sum(slots, n, id, out);
			continue;
		}
		/* The last slot is master's, which accepts nothing. */
		for (i = 0; i + 1 < n; i++)
			fprintf(out, "ktlsd_%s{worker=\"%u\"} %" PRIu64 "\n",
				texts[id].name, i, read_value(&slots[i], id));
	}
}

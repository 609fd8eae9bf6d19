/* SPDX-License-Identifier: MIT */
#include "proxy_metrics.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

/* struct total - of a route, what processes had counted that are gone */
struct total {
	struct total *next;
	struct proxy_counts counts;
	char name[];
};

struct proxy_metrics {
	struct total *totals;
	struct proxy_source *sources;
};

static const struct {
	const char *name, *label;
} texts[PROXY_COUNTERS] = {
	[PROXY_CONNECTED] = { "proxied_total", "" },
	[PROXY_CONNECT_FAILED] = { "proxy_connect_failures_total", "" },
	[PROXY_NO_BACKEND] = { "proxy_cut_total", ",reason=\"no_backend\"" },
	[PROXY_CLIENT_CUT] = { "proxy_cut_total", ",reason=\"client\"" },
	[PROXY_BACKEND_CUT] = { "proxy_cut_total", ",reason=\"backend\"" },
	[PROXY_DRAINED] = { "proxy_cut_total", ",reason=\"drained\"" },
	[PROXY_RESOURCES] = { "proxy_cut_total", ",reason=\"resources\"" },
	[PROXY_BYTES_UP] = { "proxy_bytes_total", ",direction=\"up\"" },
	[PROXY_BYTES_DOWN] = { "proxy_bytes_total", ",direction=\"down\"" },
};

struct proxy_metrics *proxy_metrics_new(void)
{
	return calloc(1, sizeof(struct proxy_metrics));
}

void proxy_metrics_free(struct proxy_metrics *all)
{
	struct total *t;

	while (all && (t = all->totals)) {
		all->totals = t->next;
		free(t);
	}
	free(all);
}

static struct total *find(const struct proxy_metrics *all, const char *name)
{
	struct total *t;

	for (t = all->totals; t && strcmp(t->name, name); t = t->next)
		;
	return t;
}

/* Only a route's name that was never there before needs memory. */
static struct total *have(struct proxy_metrics *all, const char *name)
{
	size_t len = strlen(name) + 1;
	struct total *t = find(all, name);

	if (t)
		return t;
	t = calloc(1, sizeof(*t) + len);
	if (!t)
		return NULL;
	memcpy(t->name, name, len);
	t->next = all->totals;
	all->totals = t;
	return t;
}

static void sum(const struct proxy_board *b, uint32_t route,
		struct proxy_counts *to)
{
	const struct proxy_counts *from;
	uint32_t i, id;

	for (i = 0; i < b->n_processes; i++) {
		from = proxy_board_counts(b, i, route);
		for (id = 0; id < PROXY_COUNTERS; id++)
			to->value[id] += __atomic_load_n(&from->value[id],
							 __ATOMIC_RELAXED);
	}
}

void proxy_metrics_add(struct proxy_metrics *all, struct proxy_source *source)
{
	uint32_t i;

	for (i = 0; i < source->board->n_routes; i++)
		have(all, source->name[i]);
	source->next = all->sources;
	all->sources = source;
}

void proxy_metrics_remove(struct proxy_metrics *all,
			  struct proxy_source *source)
{
	struct proxy_source **p = &all->sources;
	struct total *t;
	uint32_t i;

	for (i = 0; i < source->board->n_routes; i++) {
		t = find(all, source->name[i]);
		if (t)
			sum(source->board, i, &t->counts);
	}
	while (*p && *p != source)
		p = &(*p)->next;
	if (*p)
		*p = source->next;
}

static struct proxy_counts count(const struct proxy_metrics *all,
				 const char *name)
{
	const struct total *t = find(all, name);
	struct proxy_counts counts = { 0 };
	const struct proxy_source *s;
	uint32_t i;

	if (t)
		counts = t->counts;
	for (s = all->sources; s; s = s->next)
		for (i = 0; i < s->board->n_routes; i++)
			if (!strcmp(s->name[i], name))
				sum(s->board, i, &counts);
	return counts;
}

static void print_counter(const struct proxy_metrics *all,
			  const struct config *config, unsigned int id,
			  FILE *out)
{
	const struct config_route *r;
	size_t i;

	if (!id || strcmp(texts[id].name, texts[id - 1].name))
		fprintf(out, "# TYPE ktlsd_%s counter\n", texts[id].name);
	for (i = 0; i < config->n_routes; i++) {
		r = &config->routes[i];
		if (r->proxy.n)
			fprintf(out, "ktlsd_%s{route=\"%s\"%s} %" PRIu64 "\n",
				texts[id].name, r->name, texts[id].label,
				count(all, r->name).value[id]);
	}
}

/* @what: 0: how many connections, 1: whether it is up */
static void print_backends(const struct config *config,
			   const struct proxy_board *board, int what,
			   FILE *out)
{
	static const char *const names[] = {
		"proxy_connections", "proxy_backend_up"
	};
	uint32_t number = 0;
	size_t i, j;

	fprintf(out, "# TYPE ktlsd_%s gauge\n", names[what]);
	for (i = 0; board->map && i < config->n_routes; i++) {
		const struct config_route *r = &config->routes[i];

		for (j = 0; j < r->proxy.n; j++, number++) {
			fprintf(out, "ktlsd_%s{route=\"%s\",backend=\"",
				names[what], r->name);
			metrics_label(out, r->proxy.backends[j].text);
			fprintf(out, "\"} %u\n", what ?
				!proxy_board_health(board, number)->down_until :
				proxy_board_load(board, number));
		}
	}
}

void proxy_metrics_print(const struct proxy_metrics *all,
			 const struct config *config,
			 const struct proxy_board *board, FILE *out)
{
	unsigned int id;

	for (id = 0; id < PROXY_COUNTERS; id++)
		print_counter(all, config, id, out);
	print_backends(config, board, 0, out);
	print_backends(config, board, 1, out);
}

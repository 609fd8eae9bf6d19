// SPDX-License-Identifier: MIT
/* The cases of what is about handshakes: versions, keys, in full or resumed. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "util.h"

static const struct {
	const char *name;
	int version;
} versions[] = {{"1.3", TLS1_3_VERSION}, {"1.2", TLS1_2_VERSION}};
static const char *const kinds[] = {"full", "resumed"};

static void measure_case(struct cast *cast, const struct bench_run *b,
			 enum bench_key key, int version, int kind,
			 shake_measure *measure)
{
	char *what = text("tls%s-%s-%s", versions[version].name,
			  key_names[key], kinds[kind]);
	const struct shake shake = {
		.key = key,
		.plan = {.version = versions[version].version, .resume = kind},
		.what = what,
	};

	measure(cast, b, &shake);
	free(what);
}

static void measure_key(struct cast *cast, const struct bench_run *b,
			enum bench_key key, shake_measure *measure)
{
	const struct setup setup = bench_setup(b, key, false, 4096);
	int version, kind;
	size_t i;

	scratch_certificate(key);
	for (i = 0; i < cast->n; i++)
		if (cast->servers[i].peer)
			cast_start(cast, i, &setup);
	for (version = 0; version < 2; version++)
		for (kind = 0; kind < 2; kind++)
			if (list_has(&b->o.versions, versions[version].name) &&
			    list_has(&b->o.kinds, kinds[kind]))
				measure_case(cast, b, key, version, kind,
					     measure);
	cast_stop(cast);
}

void bench_shakes(const struct bench_run *b, const char *const *own,
		  size_t n_own, shake_measure *measure)
{
	struct cast cast;
	int key;

	cast_fill(&cast, b, own, n_own);
	for (key = 0; key < KEYS; key++)
		if (list_has(&b->o.keys, key_names[key]))
			measure_key(&cast, b, key, measure);
	cast_free(&cast);
}

// SPDX-License-Identifier: MIT
/* Many connections that stay open. */
#include <sys/resource.h>

#include "bench.h"
#include "util.h"

#define SETTLE_MS 300
/* Two for each that a server is set up for, and what it has of its own. */
#define SPARE (2 * SPARE_CONNECTIONS + 100)
#define PATIENCE_MS 30000

static const struct talk_plan tls = {.version = TLS1_3_VERSION};
static const struct talk_plan clear = {.version = 0};

/* What is behind it may lag behind the client. */
static void settle(const struct server *s, unsigned long want)
{
	unsigned int ms;

	for (ms = 0; s->seen && s->seen->taken < want && ms < PATIENCE_MS;
	     ms += 20)
		sleep_ms(20);
	sleep_ms(SETTLE_MS);
}

struct load_hold *bench_hold(const struct bench_run *b, const struct server *s,
			     unsigned int count, unsigned int parallel,
			     struct load *l)
{
	const bool asked = s->peer && s->peer->behind == BEHIND_ASKED;
	const unsigned long seen = s->seen ? s->seen->taken : 0;
	struct hold_state state;
	struct load_hold *hold;

	*l = (struct load){
		.talk = s->peer || s->tls != TLS_NONE ? tls : clear,
		.task = {.count = count, .parallel = parallel},
		.port = s->port,
		.cpus = b->cpus.client,
	};
	hold = load_hold(l, s->name);
	state = load_hold_state(hold);
	if (state.failed)
		die("%s does not take %u connections: %s", s->name, count,
		    state.error);
	settle(s, asked ? 0 : seen + count);
	return hold;
}

unsigned int bench_count(const struct bench_run *b, unsigned int want)
{
	struct rlimit l;
	rlim_t most;

	getrlimit(RLIMIT_NOFILE, &l);
	most = l.rlim_cur > SPARE ? (l.rlim_cur - SPARE) / 2 : 0;
	if (most < (b->o.count ? b->o.count : 1))
		die("descriptors are limited to %llu, which is enough for %llu "
		    "connections",
		    (unsigned long long)l.rlim_cur, (unsigned long long)most);
	if (b->o.count)
		return b->o.count;
	if (most < want)
		printf("# %llu connections, not %u: descriptors are limited to "
		       "%llu\n",
		       (unsigned long long)most, want,
		       (unsigned long long)l.rlim_cur);
	return most < want ? most : want;
}

// SPDX-License-Identifier: MIT
/*
 * ktls-bench bulk: what bytes take, down and up. Each server in turn has the
 * same transfers, one on each connection, which is there before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"
#include "util.h"

enum { RATE, CPU, USER, SYSTEM, FRONT, FRONT_USER, FAILED, CLIENT, SERVER,
       METRICS };
static const struct metric metrics[METRICS] = {
	[RATE] = {"rate", "GB/s", 3, true},
	[CPU] = {"cpu", "ms/GB", 0, true},
	[USER] = {"user", "ms/GB", 0, true},
	[SYSTEM] = {"system", "ms/GB", 0, true},
	[FRONT] = {"front", "ms/GB", 0, true},
	[FRONT_USER] = {"front-user", "ms/GB", 0, false},
	[FAILED] = {"failed", "connections", 0, false},
	[CLIENT] = {"client-busy", "of-time", 2, false},
	[SERVER] = {"server-busy", "of-time", 2, false},
};

static const char *const own[] = {"relay", "plain", "openssl", "ktls-tx",
				  "ktls", "nginx-ktls"};

/* Behind a handshake a server may have something to do still. */
#define SETTLE_MS 50

enum way { SENDFILE, WRITE, UPLOAD, WAYS };
static const char *const way_names[WAYS] = {"sendfile", "write", "upload"};
static const char *const records[] = {"4096", "16384"};

/* struct transfer - a case; @bytes: on each of @parallel connections */
struct transfer {
	enum way way;
	unsigned int record, parallel;
	uint64_t bytes;
	char *request, *what;
};

/* --- what is asked for ------------------------------------------------------------- */

static char *request_of(const struct transfer *t)
{
	const char *rest = "HTTP/1.1\r\nHost: localhost\r\nConnection: close";
	const unsigned long long n = t->bytes;

	if (t->way == UPLOAD)
		return text("PUT /put-%llu %s\r\nContent-Length: %llu\r\n\r\n",
			    n, rest, n);
	if (t->way == WRITE)
		return text("GET /write-%u/bytes-%llu %s\r\n\r\n", t->record, n,
			    rest);
	return text("GET /bytes-%llu %s\r\n\r\n", n, rest);
}

/* Nothing but its length matters, so it takes no place. */
static void make_file(uint64_t bytes)
{
	char *path = scratch("www/bytes-%llu", (unsigned long long)bytes);

	write_file(path, "");
	if (truncate(path, (off_t)bytes))
		die("%s: %s", path, strerror(errno));
	free(path);
}

/* nginx and h2o do not write as they are told, and h2o takes no file. */
static bool takes_part(const struct server *s, enum way way)
{
	if (s->peer && !strcmp(s->peer->name, "h2o"))
		return way == SENDFILE;
	return !s->peer || strcmp(s->peer->name, "nginx") || way != WRITE;
}

/* --- a turn -------------------------------------------------------------------------- */

static void book(struct results *r, size_t row, unsigned int round,
		 const struct load_outcome *out, double bytes,
		 const struct server_usage *used)
{
	const struct usage *front = &used->front, *behind = &used->behind;
	/* What takes so many ns for a byte takes so many s for a GB. */
	const double ms = 1e3 / bytes;

	results_set(r, row, RATE, round, bytes / out->wall_ns);
	results_set(r, row, CPU, round, (front->cpu_ns + behind->cpu_ns) * ms);
	results_set(r, row, USER, round,
		    (front->user_ns + behind->user_ns) * ms);
	results_set(r, row, SYSTEM, round,
		    (front->system_ns + behind->system_ns) * ms);
	results_set(r, row, FRONT, round, front->cpu_ns * ms);
	results_set(r, row, FRONT_USER, round, front->user_ns * ms);
	results_set(r, row, CLIENT, round, out->busy);
	results_set(r, row, SERVER, round, server_busy(used, out->wall_ns));
}

static void measure(const struct bench_run *b, const struct server *s,
		    const struct transfer *t, struct results *r, size_t row,
		    unsigned int round)
{
	const struct load l = {
		.talk.version = s->peer || s->tls ? TLS1_3_VERSION : 0,
		.task = {
			.count = t->parallel,
			.parallel = t->parallel,
			.request = t->request,
			.upload = t->way == UPLOAD ? t->bytes : 0,
			.download = t->way == UPLOAD ? 0 : t->bytes,
			.record = t->record,
		},
		.port = s->port,
		.processes = b->o.clients ? b->o.clients :
					    CPU_COUNT(&b->cpus.client),
		.cpus = b->cpus.client,
	};
	struct load_run *run = load_start(&l, s->name);
	struct server_usage before, used;
	struct load_outcome out;

	sleep_ms(SETTLE_MS);
	before = server_usage(s);
	load_finish(run, &out);
	used = server_usage_since(s, &before);
	results_set(r, row, FAILED, round, out.failed);
	if (out.failed)
		results_note(r, row, "%u connections failed, one as: %s",
			     out.failed, out.error);
	else
		book(r, row, round, &out, (double)t->bytes * t->parallel,
		     &used);
	free(out.latency_ns);
}

/* --- a case ---------------------------------------------------------------------------- */

static void note_limits(const struct bench_run *b, struct results *r,
			size_t row)
{
	unsigned int i, limited = 0;

	for (i = 0; i < b->o.rounds; i++)
		limited += load_limits(results_get(r, row, CLIENT, i),
				       results_get(r, row, SERVER, i));
	if (limited && b->cpus.apart)
		results_note(r, row, "the client was the bottleneck in %u "
			     "rounds: the rate is its own", limited);
}

static void measure_case(struct cast *cast, const struct bench_run *b,
			 const struct transfer *t)
{
	struct results *r = results_new("bulk", t->what, cast->names, cast->n,
					metrics, METRICS, b->o.rounds);
	struct server *s;
	unsigned int round;
	size_t row;

	for (round = 0; round < b->o.rounds; round++) {
		say("bulk %s: round %u of %u", t->what, round + 1, b->o.rounds);
		for (row = 0; row < cast->n; row++)
			if (takes_part(&cast->servers[row], t->way))
				measure(b, &cast->servers[row], t, r, row,
					round);
	}
	for (row = 0; row < cast->n; row++) {
		s = &cast->servers[row];
		if (s->seen && s->seen->relayed)
			results_note(r, row, "relayed in user space");
		note_limits(b, r, row);
	}
	bench_report(b, r);
	results_free(r);
}

static void run_case(struct cast *cast, const struct bench_run *b, enum way way,
		     const char *record)
{
	const unsigned int parallel = b->o.parallel ? b->o.parallel : 4;
	const uint64_t mib = b->o.mib ? b->o.mib : 512;
	struct transfer t = {
		.way = way,
		.record = record ? atoi(record) : 0,
		.parallel = parallel,
		.bytes = mib * 1024 * 1024 / parallel,
	};

	t.request = request_of(&t);
	t.what = record ? text("%s-%s", way_names[way], record) :
			  text("%s", way_names[way]);
	make_file(t.bytes);
	measure_case(cast, b, &t);
	free(t.request);
	free(t.what);
}

static void run_way(struct cast *cast, const struct bench_run *b, enum way way)
{
	size_t i;

	if (way == SENDFILE) {
		run_case(cast, b, way, NULL);
		return;
	}
	for (i = 0; i < sizeof(records) / sizeof(records[0]); i++)
		if (list_has(&b->o.records, records[i]))
			run_case(cast, b, way, records[i]);
}

void bench_bulk(struct bench_run *b)
{
	const struct setup setup = bench_setup(b, KEY_P256, true, 4096);
	struct cast cast;
	size_t i;

	cast_fill(&cast, b, own, sizeof(own) / sizeof(own[0]));
	scratch_certificate(KEY_P256);
	for (i = 0; i < cast.n; i++)
		cast_start(&cast, i, &setup);
	for (i = 0; i < WAYS; i++)
		if (list_has(&b->o.ways, way_names[i]))
			run_way(&cast, b, i);
	cast_stop(&cast);
	cast_free(&cast);
}

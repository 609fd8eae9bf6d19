/* SPDX-License-Identifier: MIT */
/*
 * ktls-bench - ktlsd beside other servers, on this machine; see ktls-bench(1)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <openssl/crypto.h>

#include "tools/bench/bench.h"
#include "tools/bench/group.h"
#include "tools/bench/scratch.h"
#include "tools/bench/util.h"
#include "tools/standard.h"

static void (*const run[BENCHES])(struct bench_run *b) = {
	[BENCH_HANDSHAKE] = bench_handshake,
	[BENCH_LATENCY] = bench_latency,
	[BENCH_QUEUE] = bench_queue,
	[BENCH_IDLE] = bench_idle,
	[BENCH_BULK] = bench_bulk,
	[BENCH_RELOAD] = bench_reload,
};

static int usage(const char *error)
{
	fprintf(stderr,
		"ktls-bench: %s\n"
		"usage: ktls-bench handshake [--count N] [--parallel N] "
		"[--clients N]\n"
		"                  [--versions 1.2,1.3] [--keys p256,rsa2048]\n"
		"                  [--kinds full,resumed]\n"
		"       ktls-bench latency [--count N] [--versions 1.2,1.3]\n"
		"                  [--keys p256,rsa2048] [--kinds full,resumed]\n"
		"       ktls-bench queue [--count N] [--writers N] "
		"[--readers N]\n"
		"       ktls-bench idle [--count N]\n"
		"       ktls-bench bulk [--mib N] [--parallel N] [--clients N]\n"
		"                  [--ways sendfile,write,upload] "
		"[--records 4096,16384]\n"
		"       ktls-bench reload [--count N] [--reloads N]\n"
		"       each: [--rounds N] [--servers NAME,...] "
		"[--baseline NAME] [--csv FILE]\n"
		"       but queue: [--with NAME=PATH,...] "
		"[--ktls prefer|require|off]\n",
		error);
	return EXIT_USAGE;
}

/* Some servers want two for each connection. */
#define DESCRIPTORS 65536

static void raise_limit(void)
{
	struct rlimit l;

	getrlimit(RLIMIT_NOFILE, &l);
	/* More than the hard limit is for root, and not always. */
	if (l.rlim_max < DESCRIPTORS &&
	    !setrlimit(RLIMIT_NOFILE,
		       &(struct rlimit){DESCRIPTORS, DESCRIPTORS}))
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

/* All that is printed but tables are comments. */
static void introduce(const struct bench_run *b)
{
	struct utsname u;

	uname(&u);
	printf("# Linux %s %s, %s\n", u.release, u.machine,
	       OpenSSL_version(OPENSSL_VERSION));
	printf("# figures: median of %u rounds ± half of their range, ratio "
	       "to %s\n",
	       b->o.rounds, b->o.baseline);
	if (!b->cpus.apart)
		printf("# one CPU for client and server: rate and latency are "
		       "those of both\n");
}

static void open_csv(struct bench_run *b)
{
	if (!b->o.csv)
		return;
	b->csv = fopen(b->o.csv, "we");
	if (!b->csv)
		die("%s: %s", b->o.csv, strerror(errno));
	results_csv_head(b->csv);
}

/* What could not be written on the way is lost by now. */
static void check_written(FILE *f, const char *name)
{
	if (f && (fflush(f) || ferror(f)))
		die("%s: it could not be written in full", name);
}

int main(int argc, char **argv)
{
	struct bench_run b = {.csv = NULL};
	char error[200];

	standard_fill();
	if (options_parse(&b.o, argc, argv, error, sizeof(error)))
		return usage(error);
	group_init(scratch_remove);
	scratch_init();
	group_guard();
	raise_limit();
	b.cpus = cpus_here();
	open_csv(&b);
	introduce(&b);
	run[b.o.bench](&b);
	check_written(b.csv, b.o.csv);
	check_written(stdout, "standard output");
	return 0;
}

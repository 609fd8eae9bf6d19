// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "ktls/install.h"
#include "util.h"

static void add(struct cast *cast, const char *name, const struct peer *peer,
		char *program)
{
	if (cast->n == SERVERS_MAX)
		die("more than %d servers", SERVERS_MAX);
	cast->servers[cast->n] = (struct server){
		.name = name, .peer = peer, .program = program};
	cast->names[cast->n++] = name;
}

static void add_peer(struct cast *cast, const struct bench_run *b,
		     const struct peer *peer)
{
	const char *given = list_value(&b->o.with, peer->name);
	char *program = given ? text("%s", given) : peer_find(peer);

	if (program && *program) {
		add(cast, peer->name, peer, program);
	} else {
		printf("# %s: not installed\n", peer->name);
		free(program);
	}
}

static bool kernel_has_tls(void)
{
	struct ktls_support support;

	return !ktls_probe(&support) && support.pairs;
}

static void add_own(struct cast *cast, const struct bench_run *b,
		    const char *name)
{
	struct server *s = &cast->servers[cast->n];

	if (strstr(name, "ktls") && !kernel_has_tls()) {
		printf("# %s: not measured: this kernel has no kTLS\n", name);
		return;
	}
	if (!strcmp(name, "relay"))
		add_peer(cast, b, peer_named("ktlsd"));
	else if (!strcmp(name, "nginx-ktls"))
		add_peer(cast, b, peer_named("nginx"));
	else
		add(cast, name, NULL, NULL);
	if (s != &cast->servers[cast->n - 1])
		return; /* it is not installed */
	cast->names[cast->n - 1] = s->name = name;
	s->ktls = !s->peer ? NULL : !strcmp(name, "relay") ? "off" : "on";
	s->tls = !strcmp(name, "openssl") ? TLS_USER :
		 !strcmp(name, "ktls-tx") ? TLS_SEND :
		 !strcmp(name, "ktls") ? TLS_BOTH : TLS_NONE;
}

static bool has(const char *const *names, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static void check_names(const struct bench_run *b, const char *const *own,
			size_t n_own)
{
	const struct list *l = &b->o.servers;
	const char *name;
	size_t i;

	for (i = 0; i < l->n; i++)
		if (!peer_named(l->items[i]) && !has(own, n_own, l->items[i]))
			die("--servers: %s has no '%s'",
			    bench_names[b->o.bench], l->items[i]);
	name = b->o.baseline;
	if (!peer_named(name) && !has(own, n_own, name))
		die("--baseline: %s has no '%s'", bench_names[b->o.bench], name);
	for (i = 0; i < b->o.with.n; i++) {
		name = b->o.with.items[i];
		if (!peer_named(strndupa(name, strcspn(name, "="))))
			die("--with: there is no server of the name in '%s'",
			    name);
	}
}

void cast_fill(struct cast *cast, const struct bench_run *b,
	       const char *const *own, size_t n_own)
{
	size_t i, k;

	cast->n = 0;
	check_names(b, own, n_own);
	for (i = 0; i < n_peers; i++) {
		if (list_has(&b->o.servers, peers[i].name))
			add_peer(cast, b, &peers[i]);
		for (k = 0; !i && k < n_own; k++)
			if (list_has(&b->o.servers, own[k]))
				add_own(cast, b, own[k]);
	}
	if (!cast->n)
		die("there is no server to measure");
}

static void print_config(const struct server *s)
{
	const char *at = s->config, *end;
	int i;

	printf("# %s: %s", s->name, s->program);
	for (i = 0; i < PEER_ARGS && s->peer->args[i]; i++)
		printf(" %s", s->peer->args[i]);
	putchar('\n');
	for (; *at; at = *end ? end + 1 : end) {
		end = at + strcspn(at, "\n");
		printf("#\t%.*s\n", (int)(end - at), at);
	}
}

struct setup bench_setup(const struct bench_run *b, enum bench_key key,
			 bool keep, unsigned int count)
{
	return (struct setup){
		.key = key, .ktls = b->o.ktls, .keep = keep,
		.connections = count + SPARE_CONNECTIONS, .cpus = &b->cpus,
	};
}

void cast_start(struct cast *cast, size_t i, const struct setup *setup)
{
	struct server *s = &cast->servers[i];

	say("%s starts", s->name);
	server_start(s, setup);
	if (s->peer && !s->shown)
		print_config(s);
	s->shown = true;
	fflush(stdout);
}

void cast_stop(struct cast *cast)
{
	size_t i;

	for (i = 0; i < cast->n; i++)
		server_stop(&cast->servers[i]);
}

void cast_free(struct cast *cast)
{
	size_t i;

	for (i = 0; i < cast->n; i++)
		free(cast->servers[i].program);
}

size_t cast_row(const struct cast *cast, const char *name)
{
	size_t i = 0;

	while (i < cast->n && strcmp(cast->names[i], name))
		i++;
	return i;
}

void bench_report(const struct bench_run *b, const struct results *r)
{
	results_table(r, b->o.baseline, stdout);
	if (b->csv)
		results_csv(r, b->o.baseline, b->csv);
}

// SPDX-License-Identifier: MIT
#include "server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "group.h"
#include "util.h"

#define PATIENCE_NS (300 * UINT64_C(1000000000))
/* Below those that the kernel gives to clients. */
#define PORT_LOW 10000
#define PORT_HIGH 30000

/* One that nobody listens at. They are not given twice in a run. */
static uint16_t free_port(void)
{
	static unsigned int next;
	struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	unsigned int tries;
	int fd, rc;

	if (!next)
		next = getpid() * 7U;
	for (tries = 0; tries < PORT_HIGH - PORT_LOW; tries++) {
		const uint16_t port =
			PORT_LOW + next++ % (PORT_HIGH - PORT_LOW);

		at.sin_port = htons(port);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		rc = bind(fd, (struct sockaddr *)&at, sizeof(at));
		close(fd);
		if (!rc)
			return port;
	}
	die("there is no free port at 127.0.0.1");
}

static bool listens(uint16_t port)
{
	const struct sockaddr_in at = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool yes = !connect(fd, (const struct sockaddr *)&at, sizeof(at));

	close(fd);
	return yes;
}

/* The end of what it printed, or "" */
static const char *last_words(const char *log)
{
	static char buf[65536];
	int n = read_text(log, buf, sizeof(buf));

	return n <= 0 ? "" : n > 2000 ? buf + n - 2000 : buf;
}

static void await(const struct server *s, const char *log)
{
	const uint64_t until = now_ns() + PATIENCE_NS;

	while (!listens(s->port)) {
		if (group_ended(s->front))
			die("%s ended; it said:\n%s", s->name, last_words(log));
		if (now_ns() > until)
			die("%s does not listen; it said:\n%s", s->name,
			    last_words(log));
		sleep_ms(20);
	}
}

/* Its command line, in place of "@" the configuration. */
static void execute(struct server *s, const char *config, const char *log,
		    const struct cpus *cpus)
{
	char *argv[PEER_ARGS + 2] = {s->program};
	const char *arg;
	size_t at;
	int i;

	for (i = 0; i < PEER_ARGS && (arg = s->peer->args[i]); i++) {
		at = strcspn(arg, "@");
		argv[i + 1] = text("%.*s%s", (int)at, arg,
				   arg[at] ? config : "");
	}
	s->front = group_spawn(argv, &cpus->server, log);
	while (i)
		free(argv[i--]);
}

static void start_behind(struct server *s, struct behind *b,
			 const struct cpus *cpus)
{
	if (s->peer->behind == BEHIND_NOTHING)
		return;
	s->seen = shared_alloc(sizeof(*s->seen));
	b->seen = s->seen;
	s->behind = group_fork(serve_run, b, &cpus->server);
}

static void start_own(struct server *s, const struct setup *setup)
{
	struct behind b = {.keep = true, .tls = s->tls, .key = setup->key};

	s->port = b.port = free_port();
	s->seen = b.seen = shared_alloc(sizeof(*s->seen));
	s->front = group_fork(serve_run, &b, &setup->cpus->server);
	await(s, "");
}

static void start_peer(struct server *s, const struct setup *setup)
{
	const char *k = key_names[setup->key];
	char *dir = scratch("%s-%s", s->name, k), *files = scratch("www");
	char *config = text("%s/%s%s", dir, s->name, s->peer->ending);
	char *log = text("%s/log", dir), *route = text("%s/handoff.sock", dir);
	char *cert = scratch("cert-%s.pem", k), *pem = scratch("key-%s.pem", k);
	char *both = scratch("both-%s.pem", k);
	const struct place at = {
		.dir = dir, .files = files, .cert = cert, .key = pem,
		.both = both, .ktls = s->ktls ? s->ktls : setup->ktls,
		.port = free_port(), .behind_port = free_port(),
		.connections = setup->connections,
	};
	struct behind b = {
		.path = s->peer->behind == BEHIND_QUEUE ? route : NULL,
		.port = at.behind_port, .keep = setup->keep,
	};

	if (mkdir(dir, 0700) && errno != EEXIST)
		die("%s: %s", dir, strerror(errno));
	s->port = at.port;
	s->config = s->peer->config(&at);
	write_file(config, s->config);
	execute(s, config, log, setup->cpus);
	start_behind(s, &b, setup->cpus);
	await(s, log);
	free(dir);
	free(files);
	free(config);
	free(log);
	free(route);
	free(cert);
	free(pem);
	free(both);
}

void server_start(struct server *s, const struct setup *setup)
{
	if (s->peer)
		start_peer(s, setup);
	else
		start_own(s, setup);
}

void server_start_bare(struct server *s, const struct flights *flights,
		       const struct cpus *cpus)
{
	int pair[2];
	struct behind b;
	struct bare loop;

	s->port = free_port();
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		die("socketpair: %s", strerror(errno));
	s->seen = shared_alloc(sizeof(*s->seen));
	b = (struct behind){.fd = pair[0], .seen = s->seen};
	loop = (struct bare){.listener = behind_listen(s->port),
			     .out = pair[1], .flights = *flights};
	s->front = group_fork(bare_loop, &loop, &cpus->server);
	s->behind = group_fork(behind_fd, &b, &cpus->server);
	close(pair[0]);
	close(pair[1]);
	close(loop.listener);
}

void server_stop(struct server *s)
{
	group_stop(s->front);
	group_stop(s->behind);
	s->front = s->behind = 0;
	free(s->config);
	s->config = NULL;
}

struct server_usage server_usage(const struct server *s)
{
	struct server_usage u = {.front = {0}};

	if (s->front)
		proc_group_usage(s->front, &u.front);
	if (s->behind)
		proc_group_usage(s->behind, &u.behind);
	return u;
}

struct server_usage server_usage_since(const struct server *s,
				       const struct server_usage *before)
{
	const struct server_usage now = server_usage(s);

	return (struct server_usage){
		.front = usage_since(&now.front, &before->front),
		.behind = usage_since(&now.behind, &before->behind),
	};
}

double server_busy(const struct server_usage *used, uint64_t wall_ns)
{
	const uint64_t busy = used->front.cpu_ns + used->front.wait_ns +
			      used->behind.cpu_ns + used->behind.wait_ns;

	return wall_ns ? (double)busy / wall_ns : 0;
}

// SPDX-License-Identifier: MIT
/*
 * ktls-bench queue: what it takes to get a connection through ktlsd's queue,
 * beside the least that the kernel needs for that, and beside accept(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "group.h"
#include "ktls/descriptors.h"
#include "ktls/ktls.h"
#include "ktls/message.h"
#include "stats.h"
#include "util.h"

#define PROCESSES_MAX 32
/* As ktlsd makes them: places for so many, a message costs at most so much. */
#define PLACES 1024
#define PLACE_BYTES 1280
/* Without any for so long, something is wrong. */
#define PATIENCE_NS (60 * UINT64_C(1000000000))
/* They are held, to be closed together: what that takes is not counted. */
#define HELD 64
#define PAUSE_NS 100000

enum { RATE, CPU, SEND, P50, P99, P999, METRICS };
static const struct metric metrics[METRICS] = {
	[RATE] = {"rate", "/s", 0, true},
	[CPU] = {"cpu", "us", 2, true},
	[SEND] = {"send", "us", 2, true},
	[P50] = {"p50", "us", 1, true},
	[P99] = {"p99", "us", 1, true},
	[P999] = {"p99.9", "us", 1, true},
};

/* struct book - of one process; @cpu_ns: without what closing takes */
struct book {
	uint64_t begin_ns, end_ns, cpu_ns;
};

/*
 * struct board - what the processes of one turn share
 * @given, @taken: so many
 * @sent_ns:    when the last one was about to be sent, in single file
 * @latency_ns: of each that was taken then
 */
struct board {
	atomic_uint given, taken;
	atomic_ullong sent_ns;
	struct book readers[PROCESSES_MAX], writers[PROCESSES_MAX];
	uint64_t latency_ns[];
};

/*
 * struct turn - of one way
 * @in, @out: the queue's ends; of accept(2) @in is the listener, @port its port
 * @single:   one at a time, to see how long it takes
 * @index:    the next process's
 */
struct turn {
	const struct way *way;
	struct board *board;
	unsigned int count, n_writers, n_readers, index;
	bool single;
	int in, out, passed;
	uint16_t port;
	uint8_t message[4096];
	size_t message_len;
	struct ktls_queue *queue;
};

/*
 * struct way
 * @take: one without waiting; the descriptor, or -errno
 * @give: one, with waiting
 */
struct way {
	const char *name;
	void (*open)(struct turn *t);
	int (*take)(struct turn *t);
	void (*give)(struct turn *t);
};

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* --- ways ------------------------------------------------------------------------ */

static void write_message(struct turn *t)
{
	struct ktls_info info = {.mode = KTLS_RELAY, .handoff_ns = now_ns()};
	struct sockaddr_in *peer = (struct sockaddr_in *)&info.peer;
	ssize_t n;

#define BYTES(s) ((struct ktls_bytes){(const uint8_t *)(s), sizeof(s) - 1})
	peer->sin_family = AF_INET;
	peer->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	peer->sin_port = htons(50000);
	info.local = info.peer;
	info.alpn = BYTES("http/1.1");
	info.server_name = BYTES("www.example.com");
	info.version = BYTES("TLSv1.3");
	info.cipher = BYTES("TLS_AES_128_GCM_SHA256");
	info.group = BYTES("x25519");
	info.key_alg = BYTES("EC256");
	info.cert_sig_alg = BYTES("SHA256");
#undef BYTES
	n = ktls_msg_encode(&info, NULL, t->message, sizeof(t->message));
	if (n < 0)
		die("ktls_msg_encode: %s", strerror(-n));
	t->message_len = n;
}

static void open_queue(struct turn *t)
{
	int fd[2], size = PLACES * PLACE_BYTES;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd))
		die("socketpair: %s", strerror(errno));
	/* The first is for root; without it the queue may be a shorter one. */
	if (setsockopt(fd[1], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	t->in = fd[0];
	t->out = fd[1];
	t->passed = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (t->passed < 0)
		die("socket: %s", strerror(errno));
	write_message(t);
}

static void give_message(struct turn *t)
{
	struct pollfd p = {.fd = t->out, .events = POLLOUT};
	int rc;

	while ((rc = ktls_send_fds(t->out, t->message, t->message_len,
				   &t->passed, 1))) {
		if (rc != -EAGAIN && rc != -ETOOMANYREFS)
			die("a queue: %s", strerror(-rc));
		poll(&p, 1, 5);
	}
}

static int take_by_libktls(struct turn *t)
{
	struct ktls_info info;
	struct ktls_conn c;
	int rc;

	if (!t->queue)
		t->queue = ktls_queue_new(t->in, 0);
	if (!t->queue)
		die("ktls_queue_new: %s", strerror(errno));
	rc = ktls_accept(t->queue, &c, &info, SOCK_CLOEXEC);
	return rc ? rc : ktls_release(&c);
}

static int take_by_recvmsg(struct turn *t)
{
	char buf[4096];
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {buf, sizeof(buf)};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(t->in, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	if (!CMSG_FIRSTHDR(&msg))
		die("a message came without its descriptor");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

static void open_listener(struct turn *t)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	t->in = behind_listen(0);
	if (fcntl(t->in, F_SETFL, O_NONBLOCK) ||
	    getsockname(t->in, (struct sockaddr *)&at, &len))
		die("a listening socket: %s", strerror(errno));
	t->port = ntohs(at.sin_port);
	t->out = t->passed = -1;
}

/* What does not fit into a backlog is lost. */
static void await_place(const struct turn *t)
{
	const struct timespec some = {.tv_nsec = PAUSE_NS};
	const struct board *b = t->board;

	while (atomic_load(&b->given) - atomic_load(&b->taken) > PLACES / 2)
		nanosleep(&some, NULL);
}

static void give_by_connect(struct turn *t)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(t->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const struct linger reset = {.l_onoff = 1};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	await_place(t);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)))
		die("connect: %s", strerror(errno));
	/* The port is free again at once; what waits is accepted all the same. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static int take_by_accept(struct turn *t)
{
	int fd = accept4(t->in, NULL, NULL, SOCK_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static const struct way ways[] = {
	{"queue", open_queue, take_by_libktls, give_message},
	{"recvmsg", open_queue, take_by_recvmsg, give_message},
	{"accept", open_listener, take_by_accept, give_by_connect},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

/* --- processes --------------------------------------------------------------------- */

static void close_held(int *held, unsigned int *n, uint64_t *aside_ns)
{
	const uint64_t since = cpu_ns();

	while (*n)
		close(held[--*n]);
	*aside_ns += cpu_ns() - since;
}

static void note_taken(const struct turn *t)
{
	const unsigned int i = atomic_load(&t->board->taken);

	if (t->single)
		t->board->latency_ns[i] =
			now_ns() - atomic_load(&t->board->sent_ns);
	atomic_fetch_add(&t->board->taken, 1);
}

static void become_reader(void *arg)
{
	struct turn *t = arg;
	struct book *book = &t->board->readers[t->index];
	struct pollfd p = {.fd = t->in, .events = POLLIN};
	uint64_t aside_ns = 0, since = cpu_ns();
	unsigned int n = 0;
	int held[HELD], fd;

	book->end_ns = now_ns();
	while (atomic_load(&t->board->taken) < t->count) {
		/* The end is that of a reader who took the last one. */
		poll(&p, 1, 20);
		while ((fd = t->way->take(t)) >= 0) {
			note_taken(t);
			book->end_ns = now_ns();
			held[n++] = fd;
			if (n == HELD || t->single)
				close_held(held, &n, &aside_ns);
		}
		if (fd != -EAGAIN)
			die("%s: %s", t->way->name, strerror(-fd));
		if (now_ns() - book->end_ns > PATIENCE_NS)
			die("%s: no descriptor comes", t->way->name);
	}
	close_held(held, &n, &aside_ns);
	book->cpu_ns = cpu_ns() - since - aside_ns;
}

static void await_taken(const struct turn *t, unsigned int n)
{
	const struct timespec some = {.tv_nsec = PAUSE_NS};

	do
		nanosleep(&some, NULL);
	while (atomic_load(&t->board->taken) < n);
}

static void become_writer(void *arg)
{
	struct turn *t = arg;
	struct book *book = &t->board->writers[t->index];
	const unsigned int n = t->count / t->n_writers +
			       (t->index < t->count % t->n_writers);
	const uint64_t since = cpu_ns();
	unsigned int i;

	book->begin_ns = now_ns();
	for (i = 0; i < n; i++) {
		atomic_store(&t->board->sent_ns, now_ns());
		t->way->give(t);
		atomic_fetch_add(&t->board->given, 1);
		if (t->single)
			await_taken(t, i + 1);
	}
	book->cpu_ns = cpu_ns() - since;
}

static void run_turn(struct turn *t, const struct cpus *cpus)
{
	pid_t pids[2 * PROCESSES_MAX];
	unsigned int n = 0, i;

	t->way->open(t);
	for (t->index = 0; t->index < t->n_readers; t->index++)
		pids[n++] = group_fork(become_reader, t, &cpus->server);
	for (t->index = 0; t->index < t->n_writers; t->index++)
		pids[n++] = group_fork(become_writer, t, &cpus->client);
	for (i = 0; i < n; i++)
		if (group_wait(pids[i]))
			die("%s: a process ended", t->way->name);
	close(t->in);
	close(t->out);
	close(t->passed);
}

/* --- figures ----------------------------------------------------------------------- */

static void book_rate(struct results *r, size_t row, unsigned int round,
		      const struct turn *t)
{
	uint64_t begin = UINT64_MAX, end = 0, cpu = 0, sent = 0;
	unsigned int i;

	for (i = 0; i < PROCESSES_MAX; i++) {
		const struct book *w = &t->board->writers[i];
		const struct book *d = &t->board->readers[i];

		if (i < t->n_writers && w->begin_ns < begin)
			begin = w->begin_ns;
		end = d->end_ns > end ? d->end_ns : end;
		cpu += d->cpu_ns;
		sent += w->cpu_ns;
	}
	results_set(r, row, RATE, round, t->count * 1e9 / (end - begin));
	results_set(r, row, CPU, round, cpu / 1e3 / t->count);
	results_set(r, row, SEND, round, sent / 1e3 / t->count);
}

static void book_latency(struct results *r, size_t row, unsigned int round,
			 const struct turn *t)
{
	static const double percent[] = {50, 99, 99.9};
	int i;

	stats_sort(t->board->latency_ns, t->count);
	for (i = 0; i < 3; i++)
		results_set(r, row, P50 + i, round,
			    stats_percentile(t->board->latency_ns, t->count,
					     percent[i]) / 1e3);
}

/* First as fast as they can, then one at a time. */
static void measure(const struct bench_run *b, struct results *r, size_t row,
		    unsigned int round, const struct way *way)
{
	const struct options *o = &b->o;
	const unsigned int count = o->count ? o->count : 50000;
	const size_t size =
		sizeof(struct board) + count * sizeof(uint64_t);
	struct turn t = {
		.way = way,
		.count = count,
		.n_writers = o->writers ? o->writers : 1,
		.n_readers = o->readers ? o->readers : 1,
		.board = shared_alloc(size),
	};

	run_turn(&t, &b->cpus);
	book_rate(r, row, round, &t);
	memset(t.board, 0, size);
	t.single = true;
	t.n_writers = t.n_readers = 1;
	t.count = count < 2000 ? count : 2000;
	run_turn(&t, &b->cpus);
	book_latency(r, row, round, &t);
	munmap(t.board, size);
}

static void check_way(const char *option, const char *name)
{
	size_t i;

	for (i = 0; i < WAYS; i++)
		if (!strcmp(ways[i].name, name))
			return;
	die("--%s: queue has no '%s'", option, name);
}

void bench_queue(struct bench_run *b)
{
	const struct way *chosen[WAYS];
	const char *names[WAYS];
	struct results *r;
	unsigned int round;
	size_t i, n = 0;

	for (i = 0; i < b->o.servers.n; i++)
		check_way("servers", b->o.servers.items[i]);
	check_way("baseline", b->o.baseline);
	for (i = 0; i < WAYS; i++) {
		if (!list_has(&b->o.servers, ways[i].name))
			continue;
		chosen[n] = &ways[i];
		names[n++] = ways[i].name;
	}
	r = results_new("queue", "descriptors", names, n, metrics, METRICS,
			b->o.rounds);
	for (round = 0; round < b->o.rounds; round++) {
		say("queue: round %u of %u", round + 1, b->o.rounds);
		for (i = 0; i < n; i++)
			measure(b, r, i, round, chosen[i]);
	}
	bench_report(b, r);
	results_free(r);
}

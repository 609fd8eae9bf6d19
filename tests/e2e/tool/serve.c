// SPDX-License-Identifier: MIT
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "ktls/ktls.h"
#include "describe.h"
#include "ledger.h"
#include "serve.h"
#include "tool.h"

enum state { HEAD, BODY, ANSWER, CLOSING, LINGER };

struct conn {
	struct ktls_conn k;
	enum state state;
	int n;
	long number; /* in the ledger */
	bool close; /* the client asked for it */
	char in[2048];
	size_t in_len;
	EVP_MD_CTX *sha; /* of an upload */
	uint64_t body_left; /* of it */
	char out[4096]; /* head and short body of the answer */
	size_t out_len, out_done;
	uint64_t bytes, bytes_done; /* of pattern() behind that */
	char info[3072];
};

/* What epoll gives us instead of a connection. */
static char is_queue, is_signal;

static struct ktls_queue *queue;
static int queue_fd, epfd, take, rekey;
static bool watching, drain, quiet;
static uint64_t rest_ns; /* not 0: we are leaving */
static int accepted, ended, lost, wakeups, full;

static void stats(void)
{
	printf("event=stats pid=%d accepted=%d ended=%d open=%d lost=%d "
	       "full=%d wakeups=%d\n",
	       getpid(), accepted, ended, accepted - ended, lost, full,
	       wakeups);
}

static void watch_queue(bool on)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = &is_queue};

	if (on == watching || (on && rest_ns))
		return;
	watching = on;
	if (epoll_ctl(epfd, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, queue_fd, &e))
		die("epoll_ctl: %m");
}

static void watch(struct conn *c, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.ptr = c};

	epoll_ctl(epfd, EPOLL_CTL_MOD, c->k.fd, &e);
}

static void end(struct conn *c, ssize_t rc)
{
	const char *how = rc ? strerrorname_np(-rc) : "clean";

	if (rc == -ECONNRESET)
		how = "cut";
	else if (rc == -EPROTO)
		how = "alert";
	if (!quiet)
		printf("event=end n=%d how=%s alert=%u state=%d\n", c->n, how,
		       c->k.alert, c->state);
	ledger_note(c->number, LEDGER_GONE);
	ended++;
	/* close() would not do it while ktlsd still has its copy. */
	epoll_ctl(epfd, EPOLL_CTL_DEL, c->k.fd, NULL);
	ktls_close(&c->k);
	EVP_MD_CTX_free(c->sha);
	free(c);
	watch_queue(true);
}

static void answer(struct conn *c, const char *body, uint64_t bytes)
{
	c->out_len = snprintf(c->out, sizeof(c->out),
			      "HTTP/1.1 200 OK\r\nContent-Length: %ju\r\n"
			      "%s\r\n%s",
			      (uintmax_t)(bytes ? bytes : strlen(body)),
			      c->close ? "Connection: close\r\n" : "", body);
	c->out_done = 0;
	c->bytes = bytes;
	c->bytes_done = 0;
	c->state = ANSWER;
}

/* Answer the request whose head stands at the beginning of @c->in. */
static void request(struct conn *c, size_t head_len)
{
	char path[512] = "/", *value;

	c->close = strcasestr(c->in, "connection: close") != NULL;
	if (sscanf(c->in, "%*s %511s", path) != 1)
		strcpy(path, "/");
	value = strcasestr(c->in, "content-length:");
	if (value && !strncmp(c->in, "PUT ", 4)) {
		c->body_left = strtoull(value + 15, NULL, 10);
		c->sha = sha_new();
		c->state = BODY;
	} else if (!strncmp(path, "/bytes/", 7)) {
		answer(c, "", strtoull(path + 7, NULL, 10));
	} else {
		answer(c, strcmp(path, "/info") ? path : c->info, 0);
	}
	c->in_len -= head_len;
	memmove(c->in, c->in + head_len, c->in_len);
}

static void body_bytes(struct conn *c, const void *data, size_t len)
{
	char hex[SHA_HEX];

	EVP_DigestUpdate(c->sha, data, len);
	c->body_left -= len;
	if (c->body_left)
		return;
	sha_hex(c->sha, hex);
	c->sha = NULL;
	answer(c, hex, 0);
}

/* The steps below return 0 to go on, 1 when the connection is over, -errno. */

static int do_head(struct conn *c)
{
	char *blank;
	ssize_t n;

	c->in[c->in_len] = '\0';
	blank = strstr(c->in, "\r\n\r\n");
	if (blank) {
		*blank = '\0';
		request(c, blank + 4 - c->in);
		return 0;
	}
	n = ktls_recv(&c->k, c->in + c->in_len, sizeof(c->in) - 1 - c->in_len);
	if (n > 0) {
		c->in_len += n;
		return 0;
	}
	if (n == -EINTR)
		return 0;
	if (n == -EAGAIN)
		return n;
	if (n == 0) {
		c->state = CLOSING;
		return 0;
	}
	end(c, n);
	return 1;
}

static int do_body(struct conn *c)
{
	static uint8_t buf[65536];
	size_t want = c->body_left < sizeof(buf) ? c->body_left : sizeof(buf);
	ssize_t n;

	if (c->in_len) {
		want = c->in_len < want ? c->in_len : want;
		body_bytes(c, c->in, want);
		c->in_len -= want;
		memmove(c->in, c->in + want, c->in_len);
		return 0;
	}
	n = ktls_recv(&c->k, buf, want);
	if (n > 0) {
		body_bytes(c, buf, n);
		return 0;
	}
	if (n == -EINTR)
		return 0;
	if (n == -EAGAIN)
		return n;
	end(c, n ? n : -ECONNRESET);
	return 1;
}

static int do_answer(struct conn *c)
{
	const uint8_t *p = (uint8_t *)c->out + c->out_done;
	size_t len = c->out_len - c->out_done;
	ssize_t n;

	if (!len && c->bytes_done < c->bytes) {
		p = pattern(c->bytes_done, &len);
		if (len > c->bytes - c->bytes_done)
			len = c->bytes - c->bytes_done;
	}
	if (!len) {
		ledger_note(c->number, LEDGER_ANSWERED);
		c->state = c->close ? CLOSING : HEAD;
		return 0;
	}
	ledger_note(c->number, LEDGER_ANSWERING);
	n = ktls_send(&c->k, p, len, 0);
	if (n == -EAGAIN)
		return n;
	if (n < 0) {
		end(c, n);
		return 1;
	}
	if (c->out_done < c->out_len)
		c->out_done += n;
	else
		c->bytes_done += n;
	return 0;
}

static int do_closing(struct conn *c)
{
	int rc = ktls_shutdown(&c->k);

	if (rc == -EAGAIN)
		return rc;
	c->state = LINGER;
	return 0;
}

/* Closing at once could reset what the client has not read yet. */
static int do_linger(struct conn *c)
{
	char buf[4096];
	ssize_t n = ktls_recv(&c->k, buf, sizeof(buf));

	if (n > 0 || n == -EINTR)
		return 0;
	if (n == -EAGAIN)
		return n;
	end(c, n);
	return 1;
}

static bool writes(const struct conn *c)
{
	return c->state == ANSWER || c->state == CLOSING;
}

static void progress(struct conn *c)
{
	static int (*const steps[])(struct conn *) = {
		[HEAD] = do_head,     [BODY] = do_body,
		[ANSWER] = do_answer, [CLOSING] = do_closing,
		[LINGER] = do_linger,
	};
	int rc;

	do
		rc = steps[c->state](c);
	while (!rc);
	if (rc == -EAGAIN)
		watch(c, writes(c) ? EPOLLOUT : EPOLLIN);
}

/* The descriptor table is full: leave the queue alone until one is free. */
static void on_full(void)
{
	full++;
	printf("event=full pid=%d\n", getpid());
	watch_queue(false);
}

static void not_taken(int rc)
{
	if (rc == -EMFILE)
		on_full();
	else if (rc == -ECONNABORTED)
		lost++;
	else if (rc == -EPIPE && rest_ns)
		watch_queue(false); /* its last write end was our registrar's */
	else if (rc != -EAGAIN)
		die("ktls_accept: %s", strerror(-rc));
}

/* Returns when the connection was handed off; 0: none was taken. */
static uint64_t on_queue(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	struct ktls_info info;
	struct conn *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		die("out of memory");
	rc = ledger_accept(queue, queue_fd, &c->k, &info, &c->number);
	if (rc) {
		free(c);
		not_taken(rc);
		return 0;
	}
	c->n = ++accepted;
	ktls_set_rekey(&c->k, rekey);
	if (!quiet) {
		describe(&info, c->k.fd, c->info, sizeof(c->info));
		printf("event=accept n=%d pid=%d %s\n", c->n, getpid(),
		       c->info);
	}
	if (accepted == take)
		raise(SIGKILL);
	e.data.ptr = c;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->k.fd, &e))
		die("epoll_ctl: %m");
	if (c->k.mode == KTLS_PLAIN)
		end(c, -EPROTONOSUPPORT); /* we speak no TLS */
	else
		progress(c);
	return info.handoff_ns;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* See handoff(7): what is handed off until rest_ns is ours, too. */
static void take_rest(void)
{
	uint64_t handoff_ns;

	if (!rest_ns || !watching || now_ns() < rest_ns)
		return;
	do
		handoff_ns = on_queue();
	while (handoff_ns && handoff_ns < rest_ns);
	watch_queue(false);
}

static void on_signal(int fd)
{
	struct signalfd_siginfo s;

	if (read(fd, &s, sizeof(s)) != sizeof(s))
		return;
	wakeups--;
	if (s.ssi_signo == SIGUSR2) {
		raise_nofile();
		watch_queue(true);
		return;
	}
	if (s.ssi_signo == SIGTERM && drain) {
		rest_ns = now_ns() + UINT64_C(1000000000);
		return;
	}
	stats();
	if (s.ssi_signo != SIGTERM)
		return;
	/* Connections that only epoll knows of would be called leaks. */
	if (accepted == ended)
		exit(0);
	fflush(stdout);
	_exit(0);
}

static int signals(void)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = &is_signal};
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0 || epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e))
		die("signalfd: %m");
	return fd;
}

static void limit_nofile(int n)
{
	struct rlimit r;

	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = n;
	if (setrlimit(RLIMIT_NOFILE, &r))
		die("setrlimit: %m");
}

void serve(const struct serve_config *config)
{
	struct epoll_event events[64];
	int i, n, signal_fd;

	setvbuf(stdout, NULL, _IOLBF, 4096);
	epfd = epoll_create1(EPOLL_CLOEXEC);
	signal_fd = signals();
	queue_fd = config->queue_fd;
	take = config->take;
	rekey = config->rekey;
	drain = config->drain;
	quiet = config->ledger;
	if (quiet)
		ledger_open(config->ledger);
	queue = ktls_queue_new(queue_fd, config->hold_ms);
	if (!queue)
		die("ktls_queue_new: %m");
	if (!config->hold)
		watch_queue(true);
	if (config->nofile)
		limit_nofile(config->nofile);
	printf("event=serving pid=%d\n", getpid());
	while (!rest_ns || watching || accepted > ended) {
		n = epoll_wait(epfd, events, 64, rest_ns ? 100 : -1);
		wakeups += n > 0;
		for (i = 0; i < n; i++) {
			if (events[i].data.ptr == &is_queue)
				on_queue();
			else if (events[i].data.ptr == &is_signal)
				on_signal(signal_fd);
			else
				progress(events[i].data.ptr);
		}
		take_rest();
	}
	stats();
	exit(0);
}

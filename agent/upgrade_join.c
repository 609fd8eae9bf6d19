/* SPDX-License-Identifier: MIT */
#include "upgrade_join.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"
#include "upgrade.h"

/* The old one answers at once, unless it was stopped. */
#define ANSWER_MS 60000
/* More than any state. */
#define STATE_MAX ((size_t)1 << 32)
#define FDS_MAX 1000000

/* Returns the descriptor that the environment names, or -1. */
static int find_socket(void)
{
	const char *text = getenv(UPGRADE_ENV);
	int type = 0, fd;
	socklen_t len = sizeof(type);
	char *end;
	long n;

	n = text ? strtol(text, &end, 10) : -1;
	fd = text && *text && !*end && n > STDERR_FILENO && n < INT_MAX ?
	     (int)n : -1;
	unsetenv(UPGRADE_ENV);
	if (fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) ||
	    type != SOCK_SEQPACKET)
		return -1;
	return fd;
}

/* As upgrade_hear(), but waits until @due_ms. */
static int hear(int sock, struct upgrade_in *in, struct ktls_fds *fds,
		uint64_t due_ms)
{
	struct pollfd p = { .fd = sock, .events = POLLIN };
	uint64_t now;
	int ret = -EAGAIN;

	while (ret == -EAGAIN || ret == -EINTR) {
		now = loop_now_ms();
		if (now >= due_ms)
			return -ETIMEDOUT;
		poll(&p, 1, (int)(due_ms - now));
		ret = upgrade_hear(sock, in, fds);
	}
	return ret ? ret : -ECONNRESET;
}

static int read_state(struct upgrade_join *j, int fd)
{
	size_t at = 0;
	struct stat st;
	ssize_t n = 1;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_size < 0 || (size_t)st.st_size > STATE_MAX)
		return -EBADMSG;
	j->len = (size_t)st.st_size;
	j->state = malloc(j->len + 1);
	if (!j->state)
		return -ENOMEM;
	for (; at < j->len && n > 0; at += (size_t)n)
		n = pread(fd, j->state + at, j->len - at, (off_t)at);
	if (n <= 0)
		return n ? -errno : -EBADMSG;
	return 0;
}

static int take_fds(struct upgrade_join *j, size_t want, struct ktls_fds *fds)
{
	if (fds->n > want - j->n_fds) {
		ktls_close_fds(fds);
		return -EBADMSG;
	}
	memcpy(j->fds + j->n_fds, fds->fd, fds->n * sizeof(*j->fds));
	j->n_fds += fds->n;
	return 0;
}

static int hear_fds(struct upgrade_join *j, struct upgrade_in *in, size_t want,
		    uint64_t due_ms)
{
	struct ktls_fds fds;
	int err = 0;

	j->fds = malloc((want + 1) * sizeof(*j->fds));
	if (!j->fds)
		return -ENOMEM;
	while (!err && j->n_fds < want) {
		err = hear(j->sock, in, &fds, due_ms);
		if (err != 1)
			break;
		err = take_fds(j, want, &fds);
		if (!err && in->msg.type != UPGRADE_FDS)
			err = -EBADMSG;
	}
	return err;
}

/* Returns 0, -EACCES with the sentence in @in, or another -errno. */
static int hear_state(struct upgrade_join *j, struct upgrade_in *in)
{
	uint64_t due_ms = loop_now_ms() + ANSWER_MS;
	struct ktls_fds fds;
	int err = hear(j->sock, in, &fds, due_ms);

	if (err != 1)
		return err;
	err = -EBADMSG;
	if (in->msg.type == UPGRADE_REFUSED)
		err = -EACCES;
	else if (in->msg.type == UPGRADE_STATE && fds.n == 1 &&
		 in->msg.number <= FDS_MAX)
		err = read_state(j, fds.fd[0]);
	ktls_close_fds(&fds);
	return err ? err : hear_fds(j, in, in->msg.number, due_ms);
}

int upgrade_join(struct upgrade_join *j, unsigned int wait_ms)
{
	struct upgrade_in *in = malloc(sizeof(*in));
	int err = in ? 0 : -ENOMEM;

	*j = (struct upgrade_join){ .sock = find_socket() };
	if (j->sock >= 0 && !err)
		err = upgrade_say(j->sock, UPGRADE_HELLO, wait_ms, NULL, NULL,
				  0);
	if (j->sock >= 0 && !err)
		err = hear_state(j, in);
	if (err)
		log_error("event=upgrade_impossible error=\"%s\"",
			  err == -EACCES ? in->msg.text :
			  err == -ECONNRESET ? "the old ktlsd is gone" :
					       strerror(-err));
	free(in);
	return err;
}

/* --- what came -------------------------------------------------------------- */

static int add(struct inherit *set, const struct upgrade_record *record,
	       const uint8_t *data, int fd)
{
	struct inherit_socket s = {
		.number = record->number,
		.fd = fd,
		.addr_len = record->data_len,
		.v6only = record->flags & UPGRADE_V6ONLY,
		.foreign = record->flags & UPGRADE_FOREIGN,
	};
	struct sockaddr_un *un = (struct sockaddr_un *)&s.addr;

	s.kind = record->type == UPGRADE_LISTENER ? INHERIT_LISTENER :
		 record->type == UPGRADE_ROUTE ? INHERIT_ROUTE :
						 INHERIT_CONTROL;
	if (s.kind == INHERIT_LISTENER) {
		memcpy(&s.addr, data, record->data_len);
	} else {
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, data, record->data_len);
		s.addr_len = sizeof(*un);
	}
	return inherit_add(set, &s);
}

struct upgrade_reader upgrade_join_reader(const struct upgrade_join *j)
{
	return (struct upgrade_reader){ j->state, j->state + j->len, j->n_fds,
					false };
}

int upgrade_join_sockets(const struct upgrade_join *j, struct inherit *set)
{
	struct upgrade_reader r = upgrade_join_reader(j);
	struct upgrade_record record;
	const uint8_t *data;
	const int *fd = j->fds;
	int ret, err = 0;

	while (!err && (ret = upgrade_read(&r, &record, &data)) > 0) {
		if (record.type == UPGRADE_LISTENER ||
		    record.type == UPGRADE_ROUTE ||
		    record.type == UPGRADE_CONTROL)
			err = add(set, &record, data, *fd);
		fd += upgrade_fds(record.type);
	}
	if (!err)
		err = ret;
	if (err)
		log_error("event=upgrade_impossible error=\"%s\"",
			  strerror(-err));
	return err;
}

void upgrade_join_serves(const struct upgrade_join *j,
			 const struct inherit *set)
{
	static const enum upgrade_type types[] = {
		[INHERIT_LISTENER] = UPGRADE_LISTENER,
		[INHERIT_ROUTE] = UPGRADE_ROUTE,
		[INHERIT_CONTROL] = UPGRADE_CONTROL,
		[INHERIT_PROXY] = UPGRADE_PROXY,
	};
	struct upgrade_taken taken[UPGRADE_TAKEN_MAX];
	uint32_t n = 0;
	size_t i;
	int err;

	for (i = 0; i < set->n && n < UPGRADE_TAKEN_MAX; i++)
		if (set->socket[i].fd < 0)
			taken[n++] = (struct upgrade_taken){
				types[set->socket[i].kind],
				set->socket[i].number };
	err = upgrade_say_serves(j->sock, taken, n);
	if (err)	/* it was killed meanwhile; we serve in any case */
		log_warn("event=upgrade_unheard error=\"%s\"", strerror(-err));
}

void upgrade_join_end(struct upgrade_join *j)
{
	if (j->sock >= 0)
		close(j->sock);
	free(j->fds);
	free(j->state);
	*j = (struct upgrade_join){ .sock = -1 };
}

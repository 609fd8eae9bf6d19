// SPDX-License-Identifier: MIT
#include "preload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

/* A number and the @end behind it. */
static bool take_number(const char **text, char end, unsigned long max,
			unsigned long *n)
{
	char *rest;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*n = strtoul(*text, &rest, 10);
	if (errno || *n > max || *rest != end)
		return false;
	*text = rest + !!end;
	return true;
}

static int take_address(const char **text, union address *to)
{
	uint8_t *out = (uint8_t *)to;
	size_t n = 0;

	memset(to, 0, sizeof(*to));
	if (**text == '-') {
		++*text;
		return 0;
	}
	for (; n < sizeof(*to); n++, *text += 2) {
		const char *high = strchr(digits, (*text)[0]);
		const char *low = high && *high ? strchr(digits, (*text)[1]) :
						  NULL;

		if (!low || !*low)
			return -EINVAL;
		out[n] = (high - digits) << 4 | (low - digits);
	}
	return to->any.sa_family == AF_INET || to->any.sa_family == AF_INET6 ?
		       0 :
		       -EINVAL;
}

static int take_queue(const char **text, struct preload_queue *q)
{
	unsigned long ino, fd, own, port, hold, nonblocking, ipv6;

	if (!take_number(text, ',', -1UL, &ino) ||
	    !take_number(text, ',', TABLE_FDS - 1, &fd) ||
	    !take_number(text, ',', TABLE_FDS - 1, &own) ||
	    !take_number(text, ',', 65535, &port) ||
	    !take_number(text, ',', UINT32_MAX, &hold) ||
	    !take_number(text, ',', 1, &nonblocking) ||
	    !take_number(text, ',', 1, &ipv6) ||
	    take_address(text, &q->bound))
		return -EINVAL;
	q->ino = ino;
	q->fd = own ? (int)own : -1;
	q->given = fd;
	q->port = port;
	q->hold_ms = hold;
	q->nonblocking = nonblocking;
	q->ipv6 = ipv6;
	return 0;
}

int preload_parse(struct preload_state *s, const char *text)
{
	unsigned long version, ino, fd;

	if (!take_number(&text, ' ', 1, &version) || version != 1 ||
	    !take_number(&text, ',', -1UL, &ino) ||
	    !take_number(&text, ' ', TABLE_FDS - 1, &fd))
		return -EINVAL;
	s->report_ino = ino;
	s->report_fd = fd;
	for (s->n = 0; s->n < PRELOAD_QUEUES_MAX; text++) {
		if (take_queue(&text, &s->queues[s->n]))
			return -EINVAL;
		s->n++;
		if (!*text)
			return 0;
		if (*text != ' ')
			return -EINVAL;
	}
	return -EINVAL;
}

static void put_address(const union address *a, char *to)
{
	const uint8_t *from = (const uint8_t *)a;

	if (!a->any.sa_family) {
		strcpy(to, "-");
		return;
	}
	for (size_t i = 0; i < sizeof(*a); i++) {
		*to++ = digits[from[i] >> 4];
		*to++ = digits[from[i] & 15];
	}
	*to = 0;
}

/*
 * The successor of what listens is not to be ended, with its predecessor, for
 * what it listens on: its IPv6 clients are refused one by one.
 */
static bool counts_ipv6(const struct preload_queue *q)
{
	return q->ipv6 && !q->bound.any.sa_family;
}

int preload_format(const struct preload_state *s, char *buf, size_t len)
{
	char address[2 * sizeof(union address) + 1];
	size_t used = snprintf(buf, len, "1 %lu,%d", (unsigned long)s->report_ino,
			       s->report_fd < 0 ? 0 : s->report_fd);

	for (int i = 0; used < len && i < s->n; i++) {
		const struct preload_queue *q = &s->queues[i];

		put_address(&q->bound, address);
		used += snprintf(buf + used, len - used,
				 " %lu,%d,%d,%d,%u,%d,%d,%s",
				 (unsigned long)q->ino, q->given,
				 q->fd < 0 ? 0 : q->fd, q->port, q->hold_ms,
				 q->nonblocking, counts_ipv6(q), address);
	}
	return used < len ? 0 : -E2BIG;
}

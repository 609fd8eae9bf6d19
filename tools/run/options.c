// SPDX-License-Identifier: MIT
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct parser {
	struct run_options *o;
	char *error;
	size_t error_len;
};

__attribute__((format(printf, 2, 3))) static int wrong(const struct parser *p,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->error, p->error_len, format, args);
	va_end(args);
	return -EINVAL;
}

/* The queue that an option behind --queue belongs to, or NULL. */
static struct run_queue *current(const struct parser *p, const char *option)
{
	if (p->o->n)
		return &p->o->queues[p->o->n - 1];
	wrong(p, "%s belongs behind the --queue that it is about", option);
	return NULL;
}

static int parse_number(const struct parser *p, const char *option,
			const char *text, long low, long high, int *number)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n < low || n > high)
		return wrong(p, "%s: '%s' is no number from %ld to %ld", option,
			     text, low, high);
	*number = n;
	return 0;
}

static int add_queue(const struct parser *p, const char *path)
{
	if (!*path)
		return wrong(p, "--queue: the path is empty");
	if (p->o->n == RUN_QUEUES_MAX)
		return wrong(p, "more than %d queues", RUN_QUEUES_MAX);
	p->o->queues[p->o->n++] = (struct run_queue){.path = path};
	return 0;
}

static int set_number(const struct parser *p, const char *option,
		      const char *text, long low, long high, int *number)
{
	if (*number)
		return wrong(p, "%s is given twice for %s", option,
			     current(p, option)->path);
	return parse_number(p, option, text, low, high, number);
}

static int take_option(const struct parser *p, int option, const char *name)
{
	struct run_queue *q;

	if (option == 'q')
		return add_queue(p, optarg);
	if (option == '?')
		return wrong(p, "%s: no such option", name);
	if (option == ':')
		return wrong(p, "%s: something is missing behind it", name);
	if (option == 'f') {
		q = current(p, "--fd");
		return q ? set_number(p, "--fd", optarg, RUN_FD_FIRST,
				      RUN_FD_MAX, &q->fd) :
			   -EINVAL;
	}
	if (option == 'p') {
		q = current(p, "--port");
		return q ? set_number(p, "--port", optarg, 1, 65535, &q->port) :
			   -EINVAL;
	}
	q = current(p, "--preload");
	if (q)
		q->preload = true;
	return q ? 0 : -EINVAL;
}

static bool is_taken(const struct run_options *o, int fd)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->queues[i].fd == fd)
			return true;
	return false;
}

static void give_numbers(struct run_options *o)
{
	int fd = RUN_FD_FIRST;

	for (size_t i = 0; i < o->n; i++) {
		if (o->queues[i].fd)
			continue;
		while (is_taken(o, fd))
			fd++;
		o->queues[i].fd = fd;
	}
}

/* What two queues may not share. */
static int check_pair(const struct parser *p, const struct run_queue *a,
		      const struct run_queue *b)
{
	if (a->fd && a->fd == b->fd)
		return wrong(p, "--fd %d is given twice", a->fd);
	if (a->preload && b->preload && a->port == b->port)
		return a->port ? wrong(p, "--port %d is given twice", a->port) :
				 wrong(p, "with several queues and --preload "
					  "each needs a --port");
	return 0;
}

static int check(const struct parser *p)
{
	const struct run_options *o = p->o;
	int rc = 0;

	if (!o->n)
		return wrong(p, "--queue is missing");
	if (!o->command[0])
		return wrong(p, "the command is missing");
	for (size_t i = 0; !rc && i < o->n; i++) {
		if (o->queues[i].port && !o->queues[i].preload)
			return wrong(p,
				     "--port %d is nothing without "
				     "--preload",
				     o->queues[i].port);
		for (size_t j = 0; !rc && j < i; j++)
			rc = check_pair(p, &o->queues[j], &o->queues[i]);
	}
	return rc;
}

int run_parse_options(struct run_options *o, int argc, char **argv, char *error,
		      size_t error_len)
{
	static const struct option options[] = {
		{"queue", required_argument, NULL, 'q'},
		{"fd", required_argument, NULL, 'f'},
		{"preload", no_argument, NULL, 'l'},
		{"port", required_argument, NULL, 'p'},
		{0},
	};
	const struct parser p = {o, error, error_len};
	int option, rc = 0;

	*o = (struct run_options){.n = 0};
	optind = 0; /* all anew, for whoever parses twice */
	/* +: what the command's own options are is its business. */
	while (!rc &&
	       (option = getopt_long(argc, argv, "+:", options, NULL)) != -1)
		rc = take_option(&p, option, argv[optind - 1]);
	o->command = argv + optind;
	if (!rc)
		rc = check(&p);
	if (!rc)
		give_numbers(o);
	return rc;
}

int run_first_free(const struct run_options *o)
{
	int fd = RUN_FD_FIRST;

	for (size_t i = 0; i < o->n; i++)
		if (o->queues[i].fd >= fd)
			fd = o->queues[i].fd + 1;
	return fd;
}

bool run_wants_preload(const struct run_options *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (o->queues[i].preload)
			return true;
	return false;
}

// SPDX-License-Identifier: MIT
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define IN(bench) (1u << (bench))
#define ALL (IN(BENCHES) - 1)
#define LOADED (IN(BENCH_HANDSHAKE) | IN(BENCH_BULK))
#define COUNTED (ALL & ~IN(BENCH_BULK))
#define SHAKES (IN(BENCH_HANDSHAKE) | IN(BENCH_LATENCY))
#define WITH_SERVERS (ALL & ~IN(BENCH_QUEUE))

const char *const bench_names[BENCHES] = {
	[BENCH_HANDSHAKE] = "handshake", [BENCH_LATENCY] = "latency",
	[BENCH_QUEUE] = "queue", [BENCH_IDLE] = "idle", [BENCH_BULK] = "bulk",
	[BENCH_RELOAD] = "reload",
};

struct parser {
	struct options *o;
	char *error;
	size_t error_len;
};

/*
 * struct setting - an option
 * @benches: that have it
 * @kind:    of what is at @offset in struct options; a number has limits, a
 *           word or each of a list is one of @words, if there are any
 */
struct setting {
	const char *name;
	unsigned int benches;
	enum { NUMBER, WORD, LIST } kind;
	size_t offset;
	long low, high;
	const char *words;
};

#define AT(field) offsetof(struct options, field)
static const struct setting settings[] = {
	{"rounds", ALL, NUMBER, AT(rounds), 1, 1000, NULL},
	{"count", COUNTED, NUMBER, AT(count), 1, 1000000, NULL},
	{"parallel", LOADED, NUMBER, AT(parallel), 1, 4096, NULL},
	{"clients", LOADED, NUMBER, AT(clients), 1, 64, NULL},
	{"writers", IN(BENCH_QUEUE), NUMBER, AT(writers), 1, 32, NULL},
	{"readers", IN(BENCH_QUEUE), NUMBER, AT(readers), 1, 32, NULL},
	{"reloads", IN(BENCH_RELOAD), NUMBER, AT(reloads), 1, 1000, NULL},
	{"mib", IN(BENCH_BULK), NUMBER, AT(mib), 1, 1048576, NULL},
	{"ways", IN(BENCH_BULK), LIST, AT(ways), 0, 0, "sendfile,write,upload"},
	{"records", IN(BENCH_BULK), LIST, AT(records), 0, 0, "4096,16384"},
	{"csv", ALL, WORD, AT(csv), 0, 0, NULL},
	{"baseline", ALL, WORD, AT(baseline), 0, 0, NULL},
	{"ktls", WITH_SERVERS, WORD, AT(ktls), 0, 0, "prefer,require,off"},
	{"servers", ALL, LIST, AT(servers), 0, 0, NULL},
	{"with", WITH_SERVERS, LIST, AT(with), 0, 0, NULL},
	{"versions", SHAKES, LIST, AT(versions), 0, 0, "1.2,1.3"},
	{"keys", SHAKES, LIST, AT(keys), 0, 0, "p256,rsa2048"},
	{"kinds", SHAKES, LIST, AT(kinds), 0, 0, "full,resumed"},
};
/* What getopt_long() returns; no character, for there are no short ones. */
#define OPTION 256
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

__attribute__((format(printf, 2, 3))) static int wrong(const struct parser *p,
						       const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->error, p->error_len, format, args);
	va_end(args);
	return -EINVAL;
}

static int parse_number(const struct parser *p, const struct setting *s,
			const char *value, unsigned int *number)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno || n < s->low ||
	    n > s->high)
		return wrong(p, "--%s: '%s' is no number from %ld to %ld",
			     s->name, value, s->low, s->high);
	*number = n;
	return 0;
}

static int check_word(const struct parser *p, const struct setting *s,
		      const char *word)
{
	const size_t len = strlen(word);
	const char *at = s->words;

	if (!len)
		return wrong(p, "--%s: something is missing", s->name);
	while (at && (strncmp(at, word, len) ||
		      (at[len] && at[len] != ','))) {
		at = strchr(at, ',');
		if (!at)
			return wrong(p, "--%s: '%s' is none of %s", s->name,
				     word, s->words);
		at++;
	}
	return 0;
}

static int parse_list(const struct parser *p, const struct setting *s,
		      char *value, struct list *list)
{
	char *word;
	int rc;

	while ((word = strsep(&value, ","))) {
		rc = check_word(p, s, word);
		if (rc)
			return rc;
		if (list->n == OPTIONS_MAX)
			return wrong(p, "--%s: more than %d", s->name,
				     OPTIONS_MAX);
		list->items[list->n++] = word;
	}
	return 0;
}

static int take(const struct parser *p, const struct setting *s, char *value)
{
	void *field = (char *)p->o + s->offset;
	int rc;

	if (!(s->benches & IN(p->o->bench)))
		return wrong(p, "%s has no --%s", bench_names[p->o->bench],
			     s->name);
	if (s->kind == NUMBER)
		return parse_number(p, s, value, field);
	if (s->kind == LIST)
		return parse_list(p, s, value, field);
	rc = check_word(p, s, value);
	if (!rc)
		*(const char **)field = value;
	return rc;
}

static int find_bench(const struct parser *p, const char *name)
{
	int i;

	for (i = 0; i < BENCHES; i++) {
		if (name && !strcmp(bench_names[i], name)) {
			p->o->bench = i;
			return 0;
		}
	}
	return name ? wrong(p, "'%s' is nothing that is measured", name) :
		      wrong(p, "what is to be measured?");
}

static int check(const struct parser *p)
{
	const struct list *with = &p->o->with;
	size_t i;

	for (i = 0; i < with->n; i++)
		if (!strchr(with->items[i], '='))
			return wrong(p, "--with: '%s' is not NAME=PATH",
				     with->items[i]);
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, char *error,
		  size_t error_len)
{
	const struct parser p = {o, error, error_len};
	struct option options[SETTINGS + 1] = {{0}};
	int option, index = 0, rc;
	size_t i;

	*o = (struct options){.ktls = "prefer"};
	for (i = 0; i < SETTINGS; i++)
		options[i] = (struct option){settings[i].name,
					     required_argument, NULL, OPTION};
	rc = find_bench(&p, argc > 1 ? argv[1] : NULL);
	o->rounds = o->bench == BENCH_RELOAD ? 3 : 5;
	o->baseline = o->bench == BENCH_QUEUE ? "queue" : "ktlsd";
	optind = 0; /* all anew, for whoever parses twice */
	while (!rc && (option = getopt_long(argc - 1, argv + 1, "+:", options,
					    &index)) != -1) {
		if (option == ':')
			return wrong(&p, "%s: something is missing behind it",
				     argv[optind]);
		if (option != OPTION && optopt)
			return wrong(&p, "-%c: no such option", optopt);
		if (option != OPTION)
			return wrong(&p, "%s: no such option", argv[optind]);
		rc = take(&p, &settings[index], optarg);
	}
	if (!rc && optind + 1 < argc)
		return wrong(&p, "'%s' is no option", argv[optind + 1]);
	return rc ? rc : check(&p);
}

bool list_has(const struct list *list, const char *item)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		if (!strcmp(list->items[i], item))
			return true;
	return !list->n;
}

const char *list_value(const struct list *list, const char *name)
{
	const size_t len = strlen(name);
	size_t i;

	for (i = 0; i < list->n; i++)
		if (!strncmp(list->items[i], name, len) &&
		    list->items[i][len] == '=')
			return list->items[i] + len + 1;
	return NULL;
}

// SPDX-License-Identifier: MIT
#include <getopt.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"
#include "tool.h"

#define WORDS_MAX 32

/* clang-format off */
static const char usage[] =
"usage: client [options] ADDRESS:PORT\n"
"  --ca FILE          trust this CA only       --name NAME     SNI and check\n"
"  --version 1.2|1.3  --cipher NAME  --groups LIST  --sigalgs LIST  --alpn NAME\n"
"  --cert BASE        our certificate and chain, BASE.pem, with BASE.key\n"
"  --before HEX       these bytes first, before the ClientHello\n"
"  --get N            fetch N bytes (0)        --put N         upload N bytes\n"
"  --path PATH        fetch this instead, print the body\n"
"  --coalesce         request in the same segment as Finished\n"
"  --split MS         as --coalesce, but half of the last record MS later\n"
"  --bytewise         every byte in a segment of its own\n"
"  --fin              FIN in the request's segment, no close_notify\n"
"  --staple FILE      ask for a staple, compare with FILE (- : only ask)\n"
"  --max-fragment 512|1024|2048|4096           --no-tickets\n"
"  --exporter         tell the tls-exporter channel binding (RFC 9266)\n"
"  --resume           once more with the session of the first connection\n"
"  --close            end it ourselves, with close_notify\n"
"  --cut              end it ourselves, with nothing but a FIN\n"
"  --keep             leave it open until the program ends\n"
"  --to ADDRESS:PORT  another server, for a line of a batch\n"
"  --pause N          after N bytes print 'paused', go on at a line on stdin\n"
"  --wait             after the handshake likewise, before the request\n"
"  --late             before our Finished likewise\n"
"  --rekey N          change the key, and ask for theirs, after each N bytes\n"
"  --timeout MS       for every single wait (10000)\n"
"  --batch            once for each line of stdin: LABEL [options]";
/* clang-format on */

struct options opt = {
	.label = "-",
	.name = "localhost",
	.timeout_ms = 10000,
	.pause = SIZE_MAX,
	.rekey = SIZE_MAX,
};

enum kind { TEXT, SIZE, NUMBER, SPLIT_MS };

static const struct {
	enum kind kind;
	void *target;
} targets[] = {
	{TEXT, &opt.ca},	   {TEXT, &opt.where},
	{TEXT, &opt.name},	   {TEXT, &opt.version},
	{TEXT, &opt.cipher},	   {TEXT, &opt.groups},
	{TEXT, &opt.sigalgs},	   {TEXT, &opt.alpn},
	{TEXT, &opt.cert},	   {TEXT, &opt.before},
	{TEXT, &opt.path},	   {TEXT, &opt.staple},
	{SIZE, &opt.get},	   {SIZE, &opt.put},
	{SIZE, &opt.pause},	   {SIZE, &opt.rekey},
	{NUMBER, &opt.max_fragment}, {NUMBER, &opt.timeout_ms},
	{SPLIT_MS, &opt.split_ms},
};

/* Those with an argument first, in the order of targets[]. */
static const struct option options[] = {
	{"ca", 1, NULL, 0},
	{"to", 1, NULL, 0},
	{"name", 1, NULL, 0},
	{"version", 1, NULL, 0},
	{"cipher", 1, NULL, 0},
	{"groups", 1, NULL, 0},
	{"sigalgs", 1, NULL, 0},
	{"alpn", 1, NULL, 0},
	{"cert", 1, NULL, 0},
	{"before", 1, NULL, 0},
	{"path", 1, NULL, 0},
	{"staple", 1, NULL, 0},
	{"get", 1, NULL, 0},
	{"put", 1, NULL, 0},
	{"pause", 1, NULL, 0},
	{"rekey", 1, NULL, 0},
	{"max-fragment", 1, NULL, 0},
	{"timeout", 1, NULL, 0},
	{"split", 1, NULL, 0},
	{"coalesce", 0, &opt.mode, COALESCE},
	{"bytewise", 0, &opt.mode, BYTEWISE},
	{"close", 0, &opt.end, CLOSE},
	{"cut", 0, &opt.end, CUT},
	{"keep", 0, &opt.end, KEEP},
	{"fin", 0, &opt.fin, 1},
	{"no-tickets", 0, &opt.no_tickets, 1},
	{"exporter", 0, &opt.exporter, 1},
	{"resume", 0, &opt.resume, 1},
	{"wait", 0, &opt.wait, 1},
	{"late", 0, &opt.late, 1},
	{"batch", 0, &opt.batch, 1},
	{NULL, 0, NULL, 0},
};

static void set_argument(int index)
{
	void *target = targets[index].target;

	switch (targets[index].kind) {
	case TEXT:
		*(const char **)target = optarg;
		break;
	case SIZE:
		*(size_t *)target = parse_size(optarg);
		break;
	case SPLIT_MS:
		opt.mode = SPLIT;
		/* fallthrough */
	case NUMBER:
		*(int *)target = atoi(optarg);
		break;
	}
}

/* Returns the index of the first argument that is no option. */
static int parse(int argc, char **argv)
{
	int c, index;

	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, &index)) == 0)
		if (!options[index].flag)
			set_argument(index);
	if (c != -1)
		die("%s", usage);
	return optind;
}

void parse_options(int argc, char **argv)
{
	int i = parse(argc, argv);

	if (i + 1 != argc)
		die("%s", usage);
	opt.where = argv[i];
}

void parse_line(char *line)
{
	char *words[WORDS_MAX + 1] = {NULL}, *word;
	int n = 0;

	for (word = strtok(line, " \n"); word; word = strtok(NULL, " \n")) {
		if (n == WORDS_MAX)
			die("a line of too many words");
		words[n++] = word;
	}
	if (!n || parse(n, words) != n)
		die("not a line of a label and options");
	opt.label = words[0];
}

// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/bench/options.h"

TestSuite(bench_options, .timeout = 10);

static struct options o;
static char error[200];

/* Words, a space between each. */
static int parse(const char *line)
{
	static char words[1024];
	static char *argv[64];
	int argc = 0;

	snprintf(words, sizeof(words), "ktls-bench %s", line);
	for (char *w = strtok(words, " "); w; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	error[0] = '\0';
	return options_parse(&o, argc, argv, error, sizeof(error));
}

Test(bench_options, without_any_all_is_measured)
{
	cr_assert_eq(parse("handshake"), 0, "%s", error);
	cr_assert_eq(o.bench, BENCH_HANDSHAKE);
	cr_assert_eq(o.rounds, 5);
	cr_assert_eq(o.count, 0);
	cr_assert_str_eq(o.baseline, "ktlsd");
	cr_assert_str_eq(o.ktls, "prefer");
	cr_assert_null(o.csv);
	cr_assert(list_has(&o.servers, "nginx") && list_has(&o.keys, "p256"));
}

Test(bench_options, takes_what_is_given)
{
	cr_assert_eq(parse("handshake --count 10 --rounds=3 --parallel 2 "
			   "--clients 1 --csv f --baseline nginx --ktls off "
			   "--servers nginx,ktlsd --with nginx=/n,h2o=/h=2 "
			   "--with hitch=x --versions 1.3 --keys rsa2048 "
			   "--kinds full,resumed"),
		     0, "%s", error);
	cr_assert_eq(o.count, 10);
	cr_assert_eq(o.rounds, 3);
	cr_assert_eq(o.parallel, 2);
	cr_assert_eq(o.clients, 1);
	cr_assert_str_eq(o.csv, "f");
	cr_assert_str_eq(o.baseline, "nginx");
	cr_assert_str_eq(o.ktls, "off");
	cr_assert_eq(o.servers.n, 2);
	cr_assert_str_eq(o.servers.items[1], "ktlsd");
	cr_assert_not(list_has(&o.servers, "haproxy"));
	cr_assert(list_has(&o.versions, "1.3"));
	cr_assert_not(list_has(&o.versions, "1.2"));
	cr_assert_str_eq(list_value(&o.with, "h2o"), "/h=2");
	cr_assert_str_eq(list_value(&o.with, "hitch"), "x");
	cr_assert_null(list_value(&o.with, "ngin"));
}

Test(bench_options, each_has_its_own)
{
	cr_assert_eq(parse("bulk --mib 3 --ways upload,write --records 4096 "
			   "--parallel 2"), 0, "%s", error);
	cr_assert_eq(o.mib, 3);
	cr_assert(list_has(&o.ways, "write"));
	cr_assert_not(list_has(&o.ways, "sendfile"));
	cr_assert_str_eq(o.records.items[0], "4096");
	cr_assert_eq(parse("reload --reloads 7 --count 9"), 0, "%s", error);
	cr_assert_eq(o.reloads, 7);
	cr_assert_eq(o.rounds, 3, "it takes long");
	cr_assert_eq(parse("idle --count 9"), 0, "%s", error);
	cr_assert_eq(parse("latency --count 9 --versions 1.2 --kinds full"), 0,
		     "%s", error);
	cr_assert_eq(o.bench, BENCH_LATENCY);
	cr_assert_not(list_has(&o.versions, "1.3"));
}

Test(bench_options, the_queue_is_compared_with_itself)
{
	cr_assert_eq(parse("queue --writers 2 --readers 3"), 0, "%s", error);
	cr_assert_eq(o.writers, 2);
	cr_assert_eq(o.readers, 3);
	cr_assert_str_eq(o.baseline, "queue");
	cr_assert_eq(parse("queue --baseline accept"), 0);
	cr_assert_str_eq(o.baseline, "accept");
}

Test(bench_options, says_what_is_wrong)
{
	static const struct {
		const char *line, *says;
	} cases[] = {
		{"", "what is to be measured?"},
		{"--count 1", "'--count' is nothing that is measured"},
		{"hands", "'hands' is nothing that is measured"},
		{"handshake --count 0",
		 "--count: '0' is no number from 1 to 1000000"},
		{"handshake --count 1x",
		 "--count: '1x' is no number from 1 to 1000000"},
		{"handshake --rounds -1",
		 "--rounds: '-1' is no number from 1 to 1000"},
		{"handshake --rounds",
		 "--rounds: something is missing behind it"},
		{"handshake --no-such", "--no-such: no such option"},
		{"handshake -xy", "-x: no such option"},
		{"handshake --count 1 -o", "-o: no such option"},
		{"handshake more", "'more' is no option"},
		{"handshake --versions 1", "--versions: '1' is none of 1.2,1.3"},
		{"handshake --versions 1.2,", "--versions: something is missing"},
		{"handshake --keys p25", "--keys: 'p25' is none of p256,rsa2048"},
		{"handshake --ktls on",
		 "--ktls: 'on' is none of prefer,require,off"},
		{"handshake --with nginx", "--with: 'nginx' is not NAME=PATH"},
		{"handshake --servers 1,2,3,4,5,6,7,8,9,a,b,c,d,e,f,g,h",
		 "--servers: more than 16"},
		{"idle --versions 1.2", "idle has no --versions"},
		{"latency --parallel 2", "latency has no --parallel"},
		{"queue --with nginx=x", "queue has no --with"},
		{"bulk --count 1", "bulk has no --count"},
		{"bulk --records 1", "--records: '1' is none of 4096,16384"},
		{"idle --reloads 1", "idle has no --reloads"},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert_eq(parse(cases[i].line), -EINVAL, "%s",
			     cases[i].line);
		cr_assert_str_eq(error, cases[i].says, "%s: %s", cases[i].line,
				 error);
	}
}

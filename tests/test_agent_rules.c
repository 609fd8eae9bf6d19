// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <strings.h>
#include <time.h>

#include "agent/rules.h"

#include "agent_case.h"

TestSuite(rules, .timeout = 60);

enum { WEB, H2, SHOP, ACME, PASS, ROUTES, DENY = 99 };

static const struct config_route routes[ROUTES] = {
	[WEB] = { .name = (char *)"web" },
	[H2] = { .name = (char *)"h2" },
	[SHOP] = { .name = (char *)"shop" },
	[ACME] = { .name = (char *)"acme", .passthrough = true },
	[PASS] = { .name = (char *)"pass", .passthrough = true },
};

/* Lists with a space between two, as a person would write a rule. */
struct line {
	const char *sni, *alpn, *from;
	unsigned int route;
};

static char *storage[4096];
static size_t n_stored;

static void *keep(void *p)
{
	cr_assert(p);
	cr_assert_lt(n_stored, COUNT(storage));
	return storage[n_stored++] = p;
}

static void forget(void)
{
	while (n_stored)
		free(storage[--n_stored]);
}

static struct config_texts texts(const char *list)
{
	struct config_texts t = { keep(calloc(32, sizeof(char *))), 0 };
	char *copy = keep(strdup(list ? list : "")), *word, *rest = copy;

	while ((word = strsep(&rest, " ")))
		if (*word)
			t.text[t.n++] = word;
	return t;
}

static struct config_alpn wire(const char *list)
{
	struct config_texts t = texts(list);
	/* Just as long as it is, for sanitizers. */
	struct config_alpn a = { keep(malloc(strlen(list ? list : "") + 1)),
				 0 };
	size_t i;

	for (i = 0; i < t.n; i++) {
		a.wire[a.len] = (uint8_t)strlen(t.text[i]);
		memcpy(a.wire + a.len + 1, t.text[i], a.wire[a.len]);
		a.len += 1 + a.wire[a.len];
	}
	return a;
}

static struct config_prefix prefix(const char *text)
{
	struct config_prefix p = { .bits = 0 };
	char host[64];
	unsigned int bits;

	cr_assert_eq(sscanf(text, "%63[^/]/%u", host, &bits), 2, "%s", text);
	if (strchr(host, ':')) {
		cr_assert_eq(inet_pton(AF_INET6, host, p.addr), 1);
		p.bits = bits;
		return p;
	}
	p.addr[10] = p.addr[11] = 0xff;
	cr_assert_eq(inet_pton(AF_INET, host, p.addr + 12), 1);
	p.bits = 96 + bits;
	return p;
}

static struct config_prefixes prefixes(const char *list)
{
	struct config_texts t = texts(list);
	struct config_prefixes p = {
		keep(calloc(t.n + 1, sizeof(struct config_prefix))), t.n
	};
	size_t i;

	for (i = 0; i < t.n; i++)
		p.prefix[i] = prefix(t.text[i]);
	return p;
}

static struct config_rule rule(const struct line *line)
{
	return (struct config_rule){
		.sni = texts(line->sni),
		.alpn = wire(line->alpn),
		.from = prefixes(line->from),
		.route = line->route == DENY ? CONFIG_DENY : line->route,
	};
}

static struct sockaddr_storage peer(const char *text)
{
	struct sockaddr_storage addr = { .ss_family = AF_UNIX };
	struct sockaddr_in *in = (void *)&addr;
	struct sockaddr_in6 *in6 = (void *)&addr;

	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		addr.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		addr.ss_family = AF_INET6;
	return addr;
}

/* What each case asks for: a name, what it offers, what is agreed, a source. */
struct ask {
	const char *name, *offered, *agreed, *from;
	unsigned int route;
};

static unsigned int choose(const struct rules *r, const struct ask *ask)
{
	struct sockaddr_storage from = peer(ask->from ? ask->from : "unix");
	struct config_alpn offered = wire(ask->offered);
	const char *agreed = ask->agreed ? ask->agreed : "";
	struct rules_client client = {
		.server_name = ask->name ? ask->name : "",
		.offered = { offered.wire, offered.len },
		.protocol = { (const uint8_t *)agreed, strlen(agreed) },
		.peer = &from,
	};
	unsigned int route = rules_choose(r, &client);

	return route == CONFIG_DENY ? DENY : route;
}

static struct config_rule config_rules[16];
static struct config_listener listener = { .rules = config_rules };

static struct rules *prepare(const struct line *lines, size_t n,
			     unsigned int otherwise)
{
	struct rules *r;
	size_t i;

	for (i = 0; i < n; i++)
		config_rules[i] = rule(&lines[i]);
	listener.n_rules = n;
	listener.route = otherwise == DENY ? CONFIG_DENY : otherwise;
	r = rules_new(&listener, routes);
	cr_assert(r);
	return r;
}

static void expect(const struct line *lines, size_t n, unsigned int otherwise,
		   const struct ask *asks, size_t n_asks)
{
	struct rules *r = prepare(lines, n, otherwise);
	size_t i;

	for (i = 0; i < n_asks; i++)
		cr_expect_eq(choose(r, &asks[i]), asks[i].route,
			     "case %zu: %s, %s from %s: %u", i, asks[i].name,
			     asks[i].offered, asks[i].from,
			     choose(r, &asks[i]));
	rules_free(r);
	forget();
}

#define EXPECT(lines, otherwise, asks) \
	expect(lines, COUNT(lines), otherwise, asks, COUNT(asks))

Test(rules, without_one_everybody_goes_the_same_way)
{
	static const struct ask asks[] = {
		{ NULL, NULL, NULL, NULL, SHOP },
		{ "a.example", "h2", "h2", "192.0.2.1", SHOP },
	};

	expect(NULL, 0, SHOP, asks, COUNT(asks));
}

Test(rules, compares_names)
{
	static const struct line lines[] = {
		{ "a.example *.b.example", NULL, NULL, WEB },
		{ "x.c.example", NULL, NULL, H2 },
		{ "*.c.example", NULL, NULL, SHOP },
		{ "d.c.example *.x.c.example", NULL, NULL, H2 },
	};
	static const struct ask asks[] = {
		{ .name = "a.example", .route = WEB },
		{ .name = "A.eXample", .route = WEB },
		/* Whose dot was left out has none. */
		{ .name = "a.example.", .route = DENY },
		{ .name = "x.b.example.", .route = DENY },
		{ .name = "a.exampl", .route = DENY },
		{ .name = "a.examplee", .route = DENY },
		{ .name = "aa.example", .route = DENY },
		{ .name = "x.a.example", .route = DENY },
		{ .name = "x.b.example", .route = WEB },
		{ .name = "X.B.EXAMPLE", .route = WEB },
		{ .name = "b.example", .route = DENY },
		{ .name = ".b.example", .route = DENY },
		{ .name = "y.x.b.example", .route = DENY },
		{ .name = "*.b.example", .route = WEB },
		{ .name = "x.c.example", .route = H2 },
		{ .name = "y.c.example", .route = SHOP },
		/* The wildcard stands before it. */
		{ .name = "d.c.example", .route = SHOP },
		{ .name = "z.x.c.example", .route = H2 },
		{ .name = "", .route = DENY },
		{ .name = ".", .route = DENY },
		{ .name = "127.0.0.1", .route = DENY },
	};

	EXPECT(lines, DENY, asks);
}

Test(rules, compares_a_name_of_any_length)
{
	static const struct line lines[] = { { "*.b", NULL, NULL, WEB } };
	char name[600];
	struct ask ask = { .name = name };
	struct rules *r = prepare(lines, 1, DENY);

	memset(name, 'a', sizeof(name));
	strcpy(name + 253, ".b");
	cr_expect_eq(choose(r, &ask), WEB);
	memset(name, 'a', sizeof(name));
	strcpy(name + 254, ".b");
	cr_expect_eq(choose(r, &ask), DENY);
	memset(name, 'a', sizeof(name));
	strcpy(name + 590, ".b");
	cr_expect_eq(choose(r, &ask), DENY);
	rules_free(r);
	forget();
}

Test(rules, compares_the_protocol_agreed_on_or_those_offered)
{
	static const struct line lines[] = {
		{ NULL, "acme-tls/1", NULL, ACME },
		{ NULL, "h2 h3", NULL, H2 },
		{ "bad.example", "smtp", NULL, DENY },
		{ NULL, "http/1.1", NULL, WEB },
	};
	static const struct ask asks[] = {
		{ NULL, "acme-tls/1", NULL, NULL, ACME },
		{ "x", "h2 acme-tls/1", "h2", NULL, ACME },
		{ "x", "h2 http/1.1", "h2", NULL, H2 },
		{ "x", "h2 http/1.1", "http/1.1", NULL, WEB },
		{ "x", "h2 http/1.1", NULL, NULL, SHOP },
		{ "x", "h", "h", NULL, SHOP },
		{ "x", "h22", "h22", NULL, SHOP },
		{ "x", "h2c h3", "h3", NULL, H2 },
		{ "x", NULL, NULL, NULL, SHOP },
		{ "bad.example", "ftp smtp", NULL, NULL, DENY },
		{ "bad.example", "ftp", NULL, NULL, SHOP },
		{ "good.example", "smtp", NULL, NULL, SHOP },
	};

	EXPECT(lines, SHOP, asks);
}

Test(rules, reads_nothing_behind_a_list_that_is_cut_short)
{
	static const uint8_t cut[] = { 2, 'h', '3', 10, 'a', 'c', 'm', 'e' };
	static const struct line lines[] = {
		{ NULL, "acme-tls/1", NULL, ACME } };
	struct sockaddr_storage from = peer("192.0.2.1");
	struct rules_client client = { .server_name = "", .peer = &from };
	struct rules *r = prepare(lines, 1, WEB);
	uint8_t *exact = keep(malloc(sizeof(cut)));

	memcpy(exact, cut, sizeof(cut));
	client.offered = (struct ocsp_bytes){ exact, sizeof(cut) };
	cr_expect_eq(rules_choose(r, &client), WEB);
	rules_free(r);
	forget();
}

Test(rules, compares_sources)
{
	static const struct line lines[] = {
		{ NULL, NULL, "192.0.2.7/32 198.51.100.0/24", WEB },
		{ NULL, NULL, "192.0.2.9/25", H2 },
		{ NULL, NULL, "2001:db8::/33", SHOP },
		{ NULL, NULL, "10.0.0.0/8", PASS },
		{ "a.example", NULL, "203.0.113.64/26 203.0.113.0/28", SHOP },
	};
	static const struct ask asks[] = {
		{ .from = "192.0.2.7", .route = WEB },
		{ .from = "::ffff:192.0.2.7", .route = WEB },
		{ .from = "192.0.2.8", .route = H2 },
		{ .from = "192.0.2.127", .route = H2 },
		{ .from = "192.0.2.128", .route = DENY },
		{ .from = "::ffff:192.0.2.128", .route = DENY },
		{ .from = "::192.0.2.7", .route = DENY },
		{ .from = "198.51.100.0", .route = WEB },
		{ .from = "198.51.100.255", .route = WEB },
		{ .from = "198.51.101.0", .route = DENY },
		{ .from = "2001:db8:7fff:ffff::1", .route = SHOP },
		{ .from = "2001:db8:8000::", .route = DENY },
		{ .from = "10.255.0.1", .route = PASS },
		{ .from = "unix", .route = DENY },
		{ .name = "a.example", .from = "203.0.113.15", .route = SHOP },
		{ .name = "a.example", .from = "203.0.113.16", .route = DENY },
		{ .name = "a.example", .from = "203.0.113.63", .route = DENY },
		{ .name = "a.example", .from = "203.0.113.64", .route = SHOP },
		{ .name = "a.example", .from = "203.0.113.128", .route = DENY },
		{ .name = "b.example", .from = "203.0.113.64", .route = DENY },
		{ .name = "a.example", .from = "unix", .route = DENY },
	};

	EXPECT(lines, DENY, asks);
}

Test(rules, a_range_of_everybody_has_them_all)
{
	static const struct line lines[] = {
		{ NULL, "h2", "0.0.0.0/0", H2 },
		{ NULL, NULL, "::/0", WEB },
	};
	static const struct ask asks[] = {
		{ NULL, "h2", "h2", "192.0.2.7", H2 },
		{ NULL, "h2", "h2", "2001:db8::1", WEB },
		{ NULL, NULL, NULL, "192.0.2.7", WEB },
		{ NULL, NULL, NULL, "unix", DENY },
	};

	EXPECT(lines, DENY, asks);
}

Test(rules, the_first_that_fits_counts)
{
	static const struct line lines[] = {
		{ "a.example", "h2", NULL, H2 },
		{ NULL, NULL, "192.0.2.0/24", SHOP },
		{ "*.example", NULL, NULL, WEB },
		{ NULL, NULL, NULL, DENY },
		{ "b.example", NULL, NULL, SHOP },
	};
	static const struct ask asks[] = {
		{ "a.example", "h2", "h2", "192.0.2.1", H2 },
		{ "a.example", NULL, NULL, "192.0.2.1", SHOP },
		{ "a.example", NULL, NULL, "192.0.3.1", WEB },
		{ "b.example", NULL, NULL, "192.0.3.1", WEB },
		{ "b.example", NULL, NULL, "192.0.2.1", SHOP },
		{ "b.c.example", NULL, NULL, "192.0.3.1", DENY },
	};

	EXPECT(lines, WEB, asks);
}

static const struct {
	struct line lines[4];
	size_t n;
	unsigned int otherwise;
	const char *from;
	bool early;
	unsigned int route;
} early[] = {
	{ .n = 0, .otherwise = WEB, .from = "192.0.2.1", .early = true,
	  .route = WEB },
	{ { { .from = "192.0.2.0/24", .route = DENY } }, 1, WEB, "192.0.2.1",
	  true, DENY },
	{ { { .from = "192.0.2.0/24", .route = DENY } }, 1, WEB, "192.0.3.1",
	  true, WEB },
	/* A rule about names may stand behind, but not before it. */
	{ { { .from = "192.0.2.0/24", .route = DENY },
	    { .sni = "a", .route = SHOP } }, 2, WEB, "192.0.2.1", true, DENY },
	{ { { .from = "192.0.2.0/24", .route = DENY },
	    { .sni = "a", .route = SHOP } }, 2, WEB, "192.0.3.1", .early = false },
	{ { { .sni = "a", .route = SHOP },
	    { .from = "192.0.2.0/24", .route = DENY } }, 2, WEB, "192.0.2.1",
	  .early = false },
	{ { { .alpn = "h2", .from = "192.0.2.0/24", .route = SHOP },
	    { .from = "192.0.2.0/24", .route = DENY } }, 2, WEB, "192.0.2.1",
	  .early = false },
	{ { { .from = "192.0.2.0/24", .route = SHOP }, { .route = DENY },
	    { .sni = "a", .route = SHOP } }, 3, WEB, "192.0.3.1", true, DENY },
};

Test(rules, can_say_early_what_a_hello_would_not_change)
{
	unsigned int route;
	size_t i;

	for (i = 0; i < COUNT(early); i++) {
		struct rules *r = prepare(early[i].lines, early[i].n,
					  early[i].otherwise);
		struct sockaddr_storage from = peer(early[i].from);
		bool known = rules_choose_early(r, &from, &route);

		cr_expect_eq(known, early[i].early, "case %zu", i);
		if (known && early[i].early)
			cr_expect_eq(route == CONFIG_DENY ? DENY : route,
				     early[i].route, "case %zu: %u", i, route);
		rules_free(r);
		forget();
	}
}

Test(rules, know_whether_they_may_lead_past)
{
	static const struct line web = { "a", NULL, NULL, WEB };
	static const struct line pass = { "a", NULL, NULL, PASS };
	static const struct line behind[] = { { .route = DENY },
					      { .route = PASS } };
	struct {
		const struct line *lines;
		size_t n;
		unsigned int otherwise;
		bool may;
	} cases[] = {
		{ NULL, 0, WEB, false },   { NULL, 0, PASS, true },
		{ NULL, 0, DENY, false },  { &web, 1, DENY, false },
		{ &web, 1, ACME, true },   { &pass, 1, WEB, true },
		{ behind, 2, PASS, false },
	};
	size_t i;

	for (i = 0; i < COUNT(cases); i++) {
		struct rules *r = prepare(cases[i].lines, cases[i].n,
					  cases[i].otherwise);

		cr_expect_eq(rules_may_pass(r), cases[i].may, "case %zu", i);
		rules_free(r);
		forget();
	}
}

/* --- against a matcher that takes its time -------------------------------- */

static bool name_fits(const char *pattern, const char *name)
{
	if (!strncmp(pattern, "*.", 2)) {
		const char *dot = strchr(name, '.');

		return dot && dot != name && !strcasecmp(dot, pattern + 1);
	}
	return !strcasecmp(pattern, name);
}

static bool word_fits(const char *list, const char *word)
{
	struct config_texts t = texts(list);
	size_t i;

	for (i = 0; i < t.n; i++)
		if (!strcmp(t.text[i], word))
			return true;
	return false;
}

static bool alpn_fits(const struct line *line, const struct ask *ask)
{
	bool offer = line->route == DENY || routes[line->route].passthrough;
	struct config_texts t = texts(ask->offered);
	size_t i;

	if (!offer)
		return ask->agreed && word_fits(line->alpn, ask->agreed);
	for (i = 0; i < t.n; i++)
		if (word_fits(line->alpn, t.text[i]))
			return true;
	return false;
}

static bool prefix_fits(const char *text, const char *from)
{
	struct config_prefix p = prefix(text), a;
	char whole[80];
	unsigned int i;

	if (!strcmp(from, "unix"))
		return false;
	snprintf(whole, sizeof(whole), "%s/%d", from,
		 strchr(from, ':') ? 128 : 32);
	a = prefix(whole);
	for (i = 0; i < p.bits; i++)
		if ((p.addr[i / 8] ^ a.addr[i / 8]) & 0x80 >> i % 8)
			return false;
	return true;
}

static bool line_fits(const struct line *line, const struct ask *ask)
{
	struct config_texts names = texts(line->sni);
	struct config_texts from = texts(line->from);
	bool name = !names.n, source = !from.n;
	size_t i;

	for (i = 0; i < names.n; i++)
		name |= name_fits(names.text[i], ask->name);
	for (i = 0; i < from.n; i++)
		source |= prefix_fits(from.text[i], ask->from);
	return name && source && (!line->alpn || alpn_fits(line, ask));
}

static unsigned int naive(const struct line *lines, size_t n,
			  unsigned int otherwise, const struct ask *ask)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (line_fits(&lines[i], ask))
			return lines[i].route;
	return otherwise;
}

static const char *const names[] = {
	"a.x", "b.x", "*.x", "x", "*.b.x", "a.b.x", "c.b.x", "*.a.b.x",
};
static const char *const asked[] = {
	"", "a.x", "A.X.", "b.x", "c.x", "x", "a.b.x", "q.b.x", "z.a.b.x", ".x",
};
static const char *const protocols[] = { "h2", "h3", "acme-tls/1", "http/1.1" };
static const char *const sources[] = {
	"192.0.2.0/24", "192.0.2.128/25", "192.0.2.129/32", "192.0.0.9/16",
	"0.0.0.0/0", "2001:db8::/32", "2001:db8:1::/48", "::/0", "::/1",
};
static const char *const peers[] = {
	"192.0.2.1", "::ffff:192.0.2.129", "192.0.2.130", "192.0.3.1",
	"10.1.1.1", "2001:db8::1", "2001:db8:1::1", "9000::1", "unix",
};

#define PICK(list) list[(size_t)rand() % COUNT(list)]

/* NULL, or up to 3 of a list. */
static const char *some(const char *const *list, size_t n)
{
	char *text = keep(calloc(1, 200));
	int count = rand() % 6 - 2;

	if (count <= 0)
		return NULL;
	while (count--) {
		strcat(text, list[(size_t)rand() % n]);
		strcat(text, " ");
	}
	return text;
}

static void random_case(unsigned int round)
{
	unsigned int otherwise = rand() % 2 ? DENY : WEB, early_route;
	struct line lines[8];
	size_t n = (size_t)rand() % COUNT(lines), i;
	struct sockaddr_storage from;
	struct rules *r;

	for (i = 0; i < n; i++)
		lines[i] = (struct line){
			some(names, COUNT(names)),
			some(protocols, COUNT(protocols)),
			some(sources, COUNT(sources)),
			rand() % 4 ? (unsigned int)rand() % ROUTES : DENY,
		};
	r = prepare(lines, n, otherwise);
	for (i = 0; i < 20; i++) {
		struct ask ask = {
			PICK(asked), some(protocols, COUNT(protocols)),
			rand() % 2 ? PICK(protocols) : NULL, PICK(peers), 0,
		};
		unsigned int right = naive(lines, n, otherwise, &ask);

		cr_expect_eq(choose(r, &ask), right, "round %u, ask %zu: %u",
			     round, i, right);
		from = peer(ask.from);
		if (rules_choose_early(r, &from, &early_route))
			cr_expect_eq(early_route == CONFIG_DENY ? DENY :
				     early_route, right, "early, round %u",
				     round);
	}
	rules_free(r);
	forget();
}

Test(rules, agree_with_a_matcher_that_tries_one_after_another)
{
	unsigned int round;

	srand(4);
	for (round = 0; round < 3000; round++)
		random_case(round);
}

/* --- many ---------------------------------------------------------------- */

#define MANY 10000

static struct config_rule many[MANY + 1];

static uint64_t ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* CPU time of a choice, the best of a few rounds, in ns. */
static uint64_t cost(const struct rules *r, const struct ask *ask)
{
	struct sockaddr_storage from = peer(ask->from);
	struct rules_client client = { .server_name = ask->name,
				       .peer = &from };
	uint64_t best = UINT64_MAX, then;
	int i, j;

	for (i = 0; i < 10; i++) {
		then = ns();
		for (j = 0; j < 1000; j++)
			if (rules_choose(r, &client) != ask->route)
				cr_assert_fail("%s goes another way", ask->name);
		then = ns() - then;
		best = then < best ? then : best;
	}
	return best / 1000;
}

/* One rule in three each by name, by wildcard and by source. */
static void make_many(void)
{
	char *text = keep(malloc(MANY * 40));
	char **list = keep(malloc(MANY * sizeof(*list)));
	struct config_prefix *p = keep(calloc(MANY, sizeof(*p)));
	size_t i;

	for (i = 0; i < MANY; i++) {
		list[i] = text + i * 40;
		many[i] = (struct config_rule){ .route = i % 4 };
		snprintf(list[i], 40, i % 3 ? "n%zu.example" :
			 "*.w%zu.example", i);
		if (i % 3 == 2) {
			p[i].bits = 128;
			p[i].addr[10] = p[i].addr[11] = 0xff;
			p[i].addr[14] = (uint8_t)(i >> 8);
			p[i].addr[15] = (uint8_t)i;
			many[i].from = (struct config_prefixes){ &p[i], 1 };
		} else {
			many[i].sni = (struct config_texts){ &list[i], 1 };
		}
	}
	many[0].sni.text[0] = (char *)"first.example";
}

Test(rules, ten_thousand_cost_what_one_costs)
{
	static const struct ask asks[] = {
		{ "n9997.example", NULL, NULL, "192.0.2.1", 9997 % 4 },
		{ "x.w9996.example", NULL, NULL, "192.0.2.1", 9996 % 4 },
		{ "none.example", NULL, NULL, "0.0.39.11", 9995 % 4 },
		{ "none.example", NULL, NULL, "192.0.2.1", ACME },
	};
	static const struct ask first = { "first.example", NULL, NULL,
					  "192.0.2.1", 0 };
	struct config_listener one = { .rules = many, .n_rules = 1 };
	struct config_listener all = { .rules = many, .n_rules = MANY,
				       .route = ACME };
	struct rules *r;
	uint64_t base, many_ns;
	size_t i;

	make_many();
	r = rules_new(&one, routes);
	base = cost(r, &first);
	rules_free(r);
	r = rules_new(&all, routes);
	for (i = 0; i < COUNT(asks); i++) {
		many_ns = cost(r, &asks[i]);
		printf("%s: %lu ns, of one rule %lu ns\n", asks[i].name,
		       (unsigned long)many_ns, (unsigned long)base);
		cr_expect_lt(many_ns, 20 * base + 2000, "%s: %lu ns",
			     asks[i].name, (unsigned long)many_ns);
	}
	rules_free(r);
	forget();
}

/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_rules, .timeout = 10);

#define TWO_ROUTES "routes: [{name: web, handoff: a}, " \
	"{name: raw, handoff: b, tls: passthrough}]\n"

Test(agent_config_rules, have_what_is_in_the_file)
{
	struct config *config = case_good(CERTIFICATES TWO_ROUTES
		"listeners:\n"
		"- bind: '*:1'\n"
		"  alpn: [h2]\n"
		"  rules:\n"
		"  - sni: [A.example, '*.B.Example']\n"
		"    alpn: [h2]\n"
		"    from: [192.0.2.0/24, '2001:db8::/32']\n"
		"    route: web\n"
		"  - {alpn: [acme-tls/1], route: raw}\n"
		"  - {route: deny}\n");
	struct config_rule *rule = config->listeners[0].rules;

	cr_assert_eq(config->listeners[0].n_rules, 3);
	cr_expect_eq(rule[0].mark.line, 7);
	cr_expect_eq(rule[0].mark.column, 5);
	cr_assert_eq(rule[0].sni.n, 2);
	cr_expect_str_eq(rule[0].sni.text[0], "a.example");
	cr_expect_str_eq(rule[0].sni.text[1], "*.b.example");
	cr_expect_eq(rule[0].alpn.len, 3);
	cr_expect_eq(rule[0].from.n, 2);
	cr_expect_eq(rule[0].route, 0);
	cr_expect_eq(rule[1].sni.n, 0);
	cr_expect_eq(rule[1].from.n, 0);
	cr_expect_arr_eq(rule[1].alpn.wire, "\12acme-tls/1", 11);
	cr_expect_eq(rule[1].route, 1);
	cr_expect_eq(rule[2].alpn.len, 0);
	cr_expect_eq(rule[2].route, CONFIG_DENY);
	config_free(config);
}

#define UNREACHED(line, column, last) "etc/f:" line ":" column ": rules: " \
	"expected no rule behind the one on line " last ", which everybody " \
	"fits, found one\n"

Test(agent_config_rules, refuses_a_rule_that_nobody_can_reach)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES ROUTES "listeners:\n- bind: '*:1'\n  rules:\n"
		  "  - {route: web}\n"
		  "  - {sni: [a.example], route: deny}\n"
		  "  - {sni: [b.example], route: deny}\n",
		  UNREACHED("7", "5", "6") },
		{ CERTIFICATES ROUTES "listeners:\n- bind: '*:1'\n  rules:\n"
		  "  - {from: ['2001:db8::/32', '::/0'], route: web}\n"
		  "  - {sni: [a.example], route: deny}\n",
		  UNREACHED("7", "5", "6") },
		/* One cause, one error. */
		{ CERTIFICATES ROUTES "listeners:\n- bind: '*:1'\n  rules:\n"
		  "  - {sni: [], route: web}\n"
		  "  - {sni: [a.example], route: deny}\n",
		  "etc/f:6:11: sni: expected at least 1, found 0\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_rules, takes_a_rule_behind_one_that_some_fit)
{
	config_free(case_good(CERTIFICATES ROUTES
		"listeners:\n- bind: '*:1'\n  alpn: [h2]\n  rules:\n"
		"  - {sni: [a.example], route: web}\n"
		"  - {alpn: [h2], route: web}\n"
		"  - {from: [0.0.0.0/0], route: web}\n"
		"  - {route: deny}\n"
		"- bind: 'unix:in'\n  rules:\n"
		"  - {from: ['::/0'], route: web}\n"
		"  - {route: deny}\n"));
}

Test(agent_config_rules, refuses_a_protocol_that_cannot_be_agreed_on)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES TWO_ROUTES "listeners:\n"
		  "- {bind: '*:1', alpn: [h2], rules: [\n"
		  "   {alpn: [h2, h3, h], route: web},\n"
		  "   {alpn: [h3], route: raw}, {alpn: [h3], route: deny}]}\n"
		  "- {bind: '*:2', rules: [{alpn: [h2], route: web}]}\n",
		  "etc/f:5:16: alpn: expected a protocol that the listener or "
		  "one of its certificates has, found \"h3\"\n"
		  "etc/f:5:20: alpn: expected a protocol that the listener or "
		  "one of its certificates has, found \"h\"\n"
		  "etc/f:7:33: alpn: expected a protocol that the listener or "
		  "one of its certificates has, found \"h2\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_rules, refuses_a_route_that_does_not_exist)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES ROUTES
		  "listeners: [{bind: '*:1', route: wed}]\n",
		  "etc/f:3:34: route: expected the name of a route, or deny, "
		  "found \"wed\"\n" },
		{ CERTIFICATES ROUTES
		  "listeners: [{bind: '*:1', route: [web]}]\n",
		  "etc/f:3:34: route: expected the name of a route, or deny, "
		  "found a list\n" },
		/* One cause, one error. */
		{ CERTIFICATES LISTENERS "routes: []\n",
		  "etc/f:3:9: routes: expected at least 1, found 0\n" },
	};

	CASE_ALL_BAD(cases);
}

/* By which listeners IPv6 clients come to which of the routes a, b and c. */
static const struct {
	const char *listeners;
	bool a, b, c;
} families[] = {
	{ "- {bind: '*:1', route: a}\n", true, false, false },
	{ "- {bind: '[::]:1', route: b, v6only: true}\n", false, true, false },
	{ "- {bind: '[::1]:1', route: a}\n", true, false, false },
	{ "- {bind: '0.0.0.0:1', route: a}\n", false, false, false },
	{ "- {bind: '127.0.0.1:1', route: a}\n", false, false, false },
	{ "- {bind: '[::ffff:127.0.0.1]:1', route: a}\n", false, false, false },
	{ "- {bind: 'unix:in', route: a}\n", false, false, false },
	{ "- {bind: '0.0.0.0:1', route: a}\n- {bind: '[::]:2', route: c}\n",
	  false, false, true },
	{ "- {bind: '0.0.0.0:1', route: a}\n- {bind: '[::]:2', route: a}\n",
	  true, false, false },
	/* Those that load balancers speak of may be of any family. */
	{ "- {bind: '0.0.0.0:1', route: a, accept_proxy: {from: [10.0.0.1]}}\n",
	  true, false, false },
	{ "- {bind: 'unix:in', route: a, accept_proxy: {from: ['::/0']}}\n",
	  true, false, false },
	/* By a rule, or where none fits. */
	{ "- bind: '*:1'\n  rules:\n"
	  "  - {sni: [a.example], route: a}\n"
	  "  - {route: b}\n  route: c\n", true, true, false },
	{ "- bind: '*:1'\n  rules:\n"
	  "  - {sni: [a.example], route: deny}\n  route: c\n",
	  false, false, true },
	{ "- bind: '*:1'\n  rules: [{sni: [a.example], route: a}]\n",
	  true, false, false },
	/* A rule may be for those of IPv4. */
	{ "- bind: '*:1'\n  rules:\n"
	  "  - {from: [0.0.0.0/0], route: a}\n"
	  "  - {from: ['2001:db8::/32', 10.0.0.0/8], route: b}\n"
	  "  - {from: [10.0.0.0/8, '::ffff:192.0.2.1/128'], route: c}\n",
	  false, true, false },
	{ "- bind: '*:1'\n  rules: [{from: ['::/0'], route: a}]\n  route: c\n",
	  true, false, false },
};

Test(agent_config_rules, tell_where_ipv6_may_come)
{
	static const char head[] = CERTIFICATES "routes: [{name: a, handoff: a},"
		" {name: b, handoff: b}, {name: c, handoff: c}]\nlisteners:\n";
	const struct config_route *routes;
	struct config *config;
	char text[1000];
	size_t i;

	for (i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		snprintf(text, sizeof(text), "%s%s", head,
			 families[i].listeners);
		config = case_good(text);
		routes = config->routes;
		cr_expect(routes[0].ipv6 == families[i].a &&
			  routes[1].ipv6 == families[i].b &&
			  routes[2].ipv6 == families[i].c, "%d%d%d:\n%s",
			  routes[0].ipv6, routes[1].ipv6, routes[2].ipv6, text);
		config_free(config);
	}
}

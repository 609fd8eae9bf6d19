/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_listener, .timeout = 10);

Test(agent_config_listener, denies_whom_no_rule_fits_unless_told_otherwise)
{
	struct config *config = case_good(CERTIFICATES ROUTES
		"listeners:\n"
		"- {bind: '*:1', rules: [{sni: [a.example], route: web}]}\n"
		"- {bind: '*:2', route: deny}\n"
		"- {bind: '*:3', route: web,\n"
		"   rules: [{sni: [a.example], route: deny}]}\n");
	struct config_listener *l = config->listeners;

	cr_expect_eq(l[0].route, CONFIG_DENY);
	cr_expect_eq(l[0].rules[0].route, 0);
	cr_expect_eq(l[1].route, CONFIG_DENY);
	cr_expect_eq(l[1].n_rules, 0);
	cr_expect_eq(l[2].route, 0);
	cr_expect_eq(l[2].rules[0].route, CONFIG_DENY);
	config_free(config);
}

Test(agent_config_listener, needs_a_route_or_rules)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES ROUTES "listeners: [{bind: '*:1'}]\n",
		  "etc/f:3:13: route: expected this key or rules here, found "
		  "none\n" },
		/* One cause, one error. */
		{ CERTIFICATES ROUTES "listeners: [{bind: '*:1', rules: []}]\n",
		  "etc/f:3:34: rules: expected at least 1, found 0\n" },
	};

	CASE_ALL_BAD(cases);
}

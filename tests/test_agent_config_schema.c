/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_schema, .timeout = 10);

Test(agent_config_schema, suggests_the_key_that_was_meant)
{
	static const struct config_case cases[] = {
		{ "wokers: 1\n" REST, "etc/f:1:1: \"wokers\": unknown key, did "
				      "you mean \"workers\"?\n" },
		{ "hanshake_timeot: 1s\n" REST,
		  "etc/f:1:1: \"hanshake_timeot\": unknown key, did you mean "
		  "\"handshake_timeout\"?\n" },
		{ "  Users: a\n" "  certificates: []\n",
		  "etc/f:1:3: \"Users\": unknown key, did you mean \"user\"?\n"
		  "etc/f:1:3: routes: expected this key here, found none\n"
		  "etc/f:1:3: listeners: expected this key here, found none\n"
		  "etc/f:2:17: certificates: expected at least 1, found 0\n" },
		{ CERTIFICATES LISTENERS
		  "routes: [{nmae: web, name: web, handof: a, handoff: b}]\n",
		  "etc/f:3:11: \"nmae\": unknown key, did you mean \"name\"?\n"
		  "etc/f:3:33: \"handof\": unknown key, did you mean "
		  "\"handoff\"?\n" },
	};

	CASE_ALL_BAD(cases);
}

#define KEYS "workers, user, proxy_user, stapler_user, ktls, state_dir, " \
	"control, " \
	"handshake_timeout, drain_timeout, limits, tls, ticket_lifetime, " \
	"ticket_keys, keylog, watch, certificates, routes, listeners, ocsp"

Test(agent_config_schema, lists_the_keys_when_none_is_near)
{
	static const struct config_case cases[] = {
		{ REST "metrics: /var\n",
		  "etc/f:4:1: \"metrics\": unknown key, expected one of "
		  KEYS "\n" },
		{ "\"x\\ny\\0z\": 1\n" REST,
		  "etc/f:1:1: \"x?y?z\": unknown key, expected one of "
		  KEYS "\n" },
		{ "\"user\\0\": 1\n" REST,
		  "etc/f:1:1: \"user?\": unknown key, did you mean "
		  "\"user\"?\n" },
		{ CERTIFICATES ROUTES "listeners:\n"
		  "- bind: '*:1'\n  rules:\n  - route: web\n"
		  "    a-key-that-is-longer-than-any-key-of-ours-will-ever-be-"
		  "and-some-more: 1\n",
		  "etc/f:7:5: \"a-key-that-is-longer-than-any-key-of-ours-will-"
		  "ever-be-and-some-\"...: unknown key, expected one of sni, "
		  "alpn, from, route\n" },
		{ "? [a]\n: b\n" REST,
		  "etc/f:1:3: YAML: expected the name of a key, found a "
		  "list\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_schema, refuses_a_mapping_inside_of_another_likewise)
{
	static const struct config_case cases[] = {
		{ REST "ocsp: {time_out: 1s}\n",
		  "etc/f:4:8: \"time_out\": unknown key, did you mean "
		  "\"timeout\"?\n" },
		{ REST "ocsp:\n  retries: 2\n",
		  "etc/f:5:3: \"retries\": unknown key, expected one of "
		  "timeout, max_interval, min_interval, start_wait, per_host, "
		  "hash, proxy, ca, missing, revoked, responders\n" },
		{ REST "ocsp:\n  timeout: 1s\n  hash: sha1\n  timeout: 2s\n",
		  "etc/f:7:3: timeout: expected once, found again after line "
		  "5\n" },
		{ REST "ocsp: 10s\n",
		  "etc/f:4:7: ocsp: expected a mapping of keys, found "
		  "\"10s\"\n" },
		{ REST "ocsp: [timeout]\n",
		  "etc/f:4:7: ocsp: expected a mapping of keys, found a "
		  "list\n" },
		{ REST "ocsp:\n",
		  "etc/f:4:6: ocsp: expected a mapping of keys, found "
		  "nothing\n" },
		{ REST "ocsp: {responders: [{hots: a, url: http://b}]}\n",
		  "etc/f:4:21: host: expected this key here, found none\n"
		  "etc/f:4:22: \"hots\": unknown key, did you mean "
		  "\"host\"?\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_schema, refuses_a_key_that_comes_twice)
{
	static const struct config_case cases[] = {
		{ "user: root\nworkers: 1\nuser: root\n" REST,
		  "etc/f:3:1: user: expected once, found again after line "
		  "1\n" },
		{ CERTIFICATES LISTENERS
		  "routes: [{name: web, handoff: a, name: b}]\n",
		  "etc/f:3:34: name: expected once, found again after line "
		  "3\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_schema, names_every_key_that_is_missing)
{
	static const struct config_case cases[] = {
		{ "# comment\nuser: root\n",
		  "etc/f:2:1: certificates: expected this key here, found "
		  "none\n"
		  "etc/f:2:1: routes: expected this key here, found none\n"
		  "etc/f:2:1: listeners: expected this key here, found "
		  "none\n" },
		{ "certificates: [{staple: off}]\nroutes: [{}]\n"
		  "listeners: [{tickets: 1}]\n",
		  "etc/f:1:16: chain: expected this key here, found none\n"
		  "etc/f:2:10: name: expected this key here, found none\n"
		  "etc/f:2:10: handoff: expected this key or proxy here, found none\n"
		  "etc/f:3:13: bind: expected this key here, found none\n"
		  "etc/f:3:13: route: expected this key or rules here, found "
		  "none\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_schema, refuses_lists_of_the_wrong_shape)
{
	static const struct config_case cases[] = {
		{ "certificates: a.pem\n" ROUTES LISTENERS,
		  "etc/f:1:15: certificates: expected a list, found "
		  "\"a.pem\"\n" },
		{ "certificates:\n  chain: a\n" ROUTES LISTENERS,
		  "etc/f:2:3: certificates: expected a list, found a "
		  "mapping\n" },
		{ CERTIFICATES ROUTES "listeners:\n",
		  "etc/f:3:11: listeners: expected a list, found nothing\n" },
		{ CERTIFICATES "routes: []\n" LISTENERS,
		  "etc/f:2:9: routes: expected at least 1, found 0\n" },
		{ CERTIFICATES LISTENERS "routes:\n- web\n- [web]\n-\n",
		  "etc/f:2:36: route: expected the name of a route, or deny, "
		  "found \"web\"\n"
		  "etc/f:4:3: routes: expected a mapping of keys, found "
		  "\"web\"\n"
		  "etc/f:5:3: routes: expected a mapping of keys, found a "
		  "list\n"
		  "etc/f:6:2: routes: expected a mapping of keys, found "
		  "nothing\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_schema, ends_in_spite_of_aliases_that_multiply)
{
	static char text[300000] = "routes:\n- &r {";
	char *errors;
	size_t i;

	for (i = 0; i < 20000; i++)
		sprintf(text + strlen(text), "k%zu: 1, ", i);
	strcat(text, "}\n");
	for (i = 0; i < 255; i++)
		strcat(text, "- *r\n");
	cr_expect_null(case_parse(text, strlen(text), &errors));
	free(errors);
}

/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_cert, .timeout = 10);

#define CERTS "certificates:\n" \
	"- {chain: a, name: a}\n" \
	"- {chain: b}\n" \
	"- {chain: c, name: c}\n" \
	"- {chain: d, name: B}\n"
#define LISTENER(names) CERTS ROUTES \
	"listeners: [{bind: '*:1', route: web, certificates: " names "}]\n"

Test(agent_config_cert, needs_no_key_beside_its_chain)
{
	struct config *config = case_good(CERTS ROUTES LISTENERS);

	cr_expect_null(config->certs[0].key);
	cr_expect_null(config->certs[1].name);
	cr_expect_str_eq(config->certs[3].name, "B");
	config_free(config);
}

Test(agent_config_cert, is_named_by_listeners)
{
	struct config *config = case_good(LISTENER("[c, B, a]"));
	struct config_listener *l = config->listeners;

	cr_assert_eq(l->n_certs, 3);
	cr_expect_eq(l->certs[0], 0);
	cr_expect_eq(l->certs[1], 2);
	cr_expect_eq(l->certs[2], 3);
	config_free(config);
}

Test(agent_config_cert, is_for_every_listener_that_names_none)
{
	struct config *config = case_good(CERTS ROUTES LISTENERS);

	cr_expect_eq(config->listeners[0].n_certs, 0);
	cr_expect_null(config->listeners[0].certs);
	config_free(config);
}

Test(agent_config_cert, refuses_names_that_no_certificate_has)
{
	static const struct config_case cases[] = {
		{ LISTENER("[a, b, c, a]"),
		  "etc/f:7:57: certificates: expected the name of a "
		  "certificate, found \"b\"\n"
		  "etc/f:7:63: certificates: expected each entry once, found "
		  "\"a\"\n" },
		{ LISTENER("[]"),
		  "etc/f:7:53: certificates: expected at least 1, found 0\n" },
		{ LISTENER("a"),
		  "etc/f:7:53: certificates: expected a list, found \"a\"\n" },
		/* One cause, one error. */
		{ ROUTES "certificates: []\n"
		  "listeners: [{bind: '*:1', route: web, certificates: [a]}]\n",
		  "etc/f:2:15: certificates: expected at least 1, found 0\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_cert, refuses_bad_names_and_those_that_come_twice)
{
	static const struct config_case cases[] = {
		{ ROUTES LISTENERS "certificates:\n"
		  "- {chain: a, name: x}\n"
		  "- {chain: b, name: y}\n"
		  "- {chain: c, name: x}\n"
		  "- {chain: d, name: a b}\n",
		  "etc/f:6:3: name: expected another one than the certificate "
		  "on line 4 has, found the same\n"
		  "etc/f:7:20: name: expected a name of 1 to 63 letters, "
		  "digits, '-', '_' or '.', found \"a b\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_cert, refuses_a_chain_that_comes_twice)
{
	static const struct config_case cases[] = {
		{ ROUTES LISTENERS "certificates:\n"
		  "- {chain: b, key: k}\n"
		  "- {chain: a, key: k}\n"
		  "-  {chain: b, key: l}\n"
		  "- {chain: c, key: k}\n"
		  "- {chain: b, key: m}\n",
		  "etc/f:6:4: chain: expected another one than the certificate "
		  "on line 4 has, found the same\n"
		  "etc/f:8:3: chain: expected another one than the certificate "
		  "on line 6 has, found the same\n" },
		{ ROUTES LISTENERS "certificates:\n"
		  "- {key: k}\n"
		  "- {key: k}\n",
		  "etc/f:4:3: chain: expected this key here, found none\n"
		  "etc/f:5:3: chain: expected this key here, found none\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_cert, refuses_an_empty_list_of_protocols)
{
	static const struct config_case cases[] = {
		{ ROUTES LISTENERS "certificates: [{chain: a, alpn: []}]\n",
		  "etc/f:3:33: alpn: expected at least 1, found 0\n" },
		{ ROUTES LISTENERS
		  "certificates: [{chain: a, min_version: 1.1}]\n",
		  "etc/f:3:40: min_version: expected 1.2 or 1.3, found "
		  "\"1.1\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_cert, brings_protocols_that_rules_can_name)
{
	static const struct config_case cases[] = {
		{ "certificates: [{chain: a, name: a, alpn: [h2]}, "
		  "{chain: b, name: b}]\n" ROUTES "listeners:\n"
		  "- {bind: '*:1', rules: [{alpn: [h2], route: web}]}\n"
		  "- {bind: '*:2', certificates: [a],\n"
		  "   rules: [{alpn: [h2], route: web}]}\n"
		  "- {bind: '*:3', certificates: [b],\n"
		  "   rules: [{alpn: [h2], route: web}]}\n",
		  "etc/f:8:20: alpn: expected a protocol that the listener or "
		  "one of its certificates has, found \"h2\"\n" },
	};

	CASE_ALL_BAD(cases);
}

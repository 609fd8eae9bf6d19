/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_route, .timeout = 10);

#define ROUTE(keys) CERTIFICATES LISTENERS \
	"routes: [{name: web, handoff: a, " keys "}]\n"

Test(agent_config_route, refuses_one_path_for_two_sockets)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES LISTENERS "routes:\n"
		  "- {name: web, handoff: a}\n"
		  "- {name: b, handoff: a}\n"
		  "- {name: c, handoff: etc/a}\n",
		  "etc/f:5:22: handoff: expected another path than the "
		  "route's on line 4, found \"a\"\n" },
		{ CERTIFICATES LISTENERS
		  "control: a\nroutes: [{name: web, handoff: a}]\n",
		  "etc/f:4:31: handoff: expected another path than control's, "
		  "found \"a\"\n" },
		{ CERTIFICATES LISTENERS
		  "routes: [{name: web, handoff: /run/ktlsd/control.sock}]\n",
		  "etc/f:3:31: handoff: expected another path than control's, "
		  "found \"/run/ktlsd/control.sock\"\n" },
	};

	CASE_ALL_BAD(cases);
}

#define NAME "expected a name of 1 to 63 letters, digits, '-', '_' or '.', " \
	"found "
#define NAME_21 "a-name-with-21-bytes_"

Test(agent_config_route, refuses_bad_names_of_routes)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES LISTENERS "routes:\n"
		  "- {name: web, handoff: a}\n- {name: a b, handoff: b}\n",
		  "etc/f:5:10: name: " NAME "\"a b\"\n" },
		{ CERTIFICATES LISTENERS "routes:\n"
		  "- {name: web, handoff: a}\n- {name: 'a\"', handoff: b}\n",
		  "etc/f:5:10: name: " NAME "\"a\"\"\n" },
		{ CERTIFICATES LISTENERS "routes:\n"
		  "- {name: web, handoff: a}\n- {name: '', handoff: b}\n",
		  "etc/f:5:10: name: " NAME "\"\"\n" },
		{ CERTIFICATES LISTENERS "routes:\n- {name: web, handoff: a}\n"
		  "- {name: " NAME_21 NAME_21 NAME_21 "x, handoff: b}\n",
		  "etc/f:5:10: name: " NAME "\"" NAME_21 NAME_21 NAME_21
		  "x\"\n" },
		{ CERTIFICATES LISTENERS "routes:\n"
		  "- {name: web, handoff: a}\n- {name: web, handoff: b}\n",
		  "etc/f:5:10: name: expected another name than the route's on "
		  "line 4, found \"web\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_route, takes_a_name_of_63_bytes)
{
	config_free(case_good(CERTIFICATES
		"routes: [{name: " NAME_21 NAME_21 NAME_21 ", handoff: a}]\n"
		"listeners: [{bind: '*:1', route: " NAME_21 NAME_21 NAME_21
		"}]\n"));
}

Test(agent_config_route, refuses_bad_lists_of_allowed_accounts)
{
	static const struct config_case cases[] = {
		{ ROUTE("allow_uids: []"),
		  "etc/f:3:46: allow_uids: expected 1 to 1024 accounts, found "
		  "0\n" },
		{ ROUTE("allow_uids: www"),
		  "etc/f:3:46: allow_uids: expected a list of accounts, found "
		  "\"www\"\n" },
		{ ROUTE("allow_uids: [www, eve, [], -1]"),
		  "etc/f:3:52: allow_uids: expected an account that exists or "
		  "its number, found \"eve\"\n"
		  "etc/f:3:57: allow_uids: expected an account that exists, "
		  "found a list\n"
		  "etc/f:3:61: allow_uids: expected an account that exists or "
		  "its number, found \"-1\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_route, keeps_the_name_that_means_no_route)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES LISTENERS "routes:\n"
		  "- {name: web, handoff: a}\n- {name: deny, handoff: b}\n",
		  "etc/f:5:10: name: expected another name than that which "
		  "means no route, found \"deny\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_route, refuses_to_tell_what_it_cannot_know)
{
	static const struct config_case cases[] = {
		{ ROUTE("tell: [ja4], tls: passthrough"),
		  "etc/f:3:40: tell: expected no entries, since tls is "
		  "passthrough, found a list\n" },
		{ ROUTE("rekey: true, tls: passthrough"),
		  "etc/f:3:41: rekey: expected false, since tls is "
		  "passthrough, found true\n" },
	};

	CASE_ALL_BAD(cases);
	config_free(case_good(ROUTE("tls: passthrough, tell: []")));
	config_free(case_good(ROUTE("tls: passthrough, rekey: false")));
}

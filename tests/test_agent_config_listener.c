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

#define LISTENER(keys) CERTIFICATES ROUTES \
	"listeners: [{bind: '*:1', route: web, " keys "}]\n"

Test(agent_config_listener, has_a_default_for_each_key)
{
	struct config *config = case_good(REST);
	struct config_listener *l = config->listeners;

	cr_expect_not(l->v6only);
	cr_expect_eq(l->n_rules, 0);
	cr_expect_not(l->strict_sni);
	cr_expect_not(l->alpn_ignore);
	cr_expect(l->tcp.nodelay);
	cr_expect_eq(l->tcp.keepalive_s, 0);
	cr_expect_eq(l->tcp.defer_accept_s, 0);
	cr_expect_eq(l->tcp.user_timeout_ms, 0);
	cr_expect_eq(l->accept_proxy.from.n, 0);
	config_free(config);
}

Test(agent_config_listener, takes_each_key)
{
	struct config *config = case_good(LISTENER(
		"strict_sni: true, alpn_mismatch: ignore, tcp: {nodelay: "
		"false, keepalive: 2m, defer_accept: 3s, user_timeout: 4ms}, "
		"accept_proxy: {from: [10.0.0.0/8], timeout: 5s, "
		"others: refuse}"));
	struct config_listener *l = config->listeners;

	cr_expect(l->strict_sni);
	cr_expect(l->alpn_ignore);
	cr_expect_not(l->tcp.nodelay);
	cr_expect_eq(l->tcp.keepalive_s, 120);
	cr_expect_eq(l->tcp.defer_accept_s, 3);
	cr_expect_eq(l->tcp.user_timeout_ms, 4);
	cr_expect_eq(l->accept_proxy.from.n, 1);
	cr_expect_eq(l->accept_proxy.timeout_ms, 5000);
	cr_expect(l->accept_proxy.others_refuse);
	config_free(config);
}

Test(agent_config_listener, believes_a_proxy_header_of_those_it_names)
{
	static const struct config_case cases[] = {
		{ LISTENER("accept_proxy: {}"),
		  "etc/f:3:53: from: expected this key here, found none\n" },
		{ LISTENER("accept_proxy: {from: []}"),
		  "etc/f:3:60: from: expected at least 1, found 0\n" },
		{ LISTENER("accept_proxy: {from: ['::/0'], others: drop}"),
		  "etc/f:3:78: others: expected direct or refuse, found "
		  "\"drop\"\n" },
	};
	struct config *config = case_good(LISTENER(
		"accept_proxy: {from: ['::/0']}"));
	struct config_accept_proxy *proxy = &config->listeners[0].accept_proxy;

	cr_expect_eq(proxy->timeout_ms, 3000);
	cr_expect_not(proxy->others_refuse);
	config_free(config);
	CASE_ALL_BAD(cases);
}

Test(agent_config_listener, has_no_tcp_on_a_unix_socket)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES ROUTES "listeners: [{bind: 'unix:a', "
		  "route: web, tcp: {nodelay: true}}]\n",
		  "etc/f:3:47: tcp: expected an address and a port in bind for "
		  "this key, found a path\n" },
	};

	CASE_ALL_BAD(cases);
	config_free(case_good(CERTIFICATES ROUTES "listeners: "
		"[{bind: 'unix:a', route: web, accept_proxy: "
		"{from: ['::/0']}}]\n"));
}

#define TWO_ROUTES "routes: [{name: web, handoff: a}, " \
	"{name: raw, handoff: b, tls: passthrough}]\n"
#define NO_USE(place, key) "etc/f:" place ": " key ": expected a route that " \
	"terminates TLS for this key, found passthrough only\n"

Test(agent_config_listener, has_no_use_for_a_handshake_it_passes_on)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES TWO_ROUTES "listeners:\n"
		  "- bind: '*:1'\n"
		  "  route: raw\n"
		  "  alpn: [h2]\n"
		  "  rules: [{alpn: [h3], route: raw},\n"
		  "    {sni: [a], route: deny}]\n"
		  "  strict_sni: false\n"
		  "  tls: {}\n"
		  "  client_ca: ca\n"
		  "- {bind: '*:2', alpn: [h2], rules: [{route: raw}]}\n",
		  NO_USE("6:9", "alpn") NO_USE("9:15", "strict_sni")
		  NO_USE("10:8", "tls") NO_USE("11:14", "client_ca")
		  NO_USE("12:23", "alpn") },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_listener, may_pass_on_some_handshakes_and_perform_others)
{
	config_free(case_good(CERTIFICATES TWO_ROUTES "listeners:\n"
		"- {bind: '*:1', route: raw, alpn: [h2],\n"
		"   rules: [{sni: [a], route: web}]}\n"
		"- {bind: '*:2', route: web, alpn: [h2],\n"
		"   rules: [{sni: [a], route: raw}]}\n"
		"- {bind: '*:3', route: raw, rules: [{sni: [a], route: raw}]}\n"
		"- {bind: '*:4', route: deny, alpn: [h2]}\n"));
}

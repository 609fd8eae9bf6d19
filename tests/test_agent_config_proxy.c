/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "tests/config_case.h"

TestSuite(agent_config_proxy, .timeout = 10);

#define ROUTE(keys) CERTIFICATES LISTENERS "routes: [{name: web, " keys "}]\n"
#define FORM "expected a numeric address and port such as " \
	"\"127.0.0.1:8080\" or \"[::1]:8080\", or \"unix:PATH\", in quotes, found "

Test(agent_config_proxy, takes_servers_of_each_family)
{
	struct config *c = case_good(ROUTE(
		"proxy: ['127.0.0.1:80', '[2001:db8::1]:65535', 'unix:a/b']"));
	struct config_proxy *p = &c->routes[0].proxy;
	struct sockaddr_in *in = (void *)&p->backends[0].addr;
	struct sockaddr_in6 *in6 = (void *)&p->backends[1].addr;
	struct sockaddr_un *un = (void *)&p->backends[2].addr;

	cr_assert_eq(p->n, 3);
	cr_expect_eq(in->sin_family, AF_INET);
	cr_expect_eq(in->sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	cr_expect_eq(ntohs(in->sin_port), 80);
	cr_expect_eq(p->backends[0].addr_len, sizeof(*in));
	cr_expect_eq(in6->sin6_family, AF_INET6);
	cr_expect_eq(ntohs(in6->sin6_port), 65535);
	cr_expect_eq(un->sun_family, AF_UNIX);
	cr_expect_str_eq(un->sun_path, "etc/a/b");
	cr_expect_str_eq(p->backends[1].text, "[2001:db8::1]:65535");
	config_free(c);
}

Test(agent_config_proxy, has_the_defaults_of_the_manual)
{
	struct config *c = case_good(ROUTE("proxy: '127.0.0.1:80'"));
	struct config_proxy *p = &c->routes[0].proxy;

	cr_assert_eq(p->n, 1);
	cr_expect_null(c->routes[0].handoff);
	cr_expect_eq(p->header, CONFIG_HEADER_NONE);
	cr_expect_eq(p->connect_timeout_ms, 3000);
	cr_expect_eq(p->max_fails, 1);
	cr_expect_eq(p->fail_timeout_ms, 10000);
	cr_expect_null(c->proxy_user);
	cr_expect_eq(c->proxy_uid, c->uid);
	cr_expect_eq(c->proxy_gid, c->gid);
	config_free(c);
}

Test(agent_config_proxy, knows_the_versions_of_the_header)
{
	static const struct {
		const char *word;
		enum config_header header;
	} cases[] = {
		{ "false", CONFIG_HEADER_NONE }, { "v1", CONFIG_HEADER_V1 },
		{ "v2", CONFIG_HEADER_V2 }, { "true", CONFIG_HEADER_V2 },
	};
	char text[512];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config *c;

		snprintf(text, sizeof(text), ROUTE("proxy: '127.0.0.1:80', "
			 "proxy_protocol: %s"), cases[i].word);
		c = case_good(text);
		cr_expect_eq(c->routes[0].proxy.header, cases[i].header, "%s",
			     cases[i].word);
		config_free(c);
	}
}

Test(agent_config_proxy, refuses_what_is_no_server)
{
	static const struct config_case cases[] = {
		{ ROUTE("proxy: localhost:80"),
		  "etc/f:3:29: proxy: " FORM "\"localhost:80\"\n" },
		{ ROUTE("proxy: '127.0.0.1:0'"),
		  "etc/f:3:29: proxy: " FORM "\"127.0.0.1:0\"\n" },
		{ ROUTE("proxy: '*:80'"),
		  "etc/f:3:29: proxy: " FORM "\"*:80\"\n" },
		{ ROUTE("proxy: 'unix:'"),
		  "etc/f:3:29: proxy: " FORM "\"unix:\"\n" },
		{ ROUTE("proxy: []"),
		  "etc/f:3:29: proxy: expected at least 1, found 0\n" },
		{ ROUTE("proxy: ['127.0.0.1:1', {a: b}]"),
		  "etc/f:3:45: proxy: expected an address and port, found a "
		  "mapping\n" },
		{ ROUTE("proxy: ['127.0.0.1:1', '127.0.0.1:01']"),
		  "etc/f:3:45: proxy: expected each server once, found "
		  "\"127.0.0.1:01\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_proxy, refuses_a_path_that_is_too_long)
{
	char text[512], name[109], *errors;
	struct config *c;

	memset(name, 'a', 108);
	name[108] = '\0';
	snprintf(text, sizeof(text), ROUTE("proxy: 'unix:/%s'"), name);
	c = case_parse(text, strlen(text), &errors);
	cr_expect_null(c);
	cr_expect(strstr(errors, "etc/f:3:29: proxy: expected a path of at "
			 "most 107 bytes, found 109 bytes"), "%s", errors);
	free(errors);
}

Test(agent_config_proxy, wants_one_way_to_a_server_and_its_keys)
{
	static const struct config_case cases[] = {
		{ ROUTE("queue: 1"),
		  "etc/f:3:10: handoff: expected this key or proxy here, found "
		  "none\n" },
		{ ROUTE("handoff: a, proxy: '127.0.0.1:1'"),
		  "etc/f:3:41: proxy: expected this key or handoff, found "
		  "both\n" },
		{ ROUTE("handoff: a, max_fails: 2"),
		  "etc/f:3:45: max_fails: expected this key beside proxy only, "
		  "found it without\n" },
		{ ROUTE("proxy: '127.0.0.1:1', allow_uids: [www]"),
		  "etc/f:3:56: allow_uids: expected this key beside handoff "
		  "only, found it without\n" },
		{ ROUTE("proxy: '127.0.0.1:1', tell: [ja4], "
			"proxy_protocol: v2"),
		  "etc/f:3:50: tell: expected at most client_certificate, and "
		  "proxy_protocol: v2, since servers behind a proxy are told "
		  "no more, found another list\n" },
		{ ROUTE("proxy: '127.0.0.1:1', tell: [client_certificate], "
			"proxy_protocol: v1"),
		  "etc/f:3:50: tell: expected at most client_certificate, and "
		  "proxy_protocol: v2, since servers behind a proxy are told "
		  "no more, found another list\n" },
	};

	CASE_ALL_BAD(cases);
	config_free(case_good(ROUTE("proxy: '127.0.0.1:1', tell: "
		"[client_certificate], proxy_protocol: true")));
	config_free(case_good(ROUTE("proxy: '127.0.0.1:1', "
				    "tls: passthrough")));
}

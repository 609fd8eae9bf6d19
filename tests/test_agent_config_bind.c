/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "tests/config_case.h"

TestSuite(agent_config_bind, .timeout = 10);

static void expect_bind(const char *bind, int family, const char *host,
			unsigned int port)
{
	struct config *config;
	struct config_listener *l;
	struct sockaddr_in *in;
	struct sockaddr_in6 *in6;
	char text[256], found[INET6_ADDRSTRLEN];

	snprintf(text, sizeof(text), CERTIFICATES ROUTES
		 "listeners: [{bind: \"%s\", route: web}]\n", bind);
	config = case_good(text);
	l = &config->listeners[0];
	in = (struct sockaddr_in *)&l->addr;
	in6 = (struct sockaddr_in6 *)&l->addr;
	cr_expect_str_eq(l->bind, bind);
	cr_expect_eq(l->addr.ss_family, family);
	cr_expect_eq(l->addr_len, family == AF_INET ? sizeof(*in) :
						      sizeof(*in6));
	inet_ntop(family, family == AF_INET ? (void *)&in->sin_addr :
		  (void *)&in6->sin6_addr, found, sizeof(found));
	cr_expect_str_eq(found, host);
	cr_expect_eq(ntohs(in->sin_port), port);
	config_free(config);
}

Test(agent_config_bind, takes_each_form_of_address)
{
	expect_bind("[::]:443", AF_INET6, "::", 443);
	expect_bind("*:443", AF_INET6, "::", 443);
	expect_bind("[2001:db8::1]:65535", AF_INET6, "2001:db8::1", 65535);
	expect_bind("0.0.0.0:443", AF_INET, "0.0.0.0", 443);
	expect_bind("127.0.0.1:0", AF_INET, "127.0.0.1", 0);
}

Test(agent_config_bind, refuses_other_addresses)
{
	static const char *const binds[] = {
		"localhost:443", "443", ":443", "127.0.0.1", "127.0.0.1:",
		"127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:https", "::1:443",
		"[::1]", "[::1]443", "[::1:443", "::1]:443", "[127.0.0.1]:443",
		"[]:443", "[:443", "]:443", "**:443", "127.1:443",
		"[fe80::1%lo]:443", "256.0.0.1:443", " 127.0.0.1:443",
		"127.0.0.1:443 ", "127.0.0.1:4 43", "unix:", "unix",
		"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:443",
	};
	char text[256], errors[256];
	struct config_case c = { text, errors };
	size_t i;

	for (i = 0; i < sizeof(binds) / sizeof(binds[0]); i++) {
		snprintf(text, sizeof(text), CERTIFICATES ROUTES
			 "listeners: [{bind: \"%s\", route: web}]\n", binds[i]);
		snprintf(errors, sizeof(errors), "etc/f:3:20: bind: expected a "
			 "numeric address and port such as \"[::]:443\", "
			 "\"192.0.2.1:443\" or \"*:443\", or \"unix:PATH\", in "
			 "quotes, found \"%s\"\n", binds[i]);
		case_bad(&c);
	}
}

Test(agent_config_bind, refuses_addresses_without_quotes)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES ROUTES "listeners:\n- bind: [::]:443\n",
		  "etc/f:4:10: YAML: did not find expected node content, while "
		  "parsing a flow node of line 4; a text that begins like this "
		  "needs quotes\n" },
		{ CERTIFICATES ROUTES "listeners:\n- bind: *:443\n",
		  "etc/f:4:10: YAML: did not find expected alphabetic or "
		  "numeric character, while scanning an alias of line 4; a "
		  "text that begins like this needs quotes\n" },
		{ "# \303\244\303\244\n" CERTIFICATES ROUTES "listeners:\n"
		  "- bind: *:443\n",
		  "etc/f:5:10: YAML: did not find expected alphabetic or "
		  "numeric character, while scanning an alias of line 5; a "
		  "text that begins like this needs quotes\n" },
	};

	CASE_ALL_BAD(cases);
}

static void expect_pair(const char *first, const char *second, bool clash)
{
	char text[512], errors[256], *found;
	struct config *config;

	snprintf(text, sizeof(text), CERTIFICATES ROUTES "listeners:\n"
		 "- {bind: '%s', route: web}\n- {bind: '%s', route: web}\n",
		 first, second);
	snprintf(errors, sizeof(errors), "etc/f:5:10: bind: expected an "
		 "address that the listener on line 4 does not take, found "
		 "\"%s\"\n",
		 second);
	config = case_parse(text, strlen(text), &found);
	cr_expect_str_eq(found, clash ? errors : "", "%s and %s", first,
			 second);
	config_free(config);
	free(found);
}

Test(agent_config_bind, refuses_listeners_that_take_the_same_address)
{
	static const struct {
		const char *first, *second;
		bool clash;
	} cases[] = {
		{ "127.0.0.1:1", "127.0.0.1:1", true },
		{ "[::1]:1", "[0::1]:1", true },
		{ "[::]:1", "*:1", true },
		{ "[::]:1", "0.0.0.0:1", true },
		{ "127.0.0.1:1", "[::]:1", true },
		{ "[::1]:1", "*:1", true },
		{ "0.0.0.0:1", "127.0.0.1:1", true },
		{ "127.0.0.1:1", "[::ffff:127.0.0.1]:1", true },
		{ "127.0.0.1:1", "127.0.0.1:2", false },
		{ "127.0.0.1:1", "127.0.0.2:1", false },
		{ "127.0.0.1:1", "[::1]:1", false },
		{ "0.0.0.0:1", "[::1]:1", false },
		{ "*:0", "*:0", false },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_pair(cases[i].first, cases[i].second, cases[i].clash);
}

Test(agent_config_bind, lets_ipv4_go_elsewhere_where_it_takes_ipv6_only)
{
	struct config *config = case_good(CERTIFICATES ROUTES "listeners:\n"
		"- {bind: '[::]:1', v6only: true, route: web}\n"
		"- {bind: '0.0.0.0:1', route: web}\n"
		"- {bind: '127.0.0.1:2', route: web}\n"
		"- {bind: '[::]:2', v6only: true, route: web}\n");

	cr_expect(config->listeners[0].v6only);
	cr_expect_not(config->listeners[1].v6only);
	config_free(config);
}

Test(agent_config_bind, refuses_addresses_that_are_not_of_ipv6_only)
{
	static const struct config_case cases[] = {
#define V6ONLY(bind) CERTIFICATES ROUTES \
	"listeners: [{v6only: true, route: web, bind: '" bind "'}]\n"
#define REFUSED(bind) "etc/f:3:46: bind: expected an IPv6 address such as " \
	"\"[::]:443\", since v6only is true, found \"" bind "\"\n"
		{ V6ONLY("*:1"), REFUSED("*:1") },
		{ V6ONLY("0.0.0.0:1"), REFUSED("0.0.0.0:1") },
		{ V6ONLY("[::ffff:127.0.0.1]:1"),
		  REFUSED("[::ffff:127.0.0.1]:1") },
		{ V6ONLY("unix:a"), REFUSED("unix:a") },
		{ CERTIFICATES ROUTES "listeners:\n"
		  "- {bind: '[::]:1', v6only: true, route: web}\n"
		  "- {bind: '[::1]:1', route: web}\n",
		  "etc/f:5:10: bind: expected an address that the listener on "
		  "line 4 does not take, found \"[::1]:1\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_bind, takes_a_path)
{
	struct config *config = case_good(CERTIFICATES ROUTES
		"listeners:\n"
		"- {bind: 'unix:in.sock', route: web}\n"
		"- {bind: 'unix:/run/in:1', route: web}\n");
	struct config_listener *l = config->listeners;
	struct sockaddr_un *un = (struct sockaddr_un *)&l[0].addr;

	cr_expect_str_eq(l[0].bind, "unix:in.sock");
	cr_expect_eq(un->sun_family, AF_UNIX);
	cr_expect_str_eq(un->sun_path, "etc/in.sock");
	cr_expect_eq(l[0].addr_len, sizeof(*un));
	un = (struct sockaddr_un *)&l[1].addr;
	cr_expect_str_eq(un->sun_path, "/run/in:1");
	config_free(config);
}

#define PATH_50 "a-path-with-50-bytes-or-fifty-of-them-in-one-name-"

Test(agent_config_bind, refuses_paths_that_are_taken_or_too_long)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES ROUTES "listeners:\n"
		  "- {bind: 'unix:web.sock', route: web}\n"
		  "- {bind: 'unix:/run/ktlsd/control.sock', route: web}\n"
		  "- {bind: 'unix:a', route: web}\n"
		  "- {bind: 'unix:etc/a', route: web}\n"
		  "- {bind: 'unix:a', route: web}\n",
		  "etc/f:4:10: bind: expected another path than the route's on "
		  "line 2, found \"unix:web.sock\"\n"
		  "etc/f:5:10: bind: expected another path than control's, "
		  "found \"unix:/run/ktlsd/control.sock\"\n"
		  "etc/f:8:10: bind: expected an address that the listener on "
		  "line 6 does not take, found \"unix:a\"\n" },
		{ CERTIFICATES ROUTES "listeners:\n"
		  "- {bind: 'unix:/12345" PATH_50 PATH_50 "1', route: web}\n"
		  "- {bind: 'unix:/12345" PATH_50 PATH_50 "12', route: web}\n",
		  "etc/f:5:10: bind: expected a path of at most 107 bytes, "
		  "found 108 bytes: /12345" PATH_50 PATH_50 "12\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_bind, refuses_a_path_where_the_kernel_must_encrypt)
{
	static const struct config_case cases[] = {
		{ "ktls: require\n" CERTIFICATES ROUTES
		  "listeners: [{bind: 'unix:a', route: web}]\n",
		  "etc/f:4:20: bind: expected an address and a port, since "
		  "ktls is require and the kernel encrypts TCP only, found "
		  "\"unix:a\"\n" },
	};

	CASE_ALL_BAD(cases);
}

/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "tests/config_case.h"

TestSuite(agent_config_listener, .timeout = 10);

#define LISTENER(keys) CERTIFICATES ROUTES \
	"listeners: [{bind: '*:1', route: web, " keys "}]\n"

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

Test(agent_config_listener, takes_each_form_of_address)
{
	expect_bind("[::]:443", AF_INET6, "::", 443);
	expect_bind("*:443", AF_INET6, "::", 443);
	expect_bind("[2001:db8::1]:65535", AF_INET6, "2001:db8::1", 65535);
	expect_bind("0.0.0.0:443", AF_INET, "0.0.0.0", 443);
	expect_bind("127.0.0.1:0", AF_INET, "127.0.0.1", 0);
}

Test(agent_config_listener, refuses_other_addresses)
{
	static const char *const binds[] = {
		"localhost:443", "443", ":443", "127.0.0.1", "127.0.0.1:",
		"127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:https", "::1:443",
		"[::1]", "[::1]443", "[::1:443", "::1]:443", "[127.0.0.1]:443",
		"[]:443", "[:443", "]:443", "**:443", "127.1:443",
		"[fe80::1%lo]:443", "256.0.0.1:443", " 127.0.0.1:443",
		"127.0.0.1:443 ", "127.0.0.1:4 43", "unix:/run/a:1",
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
			 "\"192.0.2.1:443\" or \"*:443\", in quotes, found "
			 "\"%s\"\n", binds[i]);
		case_bad(&c);
	}
}

Test(agent_config_listener, refuses_addresses_without_quotes)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES ROUTES "listeners:\n- bind: [::]:443\n",
		  "etc/f:4:10: YAML: did not find expected node content, while "
		  "parsing a flow node of line 4\n" },
		{ CERTIFICATES ROUTES "listeners:\n- bind: *:443\n",
		  "etc/f:4:10: YAML: did not find expected alphabetic or "
		  "numeric character, while scanning an alias of line 4\n" },
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

Test(agent_config_listener, refuses_listeners_that_take_the_same_address)
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

Test(agent_config_listener, refuses_a_route_that_does_not_exist)
{
	static const struct config_case cases[] = {
		{ CERTIFICATES ROUTES
		  "listeners: [{bind: '*:1', route: wed}]\n",
		  "etc/f:3:34: route: expected the name of a route, found "
		  "\"wed\"\n" },
		{ CERTIFICATES ROUTES
		  "listeners: [{bind: '*:1', route: [web]}]\n",
		  "etc/f:3:34: route: expected the name of a route, found a "
		  "list\n" },
		/* One cause, one error. */
		{ CERTIFICATES LISTENERS "routes: []\n",
		  "etc/f:3:9: routes: expected at least 1, found 0\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_listener, has_no_protocols_when_the_list_is_empty)
{
	struct config *config = case_good(LISTENER("alpn: []"));

	cr_expect_null(config->listeners[0].alpn.wire);
	cr_expect_eq(config->listeners[0].alpn.len, 0);
	config_free(config);
}

Test(agent_config_listener, takes_protocols_with_any_byte)
{
	struct config *config = case_good(LISTENER("alpn: [\"a\\0b\", 1]"));

	cr_assert_eq(config->listeners[0].alpn.len, 6);
	cr_expect_arr_eq(config->listeners[0].alpn.wire, "\3a\0b\0011", 6);
	config_free(config);
}

Test(agent_config_listener, refuses_bad_protocols)
{
	static const struct config_case cases[] = {
		{ LISTENER("alpn: h2"),
		  "etc/f:3:45: alpn: expected a list of protocols, found "
		  "\"h2\"\n" },
		{ LISTENER("alpn: [h2, '', [], ]"),
		  "etc/f:3:50: alpn: expected a protocol of 1 to 255 bytes, "
		  "found \"\"\n"
		  "etc/f:3:54: alpn: expected a protocol of 1 to 255 bytes, "
		  "found a list\n" },
	};

	CASE_ALL_BAD(cases);
}

/* A listener with @n protocols of @len bytes each. */
static struct config *protocols(int n, int len, char **errors)
{
	size_t size;
	char *text;
	FILE *file = open_memstream(&text, &size);
	struct config *config;
	int i;

	fprintf(file, CERTIFICATES ROUTES
		"listeners: [{bind: '*:1', route: web, alpn: [");
	for (i = 0; i < n; i++)
		fprintf(file, "%0*d, ", len, i);
	fprintf(file, "]}]\n");
	fclose(file);
	config = case_parse(text, size, errors);
	free(text);
	return config;
}

Test(agent_config_listener, takes_as_many_protocols_as_tls_can_carry)
{
	static const struct {
		int n, len;
		const char *error;
	} cases[] = {
		{ 1, 255, NULL },
		{ 255, 255, NULL },
		{ 1, 256, "a protocol of 1 to 255 bytes, found \"0000" },
		{ 256, 255, "etc/f:3:45: alpn: expected at most 65535 bytes in "
			    "all, found more\n" },
	};
	struct config *config;
	char *errors;
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		config = protocols(cases[i].n, cases[i].len, &errors);
		cr_expect_eq(!config, !!cases[i].error, "%s", errors);
		if (config)
			cr_expect_eq(config->listeners[0].alpn.len,
				     cases[i].n * (cases[i].len + 1));
		if (cases[i].error)
			cr_expect(strstr(errors, cases[i].error), "%s", errors);
		config_free(config);
		free(errors);
	}
}

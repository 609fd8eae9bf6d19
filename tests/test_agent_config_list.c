/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_list, .timeout = 10);

#define LISTENER(keys) CERTIFICATES ROUTES \
	"listeners: [{bind: '*:1', route: web, " keys "}]\n"
#define RULE(keys) CERTIFICATES ROUTES \
	"listeners: [{bind: '*:1', rules: [{route: web, " keys "}]}]\n"
#define ROUTE(keys) CERTIFICATES LISTENERS \
	"routes: [{name: web, handoff: a, " keys "}]\n"

Test(agent_config_list, refuses_an_entry_that_comes_twice)
{
	static const struct config_case cases[] = {
		{ RULE("sni: [a.example, b.example, A.example]"),
		  "etc/f:3:76: sni: expected each entry once, found "
		  "\"A.example\"\n" },
		{ ROUTE("tell: [ja4, tls_exporter, ja4]"),
		  "etc/f:3:60: tell: expected each entry once, found "
		  "\"ja4\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_list, refuses_lists_of_the_wrong_shape)
{
	static const struct config_case cases[] = {
		{ RULE("sni: a.example"),
		  "etc/f:3:53: sni: expected a list, found \"a.example\"\n" },
		{ RULE("sni: []"),
		  "etc/f:3:53: sni: expected at least 1, found 0\n" },
		{ RULE("sni: [[a.example]]"),
		  "etc/f:3:54: sni: expected a host name such as "
		  "www.example.com or \"*.example.com\", found a list\n" },
		{ ROUTE("tell: ja4"),
		  "etc/f:3:40: tell: expected a list, found \"ja4\"\n" },
		{ ROUTE("tell: [ja3]"),
		  "etc/f:3:41: tell: expected client_certificate, "
		  "tls_exporter, tls_server_end_point or ja4, found \"ja3\""
		  "\n" },
		{ RULE("alpn: []"),
		  "etc/f:3:54: alpn: expected at least 1, found 0\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_list, has_no_protocols_when_the_list_is_empty)
{
	struct config *config = case_good(LISTENER("alpn: []"));

	cr_expect_null(config->listeners[0].alpn.wire);
	cr_expect_eq(config->listeners[0].alpn.len, 0);
	config_free(config);
}

Test(agent_config_list, takes_protocols_with_any_byte)
{
	struct config *config = case_good(LISTENER("alpn: [\"a\\0b\", 1]"));

	cr_assert_eq(config->listeners[0].alpn.len, 6);
	cr_expect_arr_eq(config->listeners[0].alpn.wire, "\3a\0b\0011", 6);
	config_free(config);
}

Test(agent_config_list, refuses_bad_protocols)
{
	static const struct config_case cases[] = {
		{ LISTENER("alpn: h2"),
		  "etc/f:3:45: alpn: expected a list, found \"h2\"\n" },
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

Test(agent_config_list, takes_as_many_protocols_as_tls_can_carry)
{
	static const struct {
		int n, len;
		const char *error;
	} cases[] = {
		{ 1, 255, NULL },
		{ 255, 255, NULL },
		{ 1, 256, "alpn: expected a protocol of 1 to 255 bytes, found " },
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

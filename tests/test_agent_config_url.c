/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_url, .timeout = 10);

#define URL "expected a URL such as http://ocsp.example.com/path or " \
	"https://192.0.2.1:8443, with neither user name nor fragment, found "
#define PROXY "expected a URL of scheme, host and port such as " \
	"http://proxy.example.com:3128, found "
#define HOST "expected a host as it stands in URLs, such as " \
	"ocsp.example.com, without a port, found "

static const char *const urls[] = {
	"http://a", "http://a/", "https://ocsp.example.com", "http://a:1",
	"http://a:65535/", "https://192.0.2.1:8443/a/b", "http://[::1]",
	"http://[2001:db8::1]:80/", "http://A_b-1.example/%20~;a=b@c:d",
	"http://a?b=/c", "http://a:80?b", "http://a/b?c[]=d'e(f)*g!h,i$j&k+l",
};

static const char *const no_urls[] = {
	"a", "a.example/b", "//a", "http:/a", "http:a", "http://", "http:///a",
	"http://?a", "ftp://a", "HTTP://a", "ldap://a/b", "file:///a",
	" http://a", "httpx://a", "http://a b", "http://a/b ", "http://a/b#c",
	"http://a#", "http://u@a", "http://u:p@a/", "http://@a", "http://a:",
	"http://a:/", "http://a:0", "http://a:65536", "http://a:80a",
	"http://a:-1", "http://a:80:80", "http://:80", "http://[::1",
	"http://::1", "http://[]", "http://[", "http://[]]", "http://[::1]a",
	"http://[::1]:", "http://[a]/", "http://[192.0.2.1]",
	"http://[fe80::1%25lo]", "http://a]:80", "http://[::/1]", "http://a%2e",
	"http://a,b", "http://\303\244.example", "http://a/\303\244",
	"http://a/\\x7f", "http://a\\\\b", "http://a/|", "http://a/{b}",
	"http://a/<b>", "http://a/^", "http://a/`",
	"http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]",
};

/* One error, which begins so, about @format with @value in it. */
static void expect_bad(const char *format, const char *at, const char *expected,
		       const char *value)
{
	char text[512], *errors;
	struct config *config;
	size_t n = strlen(at);

	snprintf(text, sizeof(text), format, value);
	config = case_parse(text, strlen(text), &errors);
	cr_expect_null(config, "accepted: %s", text);
	cr_expect(!strncmp(errors, at, n) &&
		  !strncmp(errors + n, expected, strlen(expected)) &&
		  strchr(errors, '\n') == errors + strlen(errors) - 1,
		  "file:\n%s\nexpected:\n%s%s\nfound:\n%s", text, at, expected,
		  errors);
	config_free(config);
	free(errors);
}

#define CERT "certificates: [{chain: a, key: b, responder: \"%s\"}]\n" \
	ROUTES LISTENERS

Test(agent_config_url, takes_urls)
{
	struct config *config;
	char text[512];
	size_t i;

	for (i = 0; i < LENGTH(urls); i++) {
		snprintf(text, sizeof(text), CERT, urls[i]);
		config = case_good(text);
		cr_expect_str_eq(config->certs[0].responder, urls[i]);
		config_free(config);
	}
}

Test(agent_config_url, refuses_what_is_no_url)
{
	size_t i;

	for (i = 0; i < LENGTH(no_urls); i++)
		expect_bad(CERT, "etc/f:1:46: responder: ", URL, no_urls[i]);
}

Test(agent_config_url, refuses_control_characters_in_urls)
{
	static const struct config_case cases[] = {
		{ "certificates: [{chain: a, key: b, responder: "
		  "\"http://a/\\r\\nHost: b\"}]\n" ROUTES LISTENERS,
		  "etc/f:1:46: responder: " URL "\"http://a/??Host: b\"\n" },
		{ "certificates: [{chain: a, key: b, responder: "
		  "\"http://a/\\0\"}]\n" ROUTES LISTENERS,
		  "etc/f:1:46: responder: expected a URL such as "
		  "http://ocsp.example.com/path or https://192.0.2.1:8443, "
		  "with neither user name nor fragment, found a NUL "
		  "character\n" },
		{ "certificates: [{chain: a, key: b, responder: [http://a]}]\n"
		  ROUTES LISTENERS,
		  "etc/f:1:46: responder: " URL "a list\n" },
	};

	CASE_ALL_BAD(cases);
}

/* A URL of @len bytes, in a file; to be freed. */
static char *long_url(size_t len)
{
	static const char start[] = "certificates: [{chain: a, key: b, "
				    "responder: ";
	char *text = malloc(sizeof(start) + len + sizeof(REST) + 8);
	size_t n = strlen(start);

	memcpy(text, start, n);
	memset(text + n, 'p', len);
	memcpy(text + n, "http://a/", 9);
	strcpy(text + n + len, "}]\n" ROUTES LISTENERS);
	return text;
}

Test(agent_config_url, takes_a_url_of_1023_bytes_and_no_more)
{
	struct config_case c = { .errors =
		"etc/f:1:46: responder: expected a URL of at most 1023 bytes, "
		"found 1024 bytes\n" };
	char *text = long_url(1023);
	struct config *config = case_good(text);

	cr_expect_eq(strlen(config->certs[0].responder), 1023);
	config_free(config);
	free(text);
	c.text = text = long_url(1024);
	case_bad(&c);
	free(text);
}

Test(agent_config_url, takes_proxies_with_their_port)
{
	static const char *const proxies[] = {
		"http://proxy:3128", "http://proxy.example.com:80/",
		"http://[::1]:8080", "http://192.0.2.1:1",
	};
	struct config *config;
	char text[256];
	size_t i;

	for (i = 0; i < LENGTH(proxies); i++) {
		snprintf(text, sizeof(text), REST "ocsp: {proxy: '%s'}\n",
			 proxies[i]);
		config = case_good(text);
		cr_expect_str_eq(config->ocsp.proxy, proxies[i]);
		config_free(config);
	}
}

Test(agent_config_url, refuses_other_proxies)
{
	static const char *const proxies[] = {
		"proxy:3128", "http://proxy", "http://proxy/", "http://[::1]",
		"https://proxy:3128", "socks5://proxy:1080",
		"http://proxy:80/a", "http://proxy:80?a", "http://proxy:80//",
		"http://u:p@proxy:80", "http://proxy:80#", "none",
	};
	size_t i;

	for (i = 0; i < LENGTH(proxies); i++)
		expect_bad(REST "ocsp: {proxy: '%s'}\n", "etc/f:4:15: proxy: ",
			   PROXY, proxies[i]);
}

Test(agent_config_url, refuses_what_is_no_host)
{
	static const char *const hosts[] = {
		"http://a", "a:80", "a/b", "a/", "::1", "[::1]:80", "[a]", "[",
		"a b", "u@a", "*.example.com", "\303\244.example", "a?",
	};
	size_t i;

	for (i = 0; i < LENGTH(hosts); i++)
		expect_bad(REST "ocsp: {responders: [{url: 'http://a', host: "
			   "'%s'}]}\n", "etc/f:4:45: host: ", HOST, hosts[i]);
}

Test(agent_config_url, takes_a_host_of_253_bytes_and_no_more)
{
	static const char format[] = REST
		"ocsp: {responders: [{url: 'http://a', host: '%s'}]}\n";
	char host[255] = "", text[512];

	memset(host, 'a', sizeof(host) - 1);
	expect_bad(format, "etc/f:4:45: host: ", HOST, host);
	host[253] = '\0';
	snprintf(text, sizeof(text), format, host);
	config_free(case_good(text));
}

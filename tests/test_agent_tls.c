// SPDX-License-Identifier: MIT
#include "agent/tls.h"

#include "agent_case.h"
#include "ktls/keys.h"

TestSuite(tls, .timeout = 20);

static struct config_listener listener = {
	.mark = { "a.conf", 5, 3 },
	.bind = (char *)"*:443",
};
static char said[1024];

/* Translates, and keeps what was logged. */
static struct hs_tls *settle(unsigned int pairs)
{
	int old = dup(STDERR_FILENO);
	FILE *f = tmpfile();
	struct hs_tls *tls;

	dup2(fileno(f), STDERR_FILENO);
	tls = tls_settings(&listener, pairs);
	dup2(old, STDERR_FILENO);
	close(old);
	rewind(f);
	said[fread(said, 1, sizeof(said) - 1, f)] = '\0';
	fclose(f);
	return tls;
}

Test(tls, is_what_the_listener_says)
{
	struct config_option options[] = {
		{ .name = (char *)"MaxProtocol", .value = (char *)"TLSv1.3" },
		{ .name = (char *)"Options", .value = (char *)"-MiddleboxCompat" },
	};
	struct config_tls c = {
		.preset = CONFIG_PRESET_INTERMEDIATE,
		.min_version = KTLS_TLS13,
		.ciphers = (char *)"ECDHE-RSA-AES128-GCM-SHA256",
		.ciphersuites = (char *)"TLS_AES_128_GCM_SHA256",
		.groups = (char *)"X25519:?unheard",
		.signature_algorithms = (char *)"RSA-PSS+SHA256",
		.options = options,
		.n_options = 2,
	};
	struct hs_tls *tls;

	listener.tls = c;
	tls = settle(KTLS_ALL_PAIRS);
	cr_assert(tls, "%s", said);
	cr_assert_str_empty(said);
	cr_expect_eq(tls->preset, HS_PRESET_INTERMEDIATE);
	cr_expect_eq(tls->min_version, KTLS_TLS13);
	cr_expect_str_eq(tls->ciphers, c.ciphers);
	cr_expect_str_eq(tls->ciphersuites, c.ciphersuites);
	cr_expect_str_eq(tls->groups, c.groups);
	cr_expect_str_eq(tls->signature_algorithms, c.signature_algorithms);
	cr_assert_eq(tls->n_options, 2);
	cr_expect_str_eq(tls->options[1].name, "Options");
	cr_expect_str_eq(tls->options[1].value, "-MiddleboxCompat");
	free(tls);
}

Test(tls, is_nothing_special_by_default)
{
	struct hs_tls *tls = settle(KTLS_ALL_PAIRS);

	cr_assert(tls);
	cr_expect_eq(tls->preset, HS_PRESET_NONE);
	cr_expect_null(tls->groups);
	free(tls);
}

Test(tls, faults_have_the_place_that_is_next_to_them)
{
	struct config_option options[] = {
		{ { "a.conf", 8, 9 }, (char *)"MaxProtocol", (char *)"TLSv1.3" },
		{ { "a.conf", 9, 9 }, (char *)"KTLS", (char *)"on" },
	};

	listener.tls.preset = CONFIG_PRESET_MODERN;
	cr_assert_null(settle(KTLS_PAIR(KTLS_TLS12, KTLS_AES_128_GCM)));
	cr_expect(strstr(said, " error event=tls_refused at=a.conf:5:3 error="
			       "\"there is no TLS version and cipher"), "%s",
		  said);
	listener.tls.mark = (struct config_mark){ "a.conf", 7, 5 };
	listener.tls.groups = (char *)"nonsense";
	cr_assert_null(settle(KTLS_ALL_PAIRS));
	cr_expect(strstr(said, " at=a.conf:7:5 error=\"groups: nonsense is "
			       "unknown to OpenSSL "), "%s", said);
	listener.tls.options = options;
	listener.tls.n_options = 2;
	cr_assert_null(settle(KTLS_ALL_PAIRS));
	cr_expect(strstr(said, " at=a.conf:9:9 error=\"options: KTLS is none "
			       "of Options, "), "%s", said);
}

Test(tls, what_is_told_is_that_of_every_route)
{
	struct config_route routes[] = {
		{ .tell = CONFIG_TELL_JA4 }, { .tell = CONFIG_TELL_EXPORTER },
		{ .tell = CONFIG_TELL_END_POINT }, { .tell = 0 },
	};
	struct config_rule rules[] = {
		{ .route = 3 }, { .route = CONFIG_DENY }, { .route = 0 },
	};
	struct config c = { .routes = routes, .n_routes = COUNT(routes) };

	listener.route = 1;
	cr_expect_eq(tls_told(&c, &listener), CONFIG_TELL_EXPORTER);
	listener.rules = rules;
	listener.n_rules = COUNT(rules);
	cr_expect_eq(tls_told(&c, &listener),
		     CONFIG_TELL_EXPORTER | CONFIG_TELL_JA4);
	listener.route = CONFIG_DENY;
	cr_expect_eq(tls_told(&c, &listener), CONFIG_TELL_JA4);
}

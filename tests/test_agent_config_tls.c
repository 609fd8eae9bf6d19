/* SPDX-License-Identifier: MIT */
#include "ktls/keys.h"
#include "tests/config_case.h"

TestSuite(agent_config_tls, .timeout = 10);

#define ALL "{preset: modern, min_version: 1.3, ciphers: [A, B], " \
	"ciphersuites: [C], groups: ['?X', Y], " \
	"signature_algorithms: [ECDSA+SHA256, S_t-2.x], " \
	"options: {Options: '-ServerPreference', MaxProtocol: TLSv1.3}}"

static void expect_all(const struct config_tls *tls)
{
	cr_expect_eq(tls->preset, CONFIG_PRESET_MODERN);
	cr_expect_eq(tls->min_version, KTLS_TLS13);
	cr_expect_str_eq(tls->ciphers, "A:B");
	cr_expect_str_eq(tls->ciphersuites, "C");
	cr_expect_str_eq(tls->groups, "?X:Y");
	cr_expect_str_eq(tls->signature_algorithms, "ECDSA+SHA256:S_t-2.x");
	cr_assert_eq(tls->n_options, 2);
	cr_expect_str_eq(tls->options[0].name, "Options");
	cr_expect_str_eq(tls->options[0].value, "-ServerPreference");
	cr_expect_str_eq(tls->options[1].name, "MaxProtocol");
	cr_expect_str_eq(tls->options[1].value, "TLSv1.3");
	cr_expect_eq(tls->options[1].mark.line, 1);
}

static void expect_nothing(const struct config_tls *tls)
{
	cr_expect_eq(tls->preset, CONFIG_PRESET_NONE);
	cr_expect_eq(tls->min_version, 0);
	cr_expect_null(tls->ciphers);
	cr_expect_null(tls->ciphersuites);
	cr_expect_null(tls->groups);
	cr_expect_null(tls->signature_algorithms);
	cr_expect_eq(tls->n_options, 0);
}

Test(agent_config_tls, is_all_left_to_openssl_by_default)
{
	struct config *config = case_good(REST);

	expect_nothing(&config->tls);
	expect_nothing(&config->listeners[0].tls);
	cr_expect_eq(config->listeners[0].tls.mark.line, 1);
	config_free(config);
}

Test(agent_config_tls, holds_for_listeners_that_say_nothing)
{
	struct config *config = case_good("tls: " ALL "\n" REST);

	expect_all(&config->tls);
	expect_all(&config->listeners[0].tls);
	cr_expect_eq(config->listeners[0].tls.mark.line, 1);
	cr_expect_eq(config->listeners[0].tls.mark.column, 6);
	config_free(config);
}

#define TWO(first, second) "tls: " first "\n" CERTIFICATES ROUTES \
	"listeners:\n- {bind: '*:1', route: web, tls: " second "}\n"

Test(agent_config_tls, of_a_listener_stands_before_the_files)
{
	struct config *config = case_good(TWO("{preset: intermediate, "
		"min_version: \"1.2\", ciphers: [x], ciphersuites: [x], "
		"groups: [x], signature_algorithms: [x], options: {x: x}}",
		"{preset: modern, min_version: 1.3, ciphers: [A, B], "
		"ciphersuites: [C], groups: ['?X', Y], signature_algorithms: "
		"[ECDSA+SHA256], options: {}}"));
	struct config_tls *tls = &config->listeners[0].tls;

	cr_expect_eq(config->tls.preset, CONFIG_PRESET_INTERMEDIATE);
	cr_expect_eq(config->tls.min_version, KTLS_TLS12);
	cr_expect_eq(tls->mark.line, 5);
	cr_expect_eq(tls->mark.column, 34);
	cr_expect_eq(tls->preset, CONFIG_PRESET_MODERN);
	cr_expect_eq(tls->min_version, KTLS_TLS13);
	cr_expect_str_eq(tls->ciphers, "A:B");
	cr_expect_str_eq(tls->ciphersuites, "C");
	cr_expect_str_eq(tls->groups, "?X:Y");
	cr_expect_str_eq(tls->signature_algorithms, "ECDSA+SHA256");
	cr_expect_eq(tls->n_options, 0);
	config_free(config);
}

Test(agent_config_tls, of_a_listener_has_the_files_for_each_other_key)
{
	struct config *config = case_good(TWO(ALL, "{preset: none, "
					      "groups: [Z]}"));
	struct config_tls *tls = &config->listeners[0].tls;

	cr_expect_eq(tls->preset, CONFIG_PRESET_NONE);
	cr_expect_eq(tls->min_version, KTLS_TLS13);
	cr_expect_str_eq(tls->ciphers, "A:B");
	cr_expect_str_eq(tls->groups, "Z");
	cr_expect_eq(tls->n_options, 2);
	config_free(config);
}

Test(agent_config_tls, refuses_what_is_more_than_a_name)
{
	static const struct config_case cases[] = {
#define NAME ": expected OpenSSL's name of one, found "
		{ "tls: {ciphers: [A, 'B:C', '!D', '', '?E', '@SECLEVEL=0']}\n"
		  REST,
		  "etc/f:1:20: ciphers" NAME "\"B:C\"\n"
		  "etc/f:1:27: ciphers" NAME "\"!D\"\n"
		  "etc/f:1:33: ciphers" NAME "\"\"\n"
		  "etc/f:1:37: ciphers" NAME "\"?E\"\n"
		  "etc/f:1:43: ciphers" NAME "\"@SECLEVEL=0\"\n" },
		{ "tls: {groups: ['??A', '?', B B, A, A, []]}\n" REST,
		  "etc/f:1:16: groups" NAME "\"??A\"\n"
		  "etc/f:1:23: groups" NAME "\"?\"\n"
		  "etc/f:1:28: groups" NAME "\"B B\"\n"
		  "etc/f:1:36: groups: expected each entry once, found \"A\"\n"
		  "etc/f:1:39: groups" NAME "a list\n" },
		{ "tls: {ciphersuites: A, signature_algorithms: []}\n" REST,
		  "etc/f:1:21: ciphersuites: expected a list, found \"A\"\n"
		  "etc/f:1:46: signature_algorithms: expected at least 1, "
		  "found 0\n" },
		{ "tls: {preset: old, min_version: 1.1}\n" REST,
		  "etc/f:1:15: preset: expected none, modern or intermediate, "
		  "found \"old\"\n"
		  "etc/f:1:33: min_version: expected 1.2 or 1.3, found "
		  "\"1.1\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_tls, refuses_what_is_no_option)
{
	static const struct config_case cases[] = {
		{ "tls: {options: [a]}\n" REST,
		  "etc/f:1:16: options: expected a mapping of options, found a "
		  "list\n" },
		{ "tls: {options: {a b: c, b: '', c: [], [d]: e, d: f,\n"
		  " D: g}}\n" REST,
		  "etc/f:1:17: options: expected the name of an option, found "
		  "\"a b\"\n"
		  "etc/f:1:28: options: expected the value of an option, found "
		  "\"\"\n"
		  "etc/f:1:35: options: expected the value of an option, found "
		  "a list\n"
		  "etc/f:1:39: options: expected the name of an option, found "
		  "a list\n"
		  "etc/f:2:2: options: expected another option than on line 1, "
		  "found \"D\"\n" },
	};

	CASE_ALL_BAD(cases);
}

/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_client, .timeout = 10);

#define LISTENER(keys) CERTIFICATES ROUTES \
	"listeners: [{bind: '*:1', route: web, " keys "}]\n"
#define DIGEST "00112233445566778899aabbccddeeff" \
	"00112233445566778899AABBCCDDEEFF"

Test(agent_config_client, are_asked_for_nothing_by_default)
{
	struct config *config = case_good(REST);
	struct config_client *clients[] = {
		&config->listeners[0].client, &config->certs[0].client,
	};
	size_t i;

	for (i = 0; i < 2; i++) {
		cr_expect_not(clients[i]->set);
		cr_expect_eq(clients[i]->verify, CONFIG_VERIFY_OFF);
		cr_expect_null(clients[i]->ca);
		cr_expect_eq(clients[i]->depth, 4);
		cr_expect_eq(clients[i]->crls.n, 0);
		cr_expect_not(clients[i]->crl_expired_warn);
		cr_expect_eq(clients[i]->allow.n, 0);
	}
	config_free(config);
}

Test(agent_config_client, need_a_certificate_where_there_is_a_ca)
{
	struct config *config = case_good(LISTENER("client_ca: ca.pem"));
	struct config_client *client = &config->listeners[0].client;

	cr_expect(client->set);
	cr_expect_eq(client->verify, CONFIG_VERIFY_REQUIRE);
	cr_expect_str_eq(client->ca, "etc/ca.pem");
	config_free(config);
}

Test(agent_config_client, are_treated_as_the_keys_say)
{
	struct config *config = case_good(LISTENER(
		"client_ca: /ca.pem, client_verify: optional, client_depth: 0, "
		"client_crl: [a.crl, /b.crl], crl_expired: warn, "
		"client_allow: [dns:a.example, 'cn:Ada L']"));
	struct config_client *client = &config->listeners[0].client;

	cr_expect_eq(client->verify, CONFIG_VERIFY_OPTIONAL);
	cr_expect_str_eq(client->ca, "/ca.pem");
	cr_expect_eq(client->depth, 0);
	cr_assert_eq(client->crls.n, 2);
	cr_expect_str_eq(client->crls.text[0], "etc/a.crl");
	cr_expect_str_eq(client->crls.text[1], "/b.crl");
	cr_expect(client->crl_expired_warn);
	cr_assert_eq(client->allow.n, 2);
	cr_expect_str_eq(client->allow.text[0], "dns:a.example");
	cr_expect_str_eq(client->allow.text[1], "cn:Ada L");
	config_free(config);
}

Test(agent_config_client, are_the_business_of_certificates_that_say_anything)
{
	struct config *config = case_good(ROUTES LISTENERS "certificates:\n"
		"- {chain: a, client_verify: off}\n"
		"- {chain: b, client_ca: ca}\n"
		"- {chain: c, client_ca: ca, client_verify: off}\n");

	cr_expect(config->certs[0].client.set);
	cr_expect_eq(config->certs[0].client.verify, CONFIG_VERIFY_OFF);
	cr_expect(config->certs[1].client.set);
	cr_expect_eq(config->certs[1].client.verify, CONFIG_VERIFY_REQUIRE);
	cr_expect_eq(config->certs[2].client.verify, CONFIG_VERIFY_OFF);
	config_free(config);
}

#define NO_CA(column, key) "etc/f:3:" column ": " key \
	": expected client_ca beside it, found none\n"

Test(agent_config_client, refuses_keys_that_nothing_comes_of)
{
	static const struct config_case cases[] = {
		{ LISTENER("client_verify: require"),
		  NO_CA("54", "client_verify") },
		{ LISTENER("client_verify: optional"),
		  NO_CA("54", "client_verify") },
		{ LISTENER("client_depth: 1"), NO_CA("53", "client_depth") },
		{ LISTENER("client_crl: [a]"), NO_CA("51", "client_crl") },
		{ LISTENER("crl_expired: fail"), NO_CA("52", "crl_expired") },
		{ LISTENER("client_allow: [cn:A], client_verify: off"),
		  NO_CA("53", "client_allow") },
		{ LISTENER("client_ca: a, crl_expired: fail"),
		  "etc/f:3:66: crl_expired: expected client_crl beside it, "
		  "found none\n" },
		{ ROUTES LISTENERS
		  "certificates: [{chain: a, client_allow: [cn:A]}]\n",
		  NO_CA("41", "client_allow") },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_client, refuses_values_out_of_range)
{
	static const struct config_case cases[] = {
		{ LISTENER("client_ca: a, client_verify: yes"),
		  "etc/f:3:68: client_verify: expected off, optional or "
		  "require, found \"yes\"\n" },
		{ LISTENER("client_ca: a, client_depth: 17"),
		  "etc/f:3:67: client_depth: expected a number from 0 to 16, "
		  "found \"17\"\n" },
		{ LISTENER("client_ca: a, client_crl: [b, ./b, b]"),
		  "etc/f:3:74: client_crl: expected each entry once, found "
		  "\"b\"\n" },
		{ LISTENER("client_ca: a, client_crl: [b], crl_expired: ok"),
		  "etc/f:3:83: crl_expired: expected fail or warn, found "
		  "\"ok\"\n" },
		{ LISTENER("client_ca: a, client_allow: []"),
		  "etc/f:3:67: client_allow: expected at least 1, found 0\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_client, can_be_named_in_five_ways)
{
	static const char *const entries[] = {
		"dns:api.example.com", "dns:*.example.com", "dns:localhost",
		"uri:spiffe://example.com/api", "uri:spiffe://example.com/*",
		"uri:spiffe://example.com/a/b/*", "uri:urn:dev:mac:*",
		"uri:a:b", "uri:https://example.com", "uri:https://[::1]:1/x",
		"uri:urn:a@b", "email:ada@example.com",
		"email:\\\"a@b\\\"@example.com", "cn:A", "cn:Ada Lovelace",
		"cn:\303\204da", "spki-sha256:" DIGEST,
	};
	char text[512];
	size_t i;

	for (i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		snprintf(text, sizeof(text), LISTENER("client_ca: a, "
			 "client_allow: [\"%s\"]"), entries[i]);
		config_free(case_good(text));
	}
}

static void expect_refused(const char *entry, const char *expected)
{
	char text[512], errors[512];
	struct config_case c = { text, errors };

	snprintf(text, sizeof(text), LISTENER("client_ca: a, client_allow: "
		 "[\"%s\"]"), entry);
	snprintf(errors, sizeof(errors), "etc/f:3:68: client_allow: expected "
		 "%s, found \"%s\"%s\n", expected, entry, "");
	case_bad(&c);
}

Test(agent_config_client, cannot_be_named_otherwise)
{
	static const char kinds[] =
		"dns:, uri:, email:, cn: or spki-sha256:, and a name";
	static const char dns[] =
		"a host name such as dns:api.example.com or dns:*.example.com";
	static const char uri[] = "a URI such as uri:spiffe://example.com/api, "
		"or one that ends with /* for whatever follows";
	static const char email[] =
		"an address such as email:ada@example.com";
	static const char cn[] = "a common name such as cn:Ada, without \"*\"";
	static const char spki[] = "spki-sha256: and 64 hexadecimal digits";
	static const struct {
		const char *entry, *expected;
	} cases[] = {
		{ "", kinds }, { "api.example.com", kinds }, { "*", kinds },
		{ "DNS:a.example", kinds }, { "ip:192.0.2.1", kinds },
		{ " dns:a.example", kinds },
		{ "dns:", dns }, { "dns:*", dns }, { "dns:a.*.example", dns },
		{ "dns:a.example.", dns }, { "dns:192.0.2.1", dns },
		{ "uri:", uri }, { "uri:*", uri }, { "uri:spiffe", uri },
		{ "uri:spiffe:", uri }, { "uri:://a", uri },
		{ "uri:1a:b", uri }, { "uri:spiffe://*", uri },
		{ "uri:spiffe://example.com*", uri },
		{ "uri:spiffe://example.com:*", uri },
		{ "uri:spiffe://example.com/a*", uri },
		{ "uri:spiffe://example.com/*/a", uri },
		{ "uri:spiffe://example.com/**", uri },
		{ "uri:https://ada@example.com/", uri },
		{ "uri:spiffe://example.com/a b", uri },
		{ "uri:spiffe://example.com/\303\244", uri },
		{ "email:ada", email }, { "email:@example.com", email },
		{ "email:ada@", email }, { "email:*@example.com", email },
		{ "email:a da@example.com", email },
		{ "email:ada@*.example.com", email },
		{ "cn:", cn }, { "cn:*", cn }, { "cn:Ada*", cn },
		{ "spki-sha256:", spki }, { "spki-sha256:0011", spki },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_refused(cases[i].entry, cases[i].expected);
}

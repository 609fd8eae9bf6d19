// SPDX-License-Identifier: MIT
/*
 * Entries that say whom to allow: which are none, and whom they fit.
 */
#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handshake/allow.h"
#include "handshake/client.h"

TestSuite(allow, .timeout = 30);

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define KEY "00112233445566778899aabbccddeeffFFEEDDCCBBAA99887766554433221100"

static const struct {
	const char *entry;
	bool ok;
} entries[] = {
	{ "dns:api.example.com", true },
	{ "dns:API_2.example-1.com", true },
	{ "dns:localhost", true },
	{ "dns:*.example.com", true },
	{ "dns:", false },
	{ "dns:*", false },
	{ "dns:*.", false },
	{ "dns:a*.example.com", false },
	{ "dns:www.*.example.com", false },
	{ "dns:*.*.example.com", false },
	{ "dns:.example.com", false },
	{ "dns:example.com.", false },
	{ "dns:example..com", false },
	{ "dns:exa mple.com", false },
	{ "dns:example.com/path", false },
	{ "dns:192.0.2.1", false },
	{ "dns:1.example", true },
	{ "uri:spiffe://a/b", true },
	{ "uri:spiffe://a/*", true },
	{ "uri:spiffe://a/b/*", true },
	{ "uri:urn:example:*", true },
	{ "uri:urn:*", true },
	{ "uri:https://a:8443/", true },
	{ "uri:file:///etc", true },
	/* within a host, "*" would let others' hosts in */
	{ "uri:spiffe://a*", false },
	{ "uri:spiffe://*", false },
	{ "uri:spiffe:*", true },
	{ "uri:*", false },
	{ "uri:spiffe://a/b*", false },
	{ "uri:spiffe://*/b", false },
	{ "uri:spiffe://a/*/b", false },
	{ "uri:spiffe://a/**", false },
	{ "uri:", false },
	{ "uri:spiffe:", false },
	{ "uri:no scheme://a", false },
	{ "uri:://a", false },
	{ "uri:1a://a", false },
	{ "uri:https://me@a/", false },
	{ "uri:spiffe://a/b c", false },
	{ "uri:spiffe://a/\xc3\xa9", false },
	{ "email:a@example.com", true },
	{ "email:a@b@example.com", true },
	{ "email:@example.com", false },
	{ "email:a@", false },
	{ "email:a", false },
	{ "email:a@*.example.com", false },
	{ "email:*@example.com", false },
	{ "email:a b@example.com", false },
	{ "email:a@192.0.2.1", false },
	{ "cn:Bob", true },
	{ "cn:*", false },
	{ "cn:Bob*", false },
	{ "cn:", false },
	{ "spki-sha256:" KEY, true },
	{ "spki-sha256:" KEY "0", false },
	{ "spki-sha256:0011", false },
	{ "spki-sha256:", false },
	{ "spki-sha256:zz112233445566778899aabbccddeeff"
	  "00112233445566778899aabbccddeeff", false },
	{ "spki-sha256:0g112233445566778899aabbccddeeff"
	  "00112233445566778899aabbccddeeff", false },
	{ "ip:192.0.2.1", false },
	{ "DNS:example.com", false },
	{ "example.com", false },
	{ "", false },
};

Test(allow, entries_are_told_from_what_is_none)
{
	for (size_t i = 0; i < COUNT(entries); i++)
		cr_expect_eq(hs_client_check_allow(entries[i].entry),
			     entries[i].ok ? 0 : -EINVAL, "%s",
			     entries[i].entry);
}

Test(allow, the_first_bad_one_of_several_is_named)
{
	static const char *const list[] = { "cn:a", "dns:b", "what", "dns:*" };
	struct hs_allow allow = { 0 };
	size_t bad = 0;

	cr_expect_eq(hs_allow_init(&allow, list, COUNT(list), &bad), -EINVAL);
	cr_expect_eq(bad, 2);
	hs_allow_fini(&allow);
}

static struct ocsp_bytes bytes(const char *data, size_t len)
{
	return (struct ocsp_bytes){ (const uint8_t *)data, len };
}

/* @san: one of them among others */
static bool fits(const char *entry, const char *san, const char *cn)
{
	char sans[300];
	struct hs_allow allow = { 0 };
	struct hs_peer peer = { .cn = bytes(cn, strlen(cn)) };
	size_t bad;
	size_t len = 0;
	bool yes;

	len += sprintf(sans, "dns:first.test") + 1;
	if (san[0])
		len += sprintf(sans + len, "%s", san) + 1;
	len += sprintf(sans + len, "ip:192.0.2.1") + 1;
	peer.sans = bytes(sans, len);
	for (int i = 0; i < 32; i++)
		peer.spki_sha256[i] = i < 16 ? i * 0x11 : (31 - i) * 0x11;
	cr_assert_eq(hs_allow_init(&allow, &entry, 1, &bad), 0, "%s", entry);
	yes = hs_allow_fits(&allow, &peer);
	hs_allow_fini(&allow);
	return yes;
}

static const struct {
	const char *entry, *san;
	bool fits;
} names[] = {
	{ "dns:api.example.com", "dns:api.example.com", true },
	{ "dns:api.example.com", "dns:API.Example.COM", true },
	{ "dns:API.example.com", "dns:api.example.com", true },
	{ "dns:api.example.com", "dns:xapi.example.com", false },
	{ "dns:api.example.com", "dns:api.example.com.evil.test", false },
	{ "dns:api.example.com", "dns:api.example.co", false },
	{ "dns:api.example.com", "uri:api.example.com", false },
	{ "dns:api.example.com", "email:api.example.com", false },
	{ "dns:api.example.com", "", false },
	{ "dns:*.example.com", "dns:api.example.com", true },
	{ "dns:*.example.com", "dns:api.EXAMPLE.com", true },
	{ "dns:*.example.com", "dns:example.com", false },
	{ "dns:*.example.com", "dns:.example.com", false },
	{ "dns:*.example.com", "dns:a.b.example.com", false },
	{ "dns:*.example.com", "dns:aexample.com", false },
	{ "dns:*.example.com", "dns:api.example.com.evil.test", false },
	/* a certificate for all of them is for none in particular */
	{ "dns:api.example.com", "dns:*.example.com", false },
	{ "dns:*.example.com", "dns:*.example.com", true },
	{ "dns:first.test", "", true },
	{ "uri:spiffe://a/b", "uri:spiffe://a/b", true },
	{ "uri:spiffe://a/b", "uri:SPIFFE://A/b", true },
	{ "uri:spiffe://A/b", "uri:spiffe://a/b", true },
	{ "uri:spiffe://a/b", "uri:spiffe://a/B", false },
	{ "uri:spiffe://a/b", "uri:spiffe://a/b/", false },
	{ "uri:spiffe://a/b", "uri:spiffe://a/bc", false },
	{ "uri:spiffe://a/b", "uri:spiffe://a", false },
	{ "uri:spiffe://a/b", "dns:spiffe://a/b", false },
	{ "uri:spiffe://a/*", "uri:spiffe://a/b", true },
	{ "uri:spiffe://a/*", "uri:SPIFFE://A/b/c", true },
	{ "uri:spiffe://a/*", "uri:spiffe://a/", true },
	{ "uri:spiffe://a/*", "uri:spiffe://a", false },
	{ "uri:spiffe://a/*", "uri:spiffe://a.evil/b", false },
	{ "uri:spiffe://a/*", "uri:spiffe://a@evil/b", false },
	{ "uri:spiffe://a/*", "uri:spiffe://b/", false },
	{ "uri:spiffe://a/*", "uri:spiff", false },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/b/c", true },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/bb/c", false },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/B/c", false },
	/* what would lead elsewhere when it is made short */
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/b/../admin", false },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/b/..", false },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/b/./c", false },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/b/%2E%2e/admin", false },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/b/.%2e?x", false },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/b/...", true },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/b/.c", true },
	{ "uri:spiffe://a/b/*", "uri:spiffe://a/b/c..", true },
	{ "uri:urn:a:*", "uri:URN:a:b", true },
	{ "uri:urn:a:*", "uri:urn:A:b", false },
	{ "email:Bob@example.com", "email:Bob@EXAMPLE.com", true },
	{ "email:Bob@example.com", "email:bob@example.com", false },
	{ "email:Bob@example.com", "email:Bob@example.org", false },
	{ "email:Bob@example.com", "email:aBob@example.com", false },
	{ "email:Bob@example.com", "email:Bob", false },
	{ "email:a@b@example.com", "email:a@b@example.com", true },
	{ "email:b@example.com", "email:a@b@example.com", false },
	{ "cn:Bob", "dns:Bob", false },
	{ "spki-sha256:00112233445566778899aabbccddeeff"
	  "ffeeddccbbaa99887766554433221100", "", true },
	{ "spki-sha256:00112233445566778899AABBCCDDEEFF"
	  "FFEEDDCCBBAA99887766554433221100", "", true },
	{ "spki-sha256:00112233445566778899aabbccddeeff"
	  "ffeeddccbbaa99887766554433221101", "", false },
};

Test(allow, names_fit_as_the_rfcs_compare_them)
{
	for (size_t i = 0; i < COUNT(names); i++)
		cr_expect_eq(fits(names[i].entry, names[i].san, ""),
			     names[i].fits, "%s, %s", names[i].entry,
			     names[i].san);
}

Test(allow, common_names_fit_exactly)
{
	cr_expect(fits("cn:Bob", "", "Bob"));
	cr_expect_not(fits("cn:Bob", "", "bob"));
	cr_expect_not(fits("cn:Bob", "", "Bobby"));
	cr_expect_not(fits("cn:Bob", "", "Bo"));
	cr_expect_not(fits("cn:Bob", "", ""));
	cr_expect_not(fits("dns:bob", "", "bob"));
}

Test(allow, one_of_several_is_enough_and_none_lets_everybody_in)
{
	static const char *const list[] = { "cn:a", "dns:b", "uri:c:d" };
	const struct hs_peer peer = { .sans = bytes("dns:x\0uri:c:d", 14) };
	const struct hs_peer nobody = { 0 };
	struct hs_allow allow = { 0 };
	size_t bad;

	cr_expect(hs_allow_fits(&allow, &nobody));
	cr_assert_eq(hs_allow_init(&allow, list, COUNT(list), &bad), 0);
	cr_expect(hs_allow_fits(&allow, &peer));
	cr_expect_not(hs_allow_fits(&allow, &nobody));
	hs_allow_fini(&allow);
}

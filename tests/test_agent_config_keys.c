/* SPDX-License-Identifier: MIT */
#include "tests/config_case.h"

TestSuite(agent_config_keys, .timeout = 10);

#define PATH_20 "/a-folder/of-20-byte"
#define PATH_107 PATH_20 PATH_20 PATH_20 PATH_20 PATH_20 "/end107"

#define ROUTE(keys) CERTIFICATES LISTENERS \
	"routes: [{name: web, handoff: a, " keys "}]\n"

Test(agent_config_keys, says_how_to_create_an_account_that_is_missing)
{
	static const struct config_case cases[] = {
		{ "user: eve\n" REST,
		  "etc/f:1:7: user: expected an account that exists, found "
		  "\"eve\": name another, or create it with useradd --system "
		  "eve\n" },
		{ "user: []\n" REST,
		  "etc/f:1:7: user: expected an account, found a list\n" },
		{ "user: broken\n" REST,
		  "etc/f:1:7: user: expected an account (Input/output error), "
		  "found \"broken\"\n" },
	};

	CASE_ALL_BAD(cases);
}

Test(agent_config_keys, takes_a_stapler_account_that_is_missing)
{
	struct config *config = case_good("stapler_user: eve\n" REST);

	cr_expect_str_eq(config->stapler_user, "eve");
	cr_expect_eq(config->stapler_uid, (uid_t)-1);
	cr_expect_eq(config->stapler_gid, (gid_t)-1);
	cr_expect_eq(config->uid, 990);
	config_free(config);
}

Test(agent_config_keys, refuses_what_is_no_stapler_account)
{
	static const struct config_case cases[] = {
		{ "stapler_user: []\n" REST,
		  "etc/f:1:15: stapler_user: expected an account, found a "
		  "list\n" },
		{ "stapler_user: broken\n" REST,
		  "etc/f:1:15: stapler_user: expected an account (Input/output "
		  "error), found \"broken\"\n" },
	};

	CASE_ALL_BAD(cases);
}

static int find_nobody(const char *name, uid_t *uid, gid_t *gid)
{
	(void)name, (void)uid, (void)gid;
	return -ENOENT;
}

Test(agent_config_keys, says_so_too_when_the_default_account_is_missing)
{
	struct config_env env = case_env;
	static const char text[] = "\n" REST;
	char *errors;
	size_t size;
	FILE *out = open_memstream(&errors, &size);

	env.find_user = find_nobody;
	cr_expect_null(config_parse("f", text, strlen(text), &env, out));
	fclose(out);
	cr_expect_str_eq(errors, "f:2:1: user: expected an account that "
			 "exists, found \"ktlsd\": name another, or create it "
			 "with useradd --system ktlsd\n");
	free(errors);
}

Test(agent_config_keys, takes_the_longest_path_that_a_socket_can_have)
{
	struct config *config = case_good(CERTIFICATES LISTENERS
		"control: " PATH_107 "\n"
		"routes: [{name: web, handoff: " PATH_20 "}]\n");

	cr_expect_eq(strlen(config->control), 107);
	config_free(config);
}

Test(agent_config_keys, refuses_paths_too_long_for_a_socket)
{
	static const struct config_case cases[] = {
		{ "control: " PATH_107 "8\n" REST,
		  "etc/f:1:10: control: expected a path of at most 107 bytes, "
		  "found 108 bytes: " PATH_107 "8\n" },
		{ "control: \"" PATH_107 "\\n\"\n" REST,
		  "etc/f:1:10: control: expected a path of at most 107 bytes, "
		  "found 108 bytes: " PATH_107 "?\n" },
		/* 105 bytes, but relative to etc/. */
		{ CERTIFICATES LISTENERS "routes: [{name: web, handoff: a"
		  PATH_20 PATH_20 PATH_20 PATH_20 PATH_20 "/abc}]\n",
		  "etc/f:3:31: handoff: expected a path of at most 107 bytes, "
		  "found 109 bytes: etc/a" PATH_20 PATH_20 PATH_20 PATH_20
		  PATH_20 "/abc\n" },
	};

	CASE_ALL_BAD(cases);
}

/* As many certificates as @n, short as they can be. */
static char *certificates(unsigned int n)
{
	char *text = malloc(n * 32 + sizeof(REST));
	size_t len = 0;

	len += sprintf(text, ROUTES LISTENERS "certificates:\n");
	while (n--)
		len += sprintf(text + len, "- {chain: %u, key: k}\n", n);
	return text;
}

Test(agent_config_keys, takes_10000_certificates_and_no_more)
{
	char *text = certificates(10000);
	struct config_case c = { .errors =
		"etc/f:10004:3: certificates: expected at most 10000, found "
		"10001\n" };
	struct config *config = case_good(text);

	cr_expect_eq(config->n_certs, 10000);
	cr_expect_str_eq(config->certs[9999].chain, "etc/0");
	config_free(config);
	free(text);
	c.text = text = certificates(10001);
	case_bad(&c);
	free(text);
}

Test(agent_config_keys, checks_the_range_of_each_number)
{
	static const struct config_case cases[] = {
		{ "workers: 1025\n" REST,
		  "etc/f:1:10: workers: expected auto or a number from 1 to "
		  "1024, found \"1025\"\n" },
		{ CERTIFICATES ROUTES
		  "listeners: [{bind: '*:1', route: web, tickets: 9}]\n",
		  "etc/f:3:48: tickets: expected a number from 0 to 8, found "
		  "\"9\"\n" },
		{ CERTIFICATES ROUTES
		  "listeners: [{bind: '*:1', route: web, backlog: 0}]\n",
		  "etc/f:3:48: backlog: expected a number from 1 to 65535, "
		  "found \"0\"\n" },
		{ "limits: {handshakes: 10000001, handshakes_per_client: -1, "
		  "accept_rate: 10000001, client_prefix_v4: 33,\n"
		  "  client_prefix_v6: 0, client_hello: 511}\n" REST,
		  "etc/f:1:22: handshakes: expected a number from 0 to "
		  "10000000, found \"10000001\"\n"
		  "etc/f:1:55: handshakes_per_client: expected a number from 0 "
		  "to 10000000, found \"-1\"\n"
		  "etc/f:1:72: accept_rate: expected a number from 0 to "
		  "10000000, found \"10000001\"\n"
		  "etc/f:1:100: client_prefix_v4: expected a number from 1 to "
		  "32, found \"33\"\n"
		  "etc/f:2:21: client_prefix_v6: expected a number from 1 to "
		  "128, found \"0\"\n"
		  "etc/f:2:38: client_hello: expected a number from 512 to "
		  "131072, found \"511\"\n" },
		{ "ticket_lifetime: 169h\nwatch: yes\n" REST,
		  "etc/f:1:18: ticket_lifetime: expected a duration from 1s to "
		  "168h, found \"169h\"\n"
		  "etc/f:2:8: watch: expected false or true, found \"yes\"\n" },
		{ ROUTE("queue: 0"),
		  "etc/f:3:41: queue: expected a number from 1 to 65536, found "
		  "\"0\"\n" },
		{ ROUTE("hold_timeout: 61m"),
		  "etc/f:3:48: hold_timeout: expected a duration from 1ms to "
		  "1h, found \"61m\"\n" },
	};

	CASE_ALL_BAD(cases);
}

/* man/ktlsd.conf.5, to be freed; tests are started in the folder above it. */
static char *manual(void)
{
	FILE *file = fopen("man/ktlsd.conf.5", "r");
	size_t size = 0;
	char *text = NULL;

	if (!file || getdelim(&text, &size, '\0', file) < 0)
		cr_skip("man/ktlsd.conf.5 is not below this folder");
	fclose(file);
	return text;
}

/* Does it stand in the example of every key? */
static bool has_example(const char *text, const char *name)
{
	const char *at = strstr(text, "\nEvery key:\n");
	char entry[64];

	snprintf(entry, sizeof(entry), "%s:", name);
	return at && strstr(at, entry);
}

/* Does one of the entries for @name end with this default, if there is one? */
static bool documents(const char *text, const char *name, const char *preset)
{
	static const char intro[] = "\nDefault:\n.Cm ";	/* or .Pa */
	char entry[64], value[64];
	const char *at, *end;

	snprintf(entry, sizeof(entry), "\n.It Cm %s : ", name);
	snprintf(value, sizeof(value), "%s .\n", preset ? preset : "");
	for (at = strstr(text, entry); at; at = strstr(at + 1, entry)) {
		end = strstr(at, "\nDefault:");
		if (!preset || (end && !strncmp(end + strlen(intro), value,
						strlen(value))))
			return true;
	}
	return false;
}

static void expect_documented(const char *text,
			      const struct config_table *table)
{
	const struct config_key *key;

	for (key = table->keys; key < table->keys + table->n_keys; key++) {
		cr_expect(documents(text, key->name, key->preset), "%s, %s",
			  key->name, key->preset ? key->preset : "no default");
		cr_expect(has_example(text, key->name), "%s", key->name);
		if (key->table)
			expect_documented(text, key->table);
	}
}

Test(agent_config_keys, are_all_in_the_manual_with_default_and_example)
{
	char *text = manual();

	expect_documented(text, &config_keys);
	free(text);
}

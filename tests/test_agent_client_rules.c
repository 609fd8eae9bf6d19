// SPDX-License-Identifier: MIT
/*
 * The configuration's rules for clients: the same ones are read once.
 */
#include "agent/client_rules.h"

#include "tests/client_pki.h"

#include <sys/mman.h>

static struct party ca;
static char *ca_file, *crl_file;
static const struct config_mark mark = { "ktlsd.conf", 12, 5 };

static void start(void)
{
	static const long nobody[] = { 0 };

	folder_make();
	ca = party_make((struct party_terms){ .cn = "CA", .is_ca = true },
			NULL);
	ca_file = (char *)write_certs("ca.pem", &ca, NULL);
	crl_file = (char *)write_crl("ca.crl",
				     crl_make(&ca, -DAY, DAY, nobody), true);
}

static void stop(void)
{
	party_free(&ca);
	folder_remove();
}

TestSuite(client_rules, .timeout = 60, .init = start, .fini = stop);

static bool read_one(struct client_rules *rules,
		     const struct config_client *config)
{
	return client_rules_read(rules, config, &mark);
}

Test(client_rules, nobody_is_asked_where_it_is_off)
{
	const struct config_client off = { .ca = ca_file };
	struct client_rules rules = { 0 };

	cr_expect(read_one(&rules, &off));
	cr_expect_null(client_rules_find(&rules, &off));
	client_rules_fini(&rules);
}

Test(client_rules, what_is_the_same_is_shared_and_nothing_else)
{
	char *a[] = { "cn:a" }, *b[] = { "cn:b" }, *again[] = { strdup("cn:a") };
	struct config_client configs[] = {
		{ .verify = CONFIG_VERIFY_REQUIRE, .ca = ca_file },
		{ .verify = CONFIG_VERIFY_OPTIONAL, .ca = ca_file },
		{ .verify = CONFIG_VERIFY_REQUIRE, .ca = ca_file, .depth = 1 },
		{ .verify = CONFIG_VERIFY_REQUIRE, .ca = ca_file,
		  .crls = { &crl_file, 1 } },
		{ .verify = CONFIG_VERIFY_REQUIRE, .ca = ca_file,
		  .crls = { &crl_file, 1 }, .crl_expired_warn = true },
		{ .verify = CONFIG_VERIFY_REQUIRE, .ca = ca_file,
		  .allow = { a, 1 } },
		{ .verify = CONFIG_VERIFY_REQUIRE, .ca = ca_file,
		  .allow = { b, 1 } },
	};
	const struct config_client same = {
		.verify = CONFIG_VERIFY_REQUIRE, .ca = strdup(ca_file),
		.allow = { again, 1 },
	};
	struct client_rules rules = { 0 };

	for (size_t i = 0; i < COUNT(configs); i++)
		cr_assert(read_one(&rules, &configs[i]), "%zu", i);
	for (size_t i = 0; i < COUNT(configs); i++)
		for (size_t k = 0; k < COUNT(configs); k++)
			cr_expect_eq(client_rules_find(&rules, &configs[i]) ==
				     client_rules_find(&rules, &configs[k]),
				     i == k, "%zu, %zu", i, k);
	cr_expect(read_one(&rules, &same));
	cr_expect(client_rules_find(&rules, &same));
	cr_expect_eq(client_rules_find(&rules, &same),
		     client_rules_find(&rules, &configs[5]));
	client_rules_fini(&rules);
	free(again[0]);
	free(same.ca);
}

Test(client_rules, thousands_that_differ_are_no_matter)
{
	enum { N = 3000 };
	struct config_client *configs = calloc(N, sizeof(*configs));
	struct client_rules rules = { 0 };
	char *allow[N];

	for (int i = 0; i < N; i++) {
		cr_assert(asprintf(&allow[i], "cn:%d", i) > 0);
		configs[i] = (struct config_client){
			.verify = CONFIG_VERIFY_REQUIRE, .ca = ca_file,
			.allow = { &allow[i], 1 },
		};
		cr_assert(read_one(&rules, &configs[i]));
	}
	cr_expect_neq(client_rules_find(&rules, &configs[1]),
		      client_rules_find(&rules, &configs[2]));
	client_rules_fini(&rules);
	for (int i = 0; i < N; i++)
		free(allow[i]);
	free(configs);
}

Test(client_rules, what_is_wrong_is_logged_with_its_place)
{
	const struct config_client bad = { .verify = CONFIG_VERIFY_REQUIRE,
					   .ca = crl_file };
	struct client_rules rules = { 0 };
	int old_stderr = dup(STDERR_FILENO);
	int log = memfd_create("log", MFD_CLOEXEC);
	char text[600] = "";

	dup2(log, STDERR_FILENO);
	cr_expect_not(read_one(&rules, &bad));
	dup2(old_stderr, STDERR_FILENO);
	cr_expect_gt(pread(log, text, sizeof(text) - 1, 0), 0);
	cr_expect(strstr(text, "event=client_rules_refused at=ktlsd.conf:12:5 "
			       "error=\""), "%s", text);
	cr_expect(strstr(text, crl_file), "%s", text);
	cr_expect_null(client_rules_find(&rules, &bad));
	client_rules_fini(&rules);
}

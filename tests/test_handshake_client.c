// SPDX-License-Identifier: MIT
/*
 * The rules for clients: read, or refused with a reason, and known by a digest.
 */
#include "tests/client_pki.h"

#include "handshake/admit.h"

static struct party ca, other;
static const char *ca_file, *other_file, *crl_file, *other_crl, *fake_crl;
static char error[300];

static void start(void)
{
	static const long nobody[] = { 0 };
	struct party_terms terms = { .cn = "CA", .is_ca = true };
	struct party fake;

	folder_make();
	ca = party_make(terms, NULL);
	fake = party_make(terms, NULL);
	terms.cn = "Other";
	other = party_make(terms, NULL);
	ca_file = write_certs("ca.pem", &ca, NULL);
	other_file = write_certs("other.pem", &other, NULL);
	crl_file = write_crl("ca.crl", crl_make(&ca, -DAY, DAY, nobody), true);
	other_crl = write_crl("other.crl",
			      crl_make(&other, -DAY, -HOUR, nobody), false);
	fake_crl = write_crl("fake.crl", crl_make(&fake, -DAY, DAY, nobody),
			     true);
	party_free(&fake);
}

static void stop(void)
{
	party_free(&ca);
	party_free(&other);
	folder_remove();
}

TestSuite(client, .timeout = 30, .init = start, .fini = stop);

static struct hs_client *make(struct hs_client_config config)
{
	error[0] = '\0';
	return hs_client_new(&config, error, sizeof(error));
}

static void is_refused(struct hs_client_config config, const char *file,
		       const char *why)
{
	cr_expect_null(make(config), "%s", why);
	cr_expect(!strncmp(error, file, strlen(file)), "%s", error);
	cr_expect(strstr(error, why), "%s", error);
}

Test(client, what_cannot_be_used_is_refused_by_name)
{
	const char *missing[] = { crl_file, "/nowhere/at.all" };
	const char *fake[] = { fake_crl };
	const char *strange[] = { other_crl };
	const char *allow[] = { "cn:a", "dns:*" };

	is_refused((struct hs_client_config){ .ca_file = "/nowhere" },
		   "/nowhere: ", "No such file");
	is_refused((struct hs_client_config){ .ca_file = crl_file }, crl_file,
		   "no PEM certificate");
	is_refused((struct hs_client_config){ .ca_file = ca_file, .depth = 1,
		   .crls = missing, .n_crls = 2 }, "/nowhere/at.all: ",
		   "No such file");
	is_refused((struct hs_client_config){ .ca_file = ca_file, .depth = 1,
		   .crls = fake, .n_crls = 1 }, fake_crl, "not signed");
	is_refused((struct hs_client_config){ .ca_file = ca_file,
		   .crls = strange, .n_crls = 1 }, other_crl, "none of those");
	is_refused((struct hs_client_config){ .ca_file = ca_file,
		   .allow = allow, .n_allow = 2 }, "dns:*: ", "cannot be told");
}

Test(client, an_ended_list_is_none_to_refuse)
{
	const char *crls[] = { other_crl };
	struct hs_client *client = make((struct hs_client_config){
		.ca_file = ca_file, .depth = 1, .crls = crls, .n_crls = 1 });

	cr_expect(client, "%s", error);
	hs_client_free(client);
}

Test(client, references_keep_it)
{
	struct hs_client *client =
		make((struct hs_client_config){ .ca_file = ca_file });

	cr_assert(client, "%s", error);
	cr_expect_eq(hs_client_get(client), client);
	hs_client_free(client);
	cr_expect_eq(sk_X509_NAME_num(client->names), 1);
	hs_client_free(client);
	cr_expect_null(hs_client_get(NULL));
	hs_client_free(NULL);
}

Test(client, ids_tell_configurations_apart_and_stay_the_same)
{
	const char *two_crls[] = { crl_file, other_crl };
	const char *ab[] = { "cn:a", "cn:b" }, *c[] = { "cn:c" };
	const struct hs_client_config configs[] = {
		{ .ca_file = ca_file, .depth = 1 },
		{ .ca_file = other_file, .depth = 1 },
		{ .ca_file = write_certs("both.pem", &ca, &other, NULL),
		  .depth = 1 },
		{ .ca_file = ca_file, .depth = 1, .required = true },
		{ .ca_file = ca_file, .depth = 2 },
		{ .ca_file = ca_file, .depth = 1, .crls = two_crls,
		  .n_crls = 1 },
		{ .ca_file = ca_file, .depth = 1, .crls = two_crls,
		  .n_crls = 1, .crl_expired_warn = true },
		{ .ca_file = ca_file, .depth = 1, .allow = ab, .n_allow = 1 },
		{ .ca_file = ca_file, .depth = 1, .allow = ab, .n_allow = 2 },
		{ .ca_file = ca_file, .depth = 1, .allow = c, .n_allow = 1 },
	};
	struct hs_client *client[COUNT(configs)], *again;
	struct hs_client_config more = configs[5];

	for (size_t i = 0; i < COUNT(configs); i++) {
		client[i] = make(configs[i]);
		cr_assert(client[i], "%zu: %s", i, error);
		for (size_t k = 0; k < i; k++)
			cr_expect(memcmp(hs_client_id(client[i]),
					 hs_client_id(client[k]),
					 HS_CLIENT_ID), "%zu, %zu", i, k);
		again = make(configs[i]);
		cr_expect_arr_eq(hs_client_id(client[i]), hs_client_id(again),
				 HS_CLIENT_ID);
		hs_client_free(again);
	}
	/* Lists come and go; sessions are held against them anyway. */
	more.n_crls = 2;
	again = make(more);
	cr_expect_arr_eq(hs_client_id(client[5]), hs_client_id(again),
			 HS_CLIENT_ID);
	hs_client_free(again);
	for (size_t i = 0; i < COUNT(configs); i++)
		hs_client_free(client[i]);
}

// SPDX-License-Identifier: MIT
/* What is said of certificates, CAs and lists that keep people out. */
#include "tests/client_pki.h"

#include "handshake/doubts.h"

static struct party ca, other;
static const long nobody[] = { 0 };
static char said[1024];

static void start(void)
{
	struct party_terms terms = { .cn = "CA", .is_ca = true };

	folder_make();
	said[0] = '\0';
	ca = party_make(terms, NULL);
	terms.cn = "Other";
	terms.to = -HOUR;
	other = party_make(terms, NULL);
}

static void stop(void)
{
	party_free(&ca);
	party_free(&other);
	folder_remove();
}

TestSuite(doubts, .timeout = 30, .init = start, .fini = stop);

static void say(void *arg, const char *sentence)
{
	cr_expect_str_eq(arg, "arg");
	strcat(strcat(said, sentence), "\n");
}

static const struct hs_doubts *at(long seconds)
{
	static struct hs_doubts doubts = { .say = say, .arg = "arg" };

	doubts.now = time(NULL) + seconds;
	said[0] = '\0';
	return &doubts;
}

/* Leaves in @said what is said of @config. */
static void doubt(struct hs_client_config config, long seconds)
{
	char error[300];
	struct hs_client *client;

	config.depth = 1;
	client = hs_client_new(&config, error, sizeof(error));
	cr_assert(client, "%s", error);
	hs_client_doubts(client, at(seconds));
	hs_client_free(client);
}

static const char *list(const char *name, const struct party *by, long from,
			long to)
{
	return write_crl(name, crl_make(by, from, to, nobody), true);
}

/* @said is one line, which holds @words. */
static void is_said(const char *words)
{
	cr_expect(strstr(said, words), "\"%s\" in: %s", words, said);
	cr_expect_eq(strchr(said, '\n'), said + strlen(said) - 1, "%s", said);
}

Test(doubts, a_ca_outside_its_time_is_named)
{
	const char *cas = write_certs("cas.pem", &ca, &other, NULL);

	doubt((struct hs_client_config){ .ca_file = cas }, 0);
	is_said("the CA CN=Other,O=Test ended at 20");
	is_said("Z: its clients are refused");
	doubt((struct hs_client_config){ .ca_file = cas }, -2 * HOUR);
	cr_expect_str_empty(said);
	cas = write_certs("ca.pem", &ca, NULL);
	doubt((struct hs_client_config){ .ca_file = cas }, -2 * DAY);
	is_said("the CA CN=CA,O=Test begins at 20");
}

Test(doubts, a_ca_without_a_list_is_named_where_there_are_lists)
{
	const char *file = write_certs("ca.pem", &ca, NULL);
	const char *crls[] = { list("other.crl", &other, -DAY, DAY) };

	doubt((struct hs_client_config){ .ca_file = file }, 0);
	cr_expect_str_empty(said);
	doubt((struct hs_client_config){ .ca_file = file, .crls = crls,
		.n_crls = 1 }, 0);
	is_said("client_crl has no list of the CA CN=CA,O=Test: ");
}

Test(doubts, a_list_past_its_end_is_named_unless_it_counts)
{
	const char *crls[] = { list("old.crl", &ca, -DAY, -HOUR),
			       list("new.crl", &ca, -HOUR, HOUR) };
	struct hs_client_config config = {
		.ca_file = write_certs("ca.pem", &ca, NULL),
		.crls = crls, .n_crls = 1,
	};

	doubt(config, 0);
	is_said("the list of the CA CN=CA,O=Test ended at 20");
	config.crl_expired_warn = true;
	doubt(config, 0);
	cr_expect_str_empty(said);
	config.crl_expired_warn = false;
	config.n_crls = 2;
	doubt(config, 0);
	cr_expect_str_empty(said);
	doubt(config, 2 * HOUR);
	is_said("the list of the CA CN=CA,O=Test ended at 20");
}

Test(doubts, a_certificate_outside_its_time_says_so)
{
	char error[300];
	struct hs_cert *cert;
	struct pki pki;

	pki_make(&pki, "P-256", 30);
	cert = cert_of_pair(pki.chain, pki.key, error, sizeof(error));
	cr_assert(cert, "%s", error);
	hs_cert_doubts(cert, at(0));
	cr_expect_str_empty(said);
	hs_cert_doubts(cert, at(31L * DAY));
	is_said("it ended at 20");
	hs_cert_doubts(cert, at(-31L * DAY));
	is_said("it begins at 20");
	hs_cert_free(cert);
	pki_remove(&pki);
}

// SPDX-License-Identifier: MIT
#include "agent/cert_loaded.h"

#include <openssl/pem.h>

#include "tests/handshake_peer.h"

#include "agent_case.h"
#include "certs_case.h"

TestSuite(cert_loaded, .timeout = 30);

#define CERTS 3

static struct pki pki[CERTS];
static struct config_cert certs[CERTS];
static struct cert_file file;
static struct config_listener listener;
static struct config config = {
	.certs = certs,
	.n_certs = CERTS,
	.listeners = &listener,
	.n_listeners = 1,
};

static void start(void)
{
	size_t i;

	for (i = 0; i < CERTS; i++) {
		pki_make(&pki[i], "P-256", 30);
		cr_assert_eq(chmod(pki[i].key, 0600), 0);
		certs[i] = (struct config_cert){ .chain = pki[i].chain,
						 .key = pki[i].key };
	}
	file = (struct cert_file){ .chain = pki[0].chain,
				   .keys = { pki[0].key }, .n_keys = 1 };
}

/* Once files are that old, a change of theirs shows. */
static void start_old(void)
{
	start();
	usleep(1100000);
}

static void stop(void)
{
	size_t i;

	for (i = 0; i < CERTS; i++)
		pki_remove(&pki[i]);
}

static void append(const char *path, const char *text)
{
	FILE *f = fopen(path, "a");

	cr_assert(f && fputs(text, f) >= 0);
	fclose(f);
}

Test(cert_loaded, holds_until_one_of_its_files_changes, .init = start_old,
     .fini = stop)
{
	struct cert_loaded *loaded = cert_loaded_new(&config, &file);

	cr_assert(loaded);
	cr_expect(cert_loaded_holds(loaded, &config, &file));
	append(pki[0].key, "\n");
	cr_expect_not(cert_loaded_holds(loaded, &config, &file));
	cert_loaded_free(loaded);
}

/* As a renewal does it, and it may keep size and time. */
Test(cert_loaded, does_not_hold_when_a_file_was_replaced, .init = start_old,
     .fini = stop)
{
	struct cert_loaded *loaded = cert_loaded_new(&config, &file);

	cr_assert(loaded);
	cr_assert_eq(rename(pki[1].chain, pki[0].chain), 0);
	cr_expect_not(cert_loaded_holds(loaded, &config, &file));
	cert_loaded_free(loaded);
}

Test(cert_loaded, is_read_again_when_its_files_were_too_new_to_tell,
     .init = start, .fini = stop)
{
	struct cert_loaded *loaded = cert_loaded_new(&config, &file);

	cr_assert(loaded);
	cr_expect_not(cert_loaded_holds(loaded, &config, &file));
	cert_loaded_free(loaded);
	cert_loaded_free(NULL);
}

Test(cert_loaded, does_not_hold_when_a_key_comes_before_its_own,
     .init = start_old, .fini = stop)
{
	char before[96];
	struct cert_loaded *loaded;

	snprintf(before, sizeof(before), "%s.key", pki[0].chain);
	file = (struct cert_file){
		.chain = pki[0].chain, .n_keys = 3,
		.keys = { pki[0].chain, before, pki[0].key },
	};
	loaded = cert_loaded_new(&config, &file);
	cr_assert(loaded);
	cr_expect(cert_loaded_holds(loaded, &config, &file));
	append(before, "");
	cr_expect_not(cert_loaded_holds(loaded, &config, &file));
	unlink(before);
	cert_loaded_free(loaded);
}

/* Which of the certificates of @next are objects of @first, "-" for none. */
static const char *shared(const struct certs *first, const struct certs *next)
{
	static char text[64];
	size_t i, j;

	text[0] = '\0';
	for (i = 0; i < next->n; i++) {
		for (j = 0; j < first->n; j++)
			if (next->cert[i] == first->cert[j])
				break;
		sprintf(text + strlen(text), j < first->n ? "%zu" : "-", j);
	}
	return text;
}

Test(cert_loaded, is_shared_with_the_configuration_before, .init = start_old,
     .fini = stop)
{
	struct certs *first = load_certs(&config), *next;
	struct config_cert turned[] = { certs[2], certs[0], certs[1] };
	struct config other = config;

	cr_assert(first, "%s", said());
	next = load_certs_after(&config, first);
	cr_assert(next);
	cr_expect_str_eq(shared(first, next), "012");
	certs_free(next);

	other.certs = turned;
	next = load_certs_after(&other, first);
	cr_expect_str_eq(shared(first, next), "201");
	certs_free(next);

	turned[1].staple = CONFIG_STAPLE_OFF;
	other.n_certs = 2;
	next = load_certs_after(&other, first);
	cr_expect_str_eq(shared(first, next), "2-");
	certs_free(next);

	other.ocsp.missing_refuse = true;
	next = load_certs_after(&other, first);
	cr_expect_str_eq(shared(first, next), "--");
	certs_free(first);
	/* It outlives what it was shared with. */
	cr_expect_str_eq(hs_cert_name(next->cert[0]), "localhost");
	certs_free(next);
}

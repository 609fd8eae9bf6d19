/* SPDX-License-Identifier: MIT */
/* A certificate, a server for its responses, and one attempt at a time. */
#ifndef TESTS_FETCH_RIG_H
#define TESTS_FETCH_RIG_H

#include <criterion/criterion.h>

#include "fetch/fetch.h"
#include "tests/fetch_server.h"
#include "tests/ocsp_response.h"

/* Of a test that waits for nothing; enough for any machine. */
#define ENOUGH_MS 20000
/* Of a test that waits for it to pass */
#define SOON_MS 300

#define OCSP_TYPE "Content-Type: application/ocsp-response\r\n"
#define OCSP_HEAD "HTTP/1.1 200 OK\r\n" OCSP_TYPE "\r\n"

struct rig {
	struct pki pki;
	struct ocsp_bytes leaf, issuer, good;
	struct server server;
	struct fetch_options options;
	char url[300], error[400], steps[20000];
	struct curl_slist *resolve;
	struct fetch *fetch;
	const struct fetch_outcome *outcome;
};

static struct rig rig;

static inline void rig_debug(void *arg, const char *text)
{
	struct rig *r = arg;

	strncat(r->steps, text, sizeof(r->steps) - strlen(r->steps) - 2);
	strcat(r->steps, "\n");
}

/* EC throughout: two RSA keys for each test take their time. */
static inline void rig_certs(struct pki *p)
{
	p->key = EVP_EC_gen("P-256");
	p->leaf_key = EVP_EC_gen("P-256");
	p->issuer = cert_make(&(struct cert_order){
		.name = "Issuer", .key = p->key, .md = EVP_sha256() });
	p->leaf = cert_make(&(struct cert_order){
		.name = "leaf", .serial = "1234", .key = p->leaf_key,
		.issuer = p->issuer, .issuer_key = p->key,
		.md = EVP_sha256() });
}

static inline void rig_init(void)
{
	const struct response_order good = { 0 };

	rig_certs(&rig.pki);
	rig.leaf = cert_bytes(rig.pki.leaf);
	rig.issuer = cert_bytes(rig.pki.issuer);
	rig.good = make_response(&rig.pki, &good);
	rig.options = (struct fetch_options){
		.timeout_ms = ENOUGH_MS,
		.limits = ocsp_default_limits,
		.debug = rig_debug,
		.debug_arg = &rig,
	};
	curl_global_init(CURL_GLOBAL_DEFAULT);
	server_start(&rig.server);
	sprintf(rig.url, "http://127.0.0.1:%d/ocsp", rig.server.port);
}

static inline void rig_fini(void)
{
	fetch_free(rig.fetch);
	curl_slist_free_all(rig.resolve);
	curl_global_cleanup();
	server_stop(&rig.server);
	OPENSSL_free((void *)rig.leaf.data);
	OPENSSL_free((void *)rig.issuer.data);
	OPENSSL_free((void *)rig.good.data);
	pki_free(&rig.pki);
}

/* Start over, with these replies to come. */
static inline void rig_new(const struct reply *replies, size_t n)
{
	size_t i;

	fetch_free(rig.fetch);
	rig.steps[0] = '\0';
	for (i = 0; i < REPLIES_MAX; i++)
		rig.server.replies[i] =
			i < n ? replies[i] : (struct reply){ 0 };
	rig.server.n_requests = 0;
	rig.fetch = fetch_new(&rig.options, rig.leaf, rig.issuer, rig.url,
			      rig.error, sizeof(rig.error));
	cr_assert_not_null(rig.fetch, "%s", rig.error);
}

static inline bool got_good(void)
{
	return rig.outcome->result == FETCH_ANSWER &&
	       rig.outcome->verdict == OCSP_OK &&
	       rig.outcome->der.len == rig.good.len;
}

static inline void rig_transfer(CURL *easy)
{
	CURLcode code;

	if (rig.resolve)
		curl_easy_setopt(easy, CURLOPT_RESOLVE, rig.resolve);
	code = curl_easy_perform(easy);
	rig.outcome = fetch_ended(rig.fetch, code, NOW);
	cr_expect_eq(!rig.outcome->error[0], got_good(), "%s",
		     rig.outcome->error);
	cr_expect(got_good() || rig.outcome->verdict != OCSP_OK);
}

/* A whole attempt; returns how many transfers it took. */
static inline int rig_attempt(const struct reply *replies, size_t n)
{
	CURL *easy;
	int count = 0;

	rig_new(replies, n);
	for (; (easy = fetch_next(rig.fetch)); count++)
		rig_transfer(easy);
	cr_expect_null(fetch_next(rig.fetch));
	return count;
}

static inline int rig_attempt_one(struct reply reply)
{
	return rig_attempt(&reply, 1);
}

static inline bool said(const char *text)
{
	return strstr(rig.outcome->error, text);
}

/* How the @i-th request began. */
static inline bool asked(int i, const char *start)
{
	return i < rig.server.n_requests &&
	       !strncmp(rig.server.requests[i].head, start, strlen(start));
}

#endif

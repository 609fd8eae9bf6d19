// SPDX-License-Identifier: MIT
/* Staples of two configurations; the test is the stapler of both. */
#include "agent/staples.h"

#include "agent/loop.h"
#include "agent/staple_msg.h"
#include "tests/handshake_peer.h"

#include "agent_case.h"

TestSuite(staples_heir, .timeout = 20);

#define CERTS 3
#define RESPONSE 100	/* bytes */

/* struct side - a configuration's; the later one has certificates of its own */
struct side {
	struct config config;
	struct config_cert config_certs[CERTS];
	struct cert_file files[CERTS];
	struct hs_cert *cert[CERTS];
	struct certs_slot slots[CERTS];
	struct certs certs;
	struct staples *staples;
	unsigned int changes;
	int stapler;
};

static struct pki pki[CERTS];
static struct side first, next;
static char dir[32], state[64];
static struct metrics metrics;
static uint8_t buf[STAPLE_MSG_MAX], bytes[RESPONSE];
static int loop;

static void on_changed(void *arg, size_t slot)
{
	(void)slot;
	((struct side *)arg)->changes++;
}

static bool on_everywhere(void *arg, size_t slot)
{
	(void)arg;
	(void)slot;
	return true;
}

/* With these certificates, the digits of @which, in this order. */
static void prepare(struct side *side, const char *which)
{
	char error[256];
	size_t i, n = strlen(which);

	side->config = (struct config){
		.state_dir = state, .stapler_user = (char *)"nobody",
		.stapler_uid = geteuid() ? geteuid() : CASE_NOBODY,
		.stapler_gid = geteuid() ? getegid() : CASE_NOBODY,
		.certs = side->config_certs, .n_certs = n,
		.ocsp = { .timeout_ms = 1000, .start_wait_ms = 20000,
			  .min_interval_s = 1, .max_interval_s = 60 },
	};
	side->certs = (struct certs){
		.config = &side->config,
		.files = { .file = side->files, .n = n },
		.cert = side->cert, .n = n,
		.slots = side->slots, .n_slots = n,
	};
	for (i = 0; i < n; i++) {
		struct pki *p = &pki[which[i] - '0'];
		struct certs_slot *slot = &side->slots[i];

		side->cert[i] = cert_of_pair(p->chain, p->key, error,
					     sizeof(error));
		cr_assert(side->cert[i], "%s", error);
		side->files[i] = (struct cert_file){ .entry = (unsigned int)i,
						     .chain = p->chain };
		*slot = (struct certs_slot){
			.cert = (unsigned int)i, .name = (char *)"localhost",
			.urls = (char *)"http://a/", .urls_len = 10,
			.der = hs_cert_der(side->cert[i], 0),
			.issuer = hs_cert_issuer(side->cert[i], 0),
		};
		ocsp_fingerprint(slot->der, slot->fingerprint);
	}
}

static void make(struct side *side, const struct staples *previous)
{
	struct staples_setup setup = {
		.config = &side->config, .certs = &side->certs,
		.metrics = &metrics, .loop = loop, .changed = on_changed,
		.everywhere = on_everywhere, .arg = side,
	};
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair), 0);
	setup.socket = pair[0];
	side->stapler = pair[1];
	side->staples = staples_new(&setup, previous);
	cr_assert(side->staples);
	staples_tick(side->staples, loop_now_ms());
}

static void start(void)
{
	size_t i;

	case_make_dir(dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	for (i = 0; i < CERTS; i++)
		pki_make(&pki[i], "P-256", 30);
	loop = loop_new();
	prepare(&first, "01");
	make(&first, NULL);
}

static void stop_side(struct side *side)
{
	size_t i;

	staples_free(side->staples);
	for (i = 0; i < side->certs.n; i++)
		hs_cert_free(side->cert[i]);
}

static void stop(void)
{
	static const char *const names[] = { "state/ocsp", "state", NULL };
	size_t i;

	stop_side(&first);
	stop_side(&next);
	for (i = 0; i < CERTS; i++)
		pki_remove(&pki[i]);
	case_remove_dir(dir, names);
	close(loop);
}

static void say(const struct side *side, const struct staple_msg *msg)
{
	cr_assert_eq(staple_msg_send(side->stapler, msg, 0), 0);
	loop_wait(loop, 1000);
}

static void say_response(const struct side *side, uint32_t slot, uint8_t fill)
{
	memset(bytes, fill, sizeof(bytes));
	say(side, &(struct staple_msg){
		.type = STAPLE_MSG_RESPONSE, .slot = slot,
		.response.times = { time(NULL) - 10, time(NULL) + 1000 },
		.part = { { bytes, sizeof(bytes) } },
	});
}

static void say_revoked(const struct side *side, uint32_t slot)
{
	say(side, &(struct staple_msg){
		.type = STAPLE_MSG_ATTEMPT, .slot = slot,
		.attempt = { 1000000000, FETCH_ANSWER, OCSP_REVOKED, false },
		.part = { { (const uint8_t *)"http://b/", 9 }, { 0 } },
	});
}

/* The bytes that are held there, or 0. */
static uint8_t held(const struct side *side, size_t slot)
{
	const struct delivery_item *item = &staples_list(side->staples)->
					   item[slot];
	struct ocsp_times times;

	cr_expect_eq(!!item->generation,
		     hs_cert_staple_times(side->cert[slot], 0, &times),
		     "the certificate has it, too");
	return item->generation ? item->der.data[RESPONSE - 1] : 0;
}

/* How many messages of this type its stapler was sent. */
static unsigned int heard(const struct side *side, enum staple_msg_type type)
{
	struct staple_msg msg;
	unsigned int n = 0;

	while (staple_msg_recv(side->stapler, &msg, buf) == 1)
		n += msg.type == type;
	return n;
}

static const char *printed(const struct side *side)
{
	static char text[1 << 14];
	FILE *out = fmemopen(text, sizeof(text), "w");

	staples_print(side->staples, out);
	fclose(out);
	return text;
}

Test(staples_heir, has_what_is_known_of_the_same_certificates, .init = start,
     .fini = stop)
{
	say_response(&first, 0, 7);
	say_revoked(&first, 1);
	prepare(&next, "210");
	make(&next, first.staples);
	cr_expect_eq(held(&next, 0), 0);
	cr_expect_eq(held(&next, 1), 0);
	cr_expect_eq(held(&next, 2), 7);
	cr_expect(strstr(printed(&next), "status=revoked"));
	cr_expect(strstr(printed(&next), "responder=http://b/"));
	cr_expect_eq(next.changes, 0);
}

Test(staples_heir, waits_for_new_certificates_only, .init = start,
     .fini = stop)
{
	prepare(&next, "012");
	make(&next, first.staples);
	cr_expect_not(staples_settled(next.staples, loop_now_ms()));
	say(&next, &(struct staple_msg){ .type = STAPLE_MSG_LOADED });
	say_response(&next, 2, 1);
	cr_expect(staples_settled(next.staples, loop_now_ms()));
}

Test(staples_heir, waits_for_nothing_when_certificates_go, .init = start,
     .fini = stop)
{
	prepare(&next, "1");
	make(&next, first.staples);
	cr_expect(staples_settled(next.staples, loop_now_ms()));
	cr_expect_eq(heard(&next, STAPLE_MSG_SLOT), 1, "it has a stapler");
}

Test(staples_heir, takes_the_stapler_and_what_it_found_meanwhile,
     .init = start, .fini = stop)
{
	say_response(&first, 0, 7);
	cr_expect_eq(heard(&first, STAPLE_MSG_SLOT), 2);
	prepare(&next, "01");
	make(&next, first.staples);
	cr_expect(staples_settled(next.staples, loop_now_ms()));
	say_response(&first, 0, 8);
	say_response(&first, 1, 9);
	cr_expect_eq(held(&next, 0), 7);
	staples_take_over(next.staples, first.staples);
	cr_expect_eq(next.changes, 2);
	cr_expect_eq(held(&next, 0), 8);
	cr_expect_eq(held(&next, 1), 9);
	next.stapler = first.stapler;
	say_response(&next, 1, 10);
	cr_expect_eq(held(&next, 1), 10);
	cr_expect_eq(held(&first, 1), 9);
	staples_refresh(next.staples, NULL, stderr);
	cr_expect_eq(heard(&next, STAPLE_MSG_REFRESH), 2);
	cr_expect_eq(heard(&next, STAPLE_MSG_SLOT), 0, "it is not told again");
}

static void other_timeout(void)
{
	next.config.ocsp.timeout_ms++;
}

static void other_folder(void)
{
	next.config.state_dir = (char *)"/nowhere/at/all";
}

static void other_urls(void)
{
	next.slots[1].urls = (char *)"http://c/";
}

static void other_account(void)
{
	next.config.stapler_uid++;
}

Test(staples_heir, has_a_stapler_of_its_own_for_anything_else, .init = start,
     .fini = stop)
{
	static void (*const change[])(void) = {
		other_timeout, other_folder, other_urls, other_account,
	};
	size_t i;

	say_response(&first, 0, 7);
	for (i = 0; i < COUNT(change); i++) {
		if (i)
			stop_side(&next);
		prepare(&next, "01");
		change[i]();
		make(&next, first.staples);
		cr_expect_eq(heard(&next, STAPLE_MSG_SLOT), 2, "%zu", i);
		cr_expect_eq(held(&next, 0), 7);
	}
	staples_take_over(next.staples, first.staples);
	say_response(&next, 1, 9);
	cr_expect_eq(held(&next, 1), 9);
}

/* --- another process ------------------------------------------------------- */

/* Gives what @first knows to @next, which has not had its first tick. */
static void pass(void)
{
	char *text;
	size_t len;
	struct upgrade_writer w = { .file = open_memstream(&text, &len) };
	struct upgrade_reader r;
	struct upgrade_record record;
	const uint8_t *data;

	staples_give(first.staples, &w);
	fclose(w.file);
	r = (struct upgrade_reader){ (uint8_t *)text, (uint8_t *)text + len,
				     0, false };
	while (upgrade_read(&r, &record, &data) == 1)
		cr_assert_eq(staples_take(next.staples, &record, data), 0);
	cr_assert_eq(w.n_fds, 0);
	staples_taken(next.staples);
	free(text);
	free(w.fds);
}

static void make_without_tick(struct side *side)
{
	struct staples_setup setup = {
		.config = &side->config, .certs = &side->certs,
		.metrics = &metrics, .loop = loop, .changed = on_changed,
		.everywhere = on_everywhere, .arg = side,
	};
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair), 0);
	setup.socket = pair[0];
	side->stapler = pair[1];
	side->staples = staples_new(&setup, NULL);
	cr_assert(side->staples);
}

Test(staples_heir, knows_in_another_process_what_was_known, .init = start,
     .fini = stop)
{
	say_response(&first, 1, 7);
	say_revoked(&first, 0);
	prepare(&next, "10");
	make_without_tick(&next);
	pass();
	cr_expect_eq(held(&next, 0), 7);
	cr_expect_eq(held(&next, 1), 0);
	cr_expect(strstr(printed(&next), "status=revoked"));
	cr_expect(staples_settled(next.staples, loop_now_ms()));
	/* There is one stapler at a time for the same store. */
	cr_expect_eq(staples_tick(next.staples, loop_now_ms()), UINT64_MAX);
	cr_expect_eq(heard(&next, STAPLE_MSG_SLOT), 0);
	staples_take_over(next.staples, NULL);
	staples_tick(next.staples, loop_now_ms());
	cr_expect_eq(heard(&next, STAPLE_MSG_SLOT), 2);
}

Test(staples_heir, waits_in_another_process_for_new_certificates,
     .init = start, .fini = stop)
{
	say_response(&first, 0, 7);
	prepare(&next, "02");
	make_without_tick(&next);
	pass();
	staples_tick(next.staples, loop_now_ms());
	cr_expect_eq(held(&next, 0), 7);
	cr_expect_not(staples_settled(next.staples, loop_now_ms()));
	cr_expect_eq(heard(&next, STAPLE_MSG_SLOT), 2, "by its own stapler");
	say(&next, &(struct staple_msg){ .type = STAPLE_MSG_LOADED });
	say_response(&next, 1, 1);
	cr_expect(staples_settled(next.staples, loop_now_ms()));
}

// SPDX-License-Identifier: MIT
/*
 * The stapler is played by the test: at the other end of a socket, or, where it
 * is about processes, by this very program executed anew.
 */
#include "agent/staples_table.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "agent/loop.h"
#include "tests/handshake_peer.h"

#include "agent_case.h"

TestSuite(staples, .timeout = 30);

#define MANY 3000

static char dir[32], state[64];
static struct pki pki;
static struct config_cert config_certs[2];
static struct config config = {
	.state_dir = state,
	.stapler_user = (char *)"nobody",
	.certs = config_certs,
	.n_certs = 2,
	.ocsp = {
		.timeout_ms = 1234, .min_interval_s = 5, .max_interval_s = 60,
		.start_wait_ms = 5000, .per_host = 3, .hash = OCSP_SHA256,
		.proxy = (char *)"http://proxy:1", .ca.path = (char *)"/ca.pem",
		.revoked_staple = true,
	},
};
static struct hs_cert *certs_cert[2];
static struct certs_slot slots[MANY];
static struct cert_file files[2];
static struct certs certs = {
	.files = { .file = files, .n = 2 },
	.cert = certs_cert,
	.n = 2,
	.slots = slots,
};
static struct metrics metrics;
static struct staples *staples;
static uint8_t buf[STAPLE_MSG_MAX], bytes[OCSP_MAX_LEN];
static size_t changes, last_changed;
static bool delivered;
static int loop, stapler;

static void on_changed(void *arg, size_t slot)
{
	(void)arg;
	changes++;
	last_changed = slot;
}

static bool on_everywhere(void *arg, size_t slot)
{
	(void)arg;
	(void)slot;
	return delivered;
}

static struct staples *make(int socket)
{
	struct staples_setup setup = {
		.config = &config,
		.certs = &certs,
		.metrics = &metrics,
		.loop = loop,
		.changed = on_changed,
		.everywhere = on_everywhere,
		.socket = socket,
	};
	struct staples *made = staples_new(&setup, NULL);

	cr_assert(made);
	return made;
}

static void prepare(size_t n)
{
	char error[256] = "";
	size_t i;

	case_make_dir(dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	pki_make(&pki, "P-256", 30);
	files[0].chain = pki.chain;
	files[1].chain = (char *)"/etc/other \"chain\".pem";
	files[1].entry = 1;
	config.stapler_uid = geteuid() ? geteuid() : CASE_NOBODY;
	config.stapler_gid = geteuid() ? getegid() : CASE_NOBODY;
	for (i = 0; i < 2; i++) {
		certs_cert[i] = cert_of_pair(pki.chain, pki.key, error,
					     sizeof(error));
		cr_assert(certs_cert[i], "%s", error);
	}
	for (i = 0; i < n; i++) {
		slots[i] = (struct certs_slot){
			.cert = i % 2,
			.name = (char *)"localhost",
			.urls = (char *)"http://a/\0http://b/",
			.urls_len = 20,
			.der = hs_cert_der(certs_cert[i % 2], 0),
			.issuer = hs_cert_issuer(certs_cert[i % 2], 0),
			.must = i == 1,
		};
		ocsp_fingerprint(slots[i].der, slots[i].fingerprint);
	}
	certs.n_slots = n;
	loop = loop_new();
}

static void start_with(size_t n)
{
	int pair[2];

	prepare(n);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair), 0);
	stapler = pair[1];
	staples = make(pair[0]);
	staples_tick(staples, loop_now_ms());
}

static void start(void)
{
	start_with(2);
}

static void stop(void)
{
	static const char *const names[] = { "state/ocsp", "state", NULL };

	staples_free(staples);
	hs_cert_free(certs_cert[0]);
	hs_cert_free(certs_cert[1]);
	pki_remove(&pki);
	case_remove_dir(dir, names);
	close(loop);
}

/* What is logged between the two. */
static int log_file, old_stderr;

static void log_begin(void)
{
	log_file = memfd_create("log", MFD_CLOEXEC);
	old_stderr = dup(STDERR_FILENO);
	dup2(log_file, STDERR_FILENO);
}

static const char *log_end(void)
{
	static char text[2048];
	ssize_t n;

	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	n = pread(log_file, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	close(log_file);
	return text;
}

/* What staples_settled() logs. */
static const char *said(uint64_t now)
{
	log_begin();
	cr_expect(staples_settled(staples, now));
	return log_end();
}

/* The next thing that the stapler hears, or 0 and -errno as they come. */
static int hear(struct staple_msg *msg)
{
	return staple_msg_recv(stapler, msg, buf);
}

static void say(const struct staple_msg *msg)
{
	cr_assert_eq(staple_msg_send(stapler, msg, 0), 0);
	loop_wait(loop, 1000);
}

/* @age, @left: in seconds */
static void say_response(uint32_t slot, int64_t age, int64_t left,
			 enum ocsp_verdict verdict)
{
	say(&(struct staple_msg){
		.type = STAPLE_MSG_RESPONSE, .slot = slot,
		.response = { { time(NULL) - age, time(NULL) + left },
			      verdict },
		.part = { { bytes, 1000 } },
	});
}

static void say_attempt(uint32_t slot, enum fetch_result result,
			enum ocsp_verdict verdict, bool same, const char *error)
{
	say(&(struct staple_msg){
		.type = STAPLE_MSG_ATTEMPT, .slot = slot,
		.attempt = { 1000000000, result, verdict, same },
		.part = { { (const uint8_t *)"http://b/", 9 },
			  { (const uint8_t *)error, strlen(error) } },
	});
}

static void say_store_failed(uint32_t slot)
{
	say(&(struct staple_msg){ .type = STAPLE_MSG_STORE_FAILED,
				  .slot = slot });
}

static void say_next(uint32_t slot, int64_t at)
{
	say(&(struct staple_msg){ .type = STAPLE_MSG_NEXT, .slot = slot,
				  .next = at });
}

static void say_loaded(void)
{
	say(&(struct staple_msg){ .type = STAPLE_MSG_LOADED });
}

static void hear_all(void)
{
	struct staple_msg msg;
	int n;

	while ((n = hear(&msg)) == 1)
		;
	cr_assert_eq(n, -EAGAIN);
}

static const char *shown(void (*print)(const struct staples *, FILE *))
{
	static char text[1 << 16];
	FILE *out = fmemopen(text, sizeof(text), "w");

	print(staples, out);
	fclose(out);
	return text;
}

static const char *refreshed(const char *name)
{
	static char text[1024];
	FILE *out = fmemopen(text, sizeof(text), "w");

	staples_refresh(staples, name, out);
	fclose(out);
	return text;
}

static bool part_is(const struct staple_msg *msg, size_t i, const void *data,
		    size_t len)
{
	return msg->part[i].len == len && !memcmp(msg->part[i].data, data, len);
}

Test(staples, tell_the_stapler_all_it_needs_and_that_this_is_all,
     .init = start, .fini = stop)
{
	struct staple_msg msg;
	char folder[128];
	size_t i;

	snprintf(folder, sizeof(folder), "%s/ocsp", state);
	cr_assert_eq(hear(&msg), 1);
	cr_assert_eq(msg.type, STAPLE_MSG_OPTIONS);
	cr_expect_eq(msg.options.timeout_ms, 1234);
	cr_expect_eq(msg.options.hash, OCSP_SHA256);
	cr_expect_eq(msg.options.per_host, 3);
	cr_expect_eq(msg.options.staple_revoked, 1);
	cr_expect_eq(msg.options.min_interval, 5);
	cr_expect_eq(msg.options.max_interval, 60);
	cr_expect_str_eq((const char *)msg.part[0].data, folder);
	cr_expect_str_eq((const char *)msg.part[1].data, "http://proxy:1");
	cr_expect_str_eq((const char *)msg.part[2].data, "/ca.pem");
	for (i = 0; i < 2; i++) {
		cr_assert_eq(hear(&msg), 1);
		cr_assert_eq(msg.type, STAPLE_MSG_SLOT);
		cr_expect_eq(msg.slot, i);
		cr_expect(part_is(&msg, 0, "localhost", 9));
		cr_expect(part_is(&msg, 1, "http://a/\0http://b/", 20));
		cr_expect(part_is(&msg, 2, slots[i].der.data,
				  slots[i].der.len));
		cr_expect(part_is(&msg, 3, slots[i].issuer.data,
				  slots[i].issuer.len));
		cr_expect_eq(msg.part[4].len, 0);
	}
	cr_assert_eq(hear(&msg), 1);
	cr_assert_eq(msg.type, STAPLE_MSG_START);
	cr_assert_eq(hear(&msg), -EAGAIN);
}

Test(staples, give_a_response_to_master_and_the_workers, .init = start,
     .fini = stop)
{
	const struct delivery_list *list = staples_list(staples);

	cr_assert_eq(list->n, 2);
	cr_assert_eq(list->item[1].generation, 0);
	memset(bytes, 0x5a, sizeof(bytes));
	say_response(1, 10, 1000, OCSP_OK);
	cr_assert_eq(changes, 1);
	cr_assert_eq(last_changed, 1);
	cr_assert_eq(list->item[1].generation, 1);
	cr_assert_eq(list->item[1].cert, 1);
	cr_assert_eq(list->item[1].der.len, 1000);
	cr_assert_arr_eq(list->item[1].der.data, bytes, 1000);
	cr_assert_gt(list->item[1].times.next_update, time(NULL) + 900);
	say_response(1, 5, 2000, OCSP_OK);
	cr_assert_eq(list->item[1].generation, 2);
	cr_assert_eq(list->item[0].generation, 0);
	cr_assert_eq(metrics.value[METRIC_STAPLE_STORE_FAILURES], 0);
	say_store_failed(1);
	say_store_failed(0);
	cr_assert_eq(metrics.value[METRIC_STAPLE_STORE_FAILURES], 2);
}

/* It was given it, and does not know that the responder took it back since. */
Test(staples, are_no_news_from_a_stapler_that_began_anew, .init = start,
     .fini = stop)
{
	const struct delivery_list *list = staples_list(staples);
	struct staple_msg msg = {
		.type = STAPLE_MSG_RESPONSE,
		.response = { { time(NULL), time(NULL) + 1000 }, OCSP_OK },
		.part = { { bytes, 1000 } },
	};

	say(&msg);
	say_attempt(0, FETCH_ANSWER, OCSP_REVOKED, false, "it is revoked");
	say(&msg);
	cr_expect_eq(changes, 1);
	cr_expect_eq(list->item[0].generation, 1);
	cr_expect(strstr(shown(staples_print), "status=revoked"));
	bytes[999] ^= 1;
	say(&msg);
	cr_expect_eq(list->item[0].generation, 2);
	cr_expect(strstr(shown(staples_print), "status=good"));
}

/* A stapler that hangs is only ever a socket that fills. */
Test(staples, wait_for_no_stapler_and_go_on_when_it_reads, .init = start,
     .fini = stop)
{
	struct staple_msg msg;
	unsigned int n = 0, idle = 0;

	stop();
	memset(&changes, 0, sizeof(changes));
	start_with(MANY);
	say_response(0, 10, 1000, OCSP_OK);
	cr_assert_eq(changes, 1);
	while (idle < 3) {
		if (hear(&msg) == 1)
			idle = 0;
		else
			idle++;
		n += !idle;
		if (!idle && n > 1 && n < MANY + 2)
			cr_assert_eq(msg.slot, n - 2);
		loop_wait(loop, idle ? 100 : 0);
	}
	cr_assert_eq(n, 1 + MANY + 1);
	cr_assert_eq(msg.type, STAPLE_MSG_START);
	cr_assert_str_eq(refreshed(NULL), "asked for 3000 OCSP responses\n");
	refreshed(NULL);
	for (n = idle = 0; idle < 3; loop_wait(loop, idle ? 100 : 0))
		if (hear(&msg) == 1) {
			cr_assert_eq(msg.type, STAPLE_MSG_REFRESH);
			idle = 0;
			n++;
		} else {
			idle++;
		}
	cr_assert_geq(n, MANY);
	cr_assert_eq(loop_wait(loop, 0), 0);
}

Test(staples, settle_when_each_has_one_or_need_not, .init = start,
     .fini = stop)
{
	uint64_t now = loop_now_ms();

	cr_expect_not(staples_settled(staples, now));
	say_loaded();
	cr_expect_not(staples_settled(staples, now));
	/* The second one must be stapled: a failure is not enough. */
	say_attempt(0, FETCH_TIMEOUT, OCSP_OK, false, "it was late");
	say_attempt(1, FETCH_TIMEOUT, OCSP_OK, false, "it was late");
	cr_expect_not(staples_settled(staples, now));
	say_response(1, 10, 1000, OCSP_OK);
	cr_expect(staples_settled(staples, now));
	say_attempt(1, FETCH_TIMEOUT, OCSP_OK, false, "it was late");
	cr_expect(staples_settled(staples, now));
}

Test(staples, wait_for_what_is_stored_even_if_each_has_one, .init = start,
     .fini = stop)
{
	uint64_t now = loop_now_ms();

	say_response(0, 10, 1000, OCSP_OK);
	say_response(0, 10, 1000, OCSP_OK);
	say_response(1, 10, 1000, OCSP_OK);
	cr_expect_not(staples_settled(staples, now));
	say_loaded();
	cr_expect(staples_settled(staples, now));
}

Test(staples, settle_after_the_wait_at_the_latest, .init = start, .fini = stop)
{
	uint64_t now = loop_now_ms(), due;

	due = staples_tick(staples, now);
	cr_expect_gt(due, now);
	cr_expect_leq(due, now + 5000);
	cr_expect_not(staples_settled(staples, now + 5000),
		      "what is stored has more time");
	cr_expect_not(staples_settled(staples, now + 9000));
	say_loaded();
	cr_expect_not(staples_settled(staples, due - 1));
	cr_expect(staples_settled(staples, due));
	cr_expect(staples_settled(staples, now), "and it stays so");
}

Test(staples, name_the_first_that_were_waited_for_in_vain, .fini = stop)
{
	static char names[5][300];
	size_t i;

	start_with(5);
	for (i = 0; i < 5; i++) {
		sprintf(names[i], "%zu.test", i);
		slots[i].name = names[i];
	}
	say_loaded();
	say_response(0, 10, 1000, OCSP_OK);
	cr_expect(strstr(said(staples->settle_by_ms), "certificates=4 error=\""
			 "these have no OCSP response yet\" "
			 "first=\"1.test; 2.test; 3.test\"\n"));
	cr_expect_str_eq(said(staples->settle_by_ms), "", "only once");
}

Test(staples, name_what_is_waited_for_however_long_it_is, .fini = stop)
{
	static char name[300];
	size_t i;

	start_with(5);
	memset(name, 'x', sizeof(name) - 1);
	for (i = 0; i < 5; i++)
		slots[i].name = name;
	cr_expect(strstr(said(staples->load_by_ms), "xxx; xxx"));
}

Test(staples, are_not_settled_before_anything_began, .init = start,
     .fini = stop)
{
	struct staples *other = make(-1);

	cr_expect_not(staples_settled(other, loop_now_ms()));
	staples_free(other);
}

Test(staples, wait_as_long_as_what_is_stored_keeps_coming, .init = start,
     .fini = stop)
{
	uint64_t begun = loop_now_ms();

	staples->load_by_ms -= 10000;
	staples->settle_by_ms -= 5000;
	say_response(0, 10, 1000, OCSP_OK);
	cr_expect_not(staples_settled(staples, begun + 9000));
	cr_expect_gt(staples_tick(staples, begun), begun + 9000);
	/* Saying the same again does not help. */
	staples->load_by_ms -= 10000;
	say_response(0, 10, 1000, OCSP_OK);
	cr_expect(staples_settled(staples, loop_now_ms()));
}

Test(staples, wait_for_what_is_stored_for_a_minute_in_all, .init = start,
     .fini = stop)
{
	uint64_t now = loop_now_ms();

	cr_expect_geq(staples->load_end_ms, now + 50000);
	cr_expect_leq(staples->load_end_ms, now + 60000);
	/* Of that minute, 55 seconds have gone by. */
	staples->load_by_ms -= 5000;
	staples->load_end_ms -= 55000;
	staples->settle_by_ms -= 5000;
	say_response(0, 10, 1000, OCSP_OK);
	cr_expect_not(staples_settled(staples, staples->load_end_ms - 1));
	cr_expect(staples_settled(staples, now + 5000));
}

Test(staples, wait_for_what_is_stored_as_long_as_for_responses, .fini = stop)
{
	config.ocsp.start_wait_ms = 3600000;
	start();
	cr_expect_geq(staples->load_end_ms, loop_now_ms() + 3590000);
}

Test(staples, settle_when_the_stapler_says_nothing_at_all, .init = start,
     .fini = stop)
{
	uint64_t now = loop_now_ms();

	cr_expect_not(staples_settled(staples, now + 9000));
	cr_expect(staples_settled(staples, now + 10000));
}

Test(staples, need_no_stapler_without_slots, .init = start, .fini = stop)
{
	stop();
	prepare(0);
	staples = make(-1);
	cr_expect_eq(staples_tick(staples, loop_now_ms()), UINT64_MAX);
	cr_expect(staples_settled(staples, loop_now_ms()));
	cr_expect_not(staples_running(staples));
	cr_expect(access(state, F_OK), "nor a folder");
	cr_expect_str_eq(refreshed(NULL), "asked for 0 OCSP responses\n");
	mkdir(state, 0700);	/* for stop() */
}

static char *hex(const struct staple *staple)
{
	static char text[2 * OCSP_FINGERPRINT_LEN + 1];
	size_t i;

	for (i = 0; i < OCSP_FINGERPRINT_LEN; i++)
		sprintf(text + 2 * i, "%02x", staple->fingerprint[i]);
	return text;
}

Test(staples, are_shown_one_by_line, .init = start, .fini = stop)
{
	char expected[4096];
	const char *text;

	snprintf(expected, sizeof(expected),
		 "certificate=%s name=localhost position=0 fingerprint=%s "
		 "policy=auto status=none delivered=no this_update=- "
		 "next_update=- seconds_left=- responder=http://a/ "
		 "last_attempt=- result=- verdict=- error=- next_attempt=-\n"
		 "certificate=\"/etc/other 'chain'.pem\" name=localhost "
		 "position=0 fingerprint=%s policy=must status=none "
		 "delivered=no this_update=- next_update=- seconds_left=- "
		 "responder=http://b/ last_attempt=2001-09-09T01:46:40Z "
		 "result=timeout verdict=- error=\"it ?[1m 'was'?late\" "
		 "next_attempt=2001-09-09T02:46:40Z\n", pki.chain,
		 hex(&staples->staple[0]), hex(&staples->staple[1]));
	say_next(1, 1000003600);
	say_attempt(1, FETCH_TIMEOUT, OCSP_OK, false,
		    "it \033[1m \"was\"\nlate");
	cr_expect_str_eq(shown(staples_print), expected);

	/* It is known before anybody was asked, and may change. */
	say_next(0, 0);
	say_next(0, 1000000000);
	cr_expect(strstr(shown(staples_print), "last_attempt=- result=- "
			 "verdict=- error=- next_attempt=2001-09-09T01:46:40Z"
			 "\n"));
	say_response(0, 100, 1000, OCSP_OK);
	say_attempt(0, FETCH_ANSWER, OCSP_OK, false, "");
	text = shown(staples_print);
	cr_expect(strstr(text, "policy=auto status=good delivered=no this_u"));
	cr_expect(strstr(text, " seconds_left=1000 ") ||
		  strstr(text, " seconds_left=99"));
	cr_expect(strstr(text, "result=answer verdict=ok error=- next_"));
	delivered = true;
	cr_expect(strstr(shown(staples_print), "status=good delivered=yes"));
	/* The good one is kept, but that is not the news. */
	say_attempt(0, FETCH_ANSWER, OCSP_REVOKED, false, "it is revoked");
	cr_expect(strstr(shown(staples_print), "status=revoked delivered=yes"));
	say_attempt(0, FETCH_TIMEOUT, OCSP_OK, false, "it was late");
	cr_expect(strstr(shown(staples_print), "status=revoked delivered=yes"));
	say_attempt(0, FETCH_ANSWER, OCSP_OK, true, "");
	cr_expect(strstr(shown(staples_print), "status=good delivered=yes"));
	say_response(0, 100, 0, OCSP_OK);
	cr_expect(strstr(shown(staples_print), "status=none delivered=yes"));
	cr_expect(strstr(shown(staples_print), " seconds_left=0 "));
	say_response(0, -1000, 2000, OCSP_OK);
	cr_expect(strstr(shown(staples_print), "status=none"),
		  "the clock was set back");
	say_response(0, 10, 2000, OCSP_REVOKED);
	cr_expect(strstr(shown(staples_print), "status=revoked"));
}

/* The line of the certificate @i, from its policy on. */
static const char *policy_of(size_t i)
{
	static char line[1024];
	const char *text = shown(staples_print);

	while (i-- && text)
		text = strchr(text, '\n') + 1;
	text = strstr(text, " policy=") + 1;
	snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
	return line;
}

/* @age, @left: in seconds */
static void set_file(size_t i, int64_t age, int64_t left)
{
	int64_t now = time(NULL);
	struct ocsp_times times = { now - age, now + left };

	cr_assert_eq(hs_cert_set_staple(certs_cert[i], 0,
					(struct ocsp_bytes){ bytes, 100 },
					&times), 0);
}

Test(staples, are_shown_for_certificates_that_nobody_is_asked_about,
     .fini = stop)
{
#define NOTHING " responder=- last_attempt=- result=- verdict=- error="
#define NONE "status=none delivered=no this_update=- next_update=- " \
	     "seconds_left=-" NOTHING
	static struct certs_unasked unasked[2] = {
		{ "it names none", false }, { "its issuer is missing", true },
	};

	certs.unasked = unasked;
	start_with(0);
	cr_expect_eq(strstr(shown(staples_print), "certificate="),
		     shown(staples_print));
	cr_expect_str_eq(policy_of(0), "policy=auto " NONE
			 "\"it names none\" next_attempt=-");
	cr_expect_str_eq(policy_of(1), "policy=must " NONE
			 "\"its issuer is missing\" next_attempt=-");

	memset(unasked, 0, sizeof(unasked));
	config_certs[0].staple = CONFIG_STAPLE_OFF;
	config_certs[1].staple = CONFIG_STAPLE_FILE;
	cr_expect_str_eq(policy_of(0), "policy=off " NONE "- next_attempt=-");
	cr_expect_str_eq(policy_of(1), "policy=file " NONE "\"the response in "
			 "its file was past at the start\" next_attempt=-");
	set_file(1, 100, 5000);
	cr_expect(strstr(policy_of(1), "=file status=good delivered=yes this_"
			 "update=2"), "%s", policy_of(1));
	cr_expect(strstr(policy_of(1), NOTHING "- next_attempt=-"));
	set_file(1, 100, 0);
	cr_expect(strstr(policy_of(1), "=file status=none delivered=yes"));
	cr_expect(strstr(policy_of(1), " seconds_left=0 "));
	cr_expect(strstr(policy_of(1), ocsp_reason(OCSP_EXPIRED)));
	set_file(1, -1000, 2000);
	cr_expect(strstr(policy_of(1), "=file status=none delivered=yes"));
	cr_expect(strstr(policy_of(1), ocsp_reason(OCSP_NOT_YET)));
}

static size_t lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

Test(staples, are_shown_in_the_order_of_the_certificates, .fini = stop)
{
	static struct certs_unasked unasked[2];
	const char *text;

	certs.unasked = unasked;
	start_with(1);
	cr_expect_eq(lines(shown(staples_print)), 2);
	slots[0].cert = 1;
	text = shown(staples_print);
	cr_expect_eq(lines(text), 2);
	cr_expect_lt(strstr(text, pki.chain), strstr(text, "/etc/other"));
	/* An intermediate one's comes behind its leaf's, which has none. */
	slots[0].depth = 1;
	text = shown(staples_print);
	cr_expect_eq(lines(text), 3);
	cr_expect(strstr(text, "position=1"));
	cr_expect_lt(strstr(strstr(text, "/etc/other"), "position=0"),
		     strstr(text, "position=1"));
}

Test(staples, are_measured, .init = start, .fini = stop)
{
	static const struct {
		enum fetch_result result;
		enum ocsp_verdict verdict;
		bool same;
		enum metric metric;
	} attempts[] = {
		{ FETCH_ANSWER, OCSP_OK, false, METRIC_STAPLE_FETCHES_NEW },
		{ FETCH_ANSWER, OCSP_OK, true, METRIC_STAPLE_FETCHES_SAME },
		{ FETCH_ANSWER, OCSP_OLDER, false,
		  METRIC_STAPLE_FETCHES_REFUSED },
		{ FETCH_ANSWER, OCSP_REVOKED, false,
		  METRIC_STAPLE_FETCHES_REVOKED },
		{ FETCH_TLS, OCSP_OK, false, METRIC_STAPLE_FETCHES_FAILED },
	};
	char line[256];
	const char *text;
	size_t i;

	for (i = 0; i < COUNT(attempts); i++) {
		say_attempt(0, attempts[i].result, attempts[i].verdict,
			    attempts[i].same, "x");
		cr_expect_eq(metrics.value[attempts[i].metric], 1);
	}
	text = shown(staples_print_metrics);
	snprintf(line, sizeof(line), "total{reason=\"%s\"} 1\n",
		 fetch_result_word(FETCH_TLS));
	cr_expect(strstr(text, line));
	snprintf(line, sizeof(line), "total{reason=\"%s\"} 0\n",
		 fetch_result_word(FETCH_TIMEOUT));
	cr_expect(strstr(text, line));
	cr_expect_not(strstr(text, "age_seconds{"));
	cr_expect(strstr(text, "ktlsd_staple_revoked{certificate=\""
			 "/etc/other \\\"chain\\\".pem\"} 0\n"));
	snprintf(line, sizeof(line), "staple_revoked{certificate=\"%s\"} 1\n",
		 pki.chain);
	cr_expect(strstr(text, line));
	say_response(0, 100, 1000, OCSP_OK);
	text = shown(staples_print_metrics);
	snprintf(line, sizeof(line), "ktlsd_staple_age_seconds{certificate=\""
		 "%s\"} 10", pki.chain);
	cr_expect(strstr(text, line));
	cr_expect(strstr(text, "ktlsd_staple_expires_in_seconds{certificate="));
}

Test(staples, are_refreshed_all_or_by_name, .init = start, .fini = stop)
{
	struct staple_msg msg;

	hear_all();
	cr_expect_str_eq(refreshed(NULL), "asked for 2 OCSP responses\n");
	cr_assert_eq(hear(&msg), 1);
	cr_assert_eq(msg.type, STAPLE_MSG_REFRESH);
	cr_assert_eq(msg.slot, 0);
	cr_assert_eq(hear(&msg), 1);
	cr_assert_eq(msg.slot, 1);
	cr_assert_eq(hear(&msg), -EAGAIN);
	cr_expect_str_eq(refreshed(files[1].chain),
			 "asked for 1 OCSP responses\n");
	cr_assert_eq(hear(&msg), 1);
	cr_assert_eq(msg.slot, 1);
	cr_expect_str_eq(refreshed("localhost"),
			 "asked for 2 OCSP responses\n");
	hear_all();
	cr_expect_eq(strncmp(refreshed("stranger"), "error: ", 7), 0);
	cr_expect_eq(strncmp(refreshed(""), "error: ", 7), 0);
	cr_assert_eq(hear(&msg), -EAGAIN);
}

/* What no stapler would say: nothing of it is kept, and it is cut off. */
static const struct staple_msg wrong[] = {
	{ .type = STAPLE_MSG_OPTIONS },
	{ .type = STAPLE_MSG_SLOT },
	{ .type = STAPLE_MSG_START },
	{ .type = STAPLE_MSG_REFRESH },
	{ .type = STAPLE_MSG_RESPONSE, .slot = 2 },
	{ .type = STAPLE_MSG_ATTEMPT, .slot = UINT32_MAX },
	{ .type = STAPLE_MSG_NEXT, .slot = 2 },
	{ .type = STAPLE_MSG_TYPES },
};

Test(staples, break_off_with_who_talks_nonsense, .init = start, .fini = stop)
{
	size_t i;

	for (i = 0; i <= COUNT(wrong); i++) {
		stop();
		start();
		if (i < COUNT(wrong))
			say(&wrong[i]);
		else
			cr_assert_eq(send(stapler, "garbage", 7, 0), 7);
		loop_wait(loop, 0);
		cr_expect_not(staples->talking, "message %zu", i);
		/* It is not heard any more, and may be asked. */
		refreshed(NULL);
		cr_assert_eq(send(stapler, "garbage", 7, 0), 7);
		cr_assert_eq(loop_wait(loop, 0), 0);
		cr_expect_eq(changes, 0);
		shown(staples_print);
	}
}

Test(staples, keep_what_there_is_when_the_stapler_is_gone, .init = start,
     .fini = stop)
{
	say_response(0, 10, 1000, OCSP_OK);
	close(stapler);
	loop_wait(loop, 1000);
	cr_expect_not(staples->talking);
	cr_expect_eq(staples_list(staples)->item[0].der.len, 1000);
	cr_expect(strstr(shown(staples_print), "status=good"));
}

Test(staples, need_an_account_only_where_there_are_slots, .init = start,
     .fini = stop)
{
	config.ocsp.ca.path = NULL;
	cr_expect(staples_check(&config, &certs));
	config.stapler_uid = (uid_t)-1;
	cr_expect_eq(staples_check(&config, &certs), geteuid() != 0);
	certs.n_slots = 0;
	cr_expect(staples_check(&config, &certs));
}

Test(staples, need_the_file_of_CAs_that_is_named, .init = start, .fini = stop)
{
	char path[] = "/tmp/ktlsd-ca-XXXXXX";
	int fd = mkstemp(path);

	config.ocsp.ca = (struct config_file){ { "ktlsd.conf", 7, 3 }, path };
	log_begin();
	cr_expect_not(staples_check(&config, &certs));
	/* Also where nothing is to be fetched, yet. */
	certs.n_slots = 0;
	unlink(path);
	cr_expect_not(staples_check(&config, &certs));
	cr_expect(strstr(log_end(), "error event=ocsp_ca_refused "
			 "at=ktlsd.conf:7:3 error=\"/tmp/ktlsd-ca-"));
	close(fd);
}

/* --- a stapler that hangs ------------------------------------------------- */

#define MINUTE 60000

static bool is_asked(void)
{
	struct staple_msg msg;
	int n = hear(&msg);

	cr_assert(n == -EAGAIN || (n == 1 && msg.type == STAPLE_MSG_PING));
	return n == 1;
}

static const struct staple_msg ping = { .type = STAPLE_MSG_PING };

Test(staples, ask_a_stapler_that_is_silent_and_no_other, .init = start,
     .fini = stop)
{
	uint64_t now = loop_now_ms(), due;

	hear_all();
	due = staples_tick(staples, now + MINUTE / 2);
	cr_assert_leq(due, now + MINUTE);
	cr_assert_not(is_asked());
	/* It talks: no need. */
	usleep(20000);
	say_loaded();
	cr_assert_gt(staples->ping_ms, due + 10);
	staples_tick(staples, due);
	cr_assert_not(is_asked());
	due = staples->ping_ms;
	cr_assert_leq(staples_tick(staples, due), due + MINUTE);
	cr_assert(is_asked());
	cr_assert_eq(staples->pings, 1);
	say(&ping);
	cr_assert_eq(staples->pings, 0);
	cr_assert(staples->talking);
	cr_assert_not(is_asked());
}

Test(staples, break_off_with_who_does_not_answer_twice, .init = start,
     .fini = stop)
{
	uint64_t due = loop_now_ms() + MINUTE + 1000;
	unsigned int i;

	hear_all();
	for (i = 0; i < 2; i++) {
		due = staples_tick(staples, due);
		cr_assert(is_asked());
	}
	cr_assert_leq(due, loop_now_ms() + 4 * MINUTE);
	cr_assert(staples->talking);
	cr_assert_eq(staples_tick(staples, due), UINT64_MAX);
	cr_assert_not(staples->talking);
	/* As all that needs a stapler, which it does not have. */
	staples_tick(staples, due + MINUTE);
}

/* What it was asked, and has said meanwhile, counts, not the time. */
Test(staples, bear_that_master_was_stopped_for_hours, .init = start,
     .fini = stop)
{
	uint64_t now = loop_now_ms() + MINUTE + 1000;
	unsigned int i;

	hear_all();
	staples_tick(staples, now);
	staples_tick(staples, now + 100 * MINUTE);
	cr_assert(staples->talking, "it was asked but just now");
	for (i = 0; i < 3; i++)
		cr_assert_eq(staple_msg_send(stapler, &ping, 0), 0);
	staples_tick(staples, now + 200 * MINUTE);
	cr_assert(staples->talking, "the answers had not been read");
	cr_assert_eq(staples->pings, 1);
}

Test(staples, ask_a_stapler_that_has_much_to_read, .init = start, .fini = stop)
{
	uint64_t now = loop_now_ms() + MINUTE + 1000;
	struct staple_msg msg = { 0 };
	unsigned int i;

	stop();
	start_with(MANY);
	staples_tick(staples, now);
	cr_assert(staples->ping, "there is no room");
	for (i = 0; i < MANY && msg.type != STAPLE_MSG_PING; i++)
		if (hear(&msg) == -EAGAIN)
			loop_wait(loop, 1000);
	cr_assert_eq(msg.type, STAPLE_MSG_PING);
	cr_assert_lt(i, MANY, "before the rest");
	/* One that reads no more is not even asked. */
	staples_tick(staples, now + MINUTE);
	staples_tick(staples, now + 2 * MINUTE);
	cr_assert_not(staples->talking);
}

static const char *said_of_accounts(uid_t workers, uid_t stapler_uid)
{
	config.uid = workers;
	config.stapler_uid = stapler_uid;
	config.ocsp.ca.path = NULL;
	log_begin();
	cr_expect(staples_check(&config, &certs));
	return log_end();
}

Test(staples, warn_of_an_account_that_is_not_the_staplers_alone, .init = start,
     .fini = stop)
{
	if (geteuid())
		cr_skip_test("root only");
	cr_expect_str_eq(said_of_accounts(1, 2), "");
	cr_expect(strstr(said_of_accounts(2, 2), "warn event=stapler_user_"
			 "unsafe key=stapler_user user=nobody error=\"workers"));
	cr_expect(strstr(said_of_accounts(2, 0), "may do everything"));
	cr_expect(strstr(said_of_accounts(0, 0), "may do everything"));
	certs.n_slots = 0;
	cr_expect_str_eq(said_of_accounts(2, 2), "");
}

/* --- processes ----------------------------------------------------------- */

/* What a stapler may be and have, as it finds itself. */
static bool is_alone(void)
{
	struct sigaction term, usr;
	sigset_t blocked;
	uid_t r, e, s;
	int type;
	socklen_t len = sizeof(type);

	getresuid(&r, &e, &s);
	sigaction(SIGTERM, NULL, &term);
	sigaction(SIGUSR1, NULL, &usr);
	sigprocmask(SIG_BLOCK, NULL, &blocked);
	return r && r == e && e == s && case_fds() == 4 &&
	       !getenv("TOKEN") && getenv("TZ") &&
	       !getsockopt(3, SOL_SOCKET, SO_TYPE, &type, &len) &&
	       type == SOCK_SEQPACKET &&
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
	       term.sa_handler == SIG_IGN && usr.sa_handler == SIG_DFL &&
	       !sigismember(&blocked, SIGCHLD) &&
	       !sigismember(&blocked, SIGTERM);
}

/*
 * As --stapler this program is not a test. It says of each slot what it was
 * given with it, and does what the proxy among its options says.
 */
static void play(void)
{
	struct staple_msg msg, answer = { .type = STAPLE_MSG_ATTEMPT };
	struct pollfd p = { .fd = 3, .events = POLLIN };
	char role[16] = "";

	/* A test that fails leaves it behind, with the pipe of its output. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	poll(&p, 1, -1);
	if (staple_msg_recv(3, &msg, buf) > 0 &&
	    msg.part[1].len < sizeof(role))
		memcpy(role, msg.part[1].data, msg.part[1].len);
	if (!strcmp(role, "nobody"))
		_exit(3);
	if (!strcmp(role, "garbage"))
		send(3, "garbage", 7, 0);
	if (!strcmp(role, "full")) {
		answer.type = STAPLE_MSG_STORE_FAILED;
		staple_msg_send(3, &answer, 0);
		staple_msg_send(3, &answer, 0);
		answer = (struct staple_msg){ .type = STAPLE_MSG_ATTEMPT };
	}
	while (!strcmp(role, "deaf"))
		pause();
	for (;;) {
		poll(&p, 1, -1);
		if (staple_msg_recv(3, &msg, buf) <= 0)
			_exit(0);
		if (msg.type != STAPLE_MSG_SLOT)
			continue;
		answer.slot = msg.slot;
		answer.part[1] = msg.part[4];
		answer.attempt.result = is_alone() ? FETCH_TYPE : FETCH_TLS;
		staple_msg_send(3, &answer, 0);
	}
}

__attribute__((constructor)) static void be_stapler(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--stapler"))
		play();
}

static void start_process(const char *role)
{
	config.ocsp.proxy = (char *)role;
	prepare(2);
	staples = make(-1);
	staples_tick(staples, loop_now_ms());
}

/* Runs the loop until the stapler ended and that is known. */
static void reap(void)
{
	int status, i;
	pid_t pid;

	for (i = 0; i < 2000; i++) {
		loop_wait(loop, 5);
		pid = waitpid(-1, &status, WNOHANG);
		if (pid > 0 && staples_ended(staples, pid, status))
			return;
	}
	cr_assert_fail("it does not end");
}

static void wait_for_attempts(uint64_t n)
{
	int i;

	for (i = 0; i < 2000 && staples->staple[1].attempts < n; i++)
		loop_wait(loop, 5);
	cr_assert_eq(staples->staple[1].attempts, n);
}

static void end(void)
{
	staples_stop(staples);
	if (staples_running(staples))
		reap();
	stop();
}

Test(staples, come_from_a_process_that_has_nothing_but_a_socket, .fini = end)
{
	setenv("TOKEN", "secret", 1);
	setenv("TZ", "UTC", 1);
	start_process("stapler");
	wait_for_attempts(1);
	cr_expect_eq(staples->staple[1].result, geteuid() ? FETCH_TLS :
		     FETCH_TYPE);
	cr_expect_null(staples->staple[1].error);
}

Test(staples, are_told_again_to_a_stapler_after_one_that_died, .fini = end)
{
	uint64_t due;
	pid_t first;

	start_process("stapler");
	wait_for_attempts(1);
	/* It holds a response now; a text, so that it can come back as one. */
	free((void *)staples->list.item[1].der.data);
	staples->list.item[1].der.data = (uint8_t *)strdup("held");
	staples->list.item[1].der.len = 4;
	staples->loaded = true;
	staples->staple[1].planned = true;
	first = staples->child.pid;
	kill(first, SIGKILL);
	reap();
	cr_expect_not(staples->staple[1].planned, "nobody plans that now");
	cr_assert_eq(metrics.value[METRIC_STAPLER_RESTARTS], 1);
	cr_assert_not(staples_running(staples));
	due = staples_tick(staples, loop_now_ms());
	cr_assert_leq(due, loop_now_ms() + 100);
	staples_tick(staples, due);
	cr_assert(staples_running(staples));
	cr_assert_neq(staples->child.pid, first);
	wait_for_attempts(2);
	cr_assert_str_eq(staples->staple[1].error, "held");
}

/* It can have no other folder than the one it began with. */
Test(staples, get_another_stapler_when_there_is_another_folder, .fini = end)
{
	char folder[128], away[128];
	pid_t first;

	start_process("full");
	first = staples->child.pid;
	/* The folder is the same: that helps nobody. */
	wait_for_attempts(1);
	cr_assert_eq(metrics.value[METRIC_STAPLE_STORE_FAILURES], 2);
	cr_assert_not(staples->renewing);
	kill(first, SIGKILL);
	reap();
	snprintf(folder, sizeof(folder), "%s/ocsp", state);
	snprintf(away, sizeof(away), "%s/away", state);
	staples_tick(staples, staples->child.restart_ms);
	first = staples->child.pid;
	cr_assert_eq(rename(folder, away), 0);
	reap();
	cr_assert_eq(metrics.value[METRIC_STAPLER_RESTARTS], 1);
	cr_assert_eq(access(folder, F_OK), 0);
	staples_tick(staples, staples->child.restart_ms);
	cr_assert(staples_running(staples));
	cr_assert_neq(staples->child.pid, first);
	wait_for_attempts(2);
	rmdir(away);
}

Test(staples, replace_a_stapler_that_talks_nonsense, .fini = end)
{
	start_process("garbage");
	reap();
	cr_expect_eq(metrics.value[METRIC_STAPLER_RESTARTS], 1);
	cr_expect_gt(staples->child.restart_ms, loop_now_ms() - 1000);
	cr_expect_eq(staples->list.item[0].generation, 0);
}

Test(staples, replace_a_stapler_that_hangs, .fini = end)
{
	uint64_t now = loop_now_ms() + MINUTE + 1000;
	unsigned int i;
	pid_t first;

	start_process("deaf");
	first = staples->child.pid;
	for (i = 0; i < 2; i++)
		staples_tick(staples, now + i * MINUTE);
	usleep(50000);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), 0);
	staples_tick(staples, now + 2 * MINUTE);
	reap();
	cr_assert_eq(metrics.value[METRIC_STAPLER_RESTARTS], 1);
	config.ocsp.proxy = (char *)"stapler";
	staples_tick(staples, staples->child.restart_ms);
	cr_assert_neq(staples->child.pid, first);
	wait_for_attempts(1);
	cr_assert_eq(staples->pings, 0);
}

Test(staples, wait_longer_each_time_that_it_cannot_be_started, .fini = end)
{
	unsigned int i;

	start_process("nobody");
	for (i = 0; i < 3; i++) {
		reap();
		cr_expect_eq(staples->child.backoff_ms, 100u << i);
		staples_tick(staples, staples->child.restart_ms);
	}
}

Test(staples, kill_a_stapler_that_does_not_end, .fini = stop)
{
	uint64_t due;

	start_process("deaf");
	staples_stop(staples);
	due = staples_tick(staples, loop_now_ms());
	cr_assert_leq(due, loop_now_ms() + 2000);
	usleep(100000);
	cr_assert_eq(waitpid(-1, NULL, WNOHANG), 0);
	staples_tick(staples, due);
	reap();
	cr_assert_not(staples_running(staples));
	cr_assert_eq(metrics.value[METRIC_STAPLER_RESTARTS], 0);
	cr_assert_eq(staples_tick(staples, due), UINT64_MAX);
}

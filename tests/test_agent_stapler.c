// SPDX-License-Identifier: MIT
/* A stapler in a process of its own; the test is its master and responder. */
#include "agent/stapler/stapler.h"

#include "agent/log.h"
#include "agent/loop.h"
#include "ocsp/store.h"

#include <sys/resource.h>

#include "agent_case.h"
#include "agent_http.h"
#include "agent_stapler.h"

#define GOOD V_OCSP_CERTSTATUS_GOOD
#define REVOKED V_OCSP_CERTSTATUS_REVOKED
#define ASK_MS 10000	/* longest wait for what must come */

static struct http_server server;
static char dir[32], store_dir[64], log_file[64], url[64], stored[160];
static struct staple_msg options, got;
static uint8_t buf[STAPLE_MSG_MAX];
static struct ocsp_bytes good;
static int master;
static pid_t pid;

static void set_answer(struct ocsp_bytes der)
{
	memcpy(server.shared->body, der.data, der.len);
	server.shared->len = der.len;
}

static void answer_new(int status, int64_t from, int64_t to)
{
	OPENSSL_free((void *)good.data);
	good = respond(MINE, status, time(NULL), from, to);
	set_answer(good);
}

static void start(void)
{
	uint8_t fingerprint[OCSP_FINGERPRINT_LEN];
	char name[OCSP_STORE_NAME];

	pki_start();
	http_start(&server);
	case_make_dir(dir);
	snprintf(store_dir, sizeof(store_dir), "%s/ocsp", dir);
	snprintf(log_file, sizeof(log_file), "%s/log", dir);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", server.port);
	cr_assert_eq(mkdir(store_dir, 0755), 0);
	ocsp_fingerprint(leaf, fingerprint);
	ocsp_store_name(fingerprint, name);
	snprintf(stored, sizeof(stored), "%s/%s", store_dir, name);
	answer_new(GOOD, -HOUR, HOUR);
	options = (struct staple_msg){
		.type = STAPLE_MSG_OPTIONS,
		.options = { .timeout_ms = 5000, .per_host = 4,
			     .min_interval = 300, .max_interval = DAY },
		.part = { bytes_of(store_dir), bytes_of(""), bytes_of("") },
	};
}

static void stop(void)
{
	char command[64];

	if (pid) {
		close(master);
		waitpid(pid, NULL, 0);
	}
	http_stop(&server);
	pki_stop();
	OPENSSL_free((void *)good.data);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(stapler, .init = start, .fini = stop, .timeout = 60);

/* --- master -------------------------------------------------------------- */

static void run_as(uid_t uid)
{
	int pair[2], fd;

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	pid = fork();
	cr_assert_geq(pid, 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		fd = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0644);
		dup2(fd, STDERR_FILENO);
		if (uid && setuid(uid))
			_exit(99);
		_exit(stapler_run(pair[1]));
	}
	close(pair[1]);
	master = pair[0];
}

static void tell(const struct staple_msg *msg)
{
	cr_assert_eq(staple_msg_send(master, msg, 0), 0);
}

static void tell_slot(uint32_t number, const char *urls, size_t urls_len,
		      struct ocsp_bytes held)
{
	tell(&(struct staple_msg){
		.type = STAPLE_MSG_SLOT, .slot = number,
		.part = { bytes_of("site.example"),
			  { (const uint8_t *)urls, urls_len }, leaf, issuer,
			  held } });
}

static void tell_start(void)
{
	tell(&(struct staple_msg){ .type = STAPLE_MSG_START });
}

static void tell_refresh(uint32_t number)
{
	tell(&(struct staple_msg){ .type = STAPLE_MSG_REFRESH,
				   .slot = number });
}

/* One slot, and all of what master says at the start. */
static void begin(struct ocsp_bytes held)
{
	run_as(0);
	tell(&options);
	tell_slot(0, url, strlen(url) + 1, held);
	tell_start();
}

static bool hears_any(int wait_ms)
{
	if (!case_readable(master, wait_ms))
		return false;
	cr_assert_eq(staple_msg_recv(master, &got, buf), 1);
	return true;
}

/* Anything but a NEXT, which most tests have no use for, in @got. */
static bool hears(int wait_ms)
{
	while (hears_any(wait_ms))
		if (got.type != STAPLE_MSG_NEXT)
			return true;
	return false;
}

/* Seconds until the next attempt, which must be the next thing it says. */
static int64_t hear_next(void)
{
	cr_assert(hears_any(ASK_MS), "nothing came");
	cr_assert_eq(got.type, STAPLE_MSG_NEXT, "it is a %u", got.type);
	return got.next - time(NULL);
}

static void hear(enum staple_msg_type type)
{
	cr_assert(hears(ASK_MS), "nothing came");
	cr_assert_eq(got.type, type, "it is a %u", got.type);
}

static void hear_response(struct ocsp_bytes der, enum ocsp_verdict verdict)
{
	hear(STAPLE_MSG_RESPONSE);
	cr_assert(is_equal(got.part[0], der));
	cr_assert_eq(got.response.verdict, verdict);
}

static void hear_attempt(enum fetch_result result, enum ocsp_verdict verdict)
{
	hear(STAPLE_MSG_ATTEMPT);
	cr_assert_eq(got.attempt.result, result, "%s",
		     (const char *)got.part[1].data);
	if (result == FETCH_ANSWER)
		cr_assert_eq(got.attempt.verdict, verdict, "%s",
			     (const char *)got.part[1].data);
	cr_assert_leq(got.attempt.at, time(NULL));
}

static bool is_silent(void)
{
	return !hears(200);
}

/* Lines of the log with @text in them. */
static unsigned int count(const char *text)
{
	FILE *f = fopen(log_file, "r");
	unsigned int n = 0;
	char line[2048];

	while (f && fgets(line, sizeof(line), f))
		n += !!strstr(line, text);
	if (f)
		fclose(f);
	return n;
}

static void store_bytes(const char *path, struct ocsp_bytes der)
{
	FILE *f = fopen(path, "w");

	cr_assert(f);
	cr_assert_eq(fwrite(der.data, 1, der.len, f), der.len);
	fclose(f);
	cr_assert_eq(chmod(path, 0644), 0);
}

static bool is_stored(struct ocsp_bytes der)
{
	static uint8_t data[OCSP_MAX_LEN];
	FILE *f = fopen(stored, "r");
	size_t n;

	if (!f)
		return false;
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	return is_equal(der, (struct ocsp_bytes){ data, n });
}

/* It is written after it is said. */
static bool gets_stored(struct ocsp_bytes der)
{
	uint64_t end_ms = loop_now_ms() + ASK_MS;

	while (!is_stored(der) && loop_now_ms() < end_ms)
		usleep(5000);
	return is_stored(der);
}

static int end(void)
{
	int status;

	close(master);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	pid = 0;
	return status;
}

static const struct ocsp_bytes nothing;

/* --- start --------------------------------------------------------------- */

Test(stapler, asks_for_what_it_does_not_have_and_stores_it)
{
	begin(nothing);
	hear(STAPLE_MSG_LOADED);
	hear_response(good, OCSP_OK);
	cr_assert_leq(got.response.times.next_update, time(NULL) + HOUR);
	cr_assert_gt(got.response.times.next_update, time(NULL) + HOUR - 60);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert_eq(got.attempt.same, 0);
	cr_assert_str_eq((const char *)got.part[0].data, url);
	cr_assert_str_eq((const char *)got.part[1].data, "");
	cr_assert(gets_stored(good));
	cr_assert(is_silent());
	cr_assert_eq(server.shared->requests, 1);
	cr_assert_eq(count("event="), 0);
}

Test(stapler, has_what_was_stored_before_it_says_that_it_has_all)
{
	server.shared->mode = HTTP_ERROR;
	answer_new(GOOD, -60, HOUR);
	store_bytes(stored, good);
	begin(nothing);
	hear_response(good, OCSP_OK);
	hear(STAPLE_MSG_LOADED);
	cr_assert(is_silent());
	cr_assert_eq(server.shared->requests, 0);
}

Test(stapler, says_when_it_asks_next_whenever_that_changes)
{
	int64_t wait;

	answer_new(GOOD, -60, HOUR);
	store_bytes(stored, good);
	begin(nothing);
	hear_response(good, OCSP_OK);
	wait = hear_next();
	cr_assert_gt(wait, 600);
	cr_assert_lt(wait, HOUR);
	hear(STAPLE_MSG_LOADED);
	tell_refresh(0);
	cr_assert_leq(hear_next(), 0);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	wait = hear_next();
	cr_assert_gt(wait, 600);
	cr_assert_lt(wait, HOUR);
	server.shared->mode = HTTP_ERROR;
	tell_refresh(0);
	cr_assert_leq(hear_next(), 0);
	hear_attempt(FETCH_STATUS, OCSP_OK);
	cr_assert_leq(hear_next(), 2);
}

/* Half of its time is over: then it is asked for, soon, but not at once. */
Test(stapler, renews_what_was_stored_in_time)
{
	struct ocsp_bytes old = respond(MINE, GOOD, time(NULL), -100, 5);

	store_bytes(stored, old);
	answer_new(GOOD, -50, HOUR);
	begin(nothing);
	hear_response(old, OCSP_OK);
	hear(STAPLE_MSG_LOADED);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert(gets_stored(good));
	OPENSSL_free((void *)old.data);
}

static void replace_stored(const char *reason)
{
	begin(nothing);
	hear(STAPLE_MSG_LOADED);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert(gets_stored(good));
	cr_assert_eq(count("event="), reason ? 1 : 0);
	if (!reason)
		return;
	cr_assert_eq(count("event=stored_staple_refused"), 1);
	cr_assert_eq(count(stored), 1);
	cr_assert_eq(count(reason), 1);
}

Test(stapler, replaces_a_truncated_file)
{
	store_bytes(stored, (struct ocsp_bytes){ good.data, good.len / 2 });
	replace_stored("DER");
}

Test(stapler, replaces_the_file_of_another_certificate)
{
	struct ocsp_bytes other = respond(NEIGHBOUR, GOOD, time(NULL), -60, 60);

	store_bytes(stored, other);
	replace_stored("another certificate");
	OPENSSL_free((void *)other.data);
}

Test(stapler, replaces_a_file_of_any_length)
{
	static const uint8_t long_one[OCSP_MAX_LEN + 1];

	store_bytes(stored, (struct ocsp_bytes){ long_one, sizeof(long_one) });
	replace_stored("longer");
}

Test(stapler, says_nothing_of_a_file_whose_time_is_over)
{
	struct ocsp_bytes old = respond(MINE, GOOD, time(NULL), -60, -1);

	store_bytes(stored, old);
	replace_stored(NULL);
	OPENSSL_free((void *)old.data);
}

/* Whatever is there, others' files too. */
Test(stapler, goes_on_where_it_cannot_store)
{
	cr_assert_eq(mkdir(stored, 0755), 0);
	begin(nothing);
	hear(STAPLE_MSG_LOADED);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	hear(STAPLE_MSG_STORE_FAILED);
	cr_assert_eq(count("event=stored_staple_refused"), 1);
	cr_assert_eq(count("event=staple_store_failed"), 1);
	/* It is tried again with the next answer, even if that is not new. */
	tell_refresh(0);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert_eq(got.attempt.same, 1);
	hear(STAPLE_MSG_STORE_FAILED);
	cr_assert_eq(count("event=staple_store_failed"), 1);
	cr_assert_eq(rmdir(stored), 0);
	tell_refresh(0);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert(gets_stored(good));
	cr_assert(is_silent());
	cr_assert_eq(count("event=staple_store_recovered"), 1);
}

static void begin_without_right_to_store(void)
{
	run_as(geteuid() ? 0 : CASE_NOBODY);
	tell(&options);
	tell_slot(0, url, strlen(url) + 1, nothing);
	tell_start();
	hear(STAPLE_MSG_LOADED);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert_eq(got.attempt.same, 0);
	hear(STAPLE_MSG_STORE_FAILED);
}

Test(stapler, goes_on_without_the_right_to_store)
{
	cr_assert_eq(chmod(store_dir, 0555), 0);
	begin_without_right_to_store();
	cr_assert_eq(count("event=staple_store_failed"), 1);
	cr_assert_eq(count(store_dir), 1);
	cr_assert_eq(count("Permission denied"), 1);
}

Test(stapler, goes_on_without_a_folder)
{
	cr_assert_eq(rmdir(store_dir), 0);
	begin_without_right_to_store();
	cr_assert_eq(count("event=staple_store_failed"), 1);
	cr_assert_eq(count(store_dir), 1);
	cr_assert_eq(count("No such file"), 1);
}

/* Master has said why there is none. */
Test(stapler, goes_on_when_master_knows_no_folder)
{
	options.part[0] = nothing;
	begin_without_right_to_store();
	cr_assert_eq(count("event="), 0);
}

/* --- what master holds --------------------------------------------------- */

Test(stapler, takes_what_master_holds_when_it_is_newer)
{
	struct ocsp_bytes old = respond(MINE, GOOD, time(NULL), -9000, HOUR);

	store_bytes(stored, old);
	answer_new(GOOD, -60, HOUR);
	begin(good);
	hear_response(good, OCSP_OK);
	hear(STAPLE_MSG_LOADED);
	cr_assert(gets_stored(good));
	cr_assert(is_silent());
	OPENSSL_free((void *)old.data);
}

Test(stapler, takes_what_is_stored_when_that_is_newer)
{
	struct ocsp_bytes old = respond(MINE, GOOD, time(NULL), -9000, HOUR);

	answer_new(GOOD, -60, HOUR);
	store_bytes(stored, good);
	begin(old);
	hear_response(good, OCSP_OK);
	hear(STAPLE_MSG_LOADED);
	cr_assert(is_silent());
	OPENSSL_free((void *)old.data);
}

/* --- attempts ------------------------------------------------------------ */

static void begin_with_good(void)
{
	begin(nothing);
	hear(STAPLE_MSG_LOADED);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
}

Test(stapler, logs_that_a_responder_fails_and_recovers_once_each)
{
	unsigned int i;

	server.shared->mode = HTTP_ERROR;
	begin(nothing);
	hear(STAPLE_MSG_LOADED);
	for (i = 0; i < 3; i++) {
		hear_attempt(FETCH_STATUS, OCSP_OK);
		cr_assert(strstr((const char *)got.part[1].data, "500"));
	}
	cr_assert_eq(count("event=staple_failing"), 1);
	cr_assert_eq(count(url), 1);
	server.shared->mode = HTTP_ANSWER;
	tell_refresh(0);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert_eq(count("event=staple_recovered"), 1);
	cr_assert_eq(count("event="), 2);
}

Test(stapler, keeps_a_good_one_whatever_else_comes)
{
	static const struct {
		enum whose whose;
		int status;
		int64_t from, to;
		enum ocsp_verdict verdict;
	} cases[] = {
		{ MINE, GOOD, -2 * HOUR, 2 * HOUR, OCSP_OLDER },
		{ MINE, GOOD, -60, -1, OCSP_EXPIRED },
		{ MINE, GOOD, HOUR, 2 * HOUR, OCSP_NOT_YET },
		{ NEIGHBOUR, GOOD, -60, HOUR, OCSP_OTHER_CERT },
		{ MINE, V_OCSP_CERTSTATUS_UNKNOWN, -60, HOUR, OCSP_UNKNOWN },
		{ MINE, REVOKED, -2 * HOUR, 2 * HOUR, OCSP_OLDER },
	};
	struct ocsp_bytes der, before;
	unsigned int i;

	begin_with_good();
	before = good;
	for (i = 0; i < COUNT(cases); i++) {
		der = respond(cases[i].whose, cases[i].status, time(NULL),
			      cases[i].from, cases[i].to);
		set_answer(der);
		OPENSSL_free((void *)der.data);
		tell_refresh(0);
		/* Where all is slow, a retry may come in between. */
		do {
			hear(STAPLE_MSG_ATTEMPT);
			cr_assert_gt(got.part[1].len, 0);
		} while (got.attempt.verdict != cases[i].verdict);
	}
	cr_assert(gets_stored(before));
	/* Each is another reason than the one before. */
	cr_assert_eq(count("event=staple_failing"), COUNT(cases));
}

/* A cache knows only GET, and may hold what has been replaced. */
Test(stapler, asks_past_a_cache_that_has_an_older_response)
{
	struct ocsp_bytes old = respond(MINE, GOOD, time(NULL), -2 * HOUR,
					2 * HOUR);

	begin_with_good();
	memcpy(server.shared->get_body, old.data, old.len);
	server.shared->get_len = old.len;
	OPENSSL_free((void *)old.data);
	answer_new(GOOD, -30, HOUR);
	tell_refresh(0);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert_eq(server.shared->requests, 3);
	cr_assert_eq(count("event="), 0);
}

Test(stapler, the_same_again_is_no_news_and_no_failure)
{
	begin_with_good();
	tell_refresh(0);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert_eq(got.attempt.same, 1);
	cr_assert_eq(count("event="), 0);
}

Test(stapler, asks_the_next_url_when_one_fails)
{
	char urls[160];
	int n = snprintf(urls, sizeof(urls), "http://127.0.0.1:1/%chttp:%c%s",
			 0, 0, url);

	run_as(0);
	tell(&options);
	tell_slot(0, urls, (size_t)n + 1, nothing);
	tell_start();
	hear(STAPLE_MSG_LOADED);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert_str_eq((const char *)got.part[0].data, url);
	/* and begins with the first again */
	server.shared->mode = HTTP_ERROR;
	tell_refresh(0);
	hear_attempt(FETCH_STATUS, OCSP_OK);
	cr_assert_eq(count("event=staple_failing"), 1);
}

Test(stapler, a_revoked_certificate_keeps_its_staple_and_may_recover)
{
	struct ocsp_bytes before;
	int64_t wait;

	begin_with_good();
	before = respond(MINE, REVOKED, time(NULL), -60, HOUR);
	set_answer(before);
	OPENSSL_free((void *)before.data);
	tell_refresh(0);
	hear_attempt(FETCH_ANSWER, OCSP_REVOKED);
	wait = hear_next();
	cr_assert_gt(wait, 0);
	cr_assert_leq(wait, 600);
	cr_assert(gets_stored(good));
	tell_refresh(0);
	hear_attempt(FETCH_ANSWER, OCSP_REVOKED);
	cr_assert_eq(count("event=staple_revoked"), 1);
	/* An answer from before the revocation does not lift it. */
	answer_new(GOOD, -120, HOUR);
	tell_refresh(0);
	hear_attempt(FETCH_ANSWER, OCSP_OLDER);
	answer_new(GOOD, -30, HOUR);
	tell_refresh(0);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert_eq(count("event=staple_recovered"), 1);
}

Test(stapler, staples_that_it_is_revoked_where_that_is_wanted)
{
	options.options.staple_revoked = true;
	begin_with_good();
	answer_new(REVOKED, -60, HOUR);
	tell_refresh(0);
	hear_response(good, OCSP_REVOKED);
	hear_attempt(FETCH_ANSWER, OCSP_REVOKED);
	cr_assert(gets_stored(good));
	cr_assert_eq(end(), 0);
	begin(nothing);
	hear_response(good, OCSP_REVOKED);
	hear(STAPLE_MSG_LOADED);
	cr_assert_eq(count("event=staple_revoked"), 2);
}

Test(stapler, says_loudly_that_a_staple_is_lost)
{
	answer_new(GOOD, -10, 6);
	begin_with_good();
	server.shared->mode = HTTP_ERROR;
	while (!count("event=staple_lost"))
		usleep(50000);
	cr_assert_eq(count("event=staple_failing"), 1);
	server.shared->mode = HTTP_ANSWER;
	answer_new(GOOD, -10, HOUR);
	tell_refresh(0);
	while (!count("event=staple_recovered"))
		usleep(50000);
	cr_assert_eq(count("event=staple_lost"), 1);
}

/* Timeouts are shorter than configured while a staple would end in them. */
Test(stapler, a_silent_responder_is_asked_several_times_before_the_end)
{
	struct ocsp_bytes old = respond(MINE, GOOD, time(NULL), -100, 14);

	options.options.timeout_ms = 60000;
	server.shared->mode = HTTP_SILENT;
	store_bytes(stored, old);
	begin(nothing);
	hear_response(old, OCSP_OK);
	hear(STAPLE_MSG_LOADED);
	tell_refresh(0);
	hear_attempt(FETCH_TIMEOUT, OCSP_OK);
	server.shared->mode = HTTP_ANSWER;
	answer_new(GOOD, -50, HOUR);
	tell_refresh(0);
	hear_response(good, OCSP_OK);
	cr_assert_eq(count("event=staple_lost"), 0);
	OPENSSL_free((void *)old.data);
}

/* --- many ---------------------------------------------------------------- */

Test(stapler, asks_a_host_so_much_at_a_time)
{
	unsigned int i, ended = 0;

	options.options.per_host = 3;
	server.shared->delay_ms = 50;
	run_as(0);
	tell(&options);
	for (i = 0; i < 20; i++)
		tell_slot(i, url, strlen(url) + 1, nothing);
	tell_start();
	while (ended < 20) {
		cr_assert(hears(ASK_MS));
		ended += got.type == STAPLE_MSG_ATTEMPT;
	}
	cr_assert_eq(server.shared->requests, 20);
	cr_assert_eq(server.shared->most_active, 3);
}

static void limit_files(rlim_t files)
{
	cr_assert_eq(setrlimit(RLIMIT_NOFILE,
			       &(struct rlimit){ files, files }), 0);
}

/* All are met with silence; returns how many were asked at a time. */
static unsigned int fetches_at_a_time(unsigned int wanted)
{
	unsigned int i;

	options.options.per_host = 256;
	options.options.timeout_ms = 60000;
	server.shared->mode = HTTP_SILENT;
	run_as(0);
	tell(&options);
	for (i = 0; i < 300; i++)
		tell_slot(i, url, strlen(url) + 1, nothing);
	tell_start();
	hear(STAPLE_MSG_LOADED);
	for (i = 0; i < 1500 && server.shared->active < wanted; i++)
		usleep(20000);
	cr_assert(is_silent());
	return server.shared->active;
}

Test(stapler, dead_responders_leave_places_for_others)
{
	cr_assert_eq(fetches_at_a_time(256), 256);
}

Test(stapler, has_fewer_places_where_descriptors_are_few)
{
	limit_files(64 + 32 * 30);
	cr_assert_eq(fetches_at_a_time(30), 30);
}

/* Neither waits for the other, and nothing is lost. */
Test(stapler, waits_for_a_master_that_has_no_time_to_read)
{
	const unsigned int n = 600;
	unsigned int i, heard = 0;

	answer_new(GOOD, -60, HOUR);
	run_as(0);
	tell(&options);
	for (i = 0; i < n; i++)
		tell_slot(i, url, strlen(url) + 1, good);
	tell_start();
	for (i = 0; i < n; i++) {
		hear_response(good, OCSP_OK);
		heard += got.slot;
	}
	cr_assert_eq(heard, n * (n - 1) / 2);
	hear(STAPLE_MSG_LOADED);
	cr_assert(is_silent());
}

Test(stapler, answers_whatever_else_it_does)
{
	const struct staple_msg ping = { .type = STAPLE_MSG_PING };
	unsigned int i;

	run_as(0);
	tell(&ping);
	hear(STAPLE_MSG_PING);
	options.options.timeout_ms = 60000;
	server.shared->mode = HTTP_SILENT;
	tell(&options);
	tell_slot(0, url, strlen(url) + 1, nothing);
	tell_start();
	hear(STAPLE_MSG_LOADED);
	for (i = 0; i < 10; i++) {
		tell(&ping);
		hear(STAPLE_MSG_PING);
	}
	cr_assert(is_silent());
}

/* --- master's mistakes and end ------------------------------------------- */

Test(stapler, ends_with_master_in_the_middle_of_everything)
{
	uint64_t began = loop_now_ms();

	server.shared->mode = HTTP_SILENT;
	begin(nothing);
	hear(STAPLE_MSG_LOADED);
	while (!server.shared->active)
		usleep(1000);
	cr_assert_eq(end(), 0);
	cr_assert_lt(loop_now_ms(), began + 4000);
}

Test(stapler, stores_what_it_has_said_before_it_ends)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		answer_new(GOOD, -60 + (int64_t)i, HOUR);
		begin(nothing);
		do
			cr_assert(hears(ASK_MS));
		while (got.type != STAPLE_MSG_RESPONSE);
		cr_assert_eq(end(), 0);
		cr_assert(is_stored(good));
		cr_assert_eq(unlink(stored), 0);
	}
	cr_assert_eq(count("event="), 0);
}

Test(stapler, leaves_the_processor_to_others)
{
	int before = getpriority(PRIO_PROCESS, 0);

	begin_with_good();
	cr_assert_gt(getpriority(PRIO_PROCESS, (id_t)pid), before);
}

Test(stapler, ignores_what_makes_no_sense)
{
	static const char garbage[300] = "garbage";

	run_as(0);
	tell_start();
	tell_refresh(0);
	cr_assert_eq(send(master, garbage, sizeof(garbage), 0),
		     sizeof(garbage));
	tell_slot(0, url, strlen(url) + 1, nothing);
	tell(&options);
	tell(&options);
	tell_refresh(7);
	tell_slot(0, "", 0, nothing);
	tell_slot(UINT32_MAX, url, strlen(url) + 1, nothing);
	tell(&(struct staple_msg){ .type = STAPLE_MSG_LOADED });
	tell_slot(0, url, strlen(url) + 1, nothing);
	tell_start();
	hear(STAPLE_MSG_LOADED);
	hear_response(good, OCSP_OK);
	hear_attempt(FETCH_ANSWER, OCSP_OK);
	cr_assert_eq(count("event=message_refused"), 9);
	cr_assert_eq(end(), 0);
}

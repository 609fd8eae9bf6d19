// SPDX-License-Identifier: MIT
/* When the stapler writes; without ring or responder, on a disk of any speed. */
#include "agent/stapler/state.h"

#include "agent/loop.h"
#include "agent/stapler/stapler.h"
#include "agent_case.h"
#include "agent_stapler.h"

#define GOOD V_OCSP_CERTSTATUS_GOOD
#define N 40

static struct stapler st;
static struct slot *slots[N];
static struct ocsp_bytes made[4];
static unsigned int n_made, writes, sync_ms;
static int write_error;
static char dir[32], log_name[64];
static int64_t wait_s;

static ssize_t count_write(int fd, const void *buf, size_t len)
{
	writes++;
	return write_error ? write_error : write(fd, buf, len);
}

static int slow_sync(int fd)
{
	(void)fd;
	usleep(1000 * sync_ms);
	return 0;
}

/* Each has a name of its own on the disk. */
static struct slot *new_slot(unsigned int i)
{
	static const char url[] = "http://a/";
	struct slot *slot = slot_new(&(struct staple_msg){
		.type = STAPLE_MSG_SLOT, .slot = i,
		.part = { bytes_of("site"), { (const void *)url, sizeof(url) },
			  leaf, issuer } });

	cr_assert(slot);
	slot->fingerprint[0] = (uint8_t)i;
	return slot;
}

static void start(void)
{
	unsigned int i;

	pki_start();
	case_make_dir(dir);
	snprintf(log_name, sizeof(log_name), "%s/log", dir);
	cr_assert(freopen(log_name, "w", stderr));
	st.policy.intervals = (struct ocsp_intervals){ 300, DAY };
	st.policy.folder = dir;
	ocsp_files_init(&st.policy.files, open(dir, O_RDONLY | O_DIRECTORY));
	st.policy.files.write = count_write;
	st.policy.files.sync = slow_sync;
	for (i = 0; i < N; i++)
		slots[i] = new_slot(i);
}

static void stop(void)
{
	char command[64];
	unsigned int i;

	for (i = 0; i < N; i++)
		slot_free(slots[i]);
	while (n_made)
		OPENSSL_free((void *)made[--n_made].data);
	close(st.policy.files.dir);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_expect_eq(system(command), 0);
	pki_stop();
}

TestSuite(stapler_store, .init = start, .fini = stop, .timeout = 30);

static struct ocsp_bytes make(int64_t from)
{
	return made[n_made++] = respond(MINE, GOOD, NOW, from, HOUR);
}

static void take(unsigned int i, struct ocsp_bytes der)
{
	struct fetch_outcome outcome = { .der = der };

	outcome.verdict = ocsp_check(der, leaf, issuer, &ocsp_default_limits,
				     NOW, &outcome.times);
	cr_assert(slot_take(slots[i], &st.policy, &outcome, NOW, &wait_s));
	stapler_pass_on(&st, slots[i]);
}

/* Master has no room for more than so many. */
static void say(unsigned int n)
{
	int pair[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	while (n--) {
		struct slot_link *first = st.unsaid.first;

		cr_assert_eq(slot_say(container_of(first, struct slot, say),
				      pair[0]), 0);
		slot_list_drop(&st.unsaid);
	}
	close(pair[0]);
	close(pair[1]);
}

static bool is_stored(unsigned int i, struct ocsp_bytes der)
{
	static uint8_t buf[OCSP_MAX_LEN + 1];
	ssize_t n = ocsp_store_read(&st.policy.files, slots[i]->fingerprint,
				    buf);

	return n > 0 && is_equal(der, (struct ocsp_bytes){ buf, (size_t)n });
}

/* Lines of the log; the last one in @line. */
static unsigned int count_lines(char line[512])
{
	FILE *f = fopen(log_name, "r");
	unsigned int n = 0;

	fflush(stderr);
	while (fgets(line, 512, f))
		n++;
	fclose(f);
	return n;
}

Test(stapler_store, writes_nothing_before_all_is_said)
{
	cr_assert_not(stapler_store_one(&st));
	take(0, make(-1000));
	take(1, made[0]);
	cr_assert_not(stapler_store_one(&st));
	say(1);
	cr_assert_not(stapler_store_one(&st));
	cr_assert_eq(writes, 0);
	say(1);
	cr_assert(stapler_store_one(&st));
	cr_assert(is_stored(0, made[0]));
	cr_assert_not(is_stored(1, made[0]), "it is the next turn's");
	cr_assert(stapler_store_one(&st));
	cr_assert(is_stored(1, made[0]));
	cr_assert_not(stapler_store_one(&st));
	cr_assert_eq(writes, 2);
	cr_assert_null(slots[0]->response.data);
}

/* What waits to be written is the newest, and in its place. */
Test(stapler_store, writes_each_slot_once_and_its_newest_response)
{
	take(0, make(-1000));
	say(1);
	take(1, made[0]);
	take(0, make(-900));
	take(0, make(-800));
	say(2);
	cr_assert(stapler_store_one(&st));
	cr_assert(is_stored(0, made[2]));
	cr_assert_not(is_stored(1, made[0]));
	take(0, make(-700));
	say(1);
	cr_assert(stapler_store_one(&st));
	cr_assert(is_stored(1, made[0]));
	cr_assert(stapler_store_one(&st));
	cr_assert(is_stored(0, made[3]));
	cr_assert_not(stapler_store_one(&st));
	cr_assert_eq(writes, 3);
}

Test(stapler_store, has_master_told_of_what_could_not_be_written)
{
	char line[512];

	write_error = -ENOSPC;
	take(0, make(-1000));
	say(1);
	cr_assert(stapler_store_one(&st));
	cr_assert(slots[0]->store_failed);
	cr_assert_eq(st.unsaid.first, &slots[0]->say);
	say(1);
	cr_assert_not(slots[0]->store_failed);
	cr_assert_null(slots[0]->response.data);
	cr_assert_not(stapler_store_one(&st), "not before the next answer");
	write_error = 0;
	take(0, made[0]);
	say(1);
	cr_assert(stapler_store_one(&st));
	cr_assert(is_stored(0, made[0]));
	cr_assert_null(st.unsaid.first);
	cr_assert_eq(count_lines(line), 2, "%s", line);
}

/* Whether master has heard of it or not, which has ended perhaps. */
Test(stapler_store, writes_all_before_the_end)
{
	char line[512];
	unsigned int i;

	make(-1000);
	for (i = 0; i < N; i++)
		take(i, made[0]);
	say(N / 2);
	stapler_store_all(&st);
	for (i = 0; i < N; i++)
		cr_assert(is_stored(i, made[0]));
	cr_assert_eq(writes, N);
	cr_assert_eq(count_lines(line), 0, "%s", line);
}

Test(stapler_store, ends_in_time_however_slow_the_disk_is)
{
	uint64_t begun = loop_now_ms();
	char line[512], left[32];
	unsigned int i;

	make(-1000);
	sync_ms = STAPLER_STOP_MS / 20;
	for (i = 0; i < N; i++)
		take(i, made[0]);
	stapler_store_all(&st);
	cr_assert_lt(writes, N);
	cr_assert_gt(writes, 0);
	cr_assert_geq(loop_now_ms(), begun + STAPLER_STOP_MS / 2);
	cr_assert_eq(count_lines(line), 1);
	cr_assert(strstr(line, "event=staple_store_unfinished"), "%s", line);
	snprintf(left, sizeof(left), "certificates=%u ", N - writes);
	cr_assert(strstr(line, left), "%s", line);
}

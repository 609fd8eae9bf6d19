// SPDX-License-Identifier: MIT
#include "agent/ticket_keys.h"

#include "agent/ticket_store.h"

#include "ticket_case.h"

TestSuite(ticket_keys, .timeout = 10);

#define LIFETIME 1000		/* s */
#define MS 1000
#define NOW 5000000ULL		/* ms since the machine's start */
#define WALL 1700000000LL	/* s since the Epoch */

static char dir[32], state[64], folder[80], stored[96], file[64];
static struct config_listener listeners[2];
static struct config config = {
	.state_dir = state,
	.ticket_lifetime_s = LIFETIME,
	.listeners = listeners,
	.n_listeners = 2,
};
static struct ticket_keys *keys;

static void start(void)
{
	case_make_dir(dir);
	snprintf(state, sizeof(state), "%s/state", dir);
	snprintf(folder, sizeof(folder), "%s/tickets", state);
	snprintf(stored, sizeof(stored), "%s/keys", folder);
	snprintf(file, sizeof(file), "%s/file", dir);
	listeners[1].tickets = 2;
	said_begin();
}

static void stop(void)
{
	static const char *const names[] = {
		"state/tickets/keys", "state/tickets", "state", "file",
		"other/tickets/keys", "other/tickets", "other", NULL
	};

	ticket_keys_free(keys);
	case_remove_dir(dir, names);
}

/* As after a restart at this time. */
static void restart(int64_t wall_s)
{
	ticket_keys_free(keys);
	keys = ticket_keys_new();
	cr_assert(keys);
	cr_assert(ticket_keys_use(keys, &config, NOW, wall_s), "%s", said());
}

/* Returns when it is due again. */
static uint64_t tick(uint64_t now_ms, int64_t wall_s)
{
	ticket_keys_tick(keys, now_ms, wall_s);
	return ticket_keys_due(keys);
}

static struct hs_ticket_keys current(void)
{
	return *hs_tickets_get(ticket_keys_get(keys));
}

/* Is @now what @before has become after so many rotations? */
static bool rotated(const struct hs_ticket_keys *before,
		    const struct hs_ticket_keys *now, size_t times)
{
	size_t i, j;

	for (i = 0; i < HS_TICKET_KEYS; i++)
		for (j = 0; j < HS_TICKET_KEYS; j++)
			if (!memcmp(before->key[i], now->key[j],
				    HS_TICKET_KEY) != (i == j + times))
				return false;
	return true;
}

static void expect_rotated(const struct hs_ticket_keys *before, size_t times)
{
	struct hs_ticket_keys now = current();

	cr_expect(rotated(before, &now, times), "%zu times", times);
}

Test(ticket_keys, are_random_until_there_is_a_configuration, .init = start,
     .fini = stop)
{
	struct hs_ticket_keys before;

	keys = ticket_keys_new();
	cr_assert(keys);
	before = current();
	cr_expect(memcmp(before.key[0], before.key[1], 16));
	cr_expect_not(ticket_keys_tick(keys, NOW, WALL));
	cr_expect_eq(ticket_keys_due(keys), UINT64_MAX);
	expect_rotated(&before, 0);
}

Test(ticket_keys, are_rotated_when_each_was_current_for_the_lifetime,
     .init = start, .fini = stop)
{
	struct hs_ticket_keys before;
	uint64_t due;
	unsigned int i;

	restart(WALL);
	due = NOW + LIFETIME * MS;
	for (i = 0; i < 4; i++) {
		before = current();
		cr_expect_eq(ticket_keys_due(keys), due);
		cr_expect_not(ticket_keys_tick(keys, due - 1, WALL));
		expect_rotated(&before, 0);
		cr_expect(ticket_keys_tick(keys, due, WALL));
		expect_rotated(&before, 1);
		due += LIFETIME * MS;
	}
}

/* So late, and so often. */
static const struct {
	uint64_t late_ms;
	size_t times;
	uint64_t next_ms;
} lates[] = {
	{ 0, 1, LIFETIME * MS },
	{ LIFETIME * MS - 1, 1, 1 },
	{ LIFETIME * MS, 2, LIFETIME * MS },
	{ 2 * LIFETIME * MS + 5, 3, LIFETIME * MS - 5 },
	{ 3 * LIFETIME * MS + 5, 3, LIFETIME * MS },
	{ 1000ULL * LIFETIME * MS + 5, 3, LIFETIME * MS },
};

Test(ticket_keys, are_rotated_as_often_as_was_forgotten, .init = start,
     .fini = stop)
{
	struct hs_ticket_keys before;
	size_t i;

	for (i = 0; i < COUNT(lates); i++) {
		uint64_t now = NOW + LIFETIME * MS + lates[i].late_ms;

		remove(stored);
		restart(WALL);
		before = current();
		cr_expect_eq(tick(now, WALL),
			     now + lates[i].next_ms, "%zu", i);
		expect_rotated(&before, lates[i].times);
	}
}

/* How long after the start there is another; what it finds; when it rotates. */
static const struct {
	int64_t later_s;
	size_t rotations;
	uint64_t due_s;
	const char *log;
} restarts[] = {
	{ 0, 0, LIFETIME, "" },
	{ 1, 0, LIFETIME - 1, "" },
	{ LIFETIME - 1, 0, 1, "" },
	{ LIFETIME, 1, LIFETIME, "" },
	{ LIFETIME + 1, 1, LIFETIME - 1, "" },
	{ 2 * LIFETIME - 1, 1, 1, "" },
	{ 2 * LIFETIME, 3, LIFETIME, "it is too old" },
	{ 1000000 * LIFETIME, 3, LIFETIME, "it is too old" },
	/* A clock set back a little does not matter. */
	{ -LIFETIME, 0, LIFETIME, "" },
	{ -7 * 86400 + LIFETIME, 0, LIFETIME, "" },
	{ -7 * 86400 + LIFETIME - 1, 3, LIFETIME, "it is from the future" },
	{ -WALL, 3, LIFETIME, "it is from the future" },
};

Test(ticket_keys, outlive_a_restart, .init = start, .fini = stop)
{
	struct hs_ticket_keys before;
	size_t i;

	for (i = 0; i < COUNT(restarts); i++) {
		const char *log;

		remove(stored);
		restart(WALL);
		before = current();
		restart(WALL + restarts[i].later_s);
		expect_rotated(&before, restarts[i].rotations);
		cr_expect_eq(tick(NOW, 0),
			     NOW + restarts[i].due_s * MS, "%zu", i);
		log = said();
		cr_expect_eq(!log[0], !restarts[i].log[0], "%zu: %s", i, log);
		cr_expect(strstr(log, restarts[i].log), "%zu: %s", i, log);
		/* And the next one has the same. */
		before = current();
		restart(WALL + restarts[i].later_s);
		expect_rotated(&before, 0);
	}
}

Test(ticket_keys, are_stored_anew_when_they_rotate, .init = start,
     .fini = stop)
{
	struct hs_ticket_keys before;

	restart(WALL);
	tick(NOW + LIFETIME * MS + 1, WALL + LIFETIME);
	before = current();
	restart(WALL + LIFETIME + 10);
	expect_rotated(&before, 0);
	cr_expect_eq(tick(NOW, 0),
		     NOW + (LIFETIME - 10) * MS);
}

Test(ticket_keys, are_replaced_when_they_are_damaged, .init = start,
     .fini = stop)
{
	struct hs_ticket_keys before;

	restart(WALL);
	before = current();
	cr_assert_eq(truncate(stored, 100), 0);
	restart(WALL);
	expect_rotated(&before, 3);
	cr_expect(strstr(said(), "event=ticket_keys_replaced"));
	before = current();
	restart(WALL);
	expect_rotated(&before, 0);
	cr_expect_str_eq(said(), "");
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

Test(ticket_keys, are_in_memory_where_nothing_can_be_stored, .init = start,
     .fini = stop)
{
	struct hs_ticket_keys before;
	uint64_t retry;
	const char *log;

	write_file(state, 0600, "", 0);
	restart(WALL);
	log = said();
	cr_expect(strstr(log, "event=ticket_store_failed"), "%s", log);
	cr_expect(strstr(log, "it is no folder"), "%s", log);
	before = current();
	retry = tick(NOW, WALL);
	cr_expect_eq(retry, NOW + 60 * MS);
	cr_expect_eq(tick(retry, WALL), retry + 60 * MS);
	cr_expect_str_eq(said(), "", "it is told once");
	unlink(state);
	cr_expect_eq(tick(retry + 60 * MS, WALL + 120),
		     NOW + LIFETIME * MS);
	cr_expect(strstr(said(), "event=ticket_store_recovered"));
	restart(WALL + 120);
	expect_rotated(&before, 0);
}

Test(ticket_keys, are_not_kept_in_somebody_elses_folder, .init = start,
     .fini = stop)
{
	if (geteuid())
		cr_skip_test("only root can give folders away");
	cr_assert_eq(mkdir(state, 0755), 0);
	cr_assert_eq(mkdir(folder, 0700), 0);
	cr_assert_eq(chown(folder, CASE_NOBODY, 0), 0);
	restart(WALL);
	cr_expect(strstr(said(), "it belongs to somebody else"));
	cr_expect_not(exists(stored));
}

Test(ticket_keys, are_not_stored_where_no_listener_has_tickets, .init = start,
     .fini = stop)
{
	listeners[1].tickets = 0;
	restart(WALL);
	cr_expect_eq(tick(NOW + 10 * LIFETIME * MS, WALL),
		     UINT64_MAX);
	cr_expect_not(exists(state));
	cr_expect_str_eq(said(), "");
	listeners[1].tickets = 1;
	cr_expect(ticket_keys_use(keys, &config, NOW, WALL));
	cr_expect(exists(folder));
	cr_expect_eq(tick(NOW, WALL), NOW + LIFETIME * MS);
}

static void write_keys(int first)
{
	char text[512];
	int i, n = 0;

	for (i = 0; i < HS_TICKET_KEYS; i++)
		n += sprintf(text + n, "%s\n", key_line(first + i));
	write_file(file, 0600, text, (size_t)n);
	config.ticket_keys.path = file;
}

static void expect_keys(int first)
{
	struct hs_ticket_keys now = current(), expected = keys_from(first);

	cr_expect_arr_eq(&now, &expected, sizeof(now));
}

Test(ticket_keys, of_a_file_are_read_again_and_never_rotated, .init = start,
     .fini = stop)
{
	write_keys(1);
	restart(WALL);
	expect_keys(1);
	cr_expect_eq(tick(NOW + 10 * LIFETIME * MS, WALL),
		     UINT64_MAX);
	expect_keys(1);
	cr_expect_not(exists(state));
	write_keys(2);
	cr_expect(ticket_keys_check(&config));
	expect_keys(1);
	cr_expect(ticket_keys_use(keys, &config, NOW, WALL));
	expect_keys(2);
	write_file(file, 0600, "nonsense\n", 9);
	cr_expect_not(ticket_keys_check(&config));
	cr_expect_not(ticket_keys_use(keys, &config, NOW, WALL));
	expect_keys(2);
	config.ticket_keys.path = NULL;
}

Test(ticket_keys, of_our_own_follow_those_of_a_file, .init = start,
     .fini = stop)
{
	struct hs_ticket_keys before;

	restart(WALL);
	before = current();
	write_keys(1);
	cr_expect(ticket_keys_use(keys, &config, NOW, WALL));
	expect_keys(1);
	config.ticket_keys.path = NULL;
	cr_expect(ticket_keys_check(&config));
	cr_expect(ticket_keys_use(keys, &config, NOW + 3 * MS, WALL + 3));
	expect_rotated(&before, 0);
	cr_expect_eq(tick(NOW, WALL), NOW + LIFETIME * MS);
}

Test(ticket_keys, stay_over_a_reload, .init = start, .fini = stop)
{
	struct hs_ticket_keys before;
	char other[64], moved[96];

	restart(WALL);
	before = current();
	config.ticket_lifetime_s = 10 * LIFETIME;
	cr_expect(ticket_keys_use(keys, &config, NOW, WALL));
	cr_expect_eq(tick(NOW, WALL), NOW + LIFETIME * MS);
	config.ticket_lifetime_s = LIFETIME / 10;
	snprintf(other, sizeof(other), "%s/other", dir);
	config.state_dir = other;
	cr_expect(ticket_keys_use(keys, &config, NOW, WALL));
	cr_expect_eq(tick(NOW, WALL),
		     NOW + LIFETIME / 10 * MS);
	expect_rotated(&before, 0);
	snprintf(moved, sizeof(moved), "%s/tickets/keys", other);
	cr_expect(exists(moved));
	config.state_dir = state;
}

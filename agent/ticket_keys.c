/* SPDX-License-Identifier: MIT */
#include "ticket_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "log.h"
#include "state_dir.h"
#include "ticket_file.h"
#include "ticket_store.h"

/* No lifetime is longer: a rotation that is farther off was never planned. */
#define LIFETIME_MAX_S (7 * 86400)
/* How soon to try again what failed. */
#define RETRY_MS 60000

enum source { UNUSED, OWN, FROM_FILE };

/*
 * @rotate_ms:   when, with OWN
 * @retry_ms:    when to try to store them again; UINT64_MAX: they are stored
 * @store_error: of the last attempt
 */
struct ticket_keys {
	struct hs_tickets *tickets;
	enum source source;
	char *state_dir;
	unsigned int lifetime_s;
	uint64_t rotate_ms, retry_ms;
	int store_error;
};

static void wipe_keys(struct hs_ticket_keys *keys)
{
	explicit_bzero(keys, sizeof(*keys));
}

static void wipe_stored(struct ticket_store *stored)
{
	explicit_bzero(stored, sizeof(*stored));
}

#define WIPED(type) __attribute__((cleanup(wipe_##type)))

static uint64_t lifetime_ms(const struct ticket_keys *k)
{
	return (uint64_t)k->lifetime_s * 1000;
}

static enum source source_of(const struct config *config)
{
	size_t i;

	if (config->ticket_keys.path)
		return FROM_FILE;
	for (i = 0; i < config->n_listeners; i++)
		if (config->listeners[i].tickets)
			return OWN;
	return UNUSED;
}

/* --- what is stored ------------------------------------------------------ */

static const char *why(int err)
{
	if (err == -EPERM)
		return "it belongs to somebody else";
	return err == -ENOTDIR || err == -ELOOP ?
	       "it is no folder, or a link to one" : strerror(-err);
}

/* Logs when it begins to fail, and when it succeeds again. */
static void note_store(struct ticket_keys *k, int err)
{
	if (err && err != k->store_error)
		log_warn("event=ticket_store_failed folder=\"%s/tickets\" "
			 "error=\"%s\" effect=\"ticket keys are kept in memory "
			 "only, and sessions end with ktlsd\"", k->state_dir,
			 why(err));
	else if (!err && k->store_error)
		log_info("event=ticket_store_recovered folder=\"%s/tickets\"",
			 k->state_dir);
	k->store_error = err;
}

static void save(struct ticket_keys *k, uint64_t now_ms, int64_t wall_s)
{
	WIPED(stored) struct ticket_store stored = {
		.rotate_at = wall_s +
			     (int64_t)((k->rotate_ms - now_ms + 999) / 1000),
		.keys = *hs_tickets_get(k->tickets),
	};
	int dir = state_dir_tickets(k->state_dir), err = dir;

	if (dir >= 0) {
		err = ticket_store_write(dir, &stored);
		close(dir);
	}
	note_store(k, err);
	k->retry_ms = err ? now_ms + RETRY_MS : UINT64_MAX;
}

static void log_replaced(const struct ticket_keys *k, enum log_level level,
			 const char *error)
{
	log_line(level, "event=ticket_keys_replaced file=\"%s/tickets/"
		 TICKET_STORE_FILE "\" error=\"%s\" effect=\"older sessions "
		 "are not resumed\"", k->state_dir, error);
}

/* Are there keys whose tickets may still be in use? */
static bool is_timely(const struct ticket_keys *k, int64_t rotate_at,
		      int64_t wall_s)
{
	if (rotate_at > wall_s + LIFETIME_MAX_S)
		log_replaced(k, LOG_L_WARN, "it is from the future: a clock "
			     "was or is wrong");
	else if (rotate_at <= wall_s - (int64_t)k->lifetime_s)
		log_replaced(k, LOG_L_INFO, "it is too old");
	else
		return true;
	return false;
}

static bool read_stored(struct ticket_keys *k, struct ticket_store *stored,
			int64_t wall_s)
{
	int dir = state_dir_tickets(k->state_dir), err;
	const char *error = NULL;

	if (dir < 0)
		return false;	/* save() tells */
	err = ticket_store_read(dir, stored, &error);
	close(dir);
	if (err && err != -ENOENT)
		log_replaced(k, LOG_L_WARN, error ? error : strerror(-err));
	return !err && is_timely(k, stored->rotate_at, wall_s);
}

/* --- keys of our own ----------------------------------------------------- */

static bool make_key(uint8_t key[HS_TICKET_KEY])
{
	if (getrandom(key, HS_TICKET_KEY, 0) == HS_TICKET_KEY)
		return true;
	log_error("event=no_randomness error=\"%s\"", strerror(errno));
	return false;
}

/* Returns false, with all as before, when there is no randomness. */
static bool rotate(struct ticket_keys *k, unsigned int times)
{
	WIPED(keys) struct hs_ticket_keys keys = *hs_tickets_get(k->tickets);

	for (; times; times--) {
		memmove(keys.key[0], keys.key[1],
			(HS_TICKET_KEYS - 1) * HS_TICKET_KEY);
		if (!make_key(keys.key[HS_TICKET_NEXT]))
			return false;
	}
	hs_tickets_set(k->tickets, &keys);
	return true;
}

/* How often it is time to rotate, as if none had been forgotten. */
static unsigned int turns(const struct ticket_keys *k, uint64_t now_ms)
{
	uint64_t late_ms = now_ms - k->rotate_ms;

	if (now_ms < k->rotate_ms)
		return 0;
	return late_ms / lifetime_ms(k) < HS_TICKET_KEYS ?
	       (unsigned int)(late_ms / lifetime_ms(k)) + 1 : HS_TICKET_KEYS;
}

bool ticket_keys_tick(struct ticket_keys *k, uint64_t now_ms, int64_t wall_s)
{
	unsigned int n = k->source == OWN ? turns(k, now_ms) : 0;

	if (n && !rotate(k, n)) {
		k->rotate_ms = now_ms + RETRY_MS;
		return false;
	}
	if (n) {
		log_debug("event=ticket_keys_rotated");
		k->rotate_ms += n * lifetime_ms(k);
		if (k->rotate_ms <= now_ms)
			k->rotate_ms = now_ms + lifetime_ms(k);
	}
	if (n || ticket_keys_due(k) <= now_ms)
		save(k, now_ms, wall_s);
	return n > 0;
}

uint64_t ticket_keys_due(const struct ticket_keys *k)
{
	if (k->source != OWN)
		return UINT64_MAX;
	return k->rotate_ms < k->retry_ms ? k->rotate_ms : k->retry_ms;
}

/* The stored ones, or new ones. */
static void begin_own(struct ticket_keys *k, uint64_t now_ms, int64_t wall_s)
{
	WIPED(stored) struct ticket_store stored;
	int64_t left_s = k->lifetime_s;

	if (!read_stored(k, &stored, wall_s)) {
		rotate(k, HS_TICKET_KEYS);
	} else {
		hs_tickets_set(k->tickets, &stored.keys);
		left_s = stored.rotate_at - wall_s;
		if (left_s <= 0)
			left_s = rotate(k, 1) ? left_s + k->lifetime_s : 0;
		if (left_s > k->lifetime_s)
			left_s = k->lifetime_s;
	}
	k->rotate_ms = now_ms + (uint64_t)left_s * 1000;
	save(k, now_ms, wall_s);
}

/* The same ones, for another time or in another place. */
static void go_on(struct ticket_keys *k, uint64_t now_ms, int64_t wall_s)
{
	if (k->rotate_ms > now_ms + lifetime_ms(k))
		k->rotate_ms = now_ms + lifetime_ms(k);
	save(k, now_ms, wall_s);
}

/* --- configurations ------------------------------------------------------ */

static bool begin_file(struct ticket_keys *k,
		       const struct config_file *file)
{
	WIPED(keys) struct hs_ticket_keys keys;

	if (!ticket_file_read(file, &keys))
		return false;
	hs_tickets_set(k->tickets, &keys);
	return true;
}

bool ticket_keys_check(const struct config *config)
{
	WIPED(keys) struct hs_ticket_keys keys;

	if (!config->ticket_keys.path)
		return true;
	ticket_file_warn(config->ticket_keys.path);
	return ticket_file_read(&config->ticket_keys, &keys);
}

struct ticket_keys *ticket_keys_new(void)
{
	struct ticket_keys *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->tickets = hs_tickets_new();
	if (k->tickets)
		return k;
	free(k);
	return NULL;
}

void ticket_keys_free(struct ticket_keys *k)
{
	if (!k)
		return;
	hs_tickets_free(k->tickets);
	free(k->state_dir);
	free(k);
}

struct hs_tickets *ticket_keys_get(const struct ticket_keys *k)
{
	return k->tickets;
}

bool ticket_keys_use(struct ticket_keys *k, const struct config *config,
		     uint64_t now_ms, int64_t wall_s)
{
	char *state_dir = strdup(config->state_dir);
	enum source before = k->source;

	if (!state_dir)
		log_error("event=ticket_keys_refused error=\"out of memory\"");
	if (!state_dir || (config->ticket_keys.path &&
			   !begin_file(k, &config->ticket_keys))) {
		free(state_dir);
		return false;
	}
	free(k->state_dir);
	k->state_dir = state_dir;
	k->source = source_of(config);
	k->lifetime_s = config->ticket_lifetime_s;
	if (k->source == OWN && before == OWN)
		go_on(k, now_ms, wall_s);
	else if (k->source == OWN)
		begin_own(k, now_ms, wall_s);
	return true;
}

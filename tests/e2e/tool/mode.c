// SPDX-License-Identifier: MIT
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mode.h"
#include "tool.h"

enum deck { PROPER, FAULT, DECKS };

static const struct word {
	const char *name;
	enum deck deck;
	enum body body;
	enum shape shape;
	const char *type;
	int status;
} words[] = {
	{"ok", PROPER, BODY_REAL, SHAPE_PLAIN, NULL, 200},
	{"delegate", PROPER, BODY_DELEGATE, SHAPE_PLAIN, NULL, 200},
	{"two-first", PROPER, BODY_TWO_FIRST, SHAPE_PLAIN, NULL, 200},
	{"two-second", PROPER, BODY_TWO_SECOND, SHAPE_PLAIN, NULL, 200},
	{"chunked", PROPER, BODY_REAL, SHAPE_CHUNKED, NULL, 200},
	{"redirect", PROPER, BODY_REAL, SHAPE_REDIRECT, NULL, 200},
	{"odd-type", PROPER, BODY_REAL, SHAPE_PLAIN,
	 "Application/OCSP-Response ; charset=binary", 200},

	{"expired-delegate", FAULT, BODY_EXPIRED_DELEGATE, SHAPE_PLAIN, NULL,
	 200},
	{"plain-delegate", FAULT, BODY_PLAIN_DELEGATE, SHAPE_PLAIN, NULL, 200},
	{"stranger", FAULT, BODY_STRANGER, SHAPE_PLAIN, NULL, 200},
	{"neighbour", FAULT, BODY_NEIGHBOUR, SHAPE_PLAIN, NULL, 200},
	{"good-revoked", FAULT, BODY_GOOD_REVOKED, SHAPE_PLAIN, NULL, 200},
	{"revoked-good", FAULT, BODY_REVOKED_GOOD, SHAPE_PLAIN, NULL, 200},
	{"open", FAULT, BODY_OPEN, SHAPE_PLAIN, NULL, 200},
	{"old", FAULT, BODY_OLD, SHAPE_PLAIN, NULL, 200},
	{"past", FAULT, BODY_PAST, SHAPE_PLAIN, NULL, 200},
	{"future", FAULT, BODY_FUTURE, SHAPE_PLAIN, NULL, 200},
	{"produced", FAULT, BODY_PRODUCED, SHAPE_PLAIN, NULL, 200},
	{"revoked", FAULT, BODY_REVOKED, SHAPE_PLAIN, NULL, 200},
	{"unknown", FAULT, BODY_UNKNOWN, SHAPE_PLAIN, NULL, 200},
	{"critical", FAULT, BODY_CRITICAL, SHAPE_PLAIN, NULL, 200},
	{"huge", FAULT, BODY_HUGE, SHAPE_PLAIN, NULL, 200},
	{"bad-signature", FAULT, BODY_BAD_SIGNATURE, SHAPE_PLAIN, NULL, 200},
	{"stale", FAULT, BODY_STALE, SHAPE_PLAIN, NULL, 200},
	{"same", FAULT, BODY_SAME, SHAPE_PLAIN, NULL, 200},
	{"try-later", FAULT, BODY_TRY_LATER, SHAPE_PLAIN, NULL, 200},
	{"unauthorized", FAULT, BODY_UNAUTHORIZED, SHAPE_PLAIN, NULL, 200},
	{"malformed", FAULT, BODY_MALFORMED, SHAPE_PLAIN, NULL, 200},
	{"internal", FAULT, BODY_INTERNAL, SHAPE_PLAIN, NULL, 200},
	{"garbage", FAULT, BODY_GARBAGE, SHAPE_PLAIN, NULL, 200},
	{"html", FAULT, BODY_HTML, SHAPE_PLAIN, "text/html", 200},
	{"html-typed", FAULT, BODY_HTML, SHAPE_PLAIN, NULL, 200},
	{"cut", FAULT, BODY_CUT, SHAPE_PLAIN, NULL, 200},
	{"empty", FAULT, BODY_EMPTY, SHAPE_PLAIN, NULL, 200},

	{"wrong-type", FAULT, BODY_REAL, SHAPE_PLAIN, "text/plain", 200},
	{"404", FAULT, BODY_REAL, SHAPE_PLAIN, NULL, 404},
	{"500", FAULT, BODY_REAL, SHAPE_PLAIN, NULL, 500},
	{"503", FAULT, BODY_REAL, SHAPE_PLAIN, NULL, 503},
	{"slow", FAULT, BODY_REAL, SHAPE_SLOW, NULL, 200},
	{"silent", FAULT, BODY_REAL, SHAPE_SILENT, NULL, 200},
	{"dead", FAULT, BODY_REAL, SHAPE_DEAD, NULL, 200},
	{"noise", FAULT, BODY_REAL, SHAPE_NOISE, NULL, 200},
	{"truncated", FAULT, BODY_REAL, SHAPE_TRUNCATED, NULL, 200},
	{"flood", FAULT, BODY_REAL, SHAPE_FLOOD, NULL, 200},
	{"endless-head", FAULT, BODY_REAL, SHAPE_HEAD, NULL, 200},
	{"redirect-many", FAULT, BODY_REAL, SHAPE_REDIRECT_MANY, NULL, 200},
	{"redirect-loop", FAULT, BODY_REAL, SHAPE_REDIRECT_LOOP, NULL, 200},
	{"redirect-file", FAULT, BODY_REAL, SHAPE_REDIRECT_FILE, NULL, 200},
};
#define WORDS ((int)(sizeof(words) / sizeof(*words)))

static const struct setting {
	const char *name;
	size_t offset;
} settings[] = {
	{"for", offsetof(struct mode, end_s)},
	{"ago", offsetof(struct mode, ago_s)},
	{"pace", offsetof(struct mode, pace_ms)},
	{"retry-after", offsetof(struct mode, retry_after_s)},
	{"max-age", offsetof(struct mode, max_age_s)},
	{"expires", offsetof(struct mode, expires_s)},
	{"fail", offsetof(struct mode, fail)},
	{"status", offsetof(struct mode, status)},
};

static uint64_t random_state = 1;
static struct hand {
	int cards[WORDS], left;
} hands[DECKS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void set_word(struct mode *m, const struct word *w)
{
	m->body = w->body;
	m->shape = w->shape;
	m->type = w->type;
	m->status = w->status;
}

static const struct word *find_word(const char *name)
{
	int i;

	for (i = 0; i < WORDS; i++)
		if (!strcmp(words[i].name, name))
			return &words[i];
	die("'%s' is not a way to answer", name);
}

static void set_setting(struct mode *m, const char *name, const char *value)
{
	size_t i;

	if (!strcmp(name, "except")) {
		snprintf(m->except, sizeof(m->except), "+%s+", value);
		return;
	}
	for (i = 0; i < sizeof(settings) / sizeof(*settings); i++) {
		if (strcmp(settings[i].name, name))
			continue;
		*(long *)((char *)m + settings[i].offset) = atol(value);
		return;
	}
	die("'%s' is not a setting", name);
}

void mode_parse(struct mode *m, const char *from)
{
	char copy[sizeof(m->words)], *word, *rest, *value;

	*m = (struct mode){
		.status = 200,
		.end_s = -1,
		.ago_s = -1,
		.retry_after_s = -1,
		.max_age_s = -1,
		.expires_s = -1,
		.pace_ms = 200,
		.fail = -1,
	};
	if ((size_t)snprintf(m->words, sizeof(m->words), "%s", from) >=
	    sizeof(copy))
		die("'%s' is too long", from);
	strcpy(copy, m->words);
	for (word = strtok_r(copy, ",", &rest); word;
	     word = strtok_r(NULL, ",", &rest)) {
		value = strchr(word, '=');
		if (!value) {
			set_word(m, find_word(word));
			continue;
		}
		*value = '\0';
		set_setting(m, word, value + 1);
	}
}

void mode_seed(uint64_t seed)
{
	random_state = seed * 2 + 1;
}

static unsigned int below(unsigned int n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 33) % n;
}

static bool excepted(const struct mode *m, const struct word *w)
{
	char name[64];

	snprintf(name, sizeof(name), "+%s+", w->name);
	return strstr(m->except, name);
}

static void shuffle(struct hand *hand, enum deck deck, const struct mode *m)
{
	int i, k, other;

	for (i = 0; i < WORDS; i++) {
		if (words[i].deck != deck || excepted(m, &words[i]))
			continue;
		k = below(++hand->left);
		other = hand->left - 1;
		hand->cards[other] = hand->cards[k];
		hand->cards[k] = i;
	}
	if (!hand->left)
		die("no faults are left to be dealt");
}

static const struct word *deal(enum deck deck, const struct mode *m)
{
	struct hand *hand = &hands[deck];

	if (!hand->left)
		shuffle(hand, deck, m);
	return &words[hand->cards[--hand->left]];
}

/*
 * By chance alone, one certificate in some hundred would have no proper answer
 * for a minute.
 */
static enum deck choose_deck(struct mode_share *share, unsigned int fail)
{
	unsigned int all = 100;

	if (!share->faults && !share->proper) {
		for (; !(fail % 2) && !(all % 2); fail /= 2)
			all /= 2;
		for (; !(fail % 5) && !(all % 5); fail /= 5)
			all /= 5;
		*share = (struct mode_share){fail, all - fail};
	}
	if (below(share->faults + share->proper) < share->faults) {
		share->faults--;
		return FAULT;
	}
	share->proper--;
	return PROPER;
}

void mode_deal(struct mode *m, struct mode_share *share)
{
	const struct word *w;

	if (m->fail < 0)
		return;
	pthread_mutex_lock(&lock);
	w = deal(choose_deck(share, m->fail), m);
	pthread_mutex_unlock(&lock);
	set_word(m, w);
	snprintf(m->words, sizeof(m->words), "%s", w->name);
}

void mode_list(void)
{
	int i;

	for (i = 0; i < WORDS; i++)
		printf("%s %s\n", words[i].deck == FAULT ? "fault" : "proper",
		       words[i].name);
}

enum shape mode_shape(const char *word)
{
	return find_word(word)->shape;
}

const char *mode_shape_word(enum shape shape)
{
	int i;

	for (i = 0; i < WORDS; i++)
		if (words[i].shape == shape)
			return words[i].name;
	die("shape %d has no word", shape);
}

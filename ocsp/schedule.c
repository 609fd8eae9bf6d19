/* SPDX-License-Identifier: MIT */
#include "ocsp/schedule.h"

/* Limits of the wait: the first, the last, and how often to double between. */
#define FIRST_RETRY 2U
#define LAST_RETRY 3600
#define DOUBLINGS 11

/* In seconds from now; @to is in it. */
struct window {
	uint64_t from, to;
};

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t greater(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t positive(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

/* Unsigned, because the difference of two times can be twice INT64_MAX. */
static uint64_t span(int64_t from, int64_t to)
{
	return to > from ? (uint64_t)to - (uint64_t)from : 0;
}

/* Not further than @limit, and then spread over the tenth before it. */
static struct window bounded(struct window w, uint64_t limit)
{
	if (w.to <= limit)
		return w;
	w.from = limit - smaller(w.to - w.from, limit / 10);
	w.to = limit;
	return w;
}

static uint64_t pick(struct window w, uint32_t random)
{
	unsigned __int128 n = (unsigned __int128)(w.to - w.from) + 1;

	return w.from + (uint64_t)(n * random >> 32);
}

/* Around the middle of the validity, or of the rest behind that. */
static struct window half_of(uint64_t validity, uint64_t elapsed)
{
	uint64_t half = validity / 2, from;

	if (elapsed >= half) {
		half = elapsed < validity ? (validity - elapsed) / 2 : 0;
		elapsed = 0;
	}
	from = half - half / 10;
	return (struct window){ from > elapsed ? from - elapsed : 0,
				half + half / 10 - elapsed };
}

static int64_t within_max(uint64_t wait, const struct ocsp_intervals *i)
{
	wait = smaller(wait, positive(i->max));
	return wait ? (int64_t)wait : 1;
}

int64_t ocsp_refresh_in(const struct ocsp_times *times, int64_t fresh,
			const struct ocsp_intervals *i, int64_t now,
			uint32_t random)
{
	int64_t begin = times->this_update < now ? times->this_update : now;
	uint64_t validity = span(begin, times->next_update);
	uint64_t elapsed = span(begin, now);
	uint64_t third = validity - validity / 4 - !!(validity % 4);
	struct window w = half_of(validity, elapsed);
	uint64_t limit, floor, word;

	if (elapsed < third) {
		limit = third - elapsed;
	} else {
		limit = span(now, times->next_update);
		fresh = -1;
	}
	limit = smaller(limit, positive(i->max));
	/* Where the least interval is too long, half is short enough. */
	floor = positive(i->min) < limit ? positive(i->min) : 0;
	if (fresh >= 0) {
		word = greater((uint64_t)fresh, floor ? floor : w.from);
		w = (struct window){ word, word + word / 10 };
		if (word < limit)
			floor = word;
	}
	w.to = greater(w.to, floor);
	w = bounded(w, limit);
	w.from = greater(w.from, smaller(floor, w.to));
	return within_max(pick(w, random), i);
}

/* As much of a Retry-After as does not cost a staple. */
static uint64_t heeded(int64_t retry_after, int64_t left)
{
	return smaller(positive(retry_after),
		       left > 0 ? (uint64_t)left / 2 : LAST_RETRY);
}

int64_t ocsp_retry_in(unsigned int failures, int64_t left,
		      int64_t retry_after, const struct ocsp_intervals *i,
		      uint32_t random)
{
	struct window w = { 1, LAST_RETRY };

	if (failures <= DOUBLINGS)
		w.to = smaller(w.to,
			       FIRST_RETRY << (failures ? failures - 1 : 0));
	w.to = smaller(w.to, positive(i->max));
	if (left > 0)
		w.to = smaller(w.to, (uint64_t)left / 4);
	w.to = greater(w.to, w.from);
	return within_max(heeded(retry_after, left) + pick(w, random), i);
}

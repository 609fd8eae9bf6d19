// SPDX-License-Identifier: MIT
#include "tools/probe/sections.h"

#include "probe/kernel.h"
#include "probe/limits.h"

/* What ktlsd.conf(5) has for a route and a listener where nothing is said. */
#define QUEUE 1024
#define BACKLOG 4096
/* Pages of 1,024 pipes of full size, which the kernel allows an account. */
#define PIPE_PAGES 16384

/* For a configuration with one listener and one route. */
static rlim_t need(rlim_t slots)
{
	return probe_descriptors(1, QUEUE, slots);
}

static void add_descriptors(struct report *r)
{
	const rlim_t least = need(PROBE_SLOTS_MIN + PROBE_LISTENER_SLOTS);
	const rlim_t most = need(PROBE_SLOTS_MAX);
	struct rlimit limit = { 0, 0 }, raised = { 0, 0 };
	unsigned long max;
	json_t *value;

	getrlimit(RLIMIT_NOFILE, &limit);
	value = json_pack("{s:I, s:I}", "soft", (json_int_t)limit.rlim_cur,
			  "hard", (json_int_t)limit.rlim_max);
	/* As ktlsd does: root may, but not in every container. */
	probe_raise(RLIMIT_NOFILE, most, &raised);
	max = (unsigned long)raised.rlim_cur;
	if (max >= most)
		report_add(r, "limits", "RLIMIT_NOFILE", value, REPORT_OK,
			   "%lu, may be raised to %lu",
			   (unsigned long)limit.rlim_cur, max);
	else if (max >= least)
		report_add(r, "limits", "RLIMIT_NOFILE", value, REPORT_NOTE,
			   "%lu at most: %lu connections at a time in each "
			   "worker; for %d: LimitNOFILE=%lu", max,
			   (max - (unsigned long)need(0)) /
				   PROBE_SLOT_DESCRIPTORS,
			   PROBE_SLOTS_MAX, (unsigned long)most);
	else
		report_add(r, "limits", "RLIMIT_NOFILE", value, REPORT_FATAL,
			   "%lu at most, but %lu are needed: LimitNOFILE=, "
			   "ulimit -n, or a route's queue below %d", max,
			   (unsigned long)least, QUEUE);
}

/* One that ktlsd lifts, where it may. */
static void add_memory(struct report *r)
{
	struct rlimit limit = { 0, 0 }, raised = { 0, 0 };
	json_t *value;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	value = limit.rlim_max == RLIM_INFINITY ? json_null() :
		json_integer((json_int_t)limit.rlim_max);
	probe_raise(RLIMIT_MEMLOCK, RLIM_INFINITY, &raised);
	if (raised.rlim_cur == RLIM_INFINITY)
		report_add(r, "limits", "RLIMIT_MEMLOCK", value, REPORT_OK,
			   "none, or may be lifted");
	else
		report_add(r, "limits", "RLIMIT_MEMLOCK", value, REPORT_NOTE,
			   "%lu at most: where the kernel counts rings, for "
			   "%lu workers, of all configurations that are in use; "
			   "LimitMEMLOCK=infinity",
			   (unsigned long)raised.rlim_cur,
			   (unsigned long)raised.rlim_cur / PROBE_RING_BYTES);
}

/* @below: what it means if there is less than is wanted */
static void add_number(struct report *r, const char *item, long value, long want,
		       const char *below)
{
	const bool low = value >= 0 && value < want;

	if (value < 0)
		report_add(r, "limits", item, json_null(), REPORT_NOTE,
			   "cannot be read");
	else
		report_add(r, "limits", item, json_integer(value),
			   low ? REPORT_NOTE : REPORT_OK, "%ld%s", value,
			   low ? below : "");
}

void section_limits(struct report *r)
{
	const long pages = probe_number("/proc/sys/fs/pipe-user-pages-soft", "");

	add_descriptors(r);
	add_memory(r);
	add_number(r, "fs.nr_open", probe_number("/proc/sys/fs/nr_open", ""),
		   (long)need(PROBE_SLOTS_MAX),
		   ": RLIMIT_NOFILE cannot be raised beyond");
	/* 0 is no limit. */
	add_number(r, "fs.pipe-user-pages-soft", pages, pages ? PIPE_PAGES : 0,
		   ": a proxy's pipes beyond these are short");
	add_number(r, "net.core.somaxconn", probe_backlog(), BACKLOG,
		   ": the backlog of listeners (4096) is cut to this");
}

// SPDX-License-Identifier: MIT
#include "probe/cve.h"

#include <stddef.h>

#define V PROBE_VERSION
#define RANGES_MAX 8

/*
 * From CVE records, since 2024 those of the kernel's own CNA, which name for each
 * the version that brought it and the one without it, upstream and in each stable
 * series. Series before 6.1 are left out. To be added: what touches sockets whose
 * ULP is tls, in software; not what needs sockmap (as CVE-2026-64046 and -64047
 * do), or a device that offloads.
 *
 * A range is about the series of .fixed; where that is x.y.0, about all that
 * have none of their own; where it is 0, about the series of .from, which ended
 * with the fault.
 */
static const struct fault {
	const char *id, *what;
	struct range {
		unsigned int from, fixed;
	} ranges[RANGES_MAX];
} faults[] = {
	{ "CVE-2023-52767", "NULL dereference in splice of an empty record",
	  { { V(6, 5, 0), V(6, 6, 4) }, { V(6, 5, 0), V(6, 7, 0) } } },
	{ "CVE-2024-0646", "write out of bounds in splice",
	  { { V(6, 0, 0), V(6, 1, 69) }, { V(6, 0, 0), V(6, 6, 7) },
	    { V(6, 0, 0), V(6, 7, 0) } } },
	{ "CVE-2024-26582", "use after free: partial read, async decryption",
	  { { V(6, 0, 0), V(6, 1, 79) }, { V(6, 0, 0), V(6, 6, 18) },
	    { V(6, 0, 0), V(6, 7, 6) }, { V(6, 0, 0), V(6, 8, 0) } } },
	{ "CVE-2024-26583", "use after free: async completion against close",
	  { { V(6, 0, 0), V(6, 1, 79) }, { V(6, 0, 0), V(6, 6, 18) },
	    { V(6, 0, 0), V(6, 7, 6) }, { V(6, 0, 0), V(6, 8, 0) } } },
	{ "CVE-2024-26584", "wrong handling of a full crypto queue",
	  { { V(6, 0, 0), V(6, 1, 84) }, { V(6, 0, 0), V(6, 6, 18) },
	    { V(6, 0, 0), V(6, 7, 6) }, { V(6, 0, 0), V(6, 8, 0) } } },
	{ "CVE-2024-26585", "use after free: scheduled send against close",
	  { { V(6, 0, 0), V(6, 1, 84) }, { V(6, 0, 0), V(6, 6, 18) },
	    { V(6, 0, 0), V(6, 7, 6) }, { V(6, 0, 0), V(6, 8, 0) } } },
	{ "CVE-2024-26800", "use after free: failed decryption in the backlog",
	  { { V(6, 6, 18), V(6, 6, 21) }, { V(6, 7, 6), V(6, 7, 9) } } },
	{ "CVE-2024-36489", "missing barrier when the ULP is set",
	  { { V(6, 0, 0), V(6, 1, 93) }, { V(6, 0, 0), V(6, 6, 33) },
	    { V(6, 0, 0), V(6, 9, 4) }, { V(6, 0, 0), V(6, 10, 0) } } },
	{ "CVE-2024-58239", "records of several types in one read",
	  { { V(6, 0, 0), V(6, 1, 80) }, { V(6, 0, 0), V(6, 6, 19) },
	    { V(6, 0, 0), V(6, 7, 7) }, { V(6, 0, 0), V(6, 8, 0) } } },
	{ "CVE-2025-37756", "sockets that are disconnected",
	  { { V(6, 0, 0), V(6, 1, 135) }, { V(6, 0, 0), V(6, 6, 88) },
	    { V(6, 0, 0), V(6, 12, 24) }, { V(6, 0, 0), V(6, 13, 12) },
	    { V(6, 0, 0), V(6, 14, 3) }, { V(6, 0, 0), V(6, 15, 0) } } },
	{ "CVE-2025-38471", "use after free in receiving",
	  { { V(6, 1, 0), V(6, 1, 147) }, { V(6, 1, 0), V(6, 6, 100) },
	    { V(6, 1, 0), V(6, 12, 40) }, { V(6, 1, 0), V(6, 15, 8) },
	    { V(6, 1, 0), V(6, 16, 0) } } },
	{ "CVE-2025-38616", "data that disappears from under the ULP",
	  { { V(6, 0, 0), V(6, 1, 185) }, { V(6, 0, 0), V(6, 6, 103) },
	    { V(6, 0, 0), V(6, 12, 43) }, { V(6, 0, 0), V(6, 15, 11) },
	    { V(6, 0, 0), V(6, 16, 2) }, { V(6, 0, 0), V(6, 17, 0) } } },
	{ "CVE-2025-39682", "use after free: empty records, by the peer",
	  { { V(6, 0, 0), V(6, 1, 149) }, { V(6, 0, 0), V(6, 6, 103) },
	    { V(6, 0, 0), V(6, 12, 44) }, { V(6, 0, 0), V(6, 16, 4) },
	    { V(6, 0, 0), V(6, 17, 0) } } },
	{ "CVE-2025-39946", "write out of bounds: false headers, by the peer",
	  { { V(6, 0, 0), V(6, 1, 154) }, { V(6, 0, 0), V(6, 6, 108) },
	    { V(6, 0, 0), V(6, 12, 49) }, { V(6, 0, 0), V(6, 16, 9) },
	    { V(6, 0, 0), V(6, 17, 0) } } },
	{ "CVE-2025-40176", "use after free: async decryption without memory",
	  { { V(6, 0, 0), V(6, 1, 158) }, { V(6, 0, 0), V(6, 6, 114) },
	    { V(6, 0, 0), V(6, 12, 55) }, { V(6, 0, 0), V(6, 17, 5) },
	    { V(6, 0, 0), V(6, 18, 0) } } },
	/* 6.1 and 6.6 have it, and lack what repairs it elsewhere. */
	{ "CVE-2026-23240", "use after free: scheduled send against close",
	  { { V(6, 0, 0), V(6, 12, 75) }, { V(6, 0, 0), V(6, 18, 16) },
	    { V(6, 0, 0), V(6, 19, 6) }, { V(6, 0, 0), V(7, 0, 0) } } },
	{ "CVE-2026-23414", "memory leak in async decryption",
	  { { V(6, 1, 158), V(6, 1, 168) }, { V(6, 6, 114), V(6, 6, 131) },
	    { V(6, 12, 55), V(6, 12, 80) }, { V(6, 17, 5), 0 },
	    { V(6, 18, 0), V(6, 18, 21) }, { V(6, 18, 0), V(6, 19, 11) },
	    { V(6, 18, 0), V(7, 0, 0) } } },
	{ "CVE-2026-31533", "use after free: full crypto queue in sending",
	  { { V(6, 1, 84), V(6, 1, 169) }, { V(6, 6, 18), V(6, 6, 135) },
	    { V(6, 7, 6), 0 }, { V(6, 8, 0), V(6, 12, 82) },
	    { V(6, 8, 0), V(6, 18, 23) }, { V(6, 8, 0), V(6, 19, 13) },
	    { V(6, 8, 0), V(7, 0, 0) } } },
};

#define FAULTS (sizeof(faults) / sizeof(faults[0]))
_Static_assert(FAULTS <= PROBE_FAULTS_MAX, "there is room for all");

/* The series that a range is about, or 0: upstream. */
static unsigned int series_of(const struct range *range)
{
	const unsigned int version = range->fixed ? range->fixed : range->from;

	return version % 1000 ? version / 1000 : 0;
}

/* The range about @series, or NULL. */
static const struct range *find(const struct fault *fault, unsigned int series)
{
	size_t i;

	for (i = 0; i < RANGES_MAX && fault->ranges[i].from; i++)
		if (series_of(&fault->ranges[i]) == series)
			return &fault->ranges[i];
	return NULL;
}

/* The first version without it, of one that has it; 0: it has not. */
static unsigned int fixed_in(const struct fault *fault, unsigned int version)
{
	const struct range *upstream = find(fault, 0);
	const struct range *own = find(fault, version / 1000);

	if (!own)
		own = upstream;
	if (!own || version < own->from)
		return 0;
	if (!own->fixed)
		return upstream->fixed;
	return version < own->fixed ? own->fixed : 0;
}

unsigned int probe_faults(const struct probe_kernel *kernel,
			  struct probe_fault out[PROBE_FAULTS_MAX])
{
	unsigned int n = 0, fixed;
	size_t i;

	if (!kernel->exact || kernel->version < V(6, 1, 0))
		return 0;
	for (i = 0; i < FAULTS; i++) {
		fixed = fixed_in(&faults[i], kernel->version);
		if (fixed)
			out[n++] = (struct probe_fault){
				faults[i].id, faults[i].what, fixed,
			};
	}
	return n;
}

unsigned int probe_faults_known(void)
{
	return FAULTS;
}

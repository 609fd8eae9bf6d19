// SPDX-License-Identifier: MIT
#include "tools/probe/sections.h"

#include "probe/cve.h"

static const char *print_version(unsigned int version, char out[static 32])
{
	snprintf(out, 32, "%u.%u.%u", version / 1000000, version / 1000 % 1000,
		 version % 1000);
	return out;
}

static void add_version(struct report *r, const struct probe_kernel *k)
{
	const bool old = k->version && k->version < PROBE_VERSION(6, 1, 0);
	char text[32], release[256];

	report_escape(k->release, release);
	report_add(r, "kernel", "release", json_string(release),
		   old ? REPORT_FATAL : REPORT_OK, "%s%s", release,
		   old ? ": ktlsd needs Linux 6.1 or newer" : "");
	report_add(r, "kernel", "upstream", k->exact ?
		   json_string(print_version(k->version, text)) : json_null(),
		   REPORT_OK, "%s", k->exact ? text :
		   "which patch level it is made from is not said");
}

static void add_tls(struct report *r)
{
	static const char *const texts[] = {
		"the kernel does not say", "not loaded: modprobe tls", "loaded",
	};
	const int has = probe_has_tls();

	report_add(r, "kernel", "tls_module",
		   has < 0 ? json_null() : json_boolean(has), REPORT_OK, "%s",
		   texts[has + 1]);
}

static void add_faults(struct report *r, const struct probe_kernel *kernel)
{
	struct probe_fault faults[PROBE_FAULTS_MAX];
	const unsigned int n = probe_faults(kernel, faults);
	unsigned int i;
	char text[32];

	if (kernel->exact)
		report_add(r, "faults", "possible", json_integer(n), REPORT_OK,
			   "%u of %u that are known", n, probe_faults_known());
	else
		report_add(r, "faults", "possible", json_null(), REPORT_NOTE,
			   "cannot be told: ask the distribution");
	for (i = 0; i < n; i++) {
		print_version(faults[i].fixed, text);
		report_add(r, "faults", faults[i].id,
			   json_pack("{s:s, s:s}", "what", faults[i].what,
				     "fixed", text), REPORT_NOTE,
			   "may be affected (%s); fixed upstream in %s, or by "
			   "the distribution", faults[i].what, text);
	}
}

void section_kernel(struct report *r)
{
	struct probe_kernel kernel;

	probe_kernel(&kernel);
	add_version(r, &kernel);
	add_tls(r);
	add_faults(r, &kernel);
}

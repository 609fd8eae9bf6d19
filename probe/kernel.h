/* SPDX-License-Identifier: MIT */
/*
 * Which Linux this is, and what files below /proc say. What is in probe/ finds
 * out what a machine can do: for ktlsd at its start, and for ktls-probe.
 */
#ifndef PROBE_KERNEL_H
#define PROBE_KERNEL_H

#include <stdbool.h>

/* Versions as numbers that compare; a patch level may well be over 255. */
#define PROBE_VERSION(major, minor, patch) \
	((major) * 1000000u + (minor) * 1000u + (patch))

/*
 * struct probe_kernel
 * @release: as uname -r prints it
 * @version: upstream's version that it is made from, PROBE_VERSION(); 0: none
 * @exact:   whether the patch level is known. Distributions may call every
 *           6.8.y "6.8.0-45", and say elsewhere, or nowhere, what y is
 */
struct probe_kernel {
	char release[65];
	unsigned int version;
	bool exact;
};

void probe_kernel(struct probe_kernel *kernel);

/*
 * probe_kernel_parse - the same, of what uname(2) says
 * @version:   "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-06-29)"
 * @signature: /proc/version_signature, "Ubuntu 6.8.0-45.45-generic 6.8.12";
 *             NULL where there is none
 */
void probe_kernel_parse(const char *release, const char *version,
			const char *signature, struct probe_kernel *kernel);

/*
 * probe_number - the number behind @key at the beginning of a line of a file
 * @key: "" for the first line
 * Returns -1 where there is no such file or line, or no number.
 */
long probe_number(const char *path, const char *key);

/*
 * probe_has_tls - is kTLS there, without asking for the module?
 * Returns 1, 0, or -1 where the kernel does not say.
 */
int probe_has_tls(void);

#endif

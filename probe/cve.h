/* SPDX-License-Identifier: MIT */
/*
 * Known faults of the kernel's TLS, by version. A version proves nothing:
 * distributions repair a fault without another number, so whoever is told is
 * told that the kernel may be affected.
 */
#ifndef PROBE_CVE_H
#define PROBE_CVE_H

#include "probe/kernel.h"

/*
 * struct probe_fault
 * @id:    "CVE-2025-39682"
 * @what:  a few words: what goes wrong
 * @fixed: upstream's first version without it, of this kernel's series, or where
 *         that has none, of a later one; PROBE_VERSION()
 */
struct probe_fault {
	const char *id, *what;
	unsigned int fixed;
};

/*
 * probe_faults - what a kernel may be affected by
 * @out: gets PROBE_FAULTS_MAX at most
 * Returns how many. None for one whose patch level is not known (@kernel->exact),
 * nor for one before 6.1, where ktlsd does not run.
 */
#define PROBE_FAULTS_MAX 32
unsigned int probe_faults(const struct probe_kernel *kernel,
			  struct probe_fault out[PROBE_FAULTS_MAX]);

/* probe_faults_known - how many this program knows of */
unsigned int probe_faults_known(void);

#endif

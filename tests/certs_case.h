/* SPDX-License-Identifier: MIT */
/* What loading certificates says in the log, for tests of certs and slots. */
#ifndef TESTS_CERTS_CASE_H
#define TESTS_CERTS_CASE_H

#include <criterion/criterion.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/certs.h"

static char certs_said[4096];

/* Loads after @previous, and keeps what was logged for said(). */
static inline struct certs *load_certs_after(const struct config *config,
					     const struct certs *previous)
{
	int old_stderr = dup(STDERR_FILENO);
	int log = memfd_create("log", MFD_CLOEXEC);
	struct certs *certs;
	ssize_t n;

	cr_assert_geq(log, 0);
	dup2(log, STDERR_FILENO);
	certs = certs_load(config, KTLS_ALL_PAIRS, NULL, previous);
	dup2(old_stderr, STDERR_FILENO);
	n = pread(log, certs_said, sizeof(certs_said) - 1, 0);
	certs_said[n > 0 ? n : 0] = '\0';
	close(log);
	close(old_stderr);
	return certs;
}

static inline struct certs *load_certs(const struct config *config)
{
	return load_certs_after(config, NULL);
}

static inline const char *said(void)
{
	return certs_said;
}

#endif

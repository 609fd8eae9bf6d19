/* SPDX-License-Identifier: MIT */
/* What people are shown, on standard output. */
#ifndef STAPLE_SHOW_H
#define STAPLE_SHOW_H

#include "tools/staple/files.h"

/* "CN=localhost", printable ASCII; cut short */
const char *staple_subject(X509 *cert, char out[static 300]);

/* "6 d 23 h", of seconds from 0 */
const char *staple_span(int64_t seconds, char out[static 40]);
/* "2026-11-20T10:00:00Z" */
const char *staple_time(int64_t time, char out[static 40]);

/* staple_show_cert - subject, names, serial, fingerprint, must-staple */
void staple_show_cert(const struct staple_cert *cert);

/*
 * staple_show_verdict - "WORD: SENTENCE", and @times for the verdicts that fill
 * them
 */
void staple_show_verdict(enum ocsp_verdict verdict,
			 const struct ocsp_times *times, int64_t now);

#endif

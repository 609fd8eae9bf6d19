/* SPDX-License-Identifier: MIT */
/*
 * Which OCSP responses may be stapled (RFC 6960, RFC 9919). Pure: bytes and
 * times in, a verdict out; no file, no socket, no clock.
 */
#ifndef OCSP_H
#define OCSP_H

#include <stddef.h>
#include <stdint.h>

struct ocsp_bytes {
	const uint8_t *data;
	size_t len;
};

/* One value per reason; ocsp_reason() has its sentence. */
enum ocsp_verdict {
	OCSP_OK,
	/* … one per check of ocsp_check(), in its order … */
};

/*
 * struct ocsp_times - when a response holds, in seconds since the epoch
 * @next_update: first second at which it may no longer be sent, the
 *               delegate's certificate's end included
 */
struct ocsp_times {
	int64_t this_update;
	int64_t next_update;
};

/*
 * ocsp_check - may this response be stapled for this certificate?
 * @der:    the response as it came
 * @leaf:   the certificate, DER
 * @issuer: its issuer's certificate, DER
 * @now:    seconds since the epoch
 * @times:  filled when OCSP_OK
 */
enum ocsp_verdict ocsp_check(struct ocsp_bytes der, struct ocsp_bytes leaf,
			     struct ocsp_bytes issuer, int64_t now,
			     struct ocsp_times *times);

/* A sentence fragment for a log line: "it is for another certificate". */
const char *ocsp_reason(enum ocsp_verdict verdict);

#endif

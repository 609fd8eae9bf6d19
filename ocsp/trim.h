/* SPDX-License-Identifier: MIT */
/* What a response brings along that no signature covers. */
#ifndef OCSP_TRIM_H
#define OCSP_TRIM_H

#include "ocsp/ocsp.h"

/*
 * ocsp_trim - leave out the certificates that do not vouch for a response
 * Nobody signs which ones come with it: whoever is between us and a responder
 * could add some until no client takes the handshake that has to carry them.
 * What stays is the delegate's; if the issuer itself signed, the issuer's, where
 * it came, for clients that do not have it.
 * @der:    what ocsp_check() found OCSP_OK or OCSP_REVOKED; changed in place
 * @issuer: and @now, as they were then
 * Returns how much of @der is left: a response of the same verdict and times.
 * All of it when out of memory.
 */
size_t ocsp_trim(uint8_t *der, size_t len, struct ocsp_bytes issuer,
		 int64_t now);

#endif

/* SPDX-License-Identifier: MIT */
/* What versions and ciphers are called. */
#ifndef TOOLS_PROBE_NAMES_H
#define TOOLS_PROBE_NAMES_H

#include "ktls/keys.h"

static inline const char *name_version(uint16_t version)
{
	return version == KTLS_TLS13 ? "TLSv1.3" :
	       version == KTLS_TLS12 ? "TLSv1.2" : "?";
}

static inline const char *name_cipher(enum ktls_cipher cipher)
{
	static const char *const names[KTLS_CIPHERS] = {
		[KTLS_AES_128_GCM] = "AES-128-GCM",
		[KTLS_AES_256_GCM] = "AES-256-GCM",
		[KTLS_CHACHA20_POLY1305] = "CHACHA20-POLY1305",
	};

	return names[cipher];
}

#endif

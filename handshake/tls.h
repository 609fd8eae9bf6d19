/* SPDX-License-Identifier: MIT */
/* What may be negotiated: versions, ciphers, groups, signature algorithms. */
#ifndef HANDSHAKE_TLS_H
#define HANDSHAKE_TLS_H

#include <stddef.h>
#include <stdint.h>

/*
 * After Mozilla's Server Side TLS guidelines, version 5.7, without its
 * ciphers of finite-field DHE, which 6.0 has dropped too, and with 6.0's group
 * X25519MLKEM768 first where OpenSSL has it, 3.5 and newer.
 * _MODERN: TLS 1.3. _INTERMEDIATE: TLS 1.2 too, by ECDHE with AEADs. Both leave
 * the order of ciphers to the client, and name X25519, P-256 and P-384.
 */
enum hs_preset { HS_PRESET_NONE, HS_PRESET_MODERN, HS_PRESET_INTERMEDIATE };

struct hs_option {
	const char *name, *value;
};

/*
 * struct hs_tls - borrowed; NULL and 0: the preset's; without one: OpenSSL's
 * default groups and signature algorithms, TLS 1.2 and 1.3, all ciphers that the
 * kernel takes, in our order
 * @min_version: KTLS_TLS12, KTLS_TLS13
 * @ciphers, @ciphersuites: of TLS 1.2 and 1.3, by OpenSSL's names, ':' between
 *               them; those that cannot be offloaded (hs_config's pairs) are left
 *               out, and it is an error when none is left of a version that was
 *               to be offered, or one is not an AEAD with ECDHE
 * @groups, @signature_algorithms: likewise by OpenSSL's names; one behind '?' may
 *               be unknown to it. Each once
 * @options:     of SSL_CONF_cmd(3), its names for files, from a short list of
 *               those that endanger neither kTLS nor how sessions are bound nor
 *               what is read from the socket: see tls.c
 */
struct hs_tls {
	enum hs_preset preset;
	uint16_t min_version;
	const char *ciphers, *ciphersuites, *groups, *signature_algorithms;
	const struct hs_option *options;
	size_t n_options;
};

/*
 * hs_tls_check - can this be offered?
 * @pairs:  see struct hs_config
 * @option: gets the option at fault; NULL: it is none of them
 * Returns 0, or -EINVAL or -EIO and a sentence in @error, which begins with
 * the name of the field. hs_ctx_new() would say the same.
 */
int hs_tls_check(const struct hs_tls *tls, unsigned int pairs,
		 const struct hs_option **option, char *error,
		 size_t error_len);

#endif

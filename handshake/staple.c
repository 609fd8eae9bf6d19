// SPDX-License-Identifier: MIT
/*
 * Stapling (RFC 6066 8, RFC 8446 4.4.2.1): what is kept, and whether it is sent.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ocsp.h>

#include "handshake/internal.h"

int hs_cert_set_staple(struct hs_cert *cert, unsigned int depth,
		       struct ocsp_bytes der, const struct ocsp_times *times)
{
	struct hs_response *r = &cert->positions[depth].response;
	uint8_t *copy = NULL;

	if (der.len) {
		copy = malloc(der.len);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, der.data, der.len);
	}
	free(r->der);
	r->der = copy;
	r->len = der.len;
	if (der.len)
		r->times = *times;
	return 0;
}

bool hs_cert_staple_times(const struct hs_cert *cert, unsigned int depth,
			  struct ocsp_times *times)
{
	const struct hs_response *r = &cert->positions[depth].response;

	if (r->len)
		*times = r->times;
	return r->len;
}

void hs_cert_require_staple(struct hs_cert *cert, bool required)
{
	cert->staple_required = required;
}

/*
 * Seconds that a staple must have left when it is sent, to be valid still when it
 * arrives: a second that has begun counts as over.
 */
#define ON_ITS_WAY 1

/* What would become of it at @now */
static enum hs_staple judge(const struct hs_response *r, int64_t now)
{
	if (!r->len)
		return HS_STAPLE_NONE;
	if (now >= r->times.next_update - ON_ITS_WAY)
		return HS_STAPLE_EXPIRED;
	return ocsp_holds(&r->times, ocsp_default_limits.skew, now) ?
		       HS_STAPLE_SENT : HS_STAPLE_NOT_YET;
}

#if HS_STAPLES_CHAIN

/*
 * One of a position whose predecessor has none is not sent: clients made with
 * OpenSSL see what came, in order, but not for which position.
 */
static STACK_OF(OCSP_RESPONSE) *collect(const struct hs_cert *cert,
					unsigned int depths, int64_t now)
{
	STACK_OF(OCSP_RESPONSE) *stack = sk_OCSP_RESPONSE_new_null();
	unsigned int i;

	for (i = 0; i < depths; i++) {
		const struct hs_response *r = &cert->positions[i].response;
		const unsigned char *p = r->der;
		OCSP_RESPONSE *response;

		if (judge(r, now) != HS_STAPLE_SENT)
			break;
		response = d2i_OCSP_RESPONSE(NULL, &p, r->len);
		if (!response || !sk_OCSP_RESPONSE_push(stack, response)) {
			OCSP_RESPONSE_free(response);
			break;
		}
	}
	return stack;
}

/*
 * OpenSSL takes objects, and frees them. It leaves out those that are not for
 * the certificate at their position, which ours are. False: out of memory.
 */
static bool attach(SSL *ssl, const struct hs_cert *cert, int64_t now)
{
	unsigned int depths = SSL_version(ssl) == TLS1_3_VERSION ?
				      cert->depths : 1;
	STACK_OF(OCSP_RESPONSE) *stack = collect(cert, depths, now);

	if (sk_OCSP_RESPONSE_num(stack) < 1) {
		sk_OCSP_RESPONSE_free(stack);
		return false;
	}
	return SSL_set0_tlsext_status_ocsp_resp_ex(ssl, stack);
}

#else

/* OpenSSL frees the copy. False: out of memory. */
static bool attach(SSL *ssl, const struct hs_cert *cert, int64_t now)
{
	const struct hs_response *r = &cert->positions[0].response;
	uint8_t *copy = OPENSSL_memdup(r->der, r->len);

	(void)now;
	return copy && SSL_set_tlsext_status_ocsp_resp(ssl, copy, r->len);
}

#endif

static int refuse(struct hs *hs, const struct hs_cert *cert)
{
	hs->staple = HS_STAPLE_REFUSED;
	hs_blame(hs, HS_F_STAPLE, "no valid staple for the certificate %s, "
		 "which must have one", hs_cert_name(cert));
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int hs_staple(SSL *ssl, void *arg)
{
	struct hs *hs = hs_of(ssl);
	const struct hs_cert *cert = hs_cert_used(hs);

	(void)arg;
	hs->staple = judge(&cert->positions[0].response, hs->now);
	if (hs->staple == HS_STAPLE_SENT && attach(ssl, cert, hs->now))
		return SSL_TLSEXT_ERR_OK;
	if (hs->staple == HS_STAPLE_SENT)
		hs->staple = HS_STAPLE_NONE;
	return cert->staple_required ? refuse(hs, cert) : SSL_TLSEXT_ERR_NOACK;
}

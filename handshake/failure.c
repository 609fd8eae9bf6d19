// SPDX-License-Identifier: MIT
/*
 * Why a handshake failed: a reason to count, a sentence to log, an alert.
 */
#include <stdarg.h>
#include <stdio.h>

#include <openssl/err.h>

#include "handshake/internal.h"

enum hs_failure hs_failure(const struct hs *hs)
{
	return hs->failure;
}

const char *hs_error(const struct hs *hs)
{
	return hs->error;
}

enum hs_step hs_fail(struct hs *hs, enum hs_failure failure, uint8_t alert,
		     const char *sentence)
{
	if (hs->failure == HS_F_NONE) {
		hs->failure = failure;
		snprintf(hs->error, sizeof(hs->error), "%s", sentence);
	}
	hs_alert(hs, alert);
	return hs->step = HS_FAIL;
}

void hs_blame(struct hs *hs, enum hs_failure failure, const char *format, ...)
{
	va_list args;

	if (hs->failure != HS_F_NONE)
		return;
	hs->failure = failure;
	va_start(args, format);
	vsnprintf(hs->error, sizeof(hs->error), format, args);
	va_end(args);
}

static enum hs_failure of_alert(uint8_t alert)
{
	switch (alert) {
	case SSL_AD_RECORD_OVERFLOW:
		return HS_F_RECORD_OVERFLOW;
	case SSL_AD_PROTOCOL_VERSION:
	case SSL_AD_INAPPROPRIATE_FALLBACK:
		return HS_F_VERSION;
	case SSL_AD_HANDSHAKE_FAILURE:
	case SSL_AD_INSUFFICIENT_SECURITY:
		return HS_F_CIPHER;
	case SSL_AD_INTERNAL_ERROR:
		return HS_F_INTERNAL;
	default:
		return HS_F_PROTOCOL;
	}
}

enum hs_step hs_fail_peer(struct hs *hs, int alert)
{
	snprintf(hs->error, sizeof(hs->error), "the peer sent alert %d, %s",
		 alert, SSL_alert_desc_string_long(alert));
	hs->failure = HS_F_ALERT;
	return hs->step = HS_FAIL;
}

enum hs_step hs_fail_ssl(struct hs *hs, int ssl_error)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);
	int code = ERR_GET_REASON(error);
	int n;

	if (hs->no_memory || code == ERR_R_MALLOC_FAILURE)
		return hs_fail(hs, HS_F_INTERNAL, SSL_AD_INTERNAL_ERROR,
			       "out of memory");
	if (ssl_error == SSL_ERROR_ZERO_RETURN)
		return hs_fail_peer(hs, SSL_AD_CLOSE_NOTIFY);
	if (ERR_GET_LIB(error) == ERR_LIB_SSL && code > SSL_AD_REASON_OFFSET)
		return hs_fail_peer(hs, code - SSL_AD_REASON_OFFSET);

	/* A callback of ours may have said why. */
	if (hs->failure != HS_F_NONE)
		return hs_fail(hs, hs->failure, hs->refusal ?
			       hs->refusal : SSL_AD_INTERNAL_ERROR, "");
	if (code == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		return hs_fail(hs, HS_F_CLIENT, SSL_AD_INTERNAL_ERROR,
			       "the client has no certificate");

	/* Where OpenSSL is silent the fault is the peer's bytes. */
	hs_alert(hs, SSL_AD_UNEXPECTED_MESSAGE);
	hs->failure = of_alert(hs->alert);
	n = snprintf(hs->error, sizeof(hs->error), "%s",
		     reason ? reason : "the handshake broke off");
	if (hs->alerted && (size_t)n < sizeof(hs->error))
		snprintf(hs->error + n, sizeof(hs->error) - n,
			 "; sent alert %d, %s", hs->alert,
			 SSL_alert_desc_string_long(hs->alert));
	return hs->step = HS_FAIL;
}

void hs_abort(struct hs *hs, uint8_t alert)
{
	if (hs->step == HS_FAIL)
		return;
	hs_alert(hs, alert);
	hs->step = HS_FAIL;
}

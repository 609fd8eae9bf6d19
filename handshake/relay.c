// SPDX-License-Identifier: MIT
/*
 * The record layer in user space, for connections that the kernel does not
 * take.
 */
#include <errno.h>

#include <openssl/err.h>

#include "handshake/internal.h"

/* From here on the sequence numbers are OpenSSL's, KeyUpdates included. */
static bool begin(struct hs *hs)
{
	if (hs->step != HS_DONE || hs->keys_taken)
		return false;
	if (hs->relayed)
		return true;
	hs->relayed = true;
	hs_forget_secrets(hs);
	/* An idle relay need not keep 32 KiB of record buffers. */
	SSL_set_mode(hs->ssl, SSL_MODE_RELEASE_BUFFERS);
	return true;
}

static int refuse(struct hs *hs, int ssl_error)
{
	bool no_memory = hs->no_memory;

	hs_fail_ssl(hs, ssl_error);
	return no_memory ? -ENOMEM : -EPROTO;
}

ssize_t hs_read(struct hs *hs, const uint8_t *in, size_t in_len, size_t *used,
		uint8_t *buf, size_t len)
{
	size_t got = 0;
	int error;
	int ret;

	*used = 0;
	if (!begin(hs))
		return -EPROTO;
	hs->in = in;
	hs->in_len = in_len;
	ERR_clear_error();
	ret = SSL_read_ex(hs->ssl, buf, len, &got);
	*used = in_len - hs->in_len;
	hs->in = NULL;
	hs->in_len = 0;
	if (ret == 1)
		return got;
	error = SSL_get_error(hs->ssl, ret);
	if (error == SSL_ERROR_ZERO_RETURN)
		return 0;
	if (error == SSL_ERROR_WANT_READ && !hs->no_memory)
		return -EAGAIN;
	return refuse(hs, error);
}

int hs_write(struct hs *hs, const uint8_t *data, size_t len)
{
	size_t put;
	int ret;

	if (!begin(hs))
		return -EPROTO;
	if (SSL_get_shutdown(hs->ssl) & SSL_SENT_SHUTDOWN)
		return -EPIPE;
	if (!len)
		return 0;
	ERR_clear_error();
	ret = SSL_write_ex(hs->ssl, data, len, &put);
	return ret == 1 ? 0 : refuse(hs, SSL_get_error(hs->ssl, ret));
}

void hs_close(struct hs *hs)
{
	if (!begin(hs))
		return;
	ERR_clear_error();
	SSL_shutdown(hs->ssl);
}

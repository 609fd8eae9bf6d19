// SPDX-License-Identifier: MIT
/*
 * The byte streams: OpenSSL reads straight from the caller's slice and writes
 * into the output buffer; the records are counted on the way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handshake/internal.h"

#define OUT_MIN 4096	/* a flight with an ECDSA chain */

/* It may be spread over records. */
static void keep_head(struct hs_stream *s, const uint8_t *p, size_t len)
{
	if (s->header[0] != SSL3_RT_HANDSHAKE)
		return;
	while (len-- && s->n_head < sizeof(s->head))
		s->head[s->n_head++] = *p++;
}

void hs_stream_scan(struct hs_stream *s, const uint8_t *p, size_t len)
{
	size_t n;

	while (len) {
		if (s->left) {
			n = len < s->left ? len : s->left;
			if (s->n_head < sizeof(s->head))
				keep_head(s, p, n);
			s->left -= n;
			p += n;
			len -= n;
			continue;
		}
		s->header[s->have++] = *p++;
		len--;
		if (s->have < sizeof(s->header))
			continue;
		s->have = 0;
		s->left = s->header[3] << 8 | s->header[4];
		/*
		 * TLS 1.2: here the key changes and the sequence begins
		 * (RFC 5246 6.1). TLS 1.3: never encrypted, never counted.
		 */
		if (s->header[0] == SSL3_RT_CHANGE_CIPHER_SPEC) {
			s->changed = true;
			s->records = 0;
		} else {
			s->records++;
		}
	}
}

static int out_reserve(struct hs *hs, size_t len)
{
	size_t used = hs->out_end - hs->out_start;
	size_t size = hs->out_size ? hs->out_size : OUT_MIN;
	uint8_t *out;

	if (hs->out_size - hs->out_end >= len)
		return 0;
	if (used)
		memmove(hs->out, hs->out + hs->out_start, used);
	hs->out_start = 0;
	hs->out_end = used;
	if (hs->out_size - used >= len)
		return 0;
	while (size - used < len)
		size *= 2;
	out = realloc(hs->out, size);
	if (!out)
		return -ENOMEM;
	hs->out = out;
	hs->out_size = size;
	return 0;
}

int hs_append(struct hs *hs, const uint8_t *p, size_t len)
{
	if (out_reserve(hs, len)) {
		hs->no_memory = true;
		return -ENOMEM;
	}
	memcpy(hs->out + hs->out_end, p, len);
	hs->out_end += len;
	hs_stream_scan(&hs->tx, p, len);
	return 0;
}

static size_t take(struct hs *hs, char *buf, size_t len)
{
	size_t n = hs->first_len - hs->first_off;

	if (n) {
		n = n < len ? n : len;
		memcpy(buf, hs->first + hs->first_off, n);
		hs->first_off += n;
		return n;
	}
	n = hs->in_len < len ? hs->in_len : len;
	if (n)
		memcpy(buf, hs->in, n);
	hs->in += n;
	hs->in_len -= n;
	return n;
}

static int bio_read(BIO *bio, char *buf, size_t len, size_t *got)
{
	struct hs *hs = BIO_get_data(bio);

	/*
	 * TLS 1.3: when OpenSSL asks for the peer's Finished, its own has been
	 * written; what it writes after that is under the traffic key.
	 */
	if (hs->step == HS_MORE)
		hs->tx_base = hs->tx.records;
	BIO_clear_retry_flags(bio);
	*got = take(hs, buf, len);
	if (!*got) {
		BIO_set_retry_read(bio);
		return 0;
	}
	hs_stream_scan(&hs->rx, (uint8_t *)buf, *got);
	/*
	 * A second ClientHello, before OpenSSL makes room for it. TLS 1.2 has
	 * none, and its Finished, encrypted, begins with any byte.
	 */
	if (hs->rx.n_head < sizeof(hs->rx.head) ||
	    SSL_version(hs->ssl) != TLS1_3_VERSION ||
	    hs_hello_fits(hs, hs->rx.head))
		return 1;
	hs_fail_long(hs);
	*got = 0;
	return 0;
}

static int bio_write(BIO *bio, const char *buf, size_t len, size_t *put)
{
	struct hs *hs = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	*put = 0;
	/* After a refusal of ours OpenSSL has nothing to say but its alert. */
	if (!hs->refusal && hs_append(hs, (const uint8_t *)buf, len))
		return 0;
	*put = len;
	return 1;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *ptr)
{
	(void)bio;
	(void)num;
	(void)ptr;
	return cmd == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

BIO_METHOD *hs_bio_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "handshake");

	if (!m)
		return NULL;
	if (BIO_meth_set_create(m, bio_create) &&
	    BIO_meth_set_read_ex(m, bio_read) &&
	    BIO_meth_set_write_ex(m, bio_write) &&
	    BIO_meth_set_ctrl(m, bio_ctrl))
		return m;
	BIO_meth_free(m);
	return NULL;
}

// SPDX-License-Identifier: MIT
#include "message.h"
#include "message_types.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <netinet/in.h>

/* A place to write to; once something did not fit, nothing more does. */
struct writer {
	uint8_t *buf;
	size_t len, size;
	bool full;
};

static void put(struct writer *w, const void *data, size_t len)
{
	if (w->full || len > w->size - w->len) {
		w->full = true;
		return;
	}
	if (len)
		memcpy(w->buf + w->len, data, len);
	w->len += len;
}

static void put_tlv(struct writer *w, uint8_t type, const void *data,
		    size_t len)
{
	const uint8_t head[3] = {type, len >> 8, len};

	if (len > UINT16_MAX)
		w->full = true;
	put(w, head, sizeof(head));
	put(w, data, len);
}

static void put_bytes(struct writer *w, uint8_t type, struct ktls_bytes bytes)
{
	if (bytes.len)
		put_tlv(w, type, bytes.data, bytes.len);
}

/* For a length known only once what follows it is written. */
static size_t begin_tlv(struct writer *w, uint8_t type)
{
	put_tlv(w, type, NULL, 0);
	return w->len;
}

static void end_tlv(struct writer *w, size_t start)
{
	const size_t len = w->len - start;

	if (w->full)
		return;
	if (len > UINT16_MAX)
		w->full = true;
	w->buf[start - 2] = len >> 8;
	w->buf[start - 1] = len;
}

static void put_ssl(struct writer *w, const struct ktls_info *info)
{
	/* verify, in big-endian, is 0 for a verified client certificate only. */
	uint8_t prefix[SSL_PREFIX_LEN] = {SSL_CLIENT_SSL, 0, 0, 0,
					  !info->client_verified};
	const size_t start = begin_tlv(w, TLV_SSL);

	if (info->client_verified)
		prefix[0] |= SSL_CLIENT_CERT_SESS;
	if (info->client_verified && !info->resumed)
		prefix[0] |= SSL_CLIENT_CERT_CONN;
	put(w, prefix, sizeof(prefix));
	put_bytes(w, SSL_VERSION, info->version);
	put_bytes(w, SSL_CIPHER, info->cipher);
	put_bytes(w, SSL_SIG_ALG, info->cert_sig_alg);
	put_bytes(w, SSL_KEY_ALG, info->key_alg);
	put_bytes(w, SSL_GROUP, info->group);
	put_bytes(w, SSL_SIG_SCHEME, info->sig_scheme);
	if (info->client_verified) {
		put_bytes(w, SSL_CN, info->client_cn);
		put_bytes(w, SSL_CLIENT_CERT, info->client_cert);
	}
	end_tlv(w, start);
}

/* What the route asked for. */
static void put_told(struct writer *w, const struct ktls_info *info)
{
	if (info->mode == KTLS_PLAIN)
		return;
	put_bytes(w, KTLS_SUB_EXPORTER, info->exporter);
	put_bytes(w, KTLS_SUB_END_POINT, info->end_point);
	put_bytes(w, KTLS_SUB_JA4, info->ja4);
}

static void put_own(struct writer *w, const struct ktls_info *info,
		    const struct ktls_msg_secrets *secrets)
{
	const uint8_t mode = info->mode, resumed = !!info->resumed;
	const size_t start = begin_tlv(w, KTLS_TLV);
	uint8_t time[8];

	for (int i = 0; i < 8; i++)
		time[i] = info->handoff_ns >> (56 - 8 * i);
	put_tlv(w, KTLS_SUB_MODE, &mode, 1);
	put_tlv(w, KTLS_SUB_RESUMED, &resumed, 1);
	put_tlv(w, KTLS_SUB_TIME, time, sizeof(time));
	if (info->client_verified && info->mode != KTLS_PLAIN) {
		put_bytes(w, KTLS_SUB_SUBJECT, info->client_subject);
		put_bytes(w, KTLS_SUB_SANS, info->client_sans);
		put_bytes(w, KTLS_SUB_SHA256, info->client_sha256);
	}
	put_told(w, info);
	if (secrets && info->mode == KTLS_KERNEL) {
		put_bytes(w, KTLS_SUB_RX_SECRET, secrets->rx);
		put_bytes(w, KTLS_SUB_TX_SECRET, secrets->tx);
	}
	end_tlv(w, start);
}

static void put_tcp4(struct writer *w, const void *src, const void *dst,
		     in_port_t src_port, in_port_t dst_port)
{
	put(w, src, 4);
	put(w, dst, 4);
	put(w, &src_port, 2);
	put(w, &dst_port, 2);
}

/* Returns the family byte of the addresses it wrote. */
static uint8_t put_addresses(struct writer *w, const struct ktls_info *info)
{
	const struct sockaddr_in *src4 = (const void *)&info->peer;
	const struct sockaddr_in *dst4 = (const void *)&info->local;
	const struct sockaddr_in6 *src6 = (const void *)&info->peer;
	const struct sockaddr_in6 *dst6 = (const void *)&info->local;

	if (info->peer.ss_family != info->local.ss_family)
		return FAMILY_UNSPEC;
	if (info->peer.ss_family == AF_INET) {
		put_tcp4(w, &src4->sin_addr, &dst4->sin_addr, src4->sin_port,
			 dst4->sin_port);
		return FAMILY_TCP4;
	}
	if (info->peer.ss_family != AF_INET6)
		return FAMILY_UNSPEC;
	if (IN6_IS_ADDR_V4MAPPED(&src6->sin6_addr) &&
	    IN6_IS_ADDR_V4MAPPED(&dst6->sin6_addr)) {
		put_tcp4(w, src6->sin6_addr.s6_addr + 12,
			 dst6->sin6_addr.s6_addr + 12, src6->sin6_port,
			 dst6->sin6_port);
		return FAMILY_TCP4;
	}
	put(w, &src6->sin6_addr, 16);
	put(w, &dst6->sin6_addr, 16);
	put(w, &src6->sin6_port, 2);
	put(w, &dst6->sin6_port, 2);
	return FAMILY_TCP6;
}

/* Which TLVs a reader may have; NULL: all. */
static bool may_have(const char *allowed, uint8_t type)
{
	return !allowed || strchr(allowed, type);
}

static void put_all(struct writer *w, const struct ktls_info *info,
		    const struct ktls_msg_secrets *secrets, const char *allowed)
{
	if (may_have(allowed, TLV_ALPN))
		put_bytes(w, TLV_ALPN, info->alpn);
	if (may_have(allowed, TLV_AUTHORITY))
		put_bytes(w, TLV_AUTHORITY, info->server_name);
	if (may_have(allowed, TLV_UNIQUE_ID))
		put_bytes(w, TLV_UNIQUE_ID, info->unique_id);
	if (info->mode != KTLS_PLAIN && may_have(allowed, TLV_SSL))
		put_ssl(w, info);
	if (may_have(allowed, KTLS_TLV))
		put_own(w, info, secrets);
}

static ssize_t encode(const struct ktls_info *info,
		      const struct ktls_msg_secrets *secrets,
		      const char *allowed, uint8_t *buf, size_t size)
{
	struct writer w = {
		.buf = buf,
		.size = size < KTLS_MSG_MAX ? size : KTLS_MSG_MAX,
	};
	uint8_t head[4] = {VERSION_PROXY};

	put(&w, SIGNATURE, SIGNATURE_LEN);
	put(&w, head, sizeof(head));
	head[1] = put_addresses(&w, info);
	put_all(&w, info, secrets, allowed);
	if (w.full)
		return -EMSGSIZE;
	head[2] = (w.len - HEADER_LEN) >> 8;
	head[3] = w.len - HEADER_LEN;
	memcpy(buf + SIGNATURE_LEN, head, sizeof(head));
	return w.len;
}

ssize_t ktls_msg_encode(const struct ktls_info *info,
			const struct ktls_msg_secrets *secrets, uint8_t *buf,
			size_t size)
{
	return encode(info, secrets, NULL, buf, size);
}

ssize_t ktls_msg_encode_public(const struct ktls_info *info, uint8_t *buf,
			       size_t size)
{
	static const char allowed[] = {TLV_ALPN, TLV_AUTHORITY, TLV_UNIQUE_ID,
				       TLV_SSL, '\0'};

	return encode(info, NULL, allowed, buf, size);
}

// SPDX-License-Identifier: MIT
#include "message.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

/* The header: signature, version and command, family, length of the rest. */
static const uint8_t signature[12] = "\r\n\r\n\0\r\nQUIT\n";
#define HEADER_LEN 16
#define VERSION_PROXY 0x21
#define FAMILY_UNSPEC 0x00
#define FAMILY_TCP4 0x11
#define FAMILY_TCP6 0x21
#define TCP4_LEN 12
#define TCP6_LEN 36

#define TLV_ALPN 0x01
#define TLV_AUTHORITY 0x02
#define TLV_UNIQUE_ID 0x05
#define TLV_SSL 0x20
#define SSL_VERSION 0x21
#define SSL_CN 0x22
#define SSL_CIPHER 0x23
#define SSL_SIG_ALG 0x24
#define SSL_KEY_ALG 0x25
#define SSL_GROUP 0x26
#define SSL_SIG_SCHEME 0x27
#define SSL_CLIENT_CERT 0x28

/* Before the sub-TLVs of TLV_SSL: client flags (1 byte), verify (4 bytes). */
#define SSL_PREFIX_LEN 5
#define SSL_CLIENT_SSL 0x01
#define SSL_CLIENT_CERT_CONN 0x02 /* it came with this connection, */
#define SSL_CLIENT_CERT_SESS 0x04 /* or an earlier one of its session */

#define SHA256_LEN 32

/* Of what the route asked for; END_POINT's is the most it can have. */
#define EXPORTER_LEN 32
#define END_POINT_MAX 64
#define JA4_LEN 36

/* SHA-256's output and SHA-384's. */
#define SECRET_LEN 32
#define LONG_SECRET_LEN 48

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

	put(&w, signature, sizeof(signature));
	put(&w, head, sizeof(head));
	head[1] = put_addresses(&w, info);
	put_all(&w, info, secrets, allowed);
	if (w.full)
		return -EMSGSIZE;
	head[2] = (w.len - HEADER_LEN) >> 8;
	head[3] = w.len - HEADER_LEN;
	memcpy(buf + sizeof(signature), head, sizeof(head));
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

static size_t be16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

/* Takes @len bytes from the front of @in; NULL when it has fewer. */
static const uint8_t *take(struct ktls_bytes *in, size_t len)
{
	const uint8_t *data = in->data;

	if (len > in->len)
		return NULL;
	in->data += len;
	in->len -= len;
	return data;
}

/*
 * Takes one TLV. Returns its type, -ENODATA at the end of @in, or -EPROTO.
 */
static int take_tlv(struct ktls_bytes *in, struct ktls_bytes *value)
{
	const uint8_t *head;

	if (!in->len)
		return -ENODATA;
	head = take(in, 3);
	if (!head)
		return -EPROTO;
	value->len = be16(head + 1);
	value->data = take(in, value->len);
	return value->data ? head[0] : -EPROTO;
}

/* Was there a certificate, and is verify 0? */
static bool is_verified(const uint8_t *prefix)
{
	static const uint8_t ok[SSL_PREFIX_LEN - 1];

	return prefix[0] & (SSL_CLIENT_CERT_CONN | SSL_CLIENT_CERT_SESS) &&
	       !memcmp(prefix + 1, ok, sizeof(ok));
}

static int take_ssl(struct ktls_info *info, struct ktls_bytes in)
{
	const uint8_t *prefix = take(&in, SSL_PREFIX_LEN);
	struct ktls_bytes value;
	int type;

	if (!prefix)
		return -EPROTO;
	info->client_verified = is_verified(prefix);
	while ((type = take_tlv(&in, &value)) >= 0) {
		switch (type) {
		case SSL_VERSION:
			info->version = value;
			break;
		case SSL_CIPHER:
			info->cipher = value;
			break;
		case SSL_SIG_ALG:
			info->cert_sig_alg = value;
			break;
		case SSL_KEY_ALG:
			info->key_alg = value;
			break;
		case SSL_GROUP:
			info->group = value;
			break;
		case SSL_SIG_SCHEME:
			info->sig_scheme = value;
			break;
		case SSL_CN:
			info->client_cn = value;
			break;
		case SSL_CLIENT_CERT:
			info->client_cert = value;
			break;
		}
	}
	return type == -ENODATA ? 0 : type;
}

/* Of lengths that a consumer may rely on. Returns 0 or -EPROTO. */
static int take_told(struct ktls_info *info, int type, struct ktls_bytes value)
{
	switch (type) {
	case KTLS_SUB_EXPORTER:
		info->exporter = value;
		return value.len == EXPORTER_LEN ? 0 : -EPROTO;
	case KTLS_SUB_END_POINT:
		info->end_point = value;
		return value.len <= END_POINT_MAX ? 0 : -EPROTO;
	case KTLS_SUB_JA4:
		info->ja4 = value;
		return value.len == JA4_LEN ? 0 : -EPROTO;
	default:
		return 0;
	}
}

/* Each once: of two, one would not be wiped. Returns 0 or -EPROTO. */
static int take_secret(struct ktls_msg_secrets *secrets, int type,
		       struct ktls_bytes value)
{
	struct ktls_bytes *secret =
		type == KTLS_SUB_RX_SECRET ? &secrets->rx : &secrets->tx;

	if (secret->len ||
	    (value.len != SECRET_LEN && value.len != LONG_SECRET_LEN))
		return -EPROTO;
	*secret = value;
	return 0;
}

/* Returns 1 when the mode, without which a connection is no use, is there. */
static int take_own(struct ktls_info *info, struct ktls_msg_secrets *secrets,
		    struct ktls_bytes in)
{
	struct ktls_bytes value;
	int type, has_mode = 0;

	while ((type = take_tlv(&in, &value)) >= 0) {
		switch (type) {
		case KTLS_SUB_MODE:
			if (value.len != 1 || value.data[0] > KTLS_PLAIN)
				return -EPROTO;
			info->mode = value.data[0];
			has_mode = 1;
			break;
		case KTLS_SUB_RESUMED:
			if (value.len != 1 || value.data[0] > 1)
				return -EPROTO;
			info->resumed = value.data[0];
			break;
		case KTLS_SUB_TIME:
			if (value.len != 8)
				return -EPROTO;
			info->handoff_ns = 0;
			for (int i = 0; i < 8; i++)
				info->handoff_ns = info->handoff_ns << 8 |
						   value.data[i];
			break;
		case KTLS_SUB_SUBJECT:
			info->client_subject = value;
			break;
		case KTLS_SUB_SANS:
			info->client_sans = value;
			break;
		case KTLS_SUB_SHA256:
			if (value.len != SHA256_LEN)
				return -EPROTO;
			info->client_sha256 = value;
			break;
		case KTLS_SUB_RX_SECRET:
		case KTLS_SUB_TX_SECRET:
			if (take_secret(secrets, type, value))
				return -EPROTO;
			break;
		default:
			if (take_told(info, type, value))
				return -EPROTO;
		}
	}
	return type == -ENODATA ? has_mode : type;
}

/* Who reads a name may take it for granted that it was verified. */
static void forget_client(struct ktls_info *info)
{
	info->client_cn = info->client_subject = (struct ktls_bytes){ 0 };
	info->client_sans = info->client_sha256 = info->client_cn;
	info->client_cert = info->client_cn;
}

static bool secrets_fit(const struct ktls_info *info,
			const struct ktls_msg_secrets *secrets)
{
	return secrets->rx.len == secrets->tx.len &&
	       (!secrets->rx.len || info->mode == KTLS_KERNEL);
}

static int take_tlvs(struct ktls_info *info, struct ktls_msg_secrets *secrets,
		     struct ktls_bytes in)
{
	struct ktls_bytes value;
	int type, rc = 0, has_mode = 0;

	while (rc >= 0 && (type = take_tlv(&in, &value)) >= 0) {
		switch (type) {
		case TLV_ALPN:
			info->alpn = value;
			break;
		case TLV_AUTHORITY:
			info->server_name = value;
			break;
		case TLV_UNIQUE_ID:
			info->unique_id = value;
			break;
		case TLV_SSL:
			rc = take_ssl(info, value);
			break;
		case KTLS_TLV:
			rc = has_mode = take_own(info, secrets, value);
			break;
		}
	}
	if (!info->client_verified)
		forget_client(info);
	if (rc < 0 || type != -ENODATA || !has_mode)
		return -EPROTO;
	return secrets_fit(info, secrets) ? 0 : -EPROTO;
}

static void take_tcp4(struct sockaddr_storage *to, const uint8_t *addr,
		      const uint8_t *port)
{
	struct sockaddr_in *sin = (void *)to;

	sin->sin_family = AF_INET;
	memcpy(&sin->sin_addr, addr, 4);
	memcpy(&sin->sin_port, port, 2);
}

static void take_tcp6(struct sockaddr_storage *to, const uint8_t *addr,
		      const uint8_t *port)
{
	struct sockaddr_in6 *sin6 = (void *)to;

	sin6->sin6_family = AF_INET6;
	memcpy(&sin6->sin6_addr, addr, 16);
	memcpy(&sin6->sin6_port, port, 2);
}

static int take_addresses(struct ktls_info *info, uint8_t family,
			  struct ktls_bytes *in)
{
	const uint8_t *a;

	switch (family) {
	case FAMILY_UNSPEC:
		return 0;
	case FAMILY_TCP4:
		a = take(in, TCP4_LEN);
		if (!a)
			return -EPROTO;
		take_tcp4(&info->peer, a, a + 8);
		take_tcp4(&info->local, a + 4, a + 10);
		return 0;
	case FAMILY_TCP6:
		a = take(in, TCP6_LEN);
		if (!a)
			return -EPROTO;
		take_tcp6(&info->peer, a, a + 32);
		take_tcp6(&info->local, a + 16, a + 34);
		return 0;
	default:
		return -EPROTO;
	}
}

int ktls_msg_decode(struct ktls_info *info, struct ktls_msg_secrets *secrets,
		    const uint8_t *buf, size_t len)
{
	struct ktls_bytes in = {buf, len};
	const uint8_t *head = take(&in, HEADER_LEN);
	struct ktls_msg_secrets unused;

	if (!secrets)
		secrets = &unused;
	memset(info, 0, sizeof(*info));
	memset(secrets, 0, sizeof(*secrets));
	if (!head || memcmp(head, signature, sizeof(signature)) ||
	    head[12] != VERSION_PROXY || in.len != be16(head + 14))
		return -EPROTO;
	if (take_addresses(info, head[13], &in))
		return -EPROTO;
	return take_tlvs(info, secrets, in);
}

// SPDX-License-Identifier: MIT
#include "message.h"
#include "message_types.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <netinet/in.h>

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
	if (!head || memcmp(head, SIGNATURE, SIGNATURE_LEN) ||
	    head[12] != VERSION_PROXY || in.len != be16(head + 14))
		return -EPROTO;
	if (take_addresses(info, head[13], &in))
		return -EPROTO;
	return take_tlvs(info, secrets, in);
}

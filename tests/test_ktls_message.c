// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "ktls/message.h"

TestSuite(message, .timeout = 20);

static struct ktls_bytes text(const char *s)
{
	return (struct ktls_bytes){ (const uint8_t *)s, strlen(s) };
}

static void set_addr(struct sockaddr_storage *to, const char *addr,
		     uint16_t port)
{
	struct sockaddr_in *sin = (void *)to;
	struct sockaddr_in6 *sin6 = (void *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, addr, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons(port);
	} else if (inet_pton(AF_INET6, addr, &sin6->sin6_addr) == 1) {
		sin6->sin6_family = AF_INET6;
		sin6->sin6_port = htons(port);
	}
}

static struct ktls_info full_info(void)
{
	struct ktls_info info = {
		.mode = KTLS_KERNEL,
		.resumed = 1,
		.handoff_ns = 0x0123456789abcdef,
		.alpn = text("http/1.1"),
		.server_name = text("www.example.org"),
		.unique_id = text("0123456789"),
		.version = text("TLSv1.3"),
		.cipher = text("TLS_AES_128_GCM_SHA256"),
		.group = text("x25519"),
		.key_alg = text("EC256"),
		.cert_sig_alg = text("SHA256"),
		.sig_scheme = text("ecdsa_secp256r1_sha256"),
		.client_verified = 1,
		.client_cn = text("Bob"),
		.client_subject = text("CN=Bob,O=Example"),
		.client_sans = { (const uint8_t *)"dns:a\0uri:b", 12 },
		.client_sha256 = text("0123456789abcdef0123456789ABCDEF"),
		.client_cert = text("DER"),
		.exporter = text("0123456789abcdef0123456789abcdef"),
		.end_point = text("0123456789abcdef0123456789abcdef0123456789"
				  "abcdef"),
		.ja4 = text("t13d1516h2_8daaf6152771_e5627efa2ab1"),
	};

	set_addr(&info.peer, "192.0.2.1", 40000);
	set_addr(&info.local, "198.51.100.2", 443);
	return info;
}

static void expect_bytes(struct ktls_bytes got, struct ktls_bytes want)
{
	cr_expect_eq(got.len, want.len);
	cr_expect(got.len != want.len || !want.len ||
		  !memcmp(got.data, want.data, want.len));
}

static void expect_same(const struct ktls_info *got,
			const struct ktls_info *want)
{
	cr_expect_eq(got->mode, want->mode);
	cr_expect_eq(got->resumed, want->resumed);
	cr_expect_eq(got->handoff_ns, want->handoff_ns);
	cr_expect_arr_eq(&got->peer, &want->peer, sizeof(got->peer));
	cr_expect_arr_eq(&got->local, &want->local, sizeof(got->local));
	expect_bytes(got->alpn, want->alpn);
	expect_bytes(got->server_name, want->server_name);
	expect_bytes(got->unique_id, want->unique_id);
	expect_bytes(got->version, want->version);
	expect_bytes(got->cipher, want->cipher);
	expect_bytes(got->group, want->group);
	expect_bytes(got->key_alg, want->key_alg);
	expect_bytes(got->cert_sig_alg, want->cert_sig_alg);
	expect_bytes(got->sig_scheme, want->sig_scheme);
	cr_expect_eq(got->client_verified, want->client_verified);
	expect_bytes(got->client_cn, want->client_cn);
	expect_bytes(got->client_subject, want->client_subject);
	expect_bytes(got->client_sans, want->client_sans);
	expect_bytes(got->client_sha256, want->client_sha256);
	expect_bytes(got->client_cert, want->client_cert);
	expect_bytes(got->exporter, want->exporter);
	expect_bytes(got->end_point, want->end_point);
	expect_bytes(got->ja4, want->ja4);
}

static void expect_round_trip(const struct ktls_info *info)
{
	static uint8_t buf[KTLS_MSG_MAX];
	struct ktls_info back;
	ssize_t len = ktls_msg_encode(info, NULL, buf, sizeof(buf));

	cr_assert_gt(len, 0);
	cr_assert_eq(ktls_msg_decode(&back, NULL, buf, len), 0);
	expect_same(&back, info);
}

Test(message, comes_back_as_it_was)
{
	struct ktls_info info = full_info();

	expect_round_trip(&info);
	info.mode = KTLS_RELAY;
	info.resumed = 0;
	set_addr(&info.peer, "2001:db8::1", 1);
	set_addr(&info.local, "2001:db8::2", 65535);
	expect_round_trip(&info);
}

static void forget_client(struct ktls_info *info)
{
	info->client_verified = 0;
	info->client_cn = info->client_subject = (struct ktls_bytes){ 0 };
	info->client_sans = info->client_sha256 = info->client_cn;
	info->client_cert = info->client_cn;
}

Test(message, of_a_connection_with_its_hello_unread_tells_no_more_than_that)
{
	struct ktls_info info = full_info(), back;
	uint8_t buf[KTLS_MSG_MAX];
	ssize_t len;

	info.mode = KTLS_PLAIN;
	info.resumed = 0;
	len = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	cr_assert_gt(len, 0);
	cr_assert_eq(ktls_msg_decode(&back, NULL, buf, len), 0);
	info.version = info.cipher = info.group = (struct ktls_bytes){ 0 };
	info.key_alg = info.cert_sig_alg = info.sig_scheme = info.version;
	forget_client(&info);
	info.exporter = info.end_point = info.ja4 = info.version;
	expect_same(&back, &info);
}

Test(message, comes_back_with_every_field_empty)
{
	struct ktls_info info = { .mode = KTLS_RELAY };

	expect_round_trip(&info);
}

Test(message, writes_the_bytes_that_the_manual_shows)
{
	static const uint8_t want[] = {
		'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n',
		0x21, 0x11, 0, 57,
		192, 0, 2, 1, 198, 51, 100, 2, 0x9c, 0x40, 0x01, 0xbb,
		0x01, 0, 2, 'h', '2',
		0x20, 0, 15, 0x01, 0, 0, 0, 1,
		0x21, 0, 7, 'T', 'L', 'S', 'v', '1', '.', '3',
		0xe7, 0, 19, 0x01, 0, 1, 1, 0x02, 0, 1, 0,
		0x03, 0, 8, 0, 0, 0, 0, 0, 0, 1, 0x02,
	};
	struct ktls_info info = {
		.mode = KTLS_KERNEL,
		.handoff_ns = 0x102,
		.alpn = text("h2"),
		.version = text("TLSv1.3"),
	};
	uint8_t buf[KTLS_MSG_MAX];
	ssize_t len;

	set_addr(&info.peer, "192.0.2.1", 40000);
	set_addr(&info.local, "198.51.100.2", 443);
	len = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	cr_assert_eq(len, sizeof(want));
	cr_expect_arr_eq(buf, want, sizeof(want));
}

/* The SSL TLV, behind the addresses of a message that begins with it */
static const uint8_t *ssl_of(struct ktls_info *info)
{
	static uint8_t buf[KTLS_MSG_MAX];

	info->alpn = info->server_name = info->unique_id =
		(struct ktls_bytes){ 0 };
	cr_assert_gt(ktls_msg_encode(info, NULL, buf, sizeof(buf)), 0);
	cr_assert_eq(buf[28], 0x20);
	return buf + 31;
}

Test(message, says_of_a_clients_certificate_what_the_protocol_has_flags_for)
{
	struct ktls_info info = full_info();

	/* of this connection and its session; verified */
	info.resumed = 0;
	cr_expect_arr_eq(ssl_of(&info), "\x07\0\0\0\0", 5);
	/* of an earlier one */
	info.resumed = 1;
	cr_expect_arr_eq(ssl_of(&info), "\x05\0\0\0\0", 5);
	info.client_verified = 0;
	cr_expect_arr_eq(ssl_of(&info), "\x01\0\0\0\1", 5);
}

Test(message, names_no_client_that_was_not_verified)
{
	struct ktls_info info = full_info(), back;
	uint8_t buf[KTLS_MSG_MAX];
	ssize_t len, i;

	len = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	for (i = 28; memcmp(buf + i, "\x05\0\0\0\0", 5); i++)
		cr_assert_lt(i, len - 5);
	forget_client(&info);
	/* who wrote that says that the verification failed */
	buf[i + 4] = 1;
	cr_assert_eq(ktls_msg_decode(&back, NULL, buf, len), 0);
	expect_same(&back, &info);
	/* or that there was no certificate */
	buf[i + 4] = 0;
	buf[i] = 1;
	cr_assert_eq(ktls_msg_decode(&back, NULL, buf, len), 0);
	expect_same(&back, &info);
	info = full_info();
	info.client_verified = 0;
	len = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	cr_assert_eq(ktls_msg_decode(&back, NULL, buf, len), 0);
	forget_client(&info);
	expect_same(&back, &info);
}

Test(message, writes_a_mapped_pair_as_ipv4)
{
	struct ktls_info info = full_info(), want = info, back;
	uint8_t buf[KTLS_MSG_MAX];
	ssize_t len;

	set_addr(&info.peer, "::ffff:192.0.2.1", 40000);
	set_addr(&info.local, "::ffff:198.51.100.2", 443);
	len = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	cr_assert_gt(len, 0);
	cr_expect_eq(buf[13], 0x11);
	cr_assert_eq(ktls_msg_decode(&back, NULL, buf, len), 0);
	expect_same(&back, &want);
}

Test(message, says_unspec_for_other_families)
{
	struct ktls_info info = full_info(), back;
	uint8_t buf[KTLS_MSG_MAX];
	ssize_t len;

	info.peer.ss_family = AF_UNIX;
	len = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	cr_assert_gt(len, 0);
	cr_expect_eq(buf[13], 0);
	cr_assert_eq(ktls_msg_decode(&back, NULL, buf, len), 0);
	cr_expect_eq(back.peer.ss_family, AF_UNSPEC);
	expect_bytes(back.alpn, info.alpn);
}

Test(message, does_not_overrun_a_buffer_of_any_size)
{
	struct ktls_info info = full_info();
	uint8_t whole[KTLS_MSG_MAX];
	ssize_t len = ktls_msg_encode(&info, NULL, whole, sizeof(whole));

	for (ssize_t size = 0; size < len; size++) {
		uint8_t *buf = malloc(size + 1);

		buf[size] = 0x55;
		cr_assert_eq(ktls_msg_encode(&info, NULL, buf, size), -EMSGSIZE);
		cr_assert_eq(buf[size], 0x55);
		free(buf);
	}
	cr_expect_eq(ktls_msg_encode(&info, NULL, whole, len), len);
}

Test(message, never_exceeds_what_a_receiver_takes)
{
	static uint8_t name[70000], buf[80000];
	struct ktls_info info = full_info();

	info.server_name = (struct ktls_bytes){ name, sizeof(name) };
	cr_expect_eq(ktls_msg_encode(&info, NULL, buf, sizeof(buf)), -EMSGSIZE);
	info.server_name.len = KTLS_MSG_MAX;
	cr_expect_eq(ktls_msg_encode(&info, NULL, buf, sizeof(buf)), -EMSGSIZE);
}

Test(message, is_refused_when_cut_short_anywhere)
{
	struct ktls_info info = full_info(), back;
	uint8_t buf[KTLS_MSG_MAX];
	const ssize_t len = ktls_msg_encode(&info, NULL, buf, sizeof(buf));

	for (ssize_t n = 0; n < len; n++) {
		/* In memory of its own: an over-read is seen. */
		uint8_t *cut = malloc(n ? n : 1);

		memcpy(cut, buf, n);
		cr_assert_eq(ktls_msg_decode(&back, NULL, cut, n), -EPROTO);
		if (n >= 16) {
			/* Its length put right, so that a TLV is cut. */
			cut[14] = (n - 16) >> 8;
			cut[15] = n - 16;
			cr_assert_eq(ktls_msg_decode(&back, NULL, cut, n),
				     -EPROTO);
		}
		free(cut);
	}
	cr_expect_eq(ktls_msg_decode(&back, NULL, buf, len + 1), -EPROTO);
}

#define HEAD(family, len) \
	"\r\n\r\n\0\r\nQUIT\n\x21" family "\x00" len
#define OWN "\xe7\x00\x04\x01\x00\x01\x01"
#define BYTES(s) s, sizeof(s) - 1
#define BYTES_31 "0123456789012345678901234567890"

static const struct {
	const char *what, *data;
	size_t len;
	int said;
} bytes[] = {
	{ "the shortest", BYTES(HEAD("\x00", "\x07") OWN), 0 },
	{ "a TLV that is not known",
	  BYTES(HEAD("\x00", "\x0b") "\x04\x00\x01x" OWN), 0 },
	{ "no TLV of ours", BYTES(HEAD("\x00", "\x00")), -EPROTO },
	{ "ours without a mode", BYTES(HEAD("\x00", "\x03") "\xe7\x00\x00"),
	  -EPROTO },
	{ "another version",
	  BYTES("\r\n\r\n\0\r\nQUIT\n\x31\x00\x00\x07" OWN), -EPROTO },
	{ "the LOCAL command",
	  BYTES("\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x07" OWN), -EPROTO },
	{ "another signature",
	  BYTES("\r\n\r\n\0\r\nQUIX\n\x21\x00\x00\x07" OWN), -EPROTO },
	{ "version 1", BYTES("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"),
	  -EPROTO },
	{ "another family", BYTES(HEAD("\x31", "\x07") OWN), -EPROTO },
	{ "addresses cut short", BYTES(HEAD("\x11", "\x0b") "12345678901"),
	  -EPROTO },
	{ "IPv6 with IPv4's length", BYTES(HEAD("\x21", "\x0c") "123456789012"),
	  -EPROTO },
	{ "a mode that is none",
	  BYTES(HEAD("\x00", "\x07") "\xe7\x00\x04\x01\x00\x01\x03"), -EPROTO },
	{ "a mode of two bytes",
	  BYTES(HEAD("\x00", "\x08") "\xe7\x00\x05\x01\x00\x02\x00\x01"),
	  -EPROTO },
	{ "resumed neither 0 nor 1",
	  BYTES(HEAD("\x00", "\x0b") "\xe7\x00\x08\x01\x00\x01\x01"
				     "\x02\x00\x01\x02"),
	  -EPROTO },
	{ "a time of 4 bytes",
	  BYTES(HEAD("\x00", "\x0e") "\xe7\x00\x0b\x01\x00\x01\x01"
				     "\x03\x00\x04" "abcd"),
	  -EPROTO },
	{ "a digest of 4 bytes",
	  BYTES(HEAD("\x00", "\x0e") "\xe7\x00\x0b\x01\x00\x01\x01"
				     "\x06\x00\x04" "abcd"),
	  -EPROTO },
	{ "a sub-TLV longer than ours",
	  BYTES(HEAD("\x00", "\x07") "\xe7\x00\x04\x01\x00\x02\x01"), -EPROTO },
	{ "a sub-TLV that is not known",
	  BYTES(HEAD("\x00", "\x0a") "\xe7\x00\x07\x01\x00\x01\x01"
				     "\x7f\x00\x00"),
	  0 },
	{ "an exporter of 31 bytes",
	  BYTES(HEAD("\x00", "\x29") "\xe7\x00\x26\x01\x00\x01\x01"
				     "\x07\x00\x1f" BYTES_31), -EPROTO },
	{ "an exporter of 32 bytes",
	  BYTES(HEAD("\x00", "\x2a") "\xe7\x00\x27\x01\x00\x01\x01"
				     "\x07\x00\x20" BYTES_31 "2"), 0 },
	{ "an end point of 64 bytes",
	  BYTES(HEAD("\x00", "\x4a") "\xe7\x00\x47\x01\x00\x01\x01"
				     "\x08\x00\x40" BYTES_31 BYTES_31 "63"),
	  0 },
	{ "an end point of 65 bytes",
	  BYTES(HEAD("\x00", "\x4b") "\xe7\x00\x48\x01\x00\x01\x01"
				     "\x08\x00\x41" BYTES_31 BYTES_31 "636"),
	  -EPROTO },
	{ "a fingerprint of 35 characters",
	  BYTES(HEAD("\x00", "\x2d") "\xe7\x00\x2a\x01\x00\x01\x01"
				     "\x09\x00\x23" BYTES_31 "2345"),
	  -EPROTO },
	{ "a fingerprint of 36 characters",
	  BYTES(HEAD("\x00", "\x2e") "\xe7\x00\x2b\x01\x00\x01\x01"
				     "\x09\x00\x24" BYTES_31 "23456"),
	  0 },
	{ "SSL without its flags",
	  BYTES(HEAD("\x00", "\x0e") "\x20\x00\x04" "abcd" OWN), -EPROTO },
	{ "SSL with a sub-TLV that does not fit",
	  BYTES(HEAD("\x00", "\x12") "\x20\x00\x08" "abcde\x21\x00\x01" OWN),
	  -EPROTO },
	{ "a lone byte at the end", BYTES(HEAD("\x00", "\x08") OWN "\x01"),
	  -EPROTO },
};

Test(message, is_judged_as_the_protocol_says)
{
	struct ktls_info info;

	for (size_t i = 0; i < sizeof(bytes) / sizeof(*bytes); i++)
		cr_expect_eq(ktls_msg_decode(&info, NULL,
					     (const uint8_t *)bytes[i].data,
					     bytes[i].len),
			     bytes[i].said, "%s", bytes[i].what);
}

Test(message, survives_any_single_changed_byte)
{
	struct ktls_info info = full_info(), back;
	uint8_t buf[KTLS_MSG_MAX];
	const ssize_t len = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	uint8_t *copy = malloc(len);

	for (ssize_t i = 0; i < len; i++) {
		memcpy(copy, buf, len);
		for (int value = 0; value < 256; value++) {
			copy[i] = value;
			if (ktls_msg_decode(&back, NULL, copy, len))
				continue;
			cr_assert(back.alpn.len <= (size_t)len);
			cr_assert(!back.alpn.len ||
				  (back.alpn.data >= copy &&
				   back.alpn.data + back.alpn.len <=
					   copy + len));
		}
	}
	free(copy);
}

Test(message, carries_secrets_of_kernel_connections_only)
{
	const struct ktls_msg_secrets secrets = {
		{ (const uint8_t *)"0123456789abcdef0123456789abcdef", 32 },
		{ (const uint8_t *)"fedcba9876543210fedcba9876543210", 32 },
	};
	struct ktls_msg_secrets back;
	uint8_t buf[KTLS_MSG_MAX];
	struct ktls_info info = { .mode = KTLS_KERNEL }, got;
	ssize_t len = ktls_msg_encode(&info, &secrets, buf, sizeof(buf));

	cr_assert_eq(ktls_msg_decode(&got, &back, buf, len), 0);
	cr_assert_eq(back.rx.len, 32);
	cr_expect_arr_eq(back.rx.data, secrets.rx.data, 32);
	cr_assert_eq(back.tx.len, 32);
	cr_expect_arr_eq(back.tx.data, secrets.tx.data, 32);
	for (int mode = 0; mode <= KTLS_PLAIN; mode++) {
		info.mode = mode;
		len = ktls_msg_encode(&info, mode == KTLS_KERNEL ? NULL :
				      &secrets, buf, sizeof(buf));
		cr_assert_eq(ktls_msg_decode(&got, &back, buf, len), 0);
		cr_expect_eq(back.rx.len + back.tx.len, 0);
	}
}

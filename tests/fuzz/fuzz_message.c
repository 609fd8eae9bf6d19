/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a message of a queue, which another consumer can have put there.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>

#include "ktls/message.h"
#include "tests/fuzz/seeds.h"

#define BYTES(s) { (const uint8_t *)s, sizeof(s) - 1 }
#define BYTES_32 "0123456789abcdef0123456789abcdef"

static const struct ktls_info infos[] = {
	{ .mode = KTLS_RELAY },
	{
		.peer.ss_family = AF_INET6,
		.local.ss_family = AF_INET6,
		.mode = KTLS_PLAIN,
		.server_name = BYTES("www.example.org"),
	},
	{
		.peer.ss_family = AF_INET,
		.local.ss_family = AF_INET,
		.mode = KTLS_KERNEL,
		.resumed = 1,
		.handoff_ns = 1,
		.alpn = BYTES("h2"),
		.server_name = BYTES("www.example.org"),
		.unique_id = BYTES("0123456789abcdef"),
		.version = BYTES("TLSv1.3"),
		.cipher = BYTES("TLS_AES_128_GCM_SHA256"),
		.group = BYTES("x25519"),
		.key_alg = BYTES("EC256"),
		.cert_sig_alg = BYTES("SHA256"),
		.sig_scheme = BYTES("ecdsa_secp256r1_sha256"),
		.exporter = BYTES(BYTES_32),
		.end_point = BYTES(BYTES_32),
		.ja4 = BYTES("t13d1516h2_8daaf6152771_e5627efa2ab1"),
	},
};
#define INFOS (sizeof(infos) / sizeof(*infos))

/* Of none, and of the last of these, whose keys may change. */
static const struct ktls_msg_secrets secrets[] = {
	{ BYTES(BYTES_32), BYTES("fedcba9876543210fedcba9876543210") },
	{ BYTES(BYTES_32 "0123456789abcdef"),
	  BYTES("0123456789abcdef" BYTES_32) },
};
#define SEEDS (INFOS + sizeof(secrets) / sizeof(*secrets))

static struct blob seeds[SEEDS];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	ssize_t len;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < SEEDS; i++) {
		len = ktls_msg_encode(
			&infos[i < INFOS ? i : INFOS - 1],
			i < INFOS ? NULL : &secrets[i - INFOS], seeds[i].data,
			KTLS_MSG_MAX);
		if (len < 0)
			abort();
		seeds[i].len = (size_t)len;
	}
	return 0;
}

static unsigned int sum(struct ktls_bytes bytes)
{
	unsigned int total = 0;

	while (bytes.len)
		total += bytes.data[--bytes.len];
	return total;
}

/* Reads every byte that the decoder points to. */
static unsigned int sum_all(const struct ktls_info *info)
{
	return sum(info->alpn) + 2 * sum(info->server_name) +
	       3 * sum(info->unique_id) + 4 * sum(info->version) +
	       5 * sum(info->cipher) + 6 * sum(info->group) +
	       7 * sum(info->sig_scheme) + 8 * sum(info->key_alg) +
	       9 * sum(info->cert_sig_alg) + 10 * sum(info->client_cn) +
	       11 * sum(info->client_subject) + 12 * sum(info->client_sans) +
	       13 * sum(info->client_sha256) + 14 * sum(info->client_cert) +
	       15 * sum(info->exporter) +
	       16 * sum(info->end_point) + 17 * sum(info->ja4);
}

/* One that is not a pair, or not the kernel's, is none. */
static void check_secrets(const struct ktls_info *info,
			  const struct ktls_msg_secrets *s)
{
	if (s->rx.len != s->tx.len ||
	    (s->rx.len && (info->mode != KTLS_KERNEL ||
			   (s->rx.len != 32 && s->rx.len != 48))))
		abort();
}

static unsigned int sum_secrets(const struct ktls_msg_secrets *s)
{
	return sum(s->rx) + 2 * sum(s->tx);
}

/* A pipe's end with the message, and another one: what stays open of them? */
static void accept_bytes(const uint8_t *data, size_t size)
{
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr head;
	} control;
	uint8_t copy[KTLS_MSG_MAX];
	struct iovec iov = { copy, size };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf };
	struct ktls_info info;
	struct ktls_conn c;
	int fds[2];

	if (size > sizeof(copy) || pipe(fds))
		return;
	memcpy(copy, data, size);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN((1 + size % 2) * sizeof(int));
	memcpy(CMSG_DATA(&control.head), fds, sizeof(fds));
	msg.msg_controllen = CMSG_SPACE((1 + size % 2) * sizeof(int));
	if (!ktls_accept_msg(&msg, (ssize_t)size, 0, &c, &info, 0)) {
		if (size % 2 || c.fd != fds[0])
			abort();
		close(ktls_release(&c));
	}
	if (fcntl(fds[0], F_GETFD) >= 0)
		abort();
	if (size % 2 && fcntl(fds[1], F_GETFD) >= 0)
		abort();
	if (size % 2 == 0)
		close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ktls_msg_secrets s, s_again;
	struct ktls_info info, again;
	uint8_t buf[KTLS_MSG_MAX];
	ssize_t len;

	accept_bytes(data, size);
	if (ktls_msg_decode(&info, &s, data, size))
		return 0;
	check_secrets(&info, &s);
	/* Of TLS nothing is said again where nobody can know it yet. */
	if (info.mode == KTLS_PLAIN)
		return 0;
	/* What was understood can be said again, and means the same. */
	len = ktls_msg_encode(&info, &s, buf, sizeof(buf));
	if (len < 0)
		return 0;
	if (ktls_msg_decode(&again, &s_again, buf, (size_t)len) ||
	    sum_secrets(&s) != sum_secrets(&s_again) ||
	    again.mode != info.mode || again.handoff_ns != info.handoff_ns ||
	    (info.mode != KTLS_PLAIN && /* nothing is said of its TLS */
	     (again.client_verified != info.client_verified ||
	      sum_all(&again) != sum_all(&info))))
		abort();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	return mutate_from(seeds, SEEDS, data, size, max, seed);
}

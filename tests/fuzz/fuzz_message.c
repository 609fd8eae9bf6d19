/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a message of a queue, which another consumer can have put there.
 */
#include <stdlib.h>

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

static struct blob seeds[INFOS];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	ssize_t len;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < INFOS; i++) {
		len = ktls_msg_encode(&infos[i], NULL, seeds[i].data,
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ktls_info info, again;
	uint8_t buf[KTLS_MSG_MAX];
	ssize_t len;

	if (ktls_msg_decode(&info, NULL, data, size))
		return 0;
	/* Of TLS nothing is said again where nobody can know it yet. */
	if (info.mode == KTLS_PLAIN)
		return 0;
	/* What was understood can be said again, and means the same. */
	len = ktls_msg_encode(&info, NULL, buf, sizeof(buf));
	if (len < 0)
		return 0;
	if (ktls_msg_decode(&again, NULL, buf, (size_t)len) ||
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
	return mutate_from(seeds, INFOS, data, size, max, seed);
}

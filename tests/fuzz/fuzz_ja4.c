/* SPDX-License-Identifier: MIT */
/*
 * Any bytes as a ClientHello: it is fingerprinted before libssl has looked at it.
 */
#include "handshake/ja4.h"
#include "tests/client_hello.h"
#include "tests/fuzz/seeds.h"

static struct blob good;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const uint16_t ciphers[] = { 0x1a1a, 0x1301, 0x1302, 0xc02b };
	static const uint16_t versions[] = { 0x0a0a, 0x0304, 0x0303 };
	static const uint16_t schemes[] = { 0x0403, 0x0804 };
	static struct hello hello;

	(void)argc;
	(void)argv;
	hello_begin(&hello, 0x0303, ciphers, 4);
	hello_extend(&hello, 0, "\0\x06\0\0\x03" "a.b", 8);
	hello_extend_versions(&hello, versions, 3);
	hello_extend(&hello, 16, "\0\x0c\x02h2\x08http/1.1", 14);
	hello_extend_list(&hello, 13, schemes, 2);
	hello_extend(&hello, 0x6a6a, "", 0);
	blob_put(&good, hello.data, hello.len);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char ja4[HS_JA4_LEN + 1];
	size_t len;

	hs_ja4_make(EVP_sha256(), data, size, ja4);
	len = strlen(ja4);
	if (len && (len != HS_JA4_LEN || ja4[10] != '_' || ja4[23] != '_'))
		abort();
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	return mutate_from(&good, 1, data, size, max, seed);
}

// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/tls.h>
#include <netinet/tcp.h>

#include "ktls/install.h"

#define MAX_PAYLOAD_OPTION 5

TestSuite(install, .timeout = 10);

/*
 * Stands before the C library's: what the kernel would be given, on any
 * kernel. Calls that no test has asked to see go on to the kernel.
 */
static struct call {
	int level, option;
	socklen_t len;
	uint8_t value[64];
} calls[8];
static int n_calls = -1;
static int fail_option, fail_errno;

int setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	if (n_calls < 0)
		return syscall(SYS_setsockopt, fd, level, option, value, len);
	calls[n_calls].level = level;
	calls[n_calls].option = option;
	calls[n_calls].len = len;
	memcpy(calls[n_calls++].value, value, len);
	if (option != fail_option)
		return 0;
	errno = fail_errno;
	return -1;
}

static void record_calls(int option, int error)
{
	n_calls = 0;
	fail_option = option;
	fail_errno = error;
}

static struct ktls_keys make_keys(uint16_t version, enum ktls_cipher cipher)
{
	struct ktls_keys keys = { .version = version, .cipher = cipher };

	for (int i = 0; i < 32; i++) {
		keys.tx.key[i] = 0x10 + i;
		keys.rx.key[i] = 0x50 + i;
	}
	for (int i = 0; i < 12; i++) {
		keys.tx.iv[i] = 0xa0 + i;
		keys.rx.iv[i] = 0xb0 + i;
	}
	keys.tx.seq = 0x0102030405060708;
	keys.rx.seq = 1;
	return keys;
}

static const uint8_t tx_seq[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t rx_seq[8] = { 0, 0, 0, 0, 0, 0, 0, 1 };

Test(install, gives_tls13_gcm_the_salt_and_the_rest_of_the_iv)
{
	struct ktls_keys keys = make_keys(KTLS_TLS13, KTLS_AES_256_GCM);
	const struct tls12_crypto_info_aes_gcm_256 *tx, *rx;

	record_calls(0, 0);
	cr_assert_eq(ktls_install(-1, &keys), 0);
	cr_assert_eq(n_calls, 2);
	tx = (const void *)calls[0].value;
	rx = (const void *)calls[1].value;
	cr_expect_eq(calls[0].level, SOL_TLS);
	cr_expect_eq(calls[0].option, TLS_TX);
	cr_expect_eq(calls[1].option, TLS_RX);
	cr_expect_eq(calls[0].len, sizeof(*tx));
	cr_expect_eq(tx->info.version, TLS_1_3_VERSION);
	cr_expect_eq(tx->info.cipher_type, TLS_CIPHER_AES_GCM_256);
	cr_expect_arr_eq(tx->key, keys.tx.key, 32);
	cr_expect_arr_eq(tx->salt, keys.tx.iv, 4);
	cr_expect_arr_eq(tx->iv, keys.tx.iv + 4, 8);
	cr_expect_arr_eq(tx->rec_seq, tx_seq, 8);
	cr_expect_arr_eq(rx->key, keys.rx.key, 32);
	cr_expect_arr_eq(rx->salt, keys.rx.iv, 4);
	cr_expect_arr_eq(rx->iv, keys.rx.iv + 4, 8);
	cr_expect_arr_eq(rx->rec_seq, rx_seq, 8);
}

Test(install, gives_tls12_gcm_the_sequence_number_as_explicit_nonce)
{
	struct ktls_keys keys = make_keys(KTLS_TLS12, KTLS_AES_128_GCM);
	const struct tls12_crypto_info_aes_gcm_128 *tx;

	record_calls(0, 0);
	cr_assert_eq(ktls_install(-1, &keys), 0);
	tx = (const void *)calls[0].value;
	cr_expect_eq(calls[0].len, sizeof(*tx));
	cr_expect_eq(tx->info.version, TLS_1_2_VERSION);
	cr_expect_eq(tx->info.cipher_type, TLS_CIPHER_AES_GCM_128);
	cr_expect_arr_eq(tx->key, keys.tx.key, 16);
	cr_expect_arr_eq(tx->salt, keys.tx.iv, 4);
	cr_expect_arr_eq(tx->iv, tx_seq, 8);
	cr_expect_arr_eq(tx->rec_seq, tx_seq, 8);
}

Test(install, gives_chacha20_its_whole_iv_in_both_versions)
{
	static const uint16_t versions[] = { KTLS_TLS12, KTLS_TLS13 };

	for (int i = 0; i < 2; i++) {
		struct ktls_keys keys =
			make_keys(versions[i], KTLS_CHACHA20_POLY1305);
		const struct tls12_crypto_info_chacha20_poly1305 *tx;

		record_calls(0, 0);
		cr_assert_eq(ktls_install(-1, &keys), 0);
		tx = (const void *)calls[0].value;
		cr_expect_eq(calls[0].len, sizeof(*tx));
		cr_expect_eq(tx->info.version, versions[i]);
		cr_expect_eq(tx->info.cipher_type,
			     TLS_CIPHER_CHACHA20_POLY1305);
		cr_expect_arr_eq(tx->key, keys.tx.key, 32);
		cr_expect_arr_eq(tx->iv, keys.tx.iv, 12);
		cr_expect_arr_eq(tx->rec_seq, tx_seq, 8);
	}
}

Test(install, sets_the_payload_limit_before_anything_is_encrypted)
{
	struct ktls_keys keys = make_keys(KTLS_TLS13, KTLS_AES_128_GCM);
	uint16_t limit;

	keys.max_payload = 1024;
	record_calls(0, 0);
	cr_assert_eq(ktls_install(-1, &keys), 0);
	cr_assert_eq(n_calls, 3);
	cr_expect_eq(calls[0].option, MAX_PAYLOAD_OPTION);
	cr_assert_eq(calls[0].len, sizeof(limit));
	memcpy(&limit, calls[0].value, sizeof(limit));
	cr_expect_eq(limit, 1024);
}

/* Which call fails with what, what is said, and how many calls there were. */
static const struct {
	int option, error, said, calls;
} failures[] = {
	{ MAX_PAYLOAD_OPTION, ENOPROTOOPT, -EOPNOTSUPP, 1 },
	{ MAX_PAYLOAD_OPTION, EINVAL, -EINVAL, 1 },
	{ TLS_TX, ENOENT, -ENOENT, 2 },
	{ TLS_TX, EINVAL, -ENOENT, 2 },
	{ TLS_TX, ENOMEM, -ENOMEM, 2 },
	{ TLS_RX, ENOENT, -EIO, 3 },
	{ TLS_RX, EOPNOTSUPP, -EIO, 3 },
	{ TLS_RX, EINVAL, -EINVAL, 3 },
};

Test(install, promises_an_untouched_socket_only_where_it_is_one)
{
	struct ktls_keys keys = make_keys(KTLS_TLS13, KTLS_AES_128_GCM);

	keys.max_payload = 512;
	for (size_t i = 0; i < sizeof(failures) / sizeof(*failures); i++) {
		record_calls(failures[i].option, failures[i].error);
		cr_expect_eq(ktls_install(-1, &keys), failures[i].said,
			     "row %zu", i);
		cr_expect_eq(n_calls, failures[i].calls, "row %zu", i);
	}
}

Test(install, asks_for_the_ulp_by_name)
{
	record_calls(0, 0);
	cr_assert_eq(ktls_attach(-1), 0);
	cr_assert_eq(n_calls, 1);
	cr_expect_eq(calls[0].level, SOL_TCP);
	cr_expect_eq(calls[0].option, TCP_ULP);
	cr_expect_str_eq((const char *)calls[0].value, "tls");
}

Test(install, passes_on_why_a_socket_cannot_be_attached)
{
	record_calls(TCP_ULP, ENOTCONN);
	cr_expect_eq(ktls_attach(-1), -ENOTCONN);
}

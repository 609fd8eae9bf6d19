// SPDX-License-Identifier: MIT
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <sodium.h>

#include "handshake/edwards.h"

TestSuite(edwards, .timeout = 30);

#define LEN 32
#define SIGN 0x80	/* x's, in the last byte */

static BN_CTX *scratch;
static BIGNUM *p;

static void start(void)
{
	scratch = BN_CTX_new();
	p = BN_new();
	cr_assert_eq(BN_set_bit(p, 255) & BN_sub_word(p, 19), 1);
	cr_assert_geq(sodium_init(), 0);
}

static void stop(void)
{
	BN_free(p);
	BN_CTX_free(scratch);
}

static BIGNUM *number(uint64_t n)
{
	BIGNUM *b = BN_new();

	cr_assert_eq(BN_set_word(b, n), 1);
	return b;
}

/* (u - 1) / (u + 1) */
static void y_of(const BIGNUM *u, uint8_t y[static LEN])
{
	BIGNUM *above = BN_dup(u), *below = BN_dup(u);

	cr_assert(BN_add_word(below, 1));
	cr_assert(BN_sub_word(above, 1));
	cr_assert_not_null(BN_mod_inverse(below, below, p, scratch));
	cr_assert(BN_mod_mul(above, above, below, p, scratch));
	cr_assert(BN_nnmod(above, above, p, scratch));
	cr_assert_eq(BN_bn2lebinpad(above, y, LEN), LEN);
	BN_free(above);
	BN_free(below);
}

static void expect(const BIGNUM *u)
{
	uint8_t point[LEN], want[LEN], got[LEN];

	cr_assert_eq(BN_bn2lebinpad(u, want, LEN), LEN);
	y_of(u, point);
	hs_edwards_to_u(got, point);
	cr_expect_arr_eq(got, want, LEN, "u = %s", BN_bn2hex(u));
	point[LEN - 1] |= SIGN;
	hs_edwards_to_u(got, point);
	cr_expect_arr_eq(got, want, LEN, "u = %s, x negative", BN_bn2hex(u));
}

/* RFC 7748 4.1 */
Test(edwards, takes_one_base_point_to_the_other)
{
	static const uint8_t nine[LEN] = { 9 };
	uint8_t point[LEN], u[LEN];

	memset(point, 0x66, LEN);
	point[0] = 0x58;
	hs_edwards_to_u(u, point);
	cr_assert_arr_eq(u, nine, LEN);
}

/* Where something could be left that is not below p; -1 is nobody's u. */
Test(edwards, knows_the_least_and_the_greatest, .init = start, .fini = stop)
{
	for (unsigned int i = 0; i < 100; i++) {
		BIGNUM *u = number(i);

		expect(u);
		cr_assert(BN_sub(u, p, u));
		if (i > 1)
			expect(u);
		BN_free(u);
	}
}

/* Where a limb is empty or full. */
Test(edwards, knows_powers_of_two, .init = start, .fini = stop)
{
	for (unsigned int i = 0; i < 255; i++) {
		BIGNUM *u = number(0);

		cr_assert(BN_set_bit(u, i));
		expect(u);
		cr_assert(BN_sub_word(u, 1));
		expect(u);
		BN_free(u);
	}
}

/* y = p + n, as some would write n */
Test(edwards, takes_a_number_that_is_not_reduced, .init = start, .fini = stop)
{
	uint8_t point[LEN], want[LEN], got[LEN];

	for (unsigned int n = 0; n < 19; n++) {
		uint8_t reduced[LEN] = { n };

		if (n == 1)
			continue;
		memset(point, 0xff, LEN);
		point[0] = 0xed + n;
		point[LEN - 1] = 0x7f;
		hs_edwards_to_u(want, reduced);
		hs_edwards_to_u(got, point);
		cr_expect_arr_eq(got, want, LEN, "%u", n);
	}
}

Test(edwards, does_what_libsodium_does, .init = start, .fini = stop)
{
	uint8_t private[LEN], point[LEN], want[LEN], got[LEN];

	for (int i = 0; i < 2000; i++) {
		randombytes_buf(private, LEN);
		cr_assert_eq(crypto_scalarmult_base(want, private), 0);
		cr_assert_eq(crypto_scalarmult_ed25519_base(point, private), 0);
		hs_edwards_to_u(got, point);
		cr_assert_arr_eq(got, want, LEN);
	}
}

// SPDX-License-Identifier: MIT
/*
 * Arithmetic modulo p = 2^255 - 19, of which libcrypto's for all numbers takes
 * three times as long as for this one.
 */
#include "handshake/edwards.h"

#include <endian.h>
#include <string.h>

#define LIMBS 5
#define LIMB_BITS 51
#define LIMB_MASK (((uint64_t)1 << LIMB_BITS) - 1)

/* Limbs of 51 bits, the least first; one may be a bit longer. */
struct number {
	uint64_t limb[LIMBS];
};

static const struct number one = { { 1 } };

/* 2^255 is 19. */
static void carry(struct number *n)
{
	for (int i = 0; i < LIMBS - 1; i++) {
		n->limb[i + 1] += n->limb[i] >> LIMB_BITS;
		n->limb[i] &= LIMB_MASK;
	}
	n->limb[0] += 19 * (n->limb[LIMBS - 1] >> LIMB_BITS);
	n->limb[LIMBS - 1] &= LIMB_MASK;
}

static struct number add(struct number x, struct number y)
{
	struct number sum;

	for (int i = 0; i < LIMBS; i++)
		sum.limb[i] = x.limb[i] + y.limb[i];
	carry(&sum);
	return sum;
}

/* 2p is added, so that no limb becomes negative. */
static struct number subtract(struct number x, struct number y)
{
	struct number rest;

	for (int i = 0; i < LIMBS; i++)
		rest.limb[i] = x.limb[i] - y.limb[i] +
			       2 * (i ? LIMB_MASK : LIMB_MASK - 18);
	carry(&rest);
	return rest;
}

typedef unsigned __int128 column;
#define TIMES(a, b) ((column)(a) * (b))

/* The columns of a product, as limbs */
static struct number fold(column c0, column c1, column c2, column c3, column c4)
{
	uint64_t over;

	c1 += c0 >> LIMB_BITS;
	c2 += c1 >> LIMB_BITS;
	c3 += c2 >> LIMB_BITS;
	c4 += c3 >> LIMB_BITS;
	/* At most 2^60: what is above the last limb is below 2^56. */
	over = ((uint64_t)c0 & LIMB_MASK) + 19 * (uint64_t)(c4 >> LIMB_BITS);
	return (struct number){ {
		over & LIMB_MASK,
		((uint64_t)c1 & LIMB_MASK) + (over >> LIMB_BITS),
		(uint64_t)c2 & LIMB_MASK,
		(uint64_t)c3 & LIMB_MASK,
		(uint64_t)c4 & LIMB_MASK,
	} };
}

static struct number multiply(struct number x, struct number y)
{
	const uint64_t *a = x.limb, *b = y.limb;
	uint64_t b1 = 19 * b[1], b2 = 19 * b[2], b3 = 19 * b[3], b4 = 19 * b[4];

	return fold(TIMES(a[0], b[0]) + TIMES(a[1], b4) + TIMES(a[2], b3) +
			    TIMES(a[3], b2) + TIMES(a[4], b1),
		    TIMES(a[0], b[1]) + TIMES(a[1], b[0]) + TIMES(a[2], b4) +
			    TIMES(a[3], b3) + TIMES(a[4], b2),
		    TIMES(a[0], b[2]) + TIMES(a[1], b[1]) + TIMES(a[2], b[0]) +
			    TIMES(a[3], b4) + TIMES(a[4], b3),
		    TIMES(a[0], b[3]) + TIMES(a[1], b[2]) + TIMES(a[2], b[1]) +
			    TIMES(a[3], b[0]) + TIMES(a[4], b4),
		    TIMES(a[0], b[4]) + TIMES(a[1], b[3]) + TIMES(a[2], b[2]) +
			    TIMES(a[3], b[1]) + TIMES(a[4], b[0]));
}

/* Products that occur twice are made once. */
static struct number square(struct number x)
{
	const uint64_t *a = x.limb;
	uint64_t twice0 = 2 * a[0], twice1 = 2 * a[1];
	uint64_t a3 = 19 * a[3], a4 = 19 * a[4];

	return fold(TIMES(a[0], a[0]) + TIMES(twice1, a4) + TIMES(2 * a[2], a3),
		    TIMES(twice0, a[1]) + TIMES(2 * a[2], a4) + TIMES(a[3], a3),
		    TIMES(twice0, a[2]) + TIMES(a[1], a[1]) +
			    TIMES(2 * a[3], a4),
		    TIMES(twice0, a[3]) + TIMES(twice1, a[2]) + TIMES(a[4], a4),
		    TIMES(twice0, a[4]) + TIMES(twice1, a[3]) +
			    TIMES(a[2], a[2]));
}

/* x^(2^times) * y */
static struct number square_and_multiply(struct number x, int times,
					 struct number y)
{
	while (times--)
		x = square(x);
	return multiply(x, y);
}

/* x^(p - 2): p - 2 is 250 ones and 01011; x_n is x to the power of n ones. */
static struct number invert(struct number x)
{
	struct number x_2 = square_and_multiply(x, 1, x);
	struct number x_4 = square_and_multiply(x_2, 2, x_2);
	struct number x_5 = square_and_multiply(x_4, 1, x);
	struct number x_10 = square_and_multiply(x_5, 5, x_5);
	struct number x_20 = square_and_multiply(x_10, 10, x_10);
	struct number x_40 = square_and_multiply(x_20, 20, x_20);
	struct number x_50 = square_and_multiply(x_40, 10, x_10);
	struct number x_100 = square_and_multiply(x_50, 50, x_50);
	struct number x_200 = square_and_multiply(x_100, 100, x_100);
	struct number x_250 = square_and_multiply(x_200, 50, x_50);
	struct number x_250_01 = square_and_multiply(x_250, 2, x);

	return square_and_multiply(x_250_01, 3, x_2);
}

static struct number read_number(const uint8_t from[static 32])
{
	struct number n;
	uint64_t word;

	for (int i = 0; i < LIMBS; i++) {
		int bit = LIMB_BITS * i;
		int byte = bit / 8 < 24 ? bit / 8 : 24;

		memcpy(&word, from + byte, sizeof(word));
		n.limb[i] = le64toh(word) >> (bit - 8 * byte) & LIMB_MASK;
	}
	return n;
}

/* Below 2^255, and so below p: what is not reaches 2^255 with 19 added. */
static void reduce(struct number *n)
{
	uint64_t over = 19;

	carry(n);
	carry(n);
	for (int i = 0; i < LIMBS; i++)
		over = (n->limb[i] + over) >> LIMB_BITS;
	over *= 19;
	for (int i = 0; i < LIMBS; i++) {
		over += n->limb[i];
		n->limb[i] = over & LIMB_MASK;
		over >>= LIMB_BITS;
	}
}

static void write_number(uint8_t to[static 32], struct number n)
{
	uint64_t words[4] = { 0 };

	reduce(&n);
	for (int i = 0; i < LIMBS; i++) {
		int word = LIMB_BITS * i / 64, shift = LIMB_BITS * i % 64;

		words[word] |= n.limb[i] << shift;
		if (shift + LIMB_BITS > 64)
			words[word + 1] |= n.limb[i] >> (64 - shift);
	}
	for (int i = 0; i < 4; i++)
		words[i] = htole64(words[i]);
	memcpy(to, words, sizeof(words));
}

void hs_edwards_to_u(uint8_t u[static 32], const uint8_t point[static 32])
{
	struct number y = read_number(point);

	write_number(u, multiply(add(one, y), invert(subtract(one, y))));
}

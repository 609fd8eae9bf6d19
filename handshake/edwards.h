/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: from one form of Curve25519 to the other. */
#ifndef HANDSHAKE_EDWARDS_H
#define HANDSHAKE_EDWARDS_H

#include <stdint.h>

/*
 * hs_edwards_to_u - where a point of edwards25519 is on curve25519: its
 * u = (1 + y) / (1 - y) (RFC 7748 4.1)
 * @point: as Ed25519 has it, y and the sign of x (RFC 8032 5.1.2); not the neutral
 *         one, which has no u
 * @u:     as X25519 has it (RFC 7748 5)
 * For public keys: takes the same time for all of them, but wipes nothing.
 */
void hs_edwards_to_u(uint8_t u[static 32], const uint8_t point[static 32]);

#endif

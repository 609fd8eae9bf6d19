/* SPDX-License-Identifier: MIT */
/* Inside of handshake/: random numbers for libcrypto, by the kernel. */
#ifndef HANDSHAKE_RANDOM_H
#define HANDSHAKE_RANDOM_H

/*
 * hs_random_use - from now on libcrypto's random numbers are the kernel's
 * (random(7)), in the whole process
 * libcrypto has a generator of its own that the kernel seeds. It asks for the
 * process's number each time, to see whether it was forked: ten system calls in
 * a handshake. Here one call brings enough for dozens; each byte is given once
 * and wiped, and none survives a fork or is found in a core dump.
 */
void hs_random_use(void);

#endif

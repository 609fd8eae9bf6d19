/* SPDX-License-Identifier: MIT */
/* The program's own folder, below TMPDIR. */
#ifndef BENCH_SCRATCH_H
#define BENCH_SCRATCH_H

/* What certificates have keys of. */
enum bench_key { KEY_P256, KEY_RSA2048, KEYS };
extern const char *const key_names[KEYS];

/* Once, first: the folder, which nobody else can enter, and www in it. */
void scratch_init(void);
/* Take it away, if it is there, with what is in it. */
void scratch_remove(void);
/* A path in it, without a newline or a quote; to be freed by the caller. */
__attribute__((format(printf, 1, 2))) char *scratch(const char *format, ...);

/*
 * scratch_certificate - a self-signed certificate for localhost
 * In cert-KEY.pem, key-KEY.pem, and both-KEY.pem with the one behind the other,
 * KEY as in key_names. It holds for a day.
 */
void scratch_certificate(enum bench_key key);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What all of ktls-bench uses. It is a program that ends at the first surprise:
 * a measurement that went wrong half-way is worth nothing.
 */
#ifndef BENCH_UTIL_H
#define BENCH_UTIL_H

#include <stddef.h>
#include <stdint.h>

#define EXIT_USAGE 100
#define EXIT_SYSTEM 111

/* Print a sentence, stop what was started (atexit(3)), exit EXIT_SYSTEM. */
__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format,
							 ...);
/* Progress: a line on standard error. */
__attribute__((format(printf, 1, 2))) void say(const char *format, ...);

/* Never NULL; the caller frees it. */
__attribute__((format(printf, 1, 2))) char *text(const char *format, ...);
void *zalloc(size_t size);
/* Zeroed, and the same in children forked from now on; never unmapped. */
void *shared_alloc(size_t size);

/* CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/*
 * Signals that end the program are blocked, and are let in where it waits: so
 * their handler may do what it likes. signals_hold(): from now on;
 * signals_release(): in a child, for good.
 */
void signals_hold(void);
void signals_release(void);
void sleep_ms(unsigned int ms);
/* Until @fd has something to read, or its end. */
void wait_readable(int fd);

/* Replaces what was there; mode 0644 less umask. */
void write_file(const char *path, const char *content);
/*
 * read_text - a file from its beginning, as a C string
 * Returns its length, @size - 1 at most, or -errno.
 */
int read_text(const char *path, char *buf, size_t size);

#endif

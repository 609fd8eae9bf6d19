/* SPDX-License-Identifier: MIT */
/* Strings for people, with nothing in them that a peer could abuse. */
#ifndef FETCH_TEXT_H
#define FETCH_TEXT_H

#include <stddef.h>

/*
 * fetch_escape - a peer's bytes as printable ASCII; the rest as \xHH, and so the
 * backslash and the quote, which would end a value in a log line
 * Cut short to @out_len with its NUL, never within an escape. Returns @out.
 */
char *fetch_escape(const char *text, size_t len, char *out, size_t out_len);

/* fetch_append - printf behind the string in @out, cut short likewise */
void fetch_append(char *out, size_t out_len, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif

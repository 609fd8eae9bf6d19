/* SPDX-License-Identifier: MIT */
/*
 * One line per event on standard error: time, level, then key=value pairs.
 * Values that may hold spaces are quoted by the caller's format.
 */
#ifndef AGENT_LOG_H
#define AGENT_LOG_H

#include <stdio.h>

enum log_level { LOG_L_ERROR, LOG_L_WARN, LOG_L_INFO, LOG_L_DEBUG };

/* Lines above this level are dropped; LOG_L_INFO at start. */
extern enum log_level log_level;

/*
 * log_line - write one line with one write(2)
 * Bytes that do not print are written as '?', and a line is cut at 1 KiB, so
 * that nothing a peer sent can forge one. Never waits: a line that a slow
 * reader left no room for is lost. Keeps errno.
 */
void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * log_copy - write what errors say to @to, too: a line each, without time and
 * level; NULL: no more
 */
void log_copy(FILE *to);

#define log_error(...) log_line(LOG_L_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_L_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_L_INFO, __VA_ARGS__)
/* Its arguments are not evaluated unless the level is on. */
#define log_debug(...) \
	do { \
		if (log_level >= LOG_L_DEBUG) \
			log_line(LOG_L_DEBUG, __VA_ARGS__); \
	} while (0)

#endif

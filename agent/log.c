/* SPDX-License-Identifier: MIT */
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum log_level log_level = LOG_L_INFO;
static FILE *copy;

void log_copy(FILE *to)
{
	copy = to;
}

static size_t print_prefix(char *line, size_t size, enum log_level level)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(line, size, "%FT%T", &tm);
	len += (size_t)snprintf(line + len, size - len, ".%03ldZ %s ",
				now.tv_nsec / 1000000, names[level]);
	return len;
}

/*
 * A log that cannot be written must not stop the service. O_NONBLOCK is not
 * ours to set on a file that others share; a pipe that is writable has room
 * for PIPE_BUF bytes, which is more than a line.
 */
static void write_line(const char *line, size_t len)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (poll(&p, 1, 0) == 1 && write(STDERR_FILENO, line, len) < 0)
		return;
}

void log_line(enum log_level level, const char *format, ...)
{
	int saved = errno;
	char line[1024];
	size_t len, text, i;
	va_list ap;
	int n;

	if (level > log_level)
		return;
	text = len = print_prefix(line, sizeof(line), level);
	va_start(ap, format);
	n = vsnprintf(line + len, sizeof(line) - len, format, ap);
	va_end(ap);
	if (n > 0)
		len += (size_t)n;
	if (len > sizeof(line) - 1)
		len = sizeof(line) - 1;
	for (i = 0; i < len; i++)
		if (line[i] < ' ' || line[i] > '~')
			line[i] = '?';
	line[len++] = '\n';
	write_line(line, len);
	if (copy && level == LOG_L_ERROR)
		fwrite(line + text, 1, len - text, copy);
	errno = saved;
}

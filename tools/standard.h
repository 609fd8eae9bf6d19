/* SPDX-License-Identifier: MIT */
#ifndef TOOLS_STANDARD_H
#define TOOLS_STANDARD_H

#include <fcntl.h>
#include <unistd.h>

/*
 * standard_fill - have something at each of the three standard descriptors
 * Where standard output is closed, no socket may take its place; but what is
 * written there fails, as before.
 */
static inline void standard_fill(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

#endif

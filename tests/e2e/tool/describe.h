/* SPDX-License-Identifier: MIT */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <stddef.h>

#include "ktls/ktls.h"

/*
 * describe - what is known about a connection, as KEY=VALUE... in one line
 * @info: what ktlsd told; @fd: its socket, which has ulp=NAME when the kernel
 * does TLS for it; @size: 3072 is enough for all
 */
void describe(const struct ktls_info *info, int fd, char *text, size_t size);

#endif

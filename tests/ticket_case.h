/* SPDX-License-Identifier: MIT */
/* What the tests of ticket keys share: what was logged, keys to know again. */
#ifndef TESTS_TICKET_CASE_H
#define TESTS_TICKET_CASE_H

#include <sys/mman.h>

#include <openssl/evp.h>

#include "agent_case.h"
#include "handshake/tickets.h"

static char said_text[65536];
static int said_fd = -1;

/* From now on the log is kept for said(). */
static inline void said_begin(void)
{
	said_fd = memfd_create("log", MFD_CLOEXEC);
	cr_assert_geq(said_fd, 0);
	dup2(said_fd, STDERR_FILENO);
}

/* What was logged since the last call. */
static inline const char *said(void)
{
	ssize_t n = pread(said_fd, said_text, sizeof(said_text) - 1, 0);

	said_text[n > 0 ? n : 0] = '\0';
	cr_assert_eq(ftruncate(said_fd, 0), 0);
	lseek(said_fd, 0, SEEK_SET);
	return said_text;
}

/* Each is 80 times one byte: @first, and the next ones. */
static inline struct hs_ticket_keys keys_from(int first)
{
	struct hs_ticket_keys keys;
	int i;

	for (i = 0; i < HS_TICKET_KEYS; i++)
		memset(keys.key[i], first + i, HS_TICKET_KEY);
	return keys;
}

/* The line of a key of this byte, without its end. */
static inline const char *key_line(int byte)
{
	static char line[128];
	uint8_t key[HS_TICKET_KEY];

	memset(key, byte, sizeof(key));
	EVP_EncodeBlock((uint8_t *)line, key, sizeof(key));
	return line;
}

static inline void write_file(const char *path, mode_t mode, const void *bytes,
			      size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
}

#endif

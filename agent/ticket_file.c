/* SPDX-License-Identifier: MIT */
#include "ticket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "secret_path.h"

#define FILE_MAX (64 * 1024)
/* 80 bytes in base64: the last four digits are for two bytes. */
#define DIGITS 107
#define LINE (DIGITS + 1)

#define MAKE_ONE "make each by: openssl rand 80 | openssl base64 -A; echo"

struct ticket_text {
	char bytes[FILE_MAX + 1];
	size_t len;
};

static void free_text(struct ticket_text **text)
{
	if (*text)
		explicit_bzero(*text, sizeof(**text));
	free(*text);
}

/* Returns NULL, or what is wrong with the file as a whole. */
static const char *read_text(int fd, struct ticket_text *text)
{
	ssize_t n;

	do {
		n = read(fd, text->bytes + text->len,
			 sizeof(text->bytes) - text->len);
		if (n > 0)
			text->len += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return strerror(errno);
	return text->len > FILE_MAX ? "it is longer than 64 KiB" : NULL;
}

static const char *open_text(const char *path, struct ticket_text *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	const char *error = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		error = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		error = "it is not a regular file";
	if (!error)
		error = read_text(fd, text);
	if (fd >= 0)
		close(fd);
	return error;
}

static int digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";
	const char *found = c ? strchr(digits, c) : NULL;

	return found ? (int)(found - digits) : -1;
}

/* Returns NULL, or what is wrong with the line, of which nothing is told. */
static const char *decode(const char *line, size_t len,
			  uint8_t key[HS_TICKET_KEY])
{
	unsigned int bits = 0, n_bits = 0;
	size_t i;

	if (len == 64)
		return "expected 80 bytes, found 48, as for AES-128";
	if (len != LINE || line[DIGITS] != '=')
		return "expected the 108 characters of 80 bytes in base64";
	for (i = 0; i < DIGITS; i++) {
		int value = digit(line[i]);

		if (value < 0)
			return "a character is none of base64";
		bits = bits << 6 | (unsigned int)value;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		*key++ = (uint8_t)(bits >> n_bits);
	}
	return NULL;
}

/* @line: of the file; 0: it is about all of it */
static void refuse(const struct config_file *file, unsigned int line,
		   const char *error)
{
	const struct config_mark *at = &file->mark;
	char number[24] = "";

	if (line)
		snprintf(number, sizeof(number), " line=%u", line);
	log_error("event=ticket_keys_refused at=%s:%u:%u file=\"%s\"%s "
		  "error=\"%s\"%s", at->file, at->line, at->column, file->path,
		  number, error, line ? " remedy=\"" MAKE_ONE "\"" : "");
}

static void refuse_missing(const struct config_mark *at, const char *error)
{
	log_error("event=ticket_keys_refused at=%s:%u:%u error=\"%s\"",
		  at->file, at->line, at->column, error);
}

static bool has_enough(const struct config_file *file, unsigned int line,
		       unsigned int n)
{
	char error[96];

	if (n >= HS_TICKET_KEYS)
		return true;
	snprintf(error, sizeof(error), "expected at least three keys "
		 "(previous, current, next), found %u", n);
	refuse(file, line, error);
	return false;
}

static bool decode_all(const struct config_file *file, const char *line,
		       struct hs_ticket_keys *keys)
{
	unsigned int n = 0, number = 1;
	const char *error;

	for (; *line; line += line[0] == '\n', number++) {
		size_t len = strcspn(line, "\n");
		size_t text = len && line[len - 1] == '\r' ? len - 1 : len;

		if (text) {
			memmove(keys->key[0], keys->key[1],
				2 * HS_TICKET_KEY);
			error = decode(line, text, keys->key[2]);
			if (error) {
				refuse(file, number, error);
				return false;
			}
			n++;
		}
		line += len;
	}
	return has_enough(file, number, n);
}

void ticket_file_warn(const char *path)
{
	struct stat st;

	if (!stat(path, &st) && st.st_mode & (S_IRWXG | S_IRWXO))
		log_warn("event=ticket_keys_exposed file=\"%s\" error=\"others "
			 "than its owner can access it, and whoever has the "
			 "keys can read and resume sessions\" "
			 "remedy=\"chmod go= it\"", path);
}

bool ticket_file_read(const struct config_file *file,
		      struct hs_ticket_keys *keys)
{
	__attribute__((cleanup(free_text))) struct ticket_text *text =
		calloc(1, sizeof(*text));
	char missing[512];
	const char *error;

	if (secret_path_missing(file->path, missing, sizeof(missing))) {
		refuse_missing(&file->mark, missing);
		return false;
	}
	error = text ? open_text(file->path, text) : strerror(ENOMEM);
	if (!error && strlen(text->bytes) != text->len)
		error = "it is not a text";
	if (!error)
		return decode_all(file, text->bytes, keys);
	refuse(file, 0, error);
	return false;
}

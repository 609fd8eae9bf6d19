// SPDX-License-Identifier: MIT
#include "agent/ticket_file.h"

#include "ticket_case.h"

TestSuite(ticket_file, .timeout = 10);

static char dir[32], file[64];

static void start(void)
{
	case_make_dir(dir);
	snprintf(file, sizeof(file), "%s/keys", dir);
	said_begin();
}

static void stop(void)
{
	static const char *const names[] = { "keys", NULL };

	case_remove_dir(dir, names);
}

/* Writes it with "%" for one key of byte 1, the next of byte 2, and so on. */
static void write_keys(const char *form, mode_t mode)
{
	static char text[70 * 1024];
	size_t n = 0;
	int key = 1;

	for (; *form; form++)
		if (*form == '%')
			n += sprintf(text + n, "%s", key_line(key++));
		else
			text[n++] = *form;
	write_file(file, mode, text, n);
}

static bool read_keys(struct hs_ticket_keys *keys)
{
	const struct config_file of = { { "ktlsd.conf", 7, 14 }, file };
	unsigned int before = case_fds();
	bool ok = ticket_file_read(&of, keys);

	cr_expect_eq(case_fds(), before);
	return ok;
}

static const struct {
	const char *form;
	int first;
} good[] = {
	{ "%\n%\n%\n", 1 },
	{ "%\n%\n%", 1 },
	{ "%\r\n%\r\n%\r\n", 1 },
	{ "\n%\n\n\n%\n%\n\n", 1 },
	{ "%\n%\n%\n%\n", 2 },
	{ "%\n%\n%\n%\n%\n%\n%\n", 5 },
};

Test(ticket_file, the_last_three_lines_are_the_keys, .init = start,
     .fini = stop)
{
	struct hs_ticket_keys keys, expected;
	size_t i;

	for (i = 0; i < COUNT(good); i++) {
		write_keys(good[i].form, 0600);
		cr_assert(read_keys(&keys), "%zu: %s", i, said());
		expected = keys_from(good[i].first);
		cr_expect_arr_eq(&keys, &expected, sizeof(keys), "%zu", i);
		cr_expect_str_eq(said(), "");
	}
}

Test(ticket_file, every_byte_of_a_key_counts, .init = start, .fini = stop)
{
	uint8_t key[HS_TICKET_KEY];
	struct hs_ticket_keys keys;
	char line[128], text[512];
	size_t i;

	for (i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 37 + 11);
	EVP_EncodeBlock((uint8_t *)line, key, sizeof(key));
	sprintf(text, "%s\n%s\n%s\n", line, line, line);
	write_file(file, 0600, text, strlen(text));
	cr_assert(read_keys(&keys));
	for (i = 0; i < HS_TICKET_KEYS; i++)
		cr_expect_arr_eq(keys.key[i], key, sizeof(key));
}

#define NO_LENGTH "expected the 108 characters of 80 bytes in base64"
#define TOO_FEW "expected at least three keys (previous, current, next), found "
static const struct {
	const char *form, *line, *error;
} bad[] = {
	{ "", " line=1 ", TOO_FEW "0" },
	{ "%\n%\n", " line=3 ", TOO_FEW "2" },
	{ "%\n%\n%=\n", " line=3 ", NO_LENGTH },
	{ "%%\n%\n%\n", " line=1 ", NO_LENGTH },
	{ "%\n%\n%\n# old\n", " line=4 ", NO_LENGTH },
	{ "%\n\n %\n%\n", " line=3 ", NO_LENGTH },
	{ "%\naaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	  " line=2 ", "expected 80 bytes, found 48, as for AES-128" },
	{ "%\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-=\n%\n%\n",
	  " line=2 ", "a character is none of base64" },
	{ "%\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n%\n%\n",
	  " line=2 ", NO_LENGTH },
};

Test(ticket_file, is_refused_with_the_line_that_is_wrong, .init = start,
     .fini = stop)
{
	struct hs_ticket_keys keys;
	size_t i;

	for (i = 0; i < COUNT(bad); i++) {
		const char *log;

		write_keys(bad[i].form, 0600);
		cr_expect_not(read_keys(&keys), "%zu", i);
		log = said();
		cr_expect(strstr(log, " at=ktlsd.conf:7:14 "), "%zu: %s", i,
			  log);
		cr_expect(strstr(log, file), "%zu: %s", i, log);
		cr_expect(strstr(log, bad[i].line), "%zu: %s", i, log);
		cr_expect(strstr(log, bad[i].error), "%zu: %s", i, log);
		/* Of keys nothing is told. */
		cr_expect_null(strstr(log, "AQEBAQEB"));
	}
}

Test(ticket_file, is_refused_when_it_cannot_be_one, .init = start,
     .fini = stop)
{
	static char text[64 * 1024 + 1];
	struct hs_ticket_keys keys;

	cr_assert_eq(mkfifo(file, 0600), 0);
	cr_expect_not(read_keys(&keys));
	cr_expect(strstr(said(), "it is not a regular file"));
	unlink(file);
	cr_assert_eq(mkdir(file, 0700), 0);
	cr_expect_not(read_keys(&keys));
	cr_expect(strstr(said(), "it is not a regular file"));
	rmdir(file);
	memset(text, '\n', sizeof(text));
	write_file(file, 0600, text, sizeof(text));
	cr_expect_not(read_keys(&keys));
	cr_expect(strstr(said(), "it is longer than 64 KiB"));
	write_file(file, 0600, text, sizeof(text) - 1);
	cr_expect_not(read_keys(&keys));
	cr_expect(strstr(said(), "found 0"));
	write_file(file, 0600, "a\0b", 3);
	cr_expect_not(read_keys(&keys));
	cr_expect(strstr(said(), "it is not a text"));
}

Test(ticket_file, a_key_in_its_place_is_not_told, .init = start, .fini = stop)
{
	struct hs_ticket_keys keys;
	const char *log;

	snprintf(file, sizeof(file), "%s/%.20s", dir, key_line(1));
	cr_expect_not(read_keys(&keys));
	log = said();
	cr_expect(strstr(log, "error event=ticket_keys_refused "
			 "at=ktlsd.conf:7:14 error=\"there is no such file in "),
		  "%s", log);
	cr_expect(strstr(log, dir), "%s", log);
	cr_expect_null(strstr(log, "AQEBAQEB"), "%s", log);
}

Test(ticket_file, others_that_may_read_it_are_warned_of, .init = start,
     .fini = stop)
{
	static const mode_t modes[] = { 0640, 0604, 0622, 0660 };
	size_t i;

	ticket_file_warn(file);
	write_keys("", 0700);
	ticket_file_warn(file);
	cr_expect_str_eq(said(), "");
	for (i = 0; i < COUNT(modes); i++) {
		write_keys("", modes[i]);
		ticket_file_warn(file);
		cr_expect(strstr(said(), "event=ticket_keys_exposed"), "%zu", i);
	}
}

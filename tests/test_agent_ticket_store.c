// SPDX-License-Identifier: MIT
#include "agent/ticket_store.h"

#include "ticket_case.h"

TestSuite(ticket_store, .timeout = 10);

#define LEN (16 + 8 + 3 * HS_TICKET_KEY + 8)

static char dir[32], file[64];
static int fd;

static void start(void)
{
	case_make_dir(dir);
	snprintf(file, sizeof(file), "%s/" TICKET_STORE_FILE, dir);
	fd = open(dir, O_RDONLY | O_DIRECTORY);
	cr_assert_geq(fd, 0);
}

static void stop(void)
{
	static const char *const names[] = { TICKET_STORE_FILE, "elsewhere",
					     NULL };

	close(fd);
	case_remove_dir(dir, names);
}

static void store(void)
{
	struct ticket_store stored = { 1LL << 33, keys_from(1) };

	cr_assert_eq(ticket_store_write(fd, &stored), 0);
}

static const char *refused(void)
{
	struct ticket_store stored;
	const char *error = NULL;

	cr_assert_eq(ticket_store_read(fd, &stored, &error), -EINVAL);
	cr_assert(error);
	return error;
}

Test(ticket_store, gives_back_what_it_was_given, .init = start, .fini = stop)
{
	struct ticket_store stored;
	const char *error = NULL;
	struct stat st;

	cr_expect_eq(ticket_store_read(fd, &stored, &error), -ENOENT);
	umask(0);
	store();
	cr_assert_eq(ticket_store_read(fd, &stored, &error), 0);
	cr_expect_eq(stored.rotate_at, 1LL << 33);
	cr_expect_arr_eq(&stored.keys, &(struct hs_ticket_keys[]){
			 keys_from(1) }, sizeof(stored.keys));
	cr_expect_null(error);
	cr_assert_eq(lstat(file, &st), 0);
	cr_expect_eq(st.st_mode, S_IFREG | 0600);
	cr_expect_eq(st.st_size, LEN);
}

Test(ticket_store, sees_damage_of_any_byte, .init = start, .fini = stop)
{
	uint8_t bytes[LEN + 1] = { 0 };
	size_t i;
	int in;

	store();
	in = open(file, O_RDONLY);
	cr_assert_eq(read(in, bytes, LEN), LEN);
	close(in);
	for (i = 0; i < LEN; i++) {
		bytes[i] ^= 0x10;
		write_file(file, 0600, bytes, LEN);
		cr_expect_str_eq(refused(), i == 14 || i == 15 ?
				 "it is of another version" :
				 "it is damaged", "%zu", i);
		bytes[i] ^= 0x10;
	}
	for (i = 0; i < LEN; i += 20) {
		write_file(file, 0600, bytes, i);
		cr_expect_str_eq(refused(), "it is damaged");
	}
	write_file(file, 0600, bytes, LEN + 1);
	cr_expect_str_eq(refused(), "it is damaged");
	memset(bytes, 0, LEN);
	write_file(file, 0600, bytes, LEN);
	cr_expect_str_eq(refused(), "it is damaged");
}

Test(ticket_store, takes_none_that_others_had_their_hands_on, .init = start,
     .fini = stop)
{
	char elsewhere[64];

	store();
	cr_assert_eq(chmod(file, 0640), 0);
	cr_expect_str_eq(refused(), "others could read it");
	cr_assert_eq(chmod(file, 0602), 0);
	cr_expect_str_eq(refused(), "others could read it");
	if (!geteuid()) {
		cr_assert_eq(chmod(file, 0600), 0);
		cr_assert_eq(chown(file, CASE_NOBODY, CASE_NOBODY), 0);
		cr_expect_str_eq(refused(), "it belongs to somebody else");
	}
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	cr_assert_eq(rename(file, elsewhere), 0);
	cr_assert_eq(symlink("elsewhere", file), 0);
	cr_expect_str_eq(refused(), "it is not a regular file");
	unlink(file);
	cr_assert_eq(mkfifo(file, 0600), 0);
	cr_expect_str_eq(refused(), "it is not a regular file");
	/* What is written replaces any of them. */
	store();
	cr_expect_eq(ticket_store_read(fd, &(struct ticket_store){ 0 },
				       &(const char *){ NULL }), 0);
}

Test(ticket_store, leaves_no_keys_of_a_killed_writer, .init = start,
     .fini = stop)
{
	char temp[64];
	int i;

	for (i = 0; i < 10; i++) {
		snprintf(temp, sizeof(temp), "%s/keys.tmp%d", dir, i);
		write_file(temp, 0600, "", 0);
	}
	store();
	for (i = 0; i < 10; i++) {
		snprintf(temp, sizeof(temp), "%s/keys.tmp%d", dir, i);
		cr_expect_eq(access(temp, F_OK), -1);
	}
}

Test(ticket_store, tells_why_it_cannot_write, .init = start, .fini = stop)
{
	struct ticket_store stored = { 0 };

	cr_assert_eq(mkdir(file, 0700), 0);
	cr_expect_eq(ticket_store_write(fd, &stored), -EISDIR);
	cr_expect_eq(ticket_store_write(-1, &stored), -EBADF);
}

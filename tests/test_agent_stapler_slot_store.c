// SPDX-License-Identifier: MIT
#include "agent/stapler/slot_store.h"

#include "agent_case.h"
#include "agent_stapler.h"

#define URL "http://a/"

static char dir[32], log_name[64], log_text[1 << 14];
static struct slot_policy policy;
static struct slot *slots[2];
static char names[2][OCSP_STORE_NAME];
static int old_stderr;

static struct slot *new_slot(const char *name)
{
	return slot_new(&(struct staple_msg){
		.type = STAPLE_MSG_SLOT,
		.part = { bytes_of(name), { (const void *)URL, sizeof(URL) },
			  bytes_of(name), bytes_of("issuer") } });
}

static void start(void)
{
	int fd;

	case_make_dir(dir);
	policy.folder = dir;
	ocsp_files_init(&policy.files, open(dir, O_RDONLY | O_DIRECTORY));
	slots[0] = new_slot("one");
	slots[1] = new_slot("two");
	ocsp_store_name(slots[0]->fingerprint, names[0]);
	ocsp_store_name(slots[1]->fingerprint, names[1]);
	snprintf(log_name, sizeof(log_name), "%s/log", dir);
	old_stderr = dup(STDERR_FILENO);
	fd = open(log_name, O_WRONLY | O_CREAT | O_APPEND, 0600);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static void stop(void)
{
	char command[64];

	dup2(old_stderr, STDERR_FILENO);
	close(old_stderr);
	slot_free(slots[0]);
	slot_free(slots[1]);
	close(policy.files.dir);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_expect_eq(system(command), 0);
}

TestSuite(slot_store, .init = start, .fini = stop, .timeout = 10);

/* What was logged since the last call is one line with @what in it. */
static void expect_line(const char *what)
{
	int fd = open(log_name, O_RDWR);
	ssize_t n = read(fd, log_text, sizeof(log_text) - 1);

	cr_assert_geq(n, 0);
	log_text[n] = '\0';
	if (what)
		cr_expect(strstr(log_text, what), "no %s in: %s", what,
			  log_text);
	cr_expect(strchr(log_text, '\n') == strrchr(log_text, '\n') &&
		  !what == !n, "got: %s", log_text);
	cr_assert_eq(ftruncate(fd, 0), 0);
	close(fd);
}

static void write_slot(unsigned int i, const char *line)
{
	slot_store_write(slots[i], &policy, bytes_of("response"));
	expect_line(line);
}

static bool is_stored(unsigned int i)
{
	return is_equal(slot_store_read(slots[i], &policy),
			bytes_of("response"));
}

Test(slot_store, gives_back_what_was_written_in_silence)
{
	cr_assert_null(slot_store_read(slots[0], &policy).data);
	write_slot(0, NULL);
	cr_assert(is_stored(0));
	cr_assert_null(slot_store_read(slots[1], &policy).data);
	expect_line(NULL);
}

Test(slot_store, tells_of_its_folder_once_for_all_slots)
{
	int fd = policy.files.dir;

	policy.files.dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
	write_slot(0, "event=staple_store_failed folder=");
	write_slot(0, NULL);
	write_slot(1, NULL);
	cr_assert_lt(slots[1]->store_error, 0);
	close(policy.files.dir);
	policy.files.dir = fd;
	write_slot(1, "event=staple_store_recovered folder=");
	write_slot(0, NULL);
}

Test(slot_store, tells_of_a_file_by_its_name_and_of_no_other)
{
	cr_assert_eq(mkdirat(policy.files.dir, names[0], 0700), 0);
	cr_assert_null(slot_store_read(slots[0], &policy).data);
	expect_line("it is not a regular file");
	write_slot(0, names[0]);
	cr_assert_eq(slots[0]->store_error, -EISDIR);
	write_slot(1, NULL);
	write_slot(0, NULL);
	write_slot(1, NULL);
	cr_assert_eq(unlinkat(policy.files.dir, names[0], AT_REMOVEDIR), 0);
	write_slot(0, "event=staple_store_recovered file=");
	write_slot(0, NULL);
	cr_assert(is_stored(0));
}

Test(slot_store, tells_what_keeps_it_from_reading)
{
	cr_assert_eq(symlinkat(names[1], policy.files.dir, names[0]), 0);
	write_slot(1, NULL);
	cr_assert_null(slot_store_read(slots[0], &policy).data);
	expect_line(names[0]);
	slot_store_refuse(slots[0], &policy, "it is no good");
	expect_line("it is no good");
}

Test(slot_store, is_not_there_without_a_folder)
{
	policy.folder_error = policy.store_error = -ENOENT;
	cr_assert_null(slot_store_read(slots[0], &policy).data);
	write_slot(0, NULL);
	cr_assert_eq(slots[0]->store_error, -ENOENT);
}

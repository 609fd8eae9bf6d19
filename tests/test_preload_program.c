// SPDX-License-Identifier: MIT
#include <criterion/criterion.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "ktls/preload/program.h"

static char dir[] = "/tmp/test_preload_program.XXXXXX";
static char why[300];

static void make_dir(void)
{
	cr_assert(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -r %s", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(preload_program, .timeout = 10, .init = make_dir, .fini = remove_dir);

static const char *put(const char *name, const void *data, size_t len, int mode)
{
	static char path[100];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700);
	cr_assert_eq(write(fd, data, len), (ssize_t)len);
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static int check(const char *path)
{
	why[0] = 0;
	return program_check(path, why, sizeof(why));
}

/* Notes are those of a program in Go, behind others' of @behind bytes. */
static const char *put_notes(int class, const ElfW(Phdr) * p, int n, int behind)
{
	struct {
		ElfW(Ehdr) head;
		ElfW(Phdr) p[4];
		char note[64];
	} elf = {
		.head =
			{
				.e_ident = ELFMAG,
				.e_phoff = sizeof(elf.head),
				.e_phnum = n,
			},
	};
	ElfW(Nhdr) *note = (void *)elf.note;

	if (behind) {
		note->n_namesz = 4;
		note->n_descsz = behind - sizeof(*note) - 4;
		memcpy(note + 1, "GNU", 4);
		note = (void *)(elf.note + behind);
	}
	elf.head.e_ident[EI_CLASS] = class;
	memcpy(elf.p, p, n * sizeof(*p));
	for (int i = 0; i < n; i++) {
		elf.p[i].p_offset = offsetof(typeof(elf), note);
		elf.p[i].p_filesz = sizeof(elf.note);
	}
	note->n_namesz = 4;
	memcpy(note + 1, "Go\0", 4);
	return put("elf", &elf, sizeof(elf), 0755);
}

static const char *put_elf(int class, const ElfW(Phdr) * p, int n)
{
	return put_notes(class, p, n, 0);
}

#define NATIVE (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

Test(preload_program, takes_what_is_linked_dynamically)
{
	const ElfW(Phdr) p[] = {{.p_type = PT_LOAD}, {.p_type = PT_INTERP}};

	cr_assert_eq(check("/bin/sh"), 0, "%s", why);
	cr_assert_eq(check(put_elf(NATIVE, p, 2)), 0, "%s", why);
}

Test(preload_program, refuses_what_is_linked_statically)
{
	const ElfW(Phdr) p[] = {{.p_type = PT_LOAD}};

	cr_assert_eq(check(put_elf(NATIVE, p, 1)), -EACCES);
	cr_assert(strstr(why, "/elf is linked statically"), "%s", why);
}

Test(preload_program, refuses_another_architecture_and_half_a_file)
{
	const ElfW(Phdr) p[] = {{.p_type = PT_INTERP}};

	cr_assert_eq(check(put_elf(NATIVE ^ 3, p, 1)), -EACCES);
	cr_assert(strstr(why, "another architecture"), "%s", why);
	cr_assert_eq(check(put("half", ELFMAG "\2\1\1", 7, 0755)), -EACCES);
	cr_assert(strstr(why, "cut short"), "%s", why);
}

Test(preload_program, refuses_go_which_calls_the_kernel_by_itself)
{
	const ElfW(Phdr) p[] = {{.p_type = PT_INTERP}, {.p_type = PT_NOTE}};

	cr_assert_eq(check(put_elf(NATIVE, p, 2)), -EACCES);
	cr_assert(strstr(why, "is a Go program"), "%s", why);
	cr_assert_eq(check(put_notes(NATIVE, p, 2, 36)), -EACCES);
	cr_assert(strstr(why, "is a Go program"), "%s", why);
}

Test(preload_program, looks_for_gos_note_where_notes_begin)
{
	const ElfW(Phdr) p[] = {{.p_type = PT_INTERP},
				{.p_type = PT_NOTE, .p_align = 8}};

	/* Of those that are aligned to 8 bytes none begins at 36. */
	cr_assert_eq(check(put_notes(NATIVE, p, 2, 36)), 0, "%s", why);
	cr_assert_eq(check(put_notes(NATIVE, p, 2, 40)), -EACCES);
}

Test(preload_program, refuses_rights_that_others_do_not_have)
{
	cr_assert_eq(check(put("x", "#!/bin/sh\n", 10, 04755)), -EACCES);
	cr_assert(strstr(why, "set-id"), "%s", why);
	cr_assert_eq(check(put("x", "#!/bin/sh\n", 10, 02755)), -EACCES);
}

Test(preload_program, of_a_script_the_interpreter_counts)
{
	const ElfW(Phdr) p[] = {{.p_type = PT_LOAD}};
	char line[200];

	cr_assert_eq(check(put("a", "#! \t/bin/sh -e\necho", 19, 0755)), 0);
	cr_assert_eq(check(put("b", "echo", 4, 0755)), 0, "%s", why);
	cr_assert_eq(check(put("c", "", 0, 0755)), 0, "%s", why);
	snprintf(line, sizeof(line), "#!%s\n", put_elf(NATIVE, p, 1));
	cr_assert_eq(check(put("d", line, strlen(line), 0755)), -EACCES);
	cr_assert_eq(check(put("e", "#!/no/such\n", 11, 0755)), -ENOENT);
}

Test(preload_program, scripts_in_a_circle_end)
{
	char line[200];

	snprintf(line, sizeof(line), "#!%s/a\n", dir);
	cr_assert_eq(check(put("a", line, strlen(line), 0755)), -EACCES);
	cr_assert(strstr(why, "too many"), "%s", why);
}

Test(preload_program, is_found_as_execvp_finds_it)
{
	char path[200], expected[200];

	put("found", "#!/bin/sh\n", 10, 0755);
	put("no", "#!/bin/sh\n", 10, 0644);
	snprintf(path, sizeof(path), "/no/such:%s:/bin", dir);
	setenv("PATH", path, 1);
	snprintf(expected, sizeof(expected), "%s/found", dir);
	cr_assert_eq(program_find("found", path, sizeof(path)), 0);
	cr_assert_str_eq(path, expected);
	cr_assert_eq(program_find("not-there", path, sizeof(path)), -ENOENT);
	cr_assert_eq(program_find("./x", path, sizeof(path)), 0);
	cr_assert_str_eq(path, "./x");
	cr_assert_eq(program_find("/too/long", path, 5), -ENAMETOOLONG);
	unsetenv("PATH");
	cr_assert_eq(program_find("sh", path, sizeof(path)), 0);
	cr_assert_str_eq(path, "/bin/sh");
}

// SPDX-License-Identifier: MIT
#include "program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/xattr.h>

#define HEAD_MAX 256 /* what the kernel reads of a script's first line */
#define DEPTH_MAX 4 /* and how many interpreters it goes through */
#define SEGMENTS_MAX 256
#define NOTES_MAX 4096
#define NATIVE_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)

struct check {
	char *why;
	size_t len;
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct check *c,
							const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->why, c->len, format, args);
	va_end(args);
	return -EACCES;
}

static int search(const char *name, const char *dirs, char *path, size_t len)
{
	const char *end;
	int n;

	for (;; dirs = end + 1) {
		end = strchrnul(dirs, ':');
		n = snprintf(path, len, "%.*s%s%s", (int)(end - dirs), dirs,
			     end == dirs ? "" : "/", name);
		if (n < (int)len && !access(path, X_OK))
			return 0;
		if (!*end)
			return -ENOENT;
	}
}

int program_find(const char *name, char *path, size_t len)
{
	const char *dirs = getenv("PATH");

	if (strchr(name, '/'))
		return snprintf(path, len, "%s", name) < (int)len ?
			       0 :
			       -ENAMETOOLONG;
	return search(name, dirs ? dirs : "/bin:/usr/bin", path, len);
}

static int check_mode(const struct check *c, int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (st.st_mode & (S_ISUID | S_ISGID))
		return refuse(c, "%s is set-id: it ignores LD_PRELOAD", path);
	if (fgetxattr(fd, "security.capability", NULL, 0) >= 0)
		return refuse(c,
			      "%s has file capabilities: it ignores LD_PRELOAD",
			      path);
	return 0;
}

static size_t align(size_t n, const ElfW(Phdr) * p)
{
	const size_t mask = p->p_align == 8 ? 7 : 3;

	return (n + mask) & ~mask;
}

/*
 * A note by which Go's linker marks what it makes: behind those of C's linker,
 * where that had to help.
 */
static bool is_go(int fd, const ElfW(Phdr) * p)
{
	char notes[NOTES_MAX];
	const ssize_t n = pread(fd, notes, sizeof(notes), p->p_offset);
	size_t len = n < 0 ? 0 : n, at = 0;
	ElfW(Nhdr) note;

	if (len > p->p_filesz)
		len = p->p_filesz;
	while (at + sizeof(note) + 4 <= len) {
		memcpy(&note, notes + at, sizeof(note));
		at += sizeof(note);
		if (note.n_namesz == 4 && !memcmp(notes + at, "Go\0", 4))
			return true;
		if (note.n_namesz > len || note.n_descsz > len)
			return false;
		at = align(align(at + note.n_namesz, p) + note.n_descsz, p);
	}
	return false;
}

static int check_elf(const struct check *c, int fd, const char *path,
		     const ElfW(Ehdr) * head)
{
	bool dynamic = false, go = false;
	ElfW(Phdr) p;

	if (head->e_ident[EI_CLASS] != NATIVE_CLASS)
		return refuse(c, "%s is of another architecture", path);
	for (int i = 0; i < head->e_phnum && i < SEGMENTS_MAX; i++) {
		if (pread(fd, &p, sizeof(p), head->e_phoff + i * sizeof(p)) !=
		    sizeof(p))
			return refuse(c, "%s is cut short", path);
		dynamic |= p.p_type == PT_INTERP;
		go |= p.p_type == PT_NOTE && is_go(fd, &p);
	}
	if (!dynamic)
		return refuse(c,
			      "%s is linked statically: it ignores LD_PRELOAD",
			      path);
	if (go)
		return refuse(c,
			      "%s is a Go program: it calls the kernel by "
			      "itself, past every library",
			      path);
	return 0;
}

static int check_at(const struct check *c, const char *path, int depth);

/* "#!" INTERPRETER [ARGUMENT] */
static int check_script(const struct check *c, char *line, int depth)
{
	line += 2 + strspn(line + 2, " \t");
	line[strcspn(line, " \t\n")] = 0;
	return check_at(c, *line ? line : "/bin/sh", depth + 1);
}

static int check_file(const struct check *c, int fd, const char *path,
		      int depth)
{
	union {
		char text[HEAD_MAX + 1];
		ElfW(Ehdr) elf;
	} head = {.text = ""};
	const ssize_t n = pread(fd, head.text, HEAD_MAX, 0);
	int rc = n < 0 ? -errno : check_mode(c, fd, path);

	if (rc)
		return rc;
	if (!memcmp(head.text, ELFMAG, SELFMAG))
		return n < (ssize_t)sizeof(head.elf) ?
			       refuse(c, "%s is cut short", path) :
			       check_elf(c, fd, path, &head.elf);
	if (!memcmp(head.text, "#!", 2))
		return check_script(c, head.text, depth);
	/* execvp(3) gives it to the shell. */
	return check_at(c, "/bin/sh", depth + 1);
}

static int check_at(const struct check *c, const char *path, int depth)
{
	int fd, rc;

	if (depth > DEPTH_MAX)
		return refuse(c, "%s: too many interpreters", path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == EACCES && !access(path, X_OK))
		return refuse(c, "%s cannot be read, to see what it is", path);
	if (fd < 0)
		return -errno;
	rc = check_file(c, fd, path, depth);
	close(fd);
	return rc;
}

int program_check(const char *path, char *why, size_t len)
{
	const struct check c = {why, len};

	return check_at(&c, path, 0);
}

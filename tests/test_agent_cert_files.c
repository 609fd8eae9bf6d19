// SPDX-License-Identifier: MIT
#include "agent/cert_files.h"

#include <sys/mman.h>

#include "agent_case.h"

TestSuite(cert_files, .timeout = 20);

static char dir[32], log_text[2048];

static void start(void)
{
	case_make_dir(dir);
}

/* Everything in it, folders of one level. */
static void empty(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[300];

	cr_assert(d);
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (e->d_type == DT_DIR) {
			empty(path);
			rmdir(path);
		} else {
			unlink(path);
		}
	}
	closedir(d);
}

static void stop(void)
{
	empty(dir);
	rmdir(dir);
}

static void path_of(char *path, size_t size, const char *name)
{
	snprintf(path, size, "%s/%s", dir, name);
}

/* "a" is a file, "a/" a folder, "a>b" a link to b, "a=b" another name of b. */
static void make(const char *names)
{
	char *copy = strdup(names), *next = copy, *name, path[200], to[200];

	while ((name = strsep(&next, " "))) {
		char *link = strpbrk(name, ">="), kind = link ? *link : 0;

		if (link)
			*link++ = '\0';
		path_of(path, sizeof(path), name);
		if (kind == '>') {
			cr_assert_eq(symlink(link, path), 0);
		} else if (kind) {
			path_of(to, sizeof(to), link);
			cr_assert_eq(linkat(AT_FDCWD, to, AT_FDCWD, path, 0),
				     0);
		} else if (name[0] && name[strlen(name) - 1] == '/') {
			cr_assert_eq(mkdir(path, 0755), 0);
		} else if (name[0]) {
			cr_assert_eq(mknod(path, S_IFREG | 0600, 0), 0, "%s",
				     path);
		}
	}
	free(copy);
}

static int find(const struct config *config, bool quiet,
		struct cert_files *files)
{
	int old_stderr = dup(STDERR_FILENO), err;
	int log = memfd_create("log", MFD_CLOEXEC);
	ssize_t n;

	dup2(log, STDERR_FILENO);
	err = cert_files_find(config, quiet, files);
	dup2(old_stderr, STDERR_FILENO);
	n = pread(log, log_text, sizeof(log_text) - 1, 0);
	log_text[n > 0 ? n : 0] = '\0';
	close(log);
	close(old_stderr);
	return err;
}

/* What was found as text: "chain:key|key chain:key", without the folder. */
static const char *text_of(const struct cert_files *files)
{
	static char text[4096];
	size_t len = strlen(dir) + 1, n = 0, i, j;

	text[0] = '\0';
	for (i = 0; i < files->n; i++) {
		const struct cert_file *f = &files->file[i];

		n += sprintf(text + n, "%s%s", i ? " " : "", f->chain + len);
		for (j = 0; j < f->n_keys; j++)
			n += sprintf(text + n, "%c%s", j ? '|' : ':',
				     f->keys[j] + len);
	}
	return text;
}

static const struct {
	const char *names, *found;	/* NULL: an error */
	const char *says;	/* NULL: nothing */
} folders[] = {
	{ "b.crt b.key a.crt a.key",
	  "a.crt:a.crt|a.crt.key|a.key b.crt:b.crt|b.crt.key|b.key", NULL },
	{ "one.pem two.pem two.pem.key three.pem three.key",
	  "one.pem:one.pem|one.pem.key|one.key "
	  "three.pem:three.pem|three.pem.key|three.key "
	  "two.pem:two.pem|two.pem.key|two.key", NULL },
	{ "README x/ x/fullchain.pem x/privkey.pem x/cert.pem x/chain.pem "
	  "x/README w/ w/fullchain.pem w/privkey.pem",
	  "w/fullchain.pem:w/privkey.pem x/fullchain.pem:x/privkey.pem", NULL },
	{ "b.pem m/ m/fullchain.pem m/privkey.pem z.crt z.key",
	  "b.pem:b.pem|b.pem.key|b.key m/fullchain.pem:m/privkey.pem "
	  "z.crt:z.crt|z.crt.key|z.key", NULL },
	{ "fullchain.pem privkey.pem cert.pem chain.pem README",
	  "fullchain.pem:privkey.pem", NULL },
	{ "..2026/ ..2026/tls.crt ..2026/tls.key ..data>..2026 "
	  "tls.crt>..data/tls.crt tls.key>..data/tls.key",
	  "tls.crt:tls.crt|tls.crt.key|tls.key", NULL },
	{ ".hidden.pem notes.txt a.pem~ a.pem.bak a.csr .pem .x/ "
	  ".x/fullchain.pem old/ old/a.pem a.pem",
	  "a.pem:a.pem|a.pem.key|a.key", NULL },
	{ "b.pem a.pem>b.pem", "a.pem:a.pem|a.pem.key|a.key", NULL },
	{ "b.crt b.pem=b.crt", "b.crt:b.crt|b.crt.key|b.key", NULL },
	{ "x/ x/fullchain.pem x/privkey.pem y>x",
	  "x/fullchain.pem:x/privkey.pem", NULL },
	{ "a.crt a.issuer.crt a.key b.issuer.crt c.pem c.issuer.pem",
	  "a.crt:a.crt|a.crt.key|a.key "
	  "b.issuer.crt:b.issuer.crt|b.issuer.crt.key|b.issuer.key "
	  "c.pem:c.pem|c.pem.key|c.key", NULL },
	{ "a.pem>nowhere", "a.pem:a.pem|a.pem.key|a.key", NULL },
	{ "a.pem b.key c.pem.key", "a.pem:a.pem|a.pem.key|a.key",
	  "b.key\" error=\"there is no certificate of this name beside it" },
	{ "a.pem c.pem.key", "a.pem:a.pem|a.pem.key|a.key", "c.pem.key" },
	{ "a.crt x/ x/fullchain.pem", "a.crt:a.crt|a.crt.key|a.key "
	  "x/fullchain.pem:x/privkey.pem", NULL },
	{ "a.crt x/ x/privkey.pem", NULL,
	  "/x/fullchain.pem: it is missing, while there is a privkey.pem" },
	{ "", NULL, ": no certificate is in this folder" },
	{ "README .a.pem x/", NULL, ": no certificate is in this folder" },
};

Test(cert_files, a_folder_has_what_its_names_say, .init = start, .fini = stop)
{
	struct config_cert cert = { .mark = { "k.conf", 7, 3 }, .chain = dir };
	const struct config config = { .certs = &cert, .n_certs = 1 };

	for (size_t i = 0; i < COUNT(folders); i++) {
		struct cert_files files;
		int err;

		make(folders[i].names);
		err = find(&config, false, &files);
		cr_expect_eq(!!err, !folders[i].found, "%zu: %s", i, log_text);
		if (folders[i].found)
			cr_expect_str_eq(text_of(&files), folders[i].found);
		if (!folders[i].says)
			cr_expect_str_eq(log_text, "", "%zu", i);
		else
			cr_expect(strstr(log_text, folders[i].says), "%zu: %s",
				  i, log_text);
		if (err)
			cr_expect(strstr(log_text, "at=k.conf:7:3 error=\"/"),
				  "%s", log_text);
		cert_files_free(&files);
		find(&config, true, &files);
		cr_expect_str_eq(log_text, "", "quiet");
		cert_files_free(&files);
		empty(dir);
	}
}

Test(cert_files, those_of_a_folder_have_its_entry, .init = start, .fini = stop)
{
	char one[64], other[64];
	struct config_cert certs[] = {
		{ .chain = one }, { .chain = dir }, { .chain = other },
	};
	const struct config config = { .certs = certs, .n_certs = 3 };
	static const unsigned int entries[] = { 0, 1, 1, 2 };
	struct cert_files files;

	path_of(one, sizeof(one), "missing");
	path_of(other, sizeof(other), "b.pem");
	make("b.pem a.pem x/");
	cr_assert_eq(find(&config, false, &files), 0);
	cr_assert_eq(files.n, COUNT(entries));
	for (size_t i = 0; i < files.n; i++)
		cr_expect_eq(files.file[i].entry, entries[i]);
	cr_expect_str_eq(files.file[0].chain, one);
	cr_expect_eq(files.file[0].n_keys, 2, "it has no ending");
	cr_assert_eq(files.n_folders, 2);
	cr_expect_str_eq(files.folders[0], dir);
	cert_files_free(&files);
}

Test(cert_files, a_key_that_is_given_is_the_only_one, .init = start,
     .fini = stop)
{
	struct config_cert cert = { .chain = dir, .key = dir };
	const struct config config = { .certs = &cert, .n_certs = 1 };
	struct cert_files files;

	make("a.pem b.pem other.key x/ x/fullchain.pem x/privkey.pem");
	cr_assert_eq(find(&config, false, &files), 0);
	cr_expect_str_eq(log_text, "", "%s", log_text);
	cr_assert_eq(files.n, 3);
	for (size_t i = 0; i < files.n; i++) {
		cr_expect_eq(files.file[i].n_keys, 1);
		cr_expect_str_eq(files.file[i].keys[0], dir);
	}
	cert_files_free(&files);
}

Test(cert_files, there_are_ten_thousand_at_most, .init = start, .fini = stop)
{
	char name[32], extra[64];
	struct config_cert certs[] = { { .chain = dir }, { .chain = extra } };
	struct config config = { .certs = certs, .n_certs = 1 };
	struct cert_files files;

	path_of(extra, sizeof(extra), "extra");
	for (int i = 0; i < CERT_FILES_MAX; i++) {
		sprintf(name, "%04d.pem", i);
		make(name);
	}
	cr_assert_eq(find(&config, false, &files), 0);
	cr_expect_eq(files.n, CERT_FILES_MAX);
	cert_files_free(&files);
	config.n_certs = 2;
	cr_expect_eq(find(&config, false, &files), -E2BIG);
	cr_expect(strstr(log_text, "extra: there are 10000 certificates"),
		  "%s", log_text);
	cert_files_free(&files);
}

static void read_forbidden(void)
{
	struct config_cert cert = { .chain = dir };
	const struct config config = { .certs = &cert, .n_certs = 1 };
	struct cert_files files;

	CHECK(geteuid() || !setuid(CASE_NOBODY));
	CHECK(find(&config, false, &files) == -EACCES);
	CHECK(strstr(log_text, ": Permission denied"));
	cert_files_free(&files);
}

Test(cert_files, a_folder_that_cannot_be_read_is_an_error, .init = start,
     .fini = stop)
{
	make("a.pem");
	chmod(dir, 0111);
	case_in_child(read_forbidden);
	chmod(dir, 0755);
}

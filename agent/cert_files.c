/* SPDX-License-Identifier: MIT */
#include "cert_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"

#define CERTBOT_CHAIN "fullchain.pem"
#define CERTBOT_KEY "privkey.pem"

/*
 * struct search - an entry's
 * @first: of its certificates in @files
 * @keys:  of a folder, sorted; to be used
 */
struct search {
	const struct config *config;
	unsigned int entry;
	bool quiet;
	struct cert_files *files;
	size_t first;
	char **keys;
	size_t n_keys;
};

static int refuse(const struct search *s, const char *file, const char *why,
		  int err)
{
	const struct config_mark *mark = &s->config->certs[s->entry].mark;

	if (!s->quiet)
		log_error("event=certificate_refused at=%s:%u:%u "
			  "error=\"%s: %s\"", mark->file, mark->line,
			  mark->column, file, why);
	return err;
}

static int refuse_errno(const struct search *s, const char *file, int err)
{
	return refuse(s, file, strerror(-err), err);
}

/* --- lists -------------------------------------------------------------------- */

/* Makes room for one more of @size bytes; @n of them are there. */
static void *grow(void *list, size_t n, size_t size)
{
	if (n & (n - 1))
		return list;
	return realloc(list, (n ? 2 * n : 1) * size);
}

/* Takes @text, NULL included. */
static int add_text(char ***list, size_t *n, char *text)
{
	char **grown = text ? grow(*list, *n, sizeof(*grown)) : NULL;

	if (!grown) {
		free(text);
		return -ENOMEM;
	}
	*list = grown;
	grown[(*n)++] = text;
	return 0;
}

static void free_texts(char **list, size_t n)
{
	while (n)
		free(list[--n]);
	free(list);
}

static char *join(const char *folder, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static void file_free(struct cert_file *file)
{
	size_t i;

	free(file->chain);
	for (i = 0; i < file->n_keys; i++)
		free(file->keys[i]);
}

/* --- a certificate -------------------------------------------------------------- */

/* Takes @key. */
static int add_key(struct cert_file *file, char *key)
{
	file->keys[file->n_keys++] = key;
	return key ? 0 : -ENOMEM;
}

/* How much of a path stands before its ending. */
static size_t stem_len(const char *path)
{
	const char *name = strrchr(path, '/');
	const char *dot;

	name = name ? name + 1 : path;
	dot = strrchr(name, '.');
	return dot && dot != name ? (size_t)(dot - path) : strlen(path);
}

static int add_usual_keys(struct cert_file *file)
{
	size_t stem = stem_len(file->chain);
	char *behind, *instead;
	int err;

	if (asprintf(&behind, "%s.key", file->chain) < 0)
		behind = NULL;
	err = add_key(file, strdup(file->chain)) | add_key(file, behind);
	if (err || !file->chain[stem])
		return err;
	if (asprintf(&instead, "%.*s.key", (int)stem, file->chain) < 0)
		instead = NULL;
	return add_key(file, instead);
}

static int fill_file(struct search *s, struct cert_file *file, const char *key)
{
	const char *given = s->config->certs[s->entry].key;

	if (!file->chain)
		return -ENOMEM;
	if (s->files->n == CERT_FILES_MAX)
		return refuse(s, file->chain, "there are 10000 certificates "
			      "already", -E2BIG);
	if (!given && !key)
		return add_usual_keys(file);
	return add_key(file, strdup(given ? given : key));
}

/*
 * @chain: taken; NULL: out of memory
 * @key:   the only place for it, unless the configuration says; or NULL
 * @st:    NULL: it is of no folder
 */
static int add_file(struct search *s, char *chain, const char *key,
		    const struct stat *st)
{
	struct cert_files *files = s->files;
	struct cert_file *grown = grow(files->file, files->n, sizeof(*grown));
	struct cert_file file = {
		.entry = s->entry,
		.chain = chain,
		.dev = st ? st->st_dev : 0,
		.ino = st ? st->st_ino : 0,
	};
	int err = grown ? fill_file(s, &file, key) : -ENOMEM;

	if (grown)
		files->file = grown;
	if (err)
		file_free(&file);
	else
		files->file[files->n++] = file;
	return err;
}

/* --- a folder ------------------------------------------------------------------- */

static int add_folder(struct search *s, const char *path)
{
	return add_text(&s->files->folders, &s->files->n_folders,
			strdup(path));
}

/* A link without a file counts, so that it is complained of. */
static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st) || errno != ENOENT;
}

/* One of certbot's? Returns 1 when it was, 0, or -errno. */
static int add_certbot(struct search *s, const char *folder)
{
	char *chain = join(folder, CERTBOT_CHAIN);
	char *key = join(folder, CERTBOT_KEY);
	struct stat st = { 0 };
	int ret = 0;

	if (!chain || !key) {
		ret = -ENOMEM;
	} else if (exists(chain)) {
		stat(chain, &st);
		ret = add_file(s, chain, key, &st);
		chain = NULL;
		ret = ret ? ret : 1;
	} else if (exists(key)) {
		ret = refuse(s, chain, "it is missing, while there is a "
			     CERTBOT_KEY, -ENOENT);
	}
	free(chain);
	free(key);
	return ret;
}

static bool has_ending(const char *name, const char *ending)
{
	size_t len = strlen(name), n = strlen(ending);

	return len > n && !strcmp(name + len - n, ending);
}

/* A name in a folder, that of a folder in it included; takes @path. */
static int add_entry(struct search *s, char *path, const struct stat *st)
{
	int err = 0;

	if (S_ISDIR(st->st_mode)) {
		err = add_folder(s, path);
		if (!err)
			err = add_certbot(s, path);
	} else if (has_ending(path, ".crt") || has_ending(path, ".pem")) {
		return add_file(s, path, NULL, st);
	} else if (has_ending(path, ".key")) {
		return add_text(&s->keys, &s->n_keys, path);
	}
	free(path);
	return err < 0 ? err : 0;
}

/* What stat(2) says of it, as a rule without asking it ten thousand times. */
static void look_at(const struct dirent *e, const char *path, dev_t dev,
		    struct stat *st)
{
	if (e->d_type == DT_REG || e->d_type == DT_DIR)
		*st = (struct stat){
			.st_mode = DTTOIF(e->d_type),
			.st_dev = dev,
			.st_ino = e->d_ino,
		};
	else if (stat(path, st))	/* who opens it will know why */
		*st = (struct stat){ .st_ino = e->d_ino };
}

static int read_entries(struct search *s, DIR *dir, const char *folder,
			dev_t dev)
{
	const struct dirent *e;
	struct stat st;
	char *path;
	int err = 0;

	while (!err && (e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		path = join(folder, e->d_name);
		if (!path)
			return -ENOMEM;
		look_at(e, path, dev, &st);
		err = add_entry(s, path, &st);
	}
	return err;
}

static int by_chain(const void *a, const void *b)
{
	const struct cert_file *x = a, *y = b;

	return strcmp(x->chain, y->chain);
}

/* Is a certificate of this folder in @stem with this ending? */
static bool has_chain(const struct search *s, const char *stem, size_t len,
		      const char *ending)
{
	struct cert_file key;
	bool found;

	if (asprintf(&key.chain, "%.*s%s", (int)len, stem, ending) < 0)
		return true;
	found = bsearch(&key, s->files->file + s->first, s->files->n - s->first,
			sizeof(key), by_chain);
	free(key.chain);
	return found;
}

static void warn_of_keys(const struct search *s)
{
	bool given = s->config->certs[s->entry].key;
	size_t i;

	for (i = 0; i < s->n_keys && !s->quiet && !given; i++) {
		const char *key = s->keys[i];
		size_t len = strlen(key) - strlen(".key");

		if (!has_chain(s, key, len, "") &&
		    !has_chain(s, key, len, ".crt") &&
		    !has_chain(s, key, len, ".pem"))
			log_warn("event=key_unused file=\"%s\" error=\"there "
				 "is no certificate of this name beside it\"",
				 key);
	}
}

/* NAME.issuer.crt beside NAME.crt, as lego writes it. */
static bool is_issuer(const struct search *s, const char *chain)
{
	static const char mark[] = ".issuer";
	size_t len = strlen(chain) - strlen(".crt"), n = sizeof(mark) - 1;

	return len > n && !memcmp(chain + len - n, mark, n) &&
	       (has_chain(s, chain, len - n, ".crt") ||
		has_chain(s, chain, len - n, ".pem"));
}

/* Takes those out that @marked says. */
static void remove_marked(struct search *s, const bool *marked)
{
	struct cert_files *files = s->files;
	size_t n = files->n - s->first, to = s->first, i;

	for (i = 0; i < n; i++) {
		if (marked[i])
			file_free(&files->file[s->first + i]);
		else
			files->file[to++] = files->file[s->first + i];
	}
	files->n = to;
}

static int by_inode(const void *a, const void *b)
{
	const struct cert_file *x = *(const struct cert_file *const *)a;
	const struct cert_file *y = *(const struct cert_file *const *)b;

	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Of several names for a file the first counts. */
static int mark_doubles(const struct search *s, bool *marked)
{
	struct cert_file *file = s->files->file + s->first;
	size_t n = s->files->n - s->first, i;
	struct cert_file **sorted = calloc(n + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		sorted[i] = &file[i];
	qsort(sorted, n, sizeof(*sorted), by_inode);
	for (i = 1; i < n; i++)
		if (sorted[i]->dev == sorted[i - 1]->dev &&
		    sorted[i]->ino == sorted[i - 1]->ino)
			marked[sorted[i] - file] = true;
	free(sorted);
	return 0;
}

/* In an order that does not depend on the file system. */
static int put_in_order(struct search *s)
{
	struct cert_file *file = s->files->file + s->first;
	size_t n = s->files->n - s->first, i;
	bool *marked = calloc(n + 1, sizeof(*marked));
	int err = marked ? 0 : -ENOMEM;

	if (n)
		qsort(file, n, sizeof(*file), by_chain);
	warn_of_keys(s);
	if (!err)
		err = mark_doubles(s, marked);
	for (i = 0; i < n && !err; i++)
		marked[i] |= is_issuer(s, file[i].chain);
	if (!err)
		remove_marked(s, marked);
	free(marked);
	return err;
}

static int search_folder(struct search *s, const char *folder, dev_t dev)
{
	int err = add_folder(s, folder);
	DIR *dir;

	if (!err)
		err = add_certbot(s, folder);
	if (err)
		return err < 0 ? err : 0;
	dir = opendir(folder);
	if (!dir)
		return refuse_errno(s, folder, -errno);
	err = read_entries(s, dir, folder, dev);
	closedir(dir);
	if (!err)
		err = put_in_order(s);
	free_texts(s->keys, s->n_keys);
	if (!err && s->files->n == s->first)
		return refuse(s, folder, "no certificate is in this folder",
			      -ENOENT);
	return err;
}

/* --- all of them ------------------------------------------------------------------ */

static int search(struct search *s)
{
	const char *path = s->config->certs[s->entry].chain;
	struct stat st;
	int err;

	if (!stat(path, &st) && S_ISDIR(st.st_mode))
		err = search_folder(s, path, st.st_dev);
	else
		err = add_file(s, strdup(path), NULL, NULL);
	return err == -ENOMEM ? refuse_errno(s, path, err) : err;
}

int cert_files_find(const struct config *config, bool quiet,
		    struct cert_files *files)
{
	unsigned int i;
	int err = 0;

	*files = (struct cert_files){ 0 };
	for (i = 0; i < config->n_certs && !err; i++) {
		struct search s = {
			.config = config,
			.entry = i,
			.quiet = quiet,
			.files = files,
			.first = files->n,
		};

		err = search(&s);
	}
	return err;
}

void cert_files_free(struct cert_files *files)
{
	size_t i;

	for (i = 0; i < files->n; i++)
		file_free(&files->file[i]);
	free(files->file);
	free_texts(files->folders, files->n_folders);
	*files = (struct cert_files){ 0 };
}

/* SPDX-License-Identifier: MIT */
#include "watch_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- what counts ------------------------------------------------------------- */

/* Returns false when out of memory. */
static bool add_other(struct watch_files *files, const char *path)
{
	struct config_texts *other = &files->other;
	char **text;

	if (!path)
		return true;
	text = realloc(other->text, (other->n + 1) * sizeof(*text));
	if (!text)
		return false;
	other->text = text;
	text[other->n] = strdup(path);
	return text[other->n] && ++other->n;
}

static bool add_client(struct watch_files *files,
		       const struct config_client *client, bool all)
{
	bool ok = !all || add_other(files, client->ca);
	size_t i;

	for (i = 0; ok && i < client->crls.n; i++)
		ok = add_other(files, client->crls.text[i]);
	return ok;
}

static bool add_cert(struct watch_files *files, const struct config_cert *cert)
{
	struct config_cert *copy = &files->certs.certs[files->certs.n_certs++];

	copy->chain = strdup(cert->chain);
	copy->key = cert->key ? strdup(cert->key) : NULL;
	return copy->chain && !copy->key == !cert->key &&
	       add_other(files, cert->password_file) &&
	       add_other(files, cert->staple_file) &&
	       add_other(files, cert->issuer);
}

static bool add_all(struct watch_files *files, const struct config *config)
{
	bool all = config->watch, ok = add_other(files, config->ticket_keys.path);
	size_t i;

	files->certs.certs =
		calloc(config->n_certs + 1, sizeof(*files->certs.certs));
	ok = ok && files->certs.certs;
	for (i = 0; ok && i < config->n_listeners; i++)
		ok = add_client(files, &config->listeners[i].client, all);
	for (i = 0; ok && i < config->n_certs; i++)
		ok = add_client(files, &config->certs[i].client, all) &&
		     (!all || add_cert(files, &config->certs[i]));
	return ok;
}

int watch_files_set(struct watch_files *files, const struct config *config)
{
	struct watch_files next = { 0 };

	if (!add_all(&next, config)) {
		watch_files_fini(&next);
		return -ENOMEM;
	}
	watch_files_fini(files);
	*files = next;
	return 0;
}

void watch_files_fini(struct watch_files *files)
{
	size_t i;

	for (i = 0; i < files->certs.n_certs; i++) {
		free(files->certs.certs[i].chain);
		free(files->certs.certs[i].key);
	}
	free(files->certs.certs);
	for (i = 0; i < files->other.n; i++)
		free(files->other.text[i]);
	free(files->other.text);
	*files = (struct watch_files){ 0 };
}

/* --- what it is -------------------------------------------------------------- */

static void look_at(struct watch_look *look, struct watch_folders *folders,
		    const char *path)
{
	struct watch_item *item = &look->item[look->n++];
	struct stat st = { 0 };
	bool link = !lstat(path, &st) && S_ISLNK(st.st_mode);

	watch_folders_file(folders, path, link);
	item->path = path;
	item->id = link ? file_id_get(path) : file_id_of(&st);
}

static void look_at_cert(struct watch_look *look, struct watch_folders *folders,
			 const struct cert_file *file)
{
	size_t i;

	look_at(look, folders, file->chain);
	for (i = 0; i < file->n_keys; i++)
		if (strcmp(file->keys[i], file->chain))
			look_at(look, folders, file->keys[i]);
}

int watch_files_look(const struct watch_files *files,
		     struct watch_folders *folders, struct watch_look *look)
{
	size_t i;

	*look = (struct watch_look){ 0 };
	/* What is wrong with it who reads it all will say. */
	cert_files_find(&files->certs, true, &look->found);
	look->item = calloc(look->found.n * (CERT_FILES_KEYS + 1) +
				    files->other.n + 1,
			    sizeof(*look->item));
	if (!look->item) {
		watch_look_fini(look);
		return -ENOMEM;
	}
	watch_folders_begin(folders);
	for (i = 0; i < look->found.n_folders; i++)
		watch_folders_folder(folders, look->found.folders[i]);
	for (i = 0; i < look->found.n; i++)
		look_at_cert(look, folders, &look->found.file[i]);
	for (i = 0; i < files->other.n; i++)
		look_at(look, folders, files->other.text[i]);
	watch_folders_end(folders);
	return 0;
}

const char *watch_look_change(const struct watch_look *a,
			      const struct watch_look *b)
{
	size_t i;

	for (i = 0; i < a->n && i < b->n; i++)
		if (strcmp(a->item[i].path, b->item[i].path) ||
		    !file_id_same(&a->item[i].id, &b->item[i].id))
			return b->item[i].path;
	if (a->n == b->n)
		return NULL;
	return i < b->n ? b->item[i].path : a->item[i].path;
}

void watch_look_fini(struct watch_look *look)
{
	cert_files_free(&look->found);
	free(look->item);
	*look = (struct watch_look){ 0 };
}

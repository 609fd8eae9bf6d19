/* SPDX-License-Identifier: MIT */
/* Which files the certificates of a configuration are in. */
#ifndef AGENT_CERT_FILES_H
#define AGENT_CERT_FILES_H

#include "config/config.h"

#define CERT_FILES_MAX 10000
#define CERT_FILES_KEYS 3

/*
 * struct cert_file - a certificate
 * @entry:    index into config's certs: whose settings it has
 * @chain:    PEM
 * @keys:     where its key may be, to be tried in turn, @n_keys of them; see
 *            struct hs_cert_files
 * @dev, @ino: tell the chain from others of the same folder, and are 0 without
 *            one
 */
struct cert_file {
	unsigned int entry;
	char *chain;
	char *keys[CERT_FILES_KEYS];
	size_t n_keys;
	dev_t dev;
	ino_t ino;
};

/*
 * struct cert_files - of all certificates, by entry, then name
 * @folders: those that were looked into: what comes into them may be another
 */
struct cert_files {
	struct cert_file *file;
	size_t n;
	char **folders;
	size_t n_folders;
};

/*
 * cert_files_find - look into folders; files are not opened, and may be missing
 * @quiet: log nothing
 * A folder, DIR, has the certificates DIR/NAME/fullchain.pem with privkey.pem
 * beside it, DIR/NAME.crt and DIR/NAME.pem. With a fullchain.pem of its own it is
 * that single one. Names with a dot at the beginning do not count, nor does
 * NAME.issuer.crt beside NAME.crt (or .pem). Of several names for a file the
 * first counts.
 * Returns 0 and something for cert_files_free(), or -errno after logging the
 * entry's place; then @files has what was found so far.
 */
int cert_files_find(const struct config *config, bool quiet,
		    struct cert_files *files);
void cert_files_free(struct cert_files *files);

#endif

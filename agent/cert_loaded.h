/* SPDX-License-Identifier: MIT */
/*
 * A certificate as it was read from its files, with what was found out about its
 * staples. The next configuration takes it as it is where neither the files nor
 * what is said about them have changed.
 */
#ifndef AGENT_CERT_LOADED_H
#define AGENT_CERT_LOADED_H

#include "file_id.h"
#include "slots.h"

/* Chain, key, passphrase, staple, issuer. */
#define CERT_LOADED_FILES 5

/*
 * struct cert_loaded
 * @settled: @file would show a change
 */
struct cert_loaded {
	unsigned int refs;
	struct hs_cert *cert;
	struct slots slots;
	struct file_id file[CERT_LOADED_FILES];
	bool settled;
};

/* cert_loaded_new - one reference; NULL after logging what is wrong */
struct cert_loaded *cert_loaded_new(const struct config *config,
				    const struct cert_file *file);
struct cert_loaded *cert_loaded_get(struct cert_loaded *loaded);
void cert_loaded_free(struct cert_loaded *loaded);	/* takes NULL */

/*
 * cert_loaded_holds - are its files as they were, and the key where it was?
 * @file: the same, with the same settings
 */
bool cert_loaded_holds(const struct cert_loaded *loaded,
		       const struct config *config,
		       const struct cert_file *file);

#endif

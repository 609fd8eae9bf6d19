/* SPDX-License-Identifier: MIT */
/* OCSP responses: the true one, and others made from it and signed anew. */
#ifndef ANSWER_H
#define ANSWER_H

#include <openssl/ocsp.h>
#include <stddef.h>
#include <stdint.h>

#include "mode.h"

/* Of a CA's OCSP responses: who may sign them, and who may not. */
enum signer { ISSUER, DELEGATE, EXPIRED_DELEGATE, PLAIN_DELEGATE, STRANGER };
#define SIGNERS (STRANGER + 1)

struct authority {
	X509 *cert[SIGNERS];
	EVP_PKEY *key[SIGNERS];
};

/*
 * authority_read - from PATH{,-delegate,-expired,-plain,-stranger}.{pem,key}
 * Those behind the first may be missing: die() when they are used.
 */
void authority_read(struct authority *a, const char *path);
void authority_free(struct authority *a);

/*
 * struct answer - what goes into an HTTP body
 * @der: freed by answer_free()
 * @this_update, @next_update: of the first answer in it, in seconds since the
 *       epoch; 0: none, or not a response
 */
struct answer {
	uint8_t *der;
	size_t len;
	int64_t this_update, next_update;
};

/* As it came from openssl-ocsp(1); takes @der. die() if it is no response. */
void answer_take(struct answer *out, uint8_t *der, size_t len);
void answer_copy(struct answer *out, const struct answer *from);
/* One of what @m says, about the certificate that @real is about. */
void answer_make(struct answer *out, const struct authority *a,
		 const struct mode *m, const struct answer *real);
void answer_free(struct answer *answer);

#endif

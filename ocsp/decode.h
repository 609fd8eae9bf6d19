/* SPDX-License-Identifier: MIT */
/* The DER in a file that people wrote: as it is, in PEM, or in base64. */
#ifndef OCSP_DECODE_H
#define OCSP_DECODE_H

#include <stdbool.h>

#include "ocsp/ocsp.h"

/*
 * struct ocsp_decoder - a file's bytes as they are taken apart
 * @in:    what is left of the file; starts as all of it, borrowed
 * @out:   free space, to start with of @in's length; moves on
 * @der:   the last one taken: in @in's file or in @out's space
 * @label: of PEM, as in "-----BEGIN OCSP RESPONSE-----", cut short if long;
 *         else empty
 */
struct ocsp_decoder {
	struct ocsp_bytes in;
	uint8_t *out;
	struct ocsp_bytes der;
	char label[32];
	bool begun; /* ours */
};

/*
 * ocsp_decode - take the next one
 * A file with PEM in it has one for each block, whatever their labels and the
 * text around them; any other has one. Base64 is taken with white space
 * anywhere in it. Bytes that are no text are DER, whether or not they look like
 * it: nothing is repaired.
 * Returns 0; -ENOENT when there is no more; -EINVAL for text that is neither, or
 * a block that is broken, named by @d->label: the next call goes on behind it.
 */
int ocsp_decode(struct ocsp_decoder *d);

#endif

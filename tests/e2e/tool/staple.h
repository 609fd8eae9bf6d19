/* SPDX-License-Identifier: MIT */
/*
 * What a strict client thinks of a staple. It shares nothing with what it is to
 * judge: libcrypto's own parser and verifier, and times without any mercy.
 */
#ifndef STAPLE_H
#define STAPLE_H

#include <openssl/x509.h>
#include <stdint.h>

/*
 * struct staple_rules - in seconds
 * @ahead:    thisUpdate and producedAt may be so far in the future
 * @max_age:  since thisUpdate
 * @max_open: the same without a nextUpdate; 0: there must be one
 */
struct staple_rules {
	int64_t ahead, max_age, max_open;
};

/*
 * struct staple - an opinion
 * @verdict: "valid" or "invalid:" and a reason, in one word
 * @this_update, @next_update: seconds since the epoch; 0: none
 */
struct staple {
	char verdict[160];
	int64_t this_update, next_update;
};

/*
 * staple_judge - may this have been sent for @leaf?
 * @chain: that was presented; its certificates help to reach @store
 * @now:   seconds since the epoch, when the staple was received
 * Valid is what is signed for exactly @leaf, once, good, not before thisUpdate
 * and before nextUpdate, by @issuer or by its delegate whose certificate is in
 * date and has the right to.
 */
void staple_judge(struct staple *out, const uint8_t *der, long len, X509 *leaf,
		  X509 *issuer, STACK_OF(X509) * chain, X509_STORE *store,
		  const struct staple_rules *rules, int64_t now);

#endif

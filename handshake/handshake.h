/* SPDX-License-Identifier: MIT */
/*
 * TLS handshakes on memory: bytes in, bytes out, traffic keys at the end. No
 * sockets, no clock of its own, no logging.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "handshake/ctx.h"
#include "ktls/keys.h"

struct hs;

enum hs_step {
	HS_MORE,	/* send the output, then feed what arrives */
	HS_DONE,	/* send the output, then hs_keys() */
	HS_FAIL,	/* send the output (an alert, perhaps), then close */
	HS_PASS,	/* as @choose said: no output, nothing was answered */
};

/*
 * HS_F_HTTP, _SSLV2, _GARBAGE: by the first bytes. _ALERT: the peer sent one.
 * _VERSION, _CIPHER: nothing in common, groups and signatures included.
 * _STAPLE: see hs_cert_require_staple(). _HELLO: the ClientHello is too long.
 * _NAME: no certificate is for the client's name. _ALPN: no protocol in common.
 * _CLIENT: its certificate is missing or not valid; _DENIED: it is, and is not
 * among those that may come in.
 */
enum hs_failure {
	HS_F_NONE, HS_F_HTTP, HS_F_SSLV2, HS_F_GARBAGE, HS_F_RECORD_OVERFLOW,
	HS_F_ALERT, HS_F_VERSION, HS_F_CIPHER, HS_F_PROTOCOL, HS_F_STAPLE,
	HS_F_HELLO, HS_F_NAME, HS_F_ALPN, HS_F_CLIENT, HS_F_DENIED,
	HS_F_INTERNAL,
	HS_FAILURES,
};

/*
 * struct hs_hello - what a ClientHello asks for; borrowed for the call
 * @server_name: in lower case, without a dot at the end; "" where absent or not
 *               a host's: other bytes than letters, digits, '-', '_' and '.'
 * @offered:     protocols in wire format (RFC 7301 3.1)
 * @protocol:    the one that will be agreed on, or none
 * @realm:       set by the callee, at first "": sessions are resumed in the realm
 *               they were made in, and in no other. Stays until hs_feed() returns
 */
struct hs_hello {
	const char *server_name;
	struct ocsp_bytes offered, protocol;
	const char *realm;
};

enum hs_choice { HS_GO_ON, HS_STOP };

/*
 * hs_new - one connection's handshake; NULL when out of memory.
 * @choose: called with each ClientHello before anything is answered (there can
 *          be two of them, RFC 8446 4.1.4). HS_GO_ON: perform the handshake.
 *          HS_STOP: do nothing more, hs_feed() returns HS_PASS. A second one
 *          that asks for something else, or is told to stop, ends the handshake
 *          with illegal_parameter. NULL: always HS_GO_ON
 */
struct hs *hs_new(struct hs_ctx *ctx,
		  enum hs_choice (*choose)(void *arg, struct hs_hello *hello),
		  void *arg);
/*
 * hs_free - wipes every secret, takes NULL. A finished handshake's session
 * stays resumable.
 */
void hs_free(struct hs *hs);

/*
 * hs_feed - go on with the handshake
 * @in:   what has arrived; borrowed for the call
 * @now:  seconds since the epoch, for the staple
 * @used: bytes of @in that the handshake took: never any behind the peer's
 *        Finished. The rest must be given again, with what arrives later.
 */
enum hs_step hs_feed(struct hs *hs, const uint8_t *in, size_t len, int64_t now,
		     size_t *used);

/*
 * hs_output - bytes to be sent to the peer, in order
 * They stay until the next call on @hs, hs_output_sent() included.
 */
struct ocsp_bytes hs_output(const struct hs *hs);
void hs_output_sent(struct hs *hs, size_t len);

/*
 * Why it failed, and a sentence for a log line ("the peer sent alert 48,
 * unknown CA"), as long as @hs lives.
 */
enum hs_failure hs_failure(const struct hs *hs);
const char *hs_error(const struct hs *hs);
/*
 * hs_abort - give up a handshake with the fatal alert @alert (RFC 8446 6)
 * Puts it into the output, under the key that is in use; nothing when it has
 * failed already, or after hs_keys() or the relay's first call. hs_failure()
 * stays HS_F_NONE.
 */
void hs_abort(struct hs *hs, uint8_t alert);

/*
 * hs_secrets - the application traffic secrets, after HS_DONE
 * The keys that follow by KeyUpdate are made of them (RFC 8446 7.2).
 * @rx, @tx: the peer's and ours; they live until hs_keys() or hs_free()
 * Returns 0; -ENOTSUP: TLS 1.2 has none; -EIO: not done, or after hs_keys().
 */
int hs_secrets(const struct hs *hs, struct ocsp_bytes *rx,
	       struct ocsp_bytes *tx);

/*
 * hs_keys - the traffic keys and sequence numbers, once, after HS_DONE
 * Valid after all output was taken; afterwards @hs cannot read or write
 * data any more. The caller wipes @keys.
 * Returns 0, or -EIO when libcrypto fails or there are none to give; @keys is
 * wiped then.
 */
int hs_keys(struct hs *hs, struct ktls_keys *keys);

#endif

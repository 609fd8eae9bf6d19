/* SPDX-License-Identifier: MIT */
/*
 * Moving a socket's record layer into the kernel. See the kernel's
 * Documentation/networking/tls.rst.
 */
#ifndef KTLS_INSTALL_H
#define KTLS_INSTALL_H

#include <stdbool.h>

#include "keys.h"

/*
 * ktls_attach - give a connected TCP socket the TLS ULP
 * Without keys the socket goes on as plain TCP. To be called right after
 * accept: once the peer's FIN is in, the kernel refuses.
 * Returns 0; -ENOTCONN when the peer has already gone; -ENOENT when the
 * kernel has no tls module; or another -errno from setsockopt(2).
 */
int ktls_attach(int fd);

/*
 * ktls_install - move a socket's record layer into the kernel
 * @fd:   connected TCP socket after ktls_attach(); borrowed
 * @keys: both directions; borrowed, the caller wipes
 * Everything written before must have been handed to the socket, and nothing
 * read past the peer's Finished. Sets the payload limit, installs TX, then RX.
 * -EOPNOTSUPP: @keys->max_payload is set and this kernel cannot honour it;
 * -ENOENT: TX says that this kernel has no such cipher. After these two @fd is
 * as it was; after any other error close it: there is no way back.
 * Returns 0, -ENOENT, -EOPNOTSUPP, or another -errno from setsockopt(2).
 */
int ktls_install(int fd, const struct ktls_keys *keys);

/*
 * ktls_install_tx, ktls_install_rx - another key for one direction, in TLS 1.3
 * To be called behind a KeyUpdate sent, or taken out of the socket.
 * Returns 0; -EBUSY: a kernel before 6.14, which takes no second key; or
 * another -errno of setsockopt(2).
 */
int ktls_install_tx(int fd, const struct ktls_keys *keys);
int ktls_install_rx(int fd, const struct ktls_keys *keys);

/*
 * ktls_expect_no_pad - decrypt right into the reader's buffer, in TLS 1.3
 * Of use where the peer pads no records, of which each costs twice then.
 * To be called with RX installed. Returns 0; -ENOPROTOOPT: a kernel before 6.0;
 * -EINVAL: not TLS 1.3; or another -errno of setsockopt(2).
 */
int ktls_expect_no_pad(int fd);

/*
 * ktls_installed - what a socket's TX side has; no key is asked for
 * Returns 0 or -errno; -EPROTO: a cipher that is none of ours.
 */
int ktls_installed(int fd, uint16_t *version, enum ktls_cipher *cipher);

/*
 * struct ktls_support - what this kernel does, found by trying it
 * @error:       0, or the -errno of ktls_attach() when nothing works
 * @pairs:       set of KTLS_PAIR() that work in both directions
 * @tx, @rx:     for each pair, by the number of its bit, 0 or -errno: of
 *               setsockopt(2), -EIO: what was sent did not come out again
 * @max_payload: whether a limit on the payload of sent records can be set
 * @rekey:       whether a key can be changed, in TLS 1.3
 * @no_pad:      whether ktls_expect_no_pad() is there
 */
#define KTLS_PAIRS (2 * KTLS_CIPHERS)
struct ktls_support {
	int error;
	unsigned int pairs;
	int tx[KTLS_PAIRS], rx[KTLS_PAIRS];
	bool max_payload, rekey, no_pad;
};

/*
 * ktls_probe - try every version and cipher on TCP connections over loopback
 * A record is sent and received with each. Asked for by a privileged process,
 * the kernel may load its tls module, and those of ciphers.
 * Returns 0 with @support filled (also when nothing is supported), or -errno
 * when the sockets for the trial cannot be made.
 */
int ktls_probe(struct ktls_support *support);

#endif

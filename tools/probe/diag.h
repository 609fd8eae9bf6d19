/* SPDX-License-Identifier: MIT */
/* The sockets whose ULP is tls, by sock_diag(7). */
#ifndef TOOLS_PROBE_DIAG_H
#define TOOLS_PROBE_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * struct diag_sock
 * @cookie:  of this socket and no other one, as long as the machine runs
 * @inode:   0: no process has it, it is only being closed
 * @version, @cipher: "TLSv1.3", "AES-128-GCM"; "-": no keys; "?": not told, or
 *           one that this program does not know
 * @tx, @rx: "software", "device", or "-" and "?" likewise
 * @sent, @received: bytes of TCP, acknowledged by the peer, and by us
 * @sent_s, @received_s: the same in each second since the list before
 */
struct diag_sock {
	uint64_t cookie;
	uint32_t inode;
	struct sockaddr_storage local, remote;
	const char *version, *cipher, *tx, *rx;
	bool no_pad;
	uint64_t sent, received, sent_s, received_s;
};

/* struct diag_list - by cookie; all zeros: empty */
struct diag_list {
	struct diag_sock *socks;
	size_t n, room;
};

/*
 * diag_read - replace a list by what there is now
 * Those of TCP over IPv4 and IPv6, of this network namespace. Without
 * CAP_NET_ADMIN the kernel keeps to itself which ones are TLS, or of which kind.
 * Returns NULL, or what failed, a sentence.
 */
const char *diag_read(struct diag_list *list);
/*
 * diag_sees - does an empty list mean that there are no such sockets?
 * Found by trying, with a connection over loopback, where the kernel has kTLS.
 * Returns 1, 0, or -errno: there was no such connection.
 */
int diag_sees(void);
void diag_free(struct diag_list *list);

/* diag_rates - set the rates of @now, @ms after @before; new ones have none */
void diag_rates(struct diag_list *now, const struct diag_list *before,
		uint64_t ms);

#endif

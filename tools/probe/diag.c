// SPDX-License-Identifier: MIT
#include "tools/probe/diag.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ktls/install.h"
#include "probe/kernel.h"
#include "tools/probe/names.h"
#include "tools/probe/tcp_bytes.h"

/* Of a socket that listens or waits for its end there is nothing to tell. */
#define STATES ((1 << TCP_ESTABLISHED) | (1 << TCP_FIN_WAIT1) | \
		(1 << TCP_FIN_WAIT2) | (1 << TCP_CLOSE_WAIT) | \
		(1 << TCP_LAST_ACK) | (1 << TCP_CLOSING))

static void read_address(struct sockaddr_storage *to, uint8_t family,
			 const __be32 address[4], __be16 port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)to;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)to;

	to->ss_family = family;
	if (family == AF_INET) {
		in->sin_port = port;
		memcpy(&in->sin_addr, address, sizeof(in->sin_addr));
	} else {
		in6->sin6_port = port;
		memcpy(&in6->sin6_addr, address, sizeof(in6->sin6_addr));
	}
}

/* Other programs have others than ktlsd. */
static const char *read_cipher(uint16_t cipher)
{
	switch (cipher) {
	case TLS_CIPHER_AES_GCM_128:
		return name_cipher(KTLS_AES_128_GCM);
	case TLS_CIPHER_AES_GCM_256:
		return name_cipher(KTLS_AES_256_GCM);
	case TLS_CIPHER_CHACHA20_POLY1305:
		return name_cipher(KTLS_CHACHA20_POLY1305);
	case TLS_CIPHER_AES_CCM_128:
		return "AES-128-CCM";
	case TLS_CIPHER_SM4_GCM:
		return "SM4-GCM";
	case TLS_CIPHER_SM4_CCM:
		return "SM4-CCM";
	case TLS_CIPHER_ARIA_GCM_128:
		return "ARIA-128-GCM";
	case TLS_CIPHER_ARIA_GCM_256:
		return "ARIA-256-GCM";
	default:
		return "?";
	}
}

static const char *read_side(struct nlattr *attr)
{
	const uint16_t side = attr ? nla_get_u16(attr) : 0;

	return side == TLS_CONF_BASE ? "-" :
	       side == TLS_CONF_SW ? "software" :
	       side == TLS_CONF_HW || side == TLS_CONF_HW_RECORD ? "device" : "?";
}

/* A number that is 0 or not there before there are keys. */
static uint16_t read_u16(struct nlattr *attr)
{
	return attr ? nla_get_u16(attr) : 0;
}

static void read_tls(struct diag_sock *sock, struct nlattr *tls)
{
	struct nlattr *attr[TLS_INFO_MAX + 1];
	uint16_t version, cipher;

	sock->version = sock->cipher = sock->tx = sock->rx = "?";
	if (!tls || nla_parse_nested(attr, TLS_INFO_MAX, tls, NULL))
		return;
	version = read_u16(attr[TLS_INFO_VERSION]);
	cipher = read_u16(attr[TLS_INFO_CIPHER]);
	sock->version = version ? name_version(version) : "-";
	sock->cipher = cipher ? read_cipher(cipher) : "-";
	sock->tx = read_side(attr[TLS_INFO_TXCONF]);
	sock->rx = read_side(attr[TLS_INFO_RXCONF]);
	sock->no_pad = attr[TLS_INFO_RX_NO_PAD];
}

/* Is it TLS? @ulp is about no other ULP, or there is none. */
static bool is_tls(struct nlattr **ulp)
{
	return ulp[INET_ULP_INFO_NAME] &&
	       !strcmp(nla_get_string(ulp[INET_ULP_INFO_NAME]), "tls");
}

static struct diag_sock *add(struct diag_list *list)
{
	struct diag_sock *more;
	size_t room = list->room ? 2 * list->room : 64;

	if (list->n == list->room) {
		more = realloc(list->socks, room * sizeof(*more));
		if (!more)
			return NULL;
		list->socks = more;
		list->room = room;
	}
	list->socks[list->n] = (struct diag_sock){ .cookie = 0 };
	return &list->socks[list->n++];
}

static int on_sock(struct nl_msg *nl_msg, void *arg)
{
	struct nlattr *attr[INET_DIAG_MAX + 1], *ulp[INET_ULP_INFO_MAX + 1];
	const struct inet_diag_msg *msg = nlmsg_data(nlmsg_hdr(nl_msg));
	struct diag_sock *sock;

	if (nlmsg_parse(nlmsg_hdr(nl_msg), sizeof(*msg), attr, INET_DIAG_MAX,
			NULL) || !attr[INET_DIAG_ULP_INFO] ||
	    nla_parse_nested(ulp, INET_ULP_INFO_MAX, attr[INET_DIAG_ULP_INFO],
			     NULL) || !is_tls(ulp))
		return NL_SKIP;
	sock = add(arg);
	if (!sock)
		return -NLE_NOMEM;
	sock->cookie = (uint64_t)msg->id.idiag_cookie[1] << 32 |
		       msg->id.idiag_cookie[0];
	sock->inode = msg->idiag_inode;
	read_address(&sock->local, msg->idiag_family, msg->id.idiag_src,
		     msg->id.idiag_sport);
	read_address(&sock->remote, msg->idiag_family, msg->id.idiag_dst,
		     msg->id.idiag_dport);
	read_tls(sock, ulp[INET_ULP_INFO_TLS]);
	if (attr[INET_DIAG_INFO])
		tcp_bytes(nla_data(attr[INET_DIAG_INFO]),
			  (size_t)nla_len(attr[INET_DIAG_INFO]), &sock->sent,
			  &sock->received);
	return NL_OK;
}

/* Returns 0 or -NLE_*. */
static int ask(struct nl_sock *nl, uint8_t family)
{
	struct inet_diag_req_v2 req = {
		.sdiag_family = family,
		.sdiag_protocol = IPPROTO_TCP,
		.idiag_ext = 1 << (INET_DIAG_INFO - 1),
		.idiag_states = STATES,
	};
	int err = nl_send_simple(nl, SOCK_DIAG_BY_FAMILY,
				 NLM_F_REQUEST | NLM_F_DUMP, &req, sizeof(req));

	if (err >= 0)
		err = nl_recvmsgs_default(nl);
	/* Sockets came and went meanwhile: as good a list as any. */
	return err == -NLE_DUMP_INTR ? 0 : err;
}

static int compare(const void *a, const void *b)
{
	const struct diag_sock *x = a, *y = b;

	return (x->cookie > y->cookie) - (x->cookie < y->cookie);
}

const char *diag_read(struct diag_list *list)
{
	struct nl_sock *nl = nl_socket_alloc();
	int err = nl ? 0 : -NLE_NOMEM;

	list->n = 0;
	if (!err)
		err = nl_socket_modify_cb(nl, NL_CB_VALID, NL_CB_CUSTOM, on_sock,
					  list);
	if (!err)
		err = nl_connect(nl, NETLINK_SOCK_DIAG);
	if (!err)
		err = ask(nl, AF_INET);
	if (!err)
		err = ask(nl, AF_INET6);
	nl_socket_free(nl);
	if (list->n)
		qsort(list->socks, list->n, sizeof(*list->socks), compare);
	if (err == -NLE_OBJ_NOTFOUND)
		return "the kernel has no sock_diag for TCP: modprobe tcp_diag";
	return err ? nl_geterror(err) : NULL;
}

/* One end of a connection over loopback, with the ULP; or -errno. */
static int make_sock(int listener)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err;
	socklen_t len = sizeof(addr);

	if (fd < 0)
		return -errno;
	if (bind(listener, (struct sockaddr *)&addr, len) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(fd, (struct sockaddr *)&addr, len))
		err = -errno;
	else
		err = ktls_attach(fd);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int diag_sees(void)
{
	int listener, fd;
	struct diag_list list = { .n = 0 };
	bool sees;

	/* To try it would have root load the module. */
	if (!probe_has_tls())
		return 1;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener < 0)
		return -errno;
	fd = make_sock(listener);
	if (fd >= 0) {
		sees = !diag_read(&list) && list.n;
		diag_free(&list);
		close(fd);
	}
	close(listener);
	if (fd < 0)
		return fd == -ENOENT ? 1 : fd; /* no kTLS, no socket that has it */
	return sees;
}

void diag_free(struct diag_list *list)
{
	free(list->socks);
	*list = (struct diag_list){ .n = 0 };
}

static uint64_t rate(uint64_t now, uint64_t before, uint64_t ms)
{
	return now > before && ms ? (now - before) * 1000 / ms : 0;
}

void diag_rates(struct diag_list *now, const struct diag_list *before,
		uint64_t ms)
{
	const struct diag_sock *old;
	struct diag_sock *sock;

	for (sock = now->socks; sock < now->socks + now->n; sock++) {
		old = before->n ? bsearch(sock, before->socks, before->n,
					  sizeof(*old), compare) : NULL;
		if (!old)
			continue;
		sock->sent_s = rate(sock->sent, old->sent, ms);
		sock->received_s = rate(sock->received, old->received, ms);
	}
}

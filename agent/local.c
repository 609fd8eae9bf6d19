/* SPDX-License-Identifier: MIT */
#include "local.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "ktls/descriptors.h"

/* Whether a dead process left this: a socket that nobody listens at. */
static bool is_left_over(const struct sockaddr_un *addr, int type)
{
	struct stat st;
	bool dead;
	int fd;

	if (lstat(addr->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	dead = connect(fd, (const void *)addr, sizeof(*addr)) &&
	       errno == ECONNREFUSED;
	close(fd);
	return dead;
}

static void make_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash && slash != folder) {
		*slash = '\0';
		mkdir(folder, 0755);
	}
}

/* The file is nobody's but ours until its owner and mode are set. */
static int bind_private(int fd, const struct sockaddr_un *addr)
{
	mode_t mask = umask(0177);
	int err = bind(fd, (const void *)addr, sizeof(*addr)) ? -errno : 0;

	umask(mask);
	return err;
}

static int bind_at(int fd, const struct sockaddr_un *addr, int type)
{
	int err = bind_private(fd, addr);

	if (err == -ENOENT)
		make_folder(addr->sun_path);
	else if (err == -EADDRINUSE && is_left_over(addr, type))
		unlink(addr->sun_path);
	else
		return err;
	return bind_private(fd, addr);
}

static const char *explain(int err)
{
	if (err == -EADDRINUSE)
		return "a live process listens there, or it is no socket";
	if (err == -ENOENT)
		return "neither its folder nor the one above that is there";
	return strerror(-err);
}

int local_admit(const char *path, const struct local_access *access)
{
	return lchown(path, access->user, access->group) ||
	       chmod(path, access->mode) ? -errno : 0;
}

/* One descriptor kept back, so that there is one to refuse with. */
static int reserve = -1;

static void keep_reserve(void)
{
	if (reserve < 0)
		reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int local_bind(const char *path, int type, const struct local_access *access,
	       char *error, size_t error_len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : 0;

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (!err)
		err = bind_at(fd, &addr, type);
	if (!err) {
		err = local_admit(path, access);
		if (err)
			unlink(path);
	}
	if (!err)
		return fd;
	snprintf(error, error_len, "%s: %s", path, explain(err));
	if (fd >= 0)
		close(fd);
	return err;
}

int local_listen(const char *path, int type, const struct local_access *access,
		 char *error, size_t error_len)
{
	int fd = local_bind(path, type | SOCK_NONBLOCK, access, error,
			    error_len);
	int err;

	if (fd < 0)
		return fd;
	/* Nobody may connect before owner and mode are set, hence last. */
	if (listen(fd, 128)) {
		err = -errno;
		snprintf(error, error_len, "%s: %s", path, strerror(-err));
		unlink(path);
		close(fd);
		return err;
	}
	keep_reserve();
	return fd;
}

int local_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int err = errno;

	if (fd >= 0)
		return fd;
	if ((err == EMFILE || err == ENFILE) && reserve >= 0) {
		close(reserve);
		reserve = -1;
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			close(fd);
		keep_reserve();
	}
	return -err;
}

/* struct peer - what unix_diag tells about a socket */
struct peer {
	uint32_t inode;
	uint8_t shutdown;
	bool found;
};

static int on_diag(struct nl_msg *msg, void *arg)
{
	struct peer *peer = arg;
	struct nlattr *attr[UNIX_DIAG_MAX + 1];

	if (nlmsg_parse(nlmsg_hdr(msg), sizeof(struct unix_diag_msg), attr,
			UNIX_DIAG_MAX, NULL))
		return NL_SKIP;
	peer->found = true;
	if (attr[UNIX_DIAG_PEER])
		peer->inode = nla_get_u32(attr[UNIX_DIAG_PEER]);
	if (attr[UNIX_DIAG_SHUTDOWN])
		peer->shutdown = nla_get_u8(attr[UNIX_DIAG_SHUTDOWN]);
	return NL_OK;
}

/* Asks sock_diag(7) about the Unix socket with inode number @inode. */
static void ask_peer(ino_t inode, struct peer *peer)
{
	struct unix_diag_req req = {
		.sdiag_family = AF_UNIX,
		.udiag_states = ~0u,
		.udiag_ino = (uint32_t)inode,
		.udiag_show = UDIAG_SHOW_PEER,
		.udiag_cookie = { ~0u, ~0u },
	};
	struct nl_sock *nl = nl_socket_alloc();

	if (!nl)
		return;
	nl_socket_modify_cb(nl, NL_CB_VALID, NL_CB_CUSTOM, on_diag, peer);
	if (!nl_connect(nl, NETLINK_SOCK_DIAG) &&
	    nl_send_simple(nl, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, &req,
			   sizeof(req)) >= 0)
		nl_recvmsgs_default(nl);
	nl_socket_free(nl);
}

static bool is_seqpacket(int fd)
{
	int type = 0, domain = 0;
	socklen_t len = sizeof(type);

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) &&
	       type == SOCK_SEQPACKET &&
	       !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) &&
	       domain == AF_UNIX;
}

void local_close(int fd)
{
	static char unread[16384];
	struct ktls_fds fds;
	int on = 1;
	ssize_t n;

	/* Nothing more comes, and by its credentials we know an empty message. */
	shutdown(fd, SHUT_RD);
	if (is_seqpacket(fd))
		setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on));
	do {
		n = ktls_recv_fds(fd, unread, sizeof(unread), &fds,
				  MSG_CMSG_CLOEXEC);
		ktls_close_fds(&fds);
	} while (n > 0 || (!n && fds.controls));
	close(fd);
}

int local_check_pair(int a, int b, char *error, size_t error_len)
{
	struct peer peer = { 0 };
	struct stat sa, sb;
	const char *why = NULL;
	char byte;

	if (!is_seqpacket(a) || !is_seqpacket(b) || fstat(a, &sa) ||
	    fstat(b, &sb)) {
		snprintf(error, error_len, "%s", "the offered descriptors are "
			 "not AF_UNIX SOCK_SEQPACKET sockets");
		return -EINVAL;
	}
	ask_peer(sa.st_ino, &peer);
	if (peer.found && peer.inode != (uint32_t)sb.st_ino)
		why = "the offered sockets are not connected to each other";
	else if (peer.found && peer.shutdown)
		why = "the offered queue is shut down";
	else if (recv(b, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
		why = "the offered queue's ends are swapped";
	if (!why)
		return 0;
	snprintf(error, error_len, "%s", why);
	return -EINVAL;
}

// SPDX-License-Identifier: MIT
#include "tools/probe/diag.h"

#include <arpa/inet.h>
#include <sched.h>

#include "agent_case.h"
#include "ktls/install.h"
#include "probe/kernel.h"
#include "tools/probe/tcp_bytes.h"

TestSuite(probe_tool_diag, .timeout = 20);

Test(probe_tool_diag, computes_rates_by_cookie)
{
	struct diag_sock old[] = { { .cookie = 2, .sent = 100, .received = 7 },
				   { .cookie = 5, .sent = 1 } };
	struct diag_sock new[] = {
		{ .cookie = 1, .sent = 9 },
		{ .cookie = 2, .sent = 1100, .received = 7 },
		{ .cookie = 5, .sent = 0 },
	};
	const struct diag_list before = { old, 2, 2 };
	struct diag_list now = { new, 3, 3 };

	diag_rates(&now, &before, 500);
	cr_expect_eq(new[0].sent_s, 0);
	cr_expect_eq(new[1].sent_s, 2000);
	cr_expect_eq(new[1].received_s, 0);
	cr_expect_eq(new[2].sent_s, 0);
	diag_rates(&now, &before, 0);
	cr_expect_eq(new[1].sent_s, 0);
	diag_rates(&now, &(struct diag_list){ .n = 0 }, 500);
}

Test(probe_tool_diag, reads_what_an_older_kernel_tells)
{
	static const char zeros[512];
	uint64_t sent = 1, received = 1;

	tcp_bytes(zeros, 8, &sent, &received);
	cr_expect(!sent && !received);
	tcp_bytes(zeros, sizeof(zeros), &sent, &received);
	cr_expect(!sent && !received);
}

/* --- with a kernel that has kTLS ---------------------------------------- */

struct sock {
	int listener, fd;
	uint16_t port;
};

static struct sock make_sock(const struct sockaddr *addr, socklen_t len)
{
	struct sockaddr_in6 at = { .sin6_port = 0 };
	struct sock s = {
		.listener = socket(addr->sa_family, SOCK_STREAM, 0),
		.fd = socket(addr->sa_family, SOCK_STREAM, 0),
	};

	cr_assert_eq(bind(s.listener, addr, len), 0);
	cr_assert_eq(listen(s.listener, 1), 0);
	cr_assert_eq(getsockname(s.listener, (struct sockaddr *)&at, &len), 0);
	cr_assert_eq(connect(s.fd, (struct sockaddr *)&at, len), 0);
	cr_assert_eq(ktls_attach(s.fd), 0);
	s.port = at.sin6_port;	/* at the same place as IPv4's */
	return s;
}

static struct sock make_v4(void)
{
	const struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};

	return make_sock((const struct sockaddr *)&addr, sizeof(addr));
}

static struct sock make_v6(void)
{
	const struct sockaddr_in6 addr = {
		.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};

	return make_sock((const struct sockaddr *)&addr, sizeof(addr));
}

static void end_sock(const struct sock *s)
{
	close(s->listener);
	close(s->fd);
}

static const struct diag_sock *find(const struct diag_list *list,
				    const struct sock *s)
{
	for (size_t i = 0; i < list->n; i++)
		if (((const struct sockaddr_in *)&list->socks[i].remote)
			    ->sin_port == s->port)
			return &list->socks[i];
	cr_assert_fail("it is not in the list");
	return NULL;
}

static void skip_without(void)
{
	if (probe_has_tls() != 1)
		cr_skip("this kernel has no tls module loaded");
}

static void expect(const struct diag_sock *sock, const char *what)
{
	char text[128];

	snprintf(text, sizeof(text), "%s %s tx=%s rx=%s%s", sock->version,
		 sock->cipher, sock->tx, sock->rx,
		 sock->no_pad ? " no_pad" : "");
	cr_expect_str_eq(text, what);
}

Test(probe_tool_diag, tells_what_each_direction_has, .init = skip_without)
{
	const struct ktls_keys keys = { .version = KTLS_TLS13,
					.cipher = KTLS_AES_256_GCM };
	const struct sock tx = make_v4(), rx = make_v6(), none = make_v6();
	struct diag_list list = { .n = 0 };
	unsigned int before = case_fds();
	struct stat st;

	cr_assert_eq(ktls_install_tx(tx.fd, &keys), 0);
	cr_assert_eq(ktls_install_rx(rx.fd, &keys), 0);
	cr_assert_eq(ktls_expect_no_pad(rx.fd), 0);
	cr_assert_eq(send(tx.fd, "12345", 5, 0), 5);
	cr_assert_null(diag_read(&list));
	expect(find(&list, &tx), "TLSv1.3 AES-256-GCM tx=software rx=-");
	expect(find(&list, &rx), "TLSv1.3 AES-256-GCM tx=- rx=software no_pad");
	expect(find(&list, &none), "- - tx=- rx=-");
	cr_expect_eq(find(&list, &tx)->local.ss_family, AF_INET);
	cr_expect_eq(find(&list, &rx)->local.ss_family, AF_INET6);
	cr_assert_eq(fstat(tx.fd, &st), 0);
	cr_expect_eq(find(&list, &tx)->inode, st.st_ino);
	/* A record's header, type and tag, and SYN, which counts as one. */
	cr_expect_geq(find(&list, &tx)->sent, 5 + 5 + 1 + 16);
	end_sock(&tx);
	cr_expect_null(diag_read(&list));
	for (size_t i = 0; i < list.n; i++)
		cr_expect_neq(list.socks[i].inode, st.st_ino);
	cr_expect_eq(case_fds(), before - 2);
	end_sock(&rx);
	end_sock(&none);
	diag_free(&list);
}

Test(probe_tool_diag, sees_as_root, .init = skip_without)
{
	unsigned int before = case_fds();

	if (geteuid())
		cr_skip("needs root");
	cr_expect_eq(diag_sees(), 1);
	cr_expect_eq(case_fds(), before);
}

Test(probe_tool_diag, sees_that_there_can_be_none)
{
	if (probe_has_tls())
		cr_skip("this kernel has the tls module loaded");
	cr_expect_eq(diag_sees(), 1);
}

Test(probe_tool_diag, does_not_know_without_loopback)
{
	unsigned int before = case_fds();

	if (geteuid() || unshare(CLONE_NEWNET))
		cr_skip("needs a network namespace of its own");
	/* Some kernels say there, too, that the module is not loaded. */
	if (probe_has_tls())
		cr_expect_eq(diag_sees(), -ENETUNREACH);
	cr_expect_eq(case_fds(), before);
}

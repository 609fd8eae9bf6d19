// SPDX-License-Identifier: MIT
#include "agent/inherit.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include "agent_case.h"

TestSuite(inherit, .timeout = 20);

static struct inherit set;

static struct config_listener at(const char *host, unsigned int port)
{
	struct config_listener l = { .bind = (char *)host };
	struct sockaddr_in6 *in6 = (void *)&l.addr;
	struct sockaddr_in *in = (void *)&l.addr;
	struct sockaddr_un *un = (void *)&l.addr;

	if (*host == '/') {
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, host);
		l.addr_len = sizeof(*un);
	} else if (strchr(host, ':')) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons((uint16_t)port);
		inet_pton(AF_INET6, host, &in6->sin6_addr);
		l.addr_len = sizeof(*in6);
	} else {
		in->sin_family = AF_INET;
		in->sin_port = htons((uint16_t)port);
		inet_pton(AF_INET, host, &in->sin_addr);
		l.addr_len = sizeof(*in);
	}
	return l;
}

static int any_fd(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int add(enum inherit_kind kind, const char *host, unsigned int port,
	       bool v6only, bool foreign)
{
	struct config_listener l = at(host, port);
	struct inherit_socket s = {
		.kind = kind,
		.fd = any_fd(),
		.addr = l.addr,
		.addr_len = l.addr_len,
		.v6only = v6only,
		.foreign = foreign,
	};

	cr_assert_eq(inherit_add(&set, &s), 0);
	return s.fd;
}

static int take(const char *host, unsigned int port, bool v6only, bool *foreign)
{
	struct config_listener l = at(host, port);

	l.v6only = v6only;
	return inherit_listener(&set, &l, foreign);
}

Test(inherit, gives_a_listener_the_socket_of_its_address)
{
	unsigned int fds = case_fds();
	int four = add(INHERIT_LISTENER, "127.0.0.1", 443, false, false);
	int six = add(INHERIT_LISTENER, "::1", 443, true, true);
	int local = add(INHERIT_LISTENER, "/run/x", 0, false, false);
	bool foreign = true;

	cr_expect_eq(take("127.0.0.1", 444, false, &foreign), -1);
	cr_expect_eq(take("127.0.0.2", 443, false, &foreign), -1);
	cr_expect_eq(take("::2", 443, true, &foreign), -1);
	cr_expect_eq(take("/run/xy", 0, false, &foreign), -1);
	cr_expect_eq(take("/run/", 0, false, &foreign), -1);
	cr_expect_eq(take("127.0.0.1", 443, false, &foreign), four);
	cr_expect_not(foreign);
	cr_expect_eq(take("127.0.0.1", 443, false, &foreign), -1, "once");
	cr_expect_eq(take("::1", 443, true, &foreign), six);
	cr_expect(foreign);
	cr_expect_eq(take("/run/x", 0, false, &foreign), local);
	close(four);
	close(six);
	close(local);
	inherit_close(&set);
	cr_expect_eq(case_fds(), fds);
}

Test(inherit, gives_a_socket_of_another_v6only_only_where_it_is_its_owners)
{
	bool foreign;
	int fd;

	add(INHERIT_LISTENER, "::", 443, true, false);
	cr_expect_eq(take("::", 443, false, &foreign), -1);
	fd = add(INHERIT_LISTENER, "::", 443, true, true);
	cr_expect_eq(take("::", 443, false, &foreign), fd);
	close(fd);
	inherit_close(&set);
}

Test(inherit, gives_sockets_of_the_same_address_in_their_order)
{
	int first = add(INHERIT_LISTENER, "127.0.0.1", 0, false, false);
	int second = add(INHERIT_LISTENER, "127.0.0.1", 0, false, false);
	bool foreign;

	cr_expect_eq(take("127.0.0.1", 0, false, &foreign), first);
	cr_expect_eq(take("127.0.0.1", 0, false, &foreign), second);
	cr_expect_eq(take("127.0.0.1", 0, false, &foreign), -1);
	close(first);
	close(second);
	inherit_close(&set);
}

Test(inherit, tells_routes_control_and_listeners_apart)
{
	int route = add(INHERIT_ROUTE, "/run/x", 0, false, false);
	int control = add(INHERIT_CONTROL, "/run/x", 0, false, false);
	bool foreign;

	cr_expect_eq(take("/run/x", 0, false, &foreign), -1);
	cr_expect_eq(inherit_path(&set, INHERIT_ROUTE, "/run/y"), -1);
	cr_expect_eq(inherit_path(&set, INHERIT_CONTROL, "/run/x"), control);
	cr_expect_eq(inherit_path(&set, INHERIT_ROUTE, "/run/x"), route);
	cr_expect_eq(inherit_path(&set, INHERIT_ROUTE, "/run/x"), -1);
	close(route);
	close(control);
	inherit_close(&set);
}

Test(inherit, closes_what_nobody_took)
{
	unsigned int fds = case_fds();

	add(INHERIT_LISTENER, "127.0.0.1", 443, false, true);
	add(INHERIT_LISTENER, "::1", 443, false, true);
	add(INHERIT_LISTENER, "/run/x", 0, false, true);
	add(INHERIT_ROUTE, "/run/x", 0, false, false);
	inherit_close(&set);
	cr_expect_eq(case_fds(), fds);
	cr_expect_eq(set.n, 0);
}

/* --- from a service manager ------------------------------------------------ */

static struct sockaddr_in bound;

static int listening(int type, bool listens)
{
	socklen_t len = sizeof(bound);
	int fd = socket(AF_INET, type, 0);

	bound = (struct sockaddr_in){ .sin_family = AF_INET };
	bound.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(!bind(fd, (void *)&bound, sizeof(bound)));
	CHECK(!listens || !listen(fd, 4));
	CHECK(!getsockname(fd, (void *)&bound, &len));
	return fd;
}

/* As the first descriptors, the one that is wanted at last. */
static void place(const int *fds, size_t n)
{
	char text[32];
	size_t i;
	int copy[8];

	for (i = 0; i < n; i++)
		copy[i] = fcntl(fds[i], F_DUPFD, 100);
	for (i = 0; i < n; i++)
		CHECK(dup2(copy[i], 3 + (int)i) >= 0);
	snprintf(text, sizeof(text), "%d", getpid());
	setenv("LISTEN_PID", text, 1);
	snprintf(text, sizeof(text), "%zu", n);
	setenv("LISTEN_FDS", text, 1);
	setenv("LISTEN_FDNAMES", "a:b:c", 1);
}

static void is_clean(void)
{
	CHECK(!getenv("LISTEN_PID") && !getenv("LISTEN_FDS") &&
	      !getenv("LISTEN_FDNAMES"));
}

static void take_environ(void)
{
	int good = listening(SOCK_STREAM | SOCK_NONBLOCK, true);
	struct config_listener l = { .bind = (char *)"here" };
	struct sockaddr_in addr = bound;
	int other = listening(SOCK_STREAM, false);
	int datagrams = listening(SOCK_DGRAM, false);
	int fds[] = { other, datagrams, any_fd(), good };
	bool is_foreign = false;

	memcpy(&l.addr, &addr, sizeof(addr));
	l.addr_len = sizeof(addr);
	place(fds, COUNT(fds));
	CHECK(!inherit_environ(&set));
	is_clean();
	CHECK(set.n == 1);
	CHECK(!case_is_open(3) && !case_is_open(4) && !case_is_open(5));
	CHECK(inherit_listener(&set, &l, &is_foreign) == 6 && is_foreign);
	CHECK(fcntl(6, F_GETFD) == FD_CLOEXEC);
	CHECK(!(fcntl(6, F_GETFL) & O_NONBLOCK));
}

Test(inherit, takes_listening_sockets_of_a_service_manager)
{
	case_in_child(take_environ);
}

static void take_nothing(void)
{
	int fd = listening(SOCK_STREAM, true);

	place(&fd, 1);
	setenv("LISTEN_PID", "1", 1);
	CHECK(!inherit_environ(&set));
	CHECK(!set.n && case_is_open(3));
	is_clean();
	place(&fd, 1);
	setenv("LISTEN_FDS", "1x", 1);
	CHECK(!inherit_environ(&set) && !set.n);
	is_clean();
	CHECK(!inherit_environ(&set) && !set.n);
}

Test(inherit, leaves_alone_what_is_for_another_process)
{
	case_in_child(take_nothing);
}

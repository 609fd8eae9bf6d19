// SPDX-License-Identifier: MIT
#include "agent/local.h"

#include <sys/resource.h>
#include <sys/un.h>
#include <time.h>

#include "agent_case.h"
#include "ktls/descriptors.h"

TestSuite(local, .timeout = 10);

static char dir[32];
static char path[128], error[256];

static void start(void)
{
	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/sock", dir);
}

static void stop(void)
{
	static const char *const names[] = { "new/sock", "new", "sock", NULL };

	case_remove_dir(dir, names);
}

static struct local_access own(mode_t mode)
{
	return (struct local_access){ geteuid(), getegid(), mode };
}

static int listen_at(const char *where, int type)
{
	struct local_access access = own(0600);

	error[0] = '\0';
	return local_listen(where, type, &access, error, sizeof(error));
}

static int connect_to(const char *where, int type)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, type, 0), err;

	strcpy(addr.sun_path, where);
	err = connect(fd, (void *)&addr, sizeof(addr)) ? -errno : 0;
	close(fd);
	return err;
}

Test(local, listens_with_the_owner_and_mode_it_is_given, .init = start,
     .fini = stop)
{
	struct local_access access = { 4711, 4712, 0620 };
	struct stat st;
	int fd;

	if (geteuid())
		access = own(0620);
	umask(077);
	fd = local_listen(path, SOCK_SEQPACKET, &access, error, sizeof(error));
	cr_assert_geq(fd, 0, "%s", error);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode, S_IFSOCK | 0620);
	cr_assert_eq(st.st_uid, access.user);
	cr_assert_eq(st.st_gid, access.group);
	cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	cr_assert(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_assert_eq(connect_to(path, SOCK_SEQPACKET), 0);
	cr_assert_eq(umask(0), 077, "the process's own mask is as before");
}

Test(local, replaces_what_a_dead_process_left, .init = start, .fini = stop)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM };
	unsigned int i;
	int fd;

	for (i = 0; i < COUNT(types); i++) {
		fd = listen_at(path, types[i]);
		cr_assert_geq(fd, 0, "%s", error);
		close(fd);
		fd = listen_at(path, SOCK_SEQPACKET);
		cr_assert_geq(fd, 0, "%s", error);
		cr_assert_eq(connect_to(path, SOCK_SEQPACKET), 0);
		close(fd);
	}
}

Test(local, leaves_a_live_socket_alone_whatever_its_type, .init = start,
     .fini = stop)
{
	int live = listen_at(path, SOCK_STREAM);
	unsigned int before = case_fds();

	cr_assert_geq(live, 0);
	cr_assert_eq(listen_at(path, SOCK_STREAM), -EADDRINUSE);
	cr_assert(strstr(error, path) && strstr(error, "live"), "%s", error);
	cr_assert_eq(listen_at(path, SOCK_SEQPACKET), -EADDRINUSE);
	cr_assert_eq(connect_to(path, SOCK_STREAM), 0);
	cr_assert_eq(case_fds(), before);
}

/* It answers EAGAIN then, which is a sign of life too. */
Test(local, leaves_a_live_socket_alone_whose_backlog_is_full, .init = start,
     .fini = stop)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int live = listen_at(path, SOCK_STREAM), fd;

	cr_assert_geq(live, 0);
	strcpy(addr.sun_path, path);
	do {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	} while (!connect(fd, (void *)&addr, sizeof(addr)));
	cr_assert_eq(errno, EAGAIN);
	cr_assert_eq(listen_at(path, SOCK_STREAM), -EADDRINUSE);
}

Test(local, leaves_a_file_alone_that_is_no_socket, .init = start, .fini = stop)
{
	struct stat st;
	FILE *f = fopen(path, "w");

	fputs("precious", f);
	fclose(f);
	cr_assert_eq(listen_at(path, SOCK_STREAM), -EADDRINUSE);
	cr_assert(strstr(error, path), "%s", error);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_size, 8);
	cr_assert_eq(remove(path), 0);
	cr_assert_eq(symlink("/nowhere/else", path), 0);
	cr_assert_eq(listen_at(path, SOCK_STREAM), -EADDRINUSE);
}

Test(local, makes_a_missing_folder_that_others_can_enter, .init = start,
     .fini = stop)
{
	struct stat st;
	int fd;

	umask(022);
	snprintf(path, sizeof(path), "%s/new", dir);
	strcat(path, "/sock");
	fd = listen_at(path, SOCK_STREAM);
	cr_assert_geq(fd, 0, "%s", error);
	*strrchr(path, '/') = '\0';
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode, S_IFDIR | 0755, "it is %o", st.st_mode);
}

Test(local, names_the_path_in_every_error, .init = start, .fini = stop)
{
	struct local_access other = { 4711, 4711, 0600 };
	char deep[160];

	snprintf(deep, sizeof(deep), "%s/a/b/sock", dir);
	cr_assert_eq(listen_at(deep, SOCK_STREAM), -ENOENT);
	cr_assert(strstr(error, deep), "%s", error);
	cr_assert(strstr(error, "nor the one above"), "%s", error);
	cr_assert_eq(local_listen(path, -1, &other, error, sizeof(error)),
		     -EINVAL);
	cr_assert(strstr(error, path), "%s", error);
}

static void be_refused(void)
{
	struct local_access other = { 0, 0, 0600 };

	CHECK(!setresuid(CASE_NOBODY, CASE_NOBODY, CASE_NOBODY));
	CHECK(local_listen(path, SOCK_STREAM, &other, error, sizeof(error)) ==
	      -EPERM);
	CHECK(access(path, F_OK));
}

Test(local, leaves_no_file_when_it_cannot_set_the_owner, .init = start,
     .fini = stop)
{
	if (geteuid())
		cr_skip_test("needs root to become somebody else");
	cr_assert_eq(chmod(dir, 0777), 0);
	case_in_child(be_refused);
}

/* --- pairs ------------------------------------------------------------- */

static void make_pair(int type, int pair[2])
{
	cr_assert_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair), 0);
}

static int check(int a, int b)
{
	error[0] = '\0';
	return local_check_pair(a, b, error, sizeof(error));
}

Test(local, knows_the_two_ends_of_a_queue)
{
	int pair[2];

	make_pair(SOCK_SEQPACKET, pair);
	cr_assert_eq(check(pair[0], pair[1]), 0, "%s", error);
	cr_assert_eq(send(pair[1], "x", 1, 0), 1);
	cr_assert_eq(check(pair[0], pair[1]), 0, "%s", error);
}

Test(local, refuses_ends_of_different_queues)
{
	int one[2], two[2];

	make_pair(SOCK_SEQPACKET, one);
	make_pair(SOCK_SEQPACKET, two);
	cr_assert_eq(check(one[0], two[1]), -EINVAL);
	cr_assert(strstr(error, "not connected to each other"), "%s", error);
	cr_assert_eq(check(one[0], one[0]), -EINVAL);
	cr_assert_eq(check(socket(AF_UNIX, SOCK_SEQPACKET, 0),
			   socket(AF_UNIX, SOCK_SEQPACKET, 0)), -EINVAL);
	close(one[1]);
	cr_assert_eq(check(one[0], two[1]), -EINVAL);
}

Test(local, refuses_what_is_no_seqpacket_socket)
{
	int stream[2], pipes[2], pair[2];
	int tcp = socket(AF_INET, SOCK_STREAM, 0);

	make_pair(SOCK_STREAM, stream);
	make_pair(SOCK_SEQPACKET, pair);
	cr_assert_eq(pipe(pipes), 0);
	cr_expect_eq(check(stream[0], stream[1]), -EINVAL);
	cr_expect_eq(check(pipes[0], pipes[1]), -EINVAL);
	cr_expect_eq(check(pair[0], pipes[1]), -EINVAL);
	cr_expect_eq(check(pair[0], tcp), -EINVAL);
	cr_expect(strstr(error, "SOCK_SEQPACKET"), "%s", error);
}

Test(local, refuses_a_queue_that_is_shut_down_at_either_end)
{
	static const int how[] = { SHUT_RD, SHUT_WR, SHUT_RDWR };
	unsigned int i;
	int pair[2];

	for (i = 0; i < 2 * COUNT(how); i++) {
		make_pair(SOCK_SEQPACKET, pair);
		shutdown(pair[i & 1], how[i / 2]);
		cr_expect_eq(check(pair[0], pair[1]), -EINVAL, "%u", i);
		cr_expect(strstr(error, "shut down"), "%s", error);
	}
}

Test(local, refuses_a_pair_whose_messages_wait_at_the_wrong_end)
{
	int pair[2];

	make_pair(SOCK_SEQPACKET, pair);
	cr_assert_eq(send(pair[0], "x", 1, 0), 1);
	cr_assert_eq(check(pair[0], pair[1]), -EINVAL);
	cr_assert(strstr(error, "swapped"), "%s", error);
}

Test(local, hangs_up_when_out_of_descriptors_and_recovers, .init = start,
     .fini = stop)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct rlimit limit, none = { 0, 0 };
	int listener, client, fd;
	char byte;

	listener = listen_at(path, SOCK_STREAM);
	cr_assert_geq(listener, 0, "%s", error);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(client, (void *)&addr, sizeof(addr)), 0);
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	/* Full up to the descriptor that is kept back. */
	fd = dup(0);
	none.rlim_max = limit.rlim_max;
	none.rlim_cur = (rlim_t)fd;
	close(fd);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	cr_expect_eq(local_accept(listener), -EMFILE);
	cr_expect_eq(recv(client, &byte, 1, MSG_DONTWAIT), 0);
	cr_expect_eq(local_accept(listener), -EMFILE, "nobody to hang up on");
	close(client);

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	cr_assert_eq(connect(client, (void *)&addr, sizeof(addr)), 0);
	fd = local_accept(listener);
	cr_expect_geq(fd, 0);
	close(fd);
	close(client);
	close(listener);
}

Test(local, leaves_no_descriptor_open_after_a_check)
{
	unsigned int before;
	int pair[2];

	make_pair(SOCK_SEQPACKET, pair);
	before = case_fds();
	check(pair[0], pair[1]);
	check(pair[0], STDIN_FILENO);
	check(-1, -1);
	cr_assert_eq(case_fds(), before);
}

Test(local, closes_at_once_what_holds_a_socket_that_lingers)
{
	static const int types[] = { SOCK_SEQPACKET, SOCK_STREAM };
	unsigned int i, before = case_fds();
	int ends[2], fd, silent;
	time_t began;

	for (i = 0; i < COUNT(types); i++) {
		cr_assert_eq(socketpair(AF_UNIX, types[i], 0, ends), 0);
		fd = case_lingering(&silent);
		cr_assert_eq(send(ends[1], "", 0, 0), 0);
		cr_assert_eq(send(ends[1], "x", 1, 0), 1);
		cr_assert_eq(ktls_send_fds(ends[1], "y", 1, &fd, 1), 0);
		close(fd);
		if (i)
			close(ends[1]);
		began = time(NULL);
		local_close(ends[0]);
		cr_expect_lt(time(NULL) - began, CASE_LINGER_S - 1, "type %d",
			     types[i]);
		if (!i)
			close(ends[1]);
		close(silent);
	}
	cr_assert_eq(case_fds(), before);
}

// SPDX-License-Identifier: MIT
#include "agent/sandbox.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "agent_case.h"

static char dir[32], path[64];

static void start(void)
{
	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/ocsp", dir);
	cr_assert_eq(mkdir(path, 0700), 0);
}

static void stop(void)
{
	static const char *const names[] = { "ocsp/b", "ocsp/a", "ocsp",
					     "other", NULL };

	case_remove_dir(dir, names);
}

TestSuite(sandbox, .init = start, .fini = stop, .timeout = 20);

/* What Landlock there is: -1 or its version. */
static long version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

static void need(long least)
{
	if (version() < least)
		cr_skip_test("Landlock is %ld", version());
}

/* Returns the folder's descriptor. */
static int enter(void)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	CHECK(fd >= 0);
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!sandbox_enter(fd));
	return fd;
}

static bool makes(int at, const char *name)
{
	int fd = openat(at, name, O_CREAT | O_WRONLY | O_TRUNC, 0600);
	bool made = fd >= 0 && write(fd, "x", 1) == 1;

	if (fd >= 0)
		close(fd);
	return made;
}

static void write_inside(void)
{
	int fd = enter();

	CHECK(makes(fd, "a"));
	CHECK(makes(fd, "a"));
	CHECK(!renameat(fd, "a", fd, "b"));
	CHECK(makes(fd, "a"));
	CHECK(!unlinkat(fd, "b", 0));
}

static void write_outside(void)
{
	int fd = enter();

	CHECK(!makes(fd, "../other") && errno == EACCES);
	CHECK(!makes(AT_FDCWD, dir));
	CHECK(makes(fd, "a"));
	CHECK(renameat(fd, "a", fd, "../other") && errno == EACCES);
	CHECK(mkdirat(fd, "b", 0700) && errno == EACCES);
	CHECK(symlinkat("/etc", fd, "b") && errno == EACCES);
}

static void read_elsewhere(void)
{
	int fd = enter();

	CHECK(open("/etc/passwd", O_RDONLY) >= 0);
	CHECK(openat(fd, "../other", O_RDONLY) < 0 && errno == ENOENT);
}

static void execute(void)
{
	enter();
	execl("/bin/false", "false", NULL);
	CHECK(errno == EACCES);
}

static void write_nowhere(void)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY);

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!sandbox_enter(-1));
	CHECK(!makes(fd, "a") && errno == EACCES);
}

Test(sandbox, lets_files_be_written_in_one_folder)
{
	need(1);
	case_in_child(write_inside);
	case_in_child(write_outside);
	case_in_child(write_nowhere);
}

Test(sandbox, lets_files_be_read_but_none_executed)
{
	need(1);
	case_in_child(read_elsewhere);
	case_in_child(execute);
}

static void bind_port(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	enter();
	CHECK(bind(fd, (void *)&addr, sizeof(addr)) && errno == EACCES);
}

Test(sandbox, lets_no_port_be_bound)
{
	need(4);
	case_in_child(bind_port);
}

static void send_signal(void)
{
	enter();
	CHECK(kill(getppid(), 0) && errno == EPERM);
	CHECK(!kill(getpid(), 0));
}

Test(sandbox, lets_nobody_else_be_sent_a_signal)
{
	need(6);
	case_in_child(send_signal);
}

static void *measure_stack(void *size)
{
	pthread_attr_t attr;

	CHECK(!pthread_getattr_np(pthread_self(), &attr));
	CHECK(!pthread_attr_getstacksize(&attr, size));
	pthread_attr_destroy(&attr);
	return NULL;
}

static void set_limits(void)
{
	struct rlimit limit;
	pthread_t thread;
	size_t stack = 0;

	CHECK(sandbox_limits(40) == 40);
	CHECK(!getrlimit(RLIMIT_CORE, &limit) && !limit.rlim_max);
	CHECK(!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_max == 40 &&
	      limit.rlim_cur == 40);
	CHECK(sandbox_limits(50) == 40);
	CHECK(!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur == 40);
	CHECK(!pthread_create(&thread, NULL, measure_stack, &stack));
	CHECK(!pthread_join(thread, NULL));
	CHECK(stack && stack <= 1024 * 1024);
}

Test(sandbox, limits_are_lowered_and_never_raised)
{
	case_in_child(set_limits);
}

static void *sleep_long(void *arg)
{
	(void)arg;
	pause();
	return NULL;
}

/* As many as names are looked up at a time. */
static void have_threads(void)
{
	pthread_t thread;
	unsigned int i;

	CHECK(sandbox_limits(40) == 40);
	for (i = 0; i < 300; i++)
		CHECK(!pthread_create(&thread, NULL, sleep_long, NULL));
}

Test(sandbox, limits_leave_memory_for_hundreds_of_threads)
{
	case_in_child(have_threads);
}

/* --- a process that only connects ------------------------------------------ */

static int listen_at(uint16_t *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(!bind(fd, (void *)&addr, sizeof(addr)) && !listen(fd, 4));
	CHECK(!getsockname(fd, (void *)&addr, &len));
	*port = ntohs(addr.sin_port);
	return fd;
}

static bool connects(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), ret;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ret = connect(fd, (void *)&addr, sizeof(addr));
	close(fd);
	return !ret;
}

static void connect_only(void)
{
	uint16_t good, bad;
	int a = listen_at(&good), b = listen_at(&bad);

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK(!sandbox_connects(&good, 1));
	CHECK(connects(good));
	CHECK(version() < 4 || !connects(bad));
	CHECK(open("/etc/passwd", O_RDONLY) < 0);
	CHECK(open("/tmp", O_RDONLY | O_DIRECTORY) < 0);
	CHECK(!makes(AT_FDCWD, "/tmp/other"));
	close(a);
	close(b);
}

Test(sandbox, lets_a_proxy_connect_to_its_servers_and_open_nothing)
{
	need(1);
	case_in_child(connect_only);
}

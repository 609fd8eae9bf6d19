// SPDX-License-Identifier: MIT
#include "agent/notify.h"

#include <sys/un.h>
#include <time.h>

#include "agent_case.h"

TestSuite(notify, .timeout = 20);

static char dir[32], path[64];
static int manager;

static void listen_at(const char *name, size_t len)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	memcpy(addr.sun_path, name, len);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(manager, (void *)&addr,
			  offsetof(struct sockaddr_un, sun_path) + len), 0);
}

static void start(void)
{
	case_make_dir(dir);
	snprintf(path, sizeof(path), "%s/notify", dir);
	listen_at(path, strlen(path));
	setenv("NOTIFY_SOCKET", path, 1);
}

static void stop(void)
{
	close(manager);
	case_remove_dir(dir, (const char *const[]){ "notify", NULL });
}

static const char *heard(void)
{
	static char text[128];
	ssize_t n = recv(manager, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = '\0';
	return text;
}

Test(notify, says_each_thing_as_sd_notify_has_it, .init = start, .fini = stop)
{
	unsigned int fds = case_fds();
	struct timespec now;
	long long usec;

	notify_ready();
	cr_expect_str_eq(heard(), "READY=1");
	notify_stopping();
	cr_expect_str_eq(heard(), "STOPPING=1");
	notify_main(4711);
	cr_expect_str_eq(heard(), "READY=1\nMAINPID=4711");
	notify_reloading();
	cr_assert_eq(sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%lld",
			    &usec), 1);
	clock_gettime(CLOCK_MONOTONIC, &now);
	cr_expect_lt(now.tv_sec - usec / 1000000, 5);
	cr_expect_geq(now.tv_sec, usec / 1000000);
	cr_expect_eq(case_fds(), fds);
}

Test(notify, finds_a_manager_in_the_abstract_name_space)
{
	char name[64];

	snprintf(name, sizeof(name), "@ktlsd-notify-%d", getpid());
	setenv("NOTIFY_SOCKET", name, 1);
	name[0] = '\0';
	listen_at(name, 1 + strlen(name + 1));
	notify_ready();
	cr_expect_str_eq(heard(), "READY=1");
	close(manager);
}

Test(notify, tells_nobody_where_there_is_nobody)
{
	static const char *const nobody[] = {
		"", "/", "relative", "/nonexistent/notify",
		"/a-path-that-is-longer-than-any-that-a-socket-can-have-which-"
		"is-hundred-and-eight-bytes-as-we-know-since-long-ago-0123456",
	};
	unsigned int fds = case_fds();
	size_t i;

	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	for (i = 0; i < COUNT(nobody); i++) {
		setenv("NOTIFY_SOCKET", nobody[i], 1);
		notify_ready();
	}
	cr_expect_eq(case_fds(), fds);
}

Test(notify, waits_for_a_second_at_most, .init = start, .fini = stop)
{
	time_t begun = time(NULL);
	int full = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	strcpy(addr.sun_path, path);
	cr_assert_eq(connect(full, (void *)&addr, sizeof(addr)), 0);
	while (send(full, "x", 1, 0) == 1)
		;
	notify_ready();
	cr_expect_leq(time(NULL) - begun, 10);
	close(full);
}

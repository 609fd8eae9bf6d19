// SPDX-License-Identifier: MIT
#include "agent/upgrade_join.h"

#include <sys/mman.h>
#include <sys/un.h>

#include "agent/upgrade.h"
#include "agent_case.h"

TestSuite(upgrade_join, .timeout = 20);

static int pair[2];
static struct upgrade_join j;
static struct upgrade_in in;
static struct ktls_fds got;
static struct inherit set;

static void name(int fd)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", fd);
	setenv(UPGRADE_ENV, text, 1);
}

static void start(void)
{
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair), 0);
	name(pair[1]);
}

static void stop(void)
{
	upgrade_join_end(&j);
	inherit_close(&set);
	close(pair[0]);
}

static void write_listener(struct upgrade_writer *w, uint32_t number, int fd)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
				    .sin_port = htons(443) };

	upgrade_write(w, &(struct upgrade_record){
		      .type = UPGRADE_LISTENER, .flags = UPGRADE_FOREIGN,
		      .number = number, .data_len = sizeof(addr) }, &fd, &addr);
}

/* The old one's answer, before it is asked; @cut: fewer descriptors */
static void answer(size_t cut)
{
	int memory = memfd_create("state", MFD_CLOEXEC);
	struct upgrade_writer w = { .file = fdopen(dup(memory), "w") };
	size_t i;

	write_listener(&w, 1, 2);
	write_listener(&w, 2, 2);
	upgrade_write(&w, &(struct upgrade_record){
		      .type = UPGRADE_ROUTE, .data_len = 4 }, (int[]){ 2 },
		      "/web");
	upgrade_write(&w, &(struct upgrade_record){ .type = UPGRADE_QUEUE },
		      (int[]){ 2, 2 }, "");
	upgrade_write(&w, &(struct upgrade_record){
		      .type = UPGRADE_CONTROL, .data_len = 4 }, (int[]){ 2 },
		      "/ctl");
	fclose(w.file);
	upgrade_say(pair[0], UPGRADE_STATE, (uint32_t)w.n_fds, NULL, &memory,
		    1);
	for (i = 0; i < w.n_fds - cut; i++)
		upgrade_say(pair[0], UPGRADE_FDS, 1, NULL, w.fds + i, 1);
	close(memory);
	free(w.fds);
}

Test(upgrade_join, does_nothing_where_there_is_no_old_one)
{
	unsetenv(UPGRADE_ENV);
	cr_expect_eq(upgrade_join(&j, 0), 0);
	cr_expect_eq(j.sock, -1);
	cr_expect_eq(upgrade_join_sockets(&j, &set), 0);
	cr_expect_eq(set.n, 0);
}

Test(upgrade_join, does_not_take_another_descriptor_for_one)
{
	static const char *const names[] = { "", "x", "2", "-1", "3x",
					     "99999999999999999999", "1000" };
	size_t i;
	int fd = open("/dev/null", O_RDONLY);

	for (i = 0; i < COUNT(names); i++) {
		setenv(UPGRADE_ENV, names[i], 1);
		cr_expect_eq(upgrade_join(&j, 0), 0);
		cr_expect_eq(j.sock, -1, "%s", names[i]);
		cr_expect_null(getenv(UPGRADE_ENV));
	}
	name(fd);
	cr_expect_eq(upgrade_join(&j, 0), 0);
	cr_expect_eq(j.sock, -1);
	close(fd);
}

Test(upgrade_join, gets_all_and_says_what_it_has_taken, .init = start,
     .fini = stop)
{
	struct config_listener l = { .bind = (char *)"here" };
	struct sockaddr_in *in4 = (void *)&l.addr;
	bool foreign = false;
	int fd, route;

	answer(0);
	cr_assert_eq(upgrade_join(&j, 1234), 0);
	cr_assert_eq(upgrade_hear(pair[0], &in, &got), 1);
	cr_expect_eq(in.msg.type, UPGRADE_HELLO);
	cr_expect_eq(in.msg.number, 1234);
	cr_expect_eq(j.n_fds, 6);
	cr_assert_eq(upgrade_join_sockets(&j, &set), 0);
	cr_assert_eq(set.n, 4);
	in4->sin_family = AF_INET;
	in4->sin_port = htons(443);
	fd = inherit_listener(&set, &l, &foreign);
	cr_expect_eq(fd, j.fds[0]);
	cr_expect(foreign);
	route = inherit_path(&set, INHERIT_ROUTE, "/web");
	cr_expect_eq(route, j.fds[2]);
	upgrade_join_serves(&j, &set);
	cr_assert_eq(upgrade_hear(pair[0], &in, &got), 1);
	cr_expect_eq(in.msg.type, UPGRADE_SERVES);
	cr_assert_eq(in.msg.number, 2);
	cr_expect_eq(in.taken[0].type, UPGRADE_LISTENER);
	cr_expect_eq(in.taken[0].number, 1);
	cr_expect_eq(in.taken[1].type, UPGRADE_ROUTE);
	cr_expect_eq(in.taken[1].number, 0);
	close(fd);
	close(route);
}

Test(upgrade_join, is_told_why_not, .init = start, .fini = stop)
{
	upgrade_say(pair[0], UPGRADE_REFUSED, 0, "no", NULL, 0);
	cr_expect_eq(upgrade_join(&j, 0), -EACCES);
}

Test(upgrade_join, notices_when_the_old_one_ends, .init = start, .fini = stop)
{
	answer(1);
	shutdown(pair[0], SHUT_WR);
	cr_expect_eq(upgrade_join(&j, 0), -ECONNRESET);
}

Test(upgrade_join, refuses_what_makes_no_sense, .init = start, .fini = stop)
{
	upgrade_say(pair[0], UPGRADE_HELLO, 0, NULL, NULL, 0);
	cr_expect_eq(upgrade_join(&j, 0), -EBADMSG);
	upgrade_join_end(&j);
	close(pair[0]);
	start();
	upgrade_say(pair[0], UPGRADE_STATE, 1, NULL, NULL, 0);
	cr_expect_eq(upgrade_join(&j, 0), -EBADMSG);
	upgrade_join_end(&j);
	close(pair[0]);
	start();
	answer(1);
	upgrade_say(pair[0], UPGRADE_FDS, 2, NULL, (int[]){ 2, 2 }, 2);
	cr_expect_eq(upgrade_join(&j, 0), -EBADMSG);
}

Test(upgrade_join, refuses_a_state_that_is_damaged, .init = start, .fini = stop)
{
	answer(0);
	cr_assert_eq(upgrade_join(&j, 0), 0);
	j.state[0] = 77;
	cr_expect_eq(upgrade_join_sockets(&j, &set), -EBADMSG);
}

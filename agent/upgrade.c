/* SPDX-License-Identifier: MIT */
#include "upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "notify.h"
#include "process.h"

/*
 * It may take so long to read its configuration, and then, beside its wait for
 * staples, to get ready.
 */
#define STEP_MS 60000
/* The longest wait for staples that counts. */
#define STAPLES_MS 3600000
/* A worker that is stopped accepts nothing either, so it is not waited for. */
#define LEAVE_MS 1000
/* Tickets of control, other than those of reloads. */
#define TICKET (UINT64_C(1) << 63)
#define TICKET_REFUSED (TICKET + 1)
/* Descriptors in a message. */
#define CHUNK 200
/* Of what may wait in the socket, in bytes. */
#define ROOM (1024 * 1024)
/* The new one's exit status when it could not even be executed. */
#define NOT_EXECUTED 127

/* --- the program ------------------------------------------------------------ */

static char *join_path(const char *folder, size_t len, const char *name)
{
	char *path;

	return asprintf(&path, "%.*s/%s", (int)len, folder, name) < 0 ? NULL :
									path;
}

static char *find_in_path(const char *name)
{
	const char *at = getenv("PATH");
	char *path;
	size_t len;

	for (; at && *at; at += len + (at[len] == ':')) {
		len = strcspn(at, ":");
		path = *at == '/' ? join_path(at, len, name) : NULL;
		if (path && !access(path, X_OK))
			return path;
		free(path);
	}
	return NULL;
}

static char *find_program(const char *argv0)
{
	char *cwd, *path = NULL;

	if (*argv0 == '/')
		return strdup(argv0);
	if (!strchr(argv0, '/'))
		return find_in_path(argv0);
	cwd = getcwd(NULL, 0);
	if (cwd)
		path = join_path(cwd, strlen(cwd), argv0);
	free(cwd);
	return path;
}

char *upgrade_program(const char *argv0)
{
	char *path = argv0 && *argv0 ? find_program(argv0) : NULL;

	if (path && !access(path, X_OK))
		return path;
	/* Whoever started it called it by another name. */
	free(path);
	return realpath("/proc/self/exe", NULL);
}

/* --- the new process -------------------------------------------------------- */

static void execute(const struct upgrade *u, int sock, char **argv)
{
	sigset_t none;
	char text[256];

	process_keep(&sock, 1);
	fcntl(sock, F_SETFD, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	snprintf(text, sizeof(text), "%d", sock);
	if (!setenv(UPGRADE_ENV, text, 1))
		execv(u->program, argv);
	snprintf(text, sizeof(text), "%s cannot be executed: %s", u->program,
		 strerror(errno));
	upgrade_say(sock, UPGRADE_FAILED, 0, text, NULL, 0);
	_exit(NOT_EXECUTED);
}

/* By the path that was found, so that it finds the same one. */
static char **arguments(const struct upgrade *u)
{
	size_t n = 0;
	char **argv;

	while (u->argv[n])
		n++;
	argv = calloc(n + 1, sizeof(*argv));
	if (!argv)
		return NULL;
	memcpy(argv, u->argv, n * sizeof(*argv));
	argv[0] = u->program;
	return argv;
}

/* In the process between: the child goes on once nobody can miss its end. */
static pid_t fork_waiting(const int number[2], const int go[2])
{
	pid_t pid = fork();
	char c;

	if (!pid) {
		close(go[1]);
		while (read(go[0], &c, 1) < 0 && errno == EINTR)
			;
		return 0;
	}
	if (pid > 0 && write(number[1], &pid, sizeof(pid)) != sizeof(pid))
		kill(pid, SIGKILL);
	_exit(0);
}

static pid_t read_number(const int number[2])
{
	pid_t pid;

	if (read(number[0], &pid, sizeof(pid)) == sizeof(pid))
		return pid;
	errno = EAGAIN;		/* the one between could not fork(2) */
	return -1;
}

/*
 * As fork(2), but the parent is init, or whoever supervises us in its place: it
 * hears of the new one's end even while we still drain. Nobody tells us its status;
 * what we get is a descriptor, see pidfd_open(2). Returns -1 with errno.
 */
static pid_t fork_orphan(int *pidfd)
{
	int number[2], go[2];
	pid_t between, pid = -1;

	if (pipe2(number, O_CLOEXEC))
		return -1;
	if (pipe2(go, O_CLOEXEC)) {
		close(number[0]);
		close(number[1]);
		return -1;
	}
	between = fork();
	if (!between)
		return fork_waiting(number, go);
	close(number[1]);
	if (between > 0) {
		pid = read_number(number);
		waitpid(between, NULL, 0);
	}
	if (pid > 0)
		*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	close(number[0]);
	close(go[0]);
	close(go[1]);
	return *pidfd < 0 ? -1 : pid;
}

/* Returns 0 or -errno. */
static int start(struct upgrade *u)
{
	static const int room = ROOM;
	char **argv = u->program ? arguments(u) : NULL;
	int pair[2], err = 0;

	if (!argv)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		err = -errno;
	if (!err) {
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
		u->pid = fork_orphan(&u->end.fd);
		err = u->pid < 0 ? -errno : 0;
		if (!u->pid)
			execute(u, pair[1], argv);
		close(pair[1]);
		if (err)
			close(pair[0]);
		else
			u->watch.fd = pair[0];
	}
	free(argv);
	if (!err)
		err = loop_add(u->loop, &u->watch);
	return err ? err : loop_add(u->loop, &u->end);
}

/* --- the end of it ----------------------------------------------------------- */

static void forget(struct upgrade *u, struct watch *w)
{
	if (w->fd < 0)
		return;
	loop_remove(u->loop, w);
	close(w->fd);
	w->fd = -1;
}

static void hang_up(struct upgrade *u)
{
	forget(u, &u->watch);
}

/* By descriptor: once others have waited for it, its number may be another's. */
static void kill_it(const struct upgrade *u)
{
	syscall(SYS_pidfd_send_signal, u->end.fd, SIGKILL, NULL, 0);
}

/* It is no more, or never was. */
static void fail(struct upgrade *u)
{
	char text[sizeof(u->why) + 64];

	hang_up(u);
	forget(u, &u->end);
	u->phase = UPGRADE_IDLE;
	log_error("event=upgrade_failed pid=%d error=\"%s\" effect=\"the old "
		  "ktlsd serves on\"", (int)u->pid, u->why);
	if (u->given)
		u->events.go_on(u->events.arg);
	u->given = false;
	notify_ready();
	snprintf(text, sizeof(text), "error: %s\nthe old ktlsd serves on\n",
		 u->why);
	u->events.answer(u->events.arg, TICKET, text);
}

static void give_up(struct upgrade *u, const char *why)
{
	if (!*u->why)
		snprintf(u->why, sizeof(u->why), "%s", why);
	hang_up(u);
	kill_it(u);
	u->phase = UPGRADE_ENDING;
}

/* Its end may be noticed first. Whether it served does not matter any more. */
static void hear_last_words(struct upgrade *u)
{
	struct ktls_fds fds = { .n = 0 };
	int n = u->watch.fd < 0 ? 0 : 1;

	while (n == 1) {
		n = upgrade_hear(u->watch.fd, &u->in, &fds);
		ktls_close_fds(&fds);
		if (n == 1 && u->in.msg.type == UPGRADE_FAILED && !*u->why)
			snprintf(u->why, sizeof(u->why), "%s", u->in.msg.text);
	}
}

static void on_end(struct watch *w)
{
	struct upgrade *u = (void *)((char *)w - offsetof(struct upgrade, end));

	if (u->phase == UPGRADE_LEFT) {
		forget(u, w);
		log_error("event=upgraded_died pid=%d", (int)u->pid);
		return;
	}
	hear_last_words(u);
	if (!*u->why)
		snprintf(u->why, sizeof(u->why), "the new ktlsd ended before "
			 "it served; see the log");
	fail(u);
}

/* --- what is given ----------------------------------------------------------- */

/* Returns a file of what was written, or -errno. */
static int write_state(struct upgrade *u, struct upgrade_writer *w)
{
	int fd = memfd_create("ktlsd-upgrade", MFD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	w->file = fdopen(dup(fd), "w");
	if (!w->file) {
		close(fd);
		return -ENOMEM;
	}
	u->given = true;
	u->events.give(u->events.arg, w);
	err = w->err;
	if (fclose(w->file) && !err)
		err = -errno;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static int say_fds(const struct upgrade *u, const struct upgrade_writer *w)
{
	size_t at, n;
	int err = 0;

	for (at = 0; at < w->n_fds && !err; at += n) {
		n = w->n_fds - at < CHUNK ? w->n_fds - at : CHUNK;
		err = upgrade_say(u->watch.fd, UPGRADE_FDS, (uint32_t)n, NULL,
				  w->fds + at, n);
	}
	return err;
}

static int give(struct upgrade *u)
{
	struct upgrade_writer w = { 0 };
	int fd = write_state(u, &w), err = fd < 0 ? fd : 0;

	if (!err)
		err = upgrade_say(u->watch.fd, UPGRADE_STATE,
				  (uint32_t)w.n_fds, NULL, &fd, 1);
	if (!err)
		err = say_fds(u, &w);
	if (fd >= 0)
		close(fd);
	free(w.fds);
	return err;
}

static void on_hello(struct upgrade *u, uint32_t wait_ms)
{
	int err = give(u);

	u->phase = UPGRADE_GIVEN;
	u->due_ms = loop_now_ms() + STEP_MS +
		    (wait_ms < STAPLES_MS ? wait_ms : STAPLES_MS);
	if (err == -EPIPE || err == -ECONNRESET)
		hang_up(u);	/* it has ended; on_end() does the rest */
	else if (err)
		give_up(u, strerror(-err));
}

static void on_serves(struct upgrade *u, const struct upgrade_in *in)
{
	hang_up(u);
	u->phase = UPGRADE_LEFT;
	u->due_ms = loop_now_ms() + LEAVE_MS;
	log_info("event=upgraded pid=%d", (int)u->pid);
	notify_main(u->pid);
	u->events.leave(u->events.arg, in->taken, in->msg.number);
}

static void refuse_version(struct upgrade *u, const struct upgrade_in *in)
{
	char text[128];

	snprintf(text, sizeof(text), "the new ktlsd takes over by version %u, "
		 "this one by %u: it has to be stopped and started",
		 in->msg.version, UPGRADE_VERSION);
	upgrade_say(u->watch.fd, UPGRADE_REFUSED, 0, text, NULL, 0);
	give_up(u, text);
}

static void take(struct upgrade *u, const struct upgrade_in *in)
{
	if (in->msg.type == UPGRADE_HELLO && u->phase == UPGRADE_STARTED)
		on_hello(u, in->msg.number);
	else if (in->msg.type == UPGRADE_SERVES && u->phase == UPGRADE_GIVEN)
		on_serves(u, in);
	else if (in->msg.type == UPGRADE_FAILED)
		snprintf(u->why, sizeof(u->why), "%s", in->msg.text);
	else
		give_up(u, "the new ktlsd says what makes no sense");
}

static void on_message(struct watch *w)
{
	struct upgrade *u = (struct upgrade *)w;
	struct ktls_fds fds = { .n = 0 };
	int n = upgrade_hear(w->fd, &u->in, &fds);

	ktls_close_fds(&fds);
	if (n == 1)
		take(u, &u->in);
	else if (n == -EPROTO)
		refuse_version(u, &u->in);
	else if (!n || n == -ECONNRESET)
		hang_up(u);	/* likewise, or it is killed in time */
	else if (n != -EAGAIN && n != -EINTR)
		give_up(u, "the new ktlsd says what makes no sense");
}

/* --- all of it ------------------------------------------------------------ */

void upgrade_init(struct upgrade *u, int loop,
		  const struct upgrade_events *events, char *const *argv)
{
	*u = (struct upgrade){
		.watch = { -1, on_message },
		.end = { -1, on_end },
		.loop = loop,
		.events = *events,
		.argv = argv,
		.program = upgrade_program(argv[0]),
	};
}

void upgrade_stop(struct upgrade *u)
{
	hang_up(u);
	if (u->phase == UPGRADE_STARTED || u->phase == UPGRADE_GIVEN)
		kill_it(u);
	forget(u, &u->end);
	u->phase = UPGRADE_IDLE;
	u->wanted = u->given = false;
}

void upgrade_fini(struct upgrade *u)
{
	upgrade_stop(u);
	free(u->program);
	u->program = NULL;
}

uint64_t upgrade_refuse(struct upgrade *u, const char *why)
{
	log_error("event=upgrade_refused error=\"%s\"", why);
	u->refused = why;
	return TICKET_REFUSED;
}

uint64_t upgrade_want(struct upgrade *u)
{
	if (u->wanted || u->phase != UPGRADE_IDLE)
		return upgrade_refuse(u, "an upgrade is under way");
	/* Where it ends all others do, as in a container. */
	if (getpid() == 1)
		return upgrade_refuse(u, "process 1 cannot be replaced by "
				      "another; start ktlsd by an init");
	u->wanted = true;
	return TICKET;
}

static void begin(struct upgrade *u, uint64_t now_ms)
{
	int err;

	u->wanted = false;
	u->phase = UPGRADE_STARTED;
	u->due_ms = now_ms + STEP_MS;
	u->pid = 0;
	u->why[0] = '\0';
	notify_reloading();
	err = start(u);
	if (!err) {
		log_info("event=upgrading pid=%d program=\"%s\"", (int)u->pid,
			 u->program);
		return;
	}
	snprintf(u->why, sizeof(u->why), "%s", strerror(-err));
	fail(u);
}

static void answer_refused(struct upgrade *u)
{
	char text[128];

	snprintf(text, sizeof(text), "error: %s\n", u->refused);
	u->refused = NULL;
	u->events.answer(u->events.arg, TICKET_REFUSED, text);
}

/* Whoever is told that the new one serves is not to meet the old one. */
static uint64_t answer_left(struct upgrade *u, uint64_t now_ms, bool settled)
{
	char text[64];

	if (!settled && now_ms < u->due_ms)
		return u->due_ms;
	snprintf(text, sizeof(text), "ok pid=%d\n", (int)u->pid);
	u->due_ms = UINT64_MAX;
	u->events.answer(u->events.arg, TICKET, text);
	return UINT64_MAX;
}

uint64_t upgrade_tick(struct upgrade *u, uint64_t now_ms, bool settled)
{
	if (u->refused)
		answer_refused(u);
	if (u->wanted && settled)
		begin(u, now_ms);
	if (u->phase == UPGRADE_LEFT && u->due_ms != UINT64_MAX)
		return answer_left(u, now_ms, settled);
	if (u->phase != UPGRADE_STARTED && u->phase != UPGRADE_GIVEN)
		return UINT64_MAX;
	if (now_ms >= u->due_ms)
		give_up(u, "the new ktlsd took too long");
	return u->due_ms > now_ms ? u->due_ms : UINT64_MAX;
}

bool upgrade_given(const struct upgrade *u)
{
	return u->given;
}

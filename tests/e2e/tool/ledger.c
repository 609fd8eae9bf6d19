// SPDX-License-Identifier: MIT
#include "ledger.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ktls/message.h"
#include "tool.h"

static struct ledger_line *lines;
static int file;

void ledger_open(const char *path)
{
	const size_t len = LEDGER_MAX * sizeof(*lines);

	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	if (file < 0 || ftruncate(file, len))
		die("%s: %m", path);
	lines = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (lines == MAP_FAILED)
		die("mmap: %m");
}

struct ledger_line *ledger_lines(void)
{
	return lines;
}

/* A record lock: of a killed process the kernel takes it away. */
static void lock(int type)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_len = 1};

	while (fcntl(file, F_SETLKW, &l))
		if (errno != EINTR)
			die("fcntl: %m");
}

static long number_of(const struct ktls_info *info)
{
	const struct sockaddr_in *in = (const void *)&info->peer;
	const uint32_t n = ntohl(in->sin_addr.s_addr) - LEDGER_FIRST;

	return in->sin_family == AF_INET && n < LEDGER_MAX ? (long)n : -1;
}

void ledger_note(long number, enum ledger_state state)
{
	if (!lines || number < 0)
		return;
	if (state == LEDGER_HELD)
		lines[number].times++;
	lines[number].pid = getpid();
	lines[number].state = state;
}

/* Without room for descriptors, looking installs none. */
static void look(int queue_fd)
{
	static uint8_t msg[KTLS_MSG_MAX];
	struct ktls_info info;
	ssize_t n = recv(queue_fd, msg, sizeof(msg), MSG_PEEK | MSG_DONTWAIT);

	if (n > 0 && !ktls_msg_decode(&info, NULL, msg, n))
		ledger_note(number_of(&info), LEDGER_WANTED);
}

int ledger_accept(struct ktls_queue *q, int queue_fd, struct ktls_conn *c,
		  struct ktls_info *info, long *number)
{
	int rc;

	if (lines) {
		lock(F_WRLCK);
		look(queue_fd);
	}
	rc = ktls_accept(q, c, info, SOCK_NONBLOCK | SOCK_CLOEXEC);
	*number = rc ? -1 : number_of(info);
	ledger_note(*number, LEDGER_HELD);
	if (lines)
		lock(F_UNLCK);
	return rc;
}

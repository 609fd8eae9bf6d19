/* SPDX-License-Identifier: MIT */
#include "hello.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "ktls/descriptors.h"
#include "log.h"

ssize_t hello_recv(int fd, struct ktls_hello *hello, int fds[2], int *n_fds)
{
	struct ktls_fds got;
	ssize_t n = ktls_recv_fds(fd, hello, sizeof(*hello), &got,
				  MSG_CMSG_CLOEXEC);

	*n_fds = 0;
	if (n > 0 && got.n == 2) {
		memcpy(fds, got.fd, 2 * sizeof(int));
		*n_fds = 2;
		return n;
	}
	if (n > 0 && got.n)
		n = -EPROTO;
	ktls_close_fds(&got);
	return n;
}

int hello_answer(int fd, enum ktls_reg_status status, const char *text,
		 unsigned int hold_ms, uint32_t flags, const int *fds)
{
	struct ktls_answer answer = {
		.magic = KTLS_REG_MAGIC,
		.version = KTLS_REG_VERSION,
		.status = (uint16_t)status,
		.hold_ms = hold_ms,
		.flags = flags,
	};
	int err;

	snprintf(answer.text, sizeof(answer.text), "%s", text);
	err = ktls_send_fds(fd, &answer, sizeof(answer), fds, fds ? 2 : 0);
	if (err)
		log_debug("event=answer_failed error=\"%s\"",
			  strerror(-err));
	return err;
}

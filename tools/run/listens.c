// SPDX-License-Identifier: MIT
#include "listens.h"

#include <sys/socket.h>

void run_listens_note(struct run_listens *l, int family, int port,
		      uint64_t now_ms)
{
	if (family == AF_INET6) {
		l->v6 = true;
		l->due_ms = 0;
	} else if (family == AF_INET && !l->v4) {
		l->v4 = true;
		l->port = port;
		l->due_ms = l->v6 ? 0 : now_ms + RUN_LISTENS_MS;
	}
}

void run_listens_again(struct run_listens *l, uint64_t now_ms)
{
	/* Not earlier, if it has only begun. */
	if (l->v4 && !l->v6 && !l->due_ms)
		l->due_ms = now_ms;
}

enum run_verdict run_listens_judge(struct run_listens *l, bool ipv6,
				   uint64_t now_ms)
{
	if (!l->due_ms || now_ms < l->due_ms)
		return RUN_FINE;
	l->due_ms = 0;
	if (l->strict)
		return RUN_END;
	return ipv6 ? RUN_WARN : RUN_FINE;
}

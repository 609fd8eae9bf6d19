/* SPDX-License-Identifier: MIT */
#include "pipes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Kept for the next; more were needed for a moment only. */
#define IDLE_MAX 64

static void close_pipe(struct pipes *pipes, struct pipe *pipe)
{
	close(pipe->in);
	close(pipe->out);
	free(pipe);
	pipes->n--;
}

struct pipe *pipes_get(struct pipes *pipes)
{
	struct pipe *pipe = pipes->idle;
	int fds[2];

	if (pipe) {
		pipes->idle = pipe->next;
		pipes->n_idle--;
		return pipe;
	}
	if (pipes->n >= pipes->max)
		return NULL;
	pipe = malloc(sizeof(*pipe));
	if (!pipe || pipe2(fds, O_CLOEXEC | O_NONBLOCK)) {
		free(pipe);
		return NULL;
	}
	pipes->n++;
	*pipe = (struct pipe){ .in = fds[1], .out = fds[0] };
	return pipe;
}

void pipes_put(struct pipes *pipes, struct pipe *pipe)
{
	if (!pipe)
		return;
	if (pipe->len || pipes->n_idle >= IDLE_MAX) {
		close_pipe(pipes, pipe);
		return;
	}
	pipe->next = pipes->idle;
	pipes->idle = pipe;
	pipes->n_idle++;
}

void pipes_fini(struct pipes *pipes)
{
	struct pipe *pipe;

	while ((pipe = pipes->idle)) {
		pipes->idle = pipe->next;
		close_pipe(pipes, pipe);
	}
	pipes->n_idle = 0;
}

/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "local.h"

/* The longest request line, in bytes: a command and the name of a file. */
#define REQUEST_MAX (PATH_MAX + 64)
/* Clients at a time; for another one the oldest has to go. */
#define CLIENTS_MAX 16
/* How long one may take nothing of its answer. */
#define ANSWER_MS 10000

struct control {
	struct watch watch;
	int loop;
	const struct control_command *commands;
	void *arg;
	char *path;
	struct client *clients;		/* newest first */
};

struct client {
	struct watch watch;
	struct control *control;
	struct client *next;
	char *answer;			/* NULL: it has not asked yet */
	size_t len, sent;
	uint64_t until_ms;
};

static void free_client(struct client *client)
{
	struct client **p = &client->control->clients;

	while (*p != client)
		p = &(*p)->next;
	*p = client->next;
	loop_remove(client->control->loop, &client->watch);
	local_close(client->watch.fd);
	free(client->answer);
	free(client);
}

static void print_answer(const struct control *control, char *line, FILE *out)
{
	const struct control_command *c;
	char *argument = strchr(line, ' ');
	size_t len = strcspn(line, " ");

	for (c = control->commands; c->name; c++)
		if (strlen(c->name) == len && !memcmp(c->name, line, len) &&
		    (!argument || c->argument)) {
			c->print(control->arg, argument ? argument + 1 : NULL,
				 out);
			return;
		}
	fprintf(out, "error: unknown command; there are:");
	for (c = control->commands; c->name; c++)
		fprintf(out, " %s", c->name);
	fputc('\n', out);
}

/* What there is room for; master waits for no client. */
static void send_answer(struct watch *w)
{
	struct client *client = (struct client *)w;
	ssize_t n = send(w->fd, client->answer + client->sent,
			 client->len - client->sent,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0) {
		client->sent += (size_t)n;
		client->until_ms = loop_now_ms() + ANSWER_MS;
	}
	if ((n < 0 && errno != EAGAIN) || client->sent == client->len)
		free_client(client);
}

static void on_request(struct watch *w)
{
	struct client *client = (struct client *)w;
	char line[REQUEST_MAX];
	FILE *out;
	ssize_t n = recv(w->fd, line, sizeof(line) - 1, MSG_DONTWAIT);

	out = n > 0 ? open_memstream(&client->answer, &client->len) : NULL;
	if (!out) {
		free_client(client);
		return;
	}
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	print_answer(client->control, line, out);
	fclose(out);
	w->ready = send_answer;
	client->until_ms = loop_now_ms() + ANSWER_MS;
	loop_want(client->control->loop, w, LOOP_WRITE);
	send_answer(w);
}

uint64_t control_tick(struct control *control, uint64_t now)
{
	struct client *client, *next;
	uint64_t due = UINT64_MAX;

	for (client = control ? control->clients : NULL; client;
	     client = next) {
		next = client->next;
		if (!client->answer)
			continue;
		if (client->until_ms <= now)
			free_client(client);
		else if (client->until_ms < due)
			due = client->until_ms;
	}
	return due;
}

static void make_room(struct control *control)
{
	struct client *oldest = control->clients;
	unsigned int n;

	for (n = 1; oldest && oldest->next; n++)
		oldest = oldest->next;
	if (n >= CLIENTS_MAX)
		free_client(oldest);
}

static void on_connect(struct watch *w)
{
	struct control *control = (struct control *)w;
	int fd = local_accept(w->fd);
	struct client *client = fd < 0 ? NULL : calloc(1, sizeof(*client));

	if (!client) {
		if (fd >= 0)
			close(fd);
		return;
	}
	client->watch = (struct watch){ .fd = fd, .ready = on_request };
	client->control = control;
	make_room(control);
	client->next = control->clients;
	control->clients = client;
	if (loop_add(control->loop, &client->watch))
		free_client(client);
}

struct control *control_open(const char *path, int loop,
			     const struct control_command *commands, void *arg,
			     char *error, size_t error_len)
{
	struct local_access access = { geteuid(), getegid(), 0600 };
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->watch.fd = local_listen(path, SOCK_STREAM, &access, error,
					 error_len);
	if (control->watch.fd < 0) {
		free(control);
		return NULL;
	}
	control->watch.ready = on_connect;
	control->loop = loop;
	control->commands = commands;
	control->arg = arg;
	control->path = strdup(path);
	loop_add(loop, &control->watch);
	return control;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	while (control->clients)
		free_client(control->clients);
	loop_remove(control->loop, &control->watch);
	close(control->watch.fd);
	if (control->path)
		unlink(control->path);
	free(control->path);
	free(control);
}

/* SPDX-License-Identifier: MIT */
#include "control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "local.h"

/* The longest request line, in bytes. */
#define REQUEST_MAX 256
/* Clients that have not asked yet; for another one the oldest has to go. */
#define CLIENTS_MAX 16

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
};

static void free_client(struct client *client)
{
	struct client **p = &client->control->clients;

	while (*p != client)
		p = &(*p)->next;
	*p = client->next;
	loop_remove(client->control->loop, &client->watch);
	local_close(client->watch.fd);
	free(client);
}

static void print_answer(const struct control *control, const char *line,
			 FILE *out)
{
	const struct control_command *c;

	for (c = control->commands; c->name; c++)
		if (!strcmp(c->name, line)) {
			c->print(control->arg, out);
			return;
		}
	fprintf(out, "error: unknown command; there are:");
	for (c = control->commands; c->name; c++)
		fprintf(out, " %s", c->name);
	fputc('\n', out);
}

static void on_request(struct watch *w)
{
	struct client *client = (struct client *)w;
	char line[REQUEST_MAX], *text = NULL;
	size_t len = 0;
	FILE *out;
	ssize_t n = recv(w->fd, line, sizeof(line) - 1, MSG_DONTWAIT);

	if (n > 0) {
		line[n] = '\0';
		line[strcspn(line, "\r\n")] = '\0';
		out = open_memstream(&text, &len);
		if (out) {
			print_answer(client->control, line, out);
			fclose(out);
			/* master waits for no client: what fits, fits. */
			send(w->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
			free(text);
		}
	}
	free_client(client);
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
	struct client *client = fd < 0 ? NULL : malloc(sizeof(*client));

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

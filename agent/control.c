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
	uint64_t ticket;		/* of the answer that it waits for */
	char *answer;			/* NULL: it has not asked, or it waits */
	size_t len, sent;		/* of the answer and its NUL */
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

static const struct control_command *find(const struct control *control,
					   const char *line)
{
	const struct control_command *c;
	size_t len = strcspn(line, " ");

	for (c = control->commands; c->name; c++)
		if (strlen(c->name) == len && !memcmp(c->name, line, len))
			return c;
	return NULL;
}

static bool says_too_much(const struct control_command *c, const char *line)
{
	return c && !c->argument && strchr(line, ' ');
}

static void print_answer(const struct control *control,
			 const struct control_command *c, const char *line,
			 FILE *out)
{
	const char *argument = strchr(line, ' ');

	if (says_too_much(c, line)) {
		fprintf(out, "error: %s takes no argument\n", c->name);
		return;
	}
	if (c) {
		c->print(control->arg, argument ? argument + 1 : NULL, out);
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

static void begin_answer(struct client *client)
{
	struct watch *w = &client->watch;

	w->ready = send_answer;
	client->until_ms = loop_now_ms() + ANSWER_MS;
	loop_want(client->control->loop, w, LOOP_WRITE);
	send_answer(w);
}

/* While it waits there is nothing to hear from it but its end. */
static void on_impatience(struct watch *w)
{
	free_client((struct client *)w);
}

static void answer_now(struct client *client, const struct control_command *c,
		       const char *line)
{
	FILE *out = open_memstream(&client->answer, &client->len);

	if (!out) {
		free_client(client);
		return;
	}
	print_answer(client->control, c, line, out);
	fclose(out);
	client->len++;
	begin_answer(client);
}

static void on_request(struct watch *w)
{
	struct client *client = (struct client *)w;
	struct control *control = client->control;
	const struct control_command *c;
	char line[REQUEST_MAX];
	ssize_t n = recv(w->fd, line, sizeof(line) - 1, MSG_DONTWAIT);

	if (n <= 0) {
		free_client(client);
		return;
	}
	line[n] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	c = find(control, line);
	if (!c || !c->later || says_too_much(c, line)) {
		answer_now(client, c, line);
		return;
	}
	w->ready = on_impatience;
	client->ticket = c->later(control->arg);
}

void control_answer(struct control *control, uint64_t ticket,
		    const char *text)
{
	struct client *client, *next;

	for (client = control ? control->clients : NULL; client;
	     client = next) {
		next = client->next;
		if (client->ticket != ticket)
			continue;
		client->ticket = 0;
		client->answer = strdup(text);
		client->len = strlen(text) + 1;
		if (client->answer)
			begin_answer(client);
		else
			free_client(client);
	}
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

int control_listen(const char *path, char *error, size_t error_len)
{
	struct local_access access = { geteuid(), getegid(), 0600 };

	return local_listen(path, SOCK_STREAM, &access, error, error_len);
}

struct control *control_open(const char *path, int fd, int loop,
			     const struct control_command *commands, void *arg,
			     char *error, size_t error_len)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->watch.fd = fd < 0 ? control_listen(path, error, error_len) :
				     fd;
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

const char *control_path(const struct control *control)
{
	return control->path ? control->path : "";
}

static void leave_path(struct control *control, bool keep_file)
{
	if (control->watch.fd < 0)
		return;
	loop_remove(control->loop, &control->watch);
	close(control->watch.fd);
	control->watch.fd = -1;
	if (control->path && !keep_file)
		unlink(control->path);
	free(control->path);
	control->path = NULL;
}

void control_leave(struct control *control, bool taken)
{
	struct client *client, *next;

	for (client = control->clients; client; client = next) {
		next = client->next;
		if (client->watch.ready == on_request)
			free_client(client);
	}
	leave_path(control, taken);
}

void control_pause(struct control *control)
{
	loop_remove(control->loop, &control->watch);
}

void control_resume(struct control *control)
{
	loop_add(control->loop, &control->watch);
}

int control_fd(const struct control *control)
{
	return control->watch.fd;
}

int control_move(struct control *control, const char *path, int fd)
{
	char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	leave_path(control, false);
	control->path = copy;
	control->watch.fd = fd;
	loop_add(control->loop, &control->watch);
	return 0;
}

void control_close(struct control *control)
{
	if (!control)
		return;
	while (control->clients)
		free_client(control->clients);
	leave_path(control, false);
	free(control);
}

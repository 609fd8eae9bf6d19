/* SPDX-License-Identifier: MIT */
#include "staples.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "stapler/stapler.h"
#include "staples_table.h"

/* What may wait in that socket in each direction, in bytes. */
#define ROOM (1024 * 1024)

/* It reads what strangers send; when that goes wrong it must get at nothing. */
static void warn_of_account(const struct config *config)
{
	const char *why = NULL;

	if (!config->stapler_uid)
		why = "that account may do everything";
	else if (config->stapler_uid == config->uid)
		why = "workers, which have the private keys, are of that "
		      "account, too";
	if (why)
		log_warn("event=stapler_user_unsafe key=stapler_user user=%s "
			 "error=\"%s\" remedy=\"give the stapler an account "
			 "of its own\"", config->stapler_user, why);
}

/* It would be missed at the first responder that speaks TLS only. */
static bool check_ca(const struct config_file *ca)
{
	char error[512];

	if (!ca->path || !hs_check_cas(ca->path, error, sizeof(error)))
		return true;
	log_error("event=ocsp_ca_refused at=%s:%u:%u error=\"%s\"",
		  ca->mark.file, ca->mark.line, ca->mark.column, error);
	return false;
}

bool staples_check(const struct config *config, const struct certs *certs)
{
	if (!check_ca(&config->ocsp.ca))
		return false;
	if (!certs->n_slots || geteuid())
		return true;
	if (config->stapler_uid != (uid_t)-1) {
		warn_of_account(config);
		return true;
	}
	log_error("event=stapler_impossible key=stapler_user error=\"there is "
		  "no account %s, and certificates need OCSP responses\" "
		  "remedy=\"create it with useradd --system %s, name another, "
		  "or set staple: off\"", config->stapler_user,
		  config->stapler_user);
	return false;
}

struct staples *staples_new(const struct staples_setup *setup,
			    const struct staples *previous)
{
	const struct certs *certs = setup->certs;
	struct staples *s = calloc(1, sizeof(*s));
	size_t n = certs->n_slots, i;

	if (!s)
		return NULL;
	s->setup = *setup;
	s->child.name = "stapler";
	s->child.socket = (struct watch){ setup->socket, staples_hear };
	s->staple = calloc(n + 1, sizeof(*s->staple));
	s->list.item = calloc(n + 1, sizeof(*s->list.item));
	if (!s->staple || !s->list.item) {
		staples_free(s);
		return NULL;
	}
	s->list.n = s->n_unsettled = n;
	for (i = 0; i < n; i++) {
		s->staple[i].slot = &certs->slots[i];
		memcpy(s->staple[i].fingerprint, certs->slots[i].fingerprint,
		       OCSP_FINGERPRINT_LEN);
		s->list.item[i].cert = certs->slots[i].cert;
		s->list.item[i].depth = certs->slots[i].depth;
	}
	if (!previous || !staples_inherit(s, previous))
		return s;
	staples_free(s);
	return NULL;
}

void staples_free(struct staples *s)
{
	size_t i;

	if (!s)
		return;
	for (i = 0; i < s->list.n; i++) {
		free(s->staple[i].url);
		free(s->staple[i].error);
		free((void *)s->list.item[i].der.data);
	}
	free(s->staple);
	free(s->list.item);
	free(s);
}

const struct delivery_list *staples_list(const struct staples *s)
{
	return &s->list;
}

static void make_room(int socket)
{
	static const int size = ROOM;

	if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

static int be_stapler(void *arg, int socket)
{
	const struct staples *s = arg;
	const struct config *config = s->setup.config;

	make_room(socket);
	return child_become("stapler", socket, STAPLER_FD, config->stapler_uid,
			    config->stapler_gid);
}

static void begin(struct staples *s)
{
	make_room(s->child.socket.fd);
	s->talking = true;
	s->ping_ms = loop_now_ms() + STAPLES_PING_MS;
	s->pings = 0;
	s->ping = false;
	s->phase = STAPLES_OPTIONS;
	s->next = 0;
	staples_speak(s);
}

static void start(struct staples *s)
{
	state_dir_ocsp(s->setup.config, &s->folder);
	if (s->setup.socket >= 0) {
		s->child.restart_ms = UINT64_MAX;
		loop_add(s->setup.loop, &s->child.socket);
		begin(s);
	} else if (!child_start(&s->child, s->setup.loop, be_stapler, s)) {
		begin(s);
	}
}

bool staples_ended(struct staples *s, pid_t pid, int status)
{
	bool expected = s->stopping || s->renewing;
	size_t i;

	if (!s->child.pid || s->child.pid != pid)
		return false;
	s->talking = s->renewing = false;
	for (i = 0; i < s->list.n; i++)
		s->staple[i].planned = false;
	child_ended(&s->child, s->setup.loop, status, expected);
	if (!expected)
		metrics_count(s->setup.metrics, METRIC_STAPLER_RESTARTS);
	return true;
}

void staples_stop(struct staples *s)
{
	s->stopping = true;
	s->kill_ms = loop_now_ms() + STAPLER_STOP_MS;
	if (s->child.pid)
		shutdown(s->child.socket.fd, SHUT_RDWR);
	if (s->talking)
		loop_remove(s->setup.loop, &s->child.socket);
	s->talking = false;
}

bool staples_running(const struct staples *s)
{
	return s->child.pid;
}

/* The first that are waited for; more would make the line too long. */
#define NAMED 3

static void name_unsettled(const struct staples *s, char *names, size_t len)
{
	size_t i, n = 0, at = 0;

	names[0] = '\0';
	for (i = 0; i < s->list.n && n < NAMED && at < len; i++)
		if (!s->staple[i].settled)
			at += (size_t)snprintf(names + at, len - at, "%s%s",
					       n++ ? "; " : "",
					       s->staple[i].slot->name);
}

static void log_unsettled(const struct staples *s)
{
	char names[512];

	name_unsettled(s, names, sizeof(names));
	log_warn("event=start_wait_over certificates=%zu error=\"%s\" "
		 "first=\"%s\"", s->n_unsettled, s->loaded ?
		 "these have no OCSP response yet" :
		 "the stapler has not read what is stored", names);
}

bool staples_settled(struct staples *s, uint64_t now)
{
	if (!s->list.n || s->gave_up || (s->loaded && !s->n_unsettled))
		return true;
	if (!s->settle_by_ms || now < s->settle_by_ms ||
	    (!s->loaded && now < s->load_by_ms))
		return false;
	s->gave_up = true;
	log_unsettled(s);
	return true;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void begin_wait(struct staples *s, uint64_t now)
{
	unsigned int wait_ms = s->setup.config->ocsp.start_wait_ms;

	s->settle_by_ms = now + wait_ms;
	s->load_by_ms = now + later(wait_ms, STAPLES_LOAD_MS);
	s->load_end_ms = now + later(wait_ms, STAPLES_LOAD_ALL_MS);
}

uint64_t staples_tick(struct staples *s, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	if (s->stopping) {
		if (!s->child.pid)
			return UINT64_MAX;
		if (now >= s->kill_ms)
			kill(s->child.pid, SIGKILL);
		return now < s->kill_ms ? s->kill_ms : now + STAPLER_STOP_MS;
	}
	if (!s->list.n || s->follows)
		return UINT64_MAX;
	if (!s->settle_by_ms)
		begin_wait(s, now);
	if (!s->child.pid && s->child.restart_ms <= now)
		start(s);
	if (s->speak_ms && s->speak_ms <= now)
		staples_speak(s);
	if (s->talking && s->ping_ms <= now)
		staples_ping(s, now);
	if (s->speak_ms)
		next = s->speak_ms;
	if (s->talking)
		next = clock_earlier(next, s->ping_ms);
	if (!s->child.pid)
		next = clock_earlier(next, s->child.restart_ms);
	if (now < s->settle_by_ms)
		next = clock_earlier(next, s->settle_by_ms);
	else if (now < s->load_by_ms)
		next = clock_earlier(next, s->load_by_ms);
	return next;
}

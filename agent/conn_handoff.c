/* SPDX-License-Identifier: MIT */
/*
 * The end of a handshake: the keys go to the kernel, the socket to a consumer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conn_parts.h"
#include "handshake/info.h"
#include "ktls/install.h"
#include "ktls/message.h"
#include "log.h"
#include "relay.h"
#include "worker.h"

#define WARN_MS 1000

static void count_handshake(struct conn *c, const struct hs_info *info,
			    enum metric relayed)
{
	static const enum metric staples[] = {
		[HS_STAPLE_SENT] = METRIC_STAPLE_SENT,
		[HS_STAPLE_EXPIRED] = METRIC_STAPLE_EXPIRED,
		[HS_STAPLE_NOT_YET] = METRIC_STAPLE_NOT_YET,
		[HS_STAPLE_NONE] = METRIC_STAPLE_NONE,
	};

	conn_count(c, info->version == KTLS_TLS13 ? METRIC_HANDSHAKES_TLS13 :
						    METRIC_HANDSHAKES_TLS12);
	if (info->resumed)
		conn_count(c, METRIC_HANDSHAKES_RESUMED);
	if (relayed != METRIC_COUNT)
		conn_count(c, relayed);
	if (info->staple != HS_STAPLE_NOT_ASKED)
		conn_count(c, staples[info->staple]);
}

/* Why the kernel does not take this connection over; METRIC_COUNT: it does. */
static enum metric why_relayed(const struct conn *c, const struct hs_info *info)
{
	const struct worker *w = c->worker;

	if (listener_is_local(c->listener))
		return METRIC_RELAYED_UNIX;
	if (w->config->ktls == CONFIG_KTLS_OFF)
		return METRIC_RELAYED_OFF;
	if (!w->support.pairs)
		return METRIC_RELAYED_UNAVAILABLE;
	if (info->max_fragment && !w->support.max_payload)
		return METRIC_RELAYED_MAX_FRAGMENT;
	return METRIC_COUNT;
}

static int install_keys(struct conn *c)
{
	struct ktls_keys keys;
	int err;

	err = hs_keys(c->hs, &keys);
	if (!err)
		err = ktls_install(c->fd, &keys);
	explicit_bzero(&keys, sizeof(keys));
	return err;
}

static struct ktls_bytes text(const char *s)
{
	return (struct ktls_bytes){ (const uint8_t *)s, strlen(s) };
}

static struct ktls_bytes bytes(struct ocsp_bytes b)
{
	return (struct ktls_bytes){ b.data, b.len };
}

/* Whom the client's certificate names, if there is one. Returns 0 or -ENOMEM. */
static int tell_client(struct conn *c, struct ktls_info *info)
{
	const struct config_route *route = &c->worker->config->routes[c->route];
	const struct hs_peer *peer;
	int err = hs_get_peer(c->hs, &peer);

	if (err || !peer)
		return err;
	info->client_verified = 1;
	info->client_cn = bytes(peer->cn);
	info->client_subject = bytes(peer->subject);
	info->client_sans = bytes(peer->sans);
	info->client_sha256 = (struct ktls_bytes){ peer->sha256,
						   sizeof(peer->sha256) };
	if (route->tell & CONFIG_TELL_CLIENT_CERT)
		info->client_cert = bytes(peer->der);
	if (peer->crl_expired)
		conn_count(c, METRIC_CLIENT_CRL_EXPIRED);
	return 0;
}

/* One that does not fit into the buffer, as with a certificate in it. */
static int write_long(struct conn *c, struct ktls_info *info,
		      const struct ktls_msg_secrets *secrets)
{
	static uint8_t msg[KTLS_MSG_MAX];
	ssize_t n = ktls_msg_encode(info, secrets, msg, sizeof(msg));
	uint8_t *copy = NULL;

	if (n == -EMSGSIZE) {
		info->client_cert.len = 0;
		n = ktls_msg_encode(info, secrets, msg, sizeof(msg));
	}
	if (n > 0) {
		copy = malloc((size_t)n);
		if (copy)
			memcpy(copy, msg, (size_t)n);
		c->handoff.msg = copy;
		c->handoff.msg_len = (size_t)n;
	}
	explicit_bzero(msg, n > 0 ? (size_t)n : sizeof(msg));
	if (n < 0)
		return (int)n;
	return copy ? 0 : -ENOMEM;
}

void conn_drop_message(struct conn *c)
{
	if (!c->handoff.msg)
		return;
	/* It may hold secrets, and the buffer goes on to the next client. */
	explicit_bzero((void *)c->handoff.msg, c->handoff.msg_len);
	if (c->handoff.msg != conn_buffer(c))
		free((void *)c->handoff.msg);
	c->handoff.msg = NULL;
}

/*
 * Writes the message: @info, and what is the same for all connections.
 * -EMSGSIZE: what is said of the client does not fit into any.
 */
static int write_message(struct conn *c, struct ktls_info *info,
			 const struct ktls_msg_secrets *secrets)
{
	socklen_t len = sizeof(info->local);
	struct timespec now;
	ssize_t n;

	info->peer = c->peer;
	info->unique_id = worker_unique_id(c->worker);
	info->local = c->local;
	if (info->local.ss_family == AF_UNSPEC &&
	    getsockname(c->fd, (struct sockaddr *)&info->local, &len))
		return -errno;
	clock_gettime(CLOCK_MONOTONIC, &now);
	info->handoff_ns = (uint64_t)now.tv_sec * 1000000000 +
			   (uint64_t)now.tv_nsec;
	n = ktls_msg_encode(info, secrets, conn_buffer(c), CONN_BUFFER);
	if (n < 0) {
		explicit_bzero(conn_buffer(c), CONN_BUFFER);
		return write_long(c, info, secrets);
	}
	c->handoff.msg = conn_buffer(c);
	c->handoff.msg_len = (size_t)n;
	return 0;
}

/* Room for what a message points to. */
struct told {
	uint8_t exporter[32], end_point[HS_END_POINT_MAX];
};

/* What the route asks for, since nobody can find it out any more. */
static void tell(struct conn *c, struct ktls_info *info, struct told *told)
{
	unsigned int wanted = c->worker->config->routes[c->route].tell;
	size_t len;

	if (wanted & CONFIG_TELL_EXPORTER && !hs_exporter(c->hs, told->exporter))
		info->exporter = (struct ktls_bytes){ told->exporter,
						      sizeof(told->exporter) };
	if (wanted & CONFIG_TELL_END_POINT &&
	    !hs_end_point(c->hs, told->end_point, &len))
		info->end_point = (struct ktls_bytes){ told->end_point, len };
	if (wanted & CONFIG_TELL_JA4)
		info->ja4 = text(hs_ja4(c->hs));
}

/* For routes that want to follow KeyUpdate, where the kernel can. */
static void tell_secrets(const struct conn *c, enum ktls_mode mode,
			 struct ktls_msg_secrets *secrets)
{
	const struct worker *w = c->worker;
	struct ocsp_bytes rx, tx;

	if (!w->config->routes[c->route].rekey || !w->support.rekey ||
	    mode != KTLS_KERNEL || hs_secrets(c->hs, &rx, &tx))
		return;
	secrets->rx = bytes(rx);
	secrets->tx = bytes(tx);
}

static int note_handshake(struct conn *c, const struct hs_info *hs,
			  enum ktls_mode mode)
{
	struct ktls_msg_secrets secrets = { 0 };
	struct told told;
	struct ktls_info info = {
		.mode = mode,
		.resumed = hs->resumed,
		.alpn = { hs->alpn, hs->alpn_len },
		.server_name = text(hs->server_name),
		.version = text(hs->version_name),
		.cipher = text(hs->cipher),
		.group = text(hs->group),
		.key_alg = text(hs->key_alg),
		.cert_sig_alg = text(hs->cert_sig_alg),
		.sig_scheme = text(hs->sig_scheme),
	};
	int err = tell_client(c, &info);

	tell(c, &info, &told);
	tell_secrets(c, mode, &secrets);
	err = err ? err : write_message(c, &info, &secrets);
	explicit_bzero(&told, sizeof(told));
	return err;
}

static enum metric handed_off(const struct conn *c)
{
	if (c->worker->config->routes[c->route].passthrough)
		return METRIC_PASSED;
	return c->relay ? METRIC_HANDED_OFF_RELAY : METRIC_HANDED_OFF_KTLS;
}

/* There can be many at a time, and strangers decide how many: a line a second. */
static void note_expired(struct conn *c)
{
	struct worker *w = c->worker;
	struct worker_route *route = &w->routes[c->route];

	log_debug("event=handoff_dropped peer=%s route=%s", conn_peer(c),
		  conn_route_name(c));
	route->n_expired++;
	if (w->now_ms < route->warn_ms)
		return;
	log_warn("event=handoff_expired route=%s connections=%u remedy=\"start "
		 "a consumer, or raise hold_timeout\"", conn_route_name(c),
		 route->n_expired);
	route->n_expired = 0;
	route->warn_ms = w->now_ms + WARN_MS;
}

static void on_handed_off(struct handoff *handoff, int result)
{
	struct conn *c = container_of(handoff, struct conn, handoff);

	conn_drop_message(c);
	if (!result)
		conn_count(c, handed_off(c));
	else
		note_expired(c);
	if (!c->relay) {
		ring_close(&c->worker->ring, c->fd);
		c->fd = c->handoff.fd = -1;
		conn_free(c);
	} else if (!result) {
		relay_start(c->relay);
	} else {
		relay_cut(c->relay);
	}
}

static void refuse(struct conn *c, enum hs_failure failure, uint8_t alert,
		   const char *why)
{
	hs_abort(c->hs, alert);
	conn_fail(c, failure, why);
	conn_flush(c);
}

/* ktls: require, and this connection asks for what the kernel cannot. */
static void refuse_relay(struct conn *c)
{
	refuse(c, HS_F_INTERNAL, ALERT_INTERNAL_ERROR,
	       listener_is_local(c->listener) ?
	       "the kernel encrypts TCP only, and the configuration has "
	       "ktls: require" :
	       "the kernel cannot take it over, for its max_fragment_length, "
	       "and the configuration has ktls: require");
}

/* Gives the keys to the kernel, or the consumer's end to the relay. */
static int make_handoff(struct conn *c, bool kernel)
{
	int err;

	if (!kernel) {
		c->relay = relay_at(c->worker->slab.relays, conn_slot(c));
		return relay_new(c->relay, c, &c->handoff.fd);
	}
	err = install_keys(c);
	c->handoff.fd = c->fd;
	hs_free(c->hs);
	c->hs = NULL;
	return err;
}

static void push(struct conn *c)
{
	struct worker *w = c->worker;

	c->handoff.done = on_handed_off;
	queue_push(&w->routes[c->route].queue, &c->handoff, w->now_ms);
}

static void give_up(struct conn *c, int err)
{
	conn_count(c, METRIC_FAILED_INTERNAL);
	log_warn("event=install_failed peer=%s route=%s error=\"%s\"",
		 conn_peer(c), conn_route_name(c), strerror(-err));
	conn_free(c);
}

void conn_hand_off(struct conn *c)
{
	struct worker *w = c->worker;
	enum metric relayed;
	struct hs_info info;
	bool kernel;
	int err;

	hs_get_info(c->hs, &info);
	relayed = why_relayed(c, &info);
	kernel = relayed == METRIC_COUNT;
	if (!kernel && w->config->ktls == CONFIG_KTLS_REQUIRE) {
		refuse_relay(c);
		return;
	}
	err = note_handshake(c, &info, kernel ? KTLS_KERNEL : KTLS_RELAY);
	if (err == -EMSGSIZE) {
		refuse(c, HS_F_CLIENT, ALERT_CERTIFICATE_UNKNOWN,
		       "the names in the client's certificate are too long for "
		       "the message to the consumer");
		return;
	}
	deadline_clear(&c->deadline);
	conn_leave(c);
	c->state = CONN_HANDOFF;
	if (!err)
		err = make_handoff(c, kernel);
	if (err) {
		give_up(c, err);
		return;
	}
	count_handshake(c, &info, relayed);
	push(c);
}

void conn_note_hello(struct conn *c, const struct hs_hello *hello)
{
	const struct ocsp_bytes *offered = &hello->offered;
	struct ktls_info info = {
		.mode = KTLS_PLAIN,
		.server_name = text(hello->server_name),
	};
	int err;

	if (offered->len && offered->len == (size_t)1 + offered->data[0])
		info.alpn = (struct ktls_bytes){ offered->data + 1,
						 offered->data[0] };
	err = write_message(c, &info, NULL);
	if (err)
		log_warn("event=pass_failed peer=%s route=%s error=\"%s\"",
			 conn_peer(c), conn_route_name(c), strerror(-err));
}

void conn_pass(struct conn *c)
{
	if (!c->handoff.msg) {
		conn_count(c, METRIC_FAILED_INTERNAL);
		conn_free(c);
		return;
	}
	deadline_clear(&c->deadline);
	conn_leave(c);
	c->state = CONN_HANDOFF;
	c->handoff.fd = c->fd;
	hs_free(c->hs);
	c->hs = NULL;
	push(c);
}

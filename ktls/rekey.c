// SPDX-License-Identifier: MIT
#include "rekey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control.h"
#include "derive.h"
#include "install.h"

/* For good measure, long before RECORDS_MAX of 16 KiB. */
#define BYTES_DEFAULT (UINT64_C(1) << 36)
/* AES-GCM: 2^24.5 records under one key (RFC 8446 5.5). */
#define RECORDS_MAX (UINT64_C(1) << 23)

#define NOT_REQUESTED 0
#define REQUESTED 1

struct secret {
	uint8_t data[KTLS_SECRET_MAX];
};

struct ktls_rekey {
	struct secret rx, tx;
	size_t secret_len;
	uint64_t limit, bytes, records; /* under the key that we send under */
	bool due, ask; /* a KeyUpdate is to be sent; as a request */
	bool moved; /* the peer's, see ktls_rekey_moved() */
	int failed; /* see ktls_rekey_fail() */
	bool broken; /* KeyUpdate was sent, and the kernel took no key */
};

static void wipe_secret(struct secret *s)
{
	explicit_bzero(s, sizeof(*s));
}

static void wipe_keys(struct ktls_keys *keys)
{
	explicit_bzero(keys, sizeof(*keys));
}

struct ktls_rekey *ktls_rekey_new(struct ktls_bytes rx, struct ktls_bytes tx)
{
	struct ktls_rekey *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->secret_len = rx.len;
	memcpy(r->rx.data, rx.data, rx.len);
	memcpy(r->tx.data, tx.data, tx.len);
	r->limit = BYTES_DEFAULT;
	return r;
}

void ktls_rekey_free(struct ktls_rekey *r)
{
	if (r)
		explicit_bzero(r, sizeof(*r));
	free(r);
}

/*
 * The secret behind @secret, and the keys that it makes, in @dir. What it takes
 * is fetched anew: keys change rarely, and there may be threads.
 */
static int derive(const struct ktls_rekey *r, enum ktls_cipher cipher,
		  const struct secret *secret, struct secret *next,
		  struct ktls_dir *dir)
{
	struct ktls_derive *d = ktls_derive_new();
	int rc = -ENOMEM;

	if (d)
		rc = ktls_derive_next(d, secret->data, r->secret_len,
				      next->data);
	if (!rc)
		rc = ktls_derive_keys(d, cipher, next->data, r->secret_len,
				      dir);
	ktls_derive_free(d);
	return rc;
}

int ktls_rekey_follow(struct ktls_conn *c, bool asks)
{
	__attribute__((cleanup(wipe_secret))) struct secret next;
	__attribute__((cleanup(wipe_keys))) struct ktls_keys keys = {0};
	struct ktls_rekey *r = c->rekey;
	int rc = ktls_installed(c->fd, &keys.version, &keys.cipher);

	if (!rc)
		rc = derive(r, keys.cipher, &r->rx, &next, &keys.rx);
	if (!rc)
		rc = ktls_install_rx(c->fd, &keys);
	if (rc)
		return ktls_fail(c, KTLS_INTERNAL_ERROR, -EKEYEXPIRED);
	r->rx = next;
	r->moved = true;
	r->due |= asks;
	return 1;
}

void ktls_rekey_fail(struct ktls_conn *c, int error)
{
	if (!c->rekey)
		return;
	c->rekey->failed = error;
	/* So that poll() has the caller come for it. */
	shutdown(c->fd, SHUT_RD);
}

int ktls_rekey_failed(const struct ktls_conn *c)
{
	return c->rekey ? c->rekey->failed : 0;
}

bool ktls_rekey_moved(struct ktls_conn *c)
{
	const bool moved = c->rekey && c->rekey->moved;

	if (moved)
		c->rekey->moved = false;
	return moved;
}

/*
 * KeyUpdate under the old key, then the new one. Nothing is changed until the
 * record is the kernel's; what fails after that cannot be mended.
 */
static int change(struct ktls_conn *c, int flags)
{
	__attribute__((cleanup(wipe_secret))) struct secret next;
	__attribute__((cleanup(wipe_keys))) struct ktls_keys keys = {0};
	struct ktls_rekey *r = c->rekey;
	const uint8_t msg[] = {24, 0, 0, 1, r->ask ? REQUESTED : NOT_REQUESTED};
	int rc = ktls_installed(c->fd, &keys.version, &keys.cipher);

	if (!rc)
		rc = derive(r, keys.cipher, &r->tx, &next, &keys.tx);
	if (!rc)
		rc = ktls_control_send(c->fd, KTLS_TYPE_HANDSHAKE, msg,
				       sizeof(msg), flags);
	if (rc)
		return rc;
	r->due = r->ask = false;
	if (ktls_install_tx(c->fd, &keys)) {
		r->broken = true;
		c->sent_close = 1;
		return -EKEYEXPIRED;
	}
	r->tx = next;
	r->bytes = r->records = 0;
	return 0;
}

int ktls_rekey_before(struct ktls_conn *c, int flags)
{
	struct ktls_rekey *r = c->rekey;

	if (!r)
		return 0;
	if (r->broken)
		return -EKEYEXPIRED;
	if (!r->due && r->bytes < r->limit && r->records < RECORDS_MAX)
		return 0;
	return c->sent_close ? 0 : change(c, flags & MSG_DONTWAIT);
}

void ktls_rekey_answer(struct ktls_conn *c)
{
	if (c->rekey && c->rekey->due && !c->sent_close)
		change(c, MSG_DONTWAIT);
}

void ktls_rekey_count(struct ktls_conn *c, size_t bytes, size_t record)
{
	if (!c->rekey)
		return;
	c->rekey->bytes += bytes;
	c->rekey->records += bytes / record + 1;
}

int ktls_rekey(struct ktls_conn *c, int peer_too)
{
	if (!c->rekey)
		return -EOPNOTSUPP;
	c->rekey->due = true;
	c->rekey->ask |= !!peer_too;
	return ktls_flush(c);
}

int ktls_flush(struct ktls_conn *c)
{
	return ktls_rekey_before(c, 0);
}

void ktls_set_rekey(struct ktls_conn *c, uint64_t bytes)
{
	if (c->rekey)
		c->rekey->limit = bytes ? bytes : BYTES_DEFAULT;
}

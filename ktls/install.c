// SPDX-License-Identifier: MIT
#include "install.h"

#include <errno.h>
#include <string.h>

#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

/* Newer than many a <linux/tls.h>. */
#ifndef TLS_TX_MAX_PAYLOAD_LEN
#define TLS_TX_MAX_PAYLOAD_LEN 5
#endif

union crypto {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 gcm128;
	struct tls12_crypto_info_aes_gcm_256 gcm256;
	struct tls12_crypto_info_chacha20_poly1305 chacha;
};

static void wipe(union crypto *c)
{
	explicit_bzero(c, sizeof(*c));
}

static void put_seq(uint8_t out[static 8], uint64_t seq)
{
	for (int i = 8; i-- > 0; seq >>= 8)
		out[i] = seq;
}

/*
 * The nonce of AES-GCM is salt and iv in TLS 1.3, which the kernel combines
 * with the sequence number; in TLS 1.2 iv is the part that is sent with each
 * record (RFC 5288 3), and the sequence number makes it unique.
 */
static void put_gcm_iv(uint8_t salt[static 4], uint8_t iv[static 8],
		       uint16_t version, const struct ktls_dir *dir)
{
	memcpy(salt, dir->iv, 4);
	if (version == KTLS_TLS13)
		memcpy(iv, dir->iv + 4, 8);
	else
		put_seq(iv, dir->seq);
}

/* Returns how many bytes of @c setsockopt() takes. */
static socklen_t fill(union crypto *c, const struct ktls_keys *keys,
		      const struct ktls_dir *dir)
{
	memset(c, 0, sizeof(*c));
	c->info.version = keys->version;
	switch (keys->cipher) {
	case KTLS_AES_128_GCM:
		c->info.cipher_type = TLS_CIPHER_AES_GCM_128;
		memcpy(c->gcm128.key, dir->key, sizeof(c->gcm128.key));
		put_gcm_iv(c->gcm128.salt, c->gcm128.iv, keys->version, dir);
		put_seq(c->gcm128.rec_seq, dir->seq);
		return sizeof(c->gcm128);
	case KTLS_AES_256_GCM:
		c->info.cipher_type = TLS_CIPHER_AES_GCM_256;
		memcpy(c->gcm256.key, dir->key, sizeof(c->gcm256.key));
		put_gcm_iv(c->gcm256.salt, c->gcm256.iv, keys->version, dir);
		put_seq(c->gcm256.rec_seq, dir->seq);
		return sizeof(c->gcm256);
	default:
		c->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memcpy(c->chacha.key, dir->key, sizeof(c->chacha.key));
		memcpy(c->chacha.iv, dir->iv, sizeof(c->chacha.iv));
		put_seq(c->chacha.rec_seq, dir->seq);
		return sizeof(c->chacha);
	}
}

static int install_dir(int fd, int option, const struct ktls_keys *keys,
		       const struct ktls_dir *dir)
{
	__attribute__((cleanup(wipe))) union crypto c;
	const socklen_t len = fill(&c, keys, dir);

	return setsockopt(fd, SOL_TLS, option, &c, len) ? -errno : 0;
}

int ktls_attach(int fd)
{
	return setsockopt(fd, SOL_TCP, TCP_ULP, "tls", sizeof("tls")) ? -errno :
									0;
}

int ktls_install(int fd, const struct ktls_keys *keys)
{
	int rc;

	/* First, while a kernel that cannot do it still costs nothing. */
	if (keys->max_payload &&
	    setsockopt(fd, SOL_TLS, TLS_TX_MAX_PAYLOAD_LEN, &keys->max_payload,
		       sizeof(keys->max_payload)))
		return errno == ENOPROTOOPT ? -EOPNOTSUPP : -errno;

	rc = install_dir(fd, TLS_TX, keys, &keys->tx);
	if (rc)
		return rc == -EINVAL ? -ENOENT : rc;
	/* No way back from here: -ENOENT would promise one. */
	rc = install_dir(fd, TLS_RX, keys, &keys->rx);
	return rc == -ENOENT || rc == -EOPNOTSUPP ? -EIO : rc;
}

int ktls_install_tx(int fd, const struct ktls_keys *keys)
{
	return install_dir(fd, TLS_TX, keys, &keys->tx);
}

int ktls_install_rx(int fd, const struct ktls_keys *keys)
{
	return install_dir(fd, TLS_RX, keys, &keys->rx);
}

int ktls_expect_no_pad(int fd)
{
	const int on = 1;

	return setsockopt(fd, SOL_TLS, TLS_RX_EXPECT_NO_PAD, &on, sizeof(on)) ?
		       -errno :
		       0;
}

int ktls_installed(int fd, uint16_t *version, enum ktls_cipher *cipher)
{
	/* With room for no more than this the kernel gives no key. */
	struct tls_crypto_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_TLS, TLS_TX, &info, &len))
		return -errno;
	*version = info.version;
	switch (info.cipher_type) {
	case TLS_CIPHER_AES_GCM_128:
		*cipher = KTLS_AES_128_GCM;
		return 0;
	case TLS_CIPHER_AES_GCM_256:
		*cipher = KTLS_AES_256_GCM;
		return 0;
	case TLS_CIPHER_CHACHA20_POLY1305:
		*cipher = KTLS_CHACHA20_POLY1305;
		return 0;
	default:
		return -EPROTO;
	}
}

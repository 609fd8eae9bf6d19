// SPDX-License-Identifier: MIT
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "describe.h"
#include "tool.h"

static void address(const struct sockaddr_storage *ss, char *text, size_t size)
{
	const struct sockaddr_in6 *in6 = (const void *)ss;
	const struct sockaddr_in *in = (const void *)ss;
	char host[INET6_ADDRSTRLEN] = "-";

	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%d", host, ntohs(in->sin_port));
	} else if (ss->ss_family == AF_UNSPEC) {
		snprintf(text, size, "-");
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%d", host, ntohs(in6->sin6_port));
	}
}

#define BYTES(b) (int)(b).len, (b).len ? (const char *)(b).data : ""

/* @text has room for the longest. */
static const char *hex(struct ktls_bytes bytes, char *text)
{
	for (size_t i = 0; i < bytes.len; i++)
		sprintf(text + 2 * i, "%02x", bytes.data[i]);
	text[2 * bytes.len] = '\0';
	return text;
}

/*
 * The client's certificate: "client=1", names with a comma behind each, its
 * SHA-256, and that of the whole, where it was told.
 */
static void describe_client(char *text, size_t size, const struct ktls_info *i)
{
	char told[SHA_HEX], ours[SHA_HEX] = "", sans[1024];
	size_t n = i->client_sans.len < sizeof(sans) ? i->client_sans.len :
						       sizeof(sans) - 1;
	EVP_MD_CTX *sha;

	for (size_t k = 0; k < n; k++)
		sans[k] = i->client_sans.data[k] ? i->client_sans.data[k] : ',';
	sans[n] = '\0';
	if (i->client_cert.len) {
		sha = sha_new();
		EVP_DigestUpdate(sha, i->client_cert.data, i->client_cert.len);
		sha_hex(sha, ours);
	}
	snprintf(text, size,
		 " client=%d client_cn=%.*s client_subject=%.*s client_sans=%s "
		 "client_sha256=%s client_cert_sha256=%s", i->client_verified,
		 BYTES(i->client_cn), BYTES(i->client_subject), sans,
		 hex(i->client_sha256, told), ours);
}

static int tcp_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	getsockopt(fd, IPPROTO_TCP, name, &value, &len);
	return value;
}

/*
 * The socket itself: its ULP's name, which a plain one has not, and nodelay,
 * keepalive (seconds; 0: off) and user_timeout (ms).
 */
static void describe_socket(char *text, size_t size, int fd)
{
	char ulp[16] = "";
	int keeps = 0;
	socklen_t ulp_len = sizeof(ulp) - 1, len = sizeof(keeps);

	if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, ulp, &ulp_len))
		ulp[0] = '\0';
	getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &keeps, &len);
	snprintf(text, size, " ulp=%s tcp=%d,%d,%d", ulp,
		 tcp_option(fd, TCP_NODELAY),
		 keeps ? tcp_option(fd, TCP_KEEPIDLE) : 0,
		 tcp_option(fd, TCP_USER_TIMEOUT));
}

void describe(const struct ktls_info *i, int fd, char *text, size_t size)
{
	static const char *const modes[] = {
		[KTLS_RELAY] = "relay",
		[KTLS_KERNEL] = "ktls",
		[KTLS_PLAIN] = "plain",
	};
	char peer[64], local[64], exporter[65], end_point[129];
	struct timespec ts;
	long long age_us;
	int len;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	age_us = (ts.tv_sec * 1000000000LL + ts.tv_nsec -
		  (long long)i->handoff_ns) /
		 1000;
	address(&i->peer, peer, sizeof(peer));
	address(&i->local, local, sizeof(local));
	len = snprintf(text, size,
		       "mode=%s peer=%s local=%s alpn=%.*s server_name=%.*s "
		       "version=%.*s cipher=%.*s group=%.*s key_alg=%.*s "
		       "cert_sig_alg=%.*s sig_scheme=%.*s resumed=%d "
		       "age_us=%lld exporter=%s end_point=%s ja4=%.*s",
		       modes[i->mode], peer, local,
		       BYTES(i->alpn), BYTES(i->server_name), BYTES(i->version),
		       BYTES(i->cipher), BYTES(i->group), BYTES(i->key_alg),
		       BYTES(i->cert_sig_alg), BYTES(i->sig_scheme), i->resumed,
		       age_us, hex(i->exporter, exporter),
		       hex(i->end_point, end_point), BYTES(i->ja4));
	describe_client(text + len, size - len, i);
	len = strlen(text);
	describe_socket(text + len, size - len, fd);
}

// SPDX-License-Identifier: MIT
#include "peers.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

/*
 * All have one process or thread that serves, both versions of TLS, tickets as
 * OpenSSL sends them, no session cache, no log of what goes well, and an hour for
 * what takes long.
 */

/* Whose the workers are matters to root only; it can read our certificates. */
static const char *if_root(const char *line)
{
	return geteuid() ? "" : line;
}

static char *ktlsd_config(const struct place *at)
{
	return text("workers: 1\n"
		    "%s"
		    "ktls: %s\n"
		    "control: %s/control.sock\n"
		    "state_dir: %s\n"
		    "handshake_timeout: 1h\n"
		    "drain_timeout: 1h\n"
		    "certificates:\n"
		    "  - chain: %s\n"
		    "    key: %s\n"
		    "    staple: off\n"
		    "listeners:\n"
		    "  - bind: 127.0.0.1:%d\n"
		    "    route: bench\n"
		    "    tickets: 2\n"
		    "routes:\n"
		    "  - name: bench\n"
		    "    handoff: %s/handoff.sock\n"
		    "    hold_timeout: 1h\n",
		    if_root("user: nobody\nstapler_user: nobody\n"), at->ktls,
		    at->dir, at->dir, at->cert, at->key, at->port, at->dir);
}

static char *nginx_config(const struct place *at)
{
	return text("%s"
		    "daemon off;\n"
		    "worker_processes 1;\n"
		    "pid %s/nginx.pid;\n"
		    "error_log stderr;\n"
		    "events { worker_connections %u; }\n"
		    "http {\n"
		    "	access_log off;\n"
		    "	keepalive_timeout 0;\n"
		    "	client_header_timeout 3600s;\n"
		    "	client_body_temp_path %s/body;\n"
		    "	proxy_temp_path %s/proxy;\n"
		    "	fastcgi_temp_path %s/fastcgi;\n"
		    "	uwsgi_temp_path %s/uwsgi;\n"
		    "	scgi_temp_path %s/scgi;\n"
		    "	server {\n"
		    "		listen 127.0.0.1:%d ssl backlog=4096;\n"
		    "		ssl_certificate %s;\n"
		    "		ssl_certificate_key %s;\n"
		    "		ssl_protocols TLSv1.2 TLSv1.3;\n"
		    "%s"
		    "		root %s;\n"
		    "		sendfile on;\n"
		    "		client_max_body_size 0;\n"
		    "		location /put {\n"
		    "			proxy_pass http://127.0.0.1:%d;\n"
		    "			proxy_request_buffering off;\n"
		    "			proxy_http_version 1.1;\n"
		    "		}\n"
		    "	}\n"
		    "}\n",
		    if_root("user root;\n"), at->dir, at->connections, at->dir,
		    at->dir, at->dir, at->dir, at->dir, at->port, at->cert,
		    at->key,
		    strcmp(at->ktls, "on") ? "" :
		    "		ssl_conf_command Options KTLS;\n",
		    at->files, at->behind_port);
}

static char *haproxy_config(const struct place *at)
{
	return text("global\n"
		    "	nbthread 1\n"
		    "	maxconn %u\n"
		    "	stats socket %s/stats level admin "
		    "expose-fd listeners\n"
		    "	tune.ssl.default-dh-param 2048\n"
		    "defaults\n"
		    "	mode http\n"
		    "	timeout connect 60s\n"
		    "	timeout client 3600s\n"
		    "	timeout server 3600s\n"
		    "frontend bench\n"
		    "	bind 127.0.0.1:%d ssl crt %s backlog 4096 "
		    "ssl-min-ver TLSv1.2\n"
		    "	default_backend behind\n"
		    "backend behind\n"
		    "	server one 127.0.0.1:%d\n",
		    at->connections, at->dir, at->port, at->both,
		    at->behind_port);
}

static char *hitch_config(const struct place *at)
{
	return text("frontend = \"[127.0.0.1]:%d\"\n"
		    "backend = \"[127.0.0.1]:%d\"\n"
		    "pem-file = \"%s\"\n"
		    "tls-protos = TLSv1.2 TLSv1.3\n"
		    "workers = 1\n"
		    "backlog = 4096\n"
		    "daemon = off\n"
		    "quiet = on\n"
		    "ocsp-dir = \"\"\n"
		    "%s",
		    at->port, at->behind_port, at->both,
		    if_root("user = \"root\"\n"));
}

static char *stunnel_config(const struct place *at)
{
	return text("foreground = yes\n"
		    "pid =\n"
		    "debug = err\n"
		    "syslog = no\n"
		    "[bench]\n"
		    "accept = 127.0.0.1:%d\n"
		    "connect = 127.0.0.1:%d\n"
		    "cert = %s\n"
		    "key = %s\n"
		    "sslVersionMin = TLSv1.2\n",
		    at->port, at->behind_port, at->cert, at->key);
}

static char *h2o_config(const struct place *at)
{
	return text("%s"
		    "num-threads: 1\n"
		    "http1-request-timeout: 3600\n"
		    "max-connections: %u\n"
		    "error-log: /dev/stderr\n"
		    "ssl-session-resumption:\n"
		    "  mode: ticket\n"
		    "listen:\n"
		    "  host: 127.0.0.1\n"
		    "  port: %d\n"
		    "  ssl:\n"
		    "    certificate-file: %s\n"
		    "    key-file: %s\n"
		    "    minimum-version: TLSv1.2\n"
		    "    ocsp-update-interval: 0\n"
		    "    neverbleed: OFF\n"
		    "hosts:\n"
		    "  default:\n"
		    "    paths:\n"
		    "      /:\n"
		    "        file.dir: %s\n",
		    if_root("user: root\n"), at->connections, at->port, at->cert,
		    at->key, at->files);
}

const struct peer peers[] = {
	{"ktlsd", "ktlsd", {"-c", "@"}, ktlsd_config, ".conf", BEHIND_QUEUE,
	 SIGHUP},
	{"nginx", "nginx", {"-c", "@"}, nginx_config, ".conf", BEHIND_ASKED,
	 SIGHUP},
	{"haproxy", "haproxy", {"-W", "-f", "@"}, haproxy_config, ".cfg",
	 BEHIND_ASKED, SIGUSR2},
	{"hitch", "hitch", {"--config=@"}, hitch_config, ".conf", BEHIND_PORT,
	 SIGHUP},
	{"stunnel", "stunnel", {"@"}, stunnel_config, ".conf", BEHIND_PORT,
	 SIGHUP},
	{"h2o", "h2o", {"-m", "master", "-c", "@"}, h2o_config, ".yaml",
	 BEHIND_NOTHING, SIGHUP},
};
const size_t n_peers = sizeof(peers) / sizeof(peers[0]);

const struct peer *peer_named(const char *name)
{
	size_t i;

	for (i = 0; i < n_peers; i++)
		if (!strcmp(peers[i].name, name))
			return &peers[i];
	return NULL;
}

static char *find_in(const char *folder, size_t len, const char *program)
{
	char *path = text("%.*s/%s", (int)len, folder, program);

	if (!access(path, X_OK))
		return path;
	free(path);
	return NULL;
}

/* Beside us, as when it was built, or where `make install` puts it. */
static char *find_beside(const char *program)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *path;

	if (n < 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	path = find_in(self, slash - self, program);
	if (path)
		return path;
	snprintf(slash, sizeof(self) - (slash - self), "/../sbin");
	return find_in(self, strlen(self), program);
}

char *peer_find(const struct peer *peer)
{
	const char *servers = "/usr/local/sbin:/usr/sbin:/usr/local/bin:"
			      "/usr/bin";
	const char *given = getenv("PATH");
	char *path = NULL, *all, *at;

	if (!strcmp(peer->name, "ktlsd"))
		path = find_beside(peer->program);
	all = text("%s:%s", given ? given : "", servers);
	for (at = all; !path && at; at = strchr(at, ':')) {
		at += *at == ':';
		path = find_in(at, strcspn(at, ":"), peer->program);
	}
	free(all);
	return path;
}

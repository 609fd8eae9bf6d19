#!/bin/bash
# SPDX-License-Identifier: MIT
# What a proxy tells servers of its clients, read by HAProxy and nginx.
. "${0%/*}/tools.sh"
host_only "the header to servers" || exit 0

ports=()
for ((i = 0; i < 4; i++)); do
	ports+=("$(free_port)")
done
listens() { # PORT
	grep -qi ":$(printf %04X "$1") 0*:0000 0A" /proc/net/tcp
}
names=(haproxy-v1 haproxy-v2 nginx-v1 nginx-v2 none)
versions=(v1 v2 v1 v2 false)
for ((i = 0; i < 5; i++)); do
	at=127.0.0.1:${ports[i]:-${ports[0]}}
	[ $i != 1 ] || at=unix:$DIR/haproxy.sock
	printf '%s\n' "  - name: ${names[i]}" "    proxy: $at" \
		"    proxy_protocol: ${versions[i]}" >>"$DIR/routes"
	printf '%s\n' '  - bind: "[::]:0"' "    route: ${names[i]}" \
		'    alpn: [http/1.1]' >>"$DIR/listeners"
done
up handoff="$DIR/web.sock" listeners="$DIR/listeners" routes="$DIR/routes" \
	workers=1

# ask ROUTE - as 127.0.0.9
ask() {
	local port
	port=$(port_of "$1")
	curl -sS --max-time 20 --http1.1 --resolve "localhost:$port:127.0.0.1" \
		--interface 127.0.0.9 --cacert "$PKI/ca.pem" \
		"https://localhost:$port/" 2>&1
}

if command -v haproxy >/dev/null; then
	cat >"$DIR/haproxy.cfg" <<-END
		defaults
			mode http
			timeout connect 5s
			timeout client 30s
			timeout server 30s
		frontend web
			bind 127.0.0.1:${ports[0]} accept-proxy
			bind unix@$DIR/haproxy.sock mode 666 accept-proxy
			http-request return status 200 content-type text/plain lf-string "src=%[src] dst=%[dst]:%[dst_port] name=%[fc_pp_authority] id=%[fc_pp_unique_id,hex]"
	END
	spawn haproxy haproxy -db -f "$DIR/haproxy.cfg"
	wait_for 20 listens "${ports[0]}" ||
		bail "HAProxy did not start" "$(<"$DIR/haproxy.log")"
	matches "HAProxy, version 1: the client's address" "$(ask haproxy-v1)" \
		"^src=127\.0\.0\.9 dst=127\.0\.0\.1:$(port_of haproxy-v1) "
	matches "HAProxy, version 2, over a Unix socket: the name, too" \
		"$(ask haproxy-v2)" \
		"^src=127\.0\.0\.9 dst=127\.0\.0\.1:[0-9]+ name=localhost id=[0-9A-F]{32}$"
	matches "without the header it is refused by who wants one" \
		"$(ask none)" '^curl: '
else
	skip "HAProxy is told who the client is" "haproxy is not installed"
fi

if command -v nginx >/dev/null; then
	cat >"$DIR/nginx.conf" <<-END
		daemon off;
		pid $DIR/nginx.pid;
		error_log stderr;
		events {}
		http {
			access_log off;
			client_body_temp_path $DIR/body;
			proxy_temp_path $DIR/proxy;
			fastcgi_temp_path $DIR/fastcgi;
			uwsgi_temp_path $DIR/uwsgi;
			scgi_temp_path $DIR/scgi;
			server {
				listen 127.0.0.1:${ports[2]} proxy_protocol;
				listen 127.0.0.1:${ports[3]} proxy_protocol;
				return 200 "src=\$proxy_protocol_addr dst=\$proxy_protocol_server_port";
			}
		}
	END
	spawn nginx nginx -p "$DIR" -c "$DIR/nginx.conf"
	wait_for 20 listens "${ports[2]}" ||
		bail "nginx did not start" "$(<"$DIR/nginx.log")"
	for version in v1 v2; do
		is "nginx, $version: the client's address" \
			"$(ask nginx-$version)" \
			"src=127.0.0.9 dst=$(port_of nginx-$version)"
	done
else
	skip "nginx is told who the client is" "nginx is not installed"
fi
stop_ktlsd

#!/bin/bash
# SPDX-License-Identifier: MIT
# What it costs to take a connection to a server in the clear: ours in kTLS,
# beside HAProxy's and nginx's stream proxy, in instructions for each MiB, of all
# processes of the front, by the clock of a guest that counts them. User space's
# part is by the clock's ticks, so to some percent.
. "${0%/*}/lib.sh"
KVER=${KVER:-6.12}
MIB=${MIB:-16}
NGINX_MODULES=${NGINX_MODULES:-/usr/lib/nginx/modules}

# ---- on the host ---------------------------------------------------------------

if [ -z "${INSIDE:-}" ]; then
	tests/guest/fetch "$KVER" >&2 || bail "no kernel"
	say "in a guest with Linux $KVER, $MIB MiB each way, of ours four times as many"
	tests/guest/boot -i -t 380 "$KVER" env INSIDE=1 MIB="$MIB" ROWS= \
		KTLSD_GUEST="$KVER" bash "$0" >"$DIR/out.log" 2>&1 ||
		bail "the guest ended" "$(tail -n 20 "$DIR/out.log")"
	while read -r word front way all user; do
		[ "$word" = found ] || continue
		row "$front, $way: 1000 instructions per MiB, user space's" \
			"$all, $user" ''
		[ "$front" != ktlsd ] || row "its part in user space, $way" \
			"$((user * 100 / (all ? all : 1))) %" "under 5 %" \
			$((user * 100 / (all ? all : 1))) -lt 5
	done <"$DIR/out.log"
	grep -q '^found' "$DIR/out.log" || bail "nothing was found" \
		"$(tail -n 20 "$DIR/out.log")"
	exit 0
fi

# ---- in the guest ---------------------------------------------------------------

server_at=127.0.0.1:$(free_port)
spawn backend "$TOOLS/backend" "$server_at"
wait_for 60 holds "$DIR/backend.log" '^event=serving' || bail "no server"
cat "$PKI/ec-chain.pem" "$PKI/ec.key" >"$DIR/both.pem"
listens() { # PORT
	grep -qi ":$(printf %04X "$1") 0*:0000 0A" /proc/net/tcp
}

# used PID... - sets ALL, instructions so far in 1000, and of the clock's ticks
# USER and TICKS
used() {
	local pid ns stat fields
	ALL=0 USER=0 TICKS=0
	for pid; do
		read -r ns _ <"/proc/$pid/schedstat"
		read -r stat <"/proc/$pid/stat"
		read -ra fields <<<"${stat##*) }"
		ALL=$((ALL + ns / 1000))
		USER=$((USER + fields[11]))
		TICKS=$((TICKS + fields[11] + fields[12]))
	done
}
measure() { # FRONT MIB PORT PID...
	local front=$1 mib=$2 port=$3 way line all user ticks
	shift 3
	for way in get put; do
		used "$@"
		all=$ALL user=$USER ticks=$TICKS
		line=$("$TOOLS/client" --ca "$PKI/ca.pem" --version 1.3 --cipher \
			TLS_AES_128_GCM_SHA256 --timeout 300000 \
			--$way "${mib}M" "127.0.0.1:$port")
		[[ $line == *result=ok* ]] || echo "$front: $line"
		used "$@"
		all=$(((ALL - all) / mib)) ticks=$((TICKS - ticks))
		echo "found $front $way $all" \
			"$((all * (USER - user) / (ticks ? ticks : 1)))"
	done
}

config workers=1 proxy="$server_at" tickets=0 >"$DIR/ktlsd.conf"
start_ktlsd "$DIR/ktlsd.conf" || bail "no ktlsd" "$(<"$KTLSD_LOG")"
measure ktlsd $((4 * MIB)) "$(port_of web)" $(worker_pids) $(proxy_pids)
stop_ktlsd

port=$(free_port)
cat >"$DIR/haproxy.cfg" <<END
global
	nbthread 1
	tune.ssl.default-dh-param 2048
defaults
	mode tcp
	timeout connect 60s
	timeout client 300s
	timeout server 300s
	option splice-auto
listen web
	bind 127.0.0.1:$port ssl crt $DIR/both.pem
	server one $server_at
END
spawn haproxy haproxy -db -f "$DIR/haproxy.cfg"
haproxy=$SPAWNED
wait_for 60 listens "$port" || bail "no HAProxy" "$(<"$DIR/haproxy.log")"
measure HAProxy "$MIB" "$port" "$haproxy" $(descendants "$haproxy")
stop "$haproxy"

port=$(free_port)
cat >"$DIR/nginx.conf" <<END
load_module $NGINX_MODULES/ngx_stream_module.so;
daemon off;
worker_processes 1;
pid $DIR/nginx.pid;
error_log stderr;
events {}
stream {
	server {
		listen 127.0.0.1:$port ssl;
		ssl_certificate $PKI/ec-chain.pem;
		ssl_certificate_key $PKI/ec.key;
		ssl_protocols TLSv1.2 TLSv1.3;
		proxy_pass $server_at;
	}
}
END
spawn nginx nginx -p "$DIR" -c "$DIR/nginx.conf"
nginx=$SPAWNED
wait_for 60 listens "$port" || bail "no nginx" "$(<"$DIR/nginx.log")"
measure nginx "$MIB" "$port" $(descendants "$nginx")
stop "$nginx"

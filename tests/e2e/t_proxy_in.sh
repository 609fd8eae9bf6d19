#!/bin/bash
# SPDX-License-Identifier: MIT
# Load balancers before us: HAProxy, nginx, curl as one, and nonsense by hand.
. "${0%/*}/tools.sh"
host_only "load balancers before us" || exit 0
NGINX_MODULES=${NGINX_MODULES:-/usr/lib/nginx/modules}

# hello HEADER - a PROXY header as printf(1) writes it, then a request by TLS, in
# pieces of $PIECE bytes where that is set; the response's body, or the error
hello() {
	python3 - "$PORT" "$PKI/ca.pem" "$(printf "$1" | od -An -v -tx1)" \
		"${PIECE:-0}" <<-'END' 2>&1
		import socket, ssl, sys, time
		port, ca, header, piece = sys.argv[1:]
		header, piece = bytes.fromhex(header), int(piece)
		s = socket.create_connection(("127.0.0.1", int(port)), 20)
		s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		for i in range(0, len(header) if piece else 0, piece or 1):
		    s.sendall(header[i:i + piece])
		    time.sleep(0.005)
		tls, out = ssl.MemoryBIO(), ssl.MemoryBIO()
		context = ssl.create_default_context(cafile=ca)
		c = context.wrap_bio(tls, out, server_hostname="localhost")
		pending = b"" if piece else header
		def run(step):
		    global pending
		    while True:
		        try:
		            result = step()
		        except ssl.SSLWantReadError:
		            result = None
		        # The header and the ClientHello in one segment.
		        pending += out.read()
		        if pending:
		            s.sendall(pending)
		            pending = b""
		        if result is not None:
		            return result
		        data = s.recv(16384)
		        if not data:
		            raise SystemExit("closed")
		        tls.write(data)
		try:
		    run(lambda: c.do_handshake() or True)
		    run(lambda: c.write(b"GET /info HTTP/1.1\r\nHost: x\r\n\r\n"))
		    print(run(lambda: c.read(4096)).decode().split("\r\n\r\n")[1])
		except OSError as e:
		    print("closed:", e)
	END
}
# v2 VERSION-AND-COMMAND FAMILY LENGTH-HIGH LENGTH-LOW - for printf
v2() {
	printf %s '\r\n\r\n\0\r\nQUIT\n\x'"$1"'\x'"$2"'\x'"$3"'\x'"$4"
}
four='\xc0\x00\x02\x07\xc6\x33\x64\x02\x9c\x40\x01\xbb'
six='\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01'
six+='\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\x9c\x40\x01\xbb'
told4='peer=192\.0\.2\.7:40000 local=198\.51\.100\.2:443 '
told6='peer=\[2001:db8::1\]:40000 local=\[2001:db8::2\]:443 '
own='peer=127\.0\.0\.1:[0-9]+ local=127\.0\.0\.1:'
refused() { # REASON
	metric "ktlsd_refused_total{reason=\"$1\"}"
}

cat >"$DIR/local" <<END
  - bind: "unix:$DIR/tls.sock"
    route: web
    accept_proxy: {from: ["127.0.0.0/8"]}
END
up listener='accept_proxy: {from: ["127.0.0.1/32", "::1/128"], timeout: 1s}' \
	listeners="$DIR/local"
consume

# ---- by hand -----------------------------------------------------------------

for PIECE in 0 1 7; do
	how=$([ $PIECE = 0 ] && echo "with the ClientHello" ||
		echo "$PIECE bytes at a time")
	matches "version 1, $how" \
		"$(hello 'PROXY TCP4 192.0.2.7 198.51.100.2 40000 443\r\n')" \
		"$told4"
	matches "version 1, IPv6, $how" \
		"$(hello 'PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n')" \
		"$told6"
	matches "version 2, $how" "$(hello "$(v2 21 11 00 0c)$four")" "$told4"
	matches "version 2, IPv6, $how" "$(hello "$(v2 21 21 00 24)$six")" \
		"$told6"
done
PIECE=0
matches "TLVs are passed over" \
	"$(hello "$(v2 21 11 00 13)$four"'\x04\0\x04abcd')" "$told4"
matches "LOCAL: the connection's own addresses" \
	"$(hello "$(v2 20 00 00 00)")" "$own"
matches "UNKNOWN: likewise" "$(hello 'PROXY UNKNOWN a b\r\n')" "$own"
is "none of them was refused" "$(metric ktlsd_refused_total)" 0
n=0
for header in '' 'PROXY TCP4 192.0.2.7\r\n' 'PROXY TCP9 1 2 3 4\r\n' \
	'GET / HTTP/1.1\r\n\r\n' "$(v2 31 11 00 0c)$four" \
	"$(v2 21 11 00 04)abcd" "$(v2 21 11 ff ff)"; do
	n=$((n + 1))
	matches "nonsense $n is closed" "$(hello "$header")" '^closed'
done
is "all of it is counted" "$(refused proxy_header)" $n
line=$(raw silence)
matches "silence is closed, too" "$line" 'bytes=0'
between "at its time" "$(field ms <<<"$line")" 900 20000
is "which is counted" "$(refused proxy_timeout)" 1
raw probe >/dev/null
wait_for 20 metric_is 'ktlsd_handshakes_failed_total{reason="probe"}' 1
is "a health check that says nothing is a probe" \
	"$(metric 'ktlsd_handshakes_failed_total{reason="probe"}')" 1

# ---- curl as a load balancer ---------------------------------------------------

matches "curl --haproxy-protocol" "$(curl -sS --max-time 30 --haproxy-protocol \
	--resolve "localhost:$PORT:127.0.0.1" --cacert "$PKI/ca.pem" \
	"https://localhost:$PORT/info" 2>&1)" "$own$PORT "

# ---- HAProxy -------------------------------------------------------------------

# through PORT - a request by way of a load balancer there
through() {
	curl -sS --max-time 30 --resolve "localhost:$1:127.0.0.1" \
		--interface 127.0.0.9 --cacert "$PKI/ca.pem" \
		"https://localhost:$1/info" 2>&1
}
# many PORT - 200 of them
many() {
	"$TOOLS/swarm" -n 200 -j 16 "127.0.0.1:$1"
}
listens() { # PORT
	grep -qi ":$(printf %04X "$1") 0*:0000 0A" /proc/net/tcp
}
if command -v haproxy >/dev/null; then
	kinds=(v1 v2 unix-v1 unix-v2)
	ports=()
	for ((i = 0; i < 4; i++)); do
		ports+=("$(free_port)")
	done
	cat >"$DIR/haproxy.cfg" <<-END
		defaults
			mode tcp
			timeout connect 5s
			timeout client 30s
			timeout server 30s
		listen v1
			bind 127.0.0.1:${ports[0]}
			server ktlsd 127.0.0.1:$PORT send-proxy
		listen v2
			bind 127.0.0.1:${ports[1]}
			server ktlsd 127.0.0.1:$PORT send-proxy-v2
		listen local-v1
			bind 127.0.0.1:${ports[2]}
			server ktlsd unix@$DIR/tls.sock send-proxy
		listen local-v2
			bind 127.0.0.1:${ports[3]}
			server ktlsd unix@$DIR/tls.sock send-proxy-v2 proxy-v2-options unique-id,crc32c
	END
	spawn haproxy haproxy -db -f "$DIR/haproxy.cfg"
	for ((i = 0; i < 4; i++)); do
		wait_for 20 listens "${ports[i]}"
		matches "HAProxy, ${kinds[i]}: its client's address" \
			"$(through "${ports[i]}")" \
			"peer=127\.0\.0\.9:[0-9]+ local=127\.0\.0\.1:${ports[i]} "
		matches "and 200 more" "$(many "${ports[i]}")" \
			'^ok=200 failed=0 lost=0 '
	done
	between "over the Unix socket they are relayed, which is counted" \
		"$(metric 'ktlsd_relayed_total{reason="unix"}')" 402 402
else
	skip "HAProxy before us" "haproxy is not installed"
fi

# ---- nginx ---------------------------------------------------------------------

if [ -e "$NGINX_MODULES/ngx_stream_module.so" ]; then
	port=$(free_port)
	cat >"$DIR/nginx.conf" <<-END
		load_module $NGINX_MODULES/ngx_stream_module.so;
		daemon off;
		pid $DIR/nginx.pid;
		error_log stderr;
		events {}
		stream {
			server {
				listen 127.0.0.1:$port;
				proxy_pass 127.0.0.1:$PORT;
				proxy_protocol on;
			}
		}
	END
	spawn nginx nginx -p "$DIR" -c "$DIR/nginx.conf"
	wait_for 20 listens "$port"
	matches "nginx: its client's address" "$(through "$port")" \
		"peer=127\.0\.0\.9:[0-9]+ local=127\.0\.0\.1:$port "
	matches "and 200 more" "$(many "$port")" '^ok=200 failed=0 lost=0 '
else
	skip "nginx before us" "nginx has no stream module here"
fi

# ---- others --------------------------------------------------------------------

# direct [FROM] - a request without a header
direct() {
	curl -sS --max-time 30 --resolve "localhost:$PORT:127.0.0.1" \
		--interface "${1:-127.0.0.9}" --cacert "$PKI/ca.pem" \
		"https://localhost:$PORT/info" 2>&1
}
matches "others are clients themselves" "$(direct)" 'peer=127\.0\.0\.9:'
check_fails "and no header is believed from them" curl -sS --max-time 30 \
	--haproxy-protocol --resolve "localhost:$PORT:127.0.0.1" \
	--interface 127.0.0.9 --cacert "$PKI/ca.pem" \
	"https://localhost:$PORT/info"
stop "$CONSUMER"
stop_ktlsd
up workers=1 listener='accept_proxy: {from: ["127.0.0.1"], others: refuse}' \
	top='limits: {handshakes_per_client: 5}'
consume
before=$(metric ktlsd_refused_total)
check_fails "or are refused where they have no business" direct
is "which is counted" \
	"$before $(refused no_proxy) $(metric ktlsd_refused_total)" "0 1 1"

# ---- limits --------------------------------------------------------------------

# Clients behind a load balancer have limits of their own.
stall_behind() { # SOURCE N
	local i fd
	for ((i = 0; i < $2; i++)); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
		stalled+=("$fd")
		printf 'PROXY TCP4 %s 198.51.100.2 40000 443\r\n\x16' "$1" >&$fd
	done
}
stalled=()
stall_behind 192.0.2.7 8
wait_for 20 metric_is 'ktlsd_refused_total{reason="client_limit"}' 3
is "a client behind a load balancer has its limit" \
	"$(refused client_limit)" 3
matches "it gets no more" \
	"$(hello 'PROXY TCP4 192.0.2.7 198.51.100.2 40000 443\r\n')" '^closed'
matches "others behind the same one do" \
	"$(hello 'PROXY TCP4 192.0.2.8 198.51.100.2 40000 443\r\n')" \
	'peer=192\.0\.2\.8:40000 '
for fd in "${stalled[@]}"; do
	exec {fd}>&-
done

#!/bin/bash
# SPDX-License-Identifier: MIT
# Where ktlsd listens, and what connections get from there.
. "${0%/*}/tools.sh"
host_only "kinds of listeners" || exit 0

# fetch OPTION... - one request by curl, what the consumer was told
fetch() {
	curl -sS --max-time 30 --cacert "$PKI/ca.pem" "$@" 2>&1
}
# over4 PORT, over6 PORT, local_to PATH
over4() {
	fetch -4 --resolve "localhost:$1:127.0.0.1" "https://localhost:$1/info"
}
over6() {
	fetch -6 --resolve "localhost:$1:[::1]" "https://localhost:$1/info"
}
local_to() {
	fetch --unix-socket "$1" https://localhost/info
}
ports_of_log() {
	local line
	PORTS=()
	while IFS= read -r line; do
		[[ ! $line =~ event=listening\ bind=.*:([0-9]+)\ route= ]] ||
			PORTS+=("${BASH_REMATCH[1]}")
	done <"$KTLSD_LOG"
}

shared=$(free_port)
cat >"$DIR/more" <<END
  - {bind: "[::1]:0", route: web}
  - {bind: "*:0", route: web}
  - {bind: "[::]:$shared", v6only: true, route: web}
  - {bind: "0.0.0.0:$shared", route: web}
  - {bind: "unix:$DIR/tls.sock", route: web}
  - {bind: "127.0.0.1:0", route: web, tcp: {keepalive: 40s, user_timeout: 7s}}
  - {bind: "127.0.0.1:0", route: web, tcp: {nodelay: false}}
  - {bind: "127.0.0.1:0", route: web, tcp: {defer_accept: 4s}}
END
up listeners="$DIR/more"
consume
ports_of_log
is "all listen" "${#PORTS[@]} $(grep -c event=listening "$KTLSD_LOG")" "8 9"
matches "the log names each kind" "$(<"$KTLSD_LOG")" \
	"event=listening bind=unix:$DIR/tls.sock route=web"
matches "and IPv6 in brackets" "$(<"$KTLSD_LOG")" \
	"event=listening bind=\[::\]:$shared route=web"

# ---- addresses ---------------------------------------------------------------

own4='peer=127\.0\.0\.1:[0-9]+ local=127\.0\.0\.1:'
own6='peer=\[::1\]:[0-9]+ local=\[::1\]:'
matches "IPv4" "$(over4 "${PORTS[0]}")" "$own4${PORTS[0]} "
matches "IPv6" "$(over6 "${PORTS[1]}")" "$own6${PORTS[1]} "
check_fails "IPv6 of one address only is not for IPv4" over4 "${PORTS[1]}"
matches "both at *: IPv4 as such" "$(over4 "${PORTS[2]}")" "$own4${PORTS[2]} "
matches "and IPv6" "$(over6 "${PORTS[2]}")" "$own6${PORTS[2]} "
matches "v6only leaves the port to another listener" "$(over4 "$shared")" \
	"$own4$shared "
matches "and has its own clients" "$(over6 "$shared")" "$own6$shared "
is "by ss they are two sockets" "$(ss -Htln "sport = :$shared" | wc -l)" 2

# ---- a Unix socket -------------------------------------------------------------

matches "a Unix socket: nobody has an address" "$(local_to "$DIR/tls.sock")" \
	'mode=relay peer=- local=- '
is "which is for its owner and group" "$(stat -c '%a %F' "$DIR/tls.sock")" \
	"660 socket"
is "it is relayed, and counted as that" \
	"$(metric 'ktlsd_relayed_total{reason="unix"}')" 1
out=$(fetch --unix-socket "$DIR/tls.sock" https://localhost/bytes/3000000 |
	wc -c)
is "3,000,000 bytes through it" "$out" 3000000
head -c 3000000 /dev/urandom >"$DIR/body"
is "and back" "$(fetch --unix-socket "$DIR/tls.sock" -H Expect: \
	-T "$DIR/body" https://localhost/sink)" \
	"$(sha256sum <"$DIR/body" | cut -d' ' -f1)"
# The same by TLS 1.2, whose Finished comes first from the client.
matches "by TLS 1.2, too" "$(fetch --tls-max 1.2 --unix-socket "$DIR/tls.sock" \
	https://localhost/info)" 'version=TLSv1.2 '

# ---- TCP -----------------------------------------------------------------------

# options PORT - nodelay, keepalive, idle, defer_accept and user_timeout of a
# listening socket, which a connection inherits, by way of master's descriptor
options() {
	python3 - "$KTLSD_PID" "$1" <<-'END' 2>&1
		import ctypes, os, socket, sys
		pid, port = int(sys.argv[1]), int(sys.argv[2])
		libc = ctypes.CDLL(None, use_errno=True)
		process = os.pidfd_open(pid)
		for name in os.listdir(f"/proc/{pid}/fd"):
		    if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket"):
		        continue
		    fd = libc.syscall(438, process, int(name), 0)
		    if fd < 0:
		        raise SystemExit("denied")
		    s = socket.socket(fileno=fd)
		    if s.family != socket.AF_INET or s.getsockname()[1] != port:
		        continue
		    tcp = socket.IPPROTO_TCP
		    print(s.getsockopt(tcp, socket.TCP_NODELAY),
		          s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
		          s.getsockopt(tcp, socket.TCP_KEEPIDLE),
		          s.getsockopt(tcp, socket.TCP_DEFER_ACCEPT),
		          s.getsockopt(tcp, socket.TCP_USER_TIMEOUT))
		    break
	END
}
default=$(options "${PORTS[0]}")
if [ "$default" = denied ]; then
	skip "TCP settings" "pidfd_getfd(2) is not allowed here"
else
	idle=$(</proc/sys/net/ipv4/tcp_keepalive_time)
	is "what is set where nothing is configured" "$default" "1 0 $idle 0 0"
	is "keepalive and user_timeout" "$(options "${PORTS[5]}")" \
		"1 1 40 0 7000"
	is "nodelay: false" "$(options "${PORTS[6]}")" "0 0 $idle 0 0"
	matches "defer_accept, as the kernel rounds it" \
		"$(options "${PORTS[7]}")" "^1 0 $idle [4-9] 0$"
fi

# Those of connections, from outside.
timer_of() { # PORT
	ss -Htno state established "sport = :$1"
}
PORT=${PORTS[5]}
held_swarm kept -n 1 -k
pid=$SPAWNED
paused_or_bail kept
matches "ss sees a connection's keepalive timer" "$(timer_of "$PORT")" \
	'timer:\(keepalive,(3[0-9]|40|2[0-9])'
release kept
ends kept "$pid" >/dev/null
PORT=${PORTS[0]}
held_swarm plain -n 1 -k
pid=$SPAWNED
paused_or_bail plain
is "and none where none is configured" \
	"$(timer_of "$PORT" | grep -c keepalive)" 0
release plain
ends plain "$pid" >/dev/null

before=$(metric ktlsd_connections_accepted_total)
exec {silent}<>"/dev/tcp/127.0.0.1/${PORTS[7]}"
nap 0.5
is "with defer_accept a silent client is not accepted" \
	"$(metric ktlsd_connections_accepted_total)" "$before"
PORT=${PORTS[7]}
matches "one that speaks is" "$(client --get 100)" 'result=ok '
exec {silent}>&-

# ---- the end, and a beginning ----------------------------------------------------

# A second one cannot have the path of a live one; a dead one's is taken over.
config listeners=<(echo "  - {bind: \"unix:$DIR/tls.sock\", route: web}") \
	handoff="$DIR/other.sock" state_dir="$DIR/other" |
	sed "s,control.sock,other-control.sock," >"$DIR/second.conf"
"$B/ktlsd" -c "$DIR/second.conf" >"$DIR/second.log" 2>&1
is "a path where somebody listens is not taken" \
	"$(grep -c "event=listen_failed.*bind=unix:$DIR/tls.sock" \
		"$DIR/second.log")" 1
stop "$CONSUMER"
kill_ktlsd
[ -S "$DIR/tls.sock" ]
is "a killed ktlsd leaves its socket's file" $? 0
up listeners="$DIR/more"
consume
matches "the next one takes its place" "$(local_to "$DIR/tls.sock")" mode=relay
stop_ktlsd
[ ! -e "$DIR/tls.sock" ]
is "one that stops removes it" $? 0

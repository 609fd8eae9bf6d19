#!/bin/bash
# SPDX-License-Identifier: MIT
# A proxy's servers: several, slow, dead, back again, others after a reload; and
# its own end, by kill, upgrade and stop.
. "${0%/*}/tools.sh"
host_only "a proxy's servers, and its end" || exit 0

declare -A AT PID
backend() { # NAME [-m MODE] - at AT[NAME]
	local name=$1
	shift
	AT[$name]=${AT[$name]:-127.0.0.1:$(free_port)}
	spawn "$name" "$TOOLS/backend" "$@" "${AT[$name]}"
	PID[$name]=$SPAWNED
	wait_for 10 holds "$DIR/$name.log" '^event=listening' ||
		bail "$name did not start" "$(<"$DIR/$name.log")"
}
kill_backend() {
	kill -KILL ${PID[$1]} $(descendants ${PID[$1]})
	wait ${PID[$1]} 2>/dev/null
}
ctl() {
	"$B/ktlsctl" -s "$DIR/control.sock" "$@"
}
up_is() { # BACKEND 0|1 - for wait_for
	metric_is "ktlsd_proxy_backend_up{route=\"web\",backend=\"$1\"}" "$2"
}
has() { # BACKEND - connections
	metric "ktlsd_proxy_connections{route=\"web\",backend=\"$1\"}"
}
gets() {
	client --get 100 "$@"
}
GOOD='result=ok .*end=close_notify'
# Written anew for each reload.
conf() { # SERVERS [KEY=VALUE...]
	config proxy="$1" bind="127.0.0.1:$PORT" workers=2 drain_timeout=6s \
		handshake_timeout=5s route='fail_timeout: 1s' \
		route='connect_timeout: 300ms' "${@:2}" >"$DIR/ktlsd.conf"
}

PORT=$(free_port)
backend a
backend b
conf "[${AT[a]}, ${AT[b]}]"
start_ktlsd "$DIR/ktlsd.conf" || bail "no ktlsd" "$(<"$KTLSD_LOG")"

# ---- least connections --------------------------------------------------------

held_swarm forty -n 40 -j 1 -k
forty=$SPAWNED
paused_or_bail forty
is "of 40 connections one server has 20" "$(has "${AT[a]}")" 20
is "and the other, too" "$(has "${AT[b]}")" 20
release forty
matches "all of them go on" "$(ends forty "$forty")" '^ok=40 failed=0 '

# ---- thousands that are idle ------------------------------------------------------

# kept PID... - bytes of their own
kept() {
	local pid key value sum=0
	for pid; do
		while read -r key value _; do
			[[ $key != Private_* ]] || sum=$((sum + value * 1024))
		done <"/proc/$pid/smaps_rollup"
	done
	echo $sum
}
many=${MANY:-2000}
before=$(kept $(proxy_pids))
held_swarm idle -n $many -k
idle=$SPAWNED
paused_or_bail idle
is "$many connections are open" "$(has "${AT[a]}")+$(has "${AT[b]}")" \
	$((many / 2))+$((many / 2))
each=$((($(kept $(proxy_pids)) - before) / many))
echo "# $each bytes of user space for each"
between "an idle one has less than 2 KiB of user space" $each 0 2047
before=$(cpu_ms $(proxy_pids))
nap 1
between "and costs no CPU" $(($(cpu_ms $(proxy_pids)) - before)) 0 20
release idle
matches "all of them go on" "$(ends idle "$idle" 60)" "^ok=$many failed=0 "

# ---- one that is dead ----------------------------------------------------------

kill_backend a
matches "while one is dead, all is served" "$(swarm -n 50 -j 4)" \
	'^ok=50 failed=0 lost=0 '
check "it is known to be down" up_is "${AT[a]}" 0
wait_for 5 holds "$KTLSD_LOG" 'event=backend_down'
count "$KTLSD_LOG" "event=backend_down route=web backend=\"${AT[a]}\""
is "which is logged once" $COUNT 1
kill_backend b
out=$("$TOOLS/halves" -c "$PKI/ca.pem" 10 "127.0.0.1:$PORT")
matches "without any the client is cut off" "$out" '^end=cut'
between "and counted" \
	"$(metric 'ktlsd_proxy_cut_total{route="web",reason="no_backend"}')" 1 1
backend b
matches "a server that is back is found while all are down" "$(gets)" "$GOOD"
backend a
nap 1.1
gets >/dev/null
gets >/dev/null
check "and another one in time" wait_for 10 up_is "${AT[a]}" 1
check "which is logged" holds "$KTLSD_LOG" \
	"event=backend_up route=web backend=\"${AT[a]}\""

# ---- one that does not answer ---------------------------------------------------

silent=$(free_port)
spawn silent python3 -c 'import socket, sys, time
s = socket.socket()
s.bind(("127.0.0.1", int(sys.argv[1])))
s.listen(0)
full = [socket.socket() for i in range(3)]
for f in full:
    f.setblocking(False)
    f.connect_ex(s.getsockname())
print("full", flush=True)
time.sleep(60)' "$silent"
wait_for 10 holds "$DIR/silent.log" full || bail "no silent server"
conf "[127.0.0.1:$silent, ${AT[b]}]"
check "other servers by a reload" ctl reload
for i in 1 2 3; do
	line=$(gets)
	matches "one that does not answer is passed over ($i)" "$line" "$GOOD"
done
check "and is down then" up_is "127.0.0.1:$silent" 0
kill ${PIDS[-1]}

# ---- those that stall ------------------------------------------------------------

backend stall -m stall
conf "${AT[b]}" routes=<(printf '%s\n' '  - name: stall' \
	"    proxy: ${AT[stall]}") \
	listeners=<(printf '%s\n' '  - bind: 127.0.0.1:0' '    route: stall')
check "one more route by a reload" ctl reload
held_client slow --get 64M --pause 100K
slow=$SPAWNED
paused_or_bail slow
stalled=$(port_of stall)
stuck=()
for i in 1 2 3; do
	spawn stuck-$i "$TOOLS/halves" -c "$PKI/ca.pem" 64M "127.0.0.1:$stalled"
	stuck+=($SPAWNED)
done
nap 1
before=$(cpu_ms $(proxy_pids))
nap 1
between "a client and a server that stall cost no CPU" \
	$(($(cpu_ms $(proxy_pids)) - before)) 0 30
kill "${stuck[@]}"

# ---- reload, and what it does not cut ----------------------------------------------

backend c
conf "${AT[c]}" drain_timeout=60s
check "other servers by a reload, while bytes flow" ctl reload
gets >/dev/null
count "$DIR/c.log" '^event=accept'
is "who comes now goes to them" $COUNT 1
release slow
matches "who was there before goes on" "$(ends slow "$slow" 60)" "$GOOD"

# ---- kill ---------------------------------------------------------------------------

wait_for 25 eval '[ $(proxy_pids | wc -w) = 2 ]'
is "the earlier proxies end" "$(proxy_pids | wc -w)" 2
victims=$(proxy_pids)
kill -STOP $victims
spawn waiting "$TOOLS/swarm" -n 20 -j 20 "127.0.0.1:$PORT"
waiting=$SPAWNED
nap 1
kill -KILL $victims
matches "who waits in the queue is served by the next proxy" \
	"$(ends waiting "$waiting" 60)" '^ok=20 failed=0 lost=0 '
is "killed proxies are counted" "$(metric ktlsd_proxy_restarts_total)" 2
matches "and new ones serve" "$(gets)" "$GOOD"

# ---- few descriptors -----------------------------------------------------------------

for pid in $(proxy_pids); do
	limit_nofile "$pid" 40 2>/dev/null
done
matches "with few descriptors some wait, and all are served" \
	"$(swarm -n 100 -j 50)" '^ok=100 failed=0 lost=0 '

# ---- upgrade, and the end --------------------------------------------------------------

spawn flood "$TOOLS/swarm" -n 1500 -j 8 "127.0.0.1:$PORT"
flood=$SPAWNED
held_client long --get 16M --pause 100K
long=$SPAWNED
paused_or_bail long
upgrade() { # NAME
	local answer
	answer=$(ctl upgrade 2>&1)
	matches "$1" "$answer" '^ok pid='
	KTLSD_PID=${answer#ok pid=}
	PIDS+=("$KTLSD_PID")
}
upgrade "an upgrade"
matches "does not cut any of those that come" "$(ends flood "$flood" 60)" \
	'^ok=1500 failed=0 lost=0 '
release long
matches "nor the one that was there" "$(ends long "$long" 60)" "$GOOD"
held half python3 -c 'import socket, ssl, sys
ctx = ssl.create_default_context(cafile=sys.argv[1])
s = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
tls = ctx.wrap_bio(came, goes, server_hostname="localhost")
def act(what):
    while True:
        try:
            got = what()
            s.sendall(goes.read())
            return got
        except ssl.SSLWantReadError:
            s.sendall(goes.read())
            came.write(s.recv(65536))
try:
    tls.do_handshake()
except ssl.SSLWantReadError:
    hello = goes.read()
s.sendall(hello[:100])
print("paused", flush=True)
sys.stdin.readline()
s.sendall(hello[100:])
act(tls.do_handshake)
act(lambda: tls.write(b"GET /10 HTTP/1.1\r\nHost: localhost\r\n\r\n"))
print(act(lambda: tls.read(12)).decode())' "$PKI/ca.pem" "$PORT"
half=$SPAWNED
paused_or_bail half
config bind="127.0.0.1:$PORT" workers=2 drain_timeout=6s >"$DIR/ktlsd.conf"
upgrade "an upgrade to a configuration without the proxy"
release half
is "does not cut who was in a handshake with it" "$(ends half "$half")" \
	"HTTP/1.1 200"
conf "${AT[c]}"
upgrade "and one to the proxy again"
held_client last --get 16M --pause 100K
last=$SPAWNED
paused_or_bail last
kill -TERM "$KTLSD_PID"
nap 0.3
release last
matches "what is under way at the end goes on" "$(ends last "$last" 60)" "$GOOD"
check "then all ends" wait_for 10 gone "$KTLSD_PID"

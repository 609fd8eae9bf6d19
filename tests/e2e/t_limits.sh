#!/bin/bash
# SPDX-License-Identifier: MIT
# Who is given up, refused or let wait where there are too many.
. "${0%/*}/tools.sh"
host_only "limits" || exit 0

evicted='ktlsd_handshakes_failed_total{reason="evicted"}'
refused='ktlsd_refused_total{reason="client_limit"}'
# accepted N - for wait_for: so many, whatever became of them
accepted() {
	[ "$(metric ktlsd_connections_accepted_total)" -ge "$1" ]
}
# stalled NAME OPTION... - clients that stop in the middle of their ClientHello
stalled() {
	held_swarm "$1" -s 11 "${@:2}"
	STALLED=$SPAWNED
	paused_or_bail "$1"
}
STALLED=
again() { # KEY=VALUE...
	# Else handshakes that go on would hold up the end.
	[ -z "$STALLED" ] || stop "$STALLED"
	STALLED=
	stop "$CONSUMER"
	stop_ktlsd
	up workers=1 handshake_timeout=60s "$@"
	consume
}
# fetch OPTION... - one request by curl; its body
fetch() {
	curl -sS --max-time 30 --resolve "localhost:$PORT:127.0.0.1" \
		--cacert "$PKI/ca.pem" "$@" "https://localhost:$PORT/served" 2>&1
}

# ---- handshakes at a time ----------------------------------------------------

up workers=1 handshake_timeout=60s top='limits: {handshakes: 100}'
consume
stalled stalled -n 300 -a 3
wait_for 30 metric_is "$evicted" 200
is "of 300 stalled clients, 100 may stay" "$(metric "$evicted")" 200
matches "beside them honest ones are served" "$(swarm -n 200 -j 16)" \
	'^ok=200 failed=0 lost=0 '
matches "by the test client, too" "$(client --version 1.2 --get 1000)" \
	'result=ok '
between "each in the place of a stalled one, while there were any" \
	"$(metric "$evicted")" 201 300
is "no one was refused" "$(metric ktlsd_refused_total)" 0

# What is handed off is no handshake any more.
again top='limits: {handshakes: 50}'
held_swarm many -n 200 -j 8 -k
paused_or_bail many
pid=$SPAWNED
release many
matches "200 connections live under a limit of 50 handshakes" \
	"$(ends many "$pid")" '^ok=200 failed=0 lost=0 '
is "nobody was given up for them" "$(metric "$evicted")" 0

# ---- of one client -----------------------------------------------------------

again top='limits: {handshakes_per_client: 10}'
stalled greedy -n 30
wait_for 30 accepted 30
is "a client may have 10 handshakes at a time" "$(metric "$refused")" 20
check_fails "one that has them gets no other" fetch
is "which is counted" "$(metric "$refused")" 21
is "its neighbour is not concerned" "$(fetch --interface 127.0.0.2)" /served
is "nobody was given up for it" "$(metric "$evicted")" 0

again top='limits: {handshakes_per_client: 10, client_prefix_v4: 24}'
stalled range -n 30 -a 30
wait_for 30 accepted 30
is "all of a prefix are one client" "$(metric "$refused")" 20
check_fails "a neighbour is, too" fetch --interface 127.0.0.99
is "one from elsewhere is not" "$(fetch --interface 127.0.1.1)" /served

again bind='[::]:0' top='limits: {handshakes_per_client: 10}'
stalled both -n 30
wait_for 30 accepted 30
is "IPv4 clients are told apart at the IPv6 wildcard" \
	"$(metric "$refused") $(fetch --interface 127.0.0.2)" "20 /served"
is "IPv6 clients are others" "$(fetch -6 --resolve "localhost:$PORT:[::1]")" \
	/served

# ---- connections per second --------------------------------------------------

again top='limits: {accept_rate: 50}'
begun=${EPOCHREALTIME/./}
line=$(swarm -n 150 -j 150)
ms=$(((${EPOCHREALTIME/./} - begun) / 1000))
matches "above the accept rate nobody is refused" "$line" \
	'^ok=150 failed=0 lost=0 '
between "150 connections at 50 in a second take 2 seconds, 50 being free" \
	$ms 1900 30000
between "the pauses are counted" \
	"$(metric 'ktlsd_accept_pauses_total{reason="rate"}')" 1 200

# ---- every slot taken --------------------------------------------------------

if root_or_skip "a worker whose slots are all taken"; then
	# Without this capability root cannot raise its limit either.
	KTLSD_BY=(setpriv --bounding-set -sys_resource prlimit --nofile=2500)
	again
	slots=$(field slots <"$KTLSD_LOG")
	between "there are few slots" "$slots" 64 1000
	stalled full -n $((2 * slots)) -a 4
	wait_for 30 accepted $((2 * slots))
	matches "stalled clients in every slot do not keep others out" \
		"$(swarm -n 200 -j 16)" '^ok=200 failed=0 lost=0 '
	between "for they are given up" "$(metric "$evicted")" "$slots" \
		$((2 * slots))
fi

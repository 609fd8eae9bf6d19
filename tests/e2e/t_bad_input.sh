#!/bin/bash
# SPDX-License-Identifier: MIT
# What is not TLS, or not for us: the alert, the counter, and nothing else.
. "${0%/*}/tools.sh"
host_only "bad input ends its own connection only" || exit 0

failed=ktlsd_handshakes_failed_total
# Input, alert (-1: none), reason
inputs="probe -1 probe
http 10 http
connect 10 http
sslv2 70 sslv2
big 22 record_overflow
bigheader 22 record_overflow
alert -1 alert
garbage 10 garbage
early 10 garbage
serverhello 10 protocol
hello 50 protocol
cut -1 truncated"

up handshake_timeout=2s
consume
declare -A before
while read -r input alert reason; do
	line=$(raw "$input")
	is "$input: alert $alert" "$(field alert <<<"$line")" "$alert"
	key="$failed{reason=\"$reason\"}"
	before[$reason]=$((${before[$reason]:-0} + 1))
	check "$input: counted as $reason" wait_for 20 metric_is "$key" \
		"${before[$reason]}"
done <<<"$inputs"
for input in silence part; do
	line=$(raw $input)
	between "$input: closed at the deadline" "$(field ms <<<"$line")" \
		1900 4000
done
counters
counted "both are counted" "$failed{reason=\"timeout\"}" 2
counted "nothing was counted twice" $failed 14
check_fails "a probe is not logged" grep -q reason=probe "$KTLSD_LOG"
matches "an honest client is served" "$(client --get 1000)" 'result=ok '
counted "by the same workers" ktlsd_worker_restarts_total 0

# All of them at once beside honest clients.
for n in 1 2 3 4 5; do
	raw probe http sslv2 big alert garbage early hello cut >/dev/null &
	PIDS+=($!)
done
matches "together they cost honest clients nothing" \
	"$(swarm -n 100 -j 16)" '^ok=100 failed=0 lost=0 '
check "each of them is counted" wait_for 30 metric_is $failed $((14 + 45))
stop_ktlsd
stop "$CONSUMER"

config handshake_timeout=2s >"$DIR/ktlsd.conf"
start_ktlsd "$DIR/ktlsd.conf" -v || bail "ktlsd did not start with -v"
PORT=$(port_of web)
raw probe >/dev/null
check "with -v a probe is logged" wait_for 20 grep -q reason=probe "$KTLSD_LOG"

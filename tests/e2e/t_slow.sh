#!/bin/bash
# SPDX-License-Identifier: MIT
# 5,000 clients that say nothing, or stop in the middle of a word.
. "${0%/*}/tools.sh"
host_only "5,000 stalled clients" || exit 0
N=5000

# Time to connect them all, and then to ask beside them.
deadline=${SLOW_DEADLINE:-8}
up handshake_timeout=${deadline}s
consume
held_swarm silent -n $((N / 2)) -s 0
silent=$SPAWNED
held_swarm part -n $((N / 2)) -s 11
part=$SPAWNED
paused_or_bail silent
paused_or_bail part
accepted_all() {
	[ "$(metric ktlsd_connections_accepted_total)" -ge $N ]
}
wait_for 20 accepted_all
for n in 1 2 3; do
	line=$(client --get 1000)
	matches "beside $N stalled clients an honest one is served ($n)" \
		"$line" 'result=ok '
	between "within a second" "$(field ms <<<"$line")" 0 999
done
is "none of the stalled was closed by then" \
	"$(metric 'ktlsd_handshakes_failed_total{reason="timeout"}')" 0
for name in silent part; do
	line=$(ends $name "${!name}" 60)
	matches "$name: all are closed" "$line" "^closed=$((N / 2)) open=0 "
	between "$name: none before the deadline" \
		"$(field first_ms <<<"$line")" $((deadline * 1000 - 200)) 60000
	between "$name: none long after" "$(field last_ms <<<"$line")" \
		0 $((deadline * 1000 + 3000))
done
is "all are counted" \
	"$(metric 'ktlsd_handshakes_failed_total{reason="timeout"}')" $N
matches "an honest one is served after them" "$(client --get 1000)" \
	'result=ok '

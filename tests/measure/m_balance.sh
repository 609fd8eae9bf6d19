#!/bin/bash
# SPDX-License-Identifier: MIT
# How evenly two workers share handshakes: of each load, the median of some rounds
# of the busier one's number to the other's, and the worst of them.
. "${0%/*}/lib.sh"
N=${N:-2000}
ROUNDS=${ROUNDS:-9}

each='ktlsd_connections_accepted_total'
# share HOW... - of the swarm; prints the busier worker's number to the other's
share() {
	local a b
	counters
	a=${M["$each{worker=\"0\"}"]:-0} b=${M["$each{worker=\"1\"}"]:-0}
	swarm -n "$N" "$@" >"$DIR/swarm.log"
	grep -q " failed=0 " "$DIR/swarm.log" || bail "$(<"$DIR/swarm.log")"
	counters
	awk -v a=$((${M["$each{worker=\"0\"}"]:-0} - a)) \
		-v b=$((${M["$each{worker=\"1\"}"]:-0} - b)) 'BEGIN {
			high = a > b ? a : b
			low = a + b - high
			print low ? high / low : 1000
		}'
}
balance() { # WHAT HOW...
	local what=$1 i median worst
	shift
	say "two workers, $what"
	for ((i = 0; i < ROUNDS; i++)); do share "$@"; done >"$DIR/shares"
	read -r median worst < <(sort -g "$DIR/shares" | awk '{ v[NR] = $1 }
		END { printf "%.3f %.3f\n", v[int((NR + 1) / 2)], v[NR] }')
	row "of two workers the busier one's handshakes to the other's, $what" \
		"$median, $worst at worst" "at most 1.20" "$median" -le 1.20
}

up workers=2
consume
# Nobody else's work is to decide which of them comes first.
for pid in $(worker_pids); do
	chrt -a -f -p 1 "$pid" 2>/dev/null
done
balance "full, 32 at a time" -j 32 -v 1.3
balance "full, 4 at a time" -j 4 -v 1.3
balance "resumed, 32 at a time" -j 32 -v 1.2 -r

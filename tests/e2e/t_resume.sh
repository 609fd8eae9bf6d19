#!/bin/bash
# SPDX-License-Identifier: MIT
# Tickets: 0, 1 and 2 of them, and what resumes with them.
. "${0%/*}/tools.sh"

config | sed '/^listeners:/a\
  - bind: "127.0.0.1:0"\
    route: web\
    tickets: 0\
  - bind: "127.0.0.1:0"\
    route: web\
    tickets: 1' >"$DIR/ktlsd.conf"
start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start"
consume
ports=($(sed -nE 's/.*event=listening.* bind=[^ ]*:([0-9]+).*/\1/p' \
	"$KTLSD_LOG"))
is "three listeners share a route" "${#ports[@]}" 3
PORT=${ports[2]}

batch < <(for n in 0 1 2; do
	to="--to 127.0.0.1:${ports[n]}"
	echo "$n-full $to --version 1.3 --get 50000"
	echo "$n-1.3 $to --version 1.3 --resume --get 20000"
	echo "$n-1.2 $to --version 1.2 --resume --get 20000"
	echo "$n-none $to --version 1.2 --no-tickets --resume"
done)
for n in 0 1 2; do
	result "tickets: $n: TLS 1.3 gets just that many" $n-full \
		"^result=ok .* tickets=$n "
	for version in 1.2 1.3; do
		result "tickets: $n: what TLS $version resumes" $n-$version \
			"^result=ok .* resumed=$((n > 0)) "
	done
	result "tickets: $n: without tickets TLS 1.2 has no sessions" $n-none \
		'^result=ok .* resumed=0 '
done
is "the consumer is told" "$(events 'accept .*resumed=1')" 4
counters
counted "they are counted" ktlsd_handshakes_resumed_total 4
counted "all are offloaded" "ktlsd_handed_off_total{mode=\"$(mode)\"}" \
	"$(events accept)"
# Any worker takes any other's tickets.
matches "100 connections resume one session" "$(swarm -n 100 -r)" \
	'^ok=100 failed=0 '
is "all of them" "$(events 'accept .*resumed=1')" 104

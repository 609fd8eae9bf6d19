#!/bin/bash
# SPDX-License-Identifier: MIT
# Tickets: 0, 1 and 2 of them; resumption across workers. And staples.
. "$(dirname "$0")/tools.sh"

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

for tickets in 0 1 2; do
	PORT=${ports[$tickets]}
	line=$(client --version 1.3 --get 50000)
	matches "tickets: $tickets: TLS 1.3 gets just that many" "$line" \
		"result=ok .* tickets=$tickets "
	resumed=1
	[ $tickets -gt 0 ] || resumed=0
	for version in 1.2 1.3; do
		line=$(client --version $version --resume --get 20000 | tail -n 1)
		matches "tickets: $tickets: TLS $version resumes: $resumed" \
			"$line" "result=ok .* resumed=$resumed "
	done
	line=$(client --version 1.2 --no-tickets --resume | tail -n 1)
	matches "tickets: $tickets: without tickets TLS 1.2 has no sessions" \
		"$line" 'result=ok .* resumed=0 '
done
is "the consumer is told" "$(events 'accept .*resumed=1')" 4
is "and they are counted" "$(metric ktlsd_handshakes_resumed_total)" 4
wait_for 5 metric_is ktlsd_handed_off_total "$(events accept)"
is "all are offloaded" "$(metric "ktlsd_handed_off_total{mode=\"$(mode)\"}")" \
	"$(events accept)"
# Any worker takes any other's tickets.
matches "200 connections resume one session" "$(swarm -n 200 -r)" \
	'^ok=200 failed=0 '
is "all of them" "$(events 'accept .*resumed=1')" 204
stop_ktlsd
stop "$CONSUMER"

up staple="$PKI/good.der"
consume
for version in 1.2 1.3; do
	matches "TLS $version: who asks gets the staple, byte by byte" \
		"$(client --version $version --staple "$PKI/good.der")" \
		'result=ok .*staple=same'
	matches "TLS $version: who does not gets none" \
		"$(client --version $version)" 'result=ok .*staple=none'
done
is "staples sent are counted" \
	"$(metric 'ktlsd_staples_total{result="sent"}')" 2
stop_ktlsd
stop "$CONSUMER"

redate "$PKI" -60 8 "$DIR/short.der"
ends_at=$((SECONDS + 8))
up staple="$DIR/short.der"
consume
matches "a staple with seconds to live is sent" \
	"$(client --staple "$DIR/short.der")" 'result=ok .*staple=same'
while [ $SECONDS -le $ends_at ]; do sleep 0.2; done
matches "and never after its nextUpdate" \
	"$(client --staple "$DIR/short.der")" 'result=ok .*staple=none'
is "which is counted" "$(metric 'ktlsd_staples_total{result="expired"}')" 1
stop_ktlsd
stop "$CONSUMER"

up staple=off
consume
matches "with staple: off there is none" "$(client --staple -)" \
	'result=ok .*staple=none'
is "which is counted too" "$(metric 'ktlsd_staples_total{result="none"}')" 1

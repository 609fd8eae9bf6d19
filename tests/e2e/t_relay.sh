#!/bin/bash
# SPDX-License-Identifier: MIT
# The relay: to the consumer it is the same, and it is counted.
. "${0%/*}/tools.sh"

host_only "the relay behaves like kTLS" || exit 0

cases="--get 3M
--put 3M
--coalesce --get 50000
--split 300 --put 5000
--bytewise --get 100
--close --get 1000
--cut --get 1000
--coalesce --fin --get 50000
--max-fragment 1024 --get 100000"

up ktls=off
consume
for version in 1.2 1.3; do
	batch --version $version < <(awk '{ print NR, $0 }' <<<"$cases")
	n=0
	while read -r arguments; do
		n=$((n + 1))
		served "relayed, TLS $version: ${arguments//--/}" $n
	done <<<"$cases"
done
wait_for 20 events_are end 18
for n in 6:clean 7:cut 8:cut 15:clean 16:cut 17:cut; do
	is "connection ${n%:*}: its end is told as ${n#*:}" \
		"$(events "end n=${n%:*} how=${n#*:}")" 1
done
out=$("$TOOLS/client12" "$PKI/ca.pem" "127.0.0.1:$PORT" e ec)
is "relayed: data before the server's Finished, also cut" \
	"$(grep -c 'result=ok' <<<"$out")" 2
matches "relayed: 300 connections" "$(swarm -n 300 -j 32 -r)" \
	'^ok=300 failed=0 lost=0 '
n=$(events accept)
is "the consumer is told" "$(events 'accept .*mode=relay ')" "$n"
counters
counted "all are counted" 'ktlsd_handed_off_total{mode="relay"}' "$n"
counted "by reason" 'ktlsd_relayed_total{reason="off"}' "$n"

# Half of a response is not a response.
held_client dying --get 16M --pause 1M
pid=$SPAWNED
paused_or_bail dying
kill -KILL $(servers)
release dying
matches "a killed consumer's transfer fails" "$(ends dying "$pid")" \
	'result=fail '

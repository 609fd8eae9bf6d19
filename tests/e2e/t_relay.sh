#!/bin/bash
# SPDX-License-Identifier: MIT
# The relay: to the consumer it is the same, and it is counted.
. "$(dirname "$0")/tools.sh"

up ktls=off
consume
n=0
for version in 1.2 1.3; do
	v="--version $version"
	for arg in "--get 3M" "--put 3M" "--coalesce --get 50000" \
		"--split 300 --put 5000" "--bytewise --get 100" \
		"--close --get 1000" "--coalesce --fin --get 50000" \
		"--max-fragment 1024 --get 100000"; do
		matches "relayed, TLS $version: ${arg//--/}" \
			"$(client $v $arg)" 'result=ok .*end=close_notify'
		n=$((n + 1))
	done
	wait_for 5 events_are end $n
	is "TLS $version: a FIN alone is not a clean end, close_notify is" \
		"$(events "end n=$((n - 1)) how=cut") $(
			events "end n=$((n - 2)) how=clean")" "1 1"
done
check "relayed: data before the server's Finished" client12 --early
check "relayed: Finished cut into 4-byte records" client12 --early --cut
matches "relayed: 300 connections" "$(swarm -n 300 -j 32 -r)" \
	'^ok=300 failed=0 lost=0 '
n=$(events accept)
is "the consumer is told" "$(events 'accept .*mode=relay ')" "$n"
is "all are counted" "$(metric 'ktlsd_handed_off_total{mode="relay"}') $(
	metric 'ktlsd_relayed_total{reason="off"}')" "$n $n"

# Half of a response is not a response.
held_client dying --get 16M --pause 1M
pid=$SPAWNED
paused_or_bail dying
kill -KILL $(servers)
release dying
matches "a killed consumer's transfer fails" "$(ends dying "$pid")" \
	'result=fail '

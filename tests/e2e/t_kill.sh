#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 of every ktlsd process: what is in the kernel goes on, what waits in
# the queue is served, what was relayed ends as a truncation.
. "$(dirname "$0")/tools.sh"
port=$(free_port)
SIZE=${KILL_SIZE:-16M}

transfers() {
	local version way n
	for version in 1.2 1.3; do
		for way in get put; do
			n=$way-$version
			held_client $n --version $version --$way $SIZE --pause 3M
			pids+=($SPAWNED)
			names+=($n)
		done
	done
	for n in "${names[@]}"; do
		paused_or_bail "$n"
	done
	kill_ktlsd
	for n in "${names[@]}"; do
		release "$n"
	done
	for n in "${!names[@]}"; do
		matches "${names[n]}: ends with the right SHA-256, ktlsd being dead" \
			"$(ends "${names[n]}" "${pids[n]}" 60)" \
			'result=ok .*end=close_notify'
	done
}

# spins NAME - over a second: neither woken all the time nor using the CPU
spins() {
	local before after all
	all="$CONSUMER $(servers)"
	before=$(cpu_ms $all)
	sleep 1
	after=$(cpu_ms $all)
	between "$1: the consumers use no CPU" $((after - before)) 0 100
	kill -USR1 "$CONSUMER"
	wait_for 5 stats_came
	wakes=$(grep event=stats "$CONSUMER_LOG" | tail -n 2 |
		grep -oE 'wakeups=[0-9]+' | awk -F= '{ n += $2 } END { print n }')
	between "$1: they are woken for connections only" "$wakes" 0 \
		$((20 + 6 * $(events accept)))
	: $((stats_seen += 2))
}
stats_seen=0
stats_came() {
	[ "$(events stats)" -ge $((stats_seen + 2)) ]
}
signal_servers() {
	kill "-$1" $(servers)
}

waiting() {
	local n=30 sent
	sent=$(metric ktlsd_handed_off_total)
	signal_servers STOP
	held_swarm queued -n $n -j $n
	queued=$SPAWNED
	wait_for 20 metric_is ktlsd_handed_off_total $((sent + n))
	kill_ktlsd
	check "with ktlsd dead, $n connections wait in the queue" \
		kill -0 "$queued"
}

if ktls_or_skip "transfers survive kill -9 of every ktlsd process"; then
	up bind=127.0.0.1:$port
	consume -n 2
	pids=() names=()
	transfers
	spins "without ktlsd"
	check "the registrar noticed" wait_for 5 grep -q event=lost "$CONSUMER_LOG"

	# A new one takes the old queue over.
	start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start again"
	PORT=$port
	line=$(client --get 1000)
	matches "a new ktlsd serves at once" "$line" 'result=ok '
	between "within a second of its start" "$(field ms <<<"$line")" 0 999
	check "the consumer was adopted" wait_for 5 grep -q event=back \
		"$CONSUMER_LOG"
	spins "after the new start"

	# Waiting connections, ktlsd dead, then served without it.
	waiting
	signal_servers CONT
	matches "they are served, ktlsd being dead" \
		"$(ends queued "$queued")" '^ok=30 failed=0 lost=0'

	# Waiting connections, and those of the next ktlsd behind them.
	rm "$DIR/queued.in"
	start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start again"
	wait_for 5 events_are back 2
	before=$(events accept)
	waiting
	start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start again"
	held_client next --get 1000
	next=$SPAWNED
	wait_for 10 metric_is ktlsd_handed_off_total 1
	signal_servers CONT
	matches "they are served by consumers that epoll all the time" \
		"$(ends queued "$queued")" '^ok=30 failed=0 lost=0'
	matches "and so is the new ktlsd's behind them" \
		"$(ends next "$next")" 'result=ok '
	is "each just once" $(($(events accept) - before)) 31
	spins "after that"
	stop "$CONSUMER"
	stop_ktlsd
fi

# Relayed connections do die, and it must look like that.
up bind=127.0.0.1:$port ktls=off
consume
held_client relayed --get $SIZE --pause 3M
pid=$SPAWNED
paused_or_bail relayed
kill_ktlsd
release relayed
line=$(ends relayed "$pid")
matches "a relayed transfer fails when ktlsd is killed" "$line" 'result=fail '
check_fails "and it does not look like a clean end" \
	grep -q 'end=close_notify' <<<"$line"
check "nor to the consumer" wait_for 5 events_are 'end .*how=(cut|EPIPE)' 1
start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start again"
matches "a new ktlsd relays to the same consumer" "$(client --get 1000)" \
	'result=ok '

#!/bin/bash
# SPDX-License-Identifier: MIT
# kill -9 of every ktlsd process: what is in the kernel goes on, what waits in
# the queue is served, what was relayed ends as a truncation.
. "${0%/*}/tools.sh"
port=$(free_port)
# More than all buffers on the way hold.
SIZE=14M
WAITING=12

transfers() {
	local n names=(get-1.3 put-1.2 get-1.2 put-1.3) pids=()
	# Where arithmetic is slow, each way and each version once.
	! emulated || names=(get-1.3 put-1.2)
	for n in "${names[@]}"; do
		held_client $n --version ${n#*-} --${n%-*} $SIZE --pause 2M
		pids+=($SPAWNED)
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

# wakeups - of both serving processes and the registrar, so far
wakeups() {
	stats_seen=$(events '(stats|registrar)')
	kill -USR1 "$CONSUMER"
	wait_for 20 stats_came
	grep -E '^event=(stats|registrar)' "$CONSUMER_LOG" | tail -n 3 |
		grep -oE 'wakeups=[0-9]+' | awk -F= '{ n += $2 } END { print n }'
}
stats_came() {
	[ "$(events '(stats|registrar)')" -ge $((stats_seen + 3)) ]
}

# calm NAME - over a second: neither woken all the time nor using the CPU. The
# registrar looks for ktlsd every 100 ms.
calm() {
	local cpu woken all
	all="$CONSUMER $(servers)"
	woken=$(wakeups)
	cpu=$(cpu_ms $all)
	sleep 1
	between "$1: the consumers use no CPU" $(($(cpu_ms $all) - cpu)) 0 200
	between "$1: nothing wakes them" $(($(wakeups) - woken)) 0 50
}
signal_servers() {
	kill "-$1" $(servers)
}

# Connections in the queue, and ktlsd dead.
waiting() {
	local n=$WAITING sent
	sent=$(metric ktlsd_handed_off_total)
	signal_servers STOP
	held_swarm queued -n $n -j $n
	queued=$SPAWNED
	wait_for 20 metric_is ktlsd_handed_off_total $((sent + n))
	kill_ktlsd
	check "with ktlsd dead, $n connections wait in the queue" \
		kill -0 "$queued"
}

again() {
	start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start again"
	PORT=$port
}

if ktls_or_skip "transfers survive kill -9 of every ktlsd process"; then
	up bind=127.0.0.1:$port
	consume -n 2
	transfers
	calm "without ktlsd"
	check "the registrar noticed" wait_for 20 holds "$CONSUMER_LOG" event=lost

	# A new one takes the old queue over.
	again
	# By the version that leaves most of that second to ktlsd.
	line=$(client --version 1.2 --get 1000)
	matches "a new ktlsd serves at once" "$line" 'result=ok '
	between "within a second of its start" "$(field ms <<<"$line")" 0 999
	check "the consumer was adopted" wait_for 20 holds "$CONSUMER_LOG" \
		event=back
	calm "after the new start"

	# Waiting connections, ktlsd dead, then served without it.
	waiting
	signal_servers CONT
	matches "they are served, ktlsd being dead" \
		"$(ends queued "$queued")" "^ok=$WAITING failed=0 lost=0"

	# Waiting connections, and those of the next ktlsd behind them.
	rm "$DIR/queued.in"
	again
	wait_for 20 events_are back 2
	before=$(events accept)
	waiting
	again
	held_client next --get 1000
	next=$SPAWNED
	wait_for 30 metric_is ktlsd_handed_off_total 1
	signal_servers CONT
	matches "they are served by consumers that epoll all the time" \
		"$(ends queued "$queued")" "^ok=$WAITING failed=0 lost=0"
	matches "and so is the new ktlsd's behind them" \
		"$(ends next "$next")" 'result=ok '
	is "each just once" $(($(events accept) - before)) $((WAITING + 1))
	calm "after that"
	stop "$CONSUMER"
	stop_ktlsd
fi

# Relayed connections do die, and it must look like that.
host_only "relayed transfers end as truncations" || exit 0
up bind=127.0.0.1:$port ktls=off
consume
held_client relayed --get $SIZE --pause 3M
relayed=$SPAWNED
paused_or_bail relayed
kill_ktlsd
release relayed
line=$(ends relayed "$relayed")
matches "a relayed transfer fails when ktlsd is killed" "$line" 'result=fail '
check_fails "and it does not look like a clean end" \
	grep -q 'end=close_notify' <<<"$line"
check "nor to the consumer" wait_for 20 events_are 'end .*how=(cut|EPIPE)' 1
again
matches "a new ktlsd relays to the same consumer" "$(client --get 1000)" \
	'result=ok '

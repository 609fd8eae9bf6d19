#!/bin/bash
# SPDX-License-Identifier: MIT
# The accept queue when it is full, unread, or has no reader at all.
. "${0%/*}/tools.sh"
waits='ktlsd_queue_waits_total'

grown() { # METRIC - it is not 0
	[ "$(metric "$1")" -gt 0 ]
}
all_served() { # NAME N PID
	matches "$1" "$(ends swarm "$3")" "^ok=$2 failed=0 lost=0 "
	rm -f "$DIR/swarm.in"
}
# Processes die with the consumer; ours is a registrar and its servers.
kill_consumer() {
	local all pid
	all="$CONSUMER $(servers)"
	kill -KILL $all
	wait "$CONSUMER" 2>/dev/null
	for pid in $all; do
		wait_for 20 gone "$pid"
	done
}

# Nobody there yet.
up
held_swarm swarm -n 10 -j 10
pid=$SPAWNED
check "without a consumer connections wait, counted" \
	wait_for 30 grown "$waits{reason=\"no_consumer\"}"
consume
all_served "the first consumer gets them" 10 "$pid"
is "and is seen" "$(metric 'ktlsd_registrations{route="web"}')" 1
stop "$CONSUMER"
check "its end is seen too" wait_for 20 metric_is \
	'ktlsd_registrations{route="web"}' 0

# A consumer that registers and takes nothing, and is killed.
consume -h
sent=$(metric ktlsd_handed_off_total)
held_swarm swarm -n 20 -j 20
pid=$SPAWNED
check "20 connections are in the queue" wait_for 30 metric_is \
	ktlsd_handed_off_total $((sent + 20))
kill_consumer
consume
all_served "the next consumer gets what a killed one left" 20 "$pid"
stop "$CONSUMER"

# A consumer that is killed on taking its third: at most those three are lost.
consume -t 3
held_swarm swarm -n 20 -j 20
pid=$SPAWNED
check "a consumer dies in the middle of its work" wait_for 30 holds \
	"$CONSUMER_LOG" event=child
wait_for 20 gone "$CONSUMER"
consume
matches "the others are served by the next one" "$(ends swarm "$pid")" \
	'^ok=1[789] failed=[123] lost=0 '
rm -f "$DIR/swarm.in"
stop "$CONSUMER"

# A consumer with no descriptor left.
consume -l 20
held_swarm swarm -n 30 -j 30 -k
pid=$SPAWNED
check "at its descriptor limit a consumer takes nothing more" \
	wait_for 30 holds "$CONSUMER_LOG" event=full
sleep 0.3
taken=$(events accept)
between "it has taken what it could" "$taken" 5 17
kill -USR2 "$CONSUMER"
check "with more descriptors it takes the rest" wait_for 30 paused swarm
release swarm
all_served "nothing was destroyed" 30 "$pid"
kill -TERM "$CONSUMER"
wait_for 20 gone "$CONSUMER"
matches "nor reported lost" "$(grep event=stats "$CONSUMER_LOG")" \
	'accepted=30 .* lost=0 '

# More descriptors in flight than the workers' user may have.
name="descriptors in flight beyond the user's limit wait, counted"
if ktls_or_skip "$name" && root_or_skip "$name"; then
	consume -h
	for worker in $(worker_pids); do
		limit_nofile "$worker" 40
	done
	held_swarm swarm -n 70 -j 70
	pid=$SPAWNED
	check "$name" wait_for 30 grown "$waits{reason=\"too_many_refs\"}"
	kill_consumer
	consume
	all_served "all are served when they are taken" 70 "$pid"
	stop "$CONSUMER"
fi
stop_ktlsd

# A queue of 4.
up queue=4
consume -h
held_swarm swarm -n 30 -j 30
pid=$SPAWNED
check "a full queue makes them wait, counted" \
	wait_for 30 grown "$waits{reason=\"full\"}"
kill_consumer
consume
all_served "all are served in the end" 30 "$pid"
stop "$CONSUMER"
stop_ktlsd

host_only "connections that nobody takes end" || exit 0
# What nobody fetches in time.
up hold_timeout=1s
line=$(client --get 10)
matches "without a consumer a connection ends after hold_timeout" "$line" \
	'result=fail .*end=(close_notify|fin|rst|error)'
between "not much later" "$(field ms <<<"$line")" 900 4000
is "it is counted" "$(metric ktlsd_queue_expired_total)" 1
stop_ktlsd

# What a consumer fetches too late.
up hold_timeout=1s
consume
kill -STOP $(servers)
held_client late --get 10
pid=$SPAWNED
wait_for 20 metric_is ktlsd_handed_off_total 1
sleep 1.3
kill -CONT $(servers)
matches "a consumer that was stuck drops what is too old" \
	"$(ends late "$pid")" 'result=fail .*end=(close_notify|fin|rst|error)'
matches "and serves what comes then" "$(client --get 10)" 'result=ok '
is "just that" "$(events accept)" 1

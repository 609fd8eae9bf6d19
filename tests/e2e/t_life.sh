#!/bin/bash
# SPDX-License-Identifier: MIT
# A consumer's life: it comes before ktlsd or after, outlives ktlsd's restarts,
# leaves without losing a connection; and what its death costs: what it had in
# hand, and nothing else. LIFE_SECONDS (8) is how long consumers are killed and
# started: a minute of it is worth a look now and then. LIFE_RATE (1000) is how
# many connections per second are begun meanwhile.
. "${0%/*}/tools.sh"
STORM_S=${LIFE_SECONDS:-8} RATE=${LIFE_RATE:-1000} GROUPS_MAX=3
MANY=100 PARALLEL=1000 PACE=0.0 # and a digit: seconds between two blows
! emulated || MANY=20

# ---- groups: a registrar and its serving processes -------------------------

declare -A GROUP	# the registrar's pid by number
KINDS=([0]='one process' 'a registrar' 'a group' 'left by itself')
DONE=([0]=0 0 0 0)

start_group() {
	local n=$((++STARTED))
	spawn "group-$n" "$TOOLS/consumer" -n $((1 + RANDOM % 3)) -d \
		-L "$DIR/ledger" "$DIR/web.sock"
	GROUP[$n]=$SPAWNED
	disown "$SPAWNED" # or its end would be reported, line by line
}

# The pids of the group's serving processes; sets KIDS.
kids() {
	KIDS=
	{ read -r KIDS <"/proc/$1/task/$1/children"; } 2>/dev/null
}

kill_dead() { # PID... - of which the ledger is told
	[ $# -gt 0 ] || return
	printf '%s\n' "$@" >>"$DIR/killed"
	kill -KILL "$@" 2>/dev/null
}

# One of the groups, chosen by chance, meets one of the ends, by chance too.
hit() {
	local numbers=(${!GROUP[@]}) pid list kind=$((RANDOM % 4))
	[ ${#numbers[@]} -gt 0 ] || return
	pid=${GROUP[${numbers[RANDOM % ${#numbers[@]}]}]}
	kids "$pid"
	list=($KIDS)
	DONE[kind]=$((DONE[kind] + 1))
	case $kind in
	0) kill_dead ${list[0]:+"${list[RANDOM % ${#list[@]}]}"} ;;
	1) kill_dead "$pid" ;;
	2) kill_dead "$pid" "${list[@]}" ;;
	3) kill -TERM "$pid" 2>/dev/null ;;
	esac
}

bury() {
	local n
	for n in "${!GROUP[@]}"; do
		! gone "${GROUP[$n]}" || unset "GROUP[$n]"
	done
}

storm() { # SECONDS
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	while [ "${EPOCHREALTIME/./}" -lt $end ]; do
		nap $PACE$((RANDOM % 9 + 1))
		[ $((RANDOM % 2)) = 0 ] || hit
		bury
		# At times nobody is left for a moment.
		if [ ${#GROUP[@]} -lt $GROUPS_MAX ] && [ $((RANDOM % 3)) = 0 ]; then
			start_group
		fi
	done
}

killed_at_random() {
	local pid line begun n
	: >"$DIR/killed"
	rm -f "$DIR/steady.in" "$DIR/ledger"
	STARTED=0
	up hold_timeout=60s handshake_timeout=60s tickets=1
	for _ in 1 2 3; do
		start_group
	done
	for n in 1 2 3; do
		wait_for 20 holds "$DIR/group-$n.log" event=serving
	done
	held steady "$TOOLS/steady" -R -w 100 -r "$RATE" -j $PARALLEL -t 60000 \
		-c "$PKI/ca.pem" -l "$DIR/failed" "127.0.0.1:$PORT"
	pid=$SPAWNED
	storm "$STORM_S"
	start_group
	release steady
	line=$(ends steady "$pid" 90)
	begun=$(field begun <<<"$line")
	# All in hand is put down, and whoever is left leaves.
	for pid in "${GROUP[@]}"; do
		kill -TERM "$pid" 2>/dev/null
	done
	for pid in "${GROUP[@]}"; do
		wait_for 20 gone "$pid"
	done
	check "$STORM_S s of killing: what no killed process had in hand is served" \
		"$TOOLS/ledger" "$DIR/ledger" "$DIR/failed" "$DIR/killed" \
		"${begun:-0}"
	echo "# $line"
	echo "# $("$TOOLS/ledger" "$DIR/ledger" "$DIR/failed" "$DIR/killed" \
		"${begun:-0}" | tail -n 1)"
	echo "# $(wc -l <"$DIR/killed") processes killed, $STARTED groups started:" \
		"${KINDS[0]} ${DONE[0]}, ${KINDS[1]} ${DONE[1]}," \
		"${KINDS[2]} ${DONE[2]}, ${KINDS[3]} ${DONE[3]}"
	stop_ktlsd
}

# ---- before ktlsd, and after -----------------------------------------------

# Two that have each a queue of its own, before there is a ktlsd.
before_ktlsd() {
	local first
	consume -n 2 -d -e
	first=$CONSUMER_LOG
	FIRST=$CONSUMER
	consume -n 1 -d -e
	up
	for log in "$first" "$CONSUMER_LOG"; do
		check "who was there before ktlsd is registered" \
			wait_for 10 holds "$log" event=back
	done
	is "each with the queue that it had" \
		"$(grep -c 'consumer_registered .*adopted=1' "$KTLSD_LOG")" 2
	matches "and all is served" "$(swarm -n $MANY -j 10)" "^ok=$MANY failed=0"
	for log in "$first" "$CONSUMER_LOG"; do
		check "by both" holds "$log" 'event=accept '
	done
}

# Stopped and started in the ordinary way; a client has a connection meanwhile.
restarted() {
	local port=$PORT pid
	if have_ktls; then
		held_client open --get 14M --pause 2M
		pid=$SPAWNED
		paused_or_bail open
	fi
	stop_ktlsd
	check "ktlsd is stopped, consumers wait for the next" \
		wait_for 10 holds "$CONSUMER_LOG" event=lost
	up bind=127.0.0.1:$port
	wait_for 10 events_are back 2
	matches "the next one is served at once" "$(swarm -n $MANY -j 10)" \
		"^ok=$MANY failed=0"
	is "by the queues that there were" \
		"$(grep -c 'consumer_registered .*adopted=1' "$KTLSD_LOG")" 2
	if ktls_or_skip "an open connection does not notice"; then
		release open
		matches "an open connection does not notice" \
			"$(ends open "$pid")" 'result=ok .*end=close_notify'
	fi
	stop "$FIRST"
	stop "$CONSUMER"
	stop_ktlsd
}

# ---- leaving ---------------------------------------------------------------

queued() { # N - clients, whose connections wait in the queue; sets QUEUED
	local sent
	sent=$(metric ktlsd_handed_off_total)
	kill -STOP $(servers)
	rm -f "$DIR/queued.in"
	held_swarm queued -n "$1" -j "$1"
	QUEUED=$SPAWNED
	wait_for 30 metric_is ktlsd_handed_off_total $((sent + $1))
}

# leave NAME - by SIGTERM, with connections in the queue
leave() {
	local stopped
	stopped=$(servers)
	kill -TERM "$CONSUMER"
	wait_for 10 events_are registrar 1
	kill -CONT $stopped
	matches "$1: who leaves serves what waits in the queue" \
		"$(ends queued "$QUEUED")" '^ok=6 failed=0 lost=0 '
	check "$1: and then ends" wait_for 10 gone "$CONSUMER"
	is "$1: having lost nothing" \
		"$(grep -c 'event=stats.*open=0 lost=0' "$CONSUMER_LOG")" 2
}

leaves_ktlsd() {
	up
	consume -n 2 -d
	queued 6
	leave "ktlsd is there"
	check "ktlsd knows" wait_for 5 metric_is \
		'ktlsd_registrations{route="web"}' 0
	held_client later --get 1000
	later=$SPAWNED
	wait_for 30 metric_is ktlsd_handed_off_total 7
	consume -n 2 -d
	matches "what comes when it has gone is held for the next one" \
		"$(ends later "$later")" 'result=ok '
	stop "$CONSUMER"
	stop_ktlsd
}

leaves_alone() {
	ktls_or_skip "without ktlsd, who leaves serves what waits" || return
	up
	consume -n 2 -d
	queued 6
	kill_ktlsd
	leave "without ktlsd"
}

# One leaves when the next has come, three times; and at last nobody comes.
by_turns() {
	local pid last line mode=$1
	rm -f "$DIR/steady.in" "$DIR/ledger"
	up route="no_consumer: $mode"
	consume -n 2 -d -L "$DIR/ledger"
	held steady "$TOOLS/steady" -R -w 20 -r "${2:-500}" -j 200 \
		-c "$PKI/ca.pem" -l "$DIR/failed" "127.0.0.1:$PORT"
	pid=$SPAWNED
	for _ in 1 2; do
		last=$CONSUMER
		nap 0.2
		consume -n 2 -d -L "$DIR/ledger"
		kill -TERM "$last"
		wait_for 10 gone "$last"
	done
	[ $mode = hold ] || stop "$CONSUMER"
	release steady
	line=$(ends steady "$pid")
	if [ $mode = hold ]; then
		matches "no client notices that consumers take turns" "$line" \
			"^ok=[1-9][0-9]* failed=0 "
		stop "$CONSUMER"
	else
		is "when the last leaves and the rest is refused, what was handed off is served" \
			"$(field ok <<<"$line")" "$(metric ktlsd_handed_off_total)"
		matches "and the rest is refused" "$line" " failed=[1-9]"
	fi
	stop_ktlsd
}

leaves_alone
if host_only "consumers leave, and take turns"; then
	leaves_ktlsd
	by_turns hold
	by_turns refuse
fi
if [[ ${KTLSD_GUEST:-} == 6.* ]]; then
	skip "before ktlsd, and restarts" "tried on the newest kernel"
	exit 0
fi
before_ktlsd
restarted
# At the rate of a guest hardly anything would be in hand or on its way.
! host_only "consumers are killed at random" || killed_at_random

#!/bin/bash
# SPDX-License-Identifier: MIT
# A consumer's life: it comes before ktlsd or after, outlives ktlsd's restarts,
# leaves without losing a connection; and what its death costs: what it had in
# hand, and nothing else. LIFE_SECONDS (8; in a guest 5) is how long consumers
# are killed and started, LIFE_RATE (1000; in a guest 20) connections per second.
. "${0%/*}/tools.sh"
STORM_S=${LIFE_SECONDS:-8} RATE=${LIFE_RATE:-1000} GROUPS_MAX=3
PACE=0.0 # and a digit: seconds between two blows
! emulated || STORM_S=${LIFE_SECONDS:-5} RATE=${LIFE_RATE:-20} GROUPS_MAX=2 PACE=0.

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
	local pid line begun
	: >"$DIR/killed"
	STARTED=0
	up hold_timeout=60s tickets=1
	start_group
	start_group
	held steady "$TOOLS/steady" -R -w 100 -r "$RATE" -j 2000 -t 40000 \
		-c "$PKI/ca.pem" -l "$DIR/failed" "127.0.0.1:$PORT"
	pid=$SPAWNED
	storm "$STORM_S"
	start_group
	release steady
	line=$(ends steady "$pid" 60)
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

killed_at_random

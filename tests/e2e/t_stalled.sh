#!/bin/bash
# SPDX-License-Identifier: MIT
# 10,000 stalled clients: what an honest one notices of them.
#
# STALLED_PAIRS (3) is how often its handshakes are measured both without them
# and beside them, STALLED (10000) how many there are.
. "${0%/*}/tools.sh"
host_only "10,000 stalled clients" || exit 0
PAIRS=${STALLED_PAIRS:-3}
N=${STALLED:-10000}
SWARMS=4
CPUS=$(nproc)
if [ "$PAIRS" = 0 ]; then
	skip "an honest client beside $N stalled ones" "STALLED_PAIRS is 0"
	exit 0
fi

# The workers and their honest client have one CPU, where nobody else's work gets
# in their way; the rest stays on another.
ahead() {
	[ "$CPUS" -lt 2 ] || taskset -apc 0 "$1" >/dev/null
	chrt -a -f -p 1 "$1" 2>/dev/null
}
aside() {
	[ "$CPUS" -lt 2 ] || taskset -apc 1 "$1" >/dev/null
}
# usual - as it was; for workers while they accept the stalled, of whom else the
# first to run takes them all
usual() {
	taskset -apc 0-$((CPUS - 1)) "$1" >/dev/null
	chrt -a -o -p 0 "$1" 2>/dev/null
}
# One worker where it has the slots for all of them. Where the limit of open
# files is low, several, and more slots than needed: their shares differ.
up workers=1 handshake_timeout=120s
slots=$(field slots <"$KTLSD_LOG")
if [ "$slots" -lt $((N * 11 / 10)) ]; then
	workers=$(((N * 3 + slots - 1) / slots))
	stop_ktlsd
	up workers=$workers handshake_timeout=120s
	echo "# $workers workers, with $slots slots each"
fi
consume
WORKERS=$(worker_pids)
for pid in $WORKERS "$CONSUMER" $(servers); do
	ahead "$pid"
done
aside "$KTLSD_PID"

# waiting - handshakes that go on: descriptors of the workers but for a few
waiting() {
	local pid fds n=0
	for pid in $WORKERS; do
		fds=(/proc/"$pid"/fd/*)
		n=$((n + ${#fds[@]}))
	done
	echo $n
}
# used_ns - sets USED, the workers' CPU time
used_ns() {
	local pid ns
	USED=0
	for pid in $WORKERS; do
		read -r ns _ <"/proc/$pid/schedstat"
		USED=$((USED + ns))
	done
}
waits_for_none() {
	[ "$(waiting)" -lt 100 ]
}
waits_for_all() {
	[ "$(waiting)" -ge "$N" ]
}
# stall - connect them all, half of them silent, the others in mid-word, from 32
# addresses; release_all - and away with them
stall() {
	local i pid
	STALLED_PIDS=()
	for pid in $WORKERS; do
		usual "$pid"
	done
	for ((i = 0; i < SWARMS; i++)); do
		rm -f "$DIR/stalled-$i.in"
		held_swarm stalled-$i -n $((N / SWARMS)) -a 32 -t 120000 \
			-s $((i % 2 * 11))
		STALLED_PIDS+=("$SPAWNED")
		aside "$SPAWNED"
	done
	for ((i = 0; i < SWARMS; i++)); do
		paused_or_bail stalled-$i
	done
	wait_for 30 waits_for_all || bail "$(waiting) of $N wait"
	for pid in $WORKERS; do
		ahead "$pid"
	done
}
release_all() {
	local pid
	for pid in "${STALLED_PIDS[@]}"; do
		stop "$pid" KILL
	done
	wait_for 30 waits_for_none || bail "$(waiting) wait still"
}

# measure - two seconds of full handshakes; sets RESULT: p50, p99 (us), CPU (us
# of the workers for each)
clients() {
	spawn clients "$TOOLS/stapled" -a "$PKI/ca.pem" -n localhost -q \
		-o /dev/null -v 1.3 -d "$1" -r 250 "127.0.0.1:$PORT"
	ahead "$SPAWNED"
	ends clients "$SPAWNED" 60 >/dev/null
	LINE=$(tail -n 1 "$DIR/clients.log")
}
measure() {
	local before n
	clients 1
	used_ns
	before=$USED
	clients 2
	used_ns
	n=$(field handshakes <<<"$LINE")
	matches "all of $n handshakes succeed" "$LINE" ' failed=0 '
	RESULT="$(field p50_us <<<"$LINE") $(field p99_us <<<"$LINE")"
	RESULT+=" $(((USED - before) / 1000 / n))"
}
# pair - once without and once beside them, each first in turn
without() {
	measure
	WITHOUT=$RESULT
}
beside() {
	stall
	measure
	BESIDE=$RESULT
	release_all
}
pair() {
	if [ $((i % 2)) = 0 ]; then
		without
		beside
	else
		beside
		without
	fi
	echo "$WITHOUT $BESIDE" >>"$DIR/pairs"
}
# ratio COLUMN COLUMN - the median of one to the other, in hundredths
ratio() {
	local ratios
	mapfile -t ratios < <(awk -v a="$1" -v b="$2" \
		'{ print int(100 * $b / $a) }' "$DIR/pairs" | sort -n)
	echo "${ratios[(${#ratios[@]} - 1) / 2]}"
}

for ((i = 0; i < PAIRS; i++)); do
	pair
done
# Others may use this machine, too.
while [ "$(ratio 2 5)" -ge 200 ] && [ $SECONDS -lt 75 ]; do
	pair
	i=$((i + 1))
done
while read -r p50 p99 cpu p50_then p99_then cpu_then; do
	echo "# alone: p50 $p50 us, p99 $p99 us, CPU $cpu us; beside $N" \
		"stalled clients: p50 $p50_then us, p99 $p99_then us," \
		"CPU $cpu_then us"
done <"$DIR/pairs"
echo "# medians of ratios, in percent: p50 $(ratio 1 4), p99 $(ratio 2 5)," \
	"CPU $(ratio 3 6)"
between "a handshake in a hundred takes less than twice as long beside them" \
	"$(ratio 2 5)" 1 199
is "none of the stalled was given up for it" \
	"$(metric 'ktlsd_handshakes_failed_total{reason="evicted"}')" 0

#!/bin/bash
# SPDX-License-Identifier: MIT
# A thousand certificates: their staples come at the start, at a restart without
# a responder, and all at once while clients come, who do not notice.
#
# STAPLER_PAIRS (3) is how often latency is measured both in quiet and while all
# staples are fetched anew, STAPLER_CERTS (1000) how many there are.
. "${0%/*}/staples.sh"
host_only "a thousand certificates" || exit 0
N=${STAPLER_CERTS:-1000}
TOTAL=256 # of fetches at a time, whatever the hosts are
PAIRS=${STAPLER_PAIRS:-3}
CPUS=$(nproc)

# ---- a thousand certificates, each with a responder of its own -------------

make_staple_pki || bail "no certificates could be made"
responder_start -l 0.0.0.0:0
make_leaves ca n%04d -n $N -1 -u "http://%a:$RESPONDER_PORT"
for ((i = 1; i <= N; i++)); do
	printf -v name n%04d $i
	echo "$name.test" >&3
	printf '  - chain: %s\n    key: %s\n' "$STAPLE_PKI/$name-chain.pem" \
		"$STAPLE_PKI/$name.key"
done >"$DIR/certs" 3>"$DIR/names"
renice -n 10 -p "$RESPONDER" "$OPENSSL_OCSP" >/dev/null

# now_ms - sets NOW; took SINCE - since then, for people
now_ms() {
	NOW=$((${EPOCHREALTIME/./} / 1000))
}
took() {
	now_ms
	echo "# $1: $((NOW - $2)) ms"
}
# launch KEY=VALUE... - as up, but this may take longer than there
launch() {
	config workers=1 "$@" >"$DIR/ktlsd.conf"
	now_ms
	local begun=$NOW
	start_ktlsd "$DIR/ktlsd.conf" || wait_for 100 ready_or_gone
	! gone "$KTLSD_PID" || bail "ktlsd did not start"
	PORT=$(port_of web)
	took "ready" "$begun"
}
# each_once - one handshake with every certificate
each_once() {
	stapled_each -f "$DIR/names"
}

# All responders are one process behind others' work: on a busy machine an answer
# may take longer than it usually would have to, and would be asked for again.
launch certs="$DIR/certs" ocsp='start_wait: 90s' ocsp='timeout: 60s'
# The consumer is there for connections to have an end.
consume
check "it waits until there are $N staples" delivered $N
check_fails "which is not too long" holds "$KTLSD_LOG" start_wait_over
is "the first handshake with each has a valid one" \
	"$(each_once)" \
	"handshakes=$N valid=$N none=0 invalid=0 failed=0"
asked=$(grep -o ' at=[^ ]*' "$RESPONDER_LOG" | sort -u | wc -l)
is "each responder was asked once" "$(requests) $asked" "$N $N"
echo "# at most $(most_in 1000) requests in a second, $(busiest all) at a time"

# ---- all at once -----------------------------------------------------------

# refresh - ask for all of them now, and what for before
refresh() {
	: >"$RESPONDER_LOG"
	"$B/ktlsctl" -s "$DIR/control.sock" refresh >/dev/null
}
# quiet - for wait_for: all $N were asked for, and came
quiet() {
	requests_at_least $N && delivered $N
}

responder_mode slow,pace=10
refresh
wait_for 30 requests_at_least $((2 * TOTAL))
responder_mode ok
wait_for 60 quiet
between "where answers are slow, there are $TOTAL fetches at a time" \
	"$(busiest all)" $((TOTAL * 7 / 8)) $TOTAL
is "each of another responder" "$(busiest)" 1

# ---- what clients notice of it ---------------------------------------------

# The worker and its clients have one CPU, where nobody else's work gets in
# their way; the rest of what is measured stays on another.
ahead() {
	[ "$CPUS" -lt 2 ] || taskset -apc 0 "$1" >/dev/null
	chrt -a -f -p 1 "$1" 2>/dev/null
}
aside() {
	[ "$CPUS" -lt 2 ] || taskset -apc 1 "$1" >/dev/null
}
for pid in "$(worker_pids)" "$CONSUMER" $(servers); do
	ahead "$pid"
done
for pid in "$KTLSD_PID" "$(stapler_pid)" "$RESPONDER" "$OPENSSL_OCSP"; do
	aside "$pid"
done
WORKER=$(worker_pids)

# clients SECONDS - handshakes one after the other; sets LINE, the counts
clients() {
	spawn clients "$TOOLS/stapled" -a "$STAPLE_PKI/ca.pem" \
		-o "$DIR/clients.lines" -f "$DIR/names" -d "$1" -r 250 \
		"127.0.0.1:$PORT"
	ahead "$SPAWNED"
	LINE=$(ends clients "$SPAWNED" 60)
}
# measure [COMMAND] - two seconds of them from the COMMAND on, for which others
# have made room; sets RESULT: p50, p99 (us), CPU (us of the worker for each)
measure() {
	local before after n
	clients 1
	"${1:-:}"
	read -r before _ <"/proc/$WORKER/schedstat"
	clients 2
	read -r after _ <"/proc/$WORKER/schedstat"
	n=$(field handshakes <<<"$LINE")
	[ "$(field valid <<<"$LINE")" = "$n" ] ||
		not_ok "every handshake gets a valid staple" "$LINE"
	RESULT="$(field p50_us <<<"$LINE") $(field p99_us <<<"$LINE")"
	RESULT+=" $(((after - before) / 1000 / n))"
}
measure_quiet() {
	wait_for 60 quiet
	measure
	QUIET=$RESULT
}
measure_refreshing() {
	wait_for 60 quiet
	measure refresh
	REFRESHING="$RESULT $(requests)"
}
# pair - once in quiet and once not, each first in turn: a line in $DIR/pairs
pair() {
	if [ $((i % 2)) = 0 ]; then
		measure_quiet
		measure_refreshing
	else
		measure_refreshing
		measure_quiet
	fi
	echo "$QUIET $REFRESHING" >>"$DIR/pairs"
}
# ratio COLUMN COLUMN - the median of one to the other, in hundredths
ratio() {
	local ratios
	mapfile -t ratios < <(awk -v a="$1" -v b="$2" \
		'{ print int(100 * $b / $a) }' "$DIR/pairs" | sort -n)
	echo "${ratios[(${#ratios[@]} - 1) / 2]}"
}
# compare - latency while all are fetched, with that in quiet
compare() {
	for ((i = 0; i < PAIRS; i++)); do
		pair
	done
	# Others may use this machine, too.
	while [ "$(ratio 2 5)" -gt 150 ] && [ $SECONDS -lt 75 ]; do
		pair
		i=$((i + 1))
	done
	while read -r p50 p99 cpu p50_then p99_then cpu_then fetches; do
		echo "# quiet: p50 $p50 us, p99 $p99 us, CPU $cpu us;" \
			"refreshing: p50 $p50_then us, p99 $p99_then us," \
			"CPU $cpu_then us, $fetches fetches"
	done <"$DIR/pairs"
	echo "# medians of ratios, in percent: p50 $(ratio 1 4), p99 $(ratio 2 5)," \
		"CPU $(ratio 3 6)"
	between "a handshake in a hundred takes no longer while all are fetched" \
		"$(ratio 2 5)" 1 150
	between "and there were fetches all the time" \
		"$(awk '{ print $7 }' "$DIR/pairs" | sort -n | head -n 1)" 50 $N
}
if [ "$PAIRS" -gt 0 ]; then
	compare
else
	skip "latency while all are fetched" "STAPLER_PAIRS is 0"
fi

# ---- a restart without a responder -----------------------------------------

wait_for 60 quiet
stop_ktlsd >/dev/null
responder_stop
launch certs="$DIR/certs" ocsp='start_wait: 1s'
is "after a restart the first handshake with each has a valid one" \
	"$(each_once)" \
	"handshakes=$N valid=$N none=0 invalid=0 failed=0"
stop_ktlsd
is "it ends well" $? 0

#!/bin/bash
# SPDX-License-Identifier: MIT
# The first connection after a start: stapled, whatever became of the last ktlsd
# and of the responder; and what is waited for before there is one.
. "${0%/*}/staples.sh"
host_only "the first connection is stapled" || exit 0

N=24 # certificates that are refreshed all at once
make_staple_pki || bail "no certificates"
responder_start
make_leaves ca site -u "$RESPONDER_URL/site" &&
	make_leaves ca must -m -u "$RESPONDER_URL/must" &&
	make_leaves ca n%02d -n $N -u "$RESPONDER_URL/%d" || bail "no leaves"

# ms_to_ready - from the start, as the log's first line has it
ms_to_ready() {
	echo $(($(log_ms ready) - started_ms))
}
start_again() {
	started_ms=$(date +%s%3N)
	again
}
refused() { # does nothing listen? For wait_for, too.
	[ "$(stapled_once must.test)" = failed:Connection-refused ]
}

# ---- cold, and warm --------------------------------------------------------

# The consumer is there before, and so are clients, who try all the time. The
# responder takes its time.
up_with site staple=off
consume
stop_ktlsd
PORT=$(free_port)
conf_with site bind="127.0.0.1:$PORT" ocsp='start_wait: 1h'
responder_mode slow,pace=1
stapled_start early -n site.test -d 20 -r 100
early=$SPAWNED
start_again
wait_for 20 grep -qv Connection-refused "$DIR/early.lines"
nap 0.5 # for whole lines
stop "$early"
is "after a cold start the first connection is stapled" \
	"$(grep -v -m 1 Connection-refused "$DIR/early.lines" | field result)" \
	valid
check "before it there was none" grep -q Connection-refused "$DIR/early.lines"
is "by one request" "$(requests)" 1
is "as ktlsctl says" "$(staple_state site.test status) $(staple_state \
	site.test delivered)" "good yes"
stop_ktlsd

responder_mode silent
start_again
is "after a restart with a silent responder, too" \
	"$(stapled_once site.test)" valid
between "at once" "$(ms_to_ready)" 0 15000
is "nobody was asked for it" "$(requests)" 1
responder_stop
kill_ktlsd
start_again
is "and after kill -9 with none" "$(stapled_once site.test)" valid
is "without a complaint" "$(complaints)" ""
stop_ktlsd
responder_start -l "127.0.0.1:$RESPONDER_PORT"

# ---- killed while it writes ------------------------------------------------

STORE=$DIR/storm/ocsp
for n in $(seq -f %02g $N); do
	listed "n$n"
	echo "n$n.test" >>"$DIR/names"
done >"$DIR/certs"
config certs="$DIR/certs" state_dir="$DIR/storm" ocsp='per_host: 64' \
	ocsp='min_interval: 1s' ocsp='start_wait: 1h' >"$DIR/ktlsd.conf"

# all_stapled - is each one's first connection?
all_stapled() {
	local got
	got=$(stapled -f "$DIR/names" -v 1.3 | cut -d ' ' -f 1-2)
	[ "$got" = "handshakes=$N valid=$N" ] || echo "round $round: $got"
}
# stored - what is in the folder but one response for each
stored() {
	stored_all || echo "round $round: $COUNT responses"
	find "$STORE" -type f -printf '%f\n' | grep -vxE '[0-9a-f]{64}\.der'
}
stored_all() {
	count <(ls "$STORE") '^[0-9a-f]{64}\.der$'
	[ $COUNT = $N ]
}
# kill_all HOW - at a random moment, or when a file is being written
kill_all() {
	local all end=$((SECONDS + 5)) temp=()
	all="$KTLSD_PID $(descendants "$KTLSD_PID")"
	if [ "$1" = random ]; then
		nap "0.$((RANDOM % 9))$((RANDOM % 10))"
	else
		until temp=("$STORE"/*.tmp?) && [ -e "${temp[0]}" ] ||
			[ $SECONDS -gt $end ]; do :; done
	fi
	kill -KILL $all
	wait "$KTLSD_PID" 2>/dev/null
	for temp in $all; do
		wait_for 5 gone "$temp"
	done
}

responder_mode ok,for=600
start_again
spawn refresher bash -c "while :; do \"$B/ktlsctl\" -s \"$DIR/control.sock\" \
	refresh; sleep 0.05; done >/dev/null 2>&1"
refresher=$SPAWNED
round=0 left=0
bad=$(all_stapled)
wait_for 20 stored_all
for how in random written random written random written; do
	round=$((round + 1))
	: >"$RESPONDER_LOG"
	wait_for 20 requests_at_least $((2 * N))
	kill_all $how
	count <(ls "$STORE") '\.tmp.$'
	left=$((left + COUNT))
	responder_mode dead
	start_again
	bad+=$(all_stapled; stored
		complaints | grep -v event=staple_failing)
	responder_mode ok,for=600
done
echo "# $left temporary files were left"
is "killed while $N are refreshed and stored: each first one is stapled" \
	"$bad" ""
stop "$refresher"
kill_ktlsd
touch "$STORE/$(printf '%064d' 7).der.tmp3" "$STORE/foreign"
responder_mode dead
start_again
is "what a killed one left is removed, and nothing else" "$(stored)" foreign
stop_ktlsd

# ---- must: nobody is let in before -----------------------------------------

PORT=$(free_port)
responder_mode dead
conf_with must bind="127.0.0.1:$PORT" ocsp='start_wait: 1h'
: >"$RESPONDER_LOG"
spawn_ktlsd "$DIR/ktlsd.conf"
check "must: the responder is asked before there is a listener" \
	wait_for 20 requests_at_least 3 'path=/must'
check "nothing listens yet" refused
is "which ktlsctl explains" \
	"$(staple_state must.test policy) $(staple_state must.test status)" \
	"must none"
matches "with the reason" "$(staple_state must.test error)" \
	"127.0.0.1:$RESPONDER_PORT"
is "one may ask again" "$(ctl refresh)" "asked for 1 OCSP responses"
is "nor is it ready" "$(logged 'event=(ready|listening|start_wait_over)')" 0
: >"$RESPONDER_LOG"
responder_mode ok
wait_for 30 logs event=ready
is "it is with the response" "$(stapled_once must.test)" valid
answered_ms=$(sed -n 's/^ms=\([0-9]*\) .* mode=ok .*/\1/p' "$RESPONDER_LOG")
between "at once" $(($(log_ms ready) - answered_ms)) 0 5000
stop_ktlsd

rm -r "$DIR/state"
responder_mode silent
conf_with must bind="127.0.0.1:$PORT" ocsp='start_wait: 2s'
started_ms=$(date +%s%3N)
spawn_ktlsd "$DIR/ktlsd.conf"
wait_for 30 logs event=ready
between "without one it is after start_wait" "$(ms_to_ready)" 2000 15000
matches "with a warning" "$(complaints)" \
	'warn event=start_wait_over certificates=1 error="these have no OCSP response yet"'
matches "clients that ask for a staple are refused" \
	"$(stapled_once must.test)" 'failed:.*alert-internal-error'
stop_ktlsd

conf_with must bind="127.0.0.1:$PORT" ocsp='start_wait: 1h'
spawn_ktlsd "$DIR/ktlsd.conf"
wait_for 20 ctl staples
stop_ktlsd 20
is "SIGTERM ends the wait, and ktlsd" \
	"$? $(logged event=ready) $(logged event=stopped)" "0 0 1"

# ---- auto: one attempt -----------------------------------------------------

responder_mode dead
conf_with site ocsp='start_wait: 1h'
start_again
is "auto: an attempt that failed is enough to begin without" \
	"$(stapled_once site.test)" none
stop_ktlsd
responder_mode silent
conf_with site ocsp='start_wait: 2s'
start_again
between "one that does not end is waited for no longer than start_wait" \
	"$(ms_to_ready)" 2000 15000
is "which is said" "$(logged 'warn event=start_wait_over certificates=1 ')" 1
is "and it begins without" "$(stapled_once site.test)" none
stop_ktlsd
conf_with must ocsp='start_wait: 0s' ocsp='missing: serve'
start_again
is "start_wait: 0s does not wait for must either" \
	"$(stapled_once must.test)" none

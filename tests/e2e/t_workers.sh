#!/bin/bash
# SPDX-License-Identifier: MIT
# Workers: one stopped, one killed, all out of descriptors, all told to end.
. "${0%/*}/tools.sh"

# even - do N connections: is each worker's share within 20 % of an even one?
N=400 shares=() how=
# Where arithmetic is slow, with as little of it as can be.
! emulated || { N=200 how='-v 1.2 -r'; }
one='ktlsd_connections_accepted_total{worker="0"}'
other='ktlsd_connections_accepted_total{worker="1"}'
even() {
	local a=${M[$one]:-0} b=${M[$other]:-0}
	swarm -n $N -j 32 $how >"$DIR/swarm.log" || return
	counters
	a=$((${M[$one]} - a)) b=$((${M[$other]} - b))
	shares+=("$a and $b")
	[ $a -ge $((N * 2 / 5)) ] && [ $b -ge $((N * 2 / 5)) ]
}

up workers=2
consume
# Others want this machine too, and a round may be lost by that: most must be
# even, of up to five. Emulated machines have time for one good one.
rounds=0 good=0 wanted=3
! emulated || wanted=1
while [ $good -lt $wanted ] && [ $((rounds - good)) -le $((5 - wanted)) ]; do
	rounds=$((rounds + 1))
	! even || good=$((good + 1))
done
if [ $good = $wanted ]; then
	ok "workers share within 20 % (${shares[*]})"
else
	not_ok "workers share within 20 %" "${shares[@]}" \
		"$(cat "$DIR/swarm.log")"
fi

# Who has nothing to do sleeps.
read -r first second _ <<<"$(worker_pids)"
wakes() {
	awk '/^voluntary/ { n += $2 } END { print n }' "/proc/$first/status" \
		"/proc/$second/status"
}
sleep 1
before=$(wakes)
sleep 2
between "two idle workers wake so often in two seconds" \
	$(($(wakes) - before)) 0 20

# One worker stands still.
for stopped in $first $second; do
	kill -STOP "$stopped"
	line=$(swarm -n 60 -j 4 -v 1.2 -r -t 20000)
	kill -CONT "$stopped"
	matches "with a worker stopped nobody is stranded" "$line" \
		'^ok=60 failed=0 lost=0 '
	between "nor waits long" "$(field slowest_ms <<<"$line")" 0 \
		$(emulated && echo 5000 || echo 1000)
done
stop_ktlsd
stop "$CONSUMER"

# No descriptor is left for another connection.
name="out of descriptors, accepting pauses"
if root_or_skip "$name"; then
	up handshake_timeout=3s
	consume
	for worker in $(worker_pids); do
		used=$(ls "/proc/$worker/fd" | sort -n | tail -n 1)
		limit_nofile "$worker" $((used + 11))
	done
	held_swarm stalled -n 40 -s 3
	pid=$SPAWNED
	paused_or_bail stalled
	paused_accepting() {
		[ "$(metric 'ktlsd_accept_pauses_total{reason="descriptors"}')" -gt 0 ]
	}
	check "$name, counted" wait_for 20 paused_accepting
	before=$(cpu_ms $(worker_pids))
	sleep 1
	between "and does not use the CPU" \
		$(($(cpu_ms $(worker_pids)) - before)) 0 200
	# A relay needs two more: one that cannot get them is ended, logged.
	name="an honest client waits, but is served"
	if ktls_or_skip "$name"; then
		line=$(client --timeout 25000 --get 1000)
		matches "$name" "$line" 'result=ok '
	fi
	matches "nobody was dropped silently" "$(ends stalled "$pid" 40)" \
		'^closed=40 open=0 '
	matches "it has recovered" "$(client --get 1000)" 'result=ok '
	stop_ktlsd
	stop "$CONSUMER"
fi

host_only "workers and ktlsd end in order" || exit 0
up workers=2
consume
# One dies, again and again: each new one comes a little later.
restarted() { # N
	[ "$(metric ktlsd_worker_restarts_total)" = "$1" ] &&
		[ "$(worker_pids | wc -w)" = 2 ]
}
victim=$(worker_pids | awk '{ print $1 }')
for n in 1 2 3 4; do
	begun=${EPOCHREALTIME/./}
	kill -KILL "$victim"
	matches "death $n: the other worker serves" "$(client --get 1000)" \
		'result=ok '
	check "death $n: a new one is started" wait_for 20 restarted $n
	took=$(((${EPOCHREALTIME/./} - begun) / 1000))
	[ $n -gt 1 ] || first_took=$took
	victim=$(worker_pids | tr ' ' '\n' | sort -n | tail -n 1)
done
between "the fourth waits longer than the first ($first_took ms)" \
	$took $((first_took + 100)) 20000
matches "all is well after that" "$(swarm -n 40 -j 8)" '^ok=40 failed=0 '
stop_ktlsd
stop "$CONSUMER"

# SIGTERM.
refuses() {
	! (exec 9<>"/dev/tcp/127.0.0.1/$PORT")
}
up handshake_timeout=20s
consume
held_client late --version 1.3 --late --get 100000
pid=$SPAWNED
paused_or_bail late
kill -TERM "$KTLSD_PID"
check "at SIGTERM accepting stops" wait_for 20 refuses
check_fails "a handshake in flight holds ktlsd up" gone "$KTLSD_PID"
release late
matches "it is finished, and handed off" "$(ends late "$pid")" 'result=ok '
check "then ktlsd ends" wait_for 20 gone "$KTLSD_PID"
wait "$KTLSD_PID"
is "with status 0" $? 0
stop "$CONSUMER"

up handshake_timeout=2s
consume
held_swarm silent -n 3 -s 5
paused_or_bail silent
begun=$SECONDS
stop_ktlsd 10
is "one that never finishes does not, beyond its deadline" \
	"$? $((SECONDS - begun < 6))" "0 1"
stop "$CONSUMER"

up ktls=off drain_timeout=15s
consume
held_client relayed --get 4M --pause 1M
pid=$SPAWNED
paused_or_bail relayed
kill -TERM "$KTLSD_PID"
wait_for 20 refuses
release relayed
matches "a relayed transfer is finished after SIGTERM" \
	"$(ends relayed "$pid")" 'result=ok .*end=close_notify'
check "then ktlsd ends" wait_for 30 gone "$KTLSD_PID"
stop "$CONSUMER"

up ktls=off drain_timeout=1s
consume
held_client stuck --get 64M --pause 1M
paused_or_bail stuck
begun=$SECONDS
stop_ktlsd 10
is "but it is given no more than drain_timeout" \
	"$? $((SECONDS - begun < 5))" "0 1"
stop "$CONSUMER"

# Nobody takes what was handshaken: that, too, ends with the drain timeout.
up drain_timeout=1s queue=4
held_swarm swarm -n 20 -j 20
waits() {
	[ "$(metric ktlsd_queue_waits_total)" -ge 20 ]
}
wait_for 20 waits
begun=$SECONDS
stop_ktlsd 10
is "connections that wait for a consumer end with it as well" \
	"$? $((SECONDS - begun < 5))" "0 1"

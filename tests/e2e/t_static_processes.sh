#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-static: its processes, as an example of a consumer that lives on.
. "${0%/*}/tools.sh"

host_only "ktls-static's processes" || exit 0
mkdir "$DIR/root"
echo hello >"$DIR/root/small"
head -c 30000000 /dev/zero >"$DIR/root/big"
get() {
	curl -sS --max-time 20 --resolve "localhost:$PORT:127.0.0.1" \
		--cacert "$PKI/ca.pem" "https://localhost:$PORT/$1" "${@:2}"
}
served() {
	[ "$(get small)" = hello ]
}
said() {
	grep -q "$1" "$DIR/static.log"
}
workers() {
	cat "/proc/$STATIC/task/$STATIC/children"
}
workers_are() {
	[ "$(workers | wc -w)" = "$1" ]
}

"$B/ktls-static" --root / 2>/dev/null
is "usage: exit 100" $? 100
"$B/ktls-static" --queue "$DIR/web.sock" --root "$DIR/none" 2>/dev/null
is "no such root: exit 1" $? 1

spawn static "$B/ktls-static" --queue "$DIR/web.sock" --root "$DIR/root" \
	--workers 2
STATIC=$SPAWNED
check "waits for ktlsd" wait_for 5 said 'waiting for it'
up
check "and finds it" wait_for 5 served
is "says once that it waits" "$(grep -c waiting "$DIR/static.log")" 1

# A worker that dies is replaced, and nothing is lost meanwhile.
kill -KILL $(workers | cut -d' ' -f1)
check "served with one worker dead" served
check "a dead worker is replaced" wait_for 5 workers_are 2

# No worker holds what only the registrar may.
for pid in $(workers); do
	shared=0
	for fd in /proc/$STATIC/fd/*; do
		link=$(readlink "$fd")
		case $link in socket:*)
			readlink "/proc/$pid"/fd/* 2>/dev/null |
				grep -qxF "$link" && shared=$((shared + 1)) ;;
		esac
	done
	is "a worker shares the read end and no other socket" $shared 1
done

# At the descriptor limit: nothing is destroyed, and nothing spins.
before=$(workers)
for pid in $before; do
	prlimit --pid "$pid" --nofile="$(($(ls "/proc/$pid/fd" | wc -l) + 1)):"
done
idle=()
sent=$(metric ktlsd_handed_off_total)
for i in {1..6}; do
	spawn "idle-$i" openssl s_client -connect "127.0.0.1:$PORT" -ign_eof
	idle+=("$SPAWNED")
done
check "6 clients are handed over" wait_for 30 \
	metric_is ktlsd_handed_off_total $((sent + 6))
used=$(cpu_ms $before)
sleep 1
between "does not spin at the descriptor limit" \
	$(($(cpu_ms $before) - used)) 0 200
for pid in "${idle[@]}"; do
	kill "$pid"
done
check "serves again when there is room" wait_for 5 served
for pid in $before; do
	prlimit --pid "$pid" --nofile=1024:
done
is "with the same workers" "$(workers)" "$before"

# The next ktlsd gets the queue.
kill_ktlsd
check "notices that ktlsd is gone" wait_for 5 said 'is gone'
up
check "registers with the next one" wait_for 5 served

# SIGTERM lets a download end, serves who has connected and who waits in the
# queue, and takes nothing new.
sent=$(metric ktlsd_handed_off_total)
get big --limit-rate 15M >"$DIR/got" &
download=$!
wait_for 5 test -s "$DIR/got"
{
	nap 2
	printf 'GET /small HTTP/1.0\r\n\r\n'
} | openssl s_client -quiet -connect "127.0.0.1:$PORT" >"$DIR/late.log" 2>&1 &
late=$!
check "one downloads, and one has not asked yet" wait_for 10 \
	metric_is ktlsd_handed_off_total $((sent + 2))
kill -STOP $(workers)
get small >"$DIR/queued" &
waits=$!
check "one waits in the queue" wait_for 10 \
	metric_is ktlsd_handed_off_total $((sent + 3))
stopped=$(workers)
kill -TERM "$STATIC"
kill -CONT $stopped
wait_for 30 gone "$STATIC"
wait "$STATIC"
is "SIGTERM: exit 0" $? 0
wait "$waits"
is "SIGTERM: who waits in the queue is served" "$(cat "$DIR/queued")" hello
wait "$late"
matches "SIGTERM: so is who asks a moment later" "$(cat "$DIR/late.log")" \
	'^hello$'
wait "$download"
is "SIGTERM: a download ends well" $? 0
check "SIGTERM: and is whole" cmp "$DIR/got" "$DIR/root/big"
check "SIGTERM: the registration is over" wait_for 5 \
	metric_is 'ktlsd_registrations{route="web"}' 0

# Nobody serves on without a registrar.
spawn static "$B/ktls-static" --queue "$DIR/web.sock" --root "$DIR/root" \
	--workers 2
STATIC=$SPAWNED
check "another one takes over" wait_for 5 served
orphans=$(workers)
stop "$STATIC" KILL
check "kill -9: ktlsd knows" wait_for 5 \
	metric_is 'ktlsd_registrations{route="web"}' 0
for pid in $orphans; do
	check "kill -9: a worker ends too" wait_for 5 gone "$pid"
done
# They were handed to init, which may take its time to collect them.
for pid in $orphans; do
	wait_for 10 test ! -e "/proc/$pid"
done

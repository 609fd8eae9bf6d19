#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-run: what it refuses, what the server gets, and its life with ktlsd.
. "${0%/*}/tools.sh"
. "$E2E/servers.sh"

host_only "ktls-run starts and ends servers" || exit 0
run=$B/ktls-run

# ---- the command line ------------------------------------------------------

says "no option" 100 '^ktls-run: --queue is missing$'
matches "usage is shown" "$("$run" 2>&1)" \
	'^usage: ktls-run --queue PATH \[--fd N\] \[--preload'
says "an unknown option" 100 '^ktls-run: --what: no such option$' --what
says "no path" 100 '^ktls-run: --queue: something is missing' --queue
says "an empty path" 100 'the path is empty' --queue '' -- true
says "no command" 100 'the command is missing' --queue "$web" --
says "--fd before a queue" 100 '--fd belongs behind the --queue' --fd 4
says "--preload before a queue" 100 'belongs behind the --queue' --preload
for bad in x -1 2 256 3x 99999999999999999999 ''; do
	says "--fd '$bad'" 100 "no number from 3 to 255" \
		--queue "$web" --fd "$bad" -- true
done
says "one --fd for two" 100 '--fd 5 is given twice' --queue a --fd 5 \
	--queue b --fd 5 -- true
says "two --fd for one" 100 '--fd is given twice for a$' --queue a --fd 5 \
	--fd 6 -- true
says "--port alone" 100 'nothing without --preload' --queue a --port 80 -- true
says "--port 65536" 100 'no number from 1 to 65535' --queue a --preload \
	--port 65536 -- true
says "two to preload" 100 'each needs a --port' --queue a --preload \
	--queue b --preload -- true
many=()
for i in {1..17}; do
	many+=(--queue "$i")
done
says "17 queues" 100 'more than 16 queues' "${many[@]}" -- true

# ---- no ktlsd, or one that refuses -----------------------------------------

says "a path that is too long" 111 'File name too long' \
	--queue "$DIR/$(printf %0120d 0)" -- true
python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
s.listen()
while True:
	s.accept()[0].send(b"HTTP/1.0 400")' "$DIR/other.sock" &
PIDS+=($!)
wait_for 10 test -S "$DIR/other.sock"
says "not ktlsd" 111 'is not ktlsd' --queue "$DIR/other.sock" -- true
waits() {
	rm -f "$DIR/waits.log"
	spawn waits "$run" --queue "$web" --preload -- echo "started"
	WAITS=$SPAWNED
	wait_for 10 holds "$DIR/waits.log" "no ktlsd has $web open: waiting for it"
}
if library_or_skip "who waits for ktlsd"; then
	waits
	is "without ktlsd it says that it waits" $? 0
	stop "$WAITS"
	is "SIGTERM ends the wait" $? 143
	waits
fi
says "without the library the server is started at once" 0 '^started' \
	--queue "$web" -- echo started

up route='mode: 0666' route='allow_uids: [0]'
if [ -n "${WAITS:-}" ]; then
	wait "$WAITS"
	is "it starts the server when ktlsd comes" \
		"$? $(grep -c '^started' "$DIR/waits.log")" "0 1"
fi
if root_or_skip "a user that may not"; then
	out=$(setpriv --reuid=65534 --regid=65534 --clear-groups "$run" \
		--queue "$web" -- true 2>&1)
	is "a user that may not: status" $? 111
	matches "a user that may not" "$out" '^ktls-run: .*uid 65534.*allow_uids'
fi

# ---- what the server is -----------------------------------------------------

says "a command that is not there" 127 '^ktls-run: /no/such: No such file' \
	--queue "$web" -- /no/such
echo x >"$DIR/plain"
says "a command that is no program" 126 'plain: Permission denied' \
	--queue "$web" -- "$DIR/plain"
says "a server's status is ktls-run's" 7 'serving' --queue "$web" -- \
	sh -c 'exit 7'
says "a killed one's is as a shell has it" 137 'serving' --queue "$web" -- \
	sh -c 'kill -9 $$'

spawn deaf python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execvp(sys.argv[1], sys.argv[1:])' "$run" --queue "$web" -- sh -c 'exit 7'
wait_for 10 gone "$SPAWNED" || stop "$SPAWNED"
wait "$SPAWNED"
is "even where it was started not to hear of children" $? 7
out=$(ulimit -n 8; ASAN_OPTIONS=detect_leaks=0 timeout 20 "$run" \
	--queue "$web" -- true 2>&1) # who looks for leaks needs more
is "few descriptors: status" $? 111
matches "few descriptors" "$out" '^ktls-run: .*Too many open files'
"$run" --queue "$web" -- true 2>&- </dev/null
is "no standard error" $? 0

# Which descriptors it has; the shell's own 255 is not one of them.
fds='cd /proc/self/fd; for f in *; do [ $f -lt 3 ] || [ ! -S $f ] || echo $f; done
	echo $LISTEN_FDS $LISTEN_FDNAMES $KTLS_HOLD_MS \
		$((LISTEN_PID ? $$ - LISTEN_PID : 99))'
got() { # ARG... - what the server says, in a line
	local lines
	mapfile -t lines < <("$run" "$@" -- bash -c "$fds" 2>/dev/null)
	echo "${lines[*]}"
}
is "the server gets the queue at 3, and its read end only" \
	"$(got --queue "$web")" '3 1 web 30000 0'
is "or elsewhere, which LISTEN_FDS cannot say" \
	"$(got --queue "$web" --fd 7)" '7 99'
is "several" "$(got --queue "$web" --fd 4 --queue "$web" --queue "$web")" \
	'3 4 5 3 web:web:web 30000:30000:30000 0'
is "LISTEN_FDS of another is not passed on" \
	"$(LISTEN_FDS=3 LISTEN_PID=$$ got --queue "$web" --fd 7)" '7 99'
# ---- signals ----------------------------------------------------------------

cat >"$DIR/server.py" <<'END'
import os, signal, sys
def say(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    if number == signal.SIGQUIT:
        sys.exit(3)
for name in ("HUP", "INT", "USR1", "USR2", "WINCH", "QUIT"):
    signal.signal(getattr(signal, "SIG" + name), say)
print("up", os.getpid(), flush=True)
while True:
    signal.pause()
END
serve() {
	rm -f "$DIR/server.log"
	spawn server "$run" --queue "$web" -- python3 "$DIR/server.py"
	wait_for 20 holds "$DIR/server.log" '^up' || bail "it did not start"
	server=$(sed -n 's/^up //p' "$DIR/server.log")
}
serve
for name in HUP INT USR1 USR2 WINCH; do
	kill -$name "$SPAWNED"
	check "SIG$name is passed on" wait_for 10 holds "$DIR/server.log" \
		"^got SIG$name"
done
stop "$SPAWNED" QUIT
is "and the server's status comes back" $? 3
check "its registration is over" wait_for 10 metric_is ktlsd_registrations 0
serve
stop "$SPAWNED"
is "SIGTERM ends server and ktls-run" $? 143
serve
stop "$SPAWNED" KILL
check "a server whose ktls-run is killed gets SIGTERM" wait_for 10 gone "$server"

# A daemon: its first process ends well, another goes on.
spawn daemon "$run" --queue "$web" -- \
	bash -c '(echo up; exec sleep 60) & until read -t 0.1; do exit 0; done'
check "a server may become a daemon" wait_for 10 metric_is ktlsd_registrations 1
wait_for 10 holds "$DIR/daemon.log" '^up'
nap 0.3
is "ktls-run stays" "$(gone "$SPAWNED"; echo $?) $(metric ktlsd_registrations)" \
	'1 1'
stop "$SPAWNED"
is "and its end is ktls-run's" $? 0
spawn crash "$run" --queue "$web" -- bash -c 'sleep 60 & echo $!; exit 9'
wait "$SPAWNED"
is "after a failure ktls-run does not stay" $? 9
check "and ends what is left" wait_for 10 gone "$(head -n 1 "$DIR/crash.log")"

# ---- ktlsd comes and goes -----------------------------------------------------

serve
pid=$SPAWNED
kill_ktlsd
check "it says when ktlsd is gone" wait_for 10 holds "$DIR/server.log" \
	"$web: ktlsd is gone: waiting for it"
start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start again"
check "and when it is registered again" wait_for 10 holds "$DIR/server.log" \
	"$web: registered\$"
is "it is" "$(metric ktlsd_registrations)" 1
python3 -c 'import os, socket, sys
fd = os.pidfd_open(int(sys.argv[1]))
import ctypes
queue = ctypes.CDLL(None, use_errno=True).syscall(438, fd, 3, 0)
socket.socket(fileno=queue).shutdown(socket.SHUT_RDWR)' "$server"
PORT=$(port_of web)
client --get 10 --timeout 500 >"$DIR/client.log" # ktlsd sees it when it sends
wait_for 20 gone "$pid" || stop "$pid" KILL
wait "$pid"
is "a queue that somebody shut down ends it" $? 111
matches "it says so" "$(<"$DIR/server.log")" 'the queue was shut down'

#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-run: what it refuses, what the server gets, and its life with ktlsd.
. "${0%/*}/tools.sh"

host_only "ktls-run starts and ends servers" || exit 0
run=$B/ktls-run
web=$DIR/web.sock

# says NAME STATUS REGEX ARG... - how ktls-run ends, and what it says
says() {
	local name=$1 status=$2 regex=$3 out rc
	shift 3
	out=$(timeout 20 "$run" "$@" 2>&1 </dev/null)
	rc=$?
	is "$name: status" $rc "$status"
	matches "$name" "$out" "$regex"
}

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
spawn waits "$run" --queue "$web" --preload -- echo "started"
pid=$SPAWNED
check "without ktlsd it says that it waits" wait_for 10 holds \
	"$DIR/waits.log" "no ktlsd has $web open: waiting for it"
stop "$pid"
is "SIGTERM ends the wait" $? 143
says "without the library the server is started at once" 0 '^started' \
	--queue "$web" -- echo started
rm -f "$DIR/waits.log"
spawn waits "$run" --queue "$web" --preload -- echo "started"
pid=$SPAWNED
wait_for 10 holds "$DIR/waits.log" 'waiting for it'

up route='mode: 0666' route='allow_uids: [0]'
wait "$pid"
is "it starts the server when ktlsd comes" \
	"$? $(grep -c '^started' "$DIR/waits.log")" "0 1"
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

# Which descriptors it has; the shell's own 255 is not one of them.
fds='cd /proc/self/fd; for f in *; do [ $f -lt 3 ] || [ ! -S $f ] || echo $f; done
	echo $LISTEN_FDS $LISTEN_FDNAMES $((LISTEN_PID ? $$ - LISTEN_PID : 99))'
got() { # ARG... - what the server says, in a line
	local lines
	mapfile -t lines < <("$run" "$@" -- bash -c "$fds" 2>/dev/null)
	echo "${lines[*]}"
}
is "the server gets the queue at 3, and its read end only" "$(got --queue "$web")" '3 1 web 0'
is "or elsewhere, which LISTEN_FDS cannot say" \
	"$(got --queue "$web" --fd 7)" '7 99'
is "several" "$(got --queue "$web" --fd 4 --queue "$web" --queue "$web")" \
	'3 4 5 3 web:web:web 0'
is "LISTEN_FDS of another is not passed on" \
	"$(LISTEN_FDS=3 LISTEN_PID=$$ got --queue "$web" --fd 7)" '7 99'
# ---- with the library --------------------------------------------------------

# refuses NAME REGEX PROGRAM... - it must not be started at all
refuses() {
	rm -f "$DIR/ran"
	says "$1" 126 "^ktls-run: $2" --queue "$web" --preload -- "${@:3}"
	is "$1: it did not run" "$(cat "$DIR/ran" 2>/dev/null)" ''
}
mkdir "$DIR/bin"
ran=$DIR/ran
cp "$(command -v busybox)" "$DIR/bin/static"
refuses "a static program" '.*/static is linked statically: it ignores LD_P' \
	"$DIR/bin/static" touch "$ran"
printf '#!%s sh\ntouch %s\n' "$DIR/bin/static" "$ran" >"$DIR/bin/script"
printf '#! %s\n' "$DIR/bin/script" >"$DIR/bin/script2"
chmod 755 "$DIR/bin"/script*
refuses "a script of one" '.*/static is linked statically' "$DIR/bin/script"
refuses "a script of such a script" '.*/static is linked statically' \
	"$DIR/bin/script2"
printf '#!/no/such\n' >"$DIR/bin/script3"
chmod 755 "$DIR/bin/script3"
says "a script of nothing" 127 '^ktls-run: .*script3: No such file' \
	--queue "$web" --preload -- "$DIR/bin/script3"
cp "$(command -v touch)" "$DIR/bin/setid"
chmod 4755 "$DIR/bin/setid"
refuses "a set-id program" '.*/setid is set-id: it ignores' "$DIR/bin/setid" "$ran"
chmod 2755 "$DIR/bin/setid"
refuses "a program with a group's rights" '.*/setid is set-id' \
	"$DIR/bin/setid" "$ran"
cp "$(command -v touch)" "$DIR/bin/capable"
if root_or_skip "file capabilities" &&
	python3 -c 'import os, struct, sys
os.setxattr(sys.argv[1], "security.capability",
	struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))' "$DIR/bin/capable"; then
	refuses "a program with file capabilities" \
		'.*/capable has file capabilities' "$DIR/bin/capable" "$ran"
fi
head -c 50 "$DIR/bin/static" >"$DIR/bin/short"
chmod 755 "$DIR/bin/short"
says "a program cut short" 126 'short' --queue "$web" --preload -- \
	"$DIR/bin/short"
says "a command that is not there, with the library" 127 \
	'no/such: No such file' --queue "$web" --preload -- /no/such
refuses "a shell that becomes a static program" \
	'.*/static is linked statically' \
	sh -c "exec $DIR/bin/static touch $ran"

# Programs in which the library does not come to say that it is there: one whose
# loader is slow, and one that has ended before.
cat >"$DIR/slow.c" <<'END'
#include <unistd.h>
__attribute__((constructor)) static void begin(void)
{
	sleep(SECONDS);
	_exit(SECONDS ? 0 : 4);
}
END
for seconds in 30 0; do
	gcc -shared -fPIC -DSECONDS=$seconds -o "$DIR/slow$seconds.so" \
		"$DIR/slow.c"
	# What is needed is initialised before who needs it, and before us.
	echo 'int main(void) { return 0; }' >"$DIR/main.c"
	gcc -o "$DIR/bin/slow$seconds" "$DIR/main.c" -Wl,--no-as-needed \
		"$DIR/slow$seconds.so"
done
begun=${EPOCHREALTIME/./}
out=$("$run" --queue "$web" --preload -- "$DIR/bin/slow30" 2>&1)
is "a program that does not load it in 5 s: status" $? 126
matches "a program that does not load it in 5 s" "$out" \
	'slow30 did not load the library within 5 s: killed'
between "after these" $(((${EPOCHREALTIME/./} - begun) / 1000)) 4900 8000
says "a program that ends before" 4 'ended before the library was loaded' \
	--queue "$web" --preload -- "$DIR/bin/slow0"

# Nothing listens in plaintext: a server that lost the queue, or has no place.
port=$(free_port)
cat >"$DIR/closes.py" <<'END'
import ctypes, os, socket, sys
if sys.argv[2] == "behind":	# past every library
    libc = ctypes.CDLL(None)
    # No close(2) but the kernel's own: code of our own that calls it.
    import mmap
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(b"\x48\xc7\xc0\x03\0\0\0\x0f\x05\xc3")
    close = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)(
        ctypes.addressof(ctypes.c_char.from_buffer(code)))
    for fd in range(3, 200):
        close(fd)
else:
    os.close(3)
s = socket.socket()
try:
    s.bind(("127.0.0.1", int(sys.argv[1])))
    s.listen()
    print("listens", s.getsockname()[1], flush=True)
except OSError as e:
    print("refused", e.strerror, flush=True)
END
closes() {
	"$run" --queue "$web" --preload --port "$port" -- python3 \
		"$DIR/closes.py" "$port" "$1" 2>&1
}
matches "a server that closes descriptor 3 has lost nothing" \
	"$(closes three)" "^listens $port"
if [ "$(uname -m)" = x86_64 ]; then
	out=$(closes behind)
	matches "one that closes it behind our back does not listen" "$out" \
		'^refused Address already in use'
	matches "and is told why" "$out" "^ktls-run: port $port: the queue at \
descriptor 3 was closed, nothing listens"
fi
matches "another port than --port is the server's own" "$("$run" --queue "$web" \
	--preload --port 1 -- python3 "$DIR/closes.py" "$port" three 2>&1)" \
	"^listens $port"

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

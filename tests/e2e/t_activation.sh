#!/bin/bash
# SPDX-License-Identifier: MIT
# A service manager gives the sockets and hears how it goes.
. "${0%/*}/tools.sh"
host_only "a service manager's sockets" || exit 0

notified() { # REGEX - for wait_for
	holds "$DIR/notified.log" "$1"
}
spawn notified python3 "$E2E/notified.py" "$DIR/notify"
wait_for 30 notified ^listening || bail "no python3?"
export NOTIFY_SOCKET=$DIR/notify

# given SOCKET... - a command that starts the next ktlsd with them
given() {
	KTLSD_BY=(python3 "$E2E/given.py" "$@" --)
}

# ---- sockets ---------------------------------------------------------------

FIXED=$(free_port)
OTHER=$(free_port)
given "udp:127.0.0.1:$OTHER" "127.0.0.1:$FIXED" "bound:127.0.0.1:$OTHER" \
	"unix:$DIR/tls.sock" "127.0.0.2:$FIXED"
cat >"$DIR/more" <<END
  - {bind: "unix:$DIR/tls.sock", route: web}
  - {bind: "127.0.0.3:$FIXED", route: web}
END
up bind="127.0.0.1:$FIXED" listeners="$DIR/more" \
	route='no_consumer: refuse'
PORT=$FIXED
log=$(<"$KTLSD_LOG")
matches "a listener takes the socket of its address" "$log" \
	"event=socket_inherited bind=127.0.0.1:$FIXED"
matches "so does one on a Unix socket" "$log" \
	"event=socket_inherited bind=unix:$DIR/tls.sock"
matches "one without binds, and is down" "$log" \
	"event=listener_down bind=127.0.0.3:$FIXED"
matches "datagrams are refused" "$log" \
	'event=socket_refused descriptor=3 error="it is no stream socket"'
matches "so is what does not listen" "$log" \
	'event=socket_refused descriptor=5 error="it does not listen"'
matches "what no listener wants is named" "$log" \
	"event=socket_unused bind=127.0.0.2:$FIXED descriptor=7"
check_fails "and closed" "$TOOLS/raw" "127.0.0.2:$FIXED" -t 1000
is "without a consumer it is not shut" "$(ss -lnt "sport = :$FIXED" |
	grep -c 127.0.0.1:)" 1
environ=$(tr '\0' '\n' <"/proc/$KTLSD_PID/environ" | grep -c ^LISTEN_)
is "(the launcher did set the environment)" "$environ" 3
consume
matches "clients are served" "$(client --get 1000)" 'result=ok '

# ---- what is told ----------------------------------------------------------

check "it says that it is ready" \
	wait_for 10 notified "^pid=$KTLSD_PID READY=1$"
kill -HUP "$KTLSD_PID"
check "a reload is said to begin" wait_for 10 notified \
	"^pid=$KTLSD_PID RELOADING=1 MONOTONIC_USEC=[0-9]+$"
two_ready() {
	count "$DIR/notified.log" "^pid=$KTLSD_PID READY=1$"
	[ $COUNT = "$1" ]
}
check "and to be over" wait_for 10 two_ready 2
matches "clients are served by the same socket" "$(client --get 1000)" \
	'result=ok '
echo nonsense >>"$DIR/ktlsd.conf"
kill -HUP "$KTLSD_PID"
check "one that fails is over, too" wait_for 10 two_ready 3
sed -i '$d' "$DIR/ktlsd.conf"

# ---- a new program -----------------------------------------------------------

old=$KTLSD_PID
answer=$("$B/ktlsctl" -s "$DIR/control.sock" upgrade 2>&1)
matches "another one takes over" "$answer" '^ok pid=[0-9]+$'
KTLSD_PID=${answer#ok pid=}
PIDS+=("$KTLSD_PID")
check "the old one says so" wait_for 10 notified \
	"^pid=$old READY=1 MAINPID=$KTLSD_PID$"
wait_for 20 gone "$old"
wait "$old"
is "and ends" $? 0
matches "clients are served by the same socket still" \
	"$(client --get 1000)" 'result=ok '
kill -HUP "$KTLSD_PID"
check "now that one speaks" wait_for 10 two_ready 1
stop "$CONSUMER"
kill "$KTLSD_PID"
check "and ends when it is told to" wait_for 20 gone "$KTLSD_PID"
check "and said so before" wait_for 10 notified "^pid=$KTLSD_PID STOPPING=1$"
check "the Unix socket's file stays, it is the manager's" \
	test -S "$DIR/tls.sock"

# ---- somebody else's launcher ----------------------------------------------

if command -v systemd-socket-activate >"$DIR/which"; then
	unset NOTIFY_SOCKET
	KTLSD_BY=(systemd-socket-activate -E PATH -l "127.0.0.1:$FIXED")
	config bind="127.0.0.1:$FIXED" >"$DIR/ktlsd.conf"
	spawn_ktlsd "$DIR/ktlsd.conf"
	wait_for 10 holds "$KTLSD_LOG" 'Listening on'
	# Which starts it, and is its first connection.
	spawn first "$TOOLS/client" --ca "$PKI/ca.pem" --timeout 30000 \
		--get 1000 "127.0.0.1:$FIXED"
	FIRST=$SPAWNED
	wait_for 20 ready_or_gone
	consume
	matches "systemd-socket-activate's first client is served" \
		"$(ends first "$FIRST")" 'result=ok '
	matches "and the next one" "$(client --get 1000)" 'result=ok '
else
	skip "systemd-socket-activate starts it" "it is not installed"
fi

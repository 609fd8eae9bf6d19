# SPDX-License-Identifier: MIT
#
# tools.sh - the vocabulary of the t_*.sh: source it instead of lib.sh
#
# A scene is one ktlsd (`up`), one consumer (`consume`) and clients.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
TOOLS=$B/tests
CONSUMERS=0

# up KEY=VALUE... - configure, start and wait; sets PORT. See config in lib.sh.
up() {
	config "$@" >"$DIR/ktlsd.conf"
	start_ktlsd "$DIR/ktlsd.conf" ||
		bail "ktlsd did not start" "$(tail -n 5 "$KTLSD_LOG")"
	PORT=$(port_of web)
}

# consume OPTION... - start the test consumer on route web and wait until all
# its processes serve; sets CONSUMER (its registrar) and CONSUMER_LOG
consume() {
	local procs=1
	[ "${1:-}" != -n ] || procs=$2
	CONSUMERS=$((CONSUMERS + 1))
	CONSUMER_LOG=$DIR/consumer-$CONSUMERS.log
	spawn "consumer-$CONSUMERS" "$TOOLS/consumer" "$@" "$DIR/web.sock"
	CONSUMER=$SPAWNED
	wait_for 10 serving $procs || bail "the consumer did not start" \
		"$(cat "$CONSUMER_LOG")"
}
serving() {
	[ "$(grep -c event=serving "$CONSUMER_LOG")" = "$1" ]
}

# servers - the pids of the consumer's serving processes
servers() {
	sed -n 's/^event=serving pid=//p' "$CONSUMER_LOG"
}

# events WHAT - how many lines of the consumer's log match event=WHAT
events() {
	grep -cE "^event=$1" "$CONSUMER_LOG"
}
events_are() { # WHAT N - for wait_for
	[ "$(events "$1")" = "$2" ]
}

# field KEY - the value of KEY=... in standard input's first line that has it
field() {
	grep -oE -m1 "(^| )$1=[^ ]*" | sed "s/^ *$1=//"
}

# client, client12, swarm, raw ARG... - against our ktlsd
client() {
	"$TOOLS/client" --ca "$PKI/ca.pem" "$@" "127.0.0.1:$PORT"
}
client12() {
	"$TOOLS/client12" --ca "$PKI/ca.pem" "$@" "127.0.0.1:$PORT"
}
swarm() {
	"$TOOLS/swarm" "$@" "127.0.0.1:$PORT"
}
raw() {
	"$TOOLS/raw" "$1" "127.0.0.1:$PORT"
}

# held NAME COMMAND... - as spawn, but the program can wait for `release NAME`;
# its output is in $DIR/NAME.log. For programs, not for functions of ours.
held() {
	local name=$1
	shift
	mkfifo "$DIR/$name.in"
	"$@" >"$DIR/$name.log" 2>&1 <>"$DIR/$name.in" &
	SPAWNED=$!
	PIDS+=("$SPAWNED")
}
held_client() { # NAME ARG...
	local name=$1
	shift
	held "$name" "$TOOLS/client" --ca "$PKI/ca.pem" --timeout 30000 "$@" \
		"127.0.0.1:$PORT"
}
held_swarm() { # NAME ARG...
	local name=$1
	shift
	held "$name" "$TOOLS/swarm" "$@" "127.0.0.1:$PORT"
}
release() {
	echo >"$DIR/$1.in"
}
# paused NAME - for wait_for; paused_or_bail NAME waits 30 s
paused() {
	grep -q '^paused' "$DIR/$1.log"
}
paused_or_bail() {
	wait_for 30 paused "$1" || bail "$1 got nowhere" "$(cat "$DIR/$1.log")"
}

# ends NAME PID [SECONDS] - wait for its end; its last line of output
ends() {
	wait_for "${3:-30}" gone "$2" || kill -KILL "$2" 2>/dev/null
	wait "$2" 2>/dev/null
	tail -n 1 "$DIR/$1.log"
}

# in_ktls - connections on PORT's server side that the kernel says are in kTLS
# both ways, by sock_diag
in_ktls() {
	ss -tieHnO state established "sport = :$PORT" |
		grep -c 'tcp-ulp-tls.* rxconf: sw txconf: sw'
}

# worker_pids - of the running ktlsd
worker_pids() {
	cat "/proc/$KTLSD_PID/task/$KTLSD_PID/children"
}

# cpu_ms PID... - CPU time used so far, in milliseconds
cpu_ms() {
	local pid sum=0
	for pid; do
		sum=$((sum + $(awk '{ print int($1 / 1000000) }' \
			"/proc/$pid/schedstat")))
	done
	echo $sum
}

# balanced - each of two workers' share of the connections is within 20 % of
# an even one
balanced() {
	local shares a b
	shares=$("$B/ktlsctl" -s "$DIR/control.sock" metrics |
		awk '/^ktlsd_connections_accepted_total/ { printf "%d ", $2 }')
	read -r a b _ <<<"$shares"
	between "the workers share within 20 % ($a, $b)" \
		$((100 * a / (a + b))) 40 60
}

# limit_nofile WORKER N - lower a worker's descriptor limit, as its own user
limit_nofile() {
	setpriv --reuid=65534 --regid=65534 --clear-groups \
		prlimit --pid "$1" --nofile="$2:$2"
}

# between NAME VALUE LOW HIGH
between() {
	if [ "$2" -ge "$3" ] && [ "$2" -le "$4" ] 2>/dev/null; then
		ok "$1"
	else
		not_ok "$1" "got $2, expected $3 to $4"
	fi
}

# host_only - does this machine run natively? Emulated ones leave out what
# has nothing to do with their kernel.
host_only() {
	! grep -qs 'QEMU' /sys/class/dmi/id/sys_vendor /proc/cpuinfo
}

root_or_skip() { # NAME
	[ "$(id -u)" = 0 ] && return
	skip "$1" "needs root"
	return 1
}

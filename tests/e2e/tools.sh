# SPDX-License-Identifier: MIT
#
# tools.sh - the vocabulary of the t_*.sh: source it instead of lib.sh
#
# A scene is one ktlsd (`up`), one consumer (`consume`) and clients.

. "${BASH_SOURCE[0]%/*}/lib.sh"
TOOLS=$B/tests
CONSUMERS=0

# up KEY=VALUE... - configure, start and wait; sets PORT. See config in lib.sh.
up() {
	# A guest whose machine is busy may stand still for seconds.
	config ${KTLSD_GUEST:+handshake_timeout=60s} "$@" >"$DIR/ktlsd.conf"
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
	wait_for 30 serving $procs || bail "the consumer did not start" \
		"$(cat "$CONSUMER_LOG")"
}
serving() {
	events_are serving "$1"
}

# servers - the pids of the consumer's serving processes
servers() {
	local line
	while read -r line; do
		[[ $line != event=serving\ * ]] || echo "${line#*pid=}"
	done <"$CONSUMER_LOG"
}

# events WHAT - how many lines of the consumer's log match event=WHAT
events() {
	count "$CONSUMER_LOG" "^event=$1"
	echo $COUNT
}
events_are() { # WHAT N - for wait_for
	count "$CONSUMER_LOG" "^event=$1"
	[ $COUNT = "$2" ]
}

# field KEY - the value of KEY=... in standard input's first line that has it
field() {
	local line
	while IFS= read -r line; do
		if [[ " $line" =~ \ $1=([^ ]*) ]]; then
			echo "${BASH_REMATCH[1]}"
			return
		fi
	done
}

# client, swarm, raw ARG... - against our ktlsd
client() {
	"$TOOLS/client" --ca "$PKI/ca.pem" "$@" "127.0.0.1:$PORT"
}
swarm() {
	"$TOOLS/swarm" "$@" "127.0.0.1:$PORT"
}
raw() {
	"$TOOLS/raw" "127.0.0.1:$PORT" "$@"
}

# batch [OPTION...] - one client for each line of stdin, LABEL [OPTION...], all
# in one process: starting one is what takes time in an emulated machine. Sets
# R[LABEL], its last result, and BODY[LABEL] where it fetched a --path.
declare -A R BODY
batch() {
	local output
	output=$(client --batch "$@")
	read_batch <<<"$output"
}
read_batch() {
	local line label
	R=() BODY=()
	while IFS= read -r line; do
		if [[ $line == label=* ]]; then
			label=${line%% *}
			label=${label#label=}
			R[$label]=${line#* }
		elif [ -n "$line" ]; then
			BODY[${label:--}]=$line
		fi
	done
}

# result NAME LABEL REGEX - what R[LABEL] says; served NAME LABEL: that all is
# well with it
result() {
	if [[ ${R[$2]:-} =~ $3 ]]; then
		ok "$1"
	else
		not_ok "$1" "no match for: $3" "${R[$2]:-nothing}"
	fi
}
served() {
	result "$1" "$2" '^result=ok .* end=close_notify '
}

# counters - read all of ktlsd's into M[NAME], with labels and summed without
declare -A M
counters() {
	local name value
	M=()
	while read -r name value; do
		[[ $name == ktlsd_* ]] || continue
		M[$name]=$value
		[[ $name != *"{"* ]] ||
			M[${name%%"{"*}]=$((${M[${name%%"{"*}]:-0} + value))
	done < <("$B/ktlsctl" -s "$DIR/control.sock" metrics)
}
# counted NAME COUNTER VALUE - as of the last `counters`
counted() {
	is "$1" "${M[$2]:-0}" "$3"
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
release() { # or, if it has ended, nobody
	echo 1<>"$DIR/$1.in"
}
# paused NAME - for wait_for; paused_or_bail NAME waits 30 s
paused() {
	holds "$DIR/$1.log" '^paused'
}
paused_or_bail() {
	wait_for 30 paused "$1" || bail "$1 got nowhere" "$(cat "$DIR/$1.log")"
}

# ends NAME PID [SECONDS] - wait for its end; its last line of output
ends() {
	wait_for "${3:-30}" gone "$2" || kill -KILL "$2" 2>/dev/null
	wait "$2" 2>/dev/null
	local lines=('')
	mapfile -t lines <"$DIR/$1.log"
	echo "${lines[-1]-}"
}

# in_ktls - connections on PORT's server side that the kernel says are in kTLS
# both ways, by sock_diag
in_ktls() {
	ss -tieHnO state established "sport = :$PORT" 2>/dev/null |
		grep -c 'tcp-ulp-tls.* rxconf: sw txconf: sw'
}

# part_of PID - sets PART: --stapler, --proxy, or empty: it is a worker
part_of() {
	local args=()
	{ mapfile -d '' args <"/proc/$1/cmdline"; } 2>/dev/null
	PART=${args[1]-}
	[[ $PART == --stapler || $PART == --proxy ]] || PART=
}

# worker_pids, stapler_pid, proxy_pids - of the running ktlsd
worker_pids() {
	children_as ''
}
stapler_pid() {
	children_as --stapler
}
proxy_pids() {
	children_as --proxy
}
children_as() {
	local child all=()
	for child in $(<"/proc/$KTLSD_PID/task/$KTLSD_PID/children"); do
		part_of "$child"
		[ "$PART" != "$1" ] || all+=("$child")
	done
	echo "${all[*]}"
}

# cpu_ms PID... - CPU time used so far, in milliseconds
cpu_ms() {
	local pid ns sum=0
	for pid; do
		read -r ns _ <"/proc/$pid/schedstat"
		sum=$((sum + ns / 1000000))
	done
	echo $sum
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

# emulated - is this machine one of tests/guest? It is slow, and leaves out
# what has nothing to do with its kernel.
emulated() {
	[ -n "${KTLSD_GUEST:-}" ]
}

# host_only NAME - 0 where NAME is to be tried; otherwise it is skipped, and 1
host_only() {
	emulated || return 0
	skip "$1" "left to the host: it is the same on every kernel"
	return 1
}

root_or_skip() { # NAME
	[ "$(id -u)" = 0 ] && return
	skip "$1" "needs root"
	return 1
}

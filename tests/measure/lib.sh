# SPDX-License-Identifier: MIT
#
# lib.sh - what the measurements share; source it first.
#
# A measurement is a script m_NAME.sh that tells what it found by `row`, and ends.
# What others do on the machine disturbs it: so CPU time is measured instead of
# time where that can be, and two things to compare run side by side. It has all
# of tests/e2e/tools.sh, but for up and consume: it may need several servers.
#   $ROWS      the file for rows; without one they go to standard output
#   $AGAINST   build directory of another version to compare with, or empty

. "${BASH_SOURCE[0]%/*}/../e2e/tools.sh"
AGAINST=${AGAINST:-}
ROWS=${ROWS:-}
CPUS=$(nproc)
declare -A SERVER WORKERS PORTS

# say WHAT... - where we are
say() {
	echo "# $T: $*" >&2
}

# row WHAT VALUE TARGET [WHETHER] - a line of the table; TARGET may be empty.
# WHETHER is a comparison of numbers: 1.2 -le 3 compares to three decimals
row() {
	local met=
	if [ $# -gt 3 ]; then
		met=missed
		awk -v a="$4" -v b="$6" -v op="$5" 'BEGIN {
			exit !(op == "-lt" ? a < b : a <= b) }' && met=met
	fi
	if [ -n "$ROWS" ]; then
		printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$met" >>"$ROWS"
	else
		echo "$1: $2${3:+ ($3: $met)}"
	fi
}

# ---- servers -----------------------------------------------------------------

# ahead PID... - nobody else's work gets in its way, on one CPU; aside PID... -
# on another
ahead() {
	local pid
	for pid; do
		[ "$CPUS" -lt 2 ] || taskset -apc 0 "$pid" >/dev/null
		chrt -a -f -p 1 "$pid" 2>/dev/null
	done
}
aside() {
	local pid
	for pid; do
		[ "$CPUS" -lt 2 ] || taskset -apc 1 "$pid" >/dev/null
	done
}

# before a client's command, so that it is aside
ASIDE=
[ "$CPUS" -lt 2 ] || ASIDE="taskset -c 1"

# server NAME KEY=VALUE... - one more ktlsd with its consumer; keys as of config.
# Sets SERVER[NAME], its pid, WORKERS[NAME], PORTS[NAME], and READY_MS
server() {
	local name=$1 DIR=$DIR/$1 since
	shift
	mkdir -m 755 "$DIR"
	config workers=1 "$@" >"$DIR/ktlsd.conf"
	since=${EPOCHREALTIME/./}
	spawn_ktlsd "$DIR/ktlsd.conf"
	wait_for 100 ready_or_gone
	READY_MS=$(((${EPOCHREALTIME/./} - since) / 1000))
	gone "$KTLSD_PID" &&
		bail "ktlsd did not start" "$(tail -n 5 "$KTLSD_LOG")"
	SERVER[$name]=$KTLSD_PID
	WORKERS[$name]=$(worker_pids)
	PORTS[$name]=$(port_of web)
	consume
	ahead ${WORKERS[$name]}
	aside "$CONSUMER" $(servers)
}
end() { # NAME
	stop "${SERVER[$1]}" TERM 15
}

# ---- numbers -----------------------------------------------------------------

# cpu_ns PID... - sets NS, CPU time so far
cpu_ns() {
	local pid ns
	NS=0
	for pid; do
		read -r ns _ <"/proc/$pid/schedstat"
		NS=$((NS + ns))
	done
}
# pss PID; private PID - proportional and private memory in KiB
pss() {
	awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"
}
private() {
	awk '/^Private/ { n += $2 } END { print n }' "/proc/$1/smaps_rollup"
}
mib() { # KIB...
	local n=0 k
	for k; do n=$((n + k)); done
	awk -v n=$n 'BEGIN { printf "%.1f MiB", n / 1024 }'
}

# side_by_side A B WINDOWS CLIENTS - CPU time of the workers of two servers for
# each handshake. CLIENTS NAME PORT is a function: it has some clients make
# handshakes, and prints their number as ok=N or handshakes=N. Sets US_A, US_B,
# RATIO of the sums, and RANGE of the windows' ratios
side_by_side() {
	local a=$1 b=$2 windows=$3 clients=$4 i before_a before_b n_a n_b
	: >"$DIR/windows"
	for ((i = 0; i < windows; i++)); do
		cpu_ns ${WORKERS[$a]}
		before_a=$NS
		cpu_ns ${WORKERS[$b]}
		before_b=$NS
		"$clients" "$a" "${PORTS[$a]}" >"$DIR/clients.a" &
		"$clients" "$b" "${PORTS[$b]}" >"$DIR/clients.b"
		wait $!
		n_a=$(counted_in "$DIR/clients.a") || bail "$(<"$DIR/clients.a")"
		n_b=$(counted_in "$DIR/clients.b") || bail "$(<"$DIR/clients.b")"
		cpu_ns ${WORKERS[$a]}
		before_a=$((NS - before_a))
		cpu_ns ${WORKERS[$b]}
		before_b=$((NS - before_b))
		echo "$before_a $n_a $before_b $n_b"
	done >>"$DIR/windows"
	read -r US_A US_B RATIO RANGE < <(awk '
		{ a += $1; n += $2; b += $3; m += $4; r = $3 / $4 / ($1 / $2) }
		NR == 1 || r < low { low = r }
		r > high { high = r }
		END { printf "%.0f %.0f %.4f %.3f..%.3f\n", a / n / 1000,
			b / m / 1000, b / m / (a / n), low, high }' "$DIR/windows")
}
counted_in() { # FILE - and none failed
	local last
	last=$(tail -n 1 "$1")
	[[ " $last" == *" failed=0"* ]] || return 1
	echo "$(field ok <<<"$last")$(field handshakes <<<"$last")"
}
percent() { # RATIO - as the difference, with its sign
	awk -v r="$1" 'BEGIN { printf "%+.1f %%", 100 * (r - 1) }'
}

# SPDX-License-Identifier: MIT
#
# lib.sh - what the end-to-end tests share; source it first.
#
# A test is a script t_NAME.sh that calls the functions below and ends; what it
# started is stopped and what it wrote is removed, however it ends. It may use:
#   $B     the build directory (absolute)
#   $DIR   its own scratch directory, which every user may enter
#   $PKI   certificates and OCSP responses, see make_pki
# Start it with tests/e2e/run t_NAME, or alone by `bash tests/e2e/t_NAME.sh`.

set -u
# In a guest, starting any program takes a tenth of a second: what bash can do
# itself it does, here and in tools.sh.
E2E=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
B=$(cd "${B:-$E2E/../../build}" && pwd)
T=${0##*/}
T=${T%.sh}
DIR=${TMPDIR:-/tmp}/ktlsd-$T.$$.$RANDOM
mkdir -m 755 "$DIR" || exit 1
PKI=${PKI:-$DIR/pki}
# The system's own programs: others of these names are others, and may be slow.
export LC_ALL=C PATH=/usr/sbin:/usr/bin:$PATH
FAILED=0
PIDS=()
KTLSD_PID='' KTLSD_LOG='' KTLSD_STARTS=0 KTLSD_BY=()

# ---- results ---------------------------------------------------------------

# ok NAME; not_ok NAME [WHY...]; skip NAME REASON - one result each
ok() {
	echo "ok - $T: $1"
}
not_ok() {
	echo "not ok - $T: $1"
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@" | sed 's/^/# /'
	FAILED=$((FAILED + 1))
}
skip() {
	echo "ok - $T: $1 # SKIP $2"
}

# check NAME COMMAND... - it succeeds; its output is shown when it does not
check() {
	local name=$1 out rc
	shift
	out=$("$@" 2>&1)
	rc=$?
	if [ $rc -eq 0 ]; then
		ok "$name"
	else
		not_ok "$name" "status $rc from: $*" "$(tail -n 20 <<<"$out")"
	fi
	return $rc
}

# check_fails NAME COMMAND... - it ends with a status other than 0
check_fails() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		not_ok "$name" "this should have failed: $*" "$(tail -n 20 <<<"$out")"
	else
		ok "$name"
	fi
}

# is NAME GOT EXPECTED - the two strings are equal
is() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "got:      $2" "expected: $3"
	fi
}

# matches NAME TEXT REGEX - TEXT holds a line that matches REGEX (grep -E)
matches() {
	local line
	while IFS= read -r line; do
		if [[ $line =~ $3 ]]; then
			ok "$1"
			return
		fi
	done <<<"$2"
	not_ok "$1" "no match for: $3" "$(tail -n 20 <<<"$2")"
}

# bail WHY... - the rest makes no sense
bail() {
	not_ok "goes on to its end" "$@"
	exit 1
}

# count FILE REGEX - sets COUNT to how many of its lines match, as grep -cE
count() {
	local lines=() line
	COUNT=0
	[ ! -e "$1" ] || mapfile -t lines <"$1"
	for line in "${lines[@]}"; do
		[[ ! $line =~ $2 ]] || COUNT=$((COUNT + 1))
	done
}
# holds FILE REGEX - does any?
holds() {
	count "$@"
	[ $COUNT -gt 0 ]
}

# ---- waiting ---------------------------------------------------------------

# nap SECONDS - sleep(1) without a process: those are slow to start in a guest
exec {NAP}<> <(:)
nap() {
	read -rt "$1" -u $NAP || :
}

# wait_for SECONDS COMMAND... - until COMMAND succeeds; 1 when it never does
wait_for() {
	local end=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "${EPOCHREALTIME/./}" -lt $end ] || return 1
		nap 0.05
	done
}

gone() { # gone PID - has the process ended?
	local stat=
	{ read -r stat <"/proc/$1/stat"; } 2>/dev/null
	stat=${stat##*) }
	[ "${stat:0:1}" = Z ] || [ -z "$stat" ]
}

# ---- processes -------------------------------------------------------------

# spawn NAME COMMAND... - in the background, output to $DIR/NAME.log, stopped
# at the end; sets SPAWNED to its pid
spawn() {
	local name=$1
	shift
	"$@" >"$DIR/$name.log" 2>&1 </dev/null &
	SPAWNED=$!
	PIDS+=("$SPAWNED")
}

# stop PID [SIGNAL [SECONDS]] - end a process that we started; its exit status.
# Killed, and 137, when it is still there after SECONDS (10).
stop() {
	local pid=$1
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	wait_for "${3:-10}" gone "$pid" || kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# descendants PID - the pids of its children and theirs
descendants() {
	local child file children
	for file in /proc/"$1"/task/*/children; do
		children=
		{ read -r children <"$file"; } 2>/dev/null
		for child in $children; do
			descendants "$child"
			echo "$child"
		done
	done
}

clean_up() {
	local rc=$? pid all=() log
	# A child that is signalled before its exec still has our traps.
	[ $BASHPID = $$ ] || exit $rc
	trap '' INT TERM
	# Children first asked, then killed: one that lost its parent too.
	for pid in "${PIDS[@]}"; do
		gone "$pid" && continue
		all+=("$pid" $(descendants "$pid"))
		kill -CONT "$pid" 2>/dev/null
		kill -TERM "$pid" 2>/dev/null
	done
	for pid in "${all[@]}"; do
		wait_for 3 gone "$pid" || kill -KILL "$pid" 2>/dev/null
	done
	if [ $FAILED -gt 0 ] || [ $rc -ne 0 ]; then
		for log in "$DIR"/*.log; do
			[ -s "$log" ] || continue
			echo "# ---- ${log##*/}"
			tail -n 40 "$log" | cut -c 1-300 | sed 's/^/# /'
		done
	fi
	rm -rf "$DIR"
	[ $rc -ne 0 ] || [ $FAILED -eq 0 ] || rc=1
	exit $rc
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- ktlsd -----------------------------------------------------------------

# config [KEY=VALUE...] - print a configuration with one listener and route
# "web". Keys: workers user ($WORKERS_USER, or nobody) stapler_user (nobody)
# state_dir ($DIR/state) ktls
# chain key staple ($PKI/good.der) issuer bind alpn tickets backlog handoff or
# proxy ("[127.0.0.1:1, ...]") queue
# hold_timeout handshake_timeout drain_timeout; `cert=LINE` adds a line to the
# certificate (cert='responder: http://127.0.0.1:80/'), `ocsp=LINE` one below
# ocsp (ocsp='timeout: 1s'), `listener=LINE` one to the listener, `route=LINE` one
# to the route and `top=LINE` one at the top level, all repeatable; `certs=FILE`
# takes the list of certificates, its items as they stand below `certificates:`,
# from there instead, and `listeners=FILE` more listeners from there, `routes=FILE`
# more routes.
config() {
	local workers=2 ktls=prefer chain=$PKI/ec-chain.pem key=$PKI/ec.key
	local staple=$PKI/good.der issuer='' bind=127.0.0.1:0 tickets=2
	local alpn='[http/1.1]' backlog=4096 handoff=$DIR/web.sock queue=1024
	local hold_timeout=30s handshake_timeout=10s drain_timeout=5s
	local user=${WORKERS_USER:-nobody} stapler_user=nobody certs=''
	local listeners=''
	local state_dir=$DIR/state proxy='' routes='' to
	local cert=() ocsp=() listener=() route=() top=() arg
	for arg; do
		case $arg in
		cert=*) cert+=("${arg#*=}") ;;
		ocsp=*) ocsp+=("${arg#*=}") ;;
		listener=*) listener+=("${arg#*=}") ;;
		route=*) route+=("${arg#*=}") ;;
		top=*) top+=("${arg#*=}") ;;
		*=*) printf -v "${arg%%=*}" %s "${arg#*=}" ;;
		esac
	done
	to="handoff: $handoff"
	[ -z "$proxy" ] || to="proxy: $proxy"
	cat <<-END
		workers: $workers
		user: $user
		ktls: $ktls
		control: $DIR/control.sock
		handshake_timeout: $handshake_timeout
		drain_timeout: $drain_timeout
		stapler_user: $stapler_user
		state_dir: $state_dir
		listeners:
		  - bind: "$bind"
		    route: web
		    alpn: $alpn
		    tickets: $tickets
		    backlog: $backlog
	END
	[ ${#listener[@]} -eq 0 ] || printf '    %s\n' "${listener[@]}"
	[ -z "$listeners" ] || printf '%s\n' "$(<"$listeners")"
	cat <<-END
		routes:
		  - name: web
		    $to
		    queue: $queue
		    hold_timeout: $hold_timeout
	END
	[ ${#route[@]} -eq 0 ] || printf '    %s\n' "${route[@]}"
	[ -z "$routes" ] || printf '%s\n' "$(<"$routes")"
	echo 'certificates:'
	if [ -n "$certs" ]; then
		printf '%s\n' "$(<"$certs")"
	else
		printf '%s\n' "  - chain: $chain" "    key: $key" \
			"    staple: $staple" ${issuer:+"    issuer: $issuer"} \
			"${cert[@]/#/    }"
	fi
	[ ${#ocsp[@]} -eq 0 ] || printf '%s\n' 'ocsp:' "${ocsp[@]/#/  }"
	[ ${#top[@]} -eq 0 ] || printf '%s\n' "${top[@]}"
}

# start_ktlsd CONFIG [ARGUMENT...] - and wait until it accepts; 1 when it ended
# instead (its log says why). spawn_ktlsd does not wait. Sets KTLSD_PID and
# KTLSD_LOG. KTLSD_BY is a command before it.
start_ktlsd() {
	spawn_ktlsd "$@"
	wait_for 20 ready_or_gone || return 1
	! gone "$KTLSD_PID"
}
spawn_ktlsd() {
	local conf=$1
	shift
	KTLSD_STARTS=$((KTLSD_STARTS + 1))
	KTLSD_LOG=$DIR/ktlsd-$KTLSD_STARTS.log
	spawn "ktlsd-$KTLSD_STARTS" "${KTLSD_BY[@]}" "$B/ktlsd" -c "$conf" "$@"
	KTLSD_PID=$SPAWNED
}
ready_or_gone() {
	holds "$KTLSD_LOG" 'event=ready' || gone "$KTLSD_PID"
}

# stop_ktlsd [SECONDS] - SIGTERM; its exit status
stop_ktlsd() {
	stop "$KTLSD_PID" TERM "${1:-10}"
}

# kill_ktlsd - SIGKILL to master and workers, in one call
kill_ktlsd() {
	local all pid
	all="$KTLSD_PID $(descendants "$KTLSD_PID")"
	kill -KILL $all
	wait "$KTLSD_PID" 2>/dev/null
	for pid in $all; do
		wait_for 5 gone "$pid"
	done
}

# port_of ROUTE - the port where it listens, by the log
port_of() {
	local line port=
	while IFS= read -r line; do
		[[ ! $line =~ event=listening.*\ bind=[^\ ]*:([0-9]+).*\ route=$1(\ |$) ]] ||
			port=${BASH_REMATCH[1]}
	done <"$KTLSD_LOG"
	echo "$port"
}

# metric NAME - a counter's value, summed over the labels that NAME does not
# give: metric ktlsd_handed_off_total, metric 'ktlsd_handed_off_total{mode="ktls"}'
metric() {
	local name value sum=0
	while read -r name value; do
		if [ "$name" = "$1" ] || [ "${name%%"{"*}" = "$1" ]; then
			sum=$((sum + value))
		fi
	done < <("$B/ktlsctl" -s "$DIR/control.sock" metrics)
	echo $sum
}

# metric_is NAME VALUE - for wait_for
metric_is() {
	[ "$(metric "$1")" = "$2" ]
}

# ---- the kernel ------------------------------------------------------------

have_ktls() {
	if [ -z "${HAVE_KTLS:-}" ]; then
		has_ulp || modprobe tls 2>/dev/null
		has_ulp
		HAVE_KTLS=$?
	fi
	return "$HAVE_KTLS"
}
has_ulp() {
	holds /proc/sys/net/ipv4/tcp_available_ulp '(^| )tls( |$)'
}
NO_KTLS="this kernel has no kTLS (module tls)"

# ktls_or_skip NAME - 0 with kTLS; otherwise NAME is skipped, and 1
ktls_or_skip() {
	have_ktls && return
	skip "$1" "$NO_KTLS"
	return 1
}

# mode - how connections get offloaded here: ktls or relay
mode() {
	if have_ktls; then echo ktls; else echo relay; fi
}

# tls_stat NAME - a counter of /proc/net/tls_stat
tls_stat() {
	awk -v want="$1" '$1 == want { print $2 }' /proc/net/tls_stat
}

# free_port - a TCP port that nothing uses, below those the kernel gives away
free_port() {
	local port
	while :; do
		port=$((10000 + RANDOM % 20000))
		grep -qi ":$(printf %04X $port) " /proc/net/tcp /proc/net/tcp6 ||
			break
	done
	echo $port
}

. "$E2E/pki.sh"
[ -e "$PKI/done" ] || make_pki "$PKI" || bail "no certificates could be made"

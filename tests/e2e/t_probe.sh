#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-probe: what it says of this machine is what ktlsd finds here, and the
# sockets that it lists are those that ktlsd handed over.
. "${0%/*}/tools.sh"

# leaves FILE - its JSON, as a line PATH=VALUE for each value; lists are counted
leaves() {
	python3 -c 'if 1:
		import json, sys
		def walk(path, node):
		    items = node.items() if isinstance(node, dict) else \
		        enumerate(node) if isinstance(node, list) else None
		    if isinstance(node, list):
		        print(f"{path}.n={len(node)}")
		    for key, value in items or ():
		        walk(f"{path}.{key}" if path else str(key), value)
		    if items is None:
		        print(f"{path}={json.dumps(node)}")
		for line in open(sys.argv[1]):
		    walk("", json.loads(line))' "$1"
}

# is_one_of NAME GOT REGEX... - it matches, as a whole
is_one_of() {
	local regex
	for regex in "${@:3}"; do
		[[ ! ${2//$'\n'/ } =~ $regex ]] || { ok "$1"; return; }
	done
	not_ok "$1" "$2"
}

# ---- the machine -----------------------------------------------------------

"$B/ktls-probe" --json >"$DIR/machine.json"
status=$?
leaves "$DIR/machine.json" >"$DIR/machine" || bail "it is no JSON" \
	"$(<"$DIR/machine.json")"
check "its status is in the JSON, too" holds "$DIR/machine" "^status=$status\$"
check "it knows the kernel" holds "$DIR/machine" \
	"^kernel\.release=\"$(uname -r | sed 's/[.+]/\\&/g')\"\$"
check "and of the patch level" holds "$DIR/machine" '^kernel\.upstream="'
check "it has a ring" holds "$DIR/machine" '^io_uring\.ring=true$'
check "and asked the interfaces" holds "$DIR/machine" \
	'^interfaces\.lo\.tx="(no|off|on)"$'

up route='rekey: true' backlog=65535
check "ktlsd, too, sees that a backlog is cut" holds "$KTLSD_LOG" \
	"event=backlog_cut bind=127.0.0.1:0 backlog=65535 limit=$(
		</proc/sys/net/core/somaxconn) "
if have_ktls; then
	is "all is there" $status 0
	for version in 1.2 1.3; do
		for cipher in AES-128-GCM AES-256-GCM CHACHA20-POLY1305; do
			for way in tx rx; do
				check "TLS $version, $cipher: $way" holds \
					"$DIR/machine" \
					"^ktls\.TLSv$version $cipher\.$way=\"ok\"\$"
			done
		done
	done
	rekey=true
	! holds "$KTLSD_LOG" event=rekey_unavailable || rekey=false
	check "key changes as ktlsd finds them: $rekey" holds "$DIR/machine" \
		"^ktls\.rekey=$rekey\$"
	is "and the kernel's faults" "$(field faults <"$KTLSD_LOG")" \
		"$(sed -nE 's/^faults\.(CVE-[0-9-]+)\.what=.*/\1/p' \
			"$DIR/machine" | paste -sd ,)"
else
	is "something is missing" $status 1
	table=$("$B/ktls-probe")
	is "so the table ends" $? 1
	matches "it says so" "$table" '^  lacks  available +no, .*: modprobe tls$'
	check "in the JSON" holds "$DIR/machine" '^ktls\.available=false$'
	check "as ktlsd says" holds "$KTLSD_LOG" \
		'event=ktls_unavailable .*modprobe tls'
fi

# ---- its sockets -----------------------------------------------------------

socks() { # FILE - those of our port, flat
	"$B/ktls-probe" --socks --json >"$DIR/socks.json" 2>"$DIR/socks.err"
	status=$?
	leaves "$DIR/socks.json" >"$1"
}
consume
held_client open --version 1.3 --cipher TLS_AES_256_GCM_SHA384 --get 3M \
	--pause 1M
client=$SPAWNED
paused_or_bail open
if ktls_or_skip "--socks lists what was handed over"; then
	socks "$DIR/socks"
	is "--socks lists" "$status $(<"$DIR/socks.err")" "0 "
	for line in n=1 "0\.local=\"127\.0\.0\.1:$PORT\"" \
		'0\.version="TLSv1\.3"' '0\.cipher="AES-256-GCM"' \
		'0\.tx="software"' '0\.rx="software"' \
		'0\.sent=[1-9][0-9]{5,}' '0\.received=[1-9][0-9]*' \
		'0\.processes\.n=1' "0\.processes\.0\.pid=$(servers)" \
		"0\.processes\.0\.name=\"$(</proc/"$(servers)"/comm)\""; do
		check "what was handed over: $line" holds "$DIR/socks" \
			"^sockets\.$line\$"
	done
	matches "in a table" "$("$B/ktls-probe" --socks)" \
		"^127\.0\.0\.1:$PORT  .*  TLSv1\.3  AES-256-GCM  .*\($(servers)\)\$"
	# Linux 7.2 tells everybody, 6.12 does not.
	if root_or_skip "--socks of another user"; then
		out=$(setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$B/ktls-probe" --socks 2>&1)
		is_one_of "--socks of another user lists it, or says why not" \
			"$? $out" "^0 .* TLSv1\.3  AES-256-GCM .* not ours to see\$" \
			'^2 .* CAP_NET_ADMIN: run it as root$'
	fi

	# Not to be ignored, as it is by what a shell has in the background.
	spawn watch env --default-signal=INT "$B/ktls-probe" --socks --watch 1
	watch=$SPAWNED
	check "--watch shows it with its rates" wait_for 20 holds \
		"$DIR/watch.log" "^LOCAL .* SENT/S +RECEIVED/S +PROCESS"
	release open
	ends open "$client" >"$DIR/ends"
	check "and that it has gone" wait_for 20 holds "$DIR/watch.log" '^LOCAL'
	stop "$watch" INT
	is "Ctrl-C ends it" $? 0
else
	socks "$DIR/socks"
	is "--socks lists none" "$status $(<"$DIR/socks")" "0 sockets.n=0"
	is "nor of another user" "$(setpriv --reuid=65534 --regid=65534 \
		--clear-groups "$B/ktls-probe" --socks --json)" '{"sockets":[]}'
	release open
	ends open "$client" >"$DIR/ends"
fi
check "the client is served" holds "$DIR/ends" '^result=ok '

# ---- what is the same on every kernel --------------------------------------

host_only "the rest of ktls-probe" || exit 0
for bad in --frob file '--watch 2' '--socks --watch 0' '--json=1'; do
	out=$("$B/ktls-probe" $bad 2>&1)
	is "ktls-probe $bad: wrong usage" $? 100
	matches "and why" "$out" '^ktls-probe: .*('"${bad##* }|--watch"')'
done
is "each operation of ktlsd's rings is tried" "$(cd "$E2E/../.." &&
	grep -hoE 'io_uring_prep_[a-z0-9_]+' agent/*.c agent/*/*.c |
	sed -e s/io_uring_prep_// -e s/poll_multishot/poll_add/ \
		-e 's/^cancel/async_cancel/' | tr a-z A-Z | sort -u)" \
	"$(sed -nE 's/^io_uring\.IORING_OP_(.*)=true$/\1/p' "$DIR/machine" |
		sort)"
out=$("$TOOLS/deny" "$B/ktls-probe")
is "a filter that forbids io_uring: ktlsd cannot run" $? 2
matches "and why not" "$out" '^  fatal  ring +a seccomp filter forbids io_uring: '
matches "the other parts are there all the same" "$out" \
	'^  ok     fs.nr_open '
if root_or_skip "few descriptors: ktlsd cannot run"; then
	cp "$B/ktls-probe" "$DIR/ktls-probe" # where everybody may
	out=$(setpriv --reuid=65534 --regid=65534 --clear-groups \
		prlimit --nofile=512:512 "$DIR/ktls-probe")
	is "few descriptors: ktlsd cannot run" $? 2
	matches "and what helps" "$out" \
		'^  fatal  RLIMIT_NOFILE +512 at most, but [0-9]+ are needed'
	matches "no more locked memory: a note" "$(setpriv --reuid=65534 \
		--regid=65534 --clear-groups prlimit --memlock=532480:532480 \
		"$DIR/ktls-probe")" \
		'^  note   RLIMIT_MEMLOCK +532480 at most: .* 10 workers'
	matches "root in a container, too" "$(setpriv --bounding-set=-sys_resource \
		prlimit --nofile=512:512 "$B/ktls-probe")" \
		'^  fatal  RLIMIT_NOFILE +512 at most, but '
	matches "without loopback it does not send root to root" "$(unshare --net \
		"$B/ktls-probe" --socks 2>&1)" \
		'(without a connection over loopback|^LOCAL .* PROCESS$)'
fi
for option in --json '' --socks '--socks --watch'; do
	"$B/ktls-probe" $option >/dev/full 2>"$DIR/full"
	is "it says when nobody can read it: $option" "$? $(<"$DIR/full")" \
		"2 ktls-probe: cannot write"
	"$B/ktls-probe" $option 2>"$DIR/full" >&-
	is "nor anything be there: $option" "$? $(<"$DIR/full")" \
		"2 ktls-probe: cannot write"
done
# A pipe that nobody reads, and that takes no more.
mkfifo "$DIR/pipe"
exec 9<>"$DIR/pipe"
timeout 1 cat /dev/zero >&9
spawn stuck env --default-signal=TERM bash -c \
	"exec '$B/ktls-probe' --socks --watch 1 >&9"
check "it waits for its reader" wait_for 20 grep -qs pipe \
	/proc/$SPAWNED/wchan
stop "$SPAWNED" TERM
is "but can be ended then, too" $? 0
exec 9>&-

#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-bench: handshake, latency and queue, as small as can be, and what goes wrong.
. "${0%/*}/tools.sh"
host_only "ktls-bench" || exit 0
. "$E2E/bench.sh"

# ---- handshake -----------------------------------------------------------------

check "handshake: it runs" bench handshake --count 12 --rounds 2 --keys p256 \
	--csv "$DIR/csv"
peers="nginx haproxy hitch stunnel h2o"
cases='tls1.3-p256-full tls1.3-p256-resumed tls1.2-p256-full tls1.2-p256-resumed'
complete "handshake" "$cases" "ktlsd bare $peers" \
	"rate cpu front user system p50 p99 p99.9 failed client-busy server-busy"
complete "handshake, what only is part of one" "$cases" "openssl floor" "cpu front"
for c in $cases; do
	for s in ktlsd bare $peers; do
		is "handshake: none failed, $s, $c" "$(cell "$c" $s failed 10)" 0
	done
	if [ "$(mode)" = relay ]; then
		matches "handshake: it says that ktlsd relays, $c" \
			"$(cell "$c" ktlsd cpu 15)" 'connections were relayed'
	fi
done
is "handshake: two tickets from each" \
	"$(cell tls1.3-p256-full ktlsd tickets 14),$(cell tls1.3-p256-full nginx \
		tickets 14)" "2 2,2 2"
nothing_left "handshake"

# ---- latency -------------------------------------------------------------------

check "latency: it runs" bench latency --count 5 --rounds 1 --keys p256 --kinds full \
	--versions 1.3 --csv "$DIR/csv" --servers ktlsd,openssl,round-trip,floor,nginx,hitch
cases=tls1.3-p256-full
complete "latency" "$cases" "ktlsd openssl hitch" "p50 p90 p99 shaken"
complete "latency, what only is part of one" "$cases" "round-trip floor" p50
complete "latency, until the client is done" "$cases" "nginx floor" shaken
is_sum() { # A B SUM
	awk -v a="$1" -v b="$2" -v sum="$3" \
		'BEGIN { d = a + b - sum; exit !(b > 0 && d * d < 0.01) }'
}
check "latency: the floor is a sum" is_sum $(for s in openssl round-trip floor; do
	cell $cases $s p50 8
done)
is "latency: nothing stands behind nginx that would take it" \
	"$(cell $cases nginx p50 8)" ""
nothing_left "latency"

# ---- queue ------------------------------------------------------------------------

check "queue: it runs" bench queue --count 300 --rounds 2 --writers 2 --readers 2 \
	--csv "$DIR/csv"
complete "queue" descriptors "queue recvmsg accept" "rate cpu send p50 p99 p99.9"
nothing_left "queue"

# ---- what goes wrong --------------------------------------------------------------

says "nothing to do" 100 'what is to be measured\?.*'
says "a wrong number" 100 "^ktls-bench: --count: '0' is no number" handshake \
	--count 0
says "a server that nobody knows" 111 "handshake has no 'ngnix'" handshake \
	--servers ngnix
says "a server that is not installed" 111 '^# h2o: not installed' handshake \
	--servers h2o --with h2o=
says "a server that ends" 111 'nginx ended; it said:' handshake \
	--servers nginx --with nginx=/bin/false --keys p256
says "a server that does no TLS" 111 'ktlsd ended; it said:' handshake \
	--servers ktlsd --with ktlsd=/bin/cat --keys p256
says "a way that nobody knows" 111 "queue has no 'ktlsd'" queue --servers ktlsd
says "more than there are descriptors for" 111 'descriptors are limited to' \
	idle --count 1000000
says "what is no server" 111 "reload has no 'plain'" reload --servers plain
says "a file that cannot be written" 111 "$DIR/none/csv: No such file" \
	handshake --csv "$DIR/none/csv"
says "a baseline that nobody knows" 111 "^ktls-bench: --baseline: handshake has \
no 'a,b'\$" handshake --baseline a,b
says "a row that nobody knows" 111 "^ktls-bench: --baseline: queue has no 'ktlsd'\$" \
	queue --baseline ktlsd
few=(queue --count 10 --rounds 1 --servers queue)
says "figures that cannot be written" 111 \
	'^ktls-bench: /dev/full: it could not be written in full$' \
	"${few[@]}" --csv /dev/full
for where in '>/dev/full' '>&-'; do
	eval 'out=$(bench "${few[@]}" 2>&1 '"$where)"
	is "a table that cannot be written $where" $? 111
done
mkdir "$DIR/a\$b"
out=$(TMPDIR=$DIR/a\$b "$B/ktls-bench" "${few[@]}" 2>&1)
is "what servers would take for a variable" "$? $out" \
	"111 ktls-bench: TMPDIR has a space, a quote, a backslash or a dollar sign in it"
bench() {
	(cd "$DIR" && TMPDIR=tmp "$B/ktls-bench" "$@")
}
check "a TMPDIR that is relative" bench handshake --count 2 --rounds 1 --keys p256 \
	--versions 1.3 --kinds full --servers ktlsd,nginx
nothing_left "what goes wrong"

# ---- interrupted ----------------------------------------------------------------------

TMPDIR=$DIR/tmp spawn bench "$B/ktls-bench" handshake --keys p256 --count 100000 \
	--servers ktlsd,nginx
wait_for 20 holds "$DIR/bench.log" 'round 1 of'
stop "$SPAWNED" TERM
is "interrupted: exit status" $? 143
nothing_left "interrupted"

TMPDIR=$DIR/tmp spawn killed "$B/ktls-bench" handshake --keys p256 --count 100000 \
	--servers ktlsd,nginx
check "it runs once more" wait_for 20 holds "$DIR/killed.log" 'round 1 of'
all=$(descendants "$SPAWNED")
stop "$SPAWNED" KILL
is "killed: exit status" $? 137
all_gone() {
	local pid
	for pid in $all; do gone "$pid" || return; done
}
check "killed: nothing lives on" wait_for 20 all_gone
nothing_left "killed"

# ---- what `make bench` compares -----------------------------------------------------

here=tests/bench
# judge FIGURES - by what is committed, and what it says
judge() {
	awk -v unit="k instructions" -f "$here/table.awk" "$here/targets" \
		"$here/figures.csv" "$1" >"$DIR/judged"
}
# times SERVER FACTOR - what that server's handshakes of one kind cost is changed
times() {
	awk -F, -v OFS=, -v server="$1" -v factor="$2" '
		$1 == "handshake" && $2 == "tls1.3-p256-full" &&
			$3 == server && $4 == "cpu" { $5 *= factor }
		{ print }' "$here/figures.csv" >"$DIR/figures"
}
check "compared: what is committed passes" judge "$here/figures.csv"
times ktlsd 1.04
check "compared: 4 % dearer is within what runs differ by" judge "$DIR/figures"
times ktlsd 1.06
judge "$DIR/figures"
is "compared: 6 % dearer is too much" $? 1
matches "compared: it says what" "$(<"$DIR/judged")" \
	'handshake,tls1.3-p256-full,ktlsd,cpu: [0-9.]*, was [0-9.]*'
times nginx 2
check "compared: what others cost is theirs" judge "$DIR/figures"
grep -v '^latency,tls1.2-p256-full,ktlsd,p50' "$here/figures.csv" >"$DIR/figures"
judge "$DIR/figures"
is "compared: what is missing is too little" $? 1
times ktlsd 1.4
judge "$DIR/figures"
matches "compared: a target is missed" "$(<"$DIR/judged")" \
	'tls1.3-p256-full cpu +nginx +1.00 +1.0[0-9] +MISSED'
awk -v md=1 -v unit="k instructions" -f "$here/table.awk" "$here/targets" \
	"$here/figures.csv" "$here/figures.csv" | grep -vxFf "$here/TABLE.md" \
	>"$DIR/differs"
is "compared: the page is of the same figures" "$(<"$DIR/differs")" ""

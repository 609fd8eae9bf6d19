#!/bin/bash
# SPDX-License-Identifier: MIT
# The clock is set, by a month and by a day: nothing is stapled that is not
# valid by it, responders are not stormed, and staples come back by themselves.
. "${0%/*}/staples.sh"

if ! emulated; then
	skip "a clock that is set" "only in a guest: the clock is the machine's"
	exit 0
fi
case $KTLSD_GUEST in
6.12.*) ;;
*)
	skip "a clock that is set" "left to Linux 6.12: it is the same on all"
	exit 0 ;;
esac

DAY=86400
mkdir "$STAPLE_PKI"
lives=(-a $((-60 * DAY)) -z $((60 * DAY)))
"$TOOLS/certs" -t root -o "$STAPLE_PKI" "${lives[@]}" ca || bail "no root"
touch "$STAPLE_PKI/ca.index"
OCSP_DAYS=1 responder_start
for site in a b c; do
	make_leaves ca $site "${lives[@]}" -u "$RESPONDER_URL" || bail "no leaf"
	printf '  - chain: %s\n    key: %s\n' "$STAPLE_PKI/$site-chain.pem" \
		"$STAPLE_PKI/$site.key" >>"$DIR/certificates"
	echo $site.test >>"$DIR/names"
done

# booted - when the machine was, by its clock, in seconds
booted() {
	local up
	read -r up _ </proc/uptime
	echo "$EPOCHREALTIME $up" | awk '{ printf "%.2f\n", $1 - $2 }'
}
# by SECONDS - set the clock; at the end it is put right, however that comes. SET
# is what came of it: it is late by as much as date(1) needs to start.
by() {
	local before
	before=$(booted)
	OFFSET=$((OFFSET + $1))
	date -s "@$((${EPOCHREALTIME%.*} + $1))" >/dev/null
	SET=$(echo "$before $(booted)" | awk '{ printf "%.0f", $2 - $1 }')
}
put_right() {
	local rc=$?
	[ $OFFSET = 0 ] || by $((-OFFSET))
	return $rc
}
OFFSET=0
trap 'put_right; clean_up' EXIT

# all_are RESULT - one handshake with each; counts in INVALID what never may be
all_are() {
	stapled -v 1.3 -f "$DIR/names" >/dev/null
	count "$DIR/stapled.lines" ' result=(invalid|failed)'
	INVALID=$((INVALID + COUNT))
	count "$DIR/stapled.lines" " result=$1 "
	[ $COUNT = 3 ]
}
INVALID=0

# mark - attempts are counted from here; each begins with a GET
mark() {
	BEFORE=$(requests method=GET)
	read -r SINCE _ </proc/uptime
}
# are_back WHAT - the staples, each asked for about once a second at most, which
# is min_interval and the wait after a first failure
are_back() {
	local now asked
	INVALID=0
	if wait_for 20 all_are valid; then
		ok "$1: staples come back"
	else
		not_ok "$1: staples come back" "$(<"$DIR/stapled.lines")"
	fi
	is "$1: none was sent that was not valid" $INVALID 0
	read -r now _ </proc/uptime
	asked=$(($(requests method=GET) - BEFORE))
	between "$1: they were not asked for too often" $asked 0 \
		$((3 * (2 + ${now%.*} - ${SINCE%.*})))
}
# unanswered WHAT SECONDS - the clock is set while no responder answers
unanswered() {
	mark
	responder_mode dead
	by "$2"
	check "$1: what is not valid is not sent" all_are none
	responder_mode ok
	are_back "$1"
}

config certs="$DIR/certificates" ocsp='min_interval: 1s' \
	handshake_timeout=60s >"$DIR/ktlsd.conf"
start_ktlsd "$DIR/ktlsd.conf" -v || bail "it does not start"
PORT=$(port_of web)
consume
check "all are stapled" all_are valid
count "$KTLSD_LOG" event=sandbox_
is "the kernel confines the stapler" $COUNT 0
files=$(ls "$DIR/state/ocsp")

unanswered "a month forward" $((31 * DAY))
between "that is said" "$(sed -n 's/.* event=clock_set by_s=\([0-9]*\) .*/\1/p' \
	"$KTLSD_LOG")" $((SET - 1)) $((SET + 1))

nap 1
unanswered "a day back" $((-DAY))

# Back in the same place, after twenty jumps in a few seconds.
nap 1
mark
for _ in {1..10}; do
	by $((2 * DAY))
	by $((-2 * DAY))
done
are_back "to and fro"
is "nothing that was stored is gone" "$(ls "$DIR/state/ocsp")" "$files"

nap 1
mark
by $((-OFFSET))
are_back "where it was"
mark
nap 1.5
is "then it is quiet" "$(requests method=GET)" $BEFORE

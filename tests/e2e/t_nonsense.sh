#!/bin/bash
# SPDX-License-Identifier: MIT
# A hostile consumer: nonsense at a route's registration socket and in its queue.
# ktlsd, the siblings that keep the rules, and other routes go on, and nobody
# keeps a descriptor of what came.
. "${0%/*}/tools.sh"
host_only "a consumer sends nonsense" || exit 0

mkdir "$DIR/root"
echo hello >"$DIR/root/small"

descriptors() { # PID...
	local pid fds n=0
	for pid; do
		fds=(/proc/"$pid"/fd/*)
		n=$((n + ${#fds[@]}))
	done
	echo $n
}
descriptors_are() { # N PID...
	[ "$(descriptors "${@:2}")" = "$1" ]
}
# settle PID... - wait until its number of descriptors stands still; sets N
settle() {
	N=0
	until descriptors_are $N "$@"; do
		N=$(descriptors "$@")
		nap 0.7
	done
}
get() {
	curl -sS --max-time 20 --resolve "localhost:$PORT:127.0.0.1" \
		--cacert "$PKI/ca.pem" "https://localhost:$PORT/small"
}
# unharmed NAME - all there, as before, with both routes served
unharmed() {
	is "$1: route web is served" "$(get)" hello
	matches "$1: so is the other route" \
		"$("$TOOLS/client" --ca "$PKI/ca.pem" --get 1000 \
			"127.0.0.1:$(port_of other)")" 'result=ok '
	is "$1: by the same processes" "$(family)" "$FAMILY"
	check "$1: which have closed all that came" wait_for 15 \
		descriptors_are "$N" $FAMILY
}
family() {
	echo $KTLSD_PID $(descendants $KTLSD_PID) $STATIC $(descendants $STATIC)
}
nonsense() {
	timeout 100 python3 "$E2E/nonsense.py" "$@" 2>&1
}

cat >"$DIR/more" <<-END
	  - bind: "127.0.0.1:0"
	    route: other
END
up listeners="$DIR/more" \
	route=$'no_consumer: hold\n  - name: other\n    handoff: '"$DIR/other.sock"
spawn static "$B/ktls-static" --queue "$DIR/web.sock" --root "$DIR/root" \
	--workers 2
STATIC=$SPAWNED
spawn other "$TOOLS/consumer" "$DIR/other.sock"
check "both routes have a consumer" wait_for 20 metric_is ktlsd_registrations 2
get >"$DIR/got"
FAMILY=$(family)
settle $FAMILY

said=$(nonsense hello "$DIR/web.sock")
matches "hellos that are none: told which version is spoken" "$said" \
	'^status=3 times=[0-9]+$'
matches "and offers that are no queue: refused" "$said" '^status=4 times=[0-9]+$'
check_fails "nobody hears another version's success" \
	grep -qE '^status=(2|5|[6-9]) ' <<<"$said"
unharmed "nonsense at the socket"

said=$(nonsense crowd "$DIR/web.sock")
matches "400 connect and say nothing" "$said" '^connected=[1-9]'
unharmed "a crowd"

said=$(nonsense queue "$DIR/web.sock")
matches "messages that are not ktlsd's are written to the queue" "$said" \
	'^sent=3[0-9]$'
unharmed "nonsense in the queue"

# Their queue is gone with it, which ktlsd notices at the next connection.
nonsense shut "$DIR/web.sock"
get >"$DIR/waits" &
waits=$!
check "a sibling shuts the queue down: ktlsd notices" wait_for 10 \
	holds "$KTLSD_LOG" 'event=queue_shut_down route=web'
check "and who reads it ends" wait_for 20 gone "$STATIC"
wait "$STATIC"
is "to be started again" $? 1
matches "the other route is served" "$("$TOOLS/client" --ca "$PKI/ca.pem" \
	--get 1000 "127.0.0.1:$(port_of other)")" 'result=ok '
spawn static "$B/ktls-static" --queue "$DIR/web.sock" --root "$DIR/root"
is "the next consumer of this one serves" "$(get)" hello
wait "$waits"
is "and who waited for it" "$(<"$DIR/waits")" hello
check_fails "ktlsd logs no crash" grep -qE 'signal|worker_(died|ended)' \
	"$KTLSD_LOG"

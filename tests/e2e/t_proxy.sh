#!/bin/bash
# SPDX-License-Identifier: MIT
# A route whose connections a proxy takes to servers: what comes, how it ends,
# and what becomes of it when a server or a client does something else.
. "${0%/*}/tools.sh"

# backend NAME [-m MODE] - start one at a port of its own, AT[NAME]
declare -A AT
backend() {
	local name=$1
	shift
	AT[$name]=127.0.0.1:$(free_port)
	spawn "$name" "$TOOLS/backend" "$@" "${AT[$name]}"
}
# The servers' side: over AT[NAME], how many ended so.
over_is() { # NAME REGEX N - for wait_for
	count "$DIR/$1.log" "^event=(over|end) .*$2"
	[ $COUNT = "$3" ]
}
# route_to NAME SERVERS - one more route, and a listener for it
route_to() {
	printf '%s\n' "  - name: $1" "    proxy: $2" >>"$DIR/routes"
	printf '%s\n' '  - bind: 127.0.0.1:0' "    route: $1" >>"$DIR/listeners"
}
halves() { # ROUTE ARG... - the client at that route
	local route=$1
	shift
	"$TOOLS/halves" -c "$PKI/ca.pem" "$@" "127.0.0.1:$(port_of "$route")"
}

# Fewer bytes where each costs a hundred times as much.
big=64M
! emulated || big=8M
backend web
backend count -m count
backend first -m first
backend reset -m reset
backend shut -m shut
spawn unix "$TOOLS/backend" "unix:$DIR/unix.sock"
backend stall -m stall
for name in web count first reset shut stall unix; do
	wait_for 20 holds "$DIR/$name.log" '^event=listening' ||
		bail "$name did not start" "$(<"$DIR/$name.log")"
done
wait_for 20 holds "$DIR/web.log" '^event=serving'
chmod 777 "$DIR/unix.sock"
for name in count first reset shut stall; do
	route_to $name "${AT[$name]}"
done
route_to unix "unix:$DIR/unix.sock"
up workers=1 proxy="${AT[web]}" listeners="$DIR/listeners" \
	routes="$DIR/routes" route='rekey: true'
# ---- bytes -----------------------------------------------------------------

batch --timeout 120000 <<END
page-1.2 --version 1.2 --get 100
page-1.3 --version 1.3 --get 100
behind --version 1.3 --coalesce --get 70000
split --version 1.3 --split 50 --get 100
get --version 1.3 --cipher TLS_AES_128_GCM_SHA256 --get $big
put --version 1.3 --cipher TLS_AES_128_GCM_SHA256 --put $big
get-1.2 --version 1.2 --get 1M
unix-get --to 127.0.0.1:$(port_of unix) --get 1M
unix-put --to 127.0.0.1:$(port_of unix) --put 1M
END
for label in page-1.2 page-1.3 behind split get put get-1.2 unix-get unix-put
do
	served "through a proxy: $label" $label
done
count=9
if holds "$KTLSD_LOG" event=rekey_unavailable; then
	skip "clients change their keys" "this kernel cannot follow (6.14 can)"
else
	count=11
	batch <<-END
		keys-get --get 2M --rekey 128K
		keys-put --put 2M --rekey 128K
	END
	served "a client changes its key while it gets" keys-get
	served "and while it puts" keys-put
fi
counters
counted "all of them by $(mode)" "ktlsd_handed_off_total{mode=\"$(mode)\"}" $count
counted "and all were taken to servers" ktlsd_proxied_total $count

# ---- how it ends ------------------------------------------------------------

out=$(halves count 300K)
matches "a client that ended its direction gets the answer" "$out" \
	'^bytes=307200 sha='
matches "and its end" "$out" '^end=close_notify'
check "all that it sent arrived, with an end" wait_for 10 over_is count \
	'bytes=307200 .*how=clean' 1
out=$(halves first -r 200K)
matches "a server that ended its direction first" "$out" \
	'^end=close_notify bytes=5'
check "still gets what the client sends" wait_for 10 over_is first \
	'bytes=204800 .*how=clean' 1
halves count -a 100K
check "what a client cut off is cut off for the server" wait_for 10 over_is \
	count 'how=cut' 1
out=$(halves reset 100)
matches "what a server cut off is cut off for the client" "$out" '^end=cut'
out=$(halves shut 1M)
matches "and so it is by one that closes with bytes unread" "$out" '^end=cut'
counters
counted "what clients cut off is counted" \
	'ktlsd_proxy_cut_total{route="count",reason="client"}' 1
counted "and what servers do" \
	'ktlsd_proxy_cut_total{route="reset",reason="backend"}' 1

# ---- those that stall -----------------------------------------------------------

held_client slow --get 8M --pause 100K
slow=$SPAWNED
paused_or_bail slow
spawn stuck "$TOOLS/halves" -c "$PKI/ca.pem" 32M "127.0.0.1:$(port_of stall)"
stuck=$SPAWNED
stuck_is() {
	metric_is 'ktlsd_proxy_connections{route="stall",backend="'"${AT[stall]}"'"}' $1
}
wait_for 20 stuck_is 1
nap 1
before=$(cpu_ms $(proxy_pids))
nap 1
between "a client and a server that stall cost no CPU" \
	$(($(cpu_ms $(proxy_pids)) - before)) 0 40
if have_ktls; then
	kill -KILL "$stuck"
	check "a client that goes is noticed although its server stalls" \
		wait_for 20 stuck_is 0
fi
release slow
matches "who stalled can go on" "$(ends slow "$slow" 60)" \
	'result=ok .*end=close_notify'

# ---- the end of all ----------------------------------------------------------

stop_ktlsd
is "ktlsd ends with status 0" $? 0

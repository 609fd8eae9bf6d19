#!/bin/bash
# SPDX-License-Identifier: MIT
# Stapling goes on: without a responder, when the stapler dies or hangs, in new
# workers, for many certificates; and what log, ktlsctl and metrics say of it.
. "${0%/*}/staples.sh"
host_only "staples go on" || exit 0

make_staple_pki || bail "no certificates"
responder_start
make_leaves ca site -u "$RESPONDER_URL/site" &&
	make_leaves ca blog -u "$RESPONDER_URL/blog" &&
	make_leaves int shop -u http://127.0.0.1:1/shop || bail "no leaves"
ca_port=$RESPONDER_PORT

# seen NAME - the result of a handshake, and the staple's thisUpdate; ktlsctl's
seen() {
	stapled -v 1.3 -n "$1" >/dev/null
	echo "$(field result <"$DIR/stapled.lines") $(
		field this <"$DIR/stapled.lines")"
}
this_known() { # NAME
	date -d "$(staple_state "$1" this_update)" +%s
}
# state_of NAME KEY... - some of what ktlsctl staples says
state_of() {
	local name=$1 key out=()
	shift
	for key; do
		out+=("$(staple_state "$name" "$key")")
	done
	echo "${out[*]}"
}

# ---- what ktlsctl shows ----------------------------------------------------

up_with site
consume
line=$(ctl staples)
is "ktlsctl staples: a line for each" "$(wc -l <<<"$line")" 1
time='20[0-9-]{8}T[0-9:]{8}Z'
shown=("certificate=$STAPLE_PKI/site-chain.pem" name=site.test position=0
	'fingerprint=[0-9a-f]{64}' policy=auto status=good delivered=yes
	"this_update=$time" "next_update=$time" 'seconds_left=60[0-9]{4}'
	"responder=$RESPONDER_URL/site" "last_attempt=$time" result=answer
	verdict=ok error=- "next_attempt=$time")
matches "ktlsctl staples: with all there is to say" "$line" "^${shown[*]}\$"
days=$((($(date -d "$(staple_state site.test next_update)" +%s) -
	$(this_known site.test)) / 86400))
is "ktlsctl staples: in UTC" \
	"$days $(($(date +%s) - $(this_known site.test) < 60))" "7 1"
counters
counted "one fetch is counted" ktlsd_staple_fetches_total 1
counted "as new" 'ktlsd_staple_fetches_total{result="new"}' 1
gauge="{certificate=\"$STAPLE_PKI/site-chain.pem\"}"
between "the staple's age is a gauge" "${M[ktlsd_staple_age_seconds$gauge]}" \
	0 60
between "and its rest" "${M[ktlsd_staple_expires_in_seconds$gauge]}" \
	604700 604800
counted "and that it is good" "ktlsd_staple_revoked$gauge" 0

# ---- refresh ---------------------------------------------------------------

: >"$RESPONDER_LOG"
nap 1.1
for name in "" "$STAPLE_PKI/site-chain.pem" site.test; do
	is "ktlsctl refresh $name: asks" "$(ctl refresh $name)" \
		"asked for 1 OCSP responses"
	wait_for 20 requests_at_least 1
	is "ktlsctl refresh $name: one request" "$(requests)" 1
	: >"$RESPONDER_LOG"
	nap 1.1
done
said=$(ctl refresh no.test 2>&1)
is "ktlsctl refresh: an unknown name is an error" $? 1
matches "ktlsctl refresh: which is named" "$said" '^error: .*: no.test$'
is "ktlsctl refresh: nobody is asked for it" "$(requests)" 0
wait_for 20 attempts_at_least 4
responder_mode same
refreshed
counters
counted "new ones are counted" 'ktlsd_staple_fetches_total{result="new"}' 4
counted "the same again, too" 'ktlsd_staple_fetches_total{result="same"}' 1
responder_mode stranger
refreshed
is "a wrong one is refused" "$(metric \
	'ktlsd_staple_fetches_total{result="refused"}')" 1
is "with its verdict" "$(state_of site.test status result verdict)" \
	"good answer bad-signature"
is "the staple stays" "$(stapled_once site.test)" valid
responder_mode ok
refreshed

# ---- a responder that is gone ----------------------------------------------

failing='warn event=staple_failing certificate="site.test"'
before=$(logged "$failing")
for fault in 503 503 503 html html html; do
	responder_mode $fault
	refreshed
done
is "faults: one line for each kind of them" $(($(logged "$failing") - before)) 2
before=$(logged event=staple_recovered)
responder_stop
for _ in {1..6}; do
	refreshed
done
reason="cannot connect to 127.0.0.1:$ca_port: Connection refused"
is "unreachable: one line for many attempts" \
	"$(logged "$failing .*Connection refused")" 1
matches "unreachable: with certificate, responder, address and reason" \
	"$(log_line "$failing .*Connection refused")" \
	"responder=$RESPONDER_URL/site error=\"$reason\" staple_seconds_left=60"
is "unreachable: ktlsctl says the same" \
	"$(state_of site.test status result verdict error)" \
	"good no-connection - $reason"
between "unreachable: attempts are counted" "$(metric \
	'ktlsd_staple_fetches_total{result="failed"}')" 6 20
between "unreachable: by reason" "$(metric \
	'ktlsd_staple_fetch_failures_total{reason="no-connection"}')" 6 20
responder_start -l "127.0.0.1:$ca_port"
refreshed
is "reachable again: one line" \
	$(($(logged event=staple_recovered) - before)) 1
refreshed
is "reachable again: and no more" \
	$(($(logged event=staple_recovered) - before)) 1
is "all the time it was stapled" "$(stapled_once site.test)" valid
kill_ktlsd

# ---- a stapler that dies, and one that hangs -------------------------------

# new_stapler OLD - is there another? For wait_for.
new_stapler() {
	local pid
	pid=$(stapler_pid)
	[ -n "$pid" ] && [ "$pid" != "$1" ]
}
up_with site
is "the stapler's name is its own" \
	"$(<"/proc/$(stapler_pid)/comm")" ktlsd-stapler
responder_mode dead
rm "$DIR"/state/ocsp/*
old=$(stapler_pid)
kill -KILL "$old"
is "with the stapler dead it is stapled" "$(stapled_once site.test)" valid
check "another one comes" wait_for 20 new_stapler "$old"
check "which has what master has" wait_for 20 \
	ls "$DIR/state/ocsp/$(staple_state site.test fingerprint).der"
is "and it is stapled" "$(stapled_once site.test)" valid
is "ktlsctl sees no difference" "$(state_of site.test status delivered)" \
	"good yes"
is "no responder was asked" "$(requests mode=dead)" 0
is "its death is counted" "$(metric ktlsd_stapler_restarts_total)" 1
is "and told, once" "$(complaints | grep -c 'error event=stapler_died ')" 1
is "and nothing else" "$(complaints | wc -l)" 1

nap 1.1
responder_mode revoked
refreshed
responder_mode dead
old=$(stapler_pid)
kill -KILL "$old"
wait_for 20 new_stapler "$old"
refreshed
is "what it was told of a revocation is not forgotten" \
	"$(state_of site.test status delivered) $(stapled_once site.test)" \
	"revoked yes valid"
nap 1.1
responder_mode ok
refreshed
kill -STOP "$(stapler_pid)"
is "with the stapler stopped it is stapled" "$(stapled_once site.test)" valid
for _ in {1..200}; do
	echo refresh
done | while read -r word; do
	ctl "$word"
done >"$DIR/asked"
is "it can be asked to refresh, often" "$(sort -u "$DIR/asked")" \
	"asked for 1 OCSP responses"
is "ktlsctl answers" "$(state_of site.test status delivered)" "good yes"
is "metrics, too" "$(metric 'ktlsd_staples_total{result="sent"}')" 4

# ---- new workers -----------------------------------------------------------

# replaced OLD... - is every one of these gone, and another there?
replaced() {
	local pid new
	new=" $(worker_pids) "
	for pid; do
		[[ $new != *" $pid "* ]] || return
	done
	[ "$(wc -w <<<"$new")" = $# ]
}
old=$(worker_pids)
kill -KILL $old
wait_for 20 replaced $old # those that die may still reset a connection
is "new workers staple, the stapler being stopped" "$(stapled_once site.test)" \
	valid
kill -CONT "$(stapler_pid)"
nap 1.1
refreshed
is "what it brings then is stapled" "$(seen site.test)" \
	"valid $(this_known site.test)"
old=$(worker_pids)
kill -KILL $old
wait_for 20 replaced $old
is "what came after the start, new workers staple, too" \
	"$(seen site.test)" "valid $(this_known site.test)"
check "which is delivered" wait_for 20 staple_is site.test delivered yes
kill -STOP "$(stapler_pid)"
started=$SECONDS
stop_ktlsd 30
is "one that is stopped does not keep ktlsd from its end" \
	"$? $((SECONDS - started < 20))" "0 1"

up_with site
stapler=$(stapler_pid)
responder_mode silent
ctl refresh >/dev/null
stop "$KTLSD_PID" KILL
check "without master the stapler ends, whatever it waits for" \
	wait_for 20 gone "$stapler"
responder_mode ok

# ---- many ------------------------------------------------------------------

{
	listed site
	listed blog 'staple: must'
	listed shop
} >"$DIR/certs"
responder_mode ok '*/site/*' 503
config certs="$DIR/certs" ocsp='start_wait: 1s' >"$DIR/ktlsd.conf"
rm -r "$DIR/state"
again
results() {
	local name out=()
	for name in site blog shop; do
		out+=("$(stapled_once $name.test)")
	done
	echo "${out[*]}"
}
matches "by SNI, each gets its own or none" "$(results)" \
	'^valid failed:.*alert-internal-error none$'
is "as ktlsctl shows" "$(state_of site.test policy status result) $(
	state_of blog.test policy status result) $(
	state_of shop.test policy status result)" \
	"auto good answer must none status auto none no-connection"
is "in a line for each" "$(ctl staples | wc -l)" 3
responder_mode 503
is "one can be refreshed alone" "$(ctl refresh blog.test)" \
	"asked for 1 OCSP responses"
is "or all" "$(ctl refresh)" "asked for 3 OCSP responses"
responder_mode ok
check "one comes later" wait_for 30 staple_is blog.test delivered yes
is "and disturbs nobody" "$(results)" "valid valid none"
is "their gauges differ" "$(ctl metrics | grep -c '^ktlsd_staple_age')" 2
stop_ktlsd

#!/bin/bash
# SPDX-License-Identifier: MIT
# What is stapled when: off, auto and must, revoked certificates, none to ask,
# issuers that are not in the chain, and certificates that were renewed.
. "${0%/*}/staples.sh"
host_only "staples by policy" || exit 0

make_staple_pki || bail "no certificates"
responder_start
make_leaves ca site -u "$RESPONDER_URL/site" &&
	make_leaves ca must -m -u "$RESPONDER_URL/must" &&
	make_leaves ca bare || bail "no leaves"
# unasked NAME - what a client that does not ask for a staple gets
unasked() {
	stapled -q -v 1.3 -n "$1.test" | cut -d ' ' -f 1-3
}

# ---- must ------------------------------------------------------------------

UNASKED="handshakes=1 valid=0 none=1"
responder_mode 503
for how in "site staple=must" must; do
	name=${how%% *}
	conf_with $how ocsp='start_wait: 0s'
	again -v
	[ -n "${CONSUMER:-}" ] || consume
	for VERSION in 1.2 1.3; do
		matches "$how: without a staple TLS $VERSION is refused" \
			"$(stapled_once "$name.test")" \
			'^failed:.*alert-internal-error'
	done
	is "$how: who does not ask is served" "$(unasked "$name")" "$UNASKED"
	counters
	counted "$how: refused staples are counted" \
		'ktlsd_staples_total{result="refused"}' 2
	counted "$how: and failed handshakes" \
		'ktlsd_handshakes_failed_total{reason="staple"}' 2
	check "$how: and logged with the certificate's name" logs \
		"event=handshake_failed .*reason=staple error=\"[^\"]*$name\.test"
	responder_mode ok
	check "$how: it is asked again" wait_for 30 staple_is "$name.test" \
		delivered yes
	is "$how: with a staple it is served" "$(stapled_once "$name.test")" \
		valid
	is "$how: ktlsctl shows the policy" \
		"$(staple_state "$name.test" policy)" must
	kill_ktlsd
	rm -r "$DIR/state"
	responder_mode 503
done

conf_with must ocsp='start_wait: 0s' ocsp='missing: serve'
again
is "missing: serve: it goes on without" "$(stapled_once must.test)" none
is "missing: serve: for those who do not ask, too" "$(unasked must)" "$UNASKED"
counters
counted "missing: serve: which is counted" \
	'ktlsd_staples_total{result="none"}' 1
counted "missing: serve: no handshake fails" \
	'ktlsd_handshakes_failed_total{reason="staple"}' 0
kill_ktlsd
rm -r "$DIR/state"

# ---- must, and a file ------------------------------------------------------

responder_mode ok,for=6
openssl ocsp -issuer "$STAPLE_PKI/ca.pem" -cert "$STAPLE_PKI/must.pem" \
	-no_nonce -url "$RESPONDER_URL" -respout "$DIR/must.der" -noverify \
	>/dev/null 2>&1 || bail "no response"
up_with must staple="$DIR/must.der"
is "a file: it is stapled" "$(stapled_once must.test)" valid
is "a file: no stapler" "$(stapler_pid)" ""
is "a file: as ktlsctl shows" "$(staple_state must.test policy) $(
	staple_state must.test status)" "file good"
refused() {
	[[ $(stapled_once must.test) == failed:*alert-internal-error ]]
}
check "a file: past its end, who must have one is refused" wait_for 20 refused
is "a file: who does not ask is served" "$(unasked must)" "$UNASKED"
kill_ktlsd

# ---- nobody to ask ---------------------------------------------------------

up_with bare
is "no OCSP URL: no staple" "$(stapled_once bare.test)" none
is "no OCSP URL: no complaint" "$(complaints)" ""
is "no OCSP URL: no stapler" "$(stapler_pid)" ""
matches "no OCSP URL: which ktlsctl shows" "$(ctl staples)" \
	'policy=auto status=none .* error="it names no OCSP responder'
is "no OCSP URL: nothing to refresh" "$(ctl refresh)" \
	"asked for 0 OCSP responses"
check_fails "no OCSP URL: no folder" ls -d "$DIR/state/ocsp"
kill_ktlsd
again -v
is "no OCSP URL: one line for those who look for it" \
	"$(logged 'debug event=no_responder .*certificate="bare.test"')" 1
kill_ktlsd
up_with bare staple=must
matches "no OCSP URL, but must: a warning names the file and the key" \
	"$(complaints)" \
	"event=no_responder at=$DIR/ktlsd.conf:[^ ]* certificate=\"bare.test\" .*responder:"
kill_ktlsd
up_with must staple=off
is "off: not even what must be stapled is" "$(stapled_once must.test)" none
is "off: no stapler" "$(stapler_pid)$(complaints)" ""
is "off: as ktlsctl shows" "$(staple_state must.test policy)" off
kill_ktlsd

# ---- the issuer ------------------------------------------------------------

responder_mode ok
leaf="chain=$STAPLE_PKI/site.pem"
up_with site "$leaf"
is "no issuer: no staple" "$(stapled_once site.test)" none
is "no issuer: one line" "$(complaints | wc -l)" 1
event='warn event=issuer_missing at=[^ ]* certificate="site.test"'
matches "no issuer: with the file and the key" "$(complaints)" \
	"$event .*$STAPLE_PKI/site.pem .*issuer:"
kill_ktlsd
up_with site "$leaf" issuer="$STAPLE_PKI/ca.pem"
is "issuer: it is stapled" "$(stapled_once site.test)" valid
is "issuer: without a complaint" "$(complaints)" ""
kill_ktlsd
conf_with site "$leaf" issuer="$STAPLE_PKI/int.pem"
start_ktlsd "$DIR/ktlsd.conf"
is "another issuer: no start" $? 1
matches "another issuer: and why" "$(complaints)" \
	"error event=issuer_refused at=[^ ]* error=\"$STAPLE_PKI/int.pem"
rm -r "$DIR/state"

# ---- revoked ---------------------------------------------------------------

# for_good SECONDS - start with a good response that ends so soon, and asks
# rarely by itself
for_good() {
	responder_mode ok,for="$1"
	conf_with site ocsp='min_interval: 1m' "${@:2}"
	again
}
for_good 10
responder_mode revoked,for=600
for _ in 1 2 3; do
	refreshed
done
is "revoked: keep: the good one goes on" "$(stapled_once site.test)" valid
is "revoked: one line" "$(logged event=staple_revoked)" 1
event='error event=staple_revoked certificate="site.test"'
matches "revoked: and a loud one" "$(complaints)" \
	"$event responder=$RESPONDER_URL/site error=\"[^\"]*is revoked\" effect="
is "revoked: ktlsctl shows it" "$(staple_state site.test status) $(
	staple_state site.test verdict)" "revoked revoked"
counters
counted "revoked: the metric is set" ktlsd_staple_revoked 1
counted "revoked: answers are counted" \
	'ktlsd_staple_fetches_total{result="revoked"}' 3
check "revoked: until its end" wait_for 30 logs event=staple_lost
is "revoked: then there is none" "$(stapled_once site.test)" none
matches "revoked: which is an error" "$(complaints)" \
	"error event=staple_lost certificate=\"site.test\""
responder_mode ok,for=600
refreshed
is "good again: it is stapled" "$(stapled_once site.test)" valid
is "good again: one line" \
	"$(logged 'info event=staple_recovered certificate="site.test"')" 1
is "good again: the metric, too" "$(metric ktlsd_staple_revoked)" 0
is "good again: ktlsctl, too" "$(staple_state site.test status)" good
kill_ktlsd
rm -r "$DIR/state"

for_good 600 ocsp='revoked: staple'
responder_mode revoked,for=600
refreshed
is "revoked: staple: so it is" "$(stapled_once site.test)" invalid:revoked
kill_ktlsd
responder_mode dead
again
is "revoked: staple: after a restart, too" "$(stapled_once site.test)" \
	invalid:revoked
is "revoked: which ktlsctl knows" "$(staple_state site.test status)" revoked
nap 1.1
responder_mode ok,for=600
refreshed
is "revoked: staple: until it is good again" "$(stapled_once site.test)" valid
kill_ktlsd

# ---- renewed ---------------------------------------------------------------

old=$(ls "$DIR/state/ocsp")
make_leaves ca site -u "$RESPONDER_URL/site" || bail "not renewed"
responder_mode dead
again
is "a renewed certificate never gets its predecessor's staple" \
	"$(stapled_once site.test)" none
is "which is no complaint" "$(complaints | grep -v event=staple_failing)" ""
responder_mode ok
check "it gets its own" wait_for 30 staple_is site.test delivered yes
is "right away" "$(stapled_once site.test)" valid
is "beside the other" "$(ls "$DIR/state/ocsp" | grep -c .) $(
	ls "$DIR/state/ocsp" | grep -c "$old")" "2 1"
is "by its fingerprint" "$(staple_state site.test fingerprint)" \
	"$(openssl x509 -in "$STAPLE_PKI/site.pem" -outform DER | sha256sum |
		cut -d ' ' -f 1)"

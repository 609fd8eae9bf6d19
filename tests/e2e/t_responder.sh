#!/bin/bash
# SPDX-License-Identifier: MIT
# The tools that the tests of stapling rest on, as curl and openssl see them.
. "${0%/*}/staples.sh"
host_only "a responder that fails on demand" || exit 0

make_staple_pki || bail "no certificates"
responder_start
check "certificates are made by the thousand" \
	make_leaves ca n%04d -n 1000 -m -u "http://%a:$RESPONDER_PORT/%d"
make_leaves int inner -u "$RESPONDER_URL" || bail "no inner leaf"
P=$STAPLE_PKI
is "each with a chain, a key and a line for its status" \
	"$(ls "$P"/n*-chain.pem "$P"/n*.key | wc -l) $(grep -c /CN=n "$P/ca.index")" \
	"2000 1000"
matches "it says where to ask" \
	"$(openssl x509 -in "$P/n0777.pem" -noout -ocsp_uri)" \
	"^http://127\.1\.3\.28:$RESPONDER_PORT/777$"
matches "and that it must be stapled" \
	"$(openssl x509 -in "$P/n0777.pem" -noout -ext tlsfeature)" \
	'status_request'
check "it leads to the root" openssl verify -CAfile "$P/ca.pem" "$P/n0777.pem"
check "also by way of an intermediate" openssl verify -CAfile "$P/ca.pem" \
	-untrusted "$P/inner-chain.pem" "$P/inner.pem"

# ---- what curl, openssl and a strict client get ----------------------------

# request ISSUER NAME - sets REQUEST (DER file), ISSUER and LEAF
request() {
	ISSUER=$P/$1.pem LEAF=$P/$2.pem REQUEST=$DIR/$2.request
	openssl ocsp -issuer "$ISSUER" -cert "$LEAF" -no_nonce \
		-reqout "$REQUEST" || bail "no request"
}

# post [OPTION...] - to $DIR/body; prints curl's status, HTTP's, the media type
post() {
	local said
	rm -f "$DIR/body"
	said=$(curl -s -L --max-redirs 5 --max-time 60 -o "$DIR/body" \
		-H 'Content-Type: application/ocsp-request' \
		--data-binary "@$REQUEST" -w '%{http_code} %{content_type}' \
		"$@" "$RESPONDER_URL/here")
	said="$? $said"
	echo "${said% }"
}

# openssl_says - about $DIR/body, in a word
openssl_says() {
	local said
	said=$(openssl ocsp -respin "$DIR/body" -issuer "$ISSUER" -cert "$LEAF" \
		-CAfile "$P/ca.pem" -verify_other "${LEAF%.pem}-chain.pem" 2>&1)
	case $said in
	*"Verify Failure"*) echo unverified ;;
	*"No Status found"*) echo other ;;
	*"Responder Error"*) echo error ;;
	*"times invalid"*) echo times ;;
	*": good"*) echo good ;;
	*": revoked"*) echo revoked ;;
	*": unknown"*) echo unknown ;;
	*) echo unreadable ;;
	esac
}

# tls_server NAME - openssl staples $DIR/staple with it; sets TLS_SERVER, WHERE
tls_server() {
	cp "$DIR/body" "$DIR/staple"
	spawn "s_server-$1" openssl s_server -accept 127.0.0.1:0 -www \
		-cert "$P/$1.pem" -key "$P/$1.key" -cert_chain "$P/$1-chain.pem" \
		-status_file "$DIR/staple"
	TLS_SERVER=$SPAWNED
	wait_for 30 holds "$DIR/s_server-$1.log" ACCEPT || bail "no s_server"
	[[ $(<"$DIR/s_server-$1.log") =~ ACCEPT\ ([^[:space:]]*) ]]
	WHERE=${BASH_REMATCH[1]}
}

# strict NAME [OPTION...] - what stapled says of $DIR/body, in both versions
strict() {
	local name=$1
	shift
	cp "$DIR/body" "$DIR/staple"
	stapled -n "$name.test" "$@" "$WHERE" >/dev/null
	cut -d ' ' -f 4 "$DIR/stapled.lines" | sed s/^result=// | sort -u
}

request ca n0002
cp "$REQUEST" "$DIR/neighbour.request"
request ca n0001
post >"$DIR/said"
tls_server n0001

# Way to answer, what curl, openssl and stapled think of it; "-" for those that
# get nothing to look at.
while read -r way http said opinion; do
	[ -n "$way" ] || continue
	responder_mode "$way"
	got=$(post)
	is "$way: curl" "${got// /,}" "$http"
	[ "$said" = - ] || is "$way: openssl" "$(openssl_says)" "$said"
	[ "$opinion" = - ] || is "$way: stapled" "$(strict n0001)" "$opinion"
done <<'END'
ok			0,200,application/ocsp-response	good	valid
ok,for=60		0,200,application/ocsp-response	good	valid
ok,for=60,ago=60	0,200,application/ocsp-response	good	valid
delegate		0,200,application/ocsp-response	good	valid
two-first		0,200,application/ocsp-response	good	valid
two-second		0,200,application/ocsp-response	good	valid
chunked			0,200,application/ocsp-response	good	valid
redirect		0,200,application/ocsp-response	good	valid
odd-type		0,200,Application/OCSP-Response,;,charset=binary	good	valid
slow,pace=1		0,200,application/ocsp-response	good	valid
expired-delegate	0,200,application/ocsp-response	unverified	invalid:signer:certificate-verify-error
plain-delegate		0,200,application/ocsp-response	unverified	invalid:signer:missing-ocspsigning-usage
stranger		0,200,application/ocsp-response	unverified	invalid:signer:signature-failure
bad-signature		0,200,application/ocsp-response	unverified	invalid:signer:signature-failure
neighbour		0,200,application/ocsp-response	other	invalid:other-certificate
good-revoked		0,200,application/ocsp-response	good	invalid:several-answers
revoked-good		0,200,application/ocsp-response	revoked	invalid:several-answers
open			0,200,application/ocsp-response	good	invalid:no-next-update
old			0,200,application/ocsp-response	good	invalid:too-old
past			0,200,application/ocsp-response	times	invalid:expired
future			0,200,application/ocsp-response	times	invalid:not-yet-valid
produced		0,200,application/ocsp-response	good	invalid:produced-later
revoked			0,200,application/ocsp-response	revoked	invalid:revoked
unknown			0,200,application/ocsp-response	unknown	invalid:unknown
critical		0,200,application/ocsp-response	good	invalid:critical-extension
huge			0,200,application/ocsp-response	good	-
try-later		0,200,application/ocsp-response	error	invalid:status:trylater
unauthorized		0,200,application/ocsp-response	error	invalid:status:unauthorized
malformed		0,200,application/ocsp-response	error	invalid:status:malformedrequest
internal		0,200,application/ocsp-response	error	invalid:status:internalerror
garbage			0,200,application/ocsp-response	unreadable	-
cut			0,200,application/ocsp-response	unreadable	-
empty			0,200,application/ocsp-response	-	-
html			0,200,text/html	unreadable	-
html-typed		0,200,application/ocsp-response	unreadable	-
wrong-type		0,200,text/plain	good	-
404			0,404,application/ocsp-response	good	-
500			0,500,application/ocsp-response	good	-
503			0,503,application/ocsp-response	good	-
dead			56,000	-	-
noise			1,000	-	-
truncated		18,200,application/ocsp-response	-	-
flood			0,200,application/ocsp-response	-	-
redirect-many		47,307,application/ocsp-response	-	-
redirect-loop		47,307,application/ocsp-response	-	-
redirect-file		1,307,application/ocsp-response	-	-
END

# ---- what takes long -------------------------------------------------------

for way in silent slow; do
	responder_mode $way
	is "$way: curl waits in vain" "$(post --max-time 1 | cut -c 1-2)" 28
done
responder_mode endless-head
post -D "$DIR/head" --max-time 20 >/dev/null
between "endless-head: it goes on for long" "$(stat -c %s "$DIR/head")" \
	300000 9000000
responder_mode flood
post >/dev/null
between "flood: it goes on for long" "$(stat -c %s "$DIR/body")" 8000000 9000000
responder_mode huge
post >/dev/null
between "huge: more than 64 KiB" "$(stat -c %s "$DIR/body")" 65537 200000

# ---- headers, methods, the log ---------------------------------------------

# header NAME - of the last answer
header() {
	sed -n "s/^$1: //p" "$DIR/head" | tr -d '\r'
}
responder_mode 503,retry-after=7,max-age=30,expires=60
post -D "$DIR/head" >/dev/null
is "Retry-After is as told" "$(header Retry-After)" 7
is "Cache-Control too" "$(header Cache-Control)" "max-age=30, public"
between "Expires counts from Date" \
	$(($(date -d "$(header Expires)" +%s) - $(date -d "$(header Date)" +%s))) \
	60 60

escaped=$(base64 -w 0 "$REQUEST" | sed 's/+/%2B/g; s,/,%2F,g; s/=/%3D/g')
get() {
	curl -s -L --max-time 20 -o "$DIR/body" -w '%{http_code}' \
		"$RESPONDER_URL/$1"
}
: >"$RESPONDER_LOG"
responder_mode redirect
is "GET is understood, redirected too" \
	"$(get "there/$escaped") $(openssl_says)" "200 good"
responder_mode ok
is "with what is not escaped it is not" "$(get "$escaped=")" 400
is "nor is a POST of another type" \
	"$(curl -s --data-binary "@$REQUEST" -w '%{http_code}' "$RESPONDER_URL")" \
	415
serial=$(serial_of n0001)
matches "the log has method, path and serial number" "$(<"$RESPONDER_LOG")" \
	"^ms=[0-9]+ at=127.0.0.1:$RESPONDER_PORT busy=1 method=GET host=127.0.0.1:$RESPONDER_PORT path=/there/M[^ /]* type=- serial=$serial mode=redirect status=200 "
matches "what was redirected shows that" "$(<"$RESPONDER_LOG")" \
	' path=/redirect/1/there/M'
matches "what was refused too" "$(<"$RESPONDER_LOG")" ' method=GET .* status=400 '

is "a client may take it for a proxy" \
	"$(curl -s -x "$RESPONDER_URL" -o "$DIR/body" -w '%{http_code}' \
		"http://ocsp.test/a/$escaped")" 200
matches "which the log shows" "$(<"$RESPONDER_LOG")" \
	' host=ocsp.test path=http://ocsp.test/a/M'

responder_mode 500 '*/bad/*' ok
is "modes can be told apart by path" \
	"$(get "bad/$escaped") $(get "good/$escaped")" "500 200"
responder_mode ok "127.0.0.1:$RESPONDER_PORT/*" 500
is "and by address" "$(get "$escaped")" 200

# ---- what is true changes --------------------------------------------------

responder_mode ok,for=600
post >/dev/null
mv "$DIR/body" "$DIR/first"
nap 1.1
post >/dev/null
mv "$DIR/body" "$DIR/second"
check_fails "a second later the response is another" \
	cmp -s "$DIR/first" "$DIR/second"
responder_mode same,for=600
post >/dev/null
check "same: the last bytes again" cmp "$DIR/body" "$DIR/second"
responder_mode stale,for=600
post >/dev/null
check "stale: those before" cmp "$DIR/body" "$DIR/first"

responder_mode ok
revoke ca n0001
post >/dev/null
is "what is revoked is so from then on" "$(openssl_says)" revoked
is "stapled: revoked" "$(strict n0001)" invalid:revoked
cp "$DIR/neighbour.request" "$REQUEST"
LEAF=$P/n0002.pem
post >/dev/null
is "its neighbour is not" "$(openssl_says)" good
is "stapled: another certificate's response" "$(strict n0001)" \
	invalid:other-certificate
request ca n0003

# ---- stapled ---------------------------------------------------------------

stop "$TLS_SERVER"
responder_mode open
post >/dev/null
tls_server n0003
is "stapled -s does without nextUpdate" "$(strict n0003 -s)" valid
is "stapled -q does not ask" "$(strict n0003 -q)" none
is "another name is a failure" "$(stapled_once other.test "$WHERE")" \
	failed:certificate-verify-failed
responder_mode ok,for=6
post >/dev/null
end=$((SECONDS + 7))
is "a response with seconds to live is valid" "$(strict n0003)" valid
while [ $SECONDS -lt $end ]; do nap 0.2; done
is "and is not after them" "$(strict n0003)" invalid:expired
matches "which is said in milliseconds" "$(<"$DIR/stapled.lines")" \
	'version=TLSv1.2 result=invalid:expired this=[0-9]+ next=[0-9]+ late_ms=[1-9][0-9]* us=[0-9]+$'
responder_mode ok
post >/dev/null
cp "$DIR/body" "$DIR/staple"
matches "handshakes go on for as long as told" \
	"$(stapled -d 2 -r 20 -n n0003.test "$WHERE")" \
	'^handshakes=40 valid=40 none=0 invalid=0 failed=0 p50_us=[0-9]+ p99_us=[0-9]+ max_us=[0-9]+$'
is "half of them in TLS 1.2" \
	"$(grep -c ' version=TLSv1.2 ' "$DIR/stapled.lines")" 20
stop "$TLS_SERVER"
is "no server is a failure" "$(stapled_once n0003.test "$WHERE")" \
	failed:Connection-refused

# ---- many, and dead ones ---------------------------------------------------

: >"$RESPONDER_LOG"
responder_mode silent
pids=()
for _ in 1 2 3 4 5; do
	post --max-time 20 >/dev/null &
	pids+=($!)
done
PIDS+=("${pids[@]}")
wait_for 20 requests_at_least 5
is "five at a time are five at a time" "$(requests) $(busiest)" "5 5"
for pid in "${pids[@]}"; do
	kill $(descendants "$pid")
	wait "$pid"
done
responder_mode ok
post >/dev/null
matches "when they are gone, one is one" "$(tail -n 1 "$RESPONDER_LOG")" \
	' busy=1 '
responder_stop
is "a responder that was stopped is gone" "$(post)" "7 000"

responder_start -c int
request int inner
post >/dev/null
is "an intermediate's responder: openssl" "$(openssl_says)" good
tls_server inner
is "an intermediate's responder: stapled" "$(strict inner)" valid
responder_mode delegate
post >/dev/null
is "its delegate: stapled" "$(strict inner)" valid
stop "$TLS_SERVER"
responder_stop

responder_start -l 0.0.0.0:0
request ca n0005
RESPONDER_URL="http://127.1.[0-3].[1-250]:$RESPONDER_PORT"
post -Z --parallel-max 50 >/dev/null 2>&1
is "a thousand responders in one" \
	"$(requests ' busy=1 .* status=200 ') $(grep -o ' at=[^ ]*' "$RESPONDER_LOG" | sort -u | wc -l)" \
	"1000 1000"
between "which one of them asked within a second is counted" \
	"$(most_in 1000)" 10 1000
responder_stop

responder_start -l 127.0.0.1:0 -x '[::1]:0'
RESPONDER_URL=http://localhost:$RESPONDER_PORT
is "IPv6 leads nowhere" "$(post -6 --connect-timeout 2)" "28 000"
is "IPv4 to the same name does" "$(post -4)" \
	"0 200 application/ocsp-response"
responder_stop

# ---- faults by chance ------------------------------------------------------

# dealt SEED - what 100 requests get, but for what takes long
dealt() {
	responder_start -s "$1"
	responder_mode fail=80,for=20,except=silent+slow+redirect-many+redirect-loop
	RESPONDER_URL="$RESPONDER_URL/[1-100]"
	post >/dev/null
	sed -n '/redirect.1/d; s/.* mode=\([^ ]*\) .*/\1/p' "$RESPONDER_LOG"
	responder_stop
}
dealt 7 >"$DIR/seven"
dealt 7 >"$DIR/again"
dealt 8 >"$DIR/eight"
is "each of 100 requests gets something" "$(wc -l <"$DIR/seven")" 100
check "the same seed gives the same" cmp "$DIR/seven" "$DIR/again"
check_fails "another one another" cmp -s "$DIR/seven" "$DIR/eight"
responder_words fault | grep -vxE 'silent|slow|redirect-(many|loop)' \
	>"$DIR/faults"
is "of each five, four are faults" \
	"$(grep -xnFf "$DIR/faults" "$DIR/seven" |
		awk -F: '{ n[int(($1 - 1) / 5)]++ }
			END { for (i in n) print n[i] }' | sort | uniq -c |
		xargs)" "20 4"
is "each fault comes before one comes twice" \
	"$(grep -xFf "$DIR/faults" "$DIR/seven" | sort -u | wc -l)" \
	"$(wc -l <"$DIR/faults")"

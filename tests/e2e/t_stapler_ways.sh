#!/bin/bash
# SPDX-License-Identifier: MIT
# Ways to the responder: other URLs than the certificate's, a proxy, https, two
# families of addresses, POST where GET fails, and what is asked there.
. "${0%/*}/staples.sh"
host_only "ways to the responder" || exit 0

make_staple_pki || bail "no certificates"
responder_start
make_leaves ca far -u http://ocsp.invalid/far &&
	make_leaves ca near -u "$RESPONDER_URL/near" &&
	make_leaves ca two -u http://127.0.0.1:1/ -u "$RESPONDER_URL/second" &&
	make_leaves int inner || bail "no leaves"

# tried NAME [KEY=VALUE...] - start with nothing stored; sets RESULT, the first
# handshake's, and LAST, the responder's last line
tried() {
	: >"$RESPONDER_LOG"
	rm -rf "$DIR/state"
	up_with "$@"
	[ -n "${CONSUMER:-}" ] || consume
	RESULT=$(stapled_once "$1.test")
	LAST=$(tail -n 1 "$RESPONDER_LOG")
}
# certid_hash - of the request in LAST, which was a GET
certid_hash() {
	local path
	path=$(field path <<<"$LAST")
	printf '%b' "$(sed 's/%/\\x/g' <<<"${path##*/}")" | base64 -d |
		openssl ocsp -reqin /dev/stdin -req_text |
		sed -n 's/ *Hash Algorithm: //p'
}
error() { # NAME - of its last attempt
	staple_state "$1.test" error
}

# ---- whom to ask -----------------------------------------------------------

tried near
is "the certificate's own responder" "$RESULT" valid
matches "is asked by GET, without //, and told its name" "$LAST" \
	" method=GET host=127.0.0.1:$RESPONDER_PORT path=/near/M[^ /]* "
is "with SHA-1" "$(certid_hash)" sha1
kill_ktlsd

tried near ocsp='hash: sha256'
is "hash: sha256 is asked by" "$(certid_hash)" sha256
is "hash: sha256 is stapled" "$RESULT" valid
kill_ktlsd

tried far
is "one that has no address" "$RESULT" none
matches "is said to have none" "$(error far)" '^the responder has no address: '
matches "in the log, with its URL" "$(complaints)" \
	'certificate="far.test" responder=http://ocsp.invalid/far error="the'
kill_ktlsd

tried far cert="responder: $RESPONDER_URL/mine/"
is "responder: is asked instead" "$RESULT" valid
matches "responder: by its path" "$LAST" ' path=/mine/M[^ /]* '
is "responder: as ktlsctl shows" "$(staple_state far.test responder)" \
	"$RESPONDER_URL/mine/"
kill_ktlsd

tried two
is "the second of two, where the first is dead" "$RESULT" valid
matches "is asked in the same attempt" "$LAST" ' path=/second/M'
is "which is no complaint" "$(complaints)" ""
is "and one attempt" "$(metric ktlsd_staple_fetches_total)" 1
kill_ktlsd

map=("ocsp=responders:" "ocsp=  - host: OCSP.invalid"
	"ocsp=    url: $RESPONDER_URL/mapped")
tried far "${map[@]}"
is "responders: one is asked for a host" "$RESULT" valid
matches "responders: by its path" "$LAST" ' path=/mapped/M[^ /]* '
kill_ktlsd
tried near "${map[@]}"
is "responders: for no other one" "$RESULT" valid
matches "responders: which is asked itself" "$LAST" ' path=/near/M'
kill_ktlsd
tried far "${map[@]}" cert="responder: $RESPONDER_URL/mine"
matches "responders: responder: goes before it" "$LAST" ' path=/mine/M'
kill_ktlsd

tried far ocsp="proxy: $RESPONDER_URL"
is "proxy: it is asked for all" "$RESULT" valid
matches "proxy: for the certificate's URL" "$LAST" \
	' host=ocsp.invalid path=http://ocsp.invalid/far/M'
kill_ktlsd
http_proxy=http://127.0.0.1:1 tried near
is "a proxy of the environment's is not asked" "$RESULT" valid
kill_ktlsd
tried far ocsp='proxy: http://127.0.0.1:1'
matches "a proxy that is not there is said to be so" "$(error far)" \
	'^the proxy cannot be reached: 127.0.0.1:1: Connection refused$'
kill_ktlsd

# ---- POST ------------------------------------------------------------------

for fault in 404 500 html dead unauthorized; do
	responder_mode $fault '*/near/M*' ok
	tried near
	is "GET fails with $fault: POST does it" "$RESULT" valid
	is "GET fails with $fault: right behind it" \
		"$(grep -oE 'method=[^ ]*|mode=[^ ]*' "$RESPONDER_LOG" | xargs)" \
		"method=GET mode=$fault method=POST mode=ok"
	matches "GET fails with $fault: with a type" "$LAST" \
		' path=/near type=application/ocsp-request '
	kill_ktlsd
done
responder_mode ok
long=$(printf '%0200d' 0)
tried far cert="responder: $RESPONDER_URL/$long"
is "a URL that is too long for GET" "$RESULT" valid
is "is asked by POST" "$(requests) $(requests " method=POST .*path=/$long ")" \
	"1 1"
kill_ktlsd

# ---- ways to answer --------------------------------------------------------

for way in delegate two-first two-second chunked redirect odd-type; do
	responder_mode "$way"
	tried near
	is "$way: it is stapled" "$RESULT" valid
	kill_ktlsd
done
responder_mode ok

# ---- https -----------------------------------------------------------------

port=$(free_port)
cat "$PKI/ec.pem" "$PKI/ec.key" >"$DIR/front.pem"
cat >"$DIR/haproxy.cfg" <<-END
	defaults
	    mode http
	    timeout connect 5s
	    timeout client 30s
	    timeout server 30s
	listen front
	    bind 127.0.0.1:$port ssl crt $DIR/front.pem
	    server responder 127.0.0.1:$RESPONDER_PORT
END
listens() {
	: 3<>"/dev/tcp/127.0.0.1/$port"
}
if command -v haproxy >/dev/null; then
	spawn haproxy haproxy -db -f "$DIR/haproxy.cfg"
	wait_for 20 listens || bail "no HAProxy"
	secure=(far "cert=responder: https://127.0.0.1:$port/secure")
	tried "${secure[@]}" ocsp="ca: $PKI/ca.pem"
	is "https: it is asked" "$RESULT" valid
	matches "https: through TLS" "$LAST" " host=127.0.0.1:$port path=/secure/M"
	kill_ktlsd
	for wrong in "another CA" "the system's CAs"; do
		ca=(ocsp="ca: $STAPLE_PKI/ca.pem")
		[ "$wrong" = "another CA" ] || ca=()
		tried "${secure[@]}" "${ca[@]}"
		is "https: not with $wrong" "$RESULT" none
		matches "https: and why" "$(error far)" \
			"^TLS with 127.0.0.1:$port failed: .*certificate"
		is "https: nothing is asked" "$(requests)" 0
		kill_ktlsd
	done
	cp "$PKI/ca.pem" "$DIR/private.pem"
	chmod 600 "$DIR/private.pem"
	tried "${secure[@]}" ocsp="ca: $DIR/private.pem"
	matches "https: nor with what the stapler must not read" \
		"$(error far)" "$DIR/private.pem"
	kill_ktlsd
else
	skip "https" "haproxy is not installed"
fi
responder_stop

# ---- an intermediate's certificates ----------------------------------------

responder_start -c int
tried inner cert="responder: $RESPONDER_URL"
is "a certificate by an intermediate" "$RESULT" valid
kill_ktlsd
responder_mode delegate
tried inner cert="responder: $RESPONDER_URL"
is "and by its delegate" "$RESULT" valid
kill_ktlsd
responder_stop

# ---- a family of addresses that leads nowhere ------------------------------

# Both are known by a name of ours, in a /etc/hosts that only ktlsd sees.
printf '%s both.test\n' ::1 127.0.0.1 >"$DIR/hosts"
KTLSD_BY=(unshare -m bash -c 'mount --bind "$0" /etc/hosts && exec "$@"'
	"$DIR/hosts")
if holds /proc/net/if_inet6 . && "${KTLSD_BY[@]}" true 2>/dev/null; then
	responder_start -l 127.0.0.1:0 -x '[::1]:0'
	rm -rf "$DIR/state"
	conf_with far ocsp='start_wait: 1h' \
		cert="responder: http://both.test:$RESPONDER_PORT/both"
	began_ms=$(date +%s%3N)
	again -v
	is "IPv6 is dead: IPv4 does it" "$(stapled_once far.test)" valid
	between "IPv6 is dead: at once" $(($(log_ms ready) - began_ms)) 0 4000
	check "IPv6 is dead: it was tried" \
		logs "event=fetch_step .*text=\"trying \[::1\]:$RESPONDER_PORT"
	matches "IPv6 is dead: the other knows the name" "$(<"$RESPONDER_LOG")" \
		" at=127.0.0.1:$RESPONDER_PORT .* host=both.test:$RESPONDER_PORT "
else
	skip "IPv6 is dead" "there is none, or /etc/hosts cannot be ours"
fi

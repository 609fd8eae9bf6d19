#!/bin/bash
# SPDX-License-Identifier: MIT
# Which way a connection goes: by name, by protocol, by source; past us, or
# nowhere.
. "${0%/*}/tools.sh"

{
	config | sed '/^listeners:/,$d'
	cat <<-END
		certificates:
		  - chain: $PKI/ec-chain.pem
		    key: $PKI/ec.key
		    staple: $PKI/good.der
		routes:
		  - {name: web, handoff: $DIR/web.sock}
		  - {name: api, handoff: $DIR/api.sock}
		  - {name: h2, handoff: $DIR/h2.sock}
		  - {name: near, handoff: $DIR/near.sock}
		  - {name: pass, handoff: $DIR/pass.sock, tls: passthrough}
		  - {name: acme, handoff: $DIR/acme.sock, tls: passthrough}
		listeners:
		  - bind: 127.0.0.1:0
		    route: web
		    alpn: [h2, http/1.1]
		    rules:
		      - {alpn: [acme-tls/1], route: acme}
		      - {sni: [denied.example], route: deny}
		      - {sni: [api.example, "*.api.example"], route: api}
		      - {sni: [pass.example, "*.pass.example"], route: pass}
		      - {from: [127.0.0.8/31], route: near}
		      - {alpn: [h2], route: h2}
		  - bind: 127.0.0.1:0
		    route: near
		    strict_sni: true
		    alpn: [http/1.1]
		    rules:
		      - {from: [127.0.0.9/32], route: deny}
		      - {alpn: [acme-tls/1], route: acme}
	END
} >"$DIR/ktlsd.conf"
start_ktlsd "$DIR/ktlsd.conf" -v ||
	bail "ktlsd did not start" "$(tail -n 5 "$KTLSD_LOG")"
PORT=$(port_of web)
STRICT=$(port_of near)

consume
ln -s "$CONSUMER_LOG" "$DIR/web.log"
ROUTES="web api h2 near" PASSED="acme pass"
! emulated || ROUTES="web api h2" PASSED=pass
for route in ${ROUTES#web}; do
	spawn "$route" "$TOOLS/consumer" "$DIR/$route.sock"
done
for route in $PASSED; do
	spawn "$route" python3 "$E2E/passed.py" "$DIR/$route.sock" \
		"$PKI/rsa-chain.pem" "$PKI/rsa.key"
done
PASS=$SPAWNED
all_there() {
	local route
	for route in $ROUTES; do
		holds "$DIR/$route.log" event=serving || return
	done
	for route in $PASSED; do
		holds "$DIR/$route.log" event=registered || return
	done
}
wait_for 30 all_there || bail "a consumer did not start"

# What was looked at and is for us goes to the kernel like all else. Whose names
# they are does not matter here, so nobody checks certificates.
! have_ktls || tx=$(tls_stat TlsTxSw) rx=$(tls_stat TlsRxSw)
read_batch < <("$TOOLS/client" --batch "127.0.0.1:$PORT" <<END
get-1.3 --version 1.3 --coalesce --get 50000
put-1.3 --version 1.3 --coalesce --put 50000
get-1.2 --version 1.2 --coalesce --get 50000
put-1.2 --version 1.2 --coalesce --put 50000
split --split 300 --get 50000
bytes --bytewise --get 50000
resume --resume --coalesce --get 50000
api-1.3 --name api.example --version 1.3 --resume --path /info
api-1.2 --name x.api.example --version 1.2 --alpn h2 --resume --path /info
h2-1.3 --name other.example --version 1.3 --alpn h2 --path /info
h2-1.2 --name other.example --version 1.2 --alpn h2 --path /info
pass-1.3 --name pass.example --version 1.3 --path /
pass-1.2 --name x.pass.example --version 1.2 --path /
small-1.3 --name pass.example --version 1.3 --max-fragment 512 --path /
small-1.2 --name pass.example --version 1.2 --max-fragment 512 --path /
END
)
for version in 1.3 1.2; do
	served "TLS $version: data behind a Finished of ours" get-$version
	served "TLS $version: an upload likewise" put-$version
done
served "a Finished in two parts" split
served "every byte alone, the ClientHello's too" bytes
served "a session resumed" resume
is "all of them by $(mode)" "$(events "accept .* *mode=$(mode) ")" 8
# told WHAT LABEL REGEX
told() {
	matches "$1" "${BODY[$2]:-}" "^mode=$(mode) .*$3"
}
for version in 1.3 1.2; do
	told "TLS $version: a route by its name, and resumed there" \
		api-$version ' server_name=(x\.)?api\.example .* resumed=1 '
	told "TLS $version: one by its protocol" h2-$version ' alpn=h2 '
	matches "TLS $version: who reads the ClientHello itself answers" \
		"${BODY[pass-$version]:-}" '^passed by (x\.)?pass\.example$'
	result "TLS $version: also in records of 512 bytes" \
		small-$version '^result=ok '
	between "TLS $version: none is longer" \
		"$(field longest <<<"${R[small-$version]}")" 256 $((512 + 256))
done
count "$DIR/api.log" "^event=accept .*mode=$(mode) "
is "the one route has its connections" $COUNT 4
count "$DIR/h2.log" "^event=accept .*mode=$(mode) .* alpn=h2 "
is "the other one, too" $COUNT 2
count "$DIR/pass.log" \
	'^event=passed mode=plain .* ssl=False .*got=(x\.)?pass\.example ulp=$'
is "what is passed on is a plain socket" $COUNT 4
counters
counted "it is counted as that" ktlsd_passed_total 4
counted "and not as relayed" ktlsd_relayed_total $(have_ktls && echo 0 || echo 14)
name="all that is ours is in kTLS both ways, by /proc/net/tls_stat"
if ktls_or_skip "$name"; then
	is "$name" "$(($(tls_stat TlsTxSw) - tx)) $(($(tls_stat TlsRxSw) - rx))" \
		"14 14"
fi

host_only "clients of all kinds go the way that the rules say" || exit 0
# taken - how many connections each consumer has
declare -A TAKEN
taken() {
	local route
	for route in $ROUTES pass acme; do
		count "$DIR/$route.log" '^event=(accept|passed) '
		TAKEN[$route]=$COUNT
	done
}
# goes NAME ROUTES COMMAND... - each of these routes' consumers gets a connection
# of it, and no other does. OUT gets what it printed.
goes() {
	local name=$1 to=$2 route got=
	shift 2
	taken
	OUT=$("$@" 2>&1)
	for route in $to; do
		wait_for 20 has_more "$route"
	done
	for route in $ROUTES pass acme; do
		count "$DIR/$route.log" '^event=(accept|passed) '
		[ $COUNT = "${TAKEN[$route]}" ] || got+=" $route"
	done
	if [ "${got# }" = "$to" ]; then
		ok "$name"
	else
		not_ok "$name" "went to:${got:- nobody}" "expected: $to" "$OUT"
	fi
}
has_more() {
	count "$DIR/$1.log" '^event=(accept|passed) '
	[ $COUNT -gt "${TAKEN[$1]}" ]
}

hello() { # OPTION...
	timeout 30 python3 "$E2E/hello.py" "$PORT" "$@"
}
curl() { # NAME OPTION...
	local name=$1
	shift
	command curl -sSk --max-time 30 --http1.1 --connect-to "::127.0.0.1:$PORT" \
		"$@" "https://$name/info"
}
mkfifo "$DIR/input"
exec 8<>"$DIR/input"
talk() { # COMMAND... - s_client and gnutls-cli stop at the end of their input
	printf 'GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&8
	timeout 20 "$@" <&8
}
s_client() { # NAME OPTION...
	talk openssl s_client -connect "127.0.0.1:$PORT" -servername "$@"
}
gnutls() { # NAME OPTION...
	local name=$1
	shift
	talk gnutls-cli --insecure -p "$PORT" --sni-hostname "$name" "$@" \
		127.0.0.1
}

# By name, each client in its own way.
for client in curl s_client gnutls "hello --name"; do
	goes "${client% *}: a name of a rule" api $client api.example
	goes "${client% *}: its wildcard" api $client x.api.example
	goes "${client% *}: two labels are not one" web $client x.y.api.example
	goes "${client% *}: another name" web $client other.example
	goes "${client% *}: a denied name" "" $client denied.example
done
goes "a name in capitals" api hello --name API.Example
goes "no name" web hello
matches "was told so" "$OUT" 'result=ok .* server_name= '
goes "a name that is denied" "" hello --name denied.example
matches "is closed on without an answer" "$OUT" '^result=(closed|reset)$'
goes "the same, with a protocol of another rule" "" \
	hello --name denied.example --alpn h2

# By protocol.
for version in -tls1_2 -tls1_3; do
	goes "openssl $version: h2 goes to one server" h2 \
		s_client other.example $version -alpn h2,http/1.1
	goes "openssl $version: http/1.1 to the other" web \
		s_client other.example $version -alpn http/1.1
done
goes "gnutls-cli: h2" h2 gnutls other.example --alpn h2 --alpn http/1.1
goes "Python: h2" h2 hello --name other.example --alpn http/1.1,h2
matches "it is told" "$OUT" 'agreed=h2 .* alpn=h2 '
goes "a name before the protocol" api hello --name api.example --alpn h2
goes "nothing in common" "" s_client other.example -alpn smtp
matches "ends with the alert that says so" "$OUT" 'no application protocol'

# By source.
goes "a source" near curl other.example --interface 127.0.0.8
matches "that is told" "$OUT" 'peer=127\.0\.0\.8:'
goes "the other one of its prefix" near hello --from 127.0.0.9
goes "one beside it" web hello --from 127.0.0.10
goes "a name before the source" api hello --from 127.0.0.8 --name api.example

# A session is of its route: resumed there, and on no other.
goes "a session is resumed on its route" api \
	hello --name api.example --session
matches "once" "$OUT" 'reused=1 .*resumed=1'
goes "and not under another name" "web api" \
	hello --name api.example --session --second other.example
matches "which gets a handshake of its own" "$(tail -n 1 <<<"$OUT")" 'reused=0'

# Past us.
for client in curl s_client gnutls "hello --name"; do
	goes "${client% *}: passed on" pass $client x.pass.example
	matches "and served by whom it wants" "$OUT" 'passed by x\.pass\.example'
done
last=$(tail -n 1 "$DIR/pass.log")
matches "the hello was unread, and its name told" "$last" \
	'mode=plain server_name=x\.pass\.example alpn= ssl=False .*got=x\.pass\.example'
goes "with one protocol" pass hello --name pass.example --alpn http/1.1
matches "it is told too" "$(tail -n 1 "$DIR/pass.log")" \
	'alpn=http/1.1 ssl=False agreed=http/1.1'
goes "with two" pass hello --name pass.example --alpn h2,http/1.1
matches "none is" "$(tail -n 1 "$DIR/pass.log")" 'alpn= .*agreed=http/1.1'
matches "by the consumer's certificate" "$OUT" 'key=RSA'
goes "others are served by ours" web hello --name localhost
matches "by our certificate" "$OUT" 'key=EC'

goes "a ClientHello in pieces is passed on" pass \
	hello --name pass.example --pieces 7
matches "whole" "$OUT" 'passed by pass\.example'
goes "one of 12 KB in pieces" pass \
	hello --name pass.example --pieces 9 --pad 12000 --alpn http/1.1
matches "whole too" "$OUT" 'passed by pass\.example'
goes "in pieces it is served by us as well" web \
	hello --name localhost --pieces 7 --pad 6000 --alpn http/1.1
matches "by $(mode)" "$OUT" "mode=$(mode) "

# A client that stops in the middle costs nothing but its place.
used=$(cpu_ms $(worker_pids))
goes "half a ClientHello" "" hello --name pass.example --stop 100
matches "is waited for" "$OUT" '^result=waits$'
between "and makes no work" $(($(cpu_ms $(worker_pids)) - used)) 0 300
goes "half a ClientHello and the end" "" \
	hello --name pass.example --stop 100 --then fin
matches "is the end" "$OUT" '^result=(closed|reset)$'
goes "what is no TLS" "" command curl -s "http://127.0.0.1:$PORT/"

# TLS-ALPN-01 (RFC 8737) goes to the ACME client before anything else is asked.
goes "openssl: acme-tls/1" acme s_client other.example -alpn acme-tls/1
matches "is agreed on with the ACME client" "$OUT" \
	'ALPN protocol: acme-tls/1'
goes "Python: acme-tls/1" acme hello --name denied.example --alpn acme-tls/1
PORT=$STRICT
goes "also under a name that the listener does not know" acme \
	hello --name unknown.example --alpn acme-tls/1
goes "which others are refused" "" hello --name unknown.example
matches "by an alert" "$OUT" '^result=alert .*UNRECOGNIZED_NAME'
goes "a name that it knows" near hello --name localhost
denied=$(metric 'ktlsd_refused_total{reason="denied"}')
goes "a denied source" "" hello --from 127.0.0.9 --name localhost
goes "even before it speaks" "" hello --from 127.0.0.9 --stop 0
matches "is closed on" "$OUT" '^result=(closed|reset)$'
is "it is counted" "$(metric 'ktlsd_refused_total{reason="denied"}')" \
	$((denied + 2))
counters
taken
counted "what was passed on is" ktlsd_passed_total \
	$((TAKEN[pass] + TAKEN[acme]))
holds "$KTLSD_LOG" 'event=denied peer=127\.0\.0\.1:[0-9]* server_name="denied\.example"' &&
	ok "who is denied is in the log" || not_ok "who is denied is in the log"

# A server that speaks no TLS says so.
stop "$PASS"
spawn static "$B/ktls-static" --queue "$DIR/pass.sock" --root "$DIR" --workers 1
wait_for 20 metric_is 'ktlsd_registrations{route="pass"}' 1
PORT=$(port_of web)
matches "ktls-static closes what it cannot serve" \
	"$(hello --name pass.example)" '^result=(closed|reset)$'
check "and says why" wait_for 10 holds "$DIR/static.log" 'tls: passthrough'

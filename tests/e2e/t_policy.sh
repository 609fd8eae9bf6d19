#!/bin/bash
# SPDX-License-Identifier: MIT
# What is said about a name cannot be got around by writing it in another way: who
# gets to its route has shown the certificate that it asks for.
. "${0%/*}/tools.sh"
. "$E2E/client_pki.sh"
host_only "names and policies" || exit 0

C=$DIR/clients
make_client_pki "$C" || bail "no clients could be made"
{
	client_key "$DIR" private &&
		openssl x509 -req -in "$DIR/private.csr" -CA "$PKI/ca.pem" \
			-CAkey "$PKI/ca.key" -CAcreateserial -days 30 \
			-out "$DIR/private.pem" -extfile /dev/stdin <<-END
			subjectAltName = DNS:private.test, DNS:*.private.test
		END
} >"$DIR/openssl.log" 2>&1 || bail "no certificate" "$(<"$DIR/openssl.log")"
{
	config | sed '/^listeners:/,$d'
	cat <<-END
		certificates:
		  - {chain: $PKI/ec-chain.pem, key: $PKI/ec.key, staple: off}
		  - chain: $DIR/private.pem
		    key: $DIR/private.key
		    staple: off
		    client_ca: $C/root.pem
		routes:
		  - {name: web, handoff: $DIR/web.sock}
		  - {name: private, handoff: $DIR/private.sock}
		listeners:
		  - bind: 127.0.0.1:0
		    route: web
		    alpn: [h2, http/1.1]
		    rules:
		      - {sni: [private.test, "*.private.test"], route: private}
	END
} >"$DIR/ktlsd.conf"
start_ktlsd "$DIR/ktlsd.conf" ||
	bail "ktlsd did not start" "$(tail -n 5 "$KTLSD_LOG")"
PORT=$(port_of web)
consume
spawn private "$TOOLS/consumer" "$DIR/private.sock"
wait_for 30 holds "$DIR/private.log" event=serving ||
	bail "the other consumer did not start"

printf 'GET /info HTTP/1.1\r\nConnection: close\r\n\r\n' >"$DIR/request"
s_client() { # NAME OPTION...
	local name=(-servername "$1")
	[ -n "$1" ] || name=(-noservername)
	shift
	timeout 20 openssl s_client -connect "127.0.0.1:$PORT" "${name[@]}" \
		-ign_eof "$@" 2>&1 <"$DIR/request" | tr -d '\0'
}
# outcome - of what s_client says
outcome() {
	local text
	text=$(cat)
	case $text in
	*"alert number 116"* | *"alert number 40"*) echo "certificate required" ;;
	*" client=1 "*) echo "in with a certificate" ;;
	*" client=0 "*) echo "in without" ;;
	*) echo "$text" ;;
	esac
}

for v in 1_2 1_3; do
	for name in private.test PRIVATE.Test. a.private.test; do
		is "TLS $v: $name asks for a certificate" \
			"$(s_client "$name" -tls$v | outcome)" \
			"certificate required"
	done
	for name in private.test.. PRIVATE.test... a.private.test.. \
		.private.test private.test/ 'private.test ' a..private.test \
		private..test b.a.private.test '' . '*' \
		'*.private.test' $'private.test\nx'; do
		is "TLS $v: '$name' is another" \
			"$(s_client "$name" -tls$v | outcome)" "in without"
	done
done
is "nobody got there without one" "$(grep -c event=accept "$DIR/private.log")" 0
is "one with a certificate does" "$(s_client private.test \
	-cert "$C/good.pem" -key "$C/good.key" | outcome)" \
	"in with a certificate"
is "and it was the only one" "$(grep -c event=accept "$DIR/private.log")" 1

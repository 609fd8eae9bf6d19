#!/bin/bash
# SPDX-License-Identifier: MIT
# Several certificates on a listener, as two clients of others see them: whose name
# and whose key, what is particular to some, and which sessions go on.
. "${0%/*}/tools.sh"
host_only "certificates by name and key" || exit 0

"$B/tests/certs" -t root -o "$DIR" own &&
	"$B/tests/certs" -i "$DIR/own" -o "$DIR" first &&
	"$B/tests/certs" -i "$DIR/own" -o "$DIR" new ||
	bail "the certificates cannot be made"
# entry FILE [KEY...] - in the list of certificates
entry() {
	printf '  - chain: %s-chain.pem\n    key: %s.key\n    staple: off\n' \
		"$1" "$1"
	shift
	[ $# -eq 0 ] || printf '    %s\n' "$@"
}
{
	entry "$DIR/first"
	entry "$PKI/ec"
	entry "$PKI/rsa"
	entry "$DIR/new" 'min_version: "1.3"' 'alpn: [h2]'
} >"$DIR/certs"

s_client() { # NAME OPTION...
	local name=(-servername "$1")
	[ -n "$1" ] || name=(-noservername)
	shift
	timeout 20 openssl s_client -connect "127.0.0.1:$PORT" \
		"${name[@]}" "$@" </dev/null 2>&1
}
gnutls() { # NAME [PRIORITY OPTION...]
	local name=$1 priority=${2:-}
	shift 2 || shift
	timeout 20 gnutls-cli -p "$PORT" --sni-hostname "$name" --insecure \
		--priority "NORMAL$priority" "$@" 127.0.0.1 </dev/null 2>&1
}
pss=:-SIGN-ALL:+SIGN-RSA-PSS-RSAE-SHA256
only12=:-VERS-ALL:+VERS-TLS1.2

# ---- names and keys ----------------------------------------------------------

up certs="$DIR/certs"
consume
for name in localhost LOCALHOST.; do
	matches "openssl, $name: ECDSA before RSA" "$(s_client "$name")" \
		'Peer signature type: ECDSA'
	matches "openssl, $name: RSA for who wants it" \
		"$(s_client "$name" -sigalgs RSA-PSS+SHA256)" \
		'Peer signature type: RSA-PSS'
done
matches "openssl, TLS 1.2: by the cipher" \
	"$(s_client localhost -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256)" \
	'Peer signature type: RSA'
matches "gnutls-cli: ECDSA before RSA" "$(gnutls localhost)" 'EC/ECDSA key'
matches "gnutls-cli: RSA for who wants it" "$(gnutls localhost $pss)" \
	'RSA key 2048 bits'
matches "gnutls-cli, TLS 1.2: RSA" "$(gnutls localhost $pss$only12)" \
	'RSA key 2048 bits'
matches "openssl: the first for an unknown name" "$(s_client unknown.test)" \
	'subject=CN = first'
matches "gnutls-cli: the first for an unknown name" "$(gnutls unknown.test)" \
	"subject .CN=first"

# ---- what is particular ------------------------------------------------------

matches "openssl: a certificate's own protocols" "$(s_client new.test -alpn h2)" \
	'ALPN protocol: h2'
matches "openssl: and not the listener's" \
	"$(s_client new.test -alpn http/1.1)" 'alert number 120'
matches "gnutls-cli: a certificate's own protocols" \
	"$(gnutls new.test '' --alpn=h2)" 'Application protocol: h2'
matches "gnutls-cli: and not the listener's" \
	"$(gnutls new.test '' --alpn=http/1.1)" 'alert \[120\]'
matches "openssl: a certificate's own version" "$(s_client new.test -tls1_2)" \
	'alert number 70'
matches "gnutls-cli: a certificate's own version" "$(gnutls new.test $only12)" \
	'protocol version'
matches "and other names have the listener's" "$(s_client localhost -tls1_2)" \
	'Protocol *: TLSv1.2'

# ---- sessions ----------------------------------------------------------------

for version in -tls1_2 -tls1_3; do
	printf '' | s_client localhost $version -sess_out "$DIR/session" \
		-alpn http/1.1 -ign_eof >/dev/null &
	wait_for 10 test -s "$DIR/session"
	kill $! 2>/dev/null
	wait $! 2>/dev/null
	for to in "localhost http/1.1 Reused" "first.test http/1.1 New" \
		"localhost h2,http/1.1 Reused"; do
		set -- $to
		matches "$version: a session of localhost at $1, $2: $3" \
			"$(s_client "$1" $version -sess_in "$DIR/session" \
				-alpn "$2")" "^$3, TLS"
	done
	rm -f "$DIR/session"
done
stop_ktlsd
stop "$CONSUMER"

# ---- refusals ----------------------------------------------------------------

up certs="$DIR/certs" listener='strict_sni: true' \
	listener='alpn_mismatch: ignore' top='limits: {client_hello: 1000}'
consume
matches "openssl: strict_sni, a known name" "$(s_client localhost.)" \
	'^Verification'
matches "openssl: strict_sni, an unknown one" "$(s_client unknown.test)" \
	'alert number 112'
matches "openssl: strict_sni, none" "$(s_client '')" \
	'alert number 112'
matches "gnutls-cli: strict_sni, an unknown one" "$(gnutls unknown.test)" \
	'name sent was not recognized'
matches "openssl: other protocols only, ignored" \
	"$(s_client localhost -alpn h2)" 'No ALPN negotiated'
matches "gnutls-cli: other protocols only, ignored" \
	"$(gnutls localhost '' --alpn=h2)" 'Handshake was completed'
long=$(printf '%0200d,' 1 2 3 4 5)
matches "openssl: a long ClientHello" "$(s_client localhost -alpn "${long%,}")" \
	'alert number 47'
matches "Python: a long ClientHello" "$(python3 - "$PORT" 2>&1 <<-'END'
	import socket, ssl, sys
	context = ssl.create_default_context()
	context.set_alpn_protocols([str(i) * 200 for i in range(5)])
	with socket.create_connection(("127.0.0.1", sys.argv[1])) as s:
	    context.wrap_socket(s, server_hostname="localhost")
	END
)" 'ILLEGAL_PARAMETER'
failed=ktlsd_handshakes_failed_total
is "they are counted" "$(metric "$failed{reason=\"client_hello\"}")" 2
is "and unknown names" "$(metric "$failed{reason=\"server_name\"}")" 3
stop_ktlsd
stop "$CONSUMER"

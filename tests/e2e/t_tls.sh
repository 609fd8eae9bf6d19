#!/bin/bash
# SPDX-License-Identifier: MIT
# What may be negotiated, as two clients of others see it; what consumers are told
# about a connection on request; and the log of its secrets.
. "${0%/*}/tools.sh"
host_only "what may be negotiated" || exit 0

request='GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
mkfifo "$DIR/input"
exec 8<>"$DIR/input"
talk() { # COMMAND...
	printf "$request" >&8
	timeout 20 "$@" <&8 2>&1
}
s_client() { # OPTION...
	talk openssl s_client -connect "127.0.0.1:$PORT" -servername localhost \
		-CAfile "$PKI/ca.pem" "$@"
}
gnutls() { # VERSIONS OPTION...
	local versions=$1
	shift
	talk gnutls-cli -V --x509cafile "$PKI/ca.pem" -p "$PORT" --priority \
		"NORMAL:-VERS-ALL$versions" "$@" localhost
}
both=:+VERS-TLS1.3:+VERS-TLS1.2

# ---- presets -----------------------------------------------------------------

up top='tls: {preset: modern}'
consume
matches "modern: TLS 1.3 with openssl" "$(s_client)" '^/hello'
matches "modern: TLS 1.3 with gnutls-cli" "$(gnutls $both)" '^/hello'
matches "modern: no TLS 1.2 with openssl" "$(s_client -tls1_2)" \
	'alert protocol version|alert number 70'
matches "modern: no TLS 1.2 with gnutls-cli" "$(gnutls :+VERS-TLS1.2)" \
	'protocol version'
# Either order, as the client likes it.
for cipher in TLS_AES_256_GCM_SHA384 TLS_AES_128_GCM_SHA256; do
	others=TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256
	matches "modern: the client's order counts, $cipher" \
		"$(s_client -ciphersuites $cipher:$others)" \
		"Cipher is $cipher\$"
done
stop_ktlsd
stop "$CONSUMER"

cat >"$DIR/tls" <<'END'
tls:
  preset: intermediate
  groups: [secp384r1, "?no-such-group"]
  ciphers: [ECDHE-ECDSA-AES256-GCM-SHA384, ECDHE-RSA-AES256-GCM-SHA384]
  signature_algorithms: [ecdsa_secp256r1_sha256]
  options: {Options: "ServerPreference,-MiddleboxCompat"}
END
up top="$(<"$DIR/tls")"
consume
out=$(s_client -tls1_2)
matches "intermediate: TLS 1.2, the cipher that is named" "$out" \
	'Cipher is ECDHE-ECDSA-AES256-GCM-SHA384$'
matches "the group that is named" "$out" 'Server Temp Key: .*384 bits'
matches "and it is served" "$out" '^/hello'
matches "intermediate: TLS 1.2 with gnutls-cli" "$(gnutls :+VERS-TLS1.2)" \
	'^/hello'
matches "intermediate: TLS 1.3, the server's order counts" \
	"$(s_client -ciphersuites \
		TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256)" \
	'Cipher is TLS_AES_128_GCM_SHA256$'
matches "a group that is not named is refused" \
	"$(s_client -groups X25519)" 'alert handshake failure'
stop_ktlsd
stop "$CONSUMER"

# ---- faults ------------------------------------------------------------------

# fault NAME TEXT ERROR - ktlsd -t names the line of TEXT, and ERROR
fault() {
	local line
	config top="$(<"$DIR/tls")" >"$DIR/ktlsd.conf"
	line=$(grep -n -m 1 -e "$2" "$DIR/ktlsd.conf")
	matches "$1" "$("$B/ktlsd" -t -c "$DIR/ktlsd.conf" 2>&1)" \
		"event=tls_refused at=$DIR/ktlsd.conf:${line%%:*}:[0-9]+ error=\"$3"
}
printf 'tls:\n  preset: modern\n  groups: [X25519, nonsense]\n' >"$DIR/tls"
fault "an unknown group" 'preset: modern' 'groups: nonsense is unknown to OpenSSL'
printf 'tls:\n  ciphers: [AES128-SHA]\n' >"$DIR/tls"
fault "a cipher without ECDHE" 'ciphers:' 'ciphers: AES128-SHA is none of ECDHE-'
printf 'tls:\n  options:\n    MaxProtocol: TLSv1.3\n    KTLS: "on"\n' >"$DIR/tls"
fault "an option that is not among the permitted" 'KTLS:' \
	'options: KTLS is none of Options, MaxProtocol, '

# ---- what consumers are told ---------------------------------------------------

accepted() { # N - waits for the Nth connection's line, and prints it
	wait_for 20 holds "$CONSUMER_LOG" "^event=accept n=$1 "
	grep "^event=accept n=$1 " "$CONSUMER_LOG"
}
# The words of a binding in what gnutls-cli says
bound() { # NAME
	sed -nE "s/.*'$1': //p"
}

up route='tell: [tls_exporter, tls_server_end_point, ja4]'
consume
n=0
for version in 1.2 1.3; do
	out=$(gnutls ":+VERS-TLS$version")
	n=$((n + 1))
	line=$(accepted $n)
	if [ -z "$(bound tls-exporter <<<"$out")" ]; then
		skip "TLS $version: bindings" "this gnutls-cli does not know them"
		continue
	fi
	is "TLS $version: tls-exporter is the client's" \
		"$(field exporter <<<"$line")" "$(bound tls-exporter <<<"$out")"
	is "TLS $version: tls-server-end-point is the client's" \
		"$(field end_point <<<"$line")" \
		"$(bound tls-server-end-point <<<"$out")"
done
for version in 1_2 1_3; do
	out=$(s_client -tls$version -keymatexport EXPORTER-Channel-Binding \
		-keymatexportlen 32 -sess_out "$DIR/session")
	full=$(accepted $((n + 1)))
	# s_client exports without a context, which TLS 1.3 alone takes for an
	# empty one.
	[ $version = 1_2 ] || is "TLS $version: tls-exporter is openssl's, too" \
		"$(field exporter <<<"$full")" \
		"$(sed -nE 's/ *Keying material: //p' <<<"$out" | tr A-F a-f)"
	s_client -tls$version -sess_in "$DIR/session" >/dev/null
	n=$((n + 2))
	again=$(accepted $n)
	is "TLS $version: a session is resumed" "$(field resumed <<<"$again")" 1
	is "with the end point of its full handshake" \
		"$(field end_point <<<"$again")" "$(field end_point <<<"$full")"
	check_fails "and another exporter" [ \
		"$(field exporter <<<"$again")" = \
		"$(field exporter <<<"$full")" ]
done
matches "a client has a fingerprint" "$(field ja4 <<<"$full")" \
	'^t13d[0-9]{4}00_[0-9a-f]{12}_[0-9a-f]{12}$'
stop_ktlsd
stop "$CONSUMER"
up
consume
s_client >/dev/null
matches "nothing of it without tell" "$(accepted 1)" 'exporter= end_point= ja4= '
stop_ktlsd
stop "$CONSUMER"

# ---- the log of secrets --------------------------------------------------------

mkdir -m 700 "$DIR/secret"
up top="keylog: $DIR/secret/keys"
consume
for version in 1_2 1_3; do
	matches "TLS $version with a key log" \
		"$(s_client -tls$version -keylogfile "$DIR/client")" '^/hello'
done
is "all that the client knows is in it, and no more" \
	"$(sort "$DIR/secret/keys")" "$(grep -v '^#' "$DIR/client" | sort)"
is "of both versions" "$(wc -l <"$DIR/secret/keys")" 6
is "for its owner alone" "$(stat -c %a "$DIR/secret/keys")" 600
matches "the log warns of it" "$(<"$KTLSD_LOG")" ' warn event=keylog_on '
is "and has no secret" "$(cut -d ' ' -f 3 "$DIR/secret/keys" |
	grep -c -F -f - "$KTLSD_LOG")" 0
# Who has stolen a worker's memory reads nothing of connections that are over.
forgotten() {
	remains=$(python3 "$E2E/remains.py" "$DIR/secret/keys" "$KTLSD_PID" \
		$(worker_pids) 2>&1) && [ -z "$remains" ]
}
if root_or_skip "secrets are in memory as long as the connection"; then
	held idle openssl s_client -connect "127.0.0.1:$PORT" -tls1_3
	wait_for 20 eval 'forgotten; [[ $remains == *SERVER_TRAFFIC* ]]'
	matches "a connection's secrets are in memory" "$remains" SERVER_TRAFFIC
	stop "$SPAWNED"
	wait_for 20 forgotten
	is "and in none once it is over" "$remains" ""
fi
stop_ktlsd
chmod 644 "$DIR/secret/keys"
config top="keylog: $DIR/secret/keys" >"$DIR/ktlsd.conf"
if start_ktlsd "$DIR/ktlsd.conf"; then
	not_ok "a file that others may read is refused"
else
	matches "a file that others may read is refused" "$(<"$KTLSD_LOG")" \
		' error event=keylog_failed .*others may access it'
fi

# ---- who was there before ----------------------------------------------------

cc -shared -fPIC -o "$DIR/early.so" -x c - -lcrypto <<'END'
#include <openssl/crypto.h>
__attribute__((constructor)) static void use(void)
{
	OPENSSL_free(OPENSSL_malloc(1));
}
END
KTLSD_BY=(env LD_PRELOAD="$DIR/early.so"
	ASAN_OPTIONS="${ASAN_OPTIONS:-}:verify_asan_link_order=0")
config >"$DIR/ktlsd.conf"
if start_ktlsd "$DIR/ktlsd.conf"; then
	not_ok "no start where memory cannot be wiped"
else
	matches "no start where memory cannot be wiped" "$(<"$KTLSD_LOG")" \
		' error event=start_failed .*what OpenSSL frees cannot be wiped'
fi

# ---- what openssl.cnf says -------------------------------------------------------

printf '%s\n' 'openssl_conf = all' '[all]' 'alg_section = of' '[of]' \
	'default_properties = fips=yes' >"$DIR/openssl.cnf"
KTLSD_BY=(env OPENSSL_CONF="$DIR/openssl.cnf")
config >"$DIR/ktlsd.conf"
if start_ktlsd "$DIR/ktlsd.conf"; then
	not_ok "no start with an OpenSSL that can do nothing"
else
	matches "no start with an OpenSSL that can do nothing" \
		"$(<"$KTLSD_LOG")" \
		' error event=start_failed .*openssl.cnf leaves OpenSSL without '
fi

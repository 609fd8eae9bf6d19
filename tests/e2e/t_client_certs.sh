#!/bin/bash
# SPDX-License-Identifier: MIT
# Client certificates: who comes in, who does not and is told why, and what the
# consumer is told of those who do.
. "${0%/*}/tools.sh"
. "$E2E/client_pki.sh"
host_only "what clients of others get with certificates" || exit 0

C=$DIR/clients
make_client_pki "$C" || bail "no clients could be made"

# listener LINE... - one more of them
listener() {
	printf '  - bind: "127.0.0.1:0"\n    route: web\n    client_ca: %s\n' \
		"$C/root.pem"
	printf '    %s\n' "$@"
}
{
	listener "client_verify: optional"
	listener 'client_allow: ["dns:*.friends.test", "cn:below"]'
	listener 'client_allow: ["dns:*.friends.test", "uri:spiffe://clients.test/*"]'
	listener "client_crl: [$C/ended.crl]"
	listener "client_crl: [$C/ended.crl]" "crl_expired: warn"
} >"$DIR/listeners"
# make LINE... - the configuration, with more for the first listener
make() {
	local lines=("client_ca: $C/root.pem" \
		"client_crl: [$C/root.crl, $C/inter.crl]" "$@")
	config route='tell: [client_certificate]' \
		listeners="$DIR/listeners" "${lines[@]/#/listener=}" >"$DIR/ktlsd.conf"
}

make "client_depth: 0"
spawn_ktlsd "$DIR/ktlsd.conf"
wait_for 20 gone "$KTLSD_PID"
matches "a list of a CA that clients cannot have is refused" \
	"$(<"$KTLSD_LOG")" \
	"event=client_rules_refused .*/inter.crl: the list of CN=inter is of none"
make
start_ktlsd "$DIR/ktlsd.conf" -v || bail "ktlsd did not start" "$(<"$KTLSD_LOG")"
consume
ports=($(sed -nE 's/.*event=listening.* bind=[^ ]*:([0-9]+).*/\1/p' \
	"$KTLSD_LOG"))
is "there are six listeners" "${#ports[@]}" 6
declare -A at=([ca]=${ports[0]} [optional]=${ports[1]} [friends]=${ports[2]} \
	[spiffe]=${ports[3]} [ended]=${ports[4]} [warn]=${ports[5]})

versions="1.2 1.3"
# LISTENER CLIENT and what that leads to: the client's common name, or an alert.
cat >"$DIR/table" <<-END
	ca good: good
	ca below: below
	ca none: certificate required
	ca expired: certificate expired
	ca revoked: certificate revoked
	ca stranger: unknown ca
	optional good: good
	optional none:
	optional stranger: unknown ca
	friends below: below
	friends good: access denied
	spiffe good: good
	ended good: certificate unknown
	warn good: good
	warn revoked: certificate revoked
END

# s_client and gnutls-cli stop at the end of their input: it has none.
mkfifo "$DIR/input"
exec 8<>"$DIR/input"
by_curl() { # VERSION PORT CERT
	curl -sS --max-time 60 --cacert "$PKI/ca.pem" --tlsv$1 --tls-max $1 \
		--resolve "localhost:$2:127.0.0.1" "https://localhost:$2/info" \
		${3:+--cert "$3.pem" --key "$3.key"} 2>&1
}
by_s_client() {
	timeout 20 openssl s_client -connect "127.0.0.1:$2" -tls${1/./_} \
		-CAfile "$PKI/ca.pem" \
		${3:+-cert "$3.pem" -cert_chain "$3.pem" -key "$3.key"} \
		2>&1 <&8
}
by_gnutls() {
	timeout 20 gnutls-cli --x509cafile "$PKI/ca.pem" -p "$2" \
		--priority "NORMAL:-VERS-ALL:+VERS-TLS$1" localhost \
		${3:+--x509certfile "$3.pem" --x509keyfile "$3.key"} 2>&1 <&8
}

# outcome - of what a client says, in the table's words
outcome() {
	local text
	text=$(tr -d '\0')
	if [[ $text =~ \ client=[01]\ client_cn=([^ ]*) ]]; then
		echo "${BASH_REMATCH[1]}"
	elif [[ $text =~ [Rr]eceived\ alert\ \[([0-9]+)\] ||
		$text =~ SSL\ alert\ number\ ([0-9]+) ]]; then
		case ${BASH_REMATCH[1]} in
		40) echo "handshake failure" ;;
		44) echo "certificate revoked" ;;
		45) echo "certificate expired" ;;
		46) echo "certificate unknown" ;;
		48) echo "unknown ca" ;;
		49) echo "access denied" ;;
		116) echo "certificate required" ;;
		*) echo "alert ${BASH_REMATCH[1]}" ;;
		esac
	elif [[ $text =~ alert\ ([a-z ]+) ]]; then
		echo "${BASH_REMATCH[1]}"
	elif [[ $text == "curl: (60) "* ]]; then
		# By that alert it means its own verification, in TLS 1.2.
		echo "certificate expired"
	else
		echo "$text"
	fi
}

# expected VERSION WHAT - TLS 1.2 has no alert for a missing certificate
expected() {
	[ "$1/$2" != "1.2/certificate required" ] || set -- "" "handshake failure"
	echo "$2"
}

for client in curl s_client gnutls; do
	for version in $versions; do
		while read -r where who what; do
			who=${who%:} cert=$C/$who
			[ "$who" != none ] || cert=
			printf 'GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' >&8
			got=$(by_$client $version "${at[$where]}" $cert |
				outcome)
			is "$client, TLS $version, $where, $who" "$got" \
				"$(expected $version "$what")"
			# What it left, if it was refused.
			read -r -N 1000 -t 0.05 _ <&8
		done <"$DIR/table"
	done
done

line=$(grep '^event=accept .* client_cn=good ' "$CONSUMER_LOG" | tail -n 1)
sha=$(openssl x509 -in "$C/good.pem" -outform DER | sha256sum)
is "the consumer is told the subject" "$(field client_subject <<<"$line")" \
	CN=good
is "the alternative names" "$(field client_sans <<<"$line")" \
	"dns:good.clients.test,uri:spiffe://clients.test/good,"
is "the SHA-256" "$(field client_sha256 <<<"$line")" "${sha%% *}"
is "the certificate" "$(field client_cert_sha256 <<<"$line")" "${sha%% *}"
check "the log says who was refused, and why" grep -qE \
	'event=handshake_failed .*reason=client_certificate error="client certificate CN=revoked: certificate revoked"' \
	"$KTLSD_LOG"
counters
for reason in client_certificate access_denied; do
	between "they are counted: $reason" \
		"${M["ktlsd_handshakes_failed_total{reason=\"$reason\"}"]}" \
		1 1000
done
between "lists past their end are counted" \
	"${M[ktlsd_client_crl_expired_total]}" 1 100

cat >"$DIR/client.py" <<'END'
import socket, ssl, sys

pki, clients = sys.argv[1:]
# VERSION PORT CLIENT, and "once" or the port to come to again, with the session.

def context(version, who):
    c = ssl.create_default_context(cafile=pki + "/ca.pem")
    v = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    c.minimum_version = c.maximum_version = v
    if who != "none":
        c.load_cert_chain(f"{clients}/{who}.pem", f"{clients}/{who}.key")
    return c

def visit(c, port, session=None):
    s = socket.create_connection(("127.0.0.1", port), timeout=60)
    with c.wrap_socket(s, server_hostname="localhost", session=session) as t:
        t.sendall(b"GET /info HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = b""
        while part := t.recv(4096):
            text += part
        fields = dict(f.split("=", 1) for f in text.decode().split() if "=" in f)
        return fields["client_cn"], t.session_reused, t.session

for line in sys.stdin:
    version, port, who, again = line.split()
    c = context(version, who)
    try:
        cn, _, session = visit(c, int(port))
        if again != "once":
            cn, reused, _ = visit(c, int(again), session)
            cn += " resumed" if reused else " in full"
        print(cn)
    except ssl.SSLError as e:
        print(e.reason.split("ALERT_")[-1].replace("_", " ").lower())
END
python() {
	timeout 120 python3 "$DIR/client.py" "$PKI" "$C" 2>&1
}
for version in $versions; do
	while read -r where who what; do
		echo "$version ${at[$where]} ${who%:} once"
	done <"$DIR/table" | python >"$DIR/got"
	while read -r where who what; do
		read -r got <&9
		is "Python, TLS $version, $where, ${who%:}" "$got" \
			"$(expected $version "$what")"
	done <"$DIR/table" 9<"$DIR/got"
done
for version in $versions; do
	is "TLS $version resumes with the same client" \
		"$(python <<<"$version ${at[ca]} good ${at[ca]}")" \
		"good resumed"
	is "or with none" \
		"$(python <<<"$version ${at[optional]} none ${at[optional]}")" \
		" resumed"
	is "not under other rules" \
		"$(python <<<"$version ${at[ca]} good ${at[spiffe]}")" \
		"good in full"
	is "to which the client may not do" \
		"$(python <<<"$version ${at[ca]} good ${at[friends]}")" \
		"access denied"
	is "nor under stricter ones" \
		"$(python <<<"$version ${at[optional]} none ${at[ca]}")" \
		"$(expected $version "certificate required")"
done

#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-staple fetch, from openssl-ocsp(1) as a responder; and ktls-staple probe,
# at openssl-s_server(1) and at ktlsd.
. "${0%/*}/tools.sh"

host_only "ktls-staple fetch and probe" || exit 0

# accepting NAME - the port in the log of what openssl is serving as NAME
accepting() {
	sed -n 's/^ACCEPT .*:\([0-9]*\).*/\1/p' "$DIR/$1.log"
}
port_in() { # for wait_for
	[ -n "$(accepting "$1")" ]
}
# runs NAME STATUS ARGUMENT... - sets OUT to what ktls-staple said, all of it
runs() {
	local name=$1 status=$2 rc
	shift 2
	OUT=$("$B/ktls-staple" "$@" 2>&1)
	rc=$?
	is "$name: exit $status" $rc "$status" || echo "$OUT" | sed 's/^/# /'
}
said() { # NAME REGEX
	matches "$1" "$OUT" "$2"
}

# A certificate that names its responder and must be stapled.
leaf() { # NAME EXTENSION...
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$DIR/$1.key" -subj "/CN=$1" -out "$DIR/$1.csr" &&
		printf '%s\n' "${@:2}" | openssl x509 -req -in "$DIR/$1.csr" \
			-CA "$PKI/ca.pem" -CAkey "$PKI/ca.key" -days 30 \
			-CAserial "$DIR/serial" -CAcreateserial \
			-out "$DIR/$1.pem" -extfile /dev/stdin
}
index() { # STATUS REVOKED CERTIFICATE
	local serial
	serial=$(openssl x509 -in "$3" -noout -serial)
	serial=${serial#serial=}
	printf '%s\t491231235959Z\t%s\t%s\tunknown\t/CN=%s\n' "$1" "$2" \
		"$serial" "$serial" >>"$DIR/index"
}

port=$(free_port)
check "a certificate with a responder" leaf must \
	"authorityInfoAccess = OCSP;URI:http://localhost:$port/" \
	"tlsfeature = status_request" "subjectAltName = DNS:must.example"
cat "$DIR/must.pem" "$PKI/ca.pem" >"$DIR/must-chain.pem"
index V '' "$DIR/must.pem"
index V '' "$PKI/ec.pem"
index R 250101000000Z "$PKI/rsa.pem"
spawn responder openssl ocsp -index "$DIR/index" -CA "$PKI/ca.pem" -ndays 4 \
	-rsigner "$PKI/ca.pem" -rkey "$PKI/ca.key" -port "$port"
wait_for 10 port_in responder || bail "no responder" "$(<"$DIR/responder.log")"
url=http://127.0.0.1:$port

# ---- fetch -----------------------------------------------------------------

runs "the certificate's own responder" 0 fetch --cert "$DIR/must-chain.pem" \
	--out "$DIR/must.der"
said "shows the certificate" '^certificate: CN=must$'
said "and its names" '^  names: DNS:must.example$'
said "and that it must be stapled" '^  must-staple: yes$'
said "the issuer and where it was" \
	"^issuer: CN=ktlsd test root \(from $DIR/must-chain.pem\)"
said "the responder" \
	"^responder: http://localhost:$port/ \(from the certificate\)$"
said "the request, without //" "^  GET http://localhost:$port/M"
said "an address" "^  trying 127.0.0.1:$port$"
said "the status" '^  answer: HTTP/1.0 200 OK$'
said "the type" '^  answer: Content-type: application/ocsp-response$'
said "who answered" "^  answered by 127.0.0.1:$port$"
said "the verdict" '^ok: it may be stapled$'
said "the end" '^nextUpdate: .*Z \(in (3 d 23|4 d 0) h\)$'
# Half of four days, but no longer than a day.
said "the next time" '^refresh: in about (1 d 0 h|2[1-3] h [0-9]+ min), at 20'
check "what it wrote is right" "$B/ktls-staple" check \
	--cert "$DIR/must.pem" --issuer "$PKI/ca.pem" --response "$DIR/must.der"
check_fails "it leaves nothing beside that" \
	ls "$DIR"/must.der.*

given=(--url "$url" --issuer "$PKI/ca.pem")
runs "a responder that is given" 0 fetch --cert "$PKI/ec.pem" "${given[@]}"
said "is named as such" "^responder: $url \(from --url\)$"
runs "SHA-256" 0 fetch --cert "$PKI/ec.pem" "${given[@]}" --hash sha256
said "in a longer request" "GET $url/M[A-Za-z0-9%]{150,}$"
long=$url/$(printf '%0200d' 0)
runs "a long URL" 0 fetch --cert "$PKI/ec.pem" --url "$long" \
	--issuer "$PKI/ca.pem"
said "is asked by POST" "^  POST $long \([0-9]+ bytes\)$"
echo old >"$DIR/kept.der"
runs "a revoked certificate" 1 fetch --cert "$PKI/rsa.pem" "${given[@]}" \
	--out "$DIR/kept.der"
said "is said to be so" '^revoked: '
is "and the file stays" "$(<"$DIR/kept.der")" old
runs "a file that cannot be written" 2 fetch --cert "$PKI/ec.pem" \
	"${given[@]}" --out "$DIR/none/out.der"
said "is named" "$DIR/none/out.der: No such file"
good() { # FILE
	"$B/ktls-staple" check --cert "$PKI/ec.pem" --issuer "$PKI/ca.pem" \
		--response "$1"
}
ln -s kept.der "$DIR/link.der"
runs "a link to a file" 0 fetch --cert "$PKI/ec.pem" "${given[@]}" \
	--out "$DIR/link.der"
check "is written through" good "$DIR/kept.der"
is "and stays a link" "$(readlink "$DIR/link.der")" kept.der
mkfifo "$DIR/pipe"
spawn piped cat "$DIR/pipe"
runs "a pipe" 0 fetch --cert "$PKI/ec.pem" "${given[@]}" --out "$DIR/pipe"
check "stays one" test -p "$DIR/pipe"
wait_for 10 gone "$SPAWNED"
check "and gets it" good "$DIR/piped.log"

http_proxy=http://127.0.0.1:1 runs "a proxy of the environment's" 0 fetch \
	--cert "$PKI/ec.pem" "${given[@]}"
runs "nobody there" 1 fetch --cert "$PKI/ec.pem" --url http://127.0.0.1:1/ \
	--issuer "$PKI/ca.pem"
said "names the address" \
	'^no-connection: cannot connect to 127.0.0.1:1: Connection refused$'
runs "no issuer" 2 fetch --cert "$PKI/ec.pem" --url "$url"
said "names the file and the option" "$PKI/ec.pem: .*CN=localhost.*--issuer"
runs "another issuer" 2 fetch --cert "$PKI/ec.pem" --url "$url" \
	--issuer "$PKI/other-ca.pem"
said "names that file" "$PKI/other-ca.pem: does not hold the issuer"
runs "no responder" 2 fetch --cert "$PKI/ec-chain.pem"
said "names the option" "$PKI/ec-chain.pem: .*--url"
runs "a responder by FTP" 2 fetch --cert "$PKI/ec.pem" --url ftp://127.0.0.1/ \
	--issuer "$PKI/ca.pem"
said "is refused" 'ftp://127.0.0.1/: .* http or https'
runs "no hash of ours" 2 fetch --cert "$PKI/ec.pem" "${given[@]}" --hash md5
runs "no time" 2 fetch --cert "$PKI/ec.pem" "${given[@]}" --timeout 0
runs "no certificate" 2 fetch --url "$url"

# In front of that responder: a proxy, and one by https.
cat >"$DIR/front.py" <<'END'
import http.server, ssl, sys, urllib.parse, urllib.request
class Front(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        answer = urllib.request.urlopen(sys.argv[1] + path).read()
        self.send_response(200)
        self.send_header("Content-Type", "application/ocsp-response")
        self.send_header("Cache-Control", "max-age=7200")
        self.end_headers()
        self.wfile.write(answer)
server = http.server.HTTPServer(("127.0.0.1", 0), Front)
if len(sys.argv) > 2:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[2], sys.argv[3])
    server.socket = tls.wrap_socket(server.socket, server_side=True)
print("ACCEPT :%d" % server.server_port, flush=True)
server.serve_forever()
END
spawn proxy python3 "$DIR/front.py" "$url"
spawn https python3 "$DIR/front.py" "$url" "$PKI/ec.pem" "$PKI/ec.key"
wait_for 10 port_in proxy || bail "no proxy" "$(<"$DIR/proxy.log")"
wait_for 10 port_in https || bail "no https" "$(<"$DIR/https.log")"
runs "a proxy" 0 fetch --cert "$PKI/ec.pem" --url http://responder.invalid/ \
	--issuer "$PKI/ca.pem" --proxy "http://127.0.0.1:$(accepting proxy)"
said "is asked" 'GET http://responder.invalid/M'
said "HTTP may want it sooner" '^refresh: in about [12] h [0-9]+ min, '
secure=https://127.0.0.1:$(accepting https)/
runs "https" 0 fetch --cert "$PKI/ec.pem" --issuer "$PKI/ca.pem" \
	--url "$secure" --ca "$PKI/ca.pem"
said "shows how" 'SSL connection using TLS'
runs "https by a stranger" 1 fetch --cert "$PKI/ec.pem" \
	--issuer "$PKI/ca.pem" --url "$secure"
said "is refused" '^tls: TLS with 127.0.0.1:[0-9]+ failed: .*certificate'

# ---- probe -----------------------------------------------------------------

# serve NAME CERT KEY OPTION... - sets AT
serve() {
	local name=$1 cert=$2 key=$3
	shift 3
	spawn "$name" openssl s_server -accept 127.0.0.1:0 -cert "$cert" \
		-key "$key" -www "$@"
	wait_for 10 port_in "$name" || bail "no $name" "$(<"$DIR/$name.log")"
	AT=127.0.0.1:$(accepting "$name")
}

# One that takes ten seconds, meanwhile.
cat >"$DIR/mute.py" <<'END'
import socket, time
s = socket.create_server(("127.0.0.1", 0))
print("ACCEPT :%d" % s.getsockname()[1], flush=True)
c = s.accept()
time.sleep(60)
END
spawn mute python3 "$DIR/mute.py"
wait_for 10 port_in mute || bail "no mute server"
spawn waits "$B/ktls-staple" probe "127.0.0.1:$(accepting mute)"
waits=$SPAWNED

serve must "$DIR/must.pem" "$DIR/must.key" -status_file "$DIR/must.der" \
	-cert_chain "$PKI/ca.pem"
runs "a good staple" 0 probe "$AT"
said "the address" "^address: $AT: connected$"
said "the version" '^version: TLSv1.3$'
said "whose it is" '^certificate: CN=must$'
said "the fingerprint" "^  SHA-256: $(openssl x509 -in "$DIR/must.pem" \
	-outform DER | sha256sum | cut -d' ' -f1)$"
said "the issuer" '^issuer: CN=ktlsd test root \(from the server\)$'
said "the verdict" '^ok: '
said "how long it lives" '^nextUpdate: .*Z \(in (3 d 23|4 d 0) h\)$'
said "must-staple" '^must-staple: honoured$'

serve bare "$DIR/must.pem" "$DIR/must.key"
runs "no staple" 1 probe "$AT"
said "is said" '^none: the server sent no staple$'
said "tried with the older version, too" \
	'^TLSv1.2: the server sent no staple$'
said "and that it was a must" '^must-staple: not honoured'

serve old "$PKI/ec.pem" "$PKI/ec.key" -status_file "$PKI/expired.der" -tls1_2
runs "an expired staple" 1 probe "$AT" --ca "$PKI/ca.pem"
said "is said to be so" '^expired: '
said "with the version" '^version: TLSv1.2$'
said "the issuer from a file" "^issuer: .* \(from $PKI/ca.pem\)$"
runs "no issuer" 2 probe "$AT"
said "the option is named" 'a staple came.*--ca'

up staple="$PKI/good.der" bind="[::1]:0"
consume
runs "ktlsd, by IPv6" 0 probe "[::1]:$PORT" --sni localhost
said "names the address" "^address: \[::1\]:$PORT: connected$"
said "has no must" '^  must-staple: no$'
stop_ktlsd

runs "nobody there" 2 probe 127.0.0.1:1
said "says why" '^address: 127.0.0.1:1: Connection refused$'
serve plain "$PKI/ec.pem" "$PKI/ec.key" -tls1_2 -cipher PSK
runs "no handshake" 2 probe "$AT"
said "says why" 'the TLS handshake failed: .*alert'
for where in '' localhost localhost: :443 ::1:443 '[::1' '[]:443' x:999999999; do
	runs "'$where' is no place" 2 probe "$where"
done
runs "no place at all" 2 probe
runs "two places" 2 probe 127.0.0.1:1 127.0.0.1:2
runs "a CA file that is none" 2 probe 127.0.0.1:1 --ca "$PKI/ec.key"
said "is named" "$PKI/ec.key: holds no certificate"

check "a server that says nothing is left" wait_for 15 gone "$waits"
wait "$waits"
is "with exit 2" $? 2
matches "and a reason" "$(<"$DIR/waits.log")" 'no time left: .*handshake'

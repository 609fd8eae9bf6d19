#!/bin/bash
# SPDX-License-Identifier: MIT
# Clients that others wrote.
. "${0%/*}/tools.sh"

up
consume
request='GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
url=https://localhost:$PORT
curl() {
	command curl -sS --max-time 60 --resolve "localhost:$PORT:127.0.0.1" \
		--cacert "$PKI/ca.pem" --cert-status "$@"
}

# In a guest one version each is enough: the kernel does not know the client.
versions="1.2 1.3"
! emulated || versions=1.3
for version in $versions; do
	v="--tlsv$version --tls-max $version"
	curl $v -o "$DIR/body" "$url/bytes/3000000"
	is "curl, TLS $version, downloads" "$? $(stat -c %s "$DIR/body")" \
		"0 3000000"
	is "curl, TLS $version, uploads the same" \
		"$(curl $v -H Expect: -T "$DIR/body" "$url/sink")" \
		"$(sha256sum <"$DIR/body" | cut -d' ' -f1)"
done
is "curl keeps a connection alive" \
	"$(curl "$url/one" "$url/two" -w ' %{num_connects} ')" "/one 1 /two 0 "

# s_client and gnutls-cli stop at the end of their input: it has none.
mkfifo "$DIR/input"
exec 8<>"$DIR/input"
talk() { # COMMAND...
	printf "$request" >&8
	timeout 20 "$@" <&8 2>&1
}
relayed=$(events 'accept .*mode=relay')
for version in $versions; do
	out=$(talk openssl s_client -connect "127.0.0.1:$PORT" \
		-tls${version/./_} -servername localhost -CAfile "$PKI/ca.pem" \
		-status -verify_return_error -verify_hostname localhost)
	matches "openssl s_client, TLS $version" "$out" '^/hello'
	matches "with a good staple" "$out" 'Cert Status: good'
	out=$(talk gnutls-cli --x509cafile "$PKI/ca.pem" -p "$PORT" \
		--priority "NORMAL:-VERS-ALL:+VERS-TLS$version" localhost)
	matches "gnutls-cli, TLS $version" "$out" '^/hello'
	matches "trusts us, staple included" "$out" \
		'Status: The certificate is trusted'
done
how=$(mode)
is "all of them by $how" $(($(events 'accept .*mode=relay') - relayed)) \
	$([ $how = ktls ] && echo 0 || echo $((2 * $(wc -w <<<"$versions"))))

# The kernels that can limit their records do, for others we relay.
case $how/$(uname -r) in
*/6.1.* | */6.12.*) how=relay ;;
esac
n=$(events accept)
for version in 1.2 1.3; do
	out=$(talk openssl s_client -connect "127.0.0.1:$PORT" \
		-tls${version/./_} -CAfile "$PKI/ca.pem" -maxfraglen 1024)
	matches "openssl s_client -maxfraglen 1024, TLS $version" "$out" \
		'^/hello'
done
is "by $how" \
	"$(events "accept n=($((n + 1))|$((n + 2))) .*mode=$how ")" 2
if ktls_or_skip "what is relayed for that is counted"; then
	counters
	counted "what is relayed for that is counted" \
		'ktlsd_relayed_total{reason="max_fragment"}' \
		$([ $how = ktls ] && echo 0 || echo 2)
fi

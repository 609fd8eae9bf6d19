#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-static: files over sendfile.
. "${0%/*}/tools.sh"

mkdir "$DIR/root"
head -c 5000000 /dev/urandom >"$DIR/root/big"
echo hello >"$DIR/root/small"
up
spawn static "$B/ktls-static" --queue "$DIR/web.sock" --root "$DIR/root"
check "ktls-static registers" wait_for 20 metric_is \
	'ktlsd_registrations{route="web"}' 1
curl() {
	command curl -sS --max-time 60 --resolve "localhost:$PORT:127.0.0.1" \
		--cacert "$PKI/ca.pem" --cert-status "$@"
}
url=https://localhost:$PORT
for version in 1.2 1.3; do
	curl --tlsv$version --tls-max $version -D "$DIR/head" -o "$DIR/got" \
		"$url/big"
	check "TLS $version: a file arrives whole" cmp "$DIR/got" "$DIR/root/big"
	matches "TLS $version: by $(mode)" "$(cat "$DIR/head")" \
		"^[Xx]-[Kk]tls-[Mm]ode: $(mode)"
done
host_only "ktls-static speaks HTTP" || exit 0
is "a range" "$(curl -r 1-3 "$url/small")" ell
is "keep-alive" "$(curl "$url/small" "$url/small" -w '%{num_connects} ')" \
	"hello
1 hello
0 "
is "404" "$(curl -o "$DIR/got" -w '%{http_code}' "$url/none")" 404
is "no way out of the root" \
	"$(curl --path-as-is -o "$DIR/got" -w '%{http_code}' "$url/../web.sock" |
		grep -cE '40[034]')" 1

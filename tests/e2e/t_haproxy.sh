#!/bin/bash
# SPDX-License-Identifier: MIT
# HAProxy as it comes from Debian, as a consumer by ktls-run and sockpair@.
. "${0%/*}/tools.sh"

if ! command -v haproxy >/dev/null; then
	skip "HAProxy serves by sockpair@" "haproxy is not installed"
	exit 0
fi
cat >"$DIR/haproxy.cfg" <<'END'
global
	maxconn 1000
defaults
	mode http
	timeout connect 5s
	timeout client 30s
	timeout server 30s
frontend web
	bind sockpair@3
	http-request return status 200 content-type text/plain lf-string "%[path]"
END
up
spawn haproxy "$B/ktls-run" --queue "$DIR/web.sock" -- \
	haproxy -db -f "$DIR/haproxy.cfg"
wait_for 20 holds "$DIR/haproxy.log" '^ktls-run: serving ' ||
	bail "HAProxy was not started"
batch --path /through-haproxy <<END
1.2 --version 1.2
1.3 --version 1.3
behind-1.2 --version 1.2 --coalesce
behind-1.3 --version 1.3 --coalesce
END
for version in 1.2 1.3; do
	is "TLS $version: HAProxy answers" "${BODY[$version]:-}" \
		/through-haproxy
	is "TLS $version: with the request behind Finished" \
		"${BODY[behind-$version]:-}" /through-haproxy
done
n=200
! emulated || n=50
matches "$n connections through HAProxy" "$(swarm -n $n -j 32)" \
	"^ok=$n failed=0 lost=0 "
counters
counted "all of them by $(mode)" "ktlsd_handed_off_total{mode=\"$(mode)\"}" \
	$((n + 4))

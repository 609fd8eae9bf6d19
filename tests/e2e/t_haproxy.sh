#!/bin/bash
# SPDX-License-Identifier: MIT
# HAProxy as it comes from Debian, as a consumer by sockpair@.
. "$(dirname "$0")/tools.sh"

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
spawn haproxy "$TOOLS/consumer" "$DIR/web.sock" -- \
	haproxy -db -f "$DIR/haproxy.cfg"
wait_for 20 grep -q event=registered "$DIR/haproxy.log" ||
	bail "HAProxy's registrar was refused"
for version in 1.2 1.3; do
	matches "TLS $version: HAProxy answers" \
		"$(client --version $version --path /through-haproxy)" \
		'^/through-haproxy$'
	matches "TLS $version: with the request behind Finished" \
		"$(client --version $version --coalesce --path /through-haproxy)" \
		'^/through-haproxy$'
done
matches "200 connections through HAProxy" "$(swarm -n 200 -j 32)" \
	'^ok=200 failed=0 lost=0 '
is "all of them by $(mode)" \
	"$(metric "ktlsd_handed_off_total{mode=\"$(mode)\"}")" 204

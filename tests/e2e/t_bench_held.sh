#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-bench: idle, bulk and reload, as small as can be.
. "${0%/*}/tools.sh"
host_only "ktls-bench" || exit 0
. "$E2E/bench.sh"

# ---- idle -------------------------------------------------------------------------

check "idle: it runs" bench idle --count 50 --rounds 1 --csv "$DIR/csv" \
	--servers ktlsd,relay,plain,openssl,nginx,hitch,stunnel
complete "idle" tls1.3-p256 "ktlsd relay plain openssl nginx hitch stunnel" \
	"user front behind kernel all"
more() { # METRIC A B - A has more of it
	awk -v a="$(cell tls1.3-p256 "$2" "$1" 8)" \
		-v b="$(cell tls1.3-p256 "$3" "$1" 8)" 'BEGIN { exit !(a > b) }'
}
check "idle: TLS in user space takes more there than none" more user openssl plain
nothing_left "idle"

# ---- bulk -------------------------------------------------------------------------

check "bulk: it runs" bench bulk --mib 2 --parallel 2 --rounds 1 --csv "$DIR/csv" \
	--records 16384
proxies="haproxy hitch stunnel"
complete "bulk" "sendfile upload-16384" "ktlsd relay plain openssl nginx $proxies" \
	"rate cpu user system front front-user failed client-busy server-busy"
complete "bulk, as it is written" write-16384 "ktlsd relay plain openssl $proxies" \
	"rate cpu"
complete "bulk, who sends files only" sendfile h2o "rate cpu"
is "bulk: none failed" "$(awk -F, '$4 == "failed" && $10' "$DIR/csv")" ""
nothing_left "bulk"

# ---- reload -----------------------------------------------------------------------

peers="nginx haproxy hitch stunnel h2o"
check "reload: it runs" bench reload --count 30 --reloads 2 --rounds 1 \
	--csv "$DIR/csv"
what=30-connections-2-reloads
complete "reload" $what "ktlsd $peers" \
	"dropped failed lingering memory growth takes killed opened reloads"
for s in ktlsd $peers; do
	is "reload: each is one, $s" "$(cell $what $s reloads 8)" 2
done
# Hitch and stunnel do lose some.
for s in ktlsd nginx haproxy h2o; do
	is "reload: all are opened, $s" "$(cell $what $s opened 8)" 30
done
few() {
	local out
	out=$(ulimit -n 700 && bench reload --reloads 1 --rounds 1 \
		--servers haproxy) && [[ $out == *"# 100 connections, not 10000: "* ]]
}
check "reload: where descriptors are few, as many as a server takes" few
is "reload: nginx's die with it" "$(cell $what nginx killed 8)" 30
nothing_left "reload"

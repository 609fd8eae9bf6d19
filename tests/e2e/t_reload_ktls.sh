#!/bin/bash
# SPDX-License-Identifier: MIT
# A reload, an upgrade, and connections that the kernel has: whose worker has gone
# since, and those that are just on their way there.
. "${0%/*}/tools.sh"

ktls_or_skip "connections in kTLS outlive their workers" || exit 0
PORT=$(free_port)
# write_config KEY=VALUE...
write_config() {
	config ktls=require bind="127.0.0.1:$PORT" \
		${KTLSD_GUEST:+handshake_timeout=60s} "$@" >"$DIR/ktlsd.conf"
}
reload() { # KEY=VALUE...
	write_config "$@"
	"$B/ktlsctl" -s "$DIR/control.sock" reload
}
# Of workers that do not serve any more
old_are_gone() {
	local pid
	for pid in $OLD; do
		gone "$pid" || return
	done
}
write_config workers=1
start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start" \
	"$(tail -n 5 "$KTLSD_LOG")"
consume

bad=$(tls_stat TlsDecryptError)
declare -A pids
hold() { # NAME ARG...
	held_client "$@"
	pids[$1]=$SPAWNED
}
hold put-1.3 --version 1.3 --put 2M --pause 500K
hold put-1.2 --version 1.2 --put 2M --pause 500K
# Two that come again, with the session of their first connection.
hold resume-1.3 --version 1.3 --resume --wait --get 50000
hold resume-1.2 --version 1.2 --resume --wait --get 50000
# And one that is not through, its own Finished being late.
hold late --version 1.3 --late --coalesce --get 50000
held_swarm kept -n 20 -k
pids[kept]=$SPAWNED
for name in "${!pids[@]}"; do
	paused_or_bail "$name"
done
OLD=$(worker_pids)

check "it reloads, with another certificate" reload workers=2 \
	chain="$PKI/rsa-chain.pem" key="$PKI/rsa.key" staple="$PKI/rsa.der"
check_fails "a handshake holds the old worker up" gone "${OLD%% *}"
batch --path /info <<END
new-1.3 --version 1.3
new-1.2 --version 1.2
END
for version in 1.3 1.2; do
	matches "TLS $version: new connections have the new certificate" \
		"${BODY[new-$version]:-}" '^mode=ktls .* key_alg=RSA2048 '
done
release late
matches "what was on its way gets to the kernel" "$(ends late "${pids[late]}")" \
	'^result=ok .* bytes=50000 .* end=close_notify'
check "then the old worker has gone" wait_for 30 old_are_gone

# again N - the first answer, and the second connection's handshake
again() {
	count "$DIR/resume-$1.log" '^paused'
	[ $COUNT = 2 ]
}
for version in 1.3 1.2; do
	release resume-$version
	wait_for 30 again $version
done
OLD="$KTLSD_PID $(worker_pids)"
answer=$("$B/ktlsctl" -s "$DIR/control.sock" upgrade 2>&1)
matches "another process takes over" "$answer" '^ok pid=[0-9]+$'
KTLSD_PID=${answer#ok pid=}
PIDS+=("$KTLSD_PID")
check "of the old ones none is left, with nothing to relay" \
	wait_for 30 old_are_gone
is "24 connections of theirs are in kTLS" "$(in_ktls)" 24
for version in 1.3 1.2; do
	release resume-$version
	matches "TLS $version: a session was resumed under the next configuration" \
		"$(ends resume-$version "${pids[resume-$version]}")" \
		'^result=ok .* resumed=1 .* bytes=50000 .* end=close_notify'
	release put-$version
	matches "TLS $version: an upload goes on that began two before" \
		"$(ends put-$version "${pids[put-$version]}" 60)" \
		'^result=ok .* end=close_notify'
done
release kept
matches "the others are answered once more" "$(ends kept "${pids[kept]}")" \
	'^ok=20 failed=0 lost=0 '
is "and nothing arrived that could not be read" "$(tls_stat TlsDecryptError)" \
	"$bad"
counters
counted "no worker died" ktlsd_worker_restarts_total 0
batch --path /info <<END
again-1.3 --version 1.3
again-1.2 --version 1.2
END
for version in 1.3 1.2; do
	matches "TLS $version: the new process gives the kernel its connections" \
		"${BODY[again-$version]:-}" '^mode=ktls .* ulp=tls '
done
is "all were in kTLS" "$(events 'accept .*mode=ktls .* ulp=tls ')" 31
stop_ktlsd
check "it ends" gone "$KTLSD_PID"

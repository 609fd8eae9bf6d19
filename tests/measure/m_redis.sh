#!/bin/bash
# SPDX-License-Identifier: MIT
# What an operation costs Redis that ktls-run has started, in kTLS, and the same
# Redis by its own TLS: instructions of its process, by the clock of a guest that
# counts them. User space's part is by the clock's ticks, so to some percent.
. "${0%/*}/lib.sh"
. "$E2E/servers.sh"
KVER=${KVER:-6.12}
N=${N:-3000}

# ---- on the host ---------------------------------------------------------------

if [ -z "${INSIDE:-}" ]; then
	tests/guest/fetch "$KVER" >&2 || bail "no kernel"
	say "in a guest with Linux $KVER, $N operations of each kind"
	tests/guest/boot -i -t 380 "$KVER" env INSIDE=1 N="$N" ROWS= \
		KTLSD_GUEST="$KVER" bash "$0" >"$DIR/out.log" 2>&1 ||
		bail "the guest ended" "$(tail -n 20 "$DIR/out.log")"
	while read -r word who what bytes all user; do
		[ "$word" = found ] || continue
		row "Redis $who, $what of $bytes bytes: instructions each, user space's" \
			"$all, $user" ''
	done <"$DIR/out.log"
	grep -q '^found' "$DIR/out.log" || bail "nothing was found" \
		"$(tail -n 20 "$DIR/out.log")"
	exit 0
fi

# ---- in the guest ---------------------------------------------------------------

# used PID - sets ALL, instructions so far, and of the clock's ticks USER and TICKS
used() {
	local stat fields
	read -r ALL _ <"/proc/$1/schedstat"
	read -r stat <"/proc/$1/stat"
	read -ra fields <<<"${stat##*) }"
	USER=${fields[11]} TICKS=$((fields[11] + fields[12]))
}
measure() { # WHO PID PORT
	local what bytes all user ticks
	for bytes in 100 16000; do
		for what in set get; do
			used "$2"
			all=$ALL user=$USER ticks=$TICKS
			redis-benchmark --tls --cacert "$PKI/ca.pem" --sni localhost \
				-h localhost -p "$3" -n "$N" -c 8 -d $bytes -t $what \
				--csv >"$DIR/bench.log" 2>&1 ||
				bail "redis-benchmark" "$(<"$DIR/bench.log")"
			used "$2"
			all=$(((ALL - all) / N)) ticks=$((TICKS - ticks))
			echo "found $1 $what $bytes $all" \
				"$((all * (USER - user) / (ticks ? ticks : 1)))"
		done
	done
}

common=(--save '' --appendonly no --dir "$DIR" --protected-mode no)
up workers=1 alpn='[]'
FRONT=$(free_port)
run_server /usr/bin/redis-server --port "$FRONT" --bind 127.0.0.1 \
	--pidfile "$DIR/redis.pid" --unixsocket "$DIR/redis.sock" "${common[@]}"
wait_for 60 test -S "$DIR/redis.sock" || bail "no Redis" "$(<"$DIR/server.log")"
measure behind-ktlsd "$(descendants "$SERVER")" "$PORT"
stop "$SERVER"

own=$(free_port)
spawn own /usr/bin/redis-server --port 0 --tls-port "$own" --bind 127.0.0.1 \
	--tls-cert-file "$PKI/ec-chain.pem" --tls-key-file "$PKI/ec.key" \
	--tls-auth-clients no "${common[@]}"
wait_for 60 holds "$DIR/own.log" 'Ready to accept' || bail "no Redis"
measure by-itself "$SPAWNED" "$own"

#!/bin/bash
# SPDX-License-Identifier: MIT
# What connections that have been handed off still cost ktlsd: nothing. And what
# a second worker costs. In instructions, by the clock of a guest that counts them.
. "${0%/*}/lib.sh"
KVER=${KVER:-6.12}
N=${N:-20000}
EACH=${EACH:-400}
LIMIT=${LIMIT:-$((700 + N / 20))} # seconds, on a machine without much else to do

# ---- on the host ---------------------------------------------------------------

if [ -z "${INSIDE:-}" ]; then
	tests/guest/fetch "$KVER" >&2 || bail "no kernel"
	say "in a guest with Linux $KVER, up to $N connections in kTLS; it takes minutes"
	tests/guest/boot -i -m 8192 -t "$LIMIT" "$KVER" env INSIDE=1 N="$N" LIMIT="$LIMIT" \
		EACH="$EACH" ROWS= KTLSD_GUEST="$KVER" bash "$0" \
		> >(tee "$DIR/out.log" | grep --line-buffered '^#' >&2) 2>&1 ||
		bail "the guest ended" "$(tail -n 20 "$DIR/out.log")"
	while read -r word what value target a op b; do
		[ "$word" != found ] || row "${what//_/ }" "${value//_/ }" \
			"${target//_/ }" $a $op $b
	done <"$DIR/out.log"
	grep -q '^found' "$DIR/out.log" || bail "nothing was found" \
		"$(tail -n 20 "$DIR/out.log")"
	exit 0
fi

# ---- in the guest ---------------------------------------------------------------

# each VERSION HOW - sets K, what a handshake takes of all workers, 1000 instructions
each() {
	local before
	cpu_ns $(worker_pids)
	before=$NS
	"$TOOLS/swarm" -n "$EACH" -j 4 -v "$1" $2 -t 600000 "127.0.0.1:$PORT" \
		>"$DIR/swarm.log" || bail "$(<"$DIR/swarm.log")"
	cpu_ns $(worker_pids)
	K=$(((NS - before) / EACH / 1000))
}
# memory - sets KIB, what is ktlsd's alone
memory() {
	local pid
	KIB=0
	for pid in $KTLSD_PID $(descendants "$KTLSD_PID"); do
		KIB=$((KIB + $(private "$pid")))
	done
}
ratio() { # A B
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f", a / b }'
}
found() { # WHAT VALUE [TARGET A OP B] - a row of the host's table
	echo "found ${1// /_} ${2// /_} ${3:+${3// /_} $4 $5 $6}"
}

echo 1024 65535 >/proc/sys/net/ipv4/ip_local_port_range
ulimit -n 400000
up workers=1 ktls=require
consume
each 1.3 '' # what the first ones take
each 1.3 ''
full=$K
each 1.2 -r
resumed=$K
# As many at a time as there will be: what they need stays for the next ones.
"$TOOLS/swarm" -n 1000 -j 64 -v 1.2 -r -t 600000 "127.0.0.1:$PORT" \
	>"$DIR/swarm.log" || bail "$(<"$DIR/swarm.log")"
memory
before=$KIB
echo "# $T: $N connections"
# From many addresses: to find a free port among few takes longer and longer.
held_swarm held -n "$N" -a 16 -j 64 -v 1.2 -r -k -t ${LIMIT}000
held=$SPAWNED
wait_for "$LIMIT" paused held || bail "they do not come"
matches "all are there" "$(<"$DIR/held.log")" "^ok=$N failed=0"
memory
found "memory of ktlsd's, $N connections later" "$((KIB - before)) KiB" \
	"0 bytes each" $(((KIB - before) * 1024 / N)) -le 0
each 1.3 ''
r=$(ratio "$K" "$full")
found "a full handshake with $N connections, to one with none" "$r" \
	"at most 1.03" "$r" -le 1.03
each 1.2 -r
r=$(ratio "$K" "$resumed")
found "a resumed one" "$r" "at most 1.03" "$r" -le 1.03
kill "$held"
wait_for 60 gone "$held"
stop "$CONSUMER"
stop_ktlsd

echo "# $T: two workers"
up workers=2 ktls=require
consume
each 1.3 ''
each 1.3 ''
r=$(ratio "$K" "$full")
found "a full handshake with two workers, to one" "$r" "at most 1.05" "$r" -le 1.05

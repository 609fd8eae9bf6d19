#!/bin/bash
# SPDX-License-Identifier: MIT
# 2,000 connections, open all at once, through 2 workers and 3 consumers.
. "$(dirname "$0")/tools.sh"
N=2000

up workers=2
consume -n 3
if have_ktls; then
	tx=$(tls_stat TlsTxSw) rx=$(tls_stat TlsRxSw)
	open_tx=$(tls_stat TlsCurrTxSw) open_rx=$(tls_stat TlsCurrRxSw)
fi
held_swarm swarm -n $N -j 64 -k -t 90000
swarm_pid=$SPAWNED
wait_for 90 paused swarm
matches "$N connections each get their own response" \
	"$(head -n 1 "$DIR/swarm.log")" "^ok=$N failed=0 lost=0 "
is "none is handed off twice" "$(events accept)" $N
is "three processes took them" "$(grep event=accept "$CONSUMER_LOG" |
	grep -oE ' pid=[0-9]+' | sort -u | wc -l)" 3
is "all are counted" \
	"$(metric "ktlsd_handed_off_total{mode=\"$(mode)\"}")" $N
balanced

if ktls_or_skip "every connection is in kTLS both ways"; then
	is "every one is in kTLS for sending, by /proc/net/tls_stat" \
		$(($(tls_stat TlsTxSw) - tx)) $N
	is "and for receiving" $(($(tls_stat TlsRxSw) - rx)) $N
	is "and still is" "$(($(tls_stat TlsCurrTxSw) - open_tx)) $((
		$(tls_stat TlsCurrRxSw) - open_rx))" "$N $N"
	is "every one is in kTLS both ways, by sock_diag" "$(in_ktls)" $N
	kill_ktlsd
fi
release swarm
name="a second request on each of them is answered"
have_ktls && name="$name, ktlsd being dead"
matches "$name" "$(ends swarm "$swarm_pid" 60)" "^ok=$N failed=0 lost=0 "

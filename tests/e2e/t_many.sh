#!/bin/bash
# SPDX-License-Identifier: MIT
# 2,000 connections, open all at once, through 2 workers and 3 consumers.
. "${0%/*}/tools.sh"
N=2000

up workers=2
consume -n 3
if have_ktls; then
	tx=$(tls_stat TlsTxSw) rx=$(tls_stat TlsRxSw)
	open_tx=$(tls_stat TlsCurrTxSw) open_rx=$(tls_stat TlsCurrRxSw)
fi
# Resumed sessions where arithmetic is slow; one more gets each session.
how= sessions=0
! emulated || how=-r sessions=2
pids=()
for version in 1.2 1.3; do
	held_swarm swarm-$version -v $version $how -n $((N / 2)) -j 32 -k -t 90000
	pids+=($SPAWNED)
done
for version in 1.2 1.3; do
	wait_for 90 paused swarm-$version
	matches "TLS $version: $((N / 2)) connections get their own responses" \
		"$(head -n 1 "$DIR/swarm-$version.log")" \
		"^ok=$((N / 2)) failed=0 lost=0 "
done
all=$((N + sessions))
is "none is handed off twice" "$(events accept)" $all
took=0
for pid in $(servers); do
	holds "$CONSUMER_LOG" "^event=accept .*pid=$pid " && took=$((took + 1))
done
is "three processes took them" $took 3
counters
counted "all are counted" "ktlsd_handed_off_total{mode=\"$(mode)\"}" $all

if ktls_or_skip "every connection is in kTLS both ways"; then
	is "every one is in kTLS for sending, by /proc/net/tls_stat" \
		$(($(tls_stat TlsTxSw) - tx)) $all
	is "and for receiving" $(($(tls_stat TlsRxSw) - rx)) $all
	is "and still is" "$(($(tls_stat TlsCurrTxSw) - open_tx)) $((
		$(tls_stat TlsCurrRxSw) - open_rx))" "$N $N"
	is "every one is in kTLS both ways, by sock_diag" "$(in_ktls)" $N
	kill_ktlsd
fi
name="a second request on each of them is answered"
! have_ktls || name="$name, ktlsd being dead"
for n in 0 1; do
	version=1.$((n + 2))
	release swarm-$version
	matches "TLS $version: $name" "$(ends swarm-$version "${pids[n]}" 60)" \
		"^ok=$((N / 2)) failed=0 lost=0 "
done

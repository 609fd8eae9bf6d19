#!/bin/bash
# SPDX-License-Identifier: MIT
# 2,000 connections, open all at once, through 2 workers and 3 consumers; half as
# many where arithmetic is slow.
. "${0%/*}/tools.sh"
N=2000
! emulated || N=1000

up workers=2
consume -n 3
if have_ktls; then
	tx=$(tls_stat TlsTxSw) rx=$(tls_stat TlsRxSw)
	open_tx=$(tls_stat TlsCurrTxSw) open_rx=$(tls_stat TlsCurrRxSw)
fi
# Where arithmetic is slow, resumed sessions, and mostly of the version that
# needs least of it; one connection more gets each session.
declare -A share=([1.2]=$((N / 2)) [1.3]=$((N / 2))) pids
how= sessions=0 seconds=90
! emulated || { how=-r sessions=2 seconds=200
	share=([1.2]=$((N * 9 / 10)) [1.3]=$((N / 10))); }
for version in 1.2 1.3; do
	held_swarm swarm-$version -v $version $how -n ${share[$version]} \
		-j 32 -k -t ${seconds}000
	pids[$version]=$SPAWNED
done
for version in 1.2 1.3; do
	wait_for $seconds paused swarm-$version
	matches "TLS $version: ${share[$version]} connections get their own responses" \
		"$(<"$DIR/swarm-$version.log")" \
		"^ok=${share[$version]} failed=0 lost=0 "
done
# Too long for bash.
accepted=$(grep '^event=accept ' "$CONSUMER_LOG")
all=$((N + sessions))
is "none is handed off twice" "$(wc -l <<<"$accepted")" $all
is "three processes took them" "$(grep -oE ' pid=[0-9]+' <<<"$accepted" |
	sort -u | wc -l)" 3
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
for version in 1.2 1.3; do
	release swarm-$version
	matches "TLS $version: $name" \
		"$(ends swarm-$version "${pids[$version]}" 60)" \
		"^ok=${share[$version]} failed=0 lost=0 "
done

#!/bin/bash
# SPDX-License-Identifier: MIT
# What is negotiated, and what the consumer is told about it.
. "$(dirname "$0")/tools.sh"

# The six pairs: version, OpenSSL's name, the kernel's
pairs="1.3 TLS_AES_128_GCM_SHA256 aes-gcm-128
1.3 TLS_AES_256_GCM_SHA384 aes-gcm-256
1.3 TLS_CHACHA20_POLY1305_SHA256 chacha20-poly1305
1.2 ECDHE-ECDSA-AES128-GCM-SHA256 aes-gcm-128
1.2 ECDHE-ECDSA-AES256-GCM-SHA384 aes-gcm-256
1.2 ECDHE-ECDSA-CHACHA20-POLY1305 chacha20-poly1305"

# Fetch and upload with one pair; look at the socket while nothing moves.
one_pair() {
	local version=$1 cipher=$2 kernel=$3 n=pair-$1-$2 line pid diag
	held_client "$n" --version "$version" --cipher "$cipher" --wait \
		--get 100000
	pid=$SPAWNED
	paused_or_bail "$n"
	if have_ktls; then
		wait_for 5 in_ktls
		diag=$(ss -tieHnO state established "sport = :$PORT")
		matches "TLS $version $cipher: the kernel has both directions" \
			"$diag" "tcp-ulp-tls version: $version cipher: $kernel rxconf: sw txconf: sw"
	fi
	release "$n"
	line=$(ends "$n" "$pid")
	matches "TLS $version $cipher: 100,000 bytes come" "$line" \
		"^result=ok version=TLSv$version cipher=$cipher .*end=close_notify"
	check "TLS $version $cipher: 100,000 bytes go" client \
		--version "$version" --cipher "$cipher" --put 100000
	matches "TLS $version $cipher: the consumer is told" \
		"$(grep event=accept "$CONSUMER_LOG" | tail -n 1)" \
		" mode=$(mode) .* version=TLSv$version cipher=$cipher "
}

up
consume
while read -r version cipher kernel; do
	one_pair "$version" "$cipher" "$kernel"
done <<<"$pairs"
is "all of them are counted" \
	"$(metric "ktlsd_handed_off_total{mode=\"$(mode)\"}")" 12

line=$(client --alpn http/1.1 --path /info --groups X25519)
matches "ALPN is agreed" "$line" 'alpn=http/1.1'
info=$(tail -n 1 <<<"$line")
matches "the consumer is told addresses, ALPN and SNI" "$info" \
	"peer=127.0.0.1:[0-9]+ local=127.0.0.1:$PORT alpn=http/1.1 server_name=localhost"
matches "and what was signed how" "$info" \
	'group=[xX]25519 key_alg=EC256 cert_sig_alg=SHA256 sig_scheme=ecdsa_secp256r1_sha256 resumed=0'

line=$(client --version 1.1)
matches "TLS 1.1 is refused with protocol_version" "$line" 'alert=70 '
line=$(client --version 1.2 --cipher ECDHE-ECDSA-AES128-SHA)
matches "no common suite is refused with handshake_failure" "$line" 'alert=40 '
line=$(client --version 1.2 --cipher AES128-GCM-SHA256)
matches "key exchange without ECDHE is refused" "$line" 'alert=40 '
is "both reasons are counted" \
	"$(metric 'ktlsd_handshakes_failed_total{reason="version"}') $(
		metric 'ktlsd_handshakes_failed_total{reason="cipher"}')" "1 2"

# Ends: which one the consumer is told about, and which one the client.
for version in 1.2 1.3; do
	for end in close cut; do
		before=$(events "end .*how=clean")
		line=$(client --version $version --$end --get 1000)
		want=$before
		[ $end = cut ] || want=$((before + 1))
		wait_for 5 events_are end "$(events accept)"
		is "TLS $version: the client's $end is told apart" \
			"$(events "end .*how=clean")" "$want"
		matches "TLS $version: after its $end the client gets close_notify" \
			"$line" 'result=ok .*end=close_notify'
	done
done

# A client that does not trust us says so.
"$TOOLS/client" --ca "$PKI/other-ca.pem" "127.0.0.1:$PORT" >/dev/null
check "a client's alert is counted" wait_for 5 metric_is \
	'ktlsd_handshakes_failed_total{reason="alert"}' 1
stop_ktlsd
stop "$CONSUMER"

up chain="$PKI/rsa-chain.pem" key="$PKI/rsa.key" staple="$PKI/rsa.der"
consume
matches "an RSA certificate serves TLS 1.3" \
	"$(client --version 1.3 --staple "$PKI/rsa.der")" 'result=ok .*staple=same'
matches "and TLS 1.2" "$(client --version 1.2 --path /info)" \
	'key_alg=RSA2048 .*sig_scheme=rsa_pss'

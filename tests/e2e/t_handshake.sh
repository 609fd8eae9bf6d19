#!/bin/bash
# SPDX-License-Identifier: MIT
# What is negotiated, and what the consumer is told about it.
. "${0%/*}/tools.sh"

# The six pairs: version, OpenSSL's name, the kernel's
pairs="1.3 TLS_AES_128_GCM_SHA256 aes-gcm-128
1.3 TLS_AES_256_GCM_SHA384 aes-gcm-256
1.3 TLS_CHACHA20_POLY1305_SHA256 chacha20-poly1305
1.2 ECDHE-ECDSA-AES128-GCM-SHA256 aes-gcm-128
1.2 ECDHE-ECDSA-AES256-GCM-SHA384 aes-gcm-256
1.2 ECDHE-ECDSA-CHACHA20-POLY1305 chacha20-poly1305"

# Where it can be offloaded it must be.
up ktls="$(have_ktls && echo require || echo prefer)"
consume

# One download and one upload by each, the former's connections left open.
held_client pairs --batch
pid=$SPAWNED
while read -r version cipher _; do
	v="--version $version --cipher $cipher"
	echo "get-$cipher $v --get 100000 --keep"
	echo "put-$cipher $v --put 100000"
done <<<"$pairs" >"$DIR/pairs.in"
have_results() {
	count "$DIR/pairs.log" ^label=
	[ $COUNT = 12 ]
}
wait_for 30 have_results
ss -tieHnO state established "sport = :$PORT" >"$DIR/sockets" 2>/dev/null
release pairs
ends pairs "$pid" >/dev/null
read_batch <"$DIR/pairs.log"

while read -r version cipher kernel; do
	name="TLS $version $cipher"
	result "$name: 100,000 bytes come" "get-$cipher" \
		"^result=ok version=TLSv$version cipher=$cipher "
	result "$name: 100,000 bytes go" "put-$cipher" \
		"^result=ok version=TLSv$version cipher=$cipher .*end=close_notify"
	is "$name: the consumer is told" "$(events \
		"accept .*mode=$(mode) .* version=TLSv$version cipher=$cipher ")" 2
	if ktls_or_skip "$name: the kernel has both directions"; then
		kernel="cipher: $kernel "
		# ss does not know ChaCha20's number.
		[[ $cipher != *CHACHA20* ]] || kernel="($kernel)?"
		count "$DIR/sockets" \
			"tcp-ulp-tls version: $version ${kernel}rxconf: sw txconf: sw"
		is "$name: the kernel has both directions" $COUNT 1
	fi
done <<<"$pairs"
counters
counted "all of them are counted" "ktlsd_handed_off_total{mode=\"$(mode)\"}" 12

# Ends: which one the consumer is told about, and which one the client.
batch <<END
info --alpn http/1.1 --path /info --groups X25519
close12 --version 1.2 --close --get 1000
cut12 --version 1.2 --cut --get 1000
close13 --version 1.3 --close --get 1000
cut13 --version 1.3 --cut --get 1000
old --version 1.1
cbc --version 1.2 --cipher ECDHE-ECDSA-AES128-SHA
rsa --version 1.2 --cipher AES128-GCM-SHA256
stranger --ca $PKI/other-ca.pem
END
result "ALPN is agreed" info ' alpn=http/1.1 '
matches "the consumer is told addresses, ALPN and SNI" "${BODY[info]}" \
	"peer=127.0.0.1:[0-9]+ local=127.0.0.1:$PORT alpn=http/1.1 server_name=localhost"
matches "and what was signed how" "${BODY[info]}" \
	'group=[xX]25519 key_alg=EC256 cert_sig_alg=SHA256 sig_scheme=ecdsa_secp256r1_sha256 resumed=0'
wait_for 20 events_are end 17
n=14
for version in 1.2 1.3; do
	for how in close:clean cut:cut; do
		end=${how%:*}
		is "TLS $version: the client's $end is what the consumer sees" \
			"$(events "end n=$n how=${how#*:} ")" 1
		served "TLS $version: after its $end the client gets close_notify" \
			"$end${version/./}"
		n=$((n + 1))
	done
done

result "TLS 1.1 is refused with protocol_version" old ' alert=70 '
result "no common suite is refused with handshake_failure" cbc ' alert=40 '
result "so is key exchange without ECDHE" rsa ' alert=40 '
check "a client's alert is counted" wait_for 20 metric_is \
	'ktlsd_handshakes_failed_total{reason="alert"}' 1
counters
counted "a refused version is counted" \
	'ktlsd_handshakes_failed_total{reason="version"}' 1
counted "a refused suite is counted" \
	'ktlsd_handshakes_failed_total{reason="cipher"}' 2

host_only "an RSA certificate" || exit 0
stop_ktlsd
stop "$CONSUMER"
up chain="$PKI/rsa-chain.pem" key="$PKI/rsa.key" staple="$PKI/rsa.der"
consume
batch --staple "$PKI/rsa.der" --path /info <<END
new --version 1.3
old --version 1.2
END
for label in new old; do
	result "an RSA certificate, staple included ($label)" $label \
		'^result=ok .*staple=same'
	matches "its signature is told ($label)" "${BODY[$label]}" \
		'key_alg=RSA2048 .*sig_scheme=rsa_pss'
done

#!/bin/bash
# SPDX-License-Identifier: MIT
# What comes before a connection is in kTLS, and must not keep it from there: a
# choice of certificates, clients' certificates, headers of load balancers, a
# ClientHello that was looked at, settings, and limits. One ktlsd, one batch of
# clients: each of them has a test of its own, but not with every kernel.
. "${0%/*}/tools.sh"
. "$E2E/client_pki.sh"

C=$PKI/clients
[ -e "$C/ended.crl" ] || make_client_pki "$C" || bail "no clients could be made"
"$TOOLS/certs" -t root -o "$DIR" own && "$TOOLS/certs" -i "$DIR/own" \
	-o "$DIR" site || bail "the certificates cannot be made"

# What is asked of all that the kernel can do.
require=prefer ulp=
! have_ktls || { require=require ulp=tls; }
# It cannot hold a client's small records before 7.2.
small=$(mode)
case $(uname -r) in
6.1.* | 6.12.*) require=prefer small=relay ;;
esac

{
	config workers=1 ktls=$require ${KTLSD_GUEST:+handshake_timeout=60s} |
		sed '/^listeners:/,$d'
	cat <<-END_OF_CONFIG
		limits: {handshakes: 4}
		certificates:
		  - chain: $PKI/ec-chain.pem
		    key: $PKI/ec.key
		    staple: $PKI/good.der
		  - {chain: $PKI/rsa-chain.pem, key: $PKI/rsa.key, staple: off}
		  - {chain: $DIR/site-chain.pem, key: $DIR/site.key, staple: off}
		routes:
		  - name: web
		    handoff: $DIR/web.sock
		    tell: [client_certificate, tls_exporter, tls_server_end_point, ja4]
		  - {name: pass, handoff: $DIR/pass.sock, tls: passthrough}
		listeners:
		  - bind: 127.0.0.1:0
		    route: web
		    strict_sni: true
		    alpn: [h2, http/1.1]
		    tcp: {keepalive: 40s, user_timeout: 7s}
		  - bind: 127.0.0.1:0
		    route: web
		    client_ca: $C/root.pem
		    client_crl: [$C/root.crl, $C/inter.crl]
		  - bind: 127.0.0.1:0
		    route: web
		    tickets: 0
		    client_ca: $C/root.pem
		  - bind: 127.0.0.1:0
		    route: web
		    accept_proxy: {from: [127.0.0.1]}
		  - bind: 127.0.0.1:0
		    route: web
		    client_ca: $C/root.pem
		    client_verify: optional
		    accept_proxy: {from: [127.0.0.1]}
		    tcp: {nodelay: false, keepalive: 50s}
		    # Not the client's first one, so there is a second ClientHello.
		    tls: {groups: [prime256v1]}
		    rules: [{sni: [pass.example], route: pass}]
		  - bind: 127.0.0.1:0
		    route: web
		    tls:
		      ciphersuites: [TLS_CHACHA20_POLY1305_SHA256]
		      ciphers: [ECDHE-ECDSA-CHACHA20-POLY1305]
		  - bind: 127.0.0.1:0
		    route: web
		    tls: {options: {MaxProtocol: TLSv1.2}}
	END_OF_CONFIG
} >"$DIR/ktlsd.conf"
start_ktlsd "$DIR/ktlsd.conf" -v || bail "ktlsd did not start" \
	"$(tail -n 5 "$KTLSD_LOG")"
consume
spawn plain "$TOOLS/consumer" "$DIR/pass.sock"
wait_for 30 holds "$DIR/plain.log" event=serving ||
	bail "the other consumer did not start"
ports=()
while IFS= read -r line; do
	[[ ! $line =~ event=listening.*\ bind=127.0.0.1:([0-9]+) ]] ||
		ports+=("${BASH_REMATCH[1]}")
done <"$KTLSD_LOG"
is "there are seven listeners" ${#ports[@]} 7
declare -A at=([names]=${ports[0]} [clients]=${ports[1]} [zero]=${ports[2]} \
	[proxied]=${ports[3]} [mixed]=${ports[4]} [chacha]=${ports[5]} \
	[old]=${ports[6]})
PORT=${at[names]}

# Twice as many as may be at it, that say nothing; the others come after them.
held_swarm stalled -n 8 -s 11
stalled=$SPAWNED
paused_or_bail stalled

# What load balancers send first: version 1, and version 2, of 192.0.2.7:40000.
hex() {
	local i c
	HEX=
	for ((i = 0; i < ${#1}; i++)); do
		printf -v c %02x "'${1:i:1}"
		HEX+=$c
	done
}
hex $'PROXY TCP4 192.0.2.7 198.51.100.2 40000 443\r\n'
v1=$HEX
v2=0d0a0d0a000d0a515549540a2111000cc0000207c63364029c4001bb

# As many as are handed off: label, listener, options.
cat >"$DIR/clients" <<END
ec names --path /info --exporter
rsa names --path /info RSA
other names --path /info --name site.test --ca $DIR/own.pem
h2 names --path /info --alpn h2 --resume
cert clients --cert $C/good --path /info --coalesce --resume
up clients --cert $C/good --coalesce --put 50000
split clients --cert $C/good --split 200 --put 5000
bytes clients --cert $C/good --bytewise --path /info
small clients --cert $C/good --max-fragment 512 --get 20000
zero zero --cert $C/good --get 20000 --resume
v1 proxied --before $v1 --coalesce --put 20000
v2 proxied --before $v2 --bytewise --path /info --resume
mixed mixed --before $v2 --cert $C/good --coalesce --path /info --resume
none mixed --before $v1 --get 20000
chacha chacha --path /info
END
if have_ktls; then
	tx=$(tls_stat TlsTxSw) rx=$(tls_stat TlsRxSw)
fi
declare -A rsa=([1.2]="--cipher ECDHE-RSA-AES128-GCM-SHA256" \
	[1.3]="--sigalgs rsa_pss_rsae_sha256")
batch < <(
	while read -r label listener options; do
		for v in 1.2 1.3; do
			echo "$label-$v --to 127.0.0.1:${at[$listener]}" \
				"--version $v ${options/RSA/${rsa[$v]}}"
		done
	done <"$DIR/clients"
	echo "old --to 127.0.0.1:${at[old]} --path /info"
	for v in 1.2 1.3; do
		to="--to 127.0.0.1:${at[clients]} --version $v"
		echo "revoked-$v $to --cert $C/revoked"
		echo "nobody-$v $to"
		echo "unknown-$v --version $v --name unknown.test"
	done
	echo "pass --to 127.0.0.1:${at[mixed]} --before $v2 --name pass.example"
	echo "new --to 127.0.0.1:${at[old]} --version 1.3"
)
offloaded=$((2 * 15 + 1))
resumed=$((2 * 5))

# told NAME LABEL REGEX - what the consumer was told of R[LABEL], and is it in
# kTLS?
told() {
	if [[ ${BODY[$2]:-} =~ ^mode=$(mode)\ .*$3.*\ ulp=$ulp\  ]]; then
		ok "$1"
	else
		not_ok "$1" "no match for: $3" "${BODY[$2]:-nothing}" \
			"${R[$2]:-}"
	fi
}
good=' client=1 client_cn=good .* client_cert_sha256=[0-9a-f]{64}'
v1_or_2='peer=192\.0\.2\.7:40000 local=198\.51\.100\.2:443 '
for v in 1.2 1.3; do
	t="TLS $v:"
	told "$t an ECDSA certificate" ec-$v ' key_alg=EC256 '
	told "$t an RSA one for the same name" rsa-$v ' key_alg=RSA2048 '
	told "$t one for another name" other-$v ' server_name=site\.test '
	result "$t an unknown name is refused" unknown-$v ' alert=112 '
	told "$t a protocol, agreed again when resumed" h2-$v \
		' alpn=h2 .* resumed=1 '
	told "$t a client's certificate, and a request behind it" cert-$v "$good"
	told "$t as it was, when the session is resumed" cert-$v ' resumed=1 '
	served "$t an upload behind the client's certificate" up-$v
	served "$t the last record split" split-$v
	told "$t every byte by itself" bytes-$v "$good"
	served "$t records of 512 bytes" small-$v
	result "$t without tickets there is no session" zero-$v \
		"^result=ok .* resumed=0 .* tickets=0 "
	result "$t a revoked certificate is refused" revoked-$v ' alert=44 '
	result "$t so is none" nobody-$v \
		" alert=$([ $v = 1.3 ] && echo 116 || echo 40) "
	served "$t an upload behind a PROXY header" v1-$v
	told "$t header and handshake byte by byte, resumed" v2-$v \
		"$v1_or_2.* resumed=1 "
	told "$t header, looks at ClientHellos, certificate" mixed-$v \
		"$v1_or_2.* resumed=1 .*$good"
	served "$t the same without a certificate" none-$v
	result "$t in another group" none-$v ' group=(P-256|secp256r1|prime256v1) '
	told "$t ChaCha20, and nothing else" chacha-$v 'CHACHA20[-_]POLY1305'
	exporter=$(field exporter <<<"${R[ec-$v]}")
	exporter=${exporter,,}
	told "$t exporter, end point and fingerprint" ec-$v \
		" exporter=${exporter/#-/none} end_point=[0-9a-f]{64} ja4=t1[23]d"
done
told "TLS 1.2, and nothing else" old ' version=TLSv1\.2 '
result "TLS 1.3 is refused there" new ' alert=70 '
matches "what is passed on is plain, behind its header" \
	"$(grep event=accept "$DIR/plain.log")" \
	"mode=plain $v1_or_2.* server_name=pass\.example .* ulp= "
# set_to LABEL SETTINGS - nodelay, keepalive and user_timeout of its socket
set_to() {
	ktls_or_skip "a listener's settings are its connections' ($1)" || return
	is "a listener's settings are its connections' ($1)" \
		"$(field tcp <<<"${BODY[$1]}")" "$2"
}
for v in 1.2 1.3; do
	set_to ec-$v 1,40,7000
	set_to mixed-$v 0,50,0
	set_to cert-$v 1,0,0
done

failed() { # REASON
	metric "ktlsd_handshakes_failed_total{reason=\"$1\"}"
}
all=$((offloaded + resumed))
is "they all came" "$(events accept)" $all
relayed=0
[ $small = "$(mode)" ] || relayed=2
is "by $(mode)" "$(events "accept .*mode=$(mode) .* ulp=$ulp ")" \
	$((all - relayed))
name="each of these is in kTLS both ways, by /proc/net/tls_stat"
if ktls_or_skip "$name"; then
	is "$name" \
		"$(($(tls_stat TlsTxSw) - tx)) $(($(tls_stat TlsRxSw) - rx))" \
		"$((all - relayed)) $((all - relayed))"
fi
counters
counted "what is passed on is counted" ktlsd_passed_total 1
evicted=$(failed evicted)
between "those who stalled gave way" "$evicted" 5 8
# The rest of them goes, and that, too, is seen before others are counted.
stop "$stalled"
gone_are() { # PROBES TRUNCATED
	[ "$(failed probe) $(failed truncated)" = "$1 $2" ]
}
wait_for 20 gone_are 0 $((8 - evicted))

# ---- gone already --------------------------------------------------------------

# A ClientHello of TLS 1.2, and its sender's FIN, while the worker stands still:
# once it is there, the kernel cannot be given the connection any more.
printf -v zeros %064d 0
hello=16030100510100004d0303${zeros}000002c02b01000022
hello+=0000000e000c0000096c6f63616c686f7374000a000400020017000d000400020403
escaped() { # HEX - for printf
	sed 's/../\\x&/g' <<<"$1"
}
hello=$(escaped $hello)
gone_at() { # PORT [BEFORE]
	exec {fd}<>"/dev/tcp/127.0.0.1/$1"
	printf "${2:-}$hello" >&"$fd"
	exec {fd}>&-
}
probes=0 truncated=$((8 - evicted))
read -r worker _ <<<"$(worker_pids)"
kill -STOP "$worker"
for _ in 1 2; do
	gone_at "${at[names]}"
	gone_at "${at[mixed]}" "$(escaped $v2)"
done
kill -CONT "$worker"
# Without kTLS nothing is done at once, and that is noticed later.
have_ktls && probes=$((probes + 2)) || truncated=$((truncated + 2))
check "who left before the kernel was asked is gone, and that is all" \
	wait_for 20 gone_are $probes $((truncated + 2))
is "it is nobody's fault" "$(failed internal)" 0
matches "others are served" "$(client --get 1000)" '^result=ok '
count "$KTLSD_LOG" 'event=install_failed|event=worker_died| error '
is "nothing of it is in the log" $COUNT 0

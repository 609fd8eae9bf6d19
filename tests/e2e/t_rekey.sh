#!/bin/bash
# SPDX-License-Identifier: MIT
# TLS 1.3's KeyUpdate after the hand-off: the client's, and our own.
. "${0%/*}/tools.sh"

up route='rekey: true'
consume -k 64K

# What becomes of a KeyUpdate: the kernel changes keys (kernel), cannot (none),
# or there is none, and the worker's OpenSSL follows in its relay (relay).
rekeys=relay
! have_ktls || rekeys=kernel
! holds "$KTLSD_LOG" event=rekey_unavailable || rekeys=none
echo "# key changes: $rekeys"

# talk NAME READY DONE COMMAND... - once NAME's output says READY, each COMMAND,
# when the output has a line DONE for the one before, and PAUSE is over; then a
# request
PAUSE=
request=$'GET /bytes/5000 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
talk() {
	local out=$DIR/$1.out ready=$2 done=$3 n=0
	shift 3
	wait_for 20 holds "$out" "$ready" || return
	nap 0.3
	for command; do
		echo "$command"
		n=$((n + 1))
		wait_for 5 says "$out" "$done" $n
		[ -z "$PAUSE" ] || nap "$PAUSE"
	done
	printf %s "$request"
	wait_for 10 holds "$out" '200 OK|lert'
}
says() { # FILE REGEX N
	count "$1" "$2"
	[ $COUNT -ge "$3" ]
}
s_client() { # COMMAND... - OpenSSL's k and K
	talk s_client 'Verify return' KEYUPDATE "$@" |
		timeout 60 openssl s_client -connect "127.0.0.1:$PORT" \
			>"$DIR/s_client.out" 2>&1
	count "$DIR/s_client.out" KEYUPDATE
}

if [ $rekeys = none ]; then
	batch <<-END
		plain --get 1M
		changes --put 1M --rekey 512K
	END
	served "a client that changes no key is served" plain
	result "one that does is not" changes '^result=fail '
	s_client K
	check "and is told by internal_error" holds "$DIR/s_client.out" \
		'lert internal error'
	count "$CONSUMER_LOG" 'event=end .*how=EKEYEXPIRED'
	is "the consumer knows of both" $COUNT 2
	exit 0
fi

# A guest takes its time: REKEY_MIB=64 for all of it there, too.
size=64 often=100 seldom=40
if emulated && [ -z "${REKEY_MIB:-}" ]; then
	size=16 often=25 seldom=10
elif [ -n "${REKEY_MIB:-}" ]; then
	size=$REKEY_MIB seldom=200
fi
batch --timeout 60000 <<-END
	tls12 --version 1.2 --put 1M
	get --get ${size}M --rekey ${size}0K
	put --put ${size}M --rekey ${size}0K
	aes256 --put 2M --rekey 64K --cipher TLS_AES_256_GCM_SHA384
	chacha --put 2M --rekey 64K --cipher TLS_CHACHA20_POLY1305_SHA256
END
served "TLS 1.2 has no key changes, and no need of any" tls12
# changed NAME LABEL OURS THEIRS - it was served, with so many changes at least
changed() {
	local both
	served "$1" "$2"
	both=$(field rekeyed <<<"${R[$2]}")
	check "$1: $both key changes" test "${both%,*}" -ge "$3" -a \
		"${both#*,}" -ge "$4"
}
changed "$size MiB to the client" get 102 20
changed "$size MiB from the client" put 102 1
changed "AES-256-GCM" aes256 31 1
changed "ChaCha20-Poly1305" chacha 31 1
if [ $rekeys = kernel ]; then
	batch <<<"plain --get 4M"
	changed "our own after so many bytes" plain 0 3
fi

commands=()
for ((i = 0; i < often; i++)); do
	commands+=(K k)
done
s_client "${commands[@]}"
is "openssl s_client changes keys $((2 * often)) times" $COUNT $((2 * often))
check "and is served" holds "$DIR/s_client.out" '200 OK'

# It takes no more than 8 of its peer's in a second.
out=$DIR/gnutls.out
mapfile -t commands < <(yes ^rekey^ | head -n "$seldom")
PAUSE=0.14 talk gnutls 'Handshake was completed' '^- Rekey was' "${commands[@]}" |
	timeout 60 gnutls-cli --inline-commands --x509cafile "$PKI/ca.pem" \
		-p "$PORT" localhost >"$out" 2>&1
count "$out" '^- Rekey was completed'
is "gnutls-cli changes keys $seldom times" $COUNT $seldom
check "and is served" holds "$out" '200 OK'

[ $rekeys = kernel ] || exit 0
stop "$CONSUMER"
stop_ktlsd
up
consume
s_client K
check "without rekey no secrets are given, and a KeyUpdate is the end" \
	holds "$DIR/s_client.out" 'lert internal error'

#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-staple check: what it says of a response, and how it ends.
. "${0%/*}/tools.sh"

host_only "ktls-staple check" || exit 0

# says NAME STATUS REGEX OPTION... - one run of check, its first line
says() {
	local name=$1 status=$2 regex=$3 out rc
	shift 3
	out=$("$B/ktls-staple" check "$@" 2>&1)
	rc=$?
	is "$name: exit $status" $rc "$status"
	matches "$name: says so" "${out%%$'\n'*}" "$regex"
	OUT=$out
}
# judges NAME STATUS WORD OPTION... - for ec.pem and its issuer
judges() {
	says "$1" "$2" "^$3: [a-z]" --cert "$PKI/ec.pem" \
		--issuer "$PKI/ca.pem" "${@:4}"
}
# complains NAME REGEX ARGUMENT... - exit 2, nothing on standard output
complains() {
	local name=$1 regex=$2 out rc
	shift 2
	out=$("$B/ktls-staple" "$@" 2>"$DIR/stderr")
	rc=$?
	is "$name: exit 2" $rc 2
	is "$name: no verdict" "$(grep -E '^[a-z-]+: ' <<<"$out")" ""
	matches "$name: says why" "$(<"$DIR/stderr")" "$regex"
}

judges "a good response" 0 ok --response "$PKI/good.der"
matches "with its beginning" "$OUT" '^thisUpdate: 20[0-9-]+T[0-9:]+Z \(.* ago\)$'
matches "and its end" "$OUT" '^nextUpdate: 20[0-9-]+T[0-9:]+Z \(in (6 d 23|7 d 0) h\)$'
judges "revoked" 1 revoked --response "$PKI/revoked.der"
judges "expired" 1 expired --response "$PKI/expired.der"
judges "another certificate's" 1 other-cert --response "$PKI/serial.der"
judges "a stranger's" 1 bad-signature --response "$PKI/foreign.der"
says "another CA of the same name" 1 '^not-issuer: ' --cert "$PKI/ec.pem" \
	--issuer "$PKI/other-ca.pem" --response "$PKI/good.der"
cat "$PKI/other-ca.pem" "$PKI/rsa.pem" "$PKI/ca.pem" >"$DIR/bundle.pem"
says "the issuer among others" 0 '^ok: ' --cert "$PKI/ec.pem" \
	--issuer "$DIR/bundle.pem" --response "$PKI/good.der"

# Whatever is in the response's file, it is the response.
: >"$DIR/empty"
echo '<html>not here</html>' >"$DIR/page"
printf '\60\3\12\1\3' >"$DIR/later.der"
(cat "$PKI/good.der" && echo) >"$DIR/behind.der"
head -c 200 "$PKI/good.der" >"$DIR/half.der"
head -c 70000 /dev/zero >"$DIR/long.der"
for file in empty page behind.der half.der; do
	judges "$file" 1 not-der --response "$DIR/$file"
done
judges "tryLater" 1 try-later --response "$DIR/later.der"
judges "70,000 bytes" 1 too-long --response "$DIR/long.der"

# The clock.
made=$(stat -c %Y "$PKI/good.der")
judges "a year before" 1 not-yet --response "$PKI/good.der" \
	--at $((made - 31536000))
judges "five days later" 0 ok --response "$PKI/good.der" --at $((made + 432000))
judges "eight days later" 1 expired --response "$PKI/good.der" \
	--at $((made + 691200))
judges "five days later, with a day's patience" 1 too-old \
	--response "$PKI/good.der" --at $((made + 432000)) --max-age 86400
judges "with ten days' patience" 0 ok --response "$PKI/good.der" \
	--at $((made + 432000)) --max-age 864000
judges "with all the patience there is" 0 ok --response "$PKI/good.der" \
	--max-age 9223372036854775807
judges "with none" 1 too-old --response "$PKI/good.der" --max-age 0
judges "at the beginning of time" 1 not-yet --response "$PKI/good.der" \
	--at -9223372036854775808
judges "at its end" 1 expired --response "$PKI/good.der" \
	--at 9223372036854775807

# The forms that files have.
der() {
	openssl x509 -in "$1" -outform DER
}
pem() { # LABEL < DER
	printf 'Bag Attributes\n-----BEGIN %s-----\n' "$1"
	base64
	printf -- '-----END %s-----\nthe end\n' "$1"
}
der "$PKI/ec.pem" >"$DIR/cert.der"
der "$PKI/ec.pem" | base64 >"$DIR/cert.base64"
der "$PKI/ec.pem" | base64 -w 0 >"$DIR/cert.line"
der "$PKI/ec.pem" | pem "SOME THING" >"$DIR/cert.label"
sed 's/$/\r/' "$PKI/ec.pem" >"$DIR/cert.crlf"
openssl x509 -in "$PKI/ec.pem" -trustout -addtrust serverAuth \
	-out "$DIR/cert.trusted"
cat "$PKI/ec.key" "$PKI/ec.pem" "$PKI/ca.pem" >"$DIR/cert.key-and-chain"
for form in der base64 line label crlf trusted key-and-chain; do
	says "a certificate: $form" 0 '^ok: ' --cert "$DIR/cert.$form" \
		--issuer "$PKI/ca.pem" --response "$PKI/good.der"
done
base64 "$PKI/good.der" >"$DIR/good.base64"
base64 -w 0 "$PKI/good.der" >"$DIR/good.line"
base64 "$PKI/good.der" | sed 's/$/\r/' >"$DIR/good.crlf"
pem "OCSP RESPONSE" <"$PKI/good.der" >"$DIR/good.pem"
for form in base64 line crlf pem; do
	judges "a response: $form" 0 ok --response "$DIR/good.$form"
done

# What is no question at all.
files=(--cert "$PKI/ec.pem" --issuer "$PKI/ca.pem" --response "$PKI/good.der")
complains "nothing" '^usage: '
complains "no such command" '^usage: ' czech "${files[@]}"
complains "an option too few" '^usage: ' check "${files[@]:2}"
complains "an option that is none" 'unrecognized.*--now' check "${files[@]}" \
	--now 1
complains "an option without its value" 'requires an argument' check \
	"${files[@]}" --at
complains "an argument too many" 'too many: more' check "${files[@]}" more
for at in '' x 1x 0x10 ' 1' 9223372036854775808; do
	complains "--at '$at'" '--at: not a number' check "${files[@]}" --at "$at"
done
complains "--max-age -1" '--max-age: not a number' check "${files[@]}" \
	--max-age -1
complains "a file that is not there" "$DIR/none: No such file" check \
	--cert "$DIR/none" "${files[@]:2}"
complains "a response that is not there" "$DIR/none: No such file" check \
	"${files[@]:0:4}" --response "$DIR/none"
complains "a folder" "$DIR: Is a directory" check "${files[@]:0:4}" \
	--response "$DIR"
for file in "$DIR/empty" "$DIR/page" "$PKI/ec.key" "$PKI/good.der"; do
	complains "no certificate: ${file##*/}" "$file: holds no certificate" \
		check --cert "$file" "${files[@]:2}"
done
(sed '3d' "$PKI/ec.pem" && cat "$PKI/ca.pem") >"$DIR/broken.pem"
complains "a broken certificate before another" \
	"$DIR/broken.pem: holds no certificate, or one that" check \
	--cert "$DIR/broken.pem" "${files[@]:2}"

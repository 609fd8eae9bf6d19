#!/bin/bash
# SPDX-License-Identifier: MIT
# The manual pages: their examples are good, and they name all that there is,
# keys, events, metrics, commands and what a message holds, and no more.
. "${0%/*}/tools.sh"

host_only "the manual pages are whole" || exit 0
top=$E2E/../..
man=$top/man
cd "$top" || exit 1

# same NAME SOURCE PAGE - two lists of words, in any order, hold the same ones
same() {
	is "$1" "$(comm -3 <(sort -u <<<"$2") <(sort -u <<<"$3") |
		sed -e 's/^\t/not in the source: /;t' -e 's/^/not in the page: /'
		)" ''
	[ -n "$2" ] || not_ok "$1" "the source has none"
}
# part PAGE FROM TO - the lines of a page between two macros' lines
part() {
	sed -n "/^\.S[hs] $2/,/^\.S[hs] $3/p" "$man/$1"
}
# items - the words of a list's items, .It Li A , B
items() {
	sed -nE 's/^\.It Li //p' | tr , '\n' | awk '{ print $1 }'
}

# ---- keys ------------------------------------------------------------------

keys=$(sed -nE 's/^\t+\{ "([a-z0-9_]+)",( .*)? ?(config_)?(read_[a-z_]+),.*/\1/p' \
	agent/config/*.[ch])
same "ktlsd.conf(5) has each key" "$keys" \
	"$(part ktlsd.conf.5 'Keys of the file' EXAMPLES |
		sed -nE 's/^\.It Cm ([a-z0-9_ ,]+)( : .*)?$/\1/p' |
		tr -d ' ' | tr , '\n' | grep -vxE "$(sed -nE \
			's/^\.It Cm ([a-z0-9_]+)$/\1/p' "$man/ktlsd.conf.5" |
			paste -sd '|')")"
example=$(sed -n '/^Every key:/,/^\.Ed/p' "$man/ktlsd.conf.5")
missing=$(for key in $keys; do
	grep -qE "(^|[ {])$key:" <<<"$example" || echo "$key"
done)
is "and an example of each" "$missing" ''
is "and says what holds without it" "$(awk '
	function over() { if (key && !said) print key; key = "" }
	/^\.It Cm [a-z0-9_]+ : / { over(); key = $3; said = 0 }
	/^\.(It Cm client_ca ,|Ss|Sh)/ { over() }
	/^(Default|Required|else the default is)/ { said = 1 }
	' "$man/ktlsd.conf.5")" ''

# ---- events ----------------------------------------------------------------

events=$(grep -hoE 'event=[a-z_%]+' agent/*.c agent/*/*.c | sed s/event=// |
	sed -E 's/^%s(_failed|_started|_died)$/worker\1\nstapler\1\nproxy\1/')
same "ktlsd(8) has each event" "$events" "$(part ktlsd.8 Log Metrics | items)"

# ---- metrics ---------------------------------------------------------------

up
metrics=$("$B/ktlsctl" -s "$DIR/control.sock" metrics)
page=$(part ktlsd.8 Metrics Kernel)
same "ktlsd(8) has each metric" "$(awk '/^# TYPE/ { print $3 }' <<<"$metrics")" \
	"$(items <<<"$page" | sed -nE 's/^(ktlsd_[a-z_]+).*/\1/p')"
# The words that a metric's only label takes: NAME REASON, a line each. Those of
# failures to fetch are in ktlsctl(1).
same "and each word of their labels" \
	"$(sed -nE 's/^(ktlsd_[a-z_]+)\{(reason|result|mode|version)="([^"]*)"\} .*/\1 \3/p' \
		<<<"$metrics" | grep -v fetch_failures)" \
	"$(awk '/^\.It Li ktlsd_/ { name = $3; sub(/\{.*/, "", name) }
		/^\.(It )?Li [A-Za-z]/ && !/ktlsd_/ {
			word = $0; sub(/^\.(It )?Li /, "", word)
			sub(/ .*/, "", word)
			if (name !~ /generation|workers|last|staple_age/)
				print name, word }' <<<"$page")"
words=$(sed -nE 's/^ktlsd_staple_fetch_failures_total\{reason="([^"]*)".*/\1/p' \
	<<<"$metrics")
missing=$(for word in $words; do
	grep -qE "^\.Li (.* )?$word( |$)" "$man/ktlsctl.1" || echo "$word"
done)
is "ktlsctl(1) has the reasons for failed fetches" "$missing" ''

# ---- ktlsctl ---------------------------------------------------------------

same "ktlsctl(1) has each command" "$("$B/ktlsctl" --help 2>&1 |
	sed -nE 's/^  ([a-z]+)( .*)?/\1/p')" \
	"$(sed -nE 's/^\.It Cm ([a-z]+).*/\1/p' "$man/ktlsctl.1")"
same "and each field of a staple" "$("$B/ktlsctl" -s "$DIR/control.sock" \
	staples | sed 's/"[^"]*"//g' | tr ' ' '\n' | sed -n 's/=.*//p')" \
	"$(items <"$man/ktlsctl.1" && echo next_update)"
stop_ktlsd
same "ktls-probe(1) has each part" "$("$B/ktls-probe" |
	sed -nE 's/^([a-z_]+)$/\1/p')" \
	"$(part ktls-probe.1 DESCRIPTION 'EXIT STATUS' | items)"

# ---- the message -----------------------------------------------------------

tlvs=$(sed -nE 's/^#define (TLV|KTLS_TLV|KTLS_SUB|SSL)_?[A-Z0-9_]* (0x[0-9A-Fa-f]{2})(\s.*)?$/\2/p' \
	ktls/message.h ktls/message_types.h)
same "handoff(7) has each TLV" "$tlvs" \
	"$(sed -nE 's/^\.It (0x[0-9A-Fa-f]{2})$/\1/p' "$man/handoff.7")"

# ---- examples --------------------------------------------------------------

# Their files, and accounts that are there.
mkdir "$DIR/etc"
awk -v to="$DIR/etc/example-" '/^\.Ed/ { file = "" } file { print >file }
	on && /^\.Bd/ { file = to (++n) } /^\.Sh EXAMPLES/ { on = 1 }' \
	"$man/ktlsd.conf.5"
for name in site other gateway api {shop,blog}-{ecdsa,rsa}; do
	cp "$PKI/ec-chain.pem" "$DIR/etc/$name.pem"
	cp "$PKI/ec.key" "$DIR/etc/$name.key"
done
for name in a api; do
	mkdir -p "$DIR/etc/live/$name.example.com"
	cp "$PKI/ec-chain.pem" "$DIR/etc/live/$name.example.com/fullchain.pem"
	cp "$PKI/ec.key" "$DIR/etc/live/$name.example.com/privkey.pem"
done
for name in root ca clients responders; do
	cp "$PKI/ca.pem" "$DIR/etc/$name.pem"
done
cp "$PKI/good.der" "$DIR/etc/other.der"
echo passphrase >"$DIR/etc/site.txt"
for _ in 1 2 3; do
	openssl rand -base64 80 | tr -d '\n'
	echo
done >"$DIR/etc/tickets.txt"
chmod 600 "$DIR/etc/tickets.txt"
printf '%s\n' '[ca]' 'default_ca = ca' "database = $DIR/etc/index" \
	'default_md = sha256' 'default_crl_days = 30' >"$DIR/etc/ca.cnf"
: >"$DIR/etc/index"
openssl ca -gencrl -config "$DIR/etc/ca.cnf" -cert "$PKI/ca.pem" \
	-keyfile "$PKI/ca.key" -out "$DIR/etc/clients.crl" 2>"$DIR/ca.log" ||
	bail "openssl ca: $(<"$DIR/ca.log")"
for file in "$DIR"/etc/example-*; do
	sed -i -e "s,/etc/letsencrypt,$DIR/etc," -e 's/www-data/nogroup/' \
		-e 's/allow_uids: .*/allow_uids: [nobody]/' -e '/user: ktlsd/d' \
		-e '$a user: nobody\nstapler_user: nobody' "$file"
	check "ktlsd.conf(5)'s ${file##*/} is right" "$B/ktlsd" -t -c "$file"
done
examples=("$DIR"/etc/example-*)
is "there are ten" ${#examples[@]} 10

# ---- form ------------------------------------------------------------------

check "mandoc finds no faults" mandoc -Tlint -Wwarning "$man"/*.[1-8]
missing=$(sed -nE 's/^\.Xr ((ktls|handoff)[a-z.-]*) ([1-8]).*/\1.\3/p' \
	"$man"/*.[1-8] | sort -u | while read -r page; do
	[ -e "$man/$page" ] || echo "$page"
done)
is "their references lead to pages" "$missing" ''

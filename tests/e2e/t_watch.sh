#!/bin/bash
# SPDX-License-Identifier: MIT
# Files that change while ktlsd runs: certificates as certbot and Kubernetes
# replace them, lists of revoked clients, ticket keys. And that nothing happens
# when nothing has changed.
. "${0%/*}/tools.sh"
host_only "changed files" || exit 0
. "$E2E/client_pki.sh"

N=$DIR/new
C=$DIR/clients
mkdir "$N"
(
	cd "$N"
	"$TOOLS/certs" -t root ca
	for name in bot kube file added; do
		for n in 1 2 3; do
			mkdir -p $name$n
			"$TOOLS/certs" -i ca -o $name$n -s $name$n $name
		done
	done
) >"$DIR/certs.log" 2>&1
[ -s "$N/added3/added.key" ] || bail "no certificates" "$(<"$DIR/certs.log")"
make_client_pki "$C" || bail "no clients could be made"
ticket_keys() { # LINE... - the last is next, the one before it current
	printf '%s\n' "$@" >"$DIR/tickets.new"
	chmod 600 "$DIR/tickets.new"
	mv "$DIR/tickets.new" "$DIR/tickets"
}
key() {
	head -c 80 /dev/urandom | base64 -w 0
}
K=("$(key)" "$(key)" "$(key)" "$(key)")
ticket_keys "${K[@]:0:3}"

# ---- how others keep their files --------------------------------------------

# renew N - as certbot does: archive/bot/NAMEn.pem, and links in live/bot
mkdir -p "$DIR"/{live,archive}/bot
renew() {
	cp "$N/bot$1/bot.key" "$DIR/archive/bot/privkey$1.pem"
	cp "$N/bot$1/bot-chain.pem" "$DIR/archive/bot/fullchain$1.pem"
	for part in privkey fullchain; do
		ln -sfn "../../archive/bot/$part$1.pem" "$DIR/live/bot/$part.pem"
		nap "${2:-0}"
	done
}
# project N - as Kubernetes does: all files in a folder with a time for a name,
# ..data leads to it, the names to ..data
mkdir "$DIR/secret"
project() {
	mkdir "$DIR/secret/..2026_$1"
	cp "$N/kube$1/kube.key" "$DIR/secret/..2026_$1/tls.key"
	cp "$N/kube$1/kube-chain.pem" "$DIR/secret/..2026_$1/tls.crt"
	ln -s "..2026_$1" "$DIR/secret/..data_tmp"
	mv -T "$DIR/secret/..data_tmp" "$DIR/secret/..data"
	rm -rf "$DIR/secret/..2026_$(($1 - 1))"
}
# replace N [SECONDS] - one file after another, so long in between
replace() {
	cp "$N/file$1/file-chain.pem" "$DIR/file.new"
	mv "$DIR/file.new" "$DIR/file.pem"
	nap "${2:-0}"
	cp "$N/file$1/file.key" "$DIR/file.new"
	mv "$DIR/file.new" "$DIR/file.key"
}
umask 077
renew 1
project 1
ln -s ..data/tls.key "$DIR/secret/tls.key"
ln -s ..data/tls.crt "$DIR/secret/tls.crt"
replace 1
umask 022

cat >"$DIR/list" <<-END
	  - {chain: $DIR/live, staple: off}
	  - {chain: $DIR/secret, staple: off}
	  - {chain: $DIR/file.pem, key: $DIR/file.key, staple: off}
END
printf '  - {bind: "127.0.0.1:0", route: web, %s}\n' \
	"client_ca: $C/root.pem, client_crl: [$C/root.crl, $C/inter.crl]" \
	>"$DIR/more"
write_config() { # WATCH
	config certs="$DIR/list" listeners="$DIR/more" top="watch: $1" \
		top="ticket_keys: $DIR/tickets" drain_timeout=1s "${@:2}" \
		>"$DIR/ktlsd.conf"
}
write_config true
start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start" "$(<"$KTLSD_LOG")"
consume
ports=($(sed -nE 's/.*event=listening.* bind=[^ ]*:([0-9]+).*/\1/p' \
	"$KTLSD_LOG"))

shown() { # NAME - the common name of what is shown to who asks for NAME.test
	openssl s_client -connect "127.0.0.1:${ports[0]}" -servername "$1.test" \
		-CAfile "$N/ca.pem" -verify_return_error </dev/null 2>/dev/null |
		openssl x509 -noout -subject 2>/dev/null | sed 's/.*CN *= *//'
}
shows() { # NAME CN - for wait_for
	[ "$(shown "$1")" = "$2" ]
}
by_curl() { # NAME
	curl -sSv --max-time 20 --resolve "$1.test:${ports[0]}:127.0.0.1" \
		--cacert "$N/ca.pem" "https://$1.test:${ports[0]}/x" 2>&1 |
		sed -nE 's/.*subject: CN=//p'
}
generation() {
	metric ktlsd_generation
}
# becomes WHAT NAME CN - within ten seconds, and by one reload
becomes() {
	wait_for 10 shows "$2" "$3"
	is "$1 is noticed" "$(shown "$2") $(by_curl "$2")" "$3 $3"
	wait_for 5 drained
	is "by one reload" $(($(generation) - before)) 1
	before=$(generation)
}
drained() {
	metric_is ktlsd_workers_draining 0
}
before=$(generation)
is "it begins with the first ones" "$(shown bot) $(shown kube) $(shown file)" \
	"bot1 kube1 file1"

# ---- certificates -----------------------------------------------------------

renew 2 0.1
becomes "a certificate that is renewed as certbot does it" bot bot2
project 2
becomes "a secret that is replaced as Kubernetes does it" kube kube2
replace 2
becomes "a file that is renamed to another's place" file file2
mkdir -p "$DIR/live/added"
nap 0.2
cp "$N/added1/added-chain.pem" "$DIR/live/added/fullchain.pem"
cp "$N/added1/added.key" "$DIR/live/added/privkey.pem"
becomes "a new one in a folder" added added1
renew 3 0.1
becomes "a second renewal" bot bot3
project 3
becomes "a second one of Kubernetes" kube kube3

# What does not belong together is refused, and tried again.
failed() {
	holds "$KTLSD_LOG" 'event=reload_failed'
}
replace 3 2.5
wait_for 10 shows file file3
is "chain and key that come seconds apart are taken in the end" \
	"$(shown file)" file3
check "which fails at first" failed
wait_for 5 drained
before=$(generation)

# ---- nothing that counts ----------------------------------------------------

mkdir "$DIR/live/README.d" "$DIR/live/.work"
echo text | tee "$DIR/live/README" "$DIR/live/bot/.swp" "$DIR/secret/note" \
	"$DIR/file.txt" "$DIR/live/.work/x.pem" >"$DIR/archive/bot/cert9.pem"
cat "$DIR/file.pem" "$DIR/live/bot/privkey.pem" >"$DIR/copy"
rm "$DIR/copy" "$DIR/live/README" "$DIR/live/bot/.swp"
nap 2
is "nothing is read again when other files come and go" "$(generation)" \
	"$before"

# ---- tickets ----------------------------------------------------------------

resumes() { # SESSION
	openssl s_client -connect "127.0.0.1:${ports[0]}" -servername bot.test \
		-tls1_2 -sess_in "$1" </dev/null 2>/dev/null | grep -c '^Reused'
}
openssl s_client -connect "127.0.0.1:${ports[0]}" -servername bot.test -tls1_2 \
	-sess_out "$DIR/session" </dev/null >/dev/null 2>&1
is "a session is resumed" "$(resumes "$DIR/session")" 1
ticket_keys "${K[@]:1:3}"
wait_for 10 metric_is ktlsd_generation $((before + 1))
is "and so it is with the fleet's next keys" "$(resumes "$DIR/session")" 1
ticket_keys "${K[3]}" "$(key)" "$(key)"
wait_for 10 metric_is ktlsd_generation $((before + 2))
is "until they are others" "$(resumes "$DIR/session")" 0

# ---- lists of revoked clients ------------------------------------------------

write_config false
check "with watch: false it reloads" "$B/ktlsctl" -s "$DIR/control.sock" reload
wait_for 5 drained
before=$(generation)
replace 1
nap 2
is "certificates are not watched then" "$(shown file) $(generation)" \
	"file3 $before"
ticket_keys "${K[@]:0:3}"
wait_for 10 metric_is ktlsd_generation $((before + 1))
is "ticket keys are, all the same" "$(generation)" $((before + 1))
is "and what else has changed is read with them" "$(shown file)" file1
enter() { # CLIENT - what a client with its certificate is told
	curl -sS --max-time 20 --resolve "localhost:${ports[1]}:127.0.0.1" -k \
		--cert "$C/$1.pem" --key "$C/$1.key" \
		"https://localhost:${ports[1]}/in" 2>&1
}
enter_python() {
	python3 - "$C/$1" "${ports[1]}" 2>&1 <<-END
		import socket, ssl, sys
		context = ssl._create_unverified_context()
		context.load_cert_chain(sys.argv[1] + ".pem", sys.argv[1] + ".key")
		tls = context.wrap_socket(socket.create_connection(
		    ("127.0.0.1", int(sys.argv[2])), 20))
		tls.sendall(b"GET /in HTTP/1.1\r\nHost: localhost\r\n\r\n")
		print(tls.recv(1000).decode().split("\r\n")[-1])
	END
}
turned_away() { # CLIENT
	[[ $(enter "$1") == *revoked* ]]
}
is "a client comes in" "$(enter good) $(enter_python good | tail -n 1)" \
	"/in /in"
client_crl "$C" root '' -revoke "$C/good.pem" >/dev/null 2>&1
client_crl "$C" root "$C/next.crl" -gencrl -crldays 7 >/dev/null 2>&1
mv "$C/next.crl" "$C/root.crl"
begun=${EPOCHREALTIME/./}
wait_for 10 turned_away good
took=$(((${EPOCHREALTIME/./} - begun) / 1000))
matches "once it is revoked it is refused" "$(enter good)" \
	'certificate revoked'
matches "as Python hears, too" "$(enter_python good)" \
	'CERTIFICATE_REVOKED|certificate revoked'
between "within three seconds" $took 0 3000
is "others come in as before" "$(enter below)" /in
cp "$C/ended.crl" "$C/next.crl"
mv "$C/next.crl" "$C/root.crl"
expired() {
	[[ $(enter below) != /in ]]
}
wait_for 10 expired
is "a list past its end lets nobody in" "$(enter good | grep -c alert)" 1
client_crl "$C" root "$C/root.crl" -gencrl -crldays 7 >/dev/null 2>&1
entered() {
	[ "$(enter below)" = /in ]
}
check "until there is another, written in place" wait_for 10 entered
matches "who is revoked stays out" "$(enter good)" 'certificate revoked'
is "no worker died" "$(metric ktlsd_worker_restarts_total)" 0

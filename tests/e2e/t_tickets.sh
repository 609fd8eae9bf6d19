#!/bin/bash
# SPDX-License-Identifier: MIT
# Ticket keys: what sessions outlive, what they do not, and who has the keys.
. "${0%/*}/tools.sh"
. "$E2E/client_pki.sh"
host_only "ticket keys" || exit 0

LIFETIME=12h
KEYS=
# conf KEY=VALUE... - write $DIR/ktlsd.conf, as config, but always for the same
# port; begin - and start with it
PORT=$(free_port)
conf() {
	config bind="127.0.0.1:$PORT" alpn='[h2, http/1.1]' \
		top="ticket_lifetime: $LIFETIME" \
		${KEYS:+top="ticket_keys: $KEYS"} "$@" >"$DIR/ktlsd.conf"
}
begin() {
	conf "$@"
	start_ktlsd "$DIR/ktlsd.conf" ||
		bail "ktlsd did not start" "$(tail -n 5 "$KTLSD_LOG")"
}
# now - in ms; sleep_until MS
now() {
	echo $((${EPOCHREALTIME/./} / 1000))
}
sleep_until() {
	local left=$(($1 - $(now)))
	[ $left -le 0 ] || nap "$((left / 1000)).$(printf %03d $((left % 1000)))"
}

# reload - and wait until the new configuration serves, and nothing else
reload() {
	count "$KTLSD_LOG" 'event=reloaded'
	RELOADS=$COUNT
	kill -HUP "$KTLSD_PID"
	wait_for 20 reloaded || bail "it did not reload"
	# A worker that is told to end may accept for a moment more.
	wait_for 20 two_workers
}
two_workers() {
	local pids
	read -ra pids <<<"$(worker_pids)"
	[ ${#pids[@]} -eq 2 ]
}
reloaded() {
	count "$KTLSD_LOG" 'event=reloaded'
	[ "$COUNT" -gt "$RELOADS" ]
}

# s_client VERSION OPTION... - one request; says New or Reused
request='GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
mkfifo "$DIR/input"
exec 8<>"$DIR/input"
s_client() {
	local version=$1 out
	shift
	printf "$request" >&8
	out=$(timeout 20 openssl s_client -connect "127.0.0.1:$PORT" \
		-tls${version/./_} -CAfile "$PKI/ca.pem" -verify_return_error \
		-servername localhost "$@" <&8 2>&1)
	[[ $out == *$'\n/hello'* ]] || echo "no answer: $out"
	[[ $out =~ (New|Reused), ]] && echo "${BASH_REMATCH[1]}"
}
save() { # NAME OPTION... - a session of each version
	local name=$1 version
	shift
	for version in 1.2 1.3; do
		is "TLS $version: a full handshake, for $name" \
			"$(s_client $version -sess_out "$DIR/$name-$version" "$@")" New
	done
}
resumes() { # WHAT NAME Reused|New OPTION...
	local what=$1 name=$2 expected=$3 version
	shift 3
	for version in 1.2 1.3; do
		is "TLS $version: $what: $expected" \
			"$(s_client $version -sess_in "$DIR/$name-$version" "$@")" \
			"$expected"
	done
}

# key_of SESSION - the name of the key that its ticket is made with
key_of() {
	openssl sess_id -in "$DIR/$1" -text -noout |
		sed -n 's/^ *0000 - \([-0-9a-f ]*[0-9a-f]\)  .*/\1/p' | tr -d ' -'
}
current_key() {
	od -An -tx1 -j104 -N16 "$DIR/state/tickets/keys" | tr -d ' \n'
}

# other NAME - another ktlsd beside it, in the folder $DIR/NAME; sets PORT
other() {
	mkdir -p "$DIR/$1"
	config state_dir="$DIR/$1/state" handoff="$DIR/$1/web.sock" \
		top="ticket_lifetime: $LIFETIME" \
		${KEYS:+top="ticket_keys: $KEYS"} |
		sed "s,^control:.*,control: $DIR/$1/control.sock," >"$DIR/$1/conf"
	start_ktlsd "$DIR/$1/conf" || bail "$1 did not start"
	spawn "consumer-$1" "$TOOLS/consumer" "$DIR/$1/web.sock"
	wait_for 30 holds "$DIR/consumer-$1.log" '^event=serving' ||
		bail "the consumer of $1 did not start"
	PORT=$(port_of web)
}

# ---- one ktlsd, and the next -------------------------------------------------

begin
consume
save first
resumes "at once" first Reused
matches "gnutls-cli resumes, too" "$(
	printf "$request" >&8
	timeout 20 gnutls-cli -r --waitresumption --x509cafile "$PKI/ca.pem" \
		-p "$PORT" localhost <&8 2>&1)" 'This is a resumed session'
resumes "with another name" first New -servername other.example
save h2 -alpn h2
resumes "with the same protocol" h2 Reused -alpn h2
resumes "with another protocol" h2 New -alpn http/1.1
resumes "without a protocol" h2 New
is "the consumer is told name and protocol of what was resumed" "$(events \
	'accept .*alpn=h2 server_name=localhost .*resumed=1')" 2
counters
handshakes=${M[ktlsd_handshakes_resumed_total]}
matches "100 connections resume one session" "$(swarm -n 100 -r)" \
	'^ok=100 failed=0 '
counters
counted "all of them" ktlsd_handshakes_resumed_total $((handshakes + 100))
for worker in 0 1; do
	[ "${M["ktlsd_connections_accepted_total{worker=\"$worker\"}"]:-0}" -gt 10 ]
	is "worker $worker had its share of them" $? 0
done

# Python's sessions are of one process, and of its one context.
cat >"$DIR/resume.py" <<-'END'
	import socket, ssl, sys
	port, ca, version = int(sys.argv[1]), sys.argv[2], sys.argv[3]
	context = ssl.create_default_context(cafile=ca)
	context.maximum_version = context.minimum_version = \
	    getattr(ssl.TLSVersion, version)
	def connect(session):
	    raw = socket.create_connection(("127.0.0.1", port), 20)
	    with context.wrap_socket(raw, server_hostname="localhost",
	                             session=session) as s:
	        s.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n"
	                  b"Connection: close\r\n\r\n")
	        while s.recv(4096):
	            pass
	        return s.session, s.session_reused
	session, reused = connect(None)
	print("paused", reused, flush=True)
	sys.stdin.readline()
	print("resumed", connect(session)[1])
END
for version in TLSv1_2 TLSv1_3; do
	held "python-$version" python3 "$DIR/resume.py" "$PORT" "$PKI/ca.pem" \
		$version
	python+=("$SPAWNED")
	paused_or_bail "python-$version"
done

is "the keys are in a folder of their own" \
	"$(stat -c '%a %u' "$DIR/state/tickets")" "700 $(id -u)"
is "and in a file of their own" \
	"$(stat -c '%a %u' "$DIR/state/tickets/keys")" "600 $(id -u)"
stop_ktlsd
is "it ends" $? 0
begin
resumes "after a restart" first Reused
for version in TLSv1_2 TLSv1_3; do
	release "python-$version"
	is "Python, $version: after a restart" \
		"$(ends "python-$version" "${python[0]}")" "resumed True"
	python=("${python[@]:1}")
done
kill_ktlsd
begin
resumes "after kill -9" first Reused
read -ra pids < <(worker_pids)
kill -KILL "${pids[@]}"
wait_for 20 metric_is ktlsd_worker_restarts_total ${#pids[@]}
resumes "with workers that were started again" first Reused
stop_ktlsd
mv "$DIR/state/tickets/keys" "$DIR/keys"
begin
resumes "when the keys are gone" first New
stop_ktlsd
{ head -c 100 "$DIR/keys" && head -c 164 /dev/zero; } >"$DIR/state/tickets/keys"
begin
resumes "when they are damaged" first New
count "$KTLSD_LOG" 'event=ticket_keys_replaced .*error="it is damaged"'
is "of which one line tells" $COUNT 1
stop_ktlsd
cp "$DIR/keys" "$DIR/state/tickets/keys"
begin tickets=0
resumes "without tickets" first New
stop_ktlsd
begin
resumes "with them again" first Reused
stop_ktlsd
rm -r "$DIR/state/tickets"
mkdir -m 700 "$DIR/elsewhere"
ln -s "$DIR/elsewhere" "$DIR/state/tickets"
begin
count "$KTLSD_LOG" 'event=ticket_store_failed .*error="it is no folder, or a link'
is "a link to a folder is told" $COUNT 1
is "and not followed" "$(ls "$DIR/elsewhere")" ""
save memory
resumes "of keys in memory" memory Reused
stop_ktlsd
rm "$DIR/state/tickets"
mkdir -m 700 "$DIR/state/tickets"
cp "$DIR/keys" "$DIR/state/tickets/keys"

# ---- several listeners, the same keys ----------------------------------------

make_client_pki "$DIR/clients" || bail "no clients could be made"
ca="client_ca: $DIR/clients/root.pem"
for more in web other "web, $ca, client_verify: optional" "web, $ca"; do
	echo "  - {bind: '127.0.0.1:0', alpn: [h2, http/1.1], route: $more}"
done >"$DIR/listeners"
# A line of the route can end it, and begin another.
begin listeners="$DIR/listeners" \
	route=$'mode: "0660"\n  - name: other\n    handoff: '"$DIR/other.sock"
spawn consumer-other "$TOOLS/consumer" "$DIR/other.sock"
wait_for 30 holds "$DIR/consumer-other.log" '^event=serving' ||
	bail "the consumer of the other route did not start"
one=$PORT
ports=($(sed -nE 's/.*event=listening.* bind=[^ ]*:([0-9]+).*/\1/p' \
	"$KTLSD_LOG"))
identity=(-cert "$DIR/clients/good.pem" -key "$DIR/clients/good.key")
save listener
PORT=${ports[1]}
resumes "at another listener of the route" listener Reused
PORT=${ports[2]}
resumes "at one of another route" listener New
count "$DIR/consumer-other.log" '^event=accept .*resumed=0'
is "whose consumer gets them" $COUNT 2
PORT=${ports[3]}
resumes "at one that asks for certificates" listener New
save asked
PORT=${ports[4]}
resumes "from there at one that requires them" asked New "${identity[@]}"
save identity "${identity[@]}"
resumes "with a certificate" identity Reused
PORT=${ports[3]}
resumes "from there at one that asks only" identity New
PORT=$one
resumes "from there at one that does not" identity New
stop_ktlsd

# ---- time --------------------------------------------------------------------

LIFETIME=15s
begin
begun=$(now)
save early
saved=$(now)
resumes "early in the lifetime" early Reused
sleep_until $((begun + 13000))
save late
sleep_until $((saved + 17000))
resumes "after a rotation" late Reused
resumes "after the lifetime" early New
for i in {1..8}; do
	save rotated >/dev/null
	is "TLS 1.2: tickets are made with the new key ($i)" \
		"$(key_of rotated-1.2)" "$(current_key)"
done
is "and not with the old one" "$([ "$(key_of late-1.2)" != "$(current_key)" ] &&
	[ "$(key_of rotated-1.3)" = "$(current_key)" ]; echo $?)" 0
stop_ktlsd
begin
resumes "after the rotation and a restart" rotated Reused
stop_ktlsd

# ---- a fleet -----------------------------------------------------------------

LIFETIME=12h
key() {
	openssl rand -base64 80 | tr -d '\n'
	echo
}
KEYS=$DIR/fleet.keys
for i in 1 2 3; do key; done >"$KEYS"
chmod 600 "$KEYS"
begin
home=$PORT first_pid=$KTLSD_PID
save fleet
other brother
resumes "at another ktlsd with the keys" fleet Reused
is "where nothing is stored" "$(ls "$DIR/brother")" \
	$'conf\ncontrol.sock\nweb.sock'
stop_ktlsd
KEYS=
other stranger
resumes "at one without them" fleet New
stop_ktlsd
PORT=$home KTLSD_PID=$first_pid KEYS=$DIR/fleet.keys
stop_ktlsd
key >>"$KEYS"
begin
resumes "when the file has another key" fleet Reused
{ key && key; } >>"$KEYS"
# Not before the file is found to have changed, which is half a second later.
at_once=$(s_client 1.3 -sess_in "$DIR/fleet-1.3")
if holds "$KTLSD_LOG" event=reloaded; then
	skip "others are not used before they are read" "they were, meanwhile"
else
	is "others are not used before they are read" "$at_once" Reused
fi
reload
resumes "after a reload" fleet New
save reloaded
key >>"$KEYS"
reload
resumes "after a reload with another key" reloaded Reused
KEYS=
conf
reload
resumes "after a reload with keys of our own" reloaded New
save own
KEYS=$DIR/fleet.keys
conf
reload
resumes "after one with the file again" reloaded Reused
KEYS=
conf
reload
resumes "after one with our own again" own Reused
KEYS=$DIR/fleet.keys
conf
sed -i '2s/.$//' "$KEYS"
kill -HUP "$KTLSD_PID"
wait_for 20 holds "$KTLSD_LOG" 'event=reload_failed'
count "$KTLSD_LOG" "event=ticket_keys_refused at=[^ ]* file=\"$KEYS\" line=2 "
is "a reload with a damaged file fails" $COUNT 1
resumes "and the keys stay" own Reused
stop_ktlsd

conf
check_fails "a damaged file is an error" "$B/ktlsd" -t -c "$DIR/ktlsd.conf"
spawn_ktlsd "$DIR/ktlsd.conf"
wait_for 20 gone "$KTLSD_PID"
matches "which is told with its line" "$(<"$KTLSD_LOG")" \
	"event=ticket_keys_refused at=[^ ]* file=\"$KEYS\" line=2 "
sed -i 2d "$KEYS"
chmod 644 "$KEYS"
matches "that others can read it is told" \
	"$("$B/ktlsd" -t -c "$DIR/ktlsd.conf" 2>&1)" \
	"event=ticket_keys_exposed file=\"$KEYS\""

# ---- who has the keys --------------------------------------------------------

root_or_skip "where keys are is looked for" || exit 0
KEYS=
begin staple=auto cert="responder: http://127.0.0.1:1/" ocsp='start_wait: 0s'
wait_for 20 stapler_pid
cat >"$DIR/find.py" <<-'END'
	import sys
	keys = open(sys.argv[1], "rb").read()[24:-8]
	keys = [keys[i:i + 80] for i in range(0, len(keys), 80)]
	memory = open(f"/proc/{sys.argv[2]}/mem", "rb", 0)
	places = []
	for line in open(f"/proc/{sys.argv[2]}/maps"):
	    where, mode, *name = line.split()
	    begin, end = (int(x, 16) for x in where.split("-"))
	    # A sanitizer's own are terabytes, and hold nothing.
	    if mode.startswith("rw-p") and end - begin < 1 << 28:
	        memory.seek(begin)
	        bytes = memory.read(end - begin)
	        if any(key in bytes for key in keys):
	            places.append(name[3] if name[3:] else "pages")
	print(*places)
END
seek() {
	python3 "$DIR/find.py" "$DIR/state/tickets/keys" "$1"
}
is "master has them in one place" "$(seek "$KTLSD_PID")" pages
is "a worker, too" "$(seek "$(worker_pids | cut -d' ' -f1)")" pages
is "the stapler has none of them" "$(seek "$(stapler_pid)")" ""

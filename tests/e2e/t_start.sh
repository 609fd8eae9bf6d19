#!/bin/bash
# SPDX-License-Identifier: MIT
# What ktlsd says when it cannot start: one sentence, and what to do.
. "${0%/*}/tools.sh"
conf=$DIR/ktlsd.conf

# refuses NAME REGEX [ARGUMENT...] - $conf is no good; exit 1, one line that
# matches
refuses() {
	local name=$1 regex=$2 out rc
	shift 2
	out=$(timeout 20 "$B/ktlsd" -c "$conf" "$@" 2>&1)
	rc=$?
	is "$name: exit 1" $rc 1
	matches "$name: says why" "$out" "$regex"
}

# What these are about is in $conf and on this machine, not in its kernel.
configuration() {
	"$B/ktlsd" --nonsense >/dev/null 2>&1
	is "a wrong option is exit 100" $? 100
	config >"$conf"
	check "-t likes a good configuration" "$B/ktlsd" -t -c "$conf"
	check_fails "-t opens nothing" test -e "$DIR/web.sock"

	# Configuration errors: file, line, column, key. One edit each.
	while IFS='|' read -r name edit regex; do
		config | sed "$edit" >"$conf"
		refuses "$name" "ktlsd.conf:$regex" -t
	done <<'END'
an unknown key|1i wrokers: 2|1:1:.*wrokers
a bare number for a duration|s/handshake_timeout: 10s/handshake_timeout: 10/|5:20:.*handshake_timeout
no YAML|s/^workers: 2/workers: [/|[0-9]+:[0-9]+:
a route that is not there|s/route: web/route: wbe/|[0-9]+:[0-9]+:.*wbe
a value that is none of the three|s/^ktls: .*/ktls: perhaps/|3:7:.*(prefer|require|off)
a proxy that is no URL|1i ocsp: {proxy: none}|1:15: proxy: .*none
an account that is not there|s/^user: .*/user: no-such-account/|2:7:.*no-such-account
END

	# Certificates, keys and staples.
	config key="$PKI/rsa.key" >"$conf"
	refuses "a key of another certificate" "$PKI/(rsa.key|ec-chain.pem)" -t
	config key="$DIR/none.key" >"$conf"
	refuses "a key that is not there" "no such file in $DIR;" -t
	config | sed "1i ticket_keys: tickets" >"$conf"
	refuses "keys of tickets that are not there" \
		"at=$conf:1:14 .*no such file in $DIR;" -t
	secret=$(openssl rand 80 | openssl base64 -A)
	for key in ticket_keys key key_password_file; do
		case $key in
		ticket_keys) config | sed "1i ticket_keys: $secret" ;;
		key) config key="$secret" ;;
		*) config cert="key_password_file: $secret" ;;
		esac >"$conf"
		refuses "a secret instead of its file: $key" "at=$conf:" -t
		check_fails "$key: it is not shown" grep -qF "${secret:0:8}" \
			<<<"$("$B/ktlsd" -v -t -c "$conf" 2>&1)"
	done
	echo nonsense >"$DIR/bad.pem"
	config chain="$DIR/bad.pem" >"$conf"
	refuses "a chain that is none" "$DIR/bad.pem" -t
	config staple="$PKI/expired.der" >"$conf"
	out=$("$B/ktlsd" -t -c "$conf" 2>&1)
	is "a staple that has ended is no reason not to start" $? 0
	matches "but is warned about" "$out" "warn .*$PKI/expired.der"
	for staple in serial foreign; do
		config staple="$PKI/$staple.der" >"$conf"
		refuses "a staple: $staple" "at=$conf:.*$PKI/$staple.der" -t
	done
	config staple="$DIR/none.der" >"$conf"
	refuses "a staple that is not there" "at=$conf:.*$DIR/none.der" -t

	# What nothing may need for a long time.
	config | sed "1i ocsp: {ca: none.pem}" >"$conf"
	refuses "CAs of responders that are not there" \
		"at=$conf:1:12 .*/none.pem: No such file" -t
	config | sed "1i ocsp: {ca: $PKI/ec.key}" >"$conf"
	refuses "CAs of responders that are none" "at=$conf:1:12 .*no PEM" -t
	cp "$PKI/ec.key" "$DIR/open.key"
	chmod 644 "$DIR/open.key"
	config key="$DIR/open.key" >"$conf"
	matches "a key that everyone may read is warned about" \
		"$("$B/ktlsd" -t -c "$conf" 2>&1 && echo accepted)" "$DIR/open.key"
	check "but accepted" "$B/ktlsd" -t -c "$conf"
	if [ "$(id -u)" = 0 ]; then
		mkdir "$DIR/bin"
		cp "$B/ktlsd" "$DIR/bin/"
		install -m 600 "$PKI/ec.key" "$DIR/unreadable.key"
		config key="$DIR/unreadable.key" | sed /^user:/d >"$conf"
		out=$(setpriv --reuid=65534 --regid=65534 --clear-groups \
			"$DIR/bin/ktlsd" -t -c "$conf" 2>&1)
		is "an unreadable key is refused" $? 1
		matches "and named" "$out" "$DIR/unreadable.key.*[Pp]ermission denied"
	else
		skip "an unreadable key is refused" "needs root"
	fi

	# A taken port.
	up
	config bind="127.0.0.1:$PORT" handoff="$DIR/web-2.sock" |
		sed s/control.sock/control-2.sock/ >"$conf"
	refuses "a taken port" "127.0.0.1:$PORT.*[Aa]ddress already in use.*ss -ltnp"
	config bind=192.0.2.1:0 handoff="$DIR/web-2.sock" |
		sed s/control.sock/control-2.sock/ >"$conf"
	refuses "an address of another machine" "192.0.2.1:0.*ip addr "
	stop_ktlsd
	# One that is free soon.
	port=$(free_port)
	spawn taken python3 -c 'import socket, sys, time
s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("taken", flush=True)
time.sleep(0.7)' "$port"
	taken=$SPAWNED
	wait_for 10 holds "$DIR/taken.log" taken
	up bind="127.0.0.1:$port"
	check "a port that is about to be free is waited for" gone "$taken"
	stop_ktlsd
}
! host_only "configurations that are refused" || configuration

# io_uring denied.
config >"$conf"
out=$(timeout 20 "$TOOLS/deny" "$B/ktlsd" -c "$conf" 2>&1)
is "io_uring denied by seccomp: exit 1" $? 1
matches "says so, and what to do" "$out" 'seccomp'
name="io_uring denied by kernel.io_uring_disabled"
knob=/proc/sys/kernel/io_uring_disabled
if ! emulated; then
	skip "$name" "only in a guest: it would be denied to the whole machine"
elif [ ! -e $knob ]; then
	skip "$name" "this kernel has no such setting"
else
	echo 2 >$knob
	refuses "$name" 'kernel.io_uring_disabled'
	echo 0 >$knob
fi

# kTLS required.
config ktls=require >"$conf"
name="ktls: require on a kernel without kTLS"
if have_ktls; then
	skip "$name" "this kernel has kTLS"
else
	refuses "$name" 'modprobe tls'
fi

#!/bin/bash
# SPDX-License-Identifier: MIT
# Who may take a route's connections, and who may have a route's socket.
. "${0%/*}/tools.sh"
host_only "who may register, and where" || exit 0

# Other users may not be able to read the build directory.
mkdir "$DIR/bin"
cp "$B/ktlsd" "$TOOLS/consumer" "$DIR/bin/"
as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
refused() { # NAME UID COMMAND...
	local name=$1 uid=$2 out
	shift 2
	out=$(timeout 10 "$@")
	matches "$name" "$out" "event=refused why=EACCES .*uid $uid\b.*allow_uids"
}

if [ "$(id -u)" = 0 ]; then
	up route='allow_uids: [12345]' route='mode: "0666"'
	refused "who is not named is refused, with the key to set" 65534 \
		"${as_nobody[@]}" "$DIR/bin/consumer" "$DIR/web.sock"
	is "and is not registered" \
		"$(metric 'ktlsd_registrations{route="web"}')" 0
	consume
	matches "root may always register" "$(client --get 10)" 'result=ok '
	stop "$CONSUMER"
	stop_ktlsd
else
	up route='allow_uids: [12345]'
	refused "who is not named is refused, with the key to set" \
		"$(id -u)" "$DIR/bin/consumer" "$DIR/web.sock"
	stop_ktlsd
fi

name="a route's socket has its owner, group and mode"
if root_or_skip "$name"; then
	up route='user: nobody' route='group: nogroup' route='mode: "0620"' \
		route='allow_uids: [65534]'
	is "$name" "$(stat -c '%U %G %a' "$DIR/web.sock")" "nobody nogroup 620"
	spawn nobody "${as_nobody[@]}" \
		"$DIR/bin/consumer" -n 2 "$DIR/web.sock"
	check "an allowed unprivileged user registers" wait_for 20 grep -q \
		event=serving "$DIR/nobody.log"
	matches "and serves" "$(client --get 100000)" 'result=ok '
	stop "$SPAWNED"
	stop_ktlsd

	# Everything as one unprivileged user, who must be named too.
	mkdir "$DIR/own"
	config handoff="$DIR/own/web.sock" route='allow_uids: [65534]' |
		sed "/^user:/d; s,$DIR/control,$DIR/own/control,; s,$PKI,$DIR/own/pki," \
			>"$DIR/own/ktlsd.conf"
	cp -r "$PKI" "$DIR/own/pki"
	sed "s/65534/12345/; s/own.web/own\/no/; s/own.control/own\/no-control/" \
		"$DIR/own/ktlsd.conf" >"$DIR/own/no.conf"
	chown -R nobody "$DIR/own"
	spawn ktlsd-no "${as_nobody[@]}" \
		"$DIR/bin/ktlsd" -c "$DIR/own/no.conf"
	wait_for 30 grep -q event=ready "$DIR/ktlsd-no.log"
	refused "ktlsd as an unprivileged user refuses likewise" 65534 \
		"${as_nobody[@]}" "$DIR/bin/consumer" "$DIR/own/no.sock"
	stop "$SPAWNED"
	spawn ktlsd-own "${as_nobody[@]}" \
		"$DIR/bin/ktlsd" -c "$DIR/own/ktlsd.conf"
	KTLSD_PID=$SPAWNED KTLSD_LOG=$DIR/ktlsd-own.log
	check "ktlsd itself runs as an unprivileged user" wait_for 30 grep -q \
		event=ready "$KTLSD_LOG"
	PORT=$(port_of web)
	spawn own "${as_nobody[@]}" \
		"$DIR/bin/consumer" "$DIR/own/web.sock"
	wait_for 20 grep -q event=serving "$DIR/own.log"
	matches "with a consumer of the same user it serves" \
		"$(swarm -n 100 -j 32)" '^ok=100 failed=0 lost=0 '
	matches "offloaded like any other" \
		"$(grep -m1 event=accept "$DIR/own.log")" "mode=$(mode) "
	stop "$SPAWNED"
	stop_ktlsd
fi

# The path is in use, and not.
up
consume
config bind=127.0.0.1:0 | sed "s,control.sock,control-2.sock," \
	>"$DIR/second.conf"
out=$("$B/ktlsd" -c "$DIR/second.conf" 2>&1)
is "a second ktlsd on the same path does not start" $? 1
matches "and names the path" "$out" "$DIR/web.sock"
matches "the first one is not disturbed" "$(client --get 1000)" 'result=ok '
stop "$CONSUMER"
kill_ktlsd
check "a killed ktlsd leaves its socket" test -S "$DIR/web.sock"
up
consume
matches "which the next one replaces" "$(client --get 1000)" 'result=ok '
stop "$CONSUMER"
stop_ktlsd
check_fails "one that ends properly leaves none" test -e "$DIR/web.sock"
echo precious >"$DIR/web.sock"
out=$("$B/ktlsd" -c "$DIR/ktlsd.conf" 2>&1)
is "a file that is no socket is not replaced" "$? $(cat "$DIR/web.sock")" \
	"1 precious"
matches "and is named" "$out" "$DIR/web.sock"

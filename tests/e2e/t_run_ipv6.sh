#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-run --preload where clients of IPv6 may come: a server that listens on
# IPv4 only serves nobody, is ended, and is told what to add.
. "${0%/*}/tools.sh"
. "$E2E/servers.sh"

host_only "families of addresses" || exit 0
library_or_skip "families of addresses" || exit 0
FRONT=$(free_port)
families=(python3 "$E2E/families.py" "$FRONT")
listens() { # NAME FAMILY LOG
	check "$1" wait_for 60 holds "$DIR/$3.log" "^listens $2"
}
six_client() {
	"$TOOLS/client" --ca "$PKI/ca.pem" --path / "[::1]:$PORT"
}

# Where no others may come.
up
run_server "${families[@]}" 4
listens "a server listens on IPv4" 4 server
matches "it serves, where no others may come" "$(client --path /)" \
	'^127\.0\.0\.1'
stop "$SERVER"
stop_ktlsd

# Where they may. The second one's program is a script's child, and its daemon.
up bind='[::]:0'
run=("$B/ktls-run" --queue "$web" --preload --port "$FRONT" --)
begun=${EPOCHREALTIME/./}
spawn four "${run[@]}" "${families[@]}" 4
four=$SPAWNED
spawn daemon "${run[@]}" sh -c "${families[*]} 4 & exit 0"
daemon=$SPAWNED
listens "another listens on IPv4" 4 four
listens "and a daemon" 4 daemon
spawn early "$TOOLS/client" --ca "$PKI/ca.pem" --timeout 60000 --path / \
	"127.0.0.1:$PORT"
early=$SPAWNED
# ended NAME PID PROGRAM - as those are that the library cannot be in
ended() {
	wait_for 30 gone "$2"
	wait "$2"
	is "$1 is ended where others may come" $? 126
	matches "and told what to add" "$(<"$DIR/$1.log")" "^ktls-run: $3 listens \
on IPv4 only, and IPv6 clients may come to $web: killed\. Let it listen on \
\[::\]:$FRONT as well, or in ktlsd's configuration the listener have bind: \
0\.0\.0\.0 and its port, or the rule from: \[0\.0\.0\.0/0\]\$"
}
ended four "$four" python3
between "not at once" $(((${EPOCHREALTIME/./} - begun) / 1000)) 4900 60000
ended daemon "$daemon" sh
check_fails "nothing of them is left" pgrep -f "^${families[*]}"
check_fails "nobody was served" gone "$early"

# Both families, in both orders, and one later than the other.
run_server "${families[@]}" 4 wait 6
listens "a server listens on IPv4, and on IPv6 after a while" 6 server
wait_for 60 gone "$early"
matches "it serves who has waited for a server" "$(<"$DIR/early.log")" \
	'^::ffff:127\.0\.0\.1'
nap 5 # beyond the time after which it is judged
matches "it serves clients of IPv4" "$(client --path /)" \
	'^::ffff:127\.0\.0\.1'
matches "and of IPv6" "$(six_client)" '^::1'
stop "$SERVER"
run_server "${families[@]}" 6 4
listens "one listens on IPv6, then on IPv4" 4 server
matches "this, too, serves clients of IPv4" "$(client --path /)" \
	'^::ffff:127\.0\.0\.1'
matches "and of IPv6" "$(six_client)" '^::1'
stop "$SERVER"
stop_ktlsd

# It is the route that counts: rules may keep it for IPv4.
cat >"$DIR/more" <<'END'
  - bind: "[::]:0"
    rules: [{from: [0.0.0.0/0], route: web}]
END
up listeners="$DIR/more"
run_server "${families[@]}" 4
matches "a server of IPv4 serves where rules keep others away" \
	"$(client --path /)" '^127\.0\.0\.1'
stop "$SERVER"
exit 0

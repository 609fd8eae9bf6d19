#!/bin/bash
# SPDX-License-Identifier: MIT
# The program's file is replaced and a new ktlsd takes the old one's place, while
# clients come: nobody is refused, no consumer notices. And every way in which it
# can fail to: the old one goes on.
. "${0%/*}/staples.sh"
host_only "upgrades" || exit 0
UPGRADES=${UPGRADES:-10}

# A build folder of our own, whose ktlsd can be replaced.
REAL=$B/ktlsd
mkdir "$DIR/b"
ln -s "$B"/* "$DIR/b/"
B=$DIR/b
install_as() { # FILE [MODE] - the program from now on
	cp "$1" "$B/ktlsd.new" && chmod "${2:-755}" "$B/ktlsd.new" &&
		mv "$B/ktlsd.new" "$B/ktlsd"
}
install_as "$REAL"

# upgrade - its answer in ANSWER; the new ktlsd is the one from now on
upgrade() {
	ANSWER=$(ctl upgrade 2>&1) || return
	KTLSD_PID=${ANSWER#ok pid=}
	PIDS+=("$KTLSD_PID")
}
logs_are() { # N REGEX - for wait_for
	count "$KTLSD_LOG" "$2"
	[ $COUNT = "$1" ]
}

make_staple_pki || bail "no certificates"
responder_start
make_leaves ca site -u "$RESPONDER_URL/site" || bail "no leaves"
PORT=$(free_port)
conf_with site bind="127.0.0.1:$PORT" drain_timeout=60s
again
consume -n 2
FIRST_LOG=$KTLSD_LOG
CA=$STAPLE_PKI/ca.pem
site() { # a client of it
	"$TOOLS/client" --ca "$CA" --name site.test "$@" "127.0.0.1:$PORT"
}
is "the first connection is stapled" "$(stapled_once site.test)" valid

# ---- under load -------------------------------------------------------------

held kept "$TOOLS/swarm" -n 50 -k -t 120000 "127.0.0.1:$PORT"
kept=$SPAWNED
paused_or_bail kept
openssl s_client -tls1_2 -connect "127.0.0.1:$PORT" -sess_out "$DIR/session" \
	</dev/null >"$DIR/session.out" 2>&1
held steady "$TOOLS/steady" -r 700 -j 300 -c "$CA" -n site.test \
	"127.0.0.1:$PORT"
steady=$SPAWNED
first=$KTLSD_PID
nap 0.5
failed=0 begun=$SECONDS
for ((i = 1; i <= UPGRADES; i++)); do
	install_as "$REAL"
	upgrade || { failed=$((failed + 1)); echo "# $ANSWER"; }
	nap 0.3
done
took=$((SECONDS - begun))
nap 0.5
release steady
result=$(ends steady "$steady")
echo "# $UPGRADES upgrades in $took s; $result"
is "$UPGRADES upgrades are done" $failed 0
check_fails "another process serves" test "$first" = "$KTLSD_PID"
matches "no connection was refused or reset" "$result" '^ok=[0-9]+ failed=0 '
is "consumers have noticed nothing" \
	"$(events registered) $(events serving) $(events left)" "1 2 0"
is "and are known to the new ktlsd" \
	"$(metric 'ktlsd_registrations{route="web"}')" 1
matches "a session is resumed" "$(openssl s_client -tls1_2 \
	-connect "127.0.0.1:$PORT" -sess_in "$DIR/session" </dev/null 2>&1)" \
	'^Reused, TLSv1.2'
if have_ktls; then
	wait_for 20 gone "$first"
else
	check_fails "old ones relay on" gone "$first"
fi
release kept
matches "open connections go on" "$(ends kept "$kept")" '^ok=50 failed=0 '
check "then the first one ends" wait_for 30 gone "$first"
wait "$first"
is "well" $? 0
check "control's socket is there" test -S "$DIR/control.sock"
check "so is the route's" test -S "$DIR/web.sock"

# ---- staples ----------------------------------------------------------------

# Neither the responder nor the store can help.
responder_stop
rm -rf "$DIR/state/ocsp"
before=$(staple_state site-chain.pem next_update)
upgrade || echo "# $ANSWER"
is "the first connection is stapled, from what the old one knew" \
	"$(stapled_once site.test)" valid
is "that is known to the new one" \
	"$(staple_state site-chain.pem next_update)" "$before"
check "which has its stapler" wait_for 10 eval '[ -n "$(stapler_pid)" ]'

# ---- a consumer and nobody --------------------------------------------------

# Without any, connections are held: by the old one's workers, then in a queue.
stop "$CONSUMER"
is "(no consumer)" "$(metric 'ktlsd_registrations{route="web"}')" 0
spawn waiting "$TOOLS/client" --ca "$CA" --name site.test --timeout 30000 \
	--get 1000 "127.0.0.1:$PORT"
waiting=$SPAWNED
wait_for 10 metric_is ktlsd_handshakes_total 2
upgrade || echo "# $ANSWER"
consume
matches "a connection that waited for a consumer is served" \
	"$(ends waiting "$waiting")" '^result=ok '

# ---- new ones that fail ------------------------------------------------------

steady_on() {
	held steady "$TOOLS/steady" -r 200 -j 100 -c "$CA" -n site.test \
		"127.0.0.1:$PORT"
	steady=$SPAWNED
}
rm "$DIR/steady.in"
steady_on
master=$KTLSD_PID failures=0
# fails NAME REGEX - the upgrade does, for this reason, and all is as before
# new_pid - of the last one
new_pid() {
	sed -n 's/.*event=upgrading pid=\([0-9]*\).*/\1/p' "$FIRST_LOG" |
		tail -n 1
}
begun() {
	grep -c event=upgrading "$FIRST_LOG"
}
fails() {
	failures=$((failures + 1))
	if ctl upgrade >"$DIR/answer" 2>&1; then
		not_ok "$1: it fails" "$(<"$DIR/answer")"
		return
	fi
	matches "$1: it fails, and why" "$(<"$DIR/answer")" "$2"
	is "$1: it is logged" "$(grep -c event=upgrade_failed \
		"$FIRST_LOG")" $failures
	is "$1: the old one serves on" "$(metric ktlsd_generation) \
$(metric 'ktlsd_registrations{route="web"}')" "1 1"
}
rm "$B/ktlsd"
fails "no program" 'error: .*/ktlsd cannot be executed: No such file'
echo nonsense >"$DIR/program"
install_as "$DIR/program"
fails "no format that can be executed" 'cannot be executed: Exec format error'
install_as "$REAL" 644
fails "no program that may be executed" 'cannot be executed: Permission denied'
# role ROLE - a new one that does what successor.py says
role() {
	printf '#!/bin/sh\nSUCCESSOR=%s exec python3 "%s/successor.py"\n' \
		"$1" "$E2E" >"$DIR/program"
	install_as "$DIR/program"
}
role exits
fails "it ends at once" 'ended before it served'
for role in killed killed-hello killed-state killed-all listens; do
	role $role
	fails "$role" 'ended before it served'
done
role older
fails "another version" 'takes over by version 0, this one by 1'
role garbage
fails "garbage" 'makes no sense'
role unasked
fails "a word that was not asked for" 'makes no sense'
install_as "$REAL"
echo nonsense: 1 >>"$DIR/ktlsd.conf"
fails "a configuration with an error" 'ended before it served'
sed -i '$d' "$DIR/ktlsd.conf"
# It has got everything already, and gives it back.
echo 'keylog: /proc/none/keys' >>"$DIR/ktlsd.conf"
fails "a file that cannot be opened" 'ended before it served'
sed -i '$d' "$DIR/ktlsd.conf"
cp "$DIR/ktlsd.conf" "$DIR/good.conf"
make_leaves ca more -u "http://127.0.0.1:$(free_port)/more"
sed -i "s|^certificates:|&\n$(listed more "staple: must" | sed 's/$/\\n/' | tr -d '\n')|" \
	"$DIR/ktlsd.conf"
echo 'ocsp: {start_wait: 1h}' >>"$DIR/ktlsd.conf"
n=$(begun)
spawn ending "$B/ktlsctl" -s "$DIR/control.sock" upgrade
ending=$SPAWNED
wait_for 20 eval '[ "$(begun)" -gt $n ]'
nap 1
kill "$(new_pid)"
matches "one that is told to end while it waits: it does, and that is told" \
	"$(ends ending "$ending")" 'serves on'
failures=$((failures + 1))
cp "$DIR/good.conf" "$DIR/ktlsd.conf"
check "the route's socket is there" test -S "$DIR/web.sock"
check "so is control's" test -S "$DIR/control.sock"
is "no consumer has noticed" "$(events registered)" 1

# ---- killed at any moment ------------------------------------------------------

# Of one that is ready the old one may have heard already: that one lives.
says() { # EVENT PID - for wait_for
	grep -q "event=$1 pid=$2\( \|$\)" "$FIRST_LOG"
}
killed=0 served=0 unsaid=0
for ((i = 1; i <= 20; i++)); do
	n=$(begun)
	kill -USR2 "$KTLSD_PID"
	wait_for 10 eval '[ "$(begun)" -gt $n ]'
	new=$(new_pid)
	nap 0.00$((RANDOM % 10))
	kill -STOP "$new"
	if says ready "$new"; then
		kill -CONT "$new"
		wait_for 10 says upgraded "$new" || unsaid=$((unsaid + 1))
		KTLSD_PID=$new
		PIDS+=("$new")
		served=$((served + 1))
	else
		kill -KILL "$new"
		wait_for 10 says upgrade_failed "$new" || unsaid=$((unsaid + 1))
		killed=$((killed + 1))
	fi
done
echo "# $killed were killed, $served served"
is "each is told of" $unsaid 0
is "one consumer is known" "$(metric 'ktlsd_registrations{route="web"}')" 1
is "which has noticed nothing" "$(events registered)" 1
master=$KTLSD_PID

# ---- while one is under way ---------------------------------------------------

role waits
got() {
	grep -c '^got [0-9]* descriptors' "$FIRST_LOG"
}
before=$(got)
spawn upgrading "$B/ktlsctl" -s "$DIR/control.sock" upgrade
upgrading=$SPAWNED
wait_for 20 eval '[ "$(got)" -gt $before ]'
new=$(new_pid)
kill -USR2 "$master"
check "a second one is refused" wait_for 10 grep -q \
	'event=upgrade_refused error="an upgrade is under way"' "$FIRST_LOG"
matches "clients are served meanwhile" "$(site --get 1000)" '^result=ok '
kill -HUP "$master"
reloads=$(grep -c event=reloaded "$FIRST_LOG")
spawn late "$TOOLS/consumer" "$DIR/web.sock"
nap 0.3
is "a consumer that comes has to wait" "$(grep -c registered \
	"$DIR/late.log")" 0
kill -KILL "$new"
check "until the new one is killed" wait_for 10 holds "$DIR/late.log" \
	event=registered
matches "and that is told" "$(ends upgrading "$upgrading")" 'serves on'
check "a reload waited, too" wait_for 10 eval \
	'[ "$(grep -c event=reloaded "$FIRST_LOG")" -gt $reloads ]'
nap 0.3
release steady
matches "through all of this no client was refused" \
	"$(ends steady "$steady")" '^ok=[0-9]+ failed=0 '
is "nor was a process replaced" "$KTLSD_PID" "$master"

# ---- another configuration -----------------------------------------------------

# What the new one wants no more is ended by the old one.
sed -i "s|^control: .*|control: $DIR/other.sock|; s|$DIR/web.sock|$DIR/new.sock|" \
	"$DIR/ktlsd.conf"
install_as "$REAL"
old=$KTLSD_PID
upgrade || echo "# $ANSWER"
check "the old socket of control goes" wait_for 10 \
	eval '[ ! -e "$DIR/control.sock" ]'
check_fails "so does a route's" test -e "$DIR/web.sock"
check "there are others" test -S "$DIR/other.sock" -a -S "$DIR/new.sock"
matches "(the port stays)" "$(ss -lnt "sport = :$PORT")" ":$PORT"
wait_for 20 gone "$old"
kill "$KTLSD_PID"
check "it ends" wait_for 20 gone "$KTLSD_PID"
check_fails "and leaves nothing" test -e "$DIR/other.sock" -o \
	-e "$DIR/new.sock"

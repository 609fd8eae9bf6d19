#!/bin/bash
# SPDX-License-Identifier: MIT
# A hundred reloads while clients come: certificates, protocols, routes, listeners
# and the number of workers change, and nobody is refused, reset or served the
# wrong certificate. Then what a reload keeps, and what it refuses.
. "${0%/*}/tools.sh"
host_only "reloads under load" || exit 0
RELOADS=${RELOADS:-100}
CTL=("$B/ktlsctl" -s "$DIR/control.sock")

# ---- two certificates for one name, told apart by their common names --------

mkdir "$DIR/A" "$DIR/B"
"$TOOLS/certs" -t root -o "$DIR" ca
for cn in A B; do
	cp "$DIR"/ca.* "$DIR/$cn"
	"$TOOLS/certs" -i "$DIR/$cn/ca" -o "$DIR/$cn" -s $cn site
done
NAME=site.test
OTHER=$(free_port)

# write_config CERT KEY=VALUE... - with a certificate of these, see config
write_config() {
	local cert=$1
	shift
	config chain="$DIR/$cert/site-chain.pem" key="$DIR/$cert/site.key" \
		staple=off bind="127.0.0.1:$PORT" drain_timeout=20s "$@" \
		>"$DIR/next.conf"
	mv "$DIR/next.conf" "$DIR/ktlsd.conf"
}
# more - a second listener and a second route, in config's form
more() {
	sed -i -e "s|^listeners:|&\n  - {bind: '127.0.0.1:$OTHER', route: web}|" \
		-e "s|^routes:|&\n  - {name: more, handoff: $DIR/more.sock}|" \
		"$DIR/ktlsd.conf"
}
# right LETTERS - certificates that are right from now on
right() {
	echo "$1" >"$DIR/right.new"
	mv "$DIR/right.new" "$DIR/right"
}
# reload - its answer in ANSWER; its exit status
reload() {
	ANSWER=$("${CTL[@]}" reload 2>&1)
}
drained() {
	metric_is ktlsd_workers_draining 0
}

PORT=$(free_port)
write_config A
start_ktlsd "$DIR/ktlsd.conf" || bail "ktlsd did not start" \
	"$(tail -n 5 "$KTLSD_LOG")"
consume -n 2
master=$KTLSD_PID

# ---- under load -------------------------------------------------------------

right A
held steady "$TOOLS/steady" -r 1000 -j 300 -c "$DIR/ca.pem" -n $NAME \
	-a "$DIR/right" "127.0.0.1:$PORT"
steady=$SPAWNED
nap 0.5
now=A refused=0 begun=$SECONDS
for ((i = 1; i <= RELOADS; i++)); do
	next=$now
	((i % 2)) || next=$([ $now = A ] && echo B || echo A)
	case $((i % 5)) in
	0) change=(workers=3) ;;
	1) change=(alpn='[h2, http/1.1]') ;;
	2) change=(workers=1) ;;
	*) change=() ;;
	esac
	write_config $next "${change[@]}"
	((i % 4)) || more
	[ $now = $next ] || right AB
	reload || { refused=$((refused + 1)); echo "# $ANSWER"; }
	right $next
	now=$next
	nap 0.1
done
took=$((SECONDS - begun))
nap 0.5
release steady
result=$(ends steady "$steady")
echo "# $RELOADS reloads in $took s; $result"
is "$RELOADS reloads are done" "$refused" 0
matches "no connection was refused, reset or served a wrong certificate" \
	"$result" '^ok=[0-9]+ failed=0 wrong=0 '
matches "both certificates were served" "$result" ' A=[0-9]+ B=[0-9]+ '
wait_for 30 drained
counters
is "no counter went back: all are counted" \
	"${M[ktlsd_connections_accepted_total]:-0}" \
	"$(sed -E 's/^ok=([0-9]+) .*/\1/' <<<"$result")"
counted "the generations are counted" ktlsd_generation $((RELOADS + 1))
counted "no worker died" ktlsd_worker_restarts_total 0
counted "nor did a consumer register again" 'ktlsd_registrations{route="web"}' 1

# ---- what is wrong changes nothing -----------------------------------------

before=$(worker_pids)
# refuse NAME REGEX - what stands in the configuration now is refused so
refuse() {
	if reload; then
		not_ok "$1 is refused" "$ANSWER"
	else
		matches "$1 is refused, with its place" "$ANSWER" "$2"
	fi
}
echo nonsense: 1 >>"$DIR/ktlsd.conf"
refuse "an unknown key" "^$DIR/ktlsd.conf:[0-9]+:1: .*nonsense"
write_config A chain="$DIR/none.pem"
refuse "a missing certificate" "at=$DIR/ktlsd.conf:[0-9]+:[0-9]+ .*none.pem"
write_config A handoff=/proc/none/web.sock
refuse "a route that cannot be had" "at=$DIR/ktlsd.conf:[0-9]+:[0-9]+ "
write_config A bind=192.0.2.1:443
refuse "an address that is not ours" "at=$DIR/ktlsd.conf:[0-9]+:[0-9]+ "
write_config A user=nobody_of_this_name
refuse "an account that is not there" "nobody_of_this_name"
matches "the metrics say that it failed" "$("${CTL[@]}" metrics)" \
	'^ktlsd_last_reload_failed 1$'
is "the workers are the same" "$(worker_pids)" "$before"
matches "and serve on" "$("$TOOLS/client" --ca "$DIR/ca.pem" --name $NAME \
	"127.0.0.1:$PORT")" '^result=ok '
is "ktlsd is the same process" "$KTLSD_PID" "$master"

# ---- what a reload keeps ---------------------------------------------------

# Relayed connections, or those in kTLS, go on, with the first worker's process.
write_config A
check "loads anew for what follows" reload
held_swarm kept -n 50 -k
kept=$SPAWNED
paused_or_bail kept
write_config B
check "reloads while connections are open" reload
release kept
matches "they are answered again after it" "$(ends kept "$kept")" \
	'^ok=50 failed=0 '
check "the workers that served them end then" wait_for 10 drained

# SIGHUP does the same, and those that come together are one.
counters
number=${M[ktlsd_generation]}
kill -HUP "$KTLSD_PID"
wait_for 10 metric_is ktlsd_generation $((number + 1))
is "SIGHUP reloads" "$(metric ktlsd_generation)" $((number + 1))

# The control socket moves.
sed -i "s|^control: .*|control: $DIR/other.sock|" "$DIR/ktlsd.conf"
check "a reload that moves the control socket is answered" reload
CTL=("$B/ktlsctl" -s "$DIR/other.sock")
check "it answers there" "${CTL[@]}" metrics
check_fails "and not where it was" test -e "$DIR/control.sock"
stop_ktlsd
is "ends orderly" $? 0

#!/bin/bash
# SPDX-License-Identifier: MIT
# Many certificates: their start, their memory, what a handshake costs with them,
# and one more of them by a reload. CERTS (10000) is how many.
. "${0%/*}/lib.sh"
N=${CERTS:-10000}
D=$DIR/certs

say "makes $N certificates"
mkdir -m 755 "$D" "$D/live"
"$TOOLS/certs" -t root -o "$D" root &&
	"$TOOLS/certs" -t ca -i "$D/root" -o "$D" int &&
	"$TOOLS/certs" -i "$D/int" -o "$D" -n $N n%05d ||
	bail "no certificates could be made"
# entries FROM TO - of the configuration
entries() {
	local i name
	for ((i = $1; i <= $2; i++)); do
		printf -v name n%05d "$i"
		printf '  - chain: %s\n    key: %s\n' "$D/$name-chain.pem" \
			"$D/$name.key"
	done
}
for ((i = 1; i <= N; i++)); do
	printf 'n%05d.test\n' $i
done >"$DIR/names"
head -n 1 "$DIR/names" >"$DIR/first"
sed -n $((N / 2))p "$DIR/names" >"$DIR/other"
entries 1 $N >"$DIR/many.certs"
entries 1 1 >"$DIR/one.certs"
# What was written a moment ago would be read again at the reload.
nap 1.1

# ---- the start ---------------------------------------------------------------

# memory WHEN - rows for all processes of server many, which has two workers
memory() {
	local w=(${WORKERS[many]}) m=${SERVER[many]}
	row "memory of master, $1 (PSS)" "$(mib "$(pss "$m")")" ""
	row "memory of each worker, $1 (PSS)" \
		"$(mib "$(pss "${w[0]}")"), $(mib "$(pss "${w[1]}")")" ""
	row "of that its own, not shared" "$(mib "$(private "${w[0]}")"), $(mib \
		"$(private "${w[1]}")")" ""
}
say "starts with them"
server many certs="$DIR/many.certs" workers=2
cpu_ns "${SERVER[many]}"
row "start with $N certificates" "$READY_MS ms (CPU $((NS / 1000000)) ms)" \
	"< 10 s" "$READY_MS" -lt 10000
server one certs="$DIR/one.certs"
server twin certs="$DIR/one.certs"
row "memory of a worker with 1 (PSS)" \
	"$(mib "$(pss "${WORKERS[one]}")")" ""
memory "at the start"

# ---- another configuration ---------------------------------------------------

configure() { # WORKERS LIST
	local DIR=$DIR/many
	config workers="$1" certs="$2" >"$DIR/ktlsd.conf"
}
reload() {
	"$B/ktlsctl" -s "$DIR/many/control.sock" reload >"$DIR/reload.out" ||
		bail "the reload failed" "$(<"$DIR/reload.out")"
}
# workers_of_many - those of its configuration, once the ones before have gone
workers_of_many() {
	local KTLSD_PID=${SERVER[many]} all
	all=($(worker_pids))
	WORKERS[many]=${all[*]}
	[ ${#all[@]} = "$1" ]
}

# ---- handshakes --------------------------------------------------------------

# alone VERSION - what the handshake itself takes, beside one with one certificate
alone() {
	local line
	say "handshakes alone, TLS $1"
	line=$(taskset -c 0 "$TOOLS/handshakes" -n $N -c 2500 -v "$1" "$D") ||
		bail "the handshakes failed"
	row "handshake with $N against 1, all names in turn, TLS $1" \
		"$(percent "$(field spread <<<"$line")")" "<= +3 %" \
		"$(field spread <<<"$line")" -le 1.03
	row "handshake with $N against 1, always the same, TLS $1" \
		"$(percent "$(field same <<<"$line")")" "<= +3 %" \
		"$(field same <<<"$line")" -le 1.03
}
clients() {
	local names=$DIR/names
	[ "$1" = many ] || names=$DIR/first
	shuf "$names" >"$DIR/$1.names"
	$ASIDE "$TOOLS/stapled" -a "$D/root.pem" -f "$DIR/$1.names" -q \
		-o /dev/null -v "$VERSION" -d 2 -r 300 "127.0.0.1:$2"
}
# served VERSION - and all that a worker does for a connection. Of two processes
# that are alike one takes some percent more, as their memory happens to lie; how
# much that is today a twin of the first server shows
served() {
	VERSION=$1
	say "connections, TLS $1"
	side_by_side one many 4 clients
	row "worker's CPU with $N against 1, all names in turn, TLS $1" \
		"$(percent "$RATIO") ($US_A, $US_B us; windows $RANGE)" ""
	side_by_side one twin 4 clients
	row "worker's CPU with 1 against another with 1, TLS $1" \
		"$(percent "$RATIO") ($US_A, $US_B us; windows $RANGE)" ""
}
# each_name - a connection for each, in both versions
each_name() {
	local v
	say "a connection for each name"
	for v in 1.3 1.2; do
		"$TOOLS/stapled" -a "$D/root.pem" -f "$DIR/names" -q \
			-o /dev/null -v $v -r 2000 -j 256 \
			"127.0.0.1:${PORTS[many]}" >/dev/null
	done
}
each_name
memory "after two handshakes for each name"
# One worker knows all names sooner: the first time its memory is copied.
configure 1 "$DIR/many.certs"
reload
wait_for 20 workers_of_many 1 || bail "old workers stay"
ahead ${WORKERS[many]}
each_name
for v in 1.3 1.2; do
	alone $v
	served $v
done
end one
end twin

# ---- a reload ----------------------------------------------------------------

# cpu_and_time COMMAND... - sets MS, and CPU_MS of master
cpu_and_time() {
	local since before
	cpu_ns "${SERVER[many]}"
	before=$NS
	since=${EPOCHREALTIME/./}
	"$@"
	MS=$(((${EPOCHREALTIME/./} - since) / 1000))
	cpu_ns "${SERVER[many]}"
	CPU_MS=$(((NS - before) / 1000000))
}
# reloads WHAT ADD - five of them, each after ADD K, a function that makes the
# K'th of the last five certificates known; the row has the medians
reloads() {
	local k all=() cpu=()
	for k in 1 2 3 4 5; do
		# What was written a moment ago is not trusted to have changed last.
		nap 1.2
		"$2" $((N - 5 + k))
		cpu_and_time reload
		all+=("$MS") cpu+=("$CPU_MS")
	done
	mapfile -t all < <(printf '%s\n' "${all[@]}" | sort -n)
	mapfile -t cpu < <(printf '%s\n' "${cpu[@]}" | sort -n)
	row "reload that adds 1 to $N, $1" \
		"${all[2]} ms (${all[0]}..${all[4]}; CPU of master ${cpu[2]} ms)" \
		"< 200 ms" "${all[2]}" -lt 200
}
list() { # N
	entries 1 "$1" >"$DIR/many.certs"
	configure 2 "$DIR/many.certs"
}
say "reloads, listed in the file"
ahead "${SERVER[many]}"
list $((N - 5))
reload
reloads "listed in the file" list

# link N - a certificate and its key, in the folder
link() {
	local name
	printf -v name n%05d "$1"
	ln "$D/$name-chain.pem" "$D/live/$name.crt"
	ln "$D/$name.key" "$D/live/$name.key"
}
say "reloads, in a folder"
for ((i = 1; i <= N - 5; i++)); do
	printf -v name n%05d $i
	echo "$D/$name-chain.pem $D/live/$name.crt"
	echo "$D/$name.key $D/live/$name.key"
done | python3 -c 'import os, sys
for line in sys.stdin:
    os.link(*line.split())'
echo "  - chain: $D/live" >"$DIR/folder.certs"
configure 2 "$DIR/folder.certs"
nap 1.2
reload
reloads "in a folder" link
end many

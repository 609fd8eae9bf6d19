#!/bin/bash
# SPDX-License-Identifier: MIT
# The examples: consumers in other languages, each started by ktls-run.
. "${0%/*}/tools.sh"
. "$E2E/servers.sh"
examples=$E2E/../../examples
[[ ${KTLSD_GUEST:-} != 6.* ]] || {
	skip "consumers in other languages" "tried on the newest kernel"
	exit 0
}

get() { # CURL-ARGUMENT...
	curl -sS --max-time 60 --cacert "$PKI/ca.pem" \
		--resolve "localhost:$PORT:127.0.0.1" "$@"
}

descriptors() { # of the server, ktls-run's child
	local fds=(/proc/"$SERVER"/fd/*)
	echo ${#fds[@]}
}
descriptors_are() {
	[ "$(descriptors)" = "$1" ]
}

# A client that goes away in the middle of what it sends.
cut_off() { # NAME
	local cut='cut|reset|RESET'
	# libuv takes a hang-up behind a short read for the end, as over TCP; that
	# the body is short is an error then.
	[ "$1" != node ] || cut+='|Parse Error'
	held_client "$1-cut" --put 1M --pause 100K
	paused_or_bail "$1-cut"
	disown "$SPAWNED" # or its end would be reported
	kill -KILL "$SPAWNED"
	check "$1: a cut is a cut" wait_for 20 said "$1" "ended: .*($cut)"
}
said() {
	holds "$DIR/$1.log" "$2"
}

serve() { # NAME COMMAND...
	local name=$1 url=https://localhost:$PORT
	shift
	spawn "$name" "$B/ktls-run" --queue "$DIR/web.sock" "${options[@]}" \
		-- "$@"
	RUN=$SPAWNED
	wait_for 30 metric_is 'ktlsd_registrations{route="web"}' 1
	get -o "$DIR/got" "$url/bytes/1048576" --next -o "$DIR/answer" \
		--data-binary "@$DIR/body" "$url/" >"$DIR/curl.log" 2>&1 \
		--cacert "$PKI/ca.pem" --resolve "localhost:$PORT:127.0.0.1"
	is "$name: curl is content with every end" "$? $(<"$DIR/curl.log")" "0 "
	is "$name: a download of 1 MiB" "$(stat -c %s "$DIR/got")" \
		$((1048576 + 6))
	is "$name: a POST with a body" "$(<"$DIR/answer")" "got 100000"
	batch --path /bytes/3 --close <<<half
	result "$name: a client that says close_notify, too" half 'result=ok '
	check_fails "$name: takes no clean end for a cut" said "$name" ended:
	cut_off "$name"
	emulated || extras "$name"
	stop "$RUN"
}

# What is not ktlsd's is closed, and the next connection served.
extras() {
	local before
	read -r SERVER _ <"/proc/$RUN/task/$RUN/children"
	wait_for 5 settled
	before=$(descriptors)
	matches "$1: a sibling writes nonsense" \
		"$(python3 "$E2E/nonsense.py" queue "$DIR/web.sock")" 'sent=3[0-9]'
	is "$1: goes on serving" "$(get "https://localhost:$PORT/")" "got 0"
	check "$1: has closed what came with it" wait_for 10 \
		descriptors_are "$before"
}
settled() {
	local n
	n=$(descriptors)
	nap 0.6
	descriptors_are "$n"
}

options=()
head -c 100000 /dev/zero >"$DIR/body"
if ! emulated; then
	for file in "$examples"/*.*; do
		[[ $file == *README* ]] || between "${file##*examples/} is short" \
			"$(wc -l <"$file")" 1 59
	done
	is "what is in Go is formatted" \
		"$(gofmt -l "$examples/server.go" "$examples/../ktls/go" 2>&1)" ''
	check "Go's package passes its tests" \
		"$B/examples/go-test" -test.timeout 60s
fi
up alpn='[http/1.1]'
serve python python3 "$examples/server.py"
serve go "$B/examples/go"
# rustc links a sanitizer's runtime behind other libraries, which it refuses.
serve rust ${SAN:+env LD_PRELOAD="$(cc -print-file-name=libasan.so)"} \
	"$B/examples/rust"
if library_or_skip "node serves"; then
	options=(--preload)
	serve node node "$examples/server.js"
fi
stop_ktlsd

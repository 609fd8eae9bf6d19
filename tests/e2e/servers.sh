# SPDX-License-Identifier: MIT
#
# servers.sh - for tests of servers that know nothing of ktlsd, behind ktls-run:
# source it after tools.sh.

# full KERNEL - what is said of servers, not of kernels, is tried on the host, and
# with kTLS on one kernel
full() {
	! emulated || [[ $KTLSD_GUEST == "$1"* ]]
}
# full_or_skip KERNEL NAME
full_or_skip() {
	full "$1" && return
	skip "$2" "left to the host and Linux $1"
	return 1
}

web=$DIR/web.sock

# library_or_skip NAME - 0, or NAME is skipped, and 1
library_or_skip() {
	[ -n "${SAN:-}" ] || return 0
	skip "$1" "a sanitizer's library would have to be loaded before ours"
	return 1
}

# run_server COMMAND... - with the library, in the place of port $FRONT; its
# log is $DIR/server.log, SERVER the pid of ktls-run.
run_server() {
	rm -f "$DIR/server.log"
	spawn server "$B/ktls-run" --queue "$DIR/web.sock" --preload \
		--port "$FRONT" -- "$@"
	SERVER=$SPAWNED
	wait_for 30 run_or_gone "$SERVER" ||
		bail "the server was not started" "$(<"$DIR/server.log")"
}
run_or_gone() {
	holds "$DIR/server.log" '^ktls-run: serving' || gone "$1"
}

# fetch CURL-OPTION... PATH - from our ktlsd
fetch() {
	local path=${*: -1}
	curl -sS --max-time 60 --cacert "$PKI/ca.pem" \
		--resolve "localhost:$PORT:127.0.0.1" "${@:1:$#-1}" \
		"https://localhost:$PORT$path" 2>&1
}

# follows NAME PATH - its redirect leads to a page, by TLS, and not in a circle
follows() {
	is "$1" "$(fetch -L --max-redirs 3 -o "$DIR/page" \
		-w '%{http_code} %{num_redirects} %{scheme}' "$2")" \
		"200 1 HTTPS"
}

# same_file NAME A B
same_file() {
	check "$1" cmp "$2" "$3"
}

# says NAME STATUS REGEX ARG... - how ktls-run ends, and what it says
says() {
	local name=$1 status=$2 regex=$3 out rc
	shift 3
	out=$(timeout 20 "$B/ktls-run" "$@" 2>&1 </dev/null)
	rc=$?
	is "$name: status" $rc "$status"
	matches "$name" "$out" "$regex"
}

#!/bin/bash
# SPDX-License-Identifier: MIT
# Servers that receive by themselves, with epoll and with io_uring, and ask
# libktls what came of it.
. "${0%/*}/tools.sh"

# Before ktlsd: the queue is theirs, and offered when it comes.
spawn epoll "$TOOLS/receiver" epoll "$DIR/web.sock"
receiver=$SPAWNED
up route='rekey: true'
follows=true
! holds "$KTLSD_LOG" event=rekey_unavailable || follows=false
log=$DIR/epoll.log

# are WHAT N - so many connections ended so
are() {
	count "$log" "^event=end how=$1\$"
	[ $COUNT = "$2" ]
}
serve() {
	local clean=3
	wait_for 10 metric_is 'ktlsd_registrations{route="web"}' 1
	batch <<-END
		close --path /x --close
		cut --path /x --cut
		both --path /x
		rekey --path /x --rekey 1 --close
		tls12 --path /x --version 1.2 --close
	END
	served "$1: the server ends" both
	result "$1: the client ends" close '^result=ok '
	result "$1: the client changes its key" rekey '^result=ok '
	result "$1: TLS 1.2" tls12 '^result=ok '
	$follows || clean=2
	$follows || check "$1: that it cannot be followed is told" \
		wait_for 10 are EKEYEXPIRED 1
	check "$1: close_notify is a clean end" wait_for 10 are clean $clean
	# The client that lets the server end closes without a word.
	check "$1: an end without is a truncation" wait_for 10 are ECONNRESET 2
}
serve epoll
stop "$receiver"
wait_for 10 metric_is 'ktlsd_registrations{route="web"}' 0

spawn uring "$TOOLS/receiver" uring "$DIR/web.sock"
log=$DIR/uring.log
serve io_uring

#!/bin/bash
# SPDX-License-Identifier: MIT
# What a server sees that takes the queue for its listening socket: the library
# behind ktls-run, on this kernel.
. "${0%/*}/tools.sh"
. "$E2E/servers.sh"

library_or_skip "a server behind the library" || exit 0
up
FRONT=$(free_port)
LISTENER=$TOOLS/listener
log=$DIR/server.log
logged() { # NAME REGEX
	check "$1" wait_for 10 holds "$log" "$2" ||
		sed 's/^/# /' "$log"
}
run_server "$LISTENER" "$FRONT"
logged "it looks like a TCP socket that listens" "^event=listening fd=[0-9]* \
type=1 domain=2 protocol=6 acceptconn=1 name=127.0.0.1/$FRONT blocks=1,0 \
accept=-1 again=1\$"
batch <<END
read --path /read --close
recv --path /recv --close
recvfrom --path /recvfrom --close
readv --path /readv --close
recvmsg --path /recvmsg --close
recvmmsg --path /recvmmsg --close
peek --path /peek --close
splice --path /splice --close
1.2 --version 1.2 --path /recv --close
cut-read --path /read --cut
cut-recv --path /recv --cut
cut-recvfrom --path /recvfrom --cut
cut-readv --path /readv --cut
cut-recvmsg --path /recvmsg --cut
cut-recvmmsg --path /recvmmsg --cut
cut-peek --path /peek --cut
cut-splice --path /splice --cut
info --path /info
put --put 60000
put-1.2 --version 1.2 --put 3000
fork --path /fork
forked --path /forked
dup --path /dup
dup2 --path /dup2
half --path /half --close
deaf --path /deaf
range --path /range
over --path /over
stdio --path /stdio --close
shut --path /shut
exec --path /exec
after --path /info
END
for how in read recv recvfrom readv recvmsg recvmmsg peek splice; do
	served "$how: a clean end" $how
	logged "$how: close_notify is an end of file, and stays one" \
		"^event=end by=$how how=eof again=eof readable=1"
	logged "$how: without one it is ECONNRESET, and stays so" \
		"^event=end by=$how how=ECONNRESET again=ECONNRESET"
done
is "nothing else ends otherwise" "$(grep event=end "$log" |
	grep -cvE 'how=(eof again=eof|ECONNRESET again=ECONNRESET) ')" 0
served "TLS 1.2: a clean end" 1.2
matches "a connection looks like TCP's" "${BODY[info]:-}" "^type=1 domain=2 \
protocol=6 acceptconn=0 nodelay=0 keepidle=0 blocks=1 peer=127.0.0.1/[0-9]+ \
local=127.0.0.1/$PORT\$"
matches "accept(2) says the client's address" "$(<"$log")" \
	'^event=accept from=127.0.0.1/[1-9]'
is "FIONREAD says that there is something, as long as there is" \
	"$(grep -c '^event=sink left=0 ready=0$' "$log")" 2
is "a forked child answers after its parent has closed" \
	"${BODY[fork]:-}" child
served "and ends it, by shutdown(2)" fork
is "who has forked since the accept closes without a close_notify" \
	"${BODY[forked]:-}" forked
result "which is a truncation" forked '^result=ok .* end=(fin|rst) '
served "a copy outlives the first descriptor, which ends nothing" dup
served "another in its place is an end, too" dup2
served "shutdown(2) says close_notify" half
served "a child's shutdown(2) of the listening socket harms nobody" deaf
served "nor does closing all that one does not know" range
served "nor does putting something else in many a place" over
served "stdio closes with a close_notify" stdio
logged "what gets its descriptor is not at its end" '^event=file read=1$'
logged "after shutdown(2) of the client's direction it is at its end" \
	'^event=shut read=0$'
served "it executes itself" exec
logged "and finds its listening socket again" "^event=listening fd=[0-9]* \
type=1 domain=2 protocol=6 acceptconn=1 name=127.0.0.1/$FRONT blocks=1,0 again=0\$"
is "twice in all" "$(grep -c ^event=listening "$log")" 2
matches "it serves then" "${BODY[after]:-}" '^type=1 domain=2 '

held_client full --path /full --pause 100000
pid=$SPAWNED
paused_or_bail full
logged "a socket gets full" '^event=full error=EAGAIN'
release full
wait_for 30 gone "$pid"
matches "a close_notify that had no room at close(2) comes in the end" \
	"$(<"$DIR/full.log")" ' end=close_notify '
stop "$SERVER"
counters
is "all by $(mode)" "${M["ktlsd_handed_off_total{mode=\"$(mode)\"}"]:-0}" \
	"${M[ktlsd_handed_off_total]}"
stop_ktlsd

host_only "addresses of IPv6" || exit 0
# IPv4's clients have mapped addresses in IPv6. In IPv4 those of IPv6 are refused,
# where the server could not be told in time that they may come: t_run_ipv6.sh.
up bind='[::]:0'
run_server "$LISTENER" -6 "$FRONT"
matches "in IPv6 an IPv4 client has a mapped address" \
	"$("$TOOLS/client" --ca "$PKI/ca.pem" --path /info "127.0.0.1:$PORT")" \
	"domain=10 .* peer=::ffff:127.0.0.1/[0-9]+ local=::ffff:127.0.0.1/$PORT"
matches "and an IPv6 one its own" \
	"$("$TOOLS/client" --ca "$PKI/ca.pem" --path /info "[::1]:$PORT")" \
	"domain=10 .* peer=::1/[0-9]+ local=::1/$PORT"
stop "$SERVER"
stop_ktlsd
up
run_server "$LISTENER" "$FRONT"
logged "a server of IPv4 listens" '^event=listening'
stop_ktlsd
up bind='[::]:0'
logged "it goes on when ktlsd comes back with IPv6, and is told" \
	"^ktls-run: .*/listener listens on IPv4 only, and IPv6 clients may come \
to $web: they are refused\. Let it listen on \[::\]:$FRONT as well, or "
matches "a server of IPv4 cannot be told of an IPv6 client" \
	"$("$TOOLS/client" --ca "$PKI/ca.pem" --path /info "[::1]:$PORT")" \
	'^result=fail '
logged "so it is refused, with the line to add" \
	"^ktls-run: client ::1 refused: .* listen on \[::\]:$FRONT as well"
matches "others are served" "$(client --path /info)" 'peer=127.0.0.1/'
stop "$SERVER"

# Both families at one port: one socket gets all. At the descriptor limit nothing
# is lost: it is a server that accepts until there is no more room, then answers.
cat >"$DIR/both.py" <<'END'
import errno, resource, select, socket, sys, time
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
port = int(sys.argv[1])
four, six = socket.socket(), socket.socket(socket.AF_INET6)
for s, ip in ((four, "127.0.0.1"), (six, "::1")):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if s is six:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.bind((ip, port))
    s.listen()
    s.setblocking(False)
poll = select.poll()
poll.register(four, select.POLLIN)
poll.register(six, select.POLLIN)
poll.poll()
time.sleep(1)
while True:
    conns = []
    ready = {fd for fd, _ in poll.poll()}
    if four.fileno() in ready:
        print("four", flush=True)
    try:
        while True:
            conns.append(six.accept())
    except OSError as e:
        print("error", errno.errorcode[e.errno], flush=True)
    for c, peer in conns:
        c.setblocking(True)
        path = c.recv(1000).split()[1]
        print("from", peer[0], flush=True)
        c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" %
                  (len(path), path))
        c.close()
END
run_server /usr/bin/python3 "$DIR/both.py" "$FRONT"
matches "two families, and few descriptors: all are served" \
	"$(swarm -n 150 -j 64)" '^ok=150 failed=0 lost=0 '
logged "it has been at its limit" '^error EMFILE'
logged "IPv4's clients come at the socket of IPv6" '^from ::ffff:127.0.0.1'
is "and none at the other" "$(grep -c ^four "$log")" 0
stop "$SERVER"
exit 0

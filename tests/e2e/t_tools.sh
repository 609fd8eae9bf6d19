#!/bin/bash
# SPDX-License-Identifier: MIT
# ktlsctl, ktls-staple, ktls-static and ktlsd as nobody should call them: with
# nonsense, nowhere to write, nobody there. They say what is wrong, and by their
# status.
. "${0%/*}/tools.sh"
host_only "tools say what is wrong" || exit 0

# says NAME STATUS REGEX TOOL ARGUMENT... - on standard error, in one line
says() {
	local name=$1 status=$2 regex=$3 out rc
	shift 3
	out=$("$B/$1" "${@:2}" 2>&1 >/dev/null)
	rc=$?
	is "$name: exit $status" $rc "$status"
	matches "$name: says so" "${out%%$'\n'*}" "$regex"
}
# unwritten STATUS TOOL ARGUMENT... - it fails where its output cannot go
unwritten() {
	local where out
	for where in '>/dev/full' '>&-' '<&- >&-'; do
		eval 'out=$("$B/$2" "${@:3}" 2>&1 '"$where)"
		is "$2 ${*: -1} $where" "$? $out" "$1 $2: cannot write"
	done
}

up
ctl=(ktlsctl -s "$DIR/control.sock")

# ---- ktlsctl ---------------------------------------------------------------

unwritten 1 "${ctl[@]}" metrics
unwritten 1 "${ctl[@]}" staples
unwritten 1 "${ctl[@]}" reload
says "no such command" 1 '^error: unknown command; there are: metrics ' \
	"${ctl[@]}" what
is "and nothing else, without standard output" \
	"$("$B/ktlsctl" "${ctl[@]:1}" what 2>&1 >&-)" \
	'error: unknown command; there are: metrics staples refresh reload upgrade'
says "an argument too many" 1 '^error: reload takes no argument$' \
	"${ctl[@]}" reload now
says "a command longer than any" 1 '(^error: unknown|no answer: )' \
	"${ctl[@]}" "$(printf %0100000d 0)"
kill -STOP "$KTLSD_PID"
says "ktlsd says nothing" 1 '^ktlsctl: no answer: no time left$' \
	"${ctl[@]}" metrics
kill -CONT "$KTLSD_PID"
# others TEXT... - in ktlsd's place, each connection hears one and no more
others() {
	rm -f "$DIR/others.sock"
	spawn others python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
for text in sys.argv[2:]:
	c = s.accept()[0]
	c.recv(9)
	c.send(text.replace("%", "\0").encode())
	c.close()' "$DIR/others.sock" "$@"
	wait_for 10 test -S "$DIR/others.sock"
}
others '' 'metric 1' $'metric 1\n' $'error: no\n' $'metric 1\n%' %
other=(ktlsctl -s "$DIR/others.sock" metrics)
says "what hangs up at once" 1 '^ktlsctl: no answer: ktlsd has hung up$' \
	"${other[@]}"
says "an answer that is cut off" 1 \
	'^ktlsctl: the answer is cut off: ktlsd has hung up$' "${other[@]}"
is "of which all is shown that came" "$("$B/${other[0]}" "${other[@]:1}" 2>&1)" \
	$'metric 1\nktlsctl: the answer is cut off: ktlsd has hung up'
is "so is an error" "$("$B/${other[0]}" "${other[@]:1}" 2>&1 >/dev/null)" \
	$'error: no\nktlsctl: the answer is cut off: ktlsd has hung up'
is "one that is whole is shown as it is" \
	"$("$B/${other[0]}" "${other[@]:1}" 2>&1 | od -An -c; echo "$?")" \
	$'   m   e   t   r   i   c       1  \\n\n0'
check "an empty one, too" "$B/${other[0]}" "${other[@]:1}"

# ---- ktlsd -----------------------------------------------------------------

matches "ktlsd -V: which version it is" "$("$B/ktlsd" -V)" \
	'^ktlsd [0-9]+\.[0-9]+\.[0-9]+, OpenSSL [3-9]\.'
is "and there was somebody to hear it" \
	"$("$B/ktlsd" -V 2>&1 >/dev/full; echo $?)" $'ktlsd: cannot write\n1'
says "ktlsd -X: exit 100" 100 'ktlsd: invalid option -- .X' ktlsd -X
version=$("$B/ktlsctl" "${ctl[@]:1}" metrics | grep ^ktlsd_build_info)
matches "metrics say the same" "ktlsd $(sed -E \
	's/.*version="(.*)",openssl="(.*)".*/\1, OpenSSL \2/' <<<"$version")" \
	"^$("$B/ktlsd" -V)\$"

# ---- ktls-staple -----------------------------------------------------------

check=(ktls-staple check --cert "$PKI/ec.pem" --issuer "$PKI/ca.pem")
unwritten 2 "${check[@]}" --response "$PKI/good.der"
unwritten 2 ktls-staple probe --ca "$PKI/ca.pem" "localhost:$PORT"
says "no such command" 2 "^ktls-staple: 'czech' is no command\$" \
	ktls-staple czech
says "an option that is none" 2 "^ktls-staple: unrecognized option '--now'" \
	"${check[@]}" --now
says "no response" 2 '^ktls-staple: --response is missing$' "${check[@]}"
says "no issuer" 2 '^ktls-staple: --issuer is missing$' "${check[@]:0:4}"
says "nothing to fetch for" 2 '^ktls-staple: --cert is missing$' \
	ktls-staple fetch
says "nobody to connect to" 2 '^ktls-staple: HOST:PORT is missing$' \
	ktls-staple probe
# 65536 and our port is our port, to getaddrinfo(3).
for port in $((65536 + PORT)) 65536 0 -1 +443 ' 443' 443x ''; do
	says "port '$port'" 2 "^ktls-staple: not HOST:PORT .*: localhost:" \
		ktls-staple probe "localhost:$port"
done

# ---- ktls-static -----------------------------------------------------------

static=(ktls-static --queue "$DIR/web.sock")
says "no root" 100 '^ktls-static: --root is missing$' "${static[@]}"
says "no queue" 100 '^ktls-static: --queue is missing$' ktls-static --root /
says "an argument too many" 100 "^ktls-static: 'x' is no option\$" \
	"${static[@]}" --root / x
for n in 0 1025 1x ''; do
	says "$n workers" 100 "^ktls-static: '$n' is no number of workers, from" \
		"${static[@]}" --root / --workers "$n"
done
mkdir -m 700 "$DIR/closed"
if root_or_skip "a root that it may not enter"; then
	# Where anybody may go.
	cp "$B/ktls-static" "$DIR/"
	out=$(setpriv --reuid=65534 --regid=65534 --clear-groups timeout 20 \
		"$DIR/ktls-static" "${static[@]:1}" --root "$DIR/closed" 2>&1)
	is "a root that it may not enter" "$? $out" \
		"1 ktls-static: $DIR/closed: Permission denied"
fi
# What is said is not to go to a socket in the place of standard error.
mkdir "$DIR/root"
"$B/ktls-static" --queue "$DIR/web.sock" --root "$DIR/root" --workers 1 \
	<&- >&- 2>&- &
PIDS+=($!)
static=$!
check "without standard descriptors it serves" wait_for 20 metric_is \
	ktlsd_registrations 1
sockets() {
	local fd
	for fd in 0 1 2; do
		readlink "/proc/$1/fd/$fd"
	done
}
is "and has no other files there" "$(sockets "$static" | sort -u)" /dev/null

#!/bin/bash
# SPDX-License-Identifier: MIT
# Redis as it comes from Debian, by ktls-run and the library, beside its own TLS.
. "${0%/*}/tools.sh"
. "$E2E/servers.sh"

library_or_skip "Redis serves" || exit 0
full_or_skip 7.2 "Redis serves" || exit 0
if [ ! -x /usr/bin/redis-server ]; then
	skip "Redis serves" "redis-server is not installed"
	exit 0
fi
up alpn='[]'
FRONT=$(free_port)
common=(--save '' --appendonly no --dir "$DIR" --protected-mode no)
run_server /usr/bin/redis-server --port "$FRONT" --bind 127.0.0.1 \
	--unixsocket "$DIR/redis.sock" "${common[@]}"
wait_for 30 test -S "$DIR/redis.sock" || bail "Redis did not start" \
	"$(<"$DIR/server.log")"
cli() {
	timeout 20 redis-cli --tls --cacert "$PKI/ca.pem" --sni localhost \
		-h localhost -p "$PORT" "$@" 2>&1
}
is "redis-cli --tls: PING" "$(cli ping)" PONG
matches "CLIENT LIST has the client's address" "$(cli client list)" \
	'addr=127\.0\.0\.1:[1-9][0-9]* laddr=127\.0\.0\.1:'"$PORT "
head -c 3000000 /dev/zero | tr '\0' x >"$DIR/value"
cli -x set big <"$DIR/value" >"$DIR/set.log"
cli get big | tr -d '\n' >"$DIR/got"
same_file "a value of 3 MB, both ways" "$DIR/value" "$DIR/got"
is "an inline conversation of several commands" \
	"$(printf '%s\n' 'set a 1' 'incr a' 'incr a' | cli | tr '\n' ' ')" "OK 2 3 "
is "and goes on when it has forked, to save" \
	"$(printf '%s\n' bgsave ping | cli | tr '\n' ' ')" \
	"Background saving started PONG "
host_only "redis-benchmark beside Redis' own TLS" || exit 0

# The same Redis, with its own TLS: for the relation, which is only shown.
own=$(free_port)
spawn own /usr/bin/redis-server --port 0 --tls-port "$own" --bind 127.0.0.1 \
	--tls-cert-file "$PKI/ec-chain.pem" --tls-key-file "$PKI/ec.key" \
	--tls-auth-clients no "${common[@]}"
wait_for 20 holds "$DIR/own.log" 'Ready to accept'
bench() { # PORT OPTION...
	timeout 60 redis-benchmark --tls --cacert "$PKI/ca.pem" --sni localhost \
		-h localhost -p "$1" -n 10000 -c 20 --csv "${@:2}" 2>/dev/null |
		awk -F'"' '$2 != "test" { print $2, $4 }'
}
bench "$PORT" -t set,get -d 1000 >"$DIR/behind"
bench "$own" -t set,get -d 1000 >"$DIR/alone"
is "redis-benchmark ends" "$(cut -d' ' -f1 "$DIR/behind" | tr '\n' ' ')" \
	"SET GET "
echo "# operations per second, 1000 bytes, 20 clients, by $(mode):"
paste -d' ' "$DIR/behind" "$DIR/alone" | awk '{
	printf "# %s: %.0f behind ktlsd, %.0f by its own TLS, %.2f\n",
		$1, $2, $4, $2 / $4 }'

#!/bin/bash
# SPDX-License-Identifier: MIT
# nginx as it comes from Debian, by ktls-run and the library.
. "${0%/*}/tools.sh"
. "$E2E/servers.sh"

library_or_skip "nginx serves" || exit 0
if [ ! -x /usr/sbin/nginx ]; then
	skip "nginx serves" "nginx is not installed"
	exit 0
fi
up route='rekey: true'
FRONT=$PORT # as before, when it had it to itself: there nobody else can listen
mkdir -p "$DIR/www/sub" "$DIR/www/put" "$DIR/tmp"
chmod 777 "$DIR/www/put"
echo page >"$DIR/www/sub/index.html"
cat >"$DIR/nginx.conf" <<END
pid $DIR/nginx.pid;
error_log $DIR/error.log info;
worker_processes 2;
user nobody nogroup;
events { worker_connections 1000; }
http {
	access_log $DIR/access.log;
	client_body_temp_path $DIR/tmp/body;
	proxy_temp_path $DIR/tmp/proxy;
	fastcgi_temp_path $DIR/tmp/fastcgi;
	uwsgi_temp_path $DIR/tmp/uwsgi;
	scgi_temp_path $DIR/tmp/scgi;
	sendfile on;
	client_max_body_size 100m;
	server {
		listen 127.0.0.1:$FRONT;
		root $DIR/www;
		absolute_redirect off; # it would say http
		location /put { dav_methods PUT; }
		location /swarm { return 200 "\$uri"; }
		location /from { return 200 "\$remote_addr \$server_addr:\$server_port"; }
	}
}
END
run_server /usr/sbin/nginx -c "$DIR/nginx.conf"
master() {
	cat "$DIR/nginx.pid"
}
workers_are() { # N, of the present master
	[ "$(wc -w <"/proc/$(master)/task/$(master)/children")" = "$1" ]
}
wait_for 30 test -s "$DIR/nginx.pid" || bail "nginx did not start" \
	"$(cat "$DIR/server.log" "$DIR/error.log")"

batch <<END
1.2 --version 1.2 --path /sub/
1.3 --version 1.3 --path /sub/
from --path /from
behind --coalesce --path /sub/
closed --close --path /sub/
END
for label in 1.2 1.3 behind closed; do
	is "a page: $label" "${BODY[$label]:-}" page
	served "and a clean end: $label" $label
done
is "nginx is told both addresses" "${BODY[from]:-}" "127.0.0.1 127.0.0.1:$PORT"
matches "its log has the client's" "$(<"$DIR/access.log")" '^127.0.0.1 .*/sub/'

# A body in one record, of which FIONREAD says nothing.
head -c 3000 /dev/urandom >"$DIR/small"
is "PUT of 3000 bytes" "$(fetch -o "$DIR/page" -w '%{http_code}' -T "$DIR/small" \
	/put/small)" 201
same_file "is whole" "$DIR/small" "$DIR/www/put/small"
n=300
! emulated || n=40
matches "$n connections" "$(swarm -n $n -j 20)" "^ok=$n failed=0 lost=0 "
if full 6.12; then
	is "keep-alive: two requests on one connection" "$(fetch -o "$DIR/page" \
		-o "$DIR/page" -w '%{num_connects}' \
		"https://localhost:$PORT/sub/" /sub/)" 10
	follows "a redirect" /sub
	client --path /sub/ --cut >"$DIR/cut.log"
	check "an end without close_notify is an error in nginx's log" \
		wait_for 10 holds "$DIR/error.log" \
		'keepalive connection \(104: Connection reset by peer\)'
fi

# Each takes an emulated machine half a minute: one each.
seq 9000000 | head -c 64M >"$DIR/www/big"
if full 6.12; then
	fetch -o "$DIR/big" /big
	same_file "64 MiB by sendfile" "$DIR/www/big" "$DIR/big"
fi
if full 6.1.; then
	fetch -o "$DIR/page" -T "$DIR/www/big" /put/big
	same_file "PUT of 64 MiB" "$DIR/www/big" "$DIR/www/put/big"
fi
rm -f "$DIR/big" "$DIR/www/big" "$DIR/www/put/big"

if full 7.2; then
	# It may put nothing there, and is told so behind all of it.
	batch <<<"keys --put 1M --rekey 32K"
	result "a client that changes its key meanwhile is answered" keys \
		'status=405 .*rekeyed=31,[1-9].* end=close_notify'
fi

# Connections all the time, while nginx changes.
n=400
! emulated || n=60
held_swarm during -n $n -j 4
pid=$SPAWNED
kill -HUP "$(master)"
wait_for 20 holds "$DIR/error.log" 'signal 1 .*reconfiguring' ||
	not_ok "nginx reloads"
nap 0.3
old=$(master)
kill -USR2 "$old"
check "USR2 starts another nginx" wait_for 30 test -s "$DIR/nginx.pid.oldbin"
wait_for 30 workers_are 2
kill -QUIT "$old"
check "the old one goes" wait_for 30 gone "$old"
matches "none of $n connections is lost by reload and upgrade" \
	"$(ends during "$pid" 60)" "^ok=$n failed=0 lost=0 "
is "the new one serves" "$(fetch /sub/)" page
is "and listens by itself nowhere" "$(grep -c "^ *[0-9]*: 0100007F:$(printf \
	%04X "$FRONT") 00000000:0000 0A" /proc/net/tcp)" 1
is "ktls-run is its parent" "$(awk '{ print $4 }' "/proc/$(master)/stat")" \
	"$SERVER"
pid=$(master)
kill -QUIT "$SERVER"
check "SIGQUIT for ktls-run is one for nginx" wait_for 20 gone "$SERVER"
wait "$SERVER"
is "its status is 0" $? 0
check "nothing of nginx is left" gone "$pid"
counters
is "all by $(mode)" "${M["ktlsd_handed_off_total{mode=\"$(mode)\"}"]:-0}" \
	"${M[ktlsd_handed_off_total]}"

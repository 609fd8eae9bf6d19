#!/bin/bash
# SPDX-License-Identifier: MIT
# Routes that refuse clients while nobody is there to serve them.
. "${0%/*}/tools.sh"
host_only "routes without a consumer refuse" || exit 0

# A port that is chosen for us would be another one when it listens again.
ALONE=$(free_port)
MIXED=$(free_port)
write_config() { # HOLD_TIMEOUT
	config hold_timeout="$1" | sed '/^listeners:/,$d'
	cat <<-END
		certificates:
		  - chain: $PKI/ec-chain.pem
		    key: $PKI/ec.key
		    staple: $PKI/good.der
		routes:
		  - {name: web, handoff: $DIR/web.sock, no_consumer: refuse}
		  - {name: pass, handoff: $DIR/pass.sock, no_consumer: refuse,
		     tls: passthrough}
		  - {name: held, handoff: $DIR/held.sock, hold_timeout: $1}
		listeners:
		  - bind: 127.0.0.1:$ALONE
		    alpn: [http/1.1]
		    rules:
		      - {sni: [pass.example], route: pass}
		      - {sni: [localhost], route: web}
		  - bind: 127.0.0.1:$MIXED
		    route: held
		    alpn: [http/1.1]
		    rules:
		      - {sni: [pass.example], route: pass}
		      - {sni: [localhost], route: web}
	END
}
write_config 2s >"$DIR/ktlsd.conf"
start_ktlsd "$DIR/ktlsd.conf" -v ||
	bail "ktlsd did not start" "$(tail -n 5 "$KTLSD_LOG")"

curl() { # PORT NAME
	command curl -sSk --max-time 30 --connect-to "::127.0.0.1:$1" \
		"https://$2/info" 2>&1
}
s_client() { # PORT NAME
	timeout 20 openssl s_client -connect "127.0.0.1:$1" -servername "$2" \
		</dev/null 2>&1
}
hello() { # PORT OPTION...
	timeout 30 python3 "$E2E/hello.py" "$@"
}
listens() { # PORT
	(exec 7<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
refuses() {
	! listens "$1"
}
bind() { # can another process have the port?
	python3 -c 'import socket, sys
socket.socket().bind(("127.0.0.1", int(sys.argv[1])))' "$ALONE"
}
refused='ktlsd_refused_total{reason="no_consumer"}'

check "a listener that leads only to them does not listen" refuses "$ALONE"
matches "which a client sees as it should" "$(curl "$ALONE" localhost)" \
	'(Connection refused|connect to)'
holds "$KTLSD_LOG" "event=listener_down bind=127.0.0.1:$ALONE " &&
	ok "it is in the log" || not_ok "it is in the log"
check_fails "it keeps its port" bind
check "one that leads elsewhere too listens" listens "$MIXED"
n=$(metric "$refused")
matches "but has an alert for them: openssl" "$(s_client "$MIXED" localhost)" \
	'alert internal error'
matches "curl" "$(curl "$MIXED" localhost)" 'alert internal error'
matches "Python" "$(hello "$MIXED" --name localhost)" \
	'^result=alert .*INTERNAL_ERROR'
matches "and closes what would be passed on" \
	"$(hello "$MIXED" --name pass.example)" '^result=(closed|reset)$'
is "all of them are counted" "$(metric "$refused")" $((n + 4))
matches "others wait, and no longer than they should" \
	"$(hello "$MIXED" --name other.example)" '^result=(ok .*|closed|reset)'
is "that is counted too" "$(metric ktlsd_queue_expired_total)" 1

# Up again, and down.
consume
check "with a consumer it listens" wait_for 20 listens "$ALONE"
for i in 1 2 3 4; do
	matches "and is served by every worker ($i)" \
		"$(curl "$ALONE" localhost)" 'server_name=localhost'
done
matches "the other one serves too" "$(curl "$MIXED" localhost)" \
	'server_name=localhost'
n=$(metric "$refused")
matches "a route that is still down does not" \
	"$(hello "$ALONE" --name pass.example)" '^result=(closed|reset)$'
is "and says so" "$(metric "$refused")" $((n + 1))
for round in 1 2 3; do
	stop "$CONSUMER"
	check "without, it does not listen ($round)" wait_for 20 refuses "$ALONE"
	consume
	check "and with one it does ($round)" wait_for 20 listens "$ALONE"
	matches "and serves ($round)" "$(curl "$ALONE" localhost)" \
		'server_name=localhost'
done
kill -KILL "$CONSUMER" $(servers)
{ wait "$CONSUMER"; } 2>/dev/null
check "a consumer that is killed is missed at once" \
	wait_for 20 refuses "$ALONE"

# Nothing but a look now and then.
used=$(cpu_ms $(worker_pids))
sleep 1
between "workers have next to nothing to do meanwhile" \
	$(($(cpu_ms $(worker_pids)) - used)) 0 100

# A worker that is started now, and another configuration, know it too.
kill -KILL $(worker_pids)
wait_for 20 holds "$KTLSD_LOG" event=worker_died
sleep 0.3
matches "new workers know" "$(hello "$MIXED" --name localhost)" \
	'^result=alert .*INTERNAL_ERROR'
write_config 3s >"$DIR/ktlsd.conf"
kill -HUP "$KTLSD_PID"
wait_for 20 holds "$KTLSD_LOG" 'event=reloaded'
check "after a reload it is as it was" refuses "$ALONE"
matches "the alert as well" "$(hello "$MIXED" --name localhost)" \
	'^result=alert .*INTERNAL_ERROR'
consume
check "and it comes back" wait_for 20 listens "$ALONE"
matches "to serve" "$(curl "$ALONE" localhost)" 'server_name=localhost'
stop_ktlsd
is "ktlsd ends as it should" $? 0

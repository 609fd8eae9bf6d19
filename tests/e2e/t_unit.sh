#!/bin/bash
# SPDX-License-Identifier: MIT
# The unit that is installed, run by systemd(1): what it takes from ktlsd is not
# missed. In a guest only, where systemd does no harm.
. "${0%/*}/staples.sh"
if ! emulated || [ "$(id -u)" != 0 ]; then
	skip "systemd runs the unit" "in a guest, as root, only"
	exit 0
fi
if [ ! -x /lib/systemd/systemd ]; then
	skip "systemd runs the unit" "there is no systemd"
	exit 0
fi

# inside COMMAND... - where systemd is process 1
inside() {
	nsenter -t "$INIT" -m -p "$@"
}
unit() { # PROPERTY - of the unit, as systemd sees it
	inside systemctl show --value -p "$1" ktlsd
}
unit_is() { # PROPERTY VALUE - for wait_for
	[ "$(unit "$1")" = "$2" ]
}
status() { # PID KEY - in /proc/PID/status
	inside awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"
}
find_init() {
	INIT=$(<"/proc/$SYSTEMD/task/$SYSTEMD/children")
	INIT=${INIT% }
	[ -n "$INIT" ] && inside systemctl is-active idle.target
}

# ---- systemd ---------------------------------------------------------------

units=/run/systemd/system
mkdir -p $units/ktlsd.service.d
printf '%s\n' '[Unit]' DefaultDependencies=no >$units/idle.target
bin="$DIR/s bin"
mkdir "$bin"
cp "$B/ktlsd" "$B/ktlsctl" "$bin/"
sed "s,@sbindir@,$bin,; s,@bindir@,$bin," "$E2E/../../agent/ktlsd.service" \
	>$units/ktlsd.service
home=/home/ktlsd-test
# Here is neither a journal nor a network to wait for.
cat >$units/ktlsd.service.d/test.conf <<END
[Unit]
DefaultDependencies=no
[Service]
ReadWritePaths=$home/run
# Less than it takes: it lifts its own.
LimitNOFILE=4096
StandardOutput=null
StandardError=append:$DIR/ktlsd.log
END
mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
spawn systemd env container=ktlsd unshare --fork --pid --mount-proc \
	--kill-child /lib/systemd/systemd --system --unit=idle.target \
	--log-target=null --show-status=0
SYSTEMD=$SPAWNED
wait_for 60 find_init || bail "systemd does not start"
check "nothing in the unit is unknown" systemd-analyze verify --man=no \
	$units/ktlsd.service
check "and it is exposed no more than it has to be" systemd-analyze security \
	--no-pager --offline=true --threshold=50 $units/ktlsd.service

# ---- a configuration that wants all it can ---------------------------------

# Keys of another user's in a home, sockets elsewhere, longer queues than others
# may have, a port of root's, OCSP responses, a server behind a proxy, in a home.
make_staple_pki || bail "no certificates could be made"
responder_start
make_leaves ca site -u "$RESPONDER_URL/site" ||
	bail "no certificates could be made"
mkdir -p $home/run
cp "$STAPLE_PKI/site-chain.pem" "$STAPLE_PKI/site.key" $home/
chown -R daemon $home
chmod 711 $home
chmod 400 $home/site.key
spawn backend "$TOOLS/backend" "unix:$home/app.sock"
wait_for 20 holds "$DIR/backend.log" '^event=serving' ||
	bail "the server did not start"
chmod 666 $home/app.sock
printf '%s\n' '  - name: behind' "    proxy: ['unix:$home/app.sock']" \
	'  - name: home' "    handoff: $home/run/home.sock" >"$DIR/routes"
printf '%s\n' '  - bind: 127.0.0.1:444' '    route: behind' >"$DIR/listeners"
printf '%s\n' "  - chain: $home/site-chain.pem" "    key: $home/site.key" \
	>"$DIR/certs"
config bind=127.0.0.1:443 user=nobody stapler_user=daemon \
	state_dir=/var/lib/ktlsd queue=8192 handshake_timeout=4s \
	certs="$DIR/certs" top='watch: true' routes="$DIR/routes" \
	route='user: daemon' listeners="$DIR/listeners" |
	sed '/^control:/d' >/etc/ktlsd.conf
KTLSD_LOG=$DIR/ktlsd.log
DEFAULT=/run/ktlsd/control.sock
ctl() {
	"$B/ktlsctl" -s $DEFAULT "$@"
}
with_ca() { # PORT
	"$TOOLS/client" --ca "$STAPLE_PKI/ca.pem" --name site.test \
		--timeout 30000 --get 1000 \
		"127.0.0.1:$1"
}
served_by() { # WHAT
	matches "$1: clients are served" "$(with_ca 443)" 'result=ok '
	matches "$1: clients of the proxy are, too" "$(with_ca 444)" 'result=ok '
}

check "systemd starts it" inside systemctl start ktlsd ||
	bail "it does not start" "$(tail -n 20 "$KTLSD_LOG")"
is "and has heard that it serves" "$(unit ActiveState)" active
consume
served_by "under systemd"
check_fails "queues are as long as they are to be" holds "$KTLSD_LOG" \
	event=queue_small
staple_is_good() {
	[ "$(staple_state site-chain.pem status)" = good ]
}
matches "it has all the descriptors it asks for" "$(<"$KTLSD_LOG")" \
	'event=ready .* slots=16384 '
is "a socket is its user's" "$(stat -c %U:%a "$DIR/web.sock")" daemon:660
check "where a drop-in says so it may be in a home" test -S $home/run/home.sock
check "there is a response, which the stapler has fetched" \
	wait_for 30 staple_is_good
is "and written" "$(find /var/lib/ktlsd -type f -user daemon | wc -l)" 1

# ---- what it has, and what not ------------------------------------------------

main=$(unit MainPID)
# chown, dac_override, fowner, kill, setgid, setuid, net_bind_service, net_admin,
# sys_resource
is "its capabilities are those that it needs" "$(status "$main" CapBnd)" \
	00000000010014eb
is "its processes can have no others" "$(status "$main" NoNewPrivs)" 1
is "its calls are filtered" "$(status "$main" Seccomp)" 2
read -r worker _ <<<"$(inside pgrep -u nobody -P "$main")"
is "a worker has no capability" "$(status "$worker" CapEff)" 0000000000000000
within() { # COMMAND... - in its view of the file system
	inside nsenter -t "$main" -m "$@"
}
for folder in /etc /usr $home; do
	check_fails "$folder is not to be written" within touch "$folder/x"
done
check "other folders are" within touch /srv/x
check_fails "devices are not there" within test -e /dev/mem

# ---- what it does later --------------------------------------------------------

inside kill -STOP "$worker"
check "systemd reloads it" inside systemctl reload ktlsd
check "a worker that does not end is killed" \
	wait_for 60 eval '! inside test -d "/proc/$worker"'
served_by "after a reload"
count "$KTLSD_LOG" event=reloaded
before=$COUNT
make_leaves ca site -u "$RESPONDER_URL/site"
cat "$STAPLE_PKI/site-chain.pem" >"$home/site-chain.pem"
cat "$STAPLE_PKI/site.key" >"$home/site.key"
more_reloads() {
	count "$KTLSD_LOG" event=reloaded
	[ "$COUNT" -gt "$before" ]
}
check "a changed file in a home is noticed" wait_for 30 more_reloads
served_by "with another certificate"
cp /etc/ktlsd.conf "$DIR/good.conf"
echo nonsense >>/etc/ktlsd.conf
check_fails "a reload that is refused fails" inside systemctl reload ktlsd
cp "$DIR/good.conf" /etc/ktlsd.conf
# Whose handshake the old one waits for, and then it stands still.
exec 5<>/dev/tcp/127.0.0.1/443
check "another program takes over" ctl upgrade
inside kill -STOP "$main"
check "and systemd knows" wait_for 30 eval '! unit_is MainPID "$main"'
served_by "after an upgrade"
main=$(unit MainPID)
is "it can do no more than the old one" "$(status "$main" CapBnd)" \
	00000000010014eb
inside kill -KILL "$main"
restarted() {
	[ "$(unit MainPID)" != "$main" ] && unit_is ActiveState active
}
check "systemd starts it again when it is killed, while the old one still drains" \
	wait_for 60 restarted
exec 5>&-
wait_for 30 holds "$CONSUMER_LOG" event=back
served_by "after that"
check "systemd stops it" inside systemctl stop ktlsd
is "as it should end" "$(unit Result)" success
check_fails "sockets are gone" test -e "$DIR/web.sock"

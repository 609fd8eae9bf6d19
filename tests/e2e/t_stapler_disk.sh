#!/bin/bash
# SPDX-License-Identifier: MIT
# A state_dir that is not there, full, somebody else's or filled with rubbish:
# it is said once, clients get their staples all the same, and nothing is lost.

# What is mounted here is seen by nobody else, and gone with the last process.
if [ -z "${OWN_MOUNTS:-}" ] && unshare -m true 2>/dev/null; then
	OWN_MOUNTS=1 exec unshare -m bash "$0"
fi
. "${0%/*}/staples.sh"
host_only "the stapler's folder may be in any state" || exit 0
root_or_skip "the stapler's folder may be in any state" || exit 0

make_staple_pki || bail "no certificates"
responder_start
make_leaves ca site -u "$RESPONDER_URL" || bail "no leaf"

# ---- what the scenes consist of --------------------------------------------

# up_with [KEY=VALUE...] - for the certificate "site"; sets STORE, and STORED
up_with() {
	local state=$DIR/state arg
	for arg; do
		[[ $arg != state_dir=* ]] || state=${arg#*=}
	done
	STORE=$state/ocsp STORED=$(stored site)
	up chain="$STAPLE_PKI/site-chain.pem" key="$STAPLE_PKI/site.key" \
		staple=auto "$@"
}

# stored NAME - where its response is kept in the folder STORE
stored() {
	local sum
	read -r sum _ < <(openssl x509 -in "$STAPLE_PKI/$1.pem" -outform DER |
		sha256sum)
	echo "$STORE/$sum.der"
}

# good_file FILE [NAME] - is that a response to be stapled?
good_file() {
	"$B/ktls-staple" check --cert "$STAPLE_PKI/${2:-site}.pem" \
		--issuer "$STAPLE_PKI/ca.pem" --response "$1"
}

is_stapled() { # WHAT [NAME]
	is "$1" "$(stapled_once "${2:-site}.test")" valid
}

# said WHAT REGEX [TIMES] - the log has it so often (once), at last
said() {
	if wait_for 20 logged "$2" "${3:-1}"; then
		ok "$1"
	else
		not_ok "$1" "expected: ${3:-1}, got: $COUNT, of lines with $2"
	fi
}
logged() { # REGEX TIMES
	count "$KTLSD_LOG" "$1"
	[ $COUNT = "$2" ]
}

# ask_again - and wait until one answer was heard of
ask_again() {
	local before
	before=$(attempts)
	"$B/ktlsctl" -s "$DIR/control.sock" refresh >/dev/null
	wait_for 20 attempts_over "$before"
}
attempts() {
	metric ktlsd_staple_fetches_total
}
attempts_over() {
	[ "$(attempts)" -gt "$1" ]
}

describe() {
	stat -c '%U %a %F' "$1"
}

# ---- the folder, before the start ------------------------------------------

state=$DIR/other
mkdir -p "$state/ocsp"
chown 12345:12345 "$state" "$state/ocsp"
chmod 500 "$state/ocsp"
up_with state_dir="$state"
consume # the same one to the end: it registers again
is "a folder of somebody else's becomes the stapler's" \
	"$(describe "$STORE")" "nobody 700 directory"
is_stapled "and is of use"
check "the response is in it" wait_for 20 good_file "$STORED"
said "of which there is nothing to say" 'event=sta(te|ple)_' 0
stop_ktlsd

# no_folder WHAT REGEX KEY=VALUE... - ktlsd starts without, and says why
no_folder() {
	local what=$1 regex=$2
	shift 2
	up_with "$@"
	said "$what: one line says so" "event=state_dir_failed $regex" 1
	is_stapled "$what: there are staples"
	ask_again
	said "$what: nothing else is said" \
		'event=(sta(te|ple)_|message_|stapler_[^u])' 1
	stop_ktlsd
}

state=$DIR/file
echo mine >"$state"
no_folder "a file instead of state_dir" \
	"folder=\"$state\" error=\"it is no folder, or a link to one\"" \
	state_dir="$state"
is "which is left alone" "$(<"$state")" mine

state=$DIR/link
mkdir -p "$state" "$DIR/elsewhere"
ln -s ../elsewhere "$state/ocsp"
no_folder "a link instead of the folder" \
	"folder=\"$state/ocsp\" error=\"it is no folder, or a link to one\"" \
	state_dir="$state"
is "what it leads to is left alone" \
	"$(describe "$DIR/elsewhere") $(ls -A "$DIR/elsewhere")" \
	"root 755 directory "

no_folder "a state_dir in a folder that is not there" \
	"folder=\"$DIR/no/where\" error=\"No such file or directory\"" \
	state_dir="$DIR/no/where"
is "which is not made" "$(ls -d "$DIR/no" 2>&1 >/dev/null | wc -l)" 1

mkdir "$DIR/beside"
config chain="$STAPLE_PKI/site-chain.pem" key="$STAPLE_PKI/site.key" \
	staple=auto state_dir=state >"$DIR/beside/ktlsd.conf"
start_ktlsd "$DIR/beside/ktlsd.conf" || bail "it does not start"
PORT=$(port_of web) STORE=$DIR/beside/state/ocsp
is_stapled "a relative state_dir is possible"
check "it is beside the configuration" wait_for 20 good_file "$(stored site)"
stop_ktlsd

# ---- who may not write -----------------------------------------------------

# Whoever is not root makes folders as they can.
mkdir "$DIR/own"
chown nobody "$DIR/own"
cp "$STAPLE_PKI"/site{-chain.pem,.key} "$DIR/own/"
chown nobody "$DIR/own/"*
mkdir -m 755 "$DIR/roots"
config chain="$DIR/own/site-chain.pem" key="$DIR/own/site.key" staple=auto hold_timeout=1s \
	handoff="$DIR/own/web.sock" state_dir="$DIR/roots" |
	sed "s,^control:.*,control: $DIR/own/control.sock," >"$DIR/own/conf"
KTLSD_STARTS=$((KTLSD_STARTS + 1))
KTLSD_LOG=$DIR/ktlsd-$KTLSD_STARTS.log
spawn "ktlsd-$KTLSD_STARTS" setpriv --reuid=65534 --regid=65534 \
	--clear-groups "$B/ktlsd" -c "$DIR/own/conf"
KTLSD_PID=$SPAWNED
wait_for 20 ready_or_gone
PORT=$(port_of web)
said "without the right to make it: one line says so" \
	"event=state_dir_failed folder=\"$DIR/roots/ocsp\" error=\"Permission denied\""
is_stapled "without the right to make it: there are staples"
stop_ktlsd
state=$DIR/own/state
sed -i "s,^state_dir:.*,state_dir: $state," "$DIR/own/conf"
spawn "ktlsd-own" setpriv --reuid=65534 --regid=65534 --clear-groups \
	"$B/ktlsd" -c "$DIR/own/conf"
KTLSD_PID=$SPAWNED KTLSD_LOG=$DIR/ktlsd-own.log
wait_for 20 ready_or_gone
STORE=$state/ocsp
check "with that right it is made" wait_for 20 good_file "$(stored site)"
is "for whoever that is" "$(describe "$STORE")" "nobody 700 directory"
stop_ktlsd

# ---- while it runs ---------------------------------------------------------

state=$DIR/state
up_with ocsp='min_interval: 1s'
check "it begins well" wait_for 20 good_file "$STORED"
rm -r "$STORE"
sleep 1.1 # what is new has another thisUpdate
ask_again
said "a folder that is gone: one line says so" \
	"event=staple_store_failed folder=\"$STORE\" certificate=\"site.test\" error=\"No such file or directory\""
is_stapled "a folder that is gone: there are staples"
said "it is made again" "event=state_dir_recovered folder=\"$STORE\""
check "what there is, is written to it" \
	wait_for 20 good_file "$STORED"
is "it is the stapler's" "$(describe "$STORE")" "nobody 700 directory"
said "no stapler died" 'event=stapler_died' 0
is_stapled "there are staples still"

chmod 500 "$STORE"
sleep 1.1
ask_again
said "a folder that may not be written: one line says so" \
	"event=staple_store_failed folder=\"$STORE\" certificate=\"site.test\" error=\"Permission denied\""
sleep 1.1
ask_again
said "that is put right" "event=staple_store_recovered folder=\"$STORE\""
is "as it was" "$(describe "$STORE")" "nobody 700 directory"

rm -r "$state"
echo "in the way" >"$state"
sleep 1.1
ask_again
said "a folder that cannot be made again: one line says why" \
	"event=state_dir_failed folder=\"$state\" error=\"it is no folder, or a link to one\""
sleep 1.1
ask_again
is_stapled "there are staples still"
rm "$state"
sleep 1.1
ask_again
said "when it can be, it is" \
	"event=state_dir_recovered folder=\"$STORE\"" 2
check "and what there is, is written to it" wait_for 20 good_file "$STORED"
stop_ktlsd

# ---- full, and read-only ---------------------------------------------------

mkdir "$DIR/small"
unmount() {
	local rc=$?
	umount "$DIR/small" 2>/dev/null
	return $rc
}
trap 'unmount; clean_up' EXIT
if [ -n "${OWN_MOUNTS:-}" ] &&
	mount -t tmpfs -o size=32k,mode=755 tmpfs "$DIR/small"; then
	dd if=/dev/zero of="$DIR/small/filler" bs=1k 2>/dev/null
	up_with state_dir="$DIR/small"
	said "a full disk: one line says so" \
		"event=staple_store_failed folder=\"$STORE\" certificate=\"site.test\" error=\"No space left on device\""
	is_stapled "a full disk: there are staples"
	is "nothing is left on it" "$(ls -A "$STORE")" ""
	kill -KILL "$(pgrep -P "$KTLSD_PID" -f -- --stapler)"
	said "a stapler that dies is replaced, and tries again" \
		'event=staple_store_failed' 2
	is_stapled "which costs no staple"
	rm "$DIR/small/filler"
	ask_again
	said "when there is room, that is said" \
		"event=staple_store_recovered folder=\"$STORE\""
	check "and what there is, is written" wait_for 20 good_file "$STORED"
	is "once" "$(ls -A "$STORE" | wc -l)" 1

	cp "$STORED" "$DIR/before"
	mount -o remount,ro "$DIR/small"
	sleep 1.1
	ask_again
	said "a disk that cannot be written any more: one line says so" \
		"event=staple_store_failed folder=\"$STORE\" certificate=\"site.test\" error=\"Read-only file system\""
	stop_ktlsd
	check "its response is as it was" cmp "$STORED" "$DIR/before"
	responder_mode dead
	up_with state_dir="$DIR/small"
	is_stapled "and of use when ktlsd begins"
	stop_ktlsd
	responder_mode ok
	mount -o remount,rw "$DIR/small"
	chown root "$STORE"
	mount -o remount,ro "$DIR/small"
	no_folder "a read-only disk where the folder is somebody else's" \
		"folder=\"$STORE\" error=\"Read-only file system\"" \
		state_dir="$DIR/small"
	umount "$DIR/small"
else
	skip "a full disk, and a read-only one" "needs the right to mount"
fi

# ---- a limit of files' lengths ---------------------------------------------

rm -rf "$DIR/state"
up_with
said "the consumer has registered again" 'event=consumer_registered'
before=$(stapler_pid) log_before=$(wc -c <"$KTLSD_LOG")
prlimit --pid "$KTLSD_PID" --fsize=100
setpriv --reuid=65534 --regid=65534 --clear-groups \
	prlimit --pid "$before" --fsize=100
sleep 1.1
ask_again
ask_again
is "a response longer than files may be ends no stapler" "$(stapler_pid)" \
	"$before"
kill -KILL $(worker_pids)
wait_for 20 metric_is ktlsd_worker_restarts_total 2
is "nor does a log that is too long end ktlsd" \
	"$(wc -c <"$KTLSD_LOG")" "$log_before"
is_stapled "and clients get their staples"
stop_ktlsd

# ---- what is in the folder -------------------------------------------------

# answer NAME MODE FILE - what a responder says about it that does so
answer() {
	openssl ocsp -issuer "$STAPLE_PKI/ca.pem" -cert "$STAPLE_PKI/$1.pem" \
		-no_nonce -reqout "$DIR/request" &&
		responder_mode "$2" &&
		curl -s --max-time 20 -o "$3" --data-binary "@$DIR/request" \
			-H 'Content-Type: application/ocsp-request' "$RESPONDER_URL"
}

# What is there under the name of a certificate's file, and what is said of it.
kinds='truncated	it is not a well-formed OCSP response in DER
garbage		it is not a well-formed OCSP response in DER
empty		it is not a well-formed OCSP response in DER
huge		it is longer than any OCSP response
fifo		it is not a regular file
link		it is not a regular file
folder		it is not a regular file
unreadable	Permission denied
neighbour	it is for another certificate
stranger	its signature is wrong
revoked-good	it gives the certificate more than one status
expired
future
good
'
leaves=()
while read -r kind _; do
	[ -z "$kind" ] || leaves+=("$kind")
done <<<"$kinds"
STORE=$DIR/rubbish/ocsp
mkdir -p "$STORE"
for kind in "${leaves[@]}"; do
	make_leaves ca "$kind" -u "$RESPONDER_URL/$kind"
	printf '  - chain: %s\n    key: %s\n' "$STAPLE_PKI/$kind-chain.pem" \
		"$STAPLE_PKI/$kind.key"
done >"$DIR/certificates"
for kind in "${leaves[@]}"; do
	file=$(stored "$kind")
	case $kind in
	truncated) answer $kind ok "$DIR/whole" && head -c 100 "$DIR/whole" ;;
	garbage) head -c 1000 /dev/urandom ;;
	empty) : ;;
	huge) answer $kind huge /dev/stdout ;;
	unreadable | good) answer $kind ok,for=600 /dev/stdout ;;
	neighbour) answer good ok /dev/stdout ;;
	expired) answer $kind past /dev/stdout ;;
	stranger | revoked-good | future) answer $kind $kind /dev/stdout ;;
	esac >"$file"
	case $kind in
	fifo) rm "$file" && mkfifo "$file" ;;
	link) rm "$file" && ln -s /etc/passwd "$file" ;;
	folder) rm "$file" && mkdir "$file" && touch "$file/theirs" ;;
	unreadable) chmod 600 "$file" ;;
	esac
done
file=$(stored truncated)
touch "$file".tmp{0..9} "$STORE/README" "$STORE/x.der" "$file.tmp" \
	"${file%.der}" "$file.old"
ln -s /etc/passwd "$(stored good).tmp3"
mkdir "$(stored good).tmp4"
cp "$(stored good)" "$DIR/good.der"
cp /etc/passwd "$DIR/passwd"
foreign() {
	ls -d "$STORE/README" "$STORE/x.der" "$file.tmp" "${file%.der}" \
		"$file.old" "$(stored folder)/theirs" "$(stored good).tmp3"
}
foreign >"$DIR/foreign"

responder_mode dead
up certs="$DIR/certificates" state_dir="$DIR/rubbish" ocsp='start_wait: 1s' \
	ocsp='timeout: 1s'
while read -r kind error; do
	[ -n "$error" ] || continue
	said "$kind: one line says so" \
		"event=stored_staple_refused file=\"$(stored "$kind")\" certificate=\"$kind.test\" error=\"$error\""
done <<<"$kinds"
said "nothing else is" 'event=stored_' 11
is_stapled "what is right is stapled, whatever else there is" good
check "and not touched" cmp "$DIR/good.der" "$(stored good)"
for kind in "${leaves[@]}"; do
	[ $kind = good ] || echo "$(stapled_once $kind.test)"
done | sort | uniq -c >"$DIR/results"
matches "nothing else is" "$(<"$DIR/results")" '^ *13 none$'
responder_mode ok
ask_again
for kind in "${leaves[@]}"; do
	check "$kind: fetched anew" wait_for 20 staple_is "$kind.test" \
		delivered yes
	[ $kind = folder ] || check "$kind: and written" \
		wait_for 20 good_file "$(stored "$kind")" "$kind"
done
said "folder: one line says that it cannot be" \
	"event=staple_store_failed file=\"$(stored folder)\" certificate=\"folder.test\" error=\"a folder has its name\""
said "nothing else could not be" 'event=staple_store_' 1
printf '%s.test\n' "${leaves[@]}" >"$DIR/names"
stapled -v 1.3 -f "$DIR/names" >"$DIR/results"
is "all is stapled" "$(grep -c ' result=valid ' "$DIR/stapled.lines")" 14
is "what is not ours is still there" "$(foreign 2>&1)" "$(<"$DIR/foreign")"
check "where links lead, too" cmp "$DIR/passwd" /etc/passwd
is "leftovers are not" "$(ls "$STORE" | grep -c 'tmp[0-9]$')" 2
rm -r "$(stored folder)"
sleep 1.1
ask_again
said "once the folder is gone, the file is written" \
	"event=staple_store_recovered file=\"$(stored folder)\""
check "and is right" good_file "$(stored folder)" folder
stop_ktlsd

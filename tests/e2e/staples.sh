# SPDX-License-Identifier: MIT
#
# staples.sh - what the tests of stapling share: source it instead of tools.sh
#
# openssl-ocsp(1) knows the truth, the responder in front of it says so or not
# (`responder_mode`), and `stapled` looks closely at what clients get.

. "${BASH_SOURCE[0]%/*}/tools.sh"
STAPLE_PKI=$DIR/staples
RESPONDERS=0 INDEXES=0 OCSP_PORTS=()

# ---- certificates ----------------------------------------------------------

# make_staple_pki - in $STAPLE_PKI: root "ca" and beneath it intermediate "int",
# each with its -delegate, its -expired delegate, a -plain one without the right
# to sign responses and a -stranger of the same name; no leaves yet
make_staple_pki() {
	local d=$STAPLE_PKI ca
	mkdir -p "$d"
	"$TOOLS/certs" -t root -o "$d" -s "staple root" ca &&
		"$TOOLS/certs" -t ca -i "$d/ca" -o "$d" -s "staple int" int ||
		return
	for ca in ca int; do
		"$TOOLS/certs" -t delegate -i "$d/$ca" -o "$d" $ca-delegate &&
			"$TOOLS/certs" -t delegate -i "$d/$ca" -o "$d" \
				-a -7200 -z -3600 $ca-expired &&
			"$TOOLS/certs" -t plain -i "$d/$ca" -o "$d" $ca-plain ||
			return
	done
	"$TOOLS/certs" -t root -o "$d" -s "staple root" ca-stranger &&
		"$TOOLS/certs" -t root -o "$d" -s "staple int" int-stranger &&
		echo "unique_subject = no" | tee "$d/ca.index.attr" \
			>"$d/int.index.attr" &&
		touch "$d/ca.index" "$d/int.index"
}

# make_leaves ISSUER NAME [OPTION...] - NAME.pem, .key, -chain.pem in $STAPLE_PKI
# with the options of certs.c: make_leaves ca n%04d -n 1000 -u http://%a:80/%d
make_leaves() {
	local issuer=$1 name=$2
	shift 2
	"$TOOLS/certs" -i "$STAPLE_PKI/$issuer" -o "$STAPLE_PKI" "$@" "$name" &&
		new_index "$issuer" cat
}

# new_index ISSUER FILTER... - what was added or changed is seen only in a file
# with another inode, when that happens within a second; its old one stays in use
new_index() {
	local index=$STAPLE_PKI/$1.index port
	shift
	INDEXES=$((INDEXES + 1))
	"$@" <"$index" >"$index.new" && ln "$index" "$index.$INDEXES" &&
		mv "$index.new" "$index" || return
	# It looks after each request, not before; this is one for serial 1 of
	# nobody. At what is none, some versions end.
	for port in "${OCSP_PORTS[@]}"; do
		{
			printf 'POST / HTTP/1.0\r\n\r\n'
			printf '\060\032\060\030\060\026\060\024\060\022'
			printf '\060\011\006\005\053\016\003\002\032\005\000'
			printf '\004\000\004\000\002\001\001'
			cat <&3 >/dev/null
		} 3<>"/dev/tcp/127.0.0.1/$port" >&3
	done 2>/dev/null
}

# serial_of NAME - of a certificate in $STAPLE_PKI, as logs and indexes have it
serial_of() {
	local serial
	serial=$(openssl x509 -in "$STAPLE_PKI/$1.pem" -noout -serial)
	echo "${serial#serial=}"
}

# revoke ISSUER NAME - from now on, for openssl-ocsp(1)
revoke() {
	new_index "$1" awk -F '\t' -v OFS='\t' -v serial="$(serial_of "$2")" \
		'$4 == serial { $1 = "R"; $3 = "250101000000Z" } { print }'
}

# files NAME - of a certificate in $STAPLE_PKI: arguments of config
files() {
	echo "chain=$STAPLE_PKI/$1-chain.pem key=$STAPLE_PKI/$1.key"
}

# listed NAME [LINE...] - the same as an item of config's certs=FILE
listed() {
	local name=$1
	shift
	printf '%s\n' "  - chain: $STAPLE_PKI/$name-chain.pem" \
		"    key: $STAPLE_PKI/$name.key" "${@/#/    }"
}

# up_with NAME [KEY=VALUE...] - `up` with that certificate and staple: auto;
# conf_with leaves $DIR/ktlsd.conf to be started, again [ARGUMENT...] does that
up_with() {
	conf_with "$@"
	again
}
conf_with() {
	local name=$1
	shift
	config $(files "$name") staple=auto "$@" >"$DIR/ktlsd.conf"
}
again() {
	start_ktlsd "$DIR/ktlsd.conf" "$@" ||
		bail "ktlsd did not start" "$(tail -n 5 "$KTLSD_LOG")"
	PORT=$(port_of web)
}

# ---- the responder ---------------------------------------------------------

# responder_start [-c CA] [ARGUMENT...] - for certificates that CA (ca) issued;
# listens on 127.0.0.1 unless there is a -l. Sets RESPONDER (pid), RESPONDER_URL,
# RESPONDER_PORT, RESPONDER_LOG (a line for each request) and RESPONDER_MODE.
responder_start() {
	local ca=ca name line bind=(-l 127.0.0.1:0)
	if [ "${1:-}" = -c ]; then
		ca=$2
		shift 2
	fi
	[[ " $*" != *\ -l\ * ]] || bind=()
	RESPONDERS=$((RESPONDERS + 1))
	name=responder-$RESPONDERS
	RESPONDER_LOG=$DIR/$name.requests
	RESPONDER_MODE=$DIR/$name.mode
	: >"$RESPONDER_LOG"
	echo ok >"$RESPONDER_MODE"
	openssl_ocsp "$name" "$ca"
	spawn "$name" "$TOOLS/responder" -u "127.0.0.1:$OCSP_PORT" \
		-m "$RESPONDER_MODE" -o "$RESPONDER_LOG" "${bind[@]}" "$@" \
		"$STAPLE_PKI/$ca"
	RESPONDER=$SPAWNED
	wait_for 30 holds "$DIR/$name.log" event=ready ||
		bail "the responder did not start" "$(cat "$DIR/$name.log")"
	line=$(field bind <"$DIR/$name.log")
	RESPONDER_PORT=${line##*:}
	RESPONDER_URL=http://$line
}

# openssl_ocsp NAME CA - start openssl-ocsp(1); sets OPENSSL_OCSP and OCSP_PORT
openssl_ocsp() {
	local log=$DIR/$1-openssl.log ca=$STAPLE_PKI/$2
	spawn "$1-openssl" openssl ocsp -port 0 -index "$ca.index" \
		-CA "$ca.pem" -rsigner "$ca.pem" -rkey "$ca.key" \
		-ndays "${OCSP_DAYS:-7}" -ignore_err
	OPENSSL_OCSP=$SPAWNED
	wait_for 30 holds "$log" ACCEPT ||
		bail "openssl ocsp did not start" "$(cat "$log")"
	[[ $(<"$log") =~ ACCEPT\ [^\ ]*:([0-9]+) ]]
	OCSP_PORT=${BASH_REMATCH[1]}
	OCSP_PORTS+=("$OCSP_PORT")
}

# responder_stop - nothing listens any more
responder_stop() {
	stop "$RESPONDER"
	stop "$OPENSSL_OCSP"
}

# responder_mode MODE [PATTERN] ... - for requests from now on, the first pattern
# of ADDRESS:PORT/PATH that matches counts: see responder.c and mode.c
responder_mode() {
	while [ $# -gt 0 ]; do
		echo "$1 ${2:-*}"
		shift $(($# > 1 ? 2 : 1))
	done >"$RESPONDER_MODE.new"
	mv "$RESPONDER_MODE.new" "$RESPONDER_MODE"
}

# responder_words KIND - of every mode, "fault" or "proper"
responder_words() {
	local kind word
	while read -r kind word; do
		[ "$kind" != "$1" ] || echo "$word"
	done < <("$TOOLS/responder" -L)
}

# requests [REGEX] - how many lines of the responder's log match
requests() {
	count "$RESPONDER_LOG" "${1:-.}"
	echo $COUNT
}
requests_at_least() { # N [REGEX] - for wait_for
	[ "$(requests "${2:-.}")" -ge "$1" ]
}

# busiest [all] - the most requests that one address had at a time, or all had
busiest() {
	sed "s/.* ${1:-busy}=\([0-9]*\).*/\1/" "$RESPONDER_LOG" | sort -n |
		tail -n 1
}

# most_in MS - the most requests that arrived within so many milliseconds
most_in() {
	sed 's/^ms=\([0-9]*\) .*/\1/' "$RESPONDER_LOG" | sort -n |
		awk -v span="$1" -v n=0 -v from=0 -v max=0 '{
			at[n++] = $1
			while ($1 - at[from] >= span)
				from++
			if (n - from > max)
				max = n - from
		} END { print max }'
}

# ---- clients ---------------------------------------------------------------

# stapled ARGUMENT... - handshakes with our ktlsd, to $DIR/stapled.lines; prints
# the counts. A last ADDRESS:PORT is another server's.
stapled() {
	local where=127.0.0.1:${PORT:-0}
	if [[ ${!#} == *:* ]]; then
		where=${!#}
		set -- "${@:1:$# - 1}"
	fi
	"$TOOLS/stapled" -a "$STAPLE_PKI/ca.pem" -o "$DIR/stapled.lines" "$@" \
		"$where"
}
# stapled_start NAME ARGUMENT... - the same in the background, to $DIR/NAME.lines;
# `ends NAME $SPAWNED SECONDS` prints the counts
stapled_start() {
	local name=$1
	shift
	spawn "$name" "$TOOLS/stapled" -a "$STAPLE_PKI/ca.pem" \
		-o "$DIR/$name.lines" "$@" "127.0.0.1:$PORT"
}
# stapled_each OPTION... - the counts of one handshake with each certificate, but
# no latencies, which are nobody's promise
stapled_each() {
	stapled -v 1.3 -r 500 -t 60000 "$@" | sed 's/ p50_us=.*//'
}
# stapled_once NAME [ADDRESS:PORT] - one handshake's result
stapled_once() {
	"$TOOLS/stapled" -a "$STAPLE_PKI/ca.pem" -v "${VERSION:-1.3}" -n "$1" \
		"${2:-127.0.0.1:$PORT}" | field result
}

# staple_state CERTIFICATE KEY - of the first line of `ktlsctl staples` that has
# this certificate (its file, or the last part of that) or name; without quotes
staple_state() {
	local line value which='(certificate|name)='
	while IFS= read -r line; do
		[[ " $line " =~ \ $which\"?([^\ \"]*/)?"$1"\"?\  ]] || continue
		[[ " $line" =~ \ $2=(\"([^\"]*)\"|[^\ ]*) ]] || continue
		value=${BASH_REMATCH[1]}
		[[ $value != \"* ]] || value=${BASH_REMATCH[2]}
		echo "$value"
		return
	done < <(ctl staples)
	return 1
}
ctl() { # COMMAND...
	"$B/ktlsctl" -s "$DIR/control.sock" "$@"
}
# refreshed [NAME] - `ktlsctl refresh`, and wait until those attempts ended
refreshed() {
	local before=$(attempts) n
	n=$(ctl refresh "$@") || return
	n=${n#asked for }
	wait_for 30 attempts_at_least $((before + ${n%% *}))
}
attempts() {
	metric ktlsd_staple_fetches_total
}
attempts_at_least() {
	[ "$(attempts)" -ge "$1" ]
}
# logged REGEX - how many lines of ktlsd's log match; logged_is N REGEX and
# logs REGEX, for wait_for
logged() {
	count "$KTLSD_LOG" "$1"
	echo $COUNT
}
logs() {
	holds "$KTLSD_LOG" "$1"
}
# log_line REGEX - the first of them
log_line() {
	grep -m 1 -E "$1" "$KTLSD_LOG"
}
# complaints - its warnings and errors, but for what this machine lacks: here
# workers and stapler can be nobody, both
complaints() {
	grep -E '^[^ ]+ (warn|error) ' "$KTLSD_LOG" |
		grep -vE 'event=(ktls_unavailable|stapler_user_unsafe)'
}
# log_ms EVENT - when, in milliseconds since the epoch
log_ms() {
	date -d "$(log_line "event=$1( |\$)" | cut -d ' ' -f 1)" +%s%3N
}
# staple_is CERTIFICATE KEY VALUE - for wait_for
staple_is() {
	[ "$(staple_state "$1" "$2")" = "$3" ]
}
# delivered N - for wait_for: so many staples are in the workers
delivered() {
	[ "$(ctl staples | grep -c ' delivered=yes ')" -eq "$1" ]
}

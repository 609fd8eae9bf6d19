#!/bin/bash
# SPDX-License-Identifier: MIT
# Staples stay right while four of five answers of the responders are wrong.
#
# A quarter of an hour with responses that hold for four minutes, compressed by
# fifteen: one minute, and 16 seconds. STAPLER_SECONDS=900 E2E_TIMEOUT=1200 runs
# all of it. Clients come all the time, in both versions of TLS; what they must
# get is what `ktlsctl staples` promised before they came.
. "${0%/*}/staples.sh"
host_only "the stapler among faults" || exit 0
LENGTH=${STAPLER_SECONDS:-60}
VALIDITY=16
CHAOS=fail=80,for=$VALIDITY
NAMES=()

# ---- ten certificates, two responders --------------------------------------

# add_leaves CA FIRST... - with a responder of their own; one in five must be
# stapled. Adds to $DIR/certs and LOGS.
declare -A LOGS=()
add_leaves() {
	local ca=$1 name must
	shift
	responder_start -c "$ca" -s "${#LOGS[@]}"
	responder_mode "$CHAOS"
	LOGS[$ca]=$RESPONDER_LOG
	MODES+=("$RESPONDER_MODE")
	for name; do
		must=()
		[ "$name" != "$1" ] || must=(-m)
		make_leaves "$ca" "$name" -u "$RESPONDER_URL/$ca" "${must[@]}"
		NAMES+=("$name.test")
		printf '  - chain: %s\n    key: %s\n' \
			"$STAPLE_PKI/$name-chain.pem" "$STAPLE_PKI/$name.key" \
			>>"$DIR/certs"
	done
}
MODES=()
make_staple_pki || bail "no certificates could be made"
add_leaves ca a1 a2 a3 a4 a5
add_leaves int i1 i2 i3 i4 i5

# ---- the run ---------------------------------------------------------------

# watch_staples - what ktlsctl says, and from when until when it said so
watch_staples() {
	while :; do
		echo "asked=${EPOCHREALTIME/./}"
		"$B/ktlsctl" -s "$DIR/control.sock" staples
		echo "answered=${EPOCHREALTIME/./}"
		nap 0.25
	done >"$DIR/staples.said"
}

up workers=2 certs="$DIR/certs" ocsp='timeout: 1s' ocsp='min_interval: 1s' \
	ocsp='max_interval: 10s' ocsp='missing: refuse'
consume -n 2
pids=$(descendants "$KTLSD_PID" | sort)
spawn watcher watch_staples
watcher=$SPAWNED
# Without a nextUpdate a response is good for a day, for ktlsd as for these.
stapled_start clients -s -d "$LENGTH" -r 50 "${NAMES[@]/#/-n}"
counts=$(ends clients "$SPAWNED" $((LENGTH + 30)))
stop "$watcher"
counters
echo "# $counts"

# ---- what it has to have been like -----------------------------------------

# judge - every line of the clients' against what was said before: prints
# counts, and the lines that should not be
judge() {
	awk -v margin=2 '
	function value(key,   i) {
		for (i = 1; i <= NF; i++)
			if (index($i, key "=") == 1)
				return substr($i, length(key) + 2)
	}
	function number(key) {
		return value(key) + 0
	}
	# "2026-11-20T10:00:00Z" to seconds since the epoch
	function epoch(s,   y, m, days) {
		y = substr(s, 1, 4) - (substr(s, 6, 2) + 0 < 3)
		m = (substr(s, 6, 2) + 9) % 12
		days = 365 * y + int(y / 4) - int(y / 100) + int(y / 400) + \
			int((153 * m + 2) / 5) + substr(s, 9, 2) - 719469
		return days * 86400 + substr(s, 12, 2) * 3600 + \
			substr(s, 15, 2) * 60 + substr(s, 18, 2)
	}
	# The last time that @name was said to be stapled before @ms; 0: none
	function said_before(name, ms,   low, high, mid) {
		low = 0
		high = said[name]
		while (low < high) {
			mid = int((low + high + 1) / 2)
			if (at[name, mid] <= ms)
				low = mid
			else
				high = mid - 1
		}
		return low
	}
	# Until when that promised a staple: it may be replaced by one that
	# ends sooner, which is said next
	function promised(name, i,   end) {
		end = next_update[name, i]
		if (i < said[name] && next_update[name, i + 1] < end)
			end = next_update[name, i + 1]
		return (end - margin) * 1000
	}
	FNR == NR && /^certificate=/ && / delivered=yes / {
		name = value("name")
		waiting[name] = epoch(value("next_update"))
	}
	FNR == NR && /^answered=/ {
		for (name in waiting) {
			i = ++said[name]
			at[name, i] = substr($0, 10) / 1000
			next_update[name, i] = waiting[name]
		}
		split("", waiting)
	}
	FNR == NR { next }
	{
		name = value("name")
		result = value("result")
		ms = number("ms")
		begun = ms - number("us") / 1000
		i = said_before(name, begun)
		all++
		kinds[substr(result, 1, 4)]++
		if (number("this") && !seen[name, value("this")]++)
			fresh[name]++
		# Nothing can be done about a machine that stands still
		# while a staple is on its way, a second before its end.
		if (result == "invalid:expired" && number("us") > 1000000 &&
		    number("late_ms") < number("us") / 1000)
			result = "late"
		if (i && ms <= promised(name, i)) {
			covered++
			if (result != "valid") {
				broken++
				print "# promised: " $0
			}
		}
		if (result ~ /^invalid/) {
			wrong++
			print "# wrong: " $0
		}
		if (result == "none" && name ~ /1\.test$/)
			unstapled++
	}
	END {
		least = all
		for (name in said)
			if (fresh[name] < least)
				least = fresh[name]
		printf "all=%d covered=%d broken=%d wrong=%d unstapled=%d " \
			"valid=%d none=%d failed=%d fresh_least=%d\n", all,
			covered, broken, wrong, unstapled, kinds["vali"],
			kinds["none"], kinds["fail"], least
	}' "$DIR/staples.said" "$DIR/clients.lines"
}
judge >"$DIR/verdict"
grep '^#' "$DIR/verdict" | head -n 20
verdict=$(tail -n 1 "$DIR/verdict")
echo "# $verdict"
got() {
	field "$1" <<<"$verdict"
}
is "handshakes are judged" "$(got all)" $((LENGTH * 50))
between "most of them come while a staple is promised" "$(got covered)" \
	$(($(got all) / 2)) "$(got all)"
is "all of those get one that is valid" "$(got broken)" 0
is "no staple that is sent is invalid or over" "$(got wrong)" 0
is "what must be stapled is never sent without" "$(got unstapled)" 0
between "every certificate got fresh ones" "$(got fresh_least)" \
	$((LENGTH / 30)) "$LENGTH"

# ---- there was all this to go wrong ----------------------------------------

cat "${LOGS[@]}" >"$DIR/all.requests"
RESPONDER_LOG=$DIR/all.requests
sed 's/.* mode=\([^ ]*\) .*/\1/' "$DIR/all.requests" | sort | uniq -c |
	sort -rn | awk '{ printf "%s%s=%s", NR == 1 ? "# " : " ", $2, $1 }
		END { print "" }'
for ca in "${!LOGS[@]}"; do
	missing=
	for word in $(responder_words fault) $(responder_words proper); do
		grep -q " mode=$word " "${LOGS[$ca]}" || missing+=" $word"
	done
	is "$ca: the responder went wrong, and right, in every way it knows" \
		"$missing" ""
done

# ---- and it did ------------------------------------------------------------

is "every process is there still" "$(descendants "$KTLSD_PID" | sort)" "$pids"
counted "the stapler never had to be started again" \
	ktlsd_stapler_restarts_total 0
counted "nor did a worker" ktlsd_worker_restarts_total 0
start='listening|ready|start_wait_over|consumer_registered|ktls_unavailable'
start+='|stapler_user_unsafe'
is "nothing else is logged than what is known of staples" \
	"$(sed -n 's/.*event=\([a-z_]*\) .*/\1/p' "$KTLSD_LOG" | sort -u |
		grep -vxE "$start|staple_(failing|recovered|revoked|lost)")" ""

# changes - the lines of the log that tell no change, of each certificate
changes() {
	awk '
	function value(key) {
		return match($0, " " key "=\"[^\"]*\"") ? \
			substr($0, RSTART, RLENGTH) : ""
	}
	/event=staple_/ {
		cert = value("certificate")
		match($0, /event=[a-z_]*/)
		event = substr($0, RSTART + 6, RLENGTH - 6)
		told = event == "staple_failing" ? value("error") : event
		if (event == "staple_recovered" ? !trouble[cert] : \
		    event == "staple_lost" ? lost[cert]++ : \
		    event == "staple_revoked" ? revoked[cert]++ : \
		    told == last[cert])
			print
		last[cert] = told
		trouble[cert] = event != "staple_recovered"
		if (!trouble[cert])
			lost[cert] = revoked[cert] = 0
	}' "$KTLSD_LOG"
}
is "every line about a staple tells a change" "$(changes | head -n 5)" ""

# told - the lines since then about the failure that is now the only one
told() {
	tail -n +$((before + 1)) "$KTLSD_LOG" |
		sed -n 's/.*event=staple_failing certificate="\([^"]*\)" .* 500.*/\1/p'
}
before=$(wc -l <"$KTLSD_LOG")
for RESPONDER_MODE in "${MODES[@]}"; do
	responder_mode 500
done
for RESPONDER_LOG in "${LOGS[@]}"; do
	: >"$RESPONDER_LOG"
	wait_for 60 requests_at_least 40 ' mode=500 '
	between "it failed in one way often" "$(requests ' mode=500 ')" 40 400
done
# Another way of failing in between, for want of CPU say, is told, too.
between "which is told, not each time" "$(told | wc -l)" 1 25
stop_ktlsd
is "it ends well" $? 0

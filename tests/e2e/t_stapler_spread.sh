#!/bin/bash
# SPDX-License-Identifier: MIT
# Many certificates with one responder, which is asked for a few at a time; and what
# came at once is not asked for at once again.
. "${0%/*}/staples.sh"
host_only "one responder for many certificates" || exit 0
N=300
PER_HOST=4 # its default

# Responses that are 22 of their 60 seconds old: half of that, give or take a
# tenth, ends 5 to 11 seconds after they came.
make_staple_pki || bail "no certificates could be made"
responder_start
responder_mode for=38,ago=22
make_leaves ca n%04d -n $N -1 -u "$RESPONDER_URL"
for ((i = 1; i <= N; i++)); do
	printf -v name n%04d $i
	echo "$name.test" >&3
	listed $name
done >"$DIR/certs" 3>"$DIR/names"
up workers=1 certs="$DIR/certs" ocsp='start_wait: 100ms' ocsp='min_interval: 1s'
begun=$SECONDS
check "the start waits for no more than it should" \
	holds "$KTLSD_LOG" 'event=start_wait_over certificates=[1-9]'
is "then there may be no staple yet, but never a wrong one" \
	"$(stapled_each -f "$DIR/names" | grep -c " invalid=0 failed=0")" 1
check "they come" wait_for 60 delivered $N
echo "# within $((SECONDS - begun)) s"
between "no more than $PER_HOST fetches at a time from one responder" \
	"$(busiest)" 2 $PER_HOST

# waits - from one request about a certificate to the next, in ms, sorted
waits() {
	awk '{
		split($1, ms, "=")
		match($0, / serial=[^ ]*/)
		serial = substr($0, RSTART, RLENGTH)
		if (serial in at)
			print ms[2] - at[serial]
		at[serial] = ms[2]
	}' "$RESPONDER_LOG" | sort -n
}
all_again() {
	[ "$(waits | wc -l)" -ge $N ]
}
# Of those between a tenth and nine tenths, five of six seconds are expected.
check "all are asked for again" wait_for 60 all_again
mapfile -t waits < <(waits | head -n $N)
between "what came at once is asked for at different times" \
	$((waits[N * 9 / 10] - waits[N / 10])) 3000 20000
echo "# ${waits[N / 10]} to ${waits[N * 9 / 10]} ms later"
stop_ktlsd
is "it ends well" $? 0

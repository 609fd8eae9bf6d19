# SPDX-License-Identifier: MIT
#
# bench.sh - vocabulary of the tests of ktls-bench: source it behind tools.sh.
# What its figures are is not looked at, but that they are there.

mkdir "$DIR/tmp"
bench() {
	TMPDIR=$DIR/tmp "$B/ktls-bench" "$@"
}
# says NAME STATUS REGEX ARG... - how it ends, and what it says then
says() {
	local name=$1 status=$2 regex=$3 out
	shift 3
	out=$(bench "$@" 2>&1)
	is "$name: exit status" $? "$status"
	matches "$name" "$out" "$regex"
}
# cell CASE SERVER METRIC COLUMN - of the CSV; columns count from 1
cell() {
	awk -F, -v c="$1" -v s="$2" -v m="$3" -v n="$4" \
		'$2 == c && $3 == s && $4 == m { print $n }' "$DIR/csv"
}
# complete NAME CASES SERVERS METRICS - each has its line, and one that is sane
complete() {
	local name=$1 c s m missing=()
	for c in $2; do
		for s in $3; do
			for m in $4; do
				[ -n "$(cell "$c" "$s" "$m" 8)" ] ||
					missing+=("$c,$s,$m")
			done
		done
	done
	is "$name: nothing is missing" "${missing[*]}" ""
	# Only what is a difference may be negative.
	is "$name: lines are sane" "$(awk -F, 'NR > 1 && !($8 >= $9 && $8 <= $10 &&
		($9 >= 0 || $5 ~ /iB$/) && ($11 == "" || $11 >= $12 && $11 <= $13) &&
		($3 != $6 || $11 == "" || $11 == 1) &&
		split($14, v, " ") == $7 && NF >= 15)' "$DIR/csv")" ""
}
nothing_left() {
	is "$1: its folder is gone" "$(ls "$DIR/tmp")" ""
	is "$1: no process is left" "$(pgrep -f "$DIR/tmp")" ""
}

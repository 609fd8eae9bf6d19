#!/bin/bash
# SPDX-License-Identifier: MIT
# The report: one page with everything in it.
. "${0%/*}/tools.sh"
host_only "a report is written" || exit 0

report() {
	"$E2E/../../tools/report" "$@"
}
# As it is named where we are; and with what is special in HTML, gnuplot, or here.
mkdir "$DIR/here"
name='re port"`'"'"'$(id)<'
cd "$DIR/here" && report -q -b "bulk queue" "$name" >"$DIR/report.log" 2>&1
is "it is written" "$? $(tail -n 1 "$DIR/report.log")" \
	"0 report: $DIR/here/$name/index.html"
cd "$OLDPWD" && mv "$DIR/here/$name" "$DIR/report"
page=$DIR/report/index.html
# holds_file TYPE FILE - the page does, or FILE's first bytes
holds_file() {
	grep -qF "data:$1;base64,$(head -c 300 "$2" | base64 -w 0)" "$page"
}
for csv in "$DIR"/report/*.csv; do
	check "its numbers are in it, ${csv##*/}" holds_file text/csv "$csv"
done
for svg in "$DIR"/report/*.svg; do
	check "a plot is, ${svg##*/}" holds_file image/svg+xml "$svg"
	check "and has bars" grep -q '<polygon fill' "$svg"
done
mv "$DIR/report/index.html" "$DIR/first.html"
is "where and how it says" "$(grep -c \
	'<th>command</th><td>ktls-bench .* --rounds 2 .*<th>measured</th>' \
	<(tr -d '\n' <"$DIR/first.html"))" 1
report -p "$DIR/report" >"$DIR/again.log" 2>&1
is "it is made again of the CSV files" "$(grep -c '<figure>' "$page")" \
	"$(grep -c '<figure>' "$DIR/first.html")"
is "it needs nothing else" "$(grep -oE '(src|href)="[^d][^"]*"' "$page")" ''
is "nor is anything else written" "$(ls "$DIR/report" |
	grep -vE '^(index\.html|.*\.(csv|svg|txt))$')" ''
for wrong in --what '-b nothing' '-p one another'; do
	report $wrong >"$DIR/usage" 2>&1
	is "what it does not know it refuses: $wrong" "$? $(<"$DIR/usage")" \
		"100 usage: report [-q] [-p [-i]] [-b \"BENCH...\"] [DIR]"
done

# ---- only what was measured ----------------------------------------------------

# refuses NAME STATUS REGEX ARG... - and leaves the page as it is
refuses() {
	local before out status
	before=$(cat "$page")
	out=$(report "${@:4}" 2>&1)
	status=$?
	is "$1: exit status" $status "$2"
	matches "$1" "$out" "$3"
	is "$1: the page stays" "$(cat "$page")" "$before"
}
cp "$DIR/report/queue.csv" "$DIR/whole"
for cut in 'head -c -30' 'head -n 0' 'sed s/queue/other/' 'sed s/[0-9],/x,/' \
	'sed s/recvmsg/<b>/'; do
	$cut "$DIR/whole" >"$DIR/report/queue.csv"
	refuses "figures through $cut" 111 \
		'queue\.csv: line [0-9]+: not written by ktls-bench queue' \
		-p "$DIR/report"
done
rm "$DIR/report/queue.csv"
echo 'machine: <b>"&' >>"$DIR/report/bulk-machine.txt"
report -p "$DIR/report" >/dev/null 2>&1
is "figures that are gone: nor are there plots, old ones" \
	"$? $(ls "$DIR/report"/queue-*.svg 2>&1 >/dev/null | wc -l) $(
		grep -c 'ktls-bench queue' "$page")" "0 1 0"
check "what a machine says is text" grep -qF '<td>&lt;b&gt;"&amp;</td>' "$page"
mkdir "$DIR/empty"
refuses "no figures" 111 'has no CSV file' -p "$DIR/empty"
refuses "a file in place of the folder" 111 'File exists' -p "$DIR/whole"
mkdir "$DIR/none" && printf '#!/bin/sh\nexit 3\n' >"$DIR/none/ktls-bench"
chmod +x "$DIR/none/ktls-bench"
B=$DIR/none refuses "a failure" 111 'ktls-bench queue failed' -b queue "$DIR/report"
is "nothing of all that is left" "$(ls -A "$DIR/report" "$DIR/empty" |
	grep -E '^(\.report.*|dat|queue\..*)$')" queue.txt

# ---- interrupted -----------------------------------------------------------------

mkdir "$DIR/tmp"
TMPDIR=$DIR/tmp spawn interrupted "$E2E/../../tools/report" -b queue "$DIR/report"
check "it measures" wait_for 20 holds "$DIR/interrupted.log" 'round 1 of'
stop "$SPAWNED" TERM 30
is "interrupted: exit status" $? 143
is "so is what it ran" "$(pgrep -f "$DIR/report/.report") $(ls "$DIR/tmp")" " "
is "and nothing else is left" "$(ls -A "$DIR/report" | grep report)" ''

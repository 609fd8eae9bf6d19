#!/bin/bash
# SPDX-License-Identifier: MIT
# What an honest client notices of 10,000 that stall: see tests/e2e/t_stalled.sh.
. "${0%/*}/lib.sh"
export PKI TMPDIR=$DIR
say "10,000 stalled clients"
bash "$E2E/t_stalled.sh" >"$DIR/stalled.log" 2>&1
line=$(grep '^# medians' "$DIR/stalled.log") ||
	bail "it was not measured" "$(tail -n 20 "$DIR/stalled.log")"
p99=$(sed 's/.*p99 \([0-9]*\).*/\1/' <<<"$line")
row "an honest client's handshake beside 10,000 stalled ones, p99" \
	"$p99 % of that without" "< 200 %" "$p99" -lt 200
row "the same, p50 and the workers' CPU" \
	"$(sed 's/.*p50 \([0-9]*\),.*CPU \([0-9]*\).*/\1 %, \2 %/' <<<"$line")" ""

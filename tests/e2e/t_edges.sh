#!/bin/bash
# SPDX-License-Identifier: MIT
# Where the handshake ends and the data begins, cut in every way a client may.
. "$(dirname "$0")/tools.sh"

up
consume
good='result=ok .*end=close_notify'

for version in 1.3 1.2; do
	v="--version $version"
	matches "TLS $version: request in the same segment as Finished" \
		"$(client $v --coalesce --get 50000)" "$good"
	matches "TLS $version: upload in the same segment as Finished" \
		"$(client $v --coalesce --put 100000)" "$good"
	line=$(client $v --split 300 --get 50000)
	matches "TLS $version: the last record split, its tail 300 ms later" \
		"$line" "$good"
	between "TLS $version: that took the 300 ms" "$(field ms <<<"$line")" \
		300 5000
	matches "TLS $version: an upload's last record split likewise" \
		"$(client $v --split 300 --put 5000)" "$good"
	matches "TLS $version: one byte at a time" \
		"$(client $v --bytewise --get 50000)" "$good"
	cut=$(events "end .*how=cut .*state=0")
	matches "TLS $version: the client's FIN right after its request" \
		"$(client $v --coalesce --fin --get 50000)" "$good"
	wait_for 5 events_are end "$(events accept)"
	is "TLS $version: a FIN alone is not a clean end" \
		"$(events "end .*how=cut .*state=0")" $((cut + 1))
done
check "TLS 1.2: data before the server's Finished" client12 --early
check "TLS 1.2: the same a little later" client12 --early --wait 20
check "TLS 1.2: Finished cut into 4-byte records" client12 --cut
check "TLS 1.2: both at once" client12 --cut --early
check "TLS 1.2: an abbreviated handshake with data behind Finished" \
	client --version 1.2 --resume --coalesce --get 50000
check "TLS 1.3: the same" client --version 1.3 --resume --coalesce --get 50000
n=$(events accept)
wait_for 5 metric_is ktlsd_handed_off_total "$n"
is "all of them went the same way" \
	"$(metric "ktlsd_handed_off_total{mode=\"$(mode)\"}")" "$n"

# A limit on the client's side. Which kernels can hold it is known.
case $(mode)/$(uname -r) in
relay/*) how=relay why=unavailable ;;
*/6.1.* | */6.12.*) how=relay why=max_fragment ;;
*/7.*) how=ktls why=max_fragment ;;
*) how=$(mode) why=max_fragment ;;
esac
relayed=$(metric "ktlsd_relayed_total{reason=\"$why\"}")
[ $how = ktls ] || relayed=$((relayed + 4))
for version in 1.3 1.2; do
	line=$(client --version $version --max-fragment 1024 --get 100000)
	matches "TLS $version: max_fragment_length 1024 is served" "$line" "$good"
	between "TLS $version: no record is longer" \
		"$(field longest <<<"$line")" 500 $((1024 + 256))
	matches "TLS $version: by $how" \
		"$(grep event=accept "$CONSUMER_LOG" | tail -n 1)" "mode=$how "
	check "TLS $version: it may upload too" client --version $version \
		--max-fragment 1024 --put 100000
done
is "what had to be relayed is counted" \
	"$(metric "ktlsd_relayed_total{reason=\"$why\"}")" $relayed

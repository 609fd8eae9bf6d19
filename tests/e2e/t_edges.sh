#!/bin/bash
# SPDX-License-Identifier: MIT
# Where the handshake ends and the data begins, cut in every way a client may.
. "${0%/*}/tools.sh"

up
consume
batch < <(for version in 1.3 1.2; do
	v="--version $version"
	echo "fin-$version $v --coalesce --fin --get 50000"
	echo "get-$version $v --coalesce --get 50000"
	echo "put-$version $v --coalesce --put 100000"
	echo "split-$version $v --split 300 --get 50000"
	echo "split-put-$version $v --split 300 --put 5000"
	echo "bytes-$version $v --bytewise --get 50000"
	echo "resume-$version $v --resume --coalesce --get 50000"
done)
wait_for 20 events_are end 16
for version in 1.3 1.2; do
	v="TLS $version:"
	served "$v request in the same segment as Finished" get-$version
	served "$v upload in the same segment as Finished" put-$version
	served "$v the last record split, its tail 300 ms later" split-$version
	between "$v that took the 300 ms" \
		"$(field ms <<<"${R[split-$version]}")" 300 5000
	served "$v an upload's last record split likewise" split-put-$version
	served "$v one byte at a time" bytes-$version
	served "$v the client's FIN right after its request" fin-$version
	served "$v resumed, with the request behind Finished" resume-$version
done
is "a FIN alone is not a clean end, in either version" \
	"$(events 'end n=(1|9) how=cut ')" 2

out=$("$TOOLS/client12" "$PKI/ca.pem" "127.0.0.1:$PORT" e ew c ec)
for mode in "e:data before the server's Finished" "ew:the same a little later" \
	"c:Finished cut into 4-byte records" "ec:both at once"; do
	matches "TLS 1.2: ${mode#*:}" "$out" "^mode=${mode%%:*} result=ok "
done
n=$(events accept)
check "all of them went the same way" wait_for 20 metric_is \
	"ktlsd_handed_off_total{mode=\"$(mode)\"}" "$n"

# A limit on the client's side. Which kernels can hold it is known.
how=$(mode)
case $how/$(uname -r) in
*/6.1.* | */6.12.*) how=relay ;;
esac
batch --max-fragment 1024 <<END
get-1.3 --version 1.3 --get 100000
put-1.3 --version 1.3 --put 100000
get-1.2 --version 1.2 --get 100000
put-1.2 --version 1.2 --put 100000
END
for version in 1.3 1.2; do
	served "TLS $version: max_fragment_length 1024 is served" get-$version
	between "TLS $version: no record is longer" \
		"$(field longest <<<"${R[get-$version]}")" 500 $((1024 + 256))
	served "TLS $version: it may upload too" put-$version
done
is "by $how" "$(events "accept n=($((n + 1))|$((n + 2))|$((n + 3))|$((n + 4
	))) .*mode=$how ")" 4
counters
relayed=0
[ $how = ktls ] || relayed=4
[ "$(mode)" = relay ] ||
	counted "what had to be relayed is counted" \
		'ktlsd_relayed_total{reason="max_fragment"}' $relayed

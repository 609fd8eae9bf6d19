#!/bin/bash
# SPDX-License-Identifier: MIT
# Staples: to whom they are sent, and until when.
. "${0%/*}/tools.sh"
host_only "staples are sent while they hold" || exit 0

up staple="$PKI/good.der"
consume
batch <<END
asks-1.2 --version 1.2 --staple $PKI/good.der
asks-1.3 --version 1.3 --staple $PKI/good.der
mute-1.2 --version 1.2
mute-1.3 --version 1.3
END
for version in 1.2 1.3; do
	result "TLS $version: who asks gets the staple, byte by byte" \
		asks-$version '^result=ok .*staple=same'
	result "TLS $version: who does not gets none" \
		mute-$version '^result=ok .*staple=none'
done
counters
counted "staples sent are counted" 'ktlsd_staples_total{result="sent"}' 2
stop_ktlsd
stop "$CONSUMER"

redate "$PKI" -60 6 "$DIR/short.der"
ends_at=$((SECONDS + 6))
up staple="$DIR/short.der"
consume
matches "a staple with seconds to live is sent" \
	"$(client --staple "$DIR/short.der")" 'result=ok .*staple=same'
while [ $SECONDS -le $ends_at ]; do sleep 0.2; done
matches "and never after its nextUpdate" \
	"$(client --staple "$DIR/short.der")" 'result=ok .*staple=none'
counters
counted "which is counted" 'ktlsd_staples_total{result="expired"}' 1
stop_ktlsd
stop "$CONSUMER"

up staple=off
consume
matches "with staple: off there is none" "$(client --staple -)" \
	'result=ok .*staple=none'
counters
counted "which is counted too" 'ktlsd_staples_total{result="none"}' 1

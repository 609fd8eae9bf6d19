#!/bin/bash
# SPDX-License-Identifier: MIT
# 64 MiB each way, compared by SHA-256; 16 where arithmetic is slow.
. "${0%/*}/tools.sh"
MIB=64
! emulated || MIB=16

up
consume
for way in get put; do
	line=$(client --version 1.3 --cipher TLS_AES_128_GCM_SHA256 \
		--timeout 60000 --$way ${MIB}M)
	matches "$MIB MiB, $way: the SHA-256 is right and the end is clean" \
		"$line" 'result=ok .*end=close_notify'
	echo "# $way: $(field ms <<<"$line") ms"
done
is "both by $(mode)" "$(events "accept .*mode=$(mode) ")" 2
is "the downloaded size is right" "$(client --get 64K | field bytes)" 65536

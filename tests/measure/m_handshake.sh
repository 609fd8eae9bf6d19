#!/bin/bash
# SPDX-License-Identifier: MIT
# What a handshake takes, full and resumed: as it is, with everything in use that
# can be configured, and against another version (AGAINST, its build directory).
. "${0%/*}/lib.sh"

clients() {
	$ASIDE "$TOOLS/swarm" -n 1500 -j 4 -v "$VERSION" $HOW "127.0.0.1:$2"
}
# compare WHAT A B - for both versions of TLS, full and resumed
compare() {
	local what=$1 a=$2 b=$3 kind
	for VERSION in 1.3 1.2; do
		for kind in full resumed; do
			HOW=
			[ $kind = full ] || HOW=-r
			say "$what, $kind, TLS $VERSION"
			side_by_side "$a" "$b" 4 clients
			row "worker's CPU $what, $kind, TLS $VERSION" \
				"$(percent "$RATIO") ($US_A, $US_B us; windows $RANGE)" ""
		done
	done
}

# ---- instructions: the same at each run --------------------------------------

# instructions KIND VERSION - of one, without a kernel; sets EACH
instructions() {
	local n
	n=$(valgrind --tool=callgrind --callgrind-out-file=/dev/null \
		--collect-atstart=no --toggle-collect=hs_new \
		--toggle-collect=hs_feed --toggle-collect=hs_keys \
		--toggle-collect=hs_free "$TOOLS/handshakes" -c 40 -k "$1" \
		-v "$2" "$DIR" 2>&1 | sed -n 's/.*refs: *//p')
	n=${n//,/}
	# 40 of them, five before, and a full one for a session.
	if [ "$1" = full ]; then
		EACH=$((n / 46))
	else
		EACH=$(((n - EACH) / 45))
	fi
	row "instructions of a handshake, $1, TLS $2" "$EACH" ""
}
if command -v valgrind >/dev/null; then
	ln "$PKI/ec-chain.pem" "$DIR/n00001-chain.pem" &&
		ln "$PKI/ec.key" "$DIR/n00001.key"
	for VERSION in 1.3 1.2; do
		for kind in full resumed; do
			say "instructions, $kind, TLS $VERSION"
			instructions $kind $VERSION
		done
	done
fi

# ---- what is not used --------------------------------------------------------

server plain
server all top='limits: {handshakes: 100000, handshakes_per_client: 10000}' \
	listener='rules:' \
	listener='  - {sni: [other.example, "*.other.example"], route: deny}' \
	listener='  - {from: [192.0.2.0/24, "2001:db8::/32"], route: deny}' \
	listener='  - {alpn: [http/1.1], route: web}' \
	route='tell: [tls_exporter, tls_server_end_point, ja4]'
compare "with rules, limits and all that is told, against none" plain all
end all
if [ -n "$AGAINST" ]; then
	B=$(cd "$AGAINST" && pwd) TOOLS=$AGAINST/tests server other
	compare "against that of $AGAINST" other plain
fi

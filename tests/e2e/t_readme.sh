#!/bin/bash
# SPDX-License-Identifier: MIT
# The README's section "Use it", and handoff(7)'s example, as somebody would who
# follows them.
. "${0%/*}/tools.sh"

host_only "the README's commands work" || exit 0
readme=$E2E/../../README.md
root=$DIR/root
port=$(free_port)
mkdir "$DIR/etc" "$DIR/run" "$DIR/www"
echo hello >"$DIR/www/index.html"

# Their paths, here; and an account that is there.
here() {
	sed -e "s,/etc/ssl/site.pem,$PKI/ec-chain.pem," \
		-e "s,/etc/ssl/private/site.key,$PKI/ec.key," \
		-e "s,staple: auto,staple: $PKI/good.der," \
		-e "s,/etc/ktlsd.conf,$DIR/etc/ktlsd.conf," \
		-e "s,/run/ktlsd/,$DIR/run/," -e "s,/srv/www,$DIR/www," \
		-e "s,\[::\]:443,127.0.0.1:$port,"
}
# command_of PATTERN - the README's line that matches, without its comment
command_of() {
	sed -nE "s/^    ($1.*)/\1/p" "$readme" | sed 's/ *#.*//' | here
}

check "what building takes is there" env -C "$E2E/../.." $(command_of tools.deps)
check "make install" env -u MAKEFLAGS -u MAKELEVEL make -s -C "$E2E/../.." \
	B="$B" DESTDIR="$root" install
PATH=$root/usr/local/sbin:$root/usr/local/bin:$PATH
for file in sbin/ktlsd bin/ktlsctl bin/ktls-run bin/ktls-static bin/ktls-staple bin/ktls-bench \
	bin/ktls-probe share/man/man1/ktls-probe.1 \
	share/doc/ktlsd/ktlsd.conf.example \
	include/ktls.h lib/libktls.a lib/libktls.so lib/libktls-accept.so \
	share/man/man1/ktls-staple.1 share/man/man5/ktlsd.conf.5 \
	share/man/man7/handoff.7 share/man/man8/ktlsd.8; do
	check "installs $file" test -s "$root/usr/local/$file"
done

sed -n '/^```yaml/,/^```/p' "$readme" | grep -v '^```' | here \
	>"$DIR/etc/ktlsd.conf"
printf 'user: nobody\ncontrol: %s\n' "$DIR/run/control.sock" \
	>>"$DIR/etc/ktlsd.conf"
# The example of a whole configuration, and what it says may be used, too.
accounts() {
	sed -E 's/^(user|stapler_user): ktlsd(-ocsp)?/\1: nobody/; s/www-data/nobody/'
}
example=$root/usr/local/share/doc/ktlsd/ktlsd.conf.example
echo passphrase >"$DIR/etc/site.txt"
here <"$example" | accounts >"$DIR/etc/example"
check "the example is right" ktlsd -t -c "$DIR/etc/example"
sed -E 's/^( *)#([^ ])/\1\2/; s/^( +)#  /\1  /' "$example" | here | accounts |
	sed "s,/etc/ssl/private/site.txt,$DIR/etc/site.txt," >"$DIR/etc/example"
check "and all that it leaves out" ktlsd -t -c "$DIR/etc/example"
is "which is something" "$(grep -cE '^ *(rules|proxy|tls|limits):' \
	"$DIR/etc/example")" 4
check "what the machine can do is said" sh -c '"$@"; [ $? -le 1 ]' - \
	$(command_of ktls-probe)
check "the configuration is right" $(command_of 'ktlsd -t')
spawn ktlsd-1 $(command_of 'ktlsd -c')
KTLSD_PID=$SPAWNED KTLSD_LOG=$DIR/ktlsd-1.log
check "ktlsd starts" wait_for 10 ready_or_gone
spawn static $(command_of ktls-static)
fetch() {
	curl -sS --max-time 10 --resolve "localhost:$port:127.0.0.1" \
		--cacert "$PKI/ca.pem" --cert-status "https://localhost:$port/"
}
is "a page comes, with a staple" "$(fetch)" hello
ask() { # COMMAND - of ktlsctl
	$(command_of "ktlsctl $1" | sed "s,ktlsctl,& -s $DIR/run/control.sock,")
}
matches "and is counted" "$(ask metrics)" '^ktlsd_handed_off_total.* 1$'
matches "it reloads" "$(ask reload)" '^ok generation=2 '
stop "$SPAWNED"
check "ktls-bench finds the ktlsd that is installed" \
	$(command_of ktls-bench) --count 2 --rounds 1 --servers ktlsd

cc=(gcc -Wall -Wextra -Werror ${SAN:+"-fsanitize=$SAN"})
sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "${readme%/*}/man/handoff.7" |
	sed -n '/^\.Bd/,$p' | sed -e '/^\./d' -e 's/\\e/\\/g' >"$DIR/server.c"
check "the manual's server compiles" "${cc[@]}" -I"$root/usr/local/include" \
	-o "$DIR/server" "$DIR/server.c" "$root/usr/local/lib/libktls.a" -lcrypto
spawn server "$DIR/server" "$DIR/run/web.sock"
is "and serves" "$(fetch)" hello

stop_ktlsd
is "SIGTERM ends it" $? 0

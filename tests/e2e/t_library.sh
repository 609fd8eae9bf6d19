#!/bin/bash
# SPDX-License-Identifier: MIT
# libktls as others use it: installed, found by pkg-config, shared and static.
. "${0%/*}/tools.sh"
host_only "the library is installed and linked with" || exit 0

top=$E2E/../..
root=$DIR/root
mask=$(umask)
umask 077
check "it is installed" make -C "$top" -s install B="$B" DESTDIR="$root" \
	PREFIX=/opt/ktls
umask "$mask"
is "and everybody may read it, whoever installed it" \
	"$(find "$root" ! -perm -004)" ''
export PKG_CONFIG_PATH=$root/opt/ktls/lib/pkgconfig
export PKG_CONFIG_SYSROOT_DIR=$root
lib=$root/opt/ktls/lib

# ---- elsewhere, and gone again ----------------------------------------------

space="$DIR/a b"
elsewhere() { # TARGET
	make -C "$top" -s B="$B" DESTDIR="$space" PREFIX="/opt/my dir" "$1"
}
check "where there are spaces, too" elsewhere install
is "it is found there" "$(env -u PKG_CONFIG_SYSROOT_DIR \
	PKG_CONFIG_PATH="$space/opt/my dir/lib/pkgconfig" \
	pkg-config --cflags --libs libktls)" \
	'-I/opt/my\ dir/include -L/opt/my\ dir/lib -lktls '
matches "and by systemd" "$(<"$space/lib/systemd/system/ktlsd.service")" \
	'^ExecStart="/opt/my dir/sbin/ktlsd" -c /etc/ktlsd.conf$'
is "it is as much as elsewhere" "$(find "$space" | wc -l)" \
	"$(find "$root" | wc -l)"
touch "$space/opt/my dir/bin/another"
check "it is removed" elsewhere uninstall
is "all that was installed, and nothing else" "$(find "$space" ! -type d)" \
	"$space/opt/my dir/bin/another"
check "which can be said again" elsewhere uninstall

# ---- what it exports --------------------------------------------------------

exported=$(nm -D --defined-only "$lib/libktls.so" | awk '$2 != "A" { print $3 }')
declared=$(sed -nE 's/^[a-z].*[ *](ktls_[a-z0-9_]+)\(.*/\1/p' "$top/ktls/ktls.h" |
	sort -u)
is "it exports what its header declares, by version" \
	"$(sed 's/@@LIBKTLS_0$//' <<<"$exported" | sort)" "$declared"
is "all of one version" "$(grep -vc '@@LIBKTLS_0$' <<<"$exported")" 0
matches "its name has its version" "$(readelf -d "$lib/libktls.so")" \
	'SONAME.*\[libktls.so.0\]'
is "its names are links to one file" "$(readlink "$lib/libktls.so" \
	"$lib/libktls.so.0" | tr '\n' ' ')" 'libktls.so.0 libktls.so.0.1.0 '
page=$(sed -nE 's/^\.Fn (ktls_[a-z0-9_]+)( ".*|$)/\1/p' \
	"$top/man/libktls.3" | sort -u)
is "libktls(3) has each function" "$(comm -3 <(echo "$declared") \
	<(echo "$page"))" ''

# ---- programs of others -----------------------------------------------------

awk '/^\.Ed/ { on = 0 } on { print } /^\.Bd/ { on = 1 }' \
	<(sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$top/man/libktls.3") |
	sed 's/\\e/\\/g' >"$DIR/hello.c"
cc=(cc -Wall -Wextra -Werror ${SAN:+"-fsanitize=$SAN"})
read -ra flags < <(pkg-config --cflags --libs libktls)
read -ra static < <(pkg-config --static --cflags --libs libktls)
check "libktls(3)'s example is built" "${cc[@]}" -o "$DIR/hello" \
	"$DIR/hello.c" "${flags[@]}"
check "and without the shared library" "${cc[@]}" -o "$DIR/hello-static" \
	"$DIR/hello.c" "${static[@]/-lktls/-l:libktls.a}"
is "which it does not ask for" \
	"$(readelf -d "$DIR/hello-static" | grep -c libktls)" 0
cat >"$DIR/hello.cc" <<-END
	#include <ktls.h>
	int main()
	{
		ktls_conn c = {};
		return ktls_rekey(&c, 0) != -95;
	}
END
check "a program in C++ is built" "${cc[@]/#cc/c++}" -o "$DIR/cc" \
	"$DIR/hello.cc" "${flags[@]}"
export LD_LIBRARY_PATH=$lib
check "and runs" "$DIR/cc"
check "the example in Go is built" env GO111MODULE=off GOCACHE="$B/go-cache" \
	GOPATH="$root/opt/ktls/share/gocode" LIBRARY_PATH="$lib" \
	C_INCLUDE_PATH="$root/opt/ktls/include" \
	${SAN:+CGO_LDFLAGS=-fsanitize=$SAN} \
	go build -o "$DIR/hello-go" "$top/examples/server.go"
matches "and says that it wants a queue" "$("$DIR/hello-go" 2>&1)" \
	'no queue at descriptor 3'

spawn hello "$DIR/hello" "$DIR/web.sock"
hello=$SPAWNED
up
serves() {
	wait_for 10 metric_is 'ktlsd_registrations{route="web"}' 1
	batch <<<'hello --path /'
	served "$1" hello
	is "$1: it knows the cipher" "${BODY[hello]}" \
		'hello, TLS_AES_128_GCM_SHA256'
}
serves "the example serves, though it was first"
kill_ktlsd
up
serves "and with the next ktlsd"
stop "$hello"
wait_for 10 metric_is 'ktlsd_registrations{route="web"}' 0
spawn static "$DIR/hello-static" "$DIR/web.sock"
serves "the one without the shared library likewise"

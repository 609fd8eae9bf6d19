#!/bin/bash
# SPDX-License-Identifier: MIT
# ktls-run --preload: programs that the library cannot be in, and those that lose
# the queue. Nothing listens in plaintext.
. "${0%/*}/tools.sh"
. "$E2E/servers.sh"

host_only "programs that the library cannot be in" || exit 0
library_or_skip "programs that the library cannot be in" || exit 0
run=$B/ktls-run
up

# refuses NAME REGEX PROGRAM... - it must not be started at all
refuses() {
	rm -f "$DIR/ran"
	says "$1" 126 "^ktls-run: $2" --queue "$web" --preload -- "${@:3}"
	is "$1: it did not run" "$(cat "$DIR/ran" 2>/dev/null)" ''
}
mkdir "$DIR/bin"
ran=$DIR/ran
cp "$(command -v busybox)" "$DIR/bin/static"
refuses "a static program" '.*/static is linked statically: it ignores LD_P' \
	"$DIR/bin/static" touch "$ran"
printf '#!%s sh\ntouch %s\n' "$DIR/bin/static" "$ran" >"$DIR/bin/script"
printf '#! %s\n' "$DIR/bin/script" >"$DIR/bin/script2"
chmod 755 "$DIR/bin"/script*
refuses "a script of one" '.*/static is linked statically' "$DIR/bin/script"
refuses "a script of such a script" '.*/static is linked statically' \
	"$DIR/bin/script2"
printf '#!/no/such\n' >"$DIR/bin/script3"
chmod 755 "$DIR/bin/script3"
says "a script of nothing" 127 '^ktls-run: .*script3: No such file' \
	--queue "$web" --preload -- "$DIR/bin/script3"
cp "$(command -v touch)" "$DIR/bin/setid"
chmod 4755 "$DIR/bin/setid"
refuses "a set-id program" '.*/setid is set-id: it ignores' "$DIR/bin/setid" "$ran"
chmod 2755 "$DIR/bin/setid"
refuses "a program with a group's rights" '.*/setid is set-id' \
	"$DIR/bin/setid" "$ran"
cp "$(command -v touch)" "$DIR/bin/capable"
if root_or_skip "file capabilities" &&
	python3 -c 'import os, struct, sys
os.setxattr(sys.argv[1], "security.capability",
	struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))' "$DIR/bin/capable"; then
	refuses "a program with file capabilities" \
		'.*/capable has file capabilities' "$DIR/bin/capable" "$ran"
fi
head -c 50 "$DIR/bin/static" >"$DIR/bin/short"
chmod 755 "$DIR/bin/short"
says "a program cut short" 126 'short' --queue "$web" --preload -- \
	"$DIR/bin/short"
says "a command that is not there, with the library" 127 \
	'no/such: No such file' --queue "$web" --preload -- /no/such
refuses "a shell that becomes a static program" \
	'.*/static is linked statically' \
	sh -c "exec $DIR/bin/static touch $ran"

# Programs in which the library does not come to say that it is there: one whose
# loader is slow, and one that has ended before.
cat >"$DIR/slow.c" <<'END'
#include <unistd.h>
__attribute__((constructor)) static void begin(void)
{
	sleep(SECONDS);
	_exit(SECONDS ? 0 : 4);
}
END
for seconds in 30 0; do
	gcc -shared -fPIC -DSECONDS=$seconds -o "$DIR/slow$seconds.so" \
		"$DIR/slow.c"
	# What is needed is initialised before who needs it, and before us.
	echo 'int main(void) { return 0; }' >"$DIR/main.c"
	gcc -o "$DIR/bin/slow$seconds" "$DIR/main.c" -Wl,--no-as-needed \
		"$DIR/slow$seconds.so"
done
begun=${EPOCHREALTIME/./}
out=$("$run" --queue "$web" --preload -- "$DIR/bin/slow30" 2>&1)
is "a program that does not load it in 5 s: status" $? 126
matches "a program that does not load it in 5 s" "$out" \
	'slow30 did not load the library within 5 s: killed'
between "after these" $(((${EPOCHREALTIME/./} - begun) / 1000)) 4900 8000
says "a program that ends before" 4 'ended before the library was loaded' \
	--queue "$web" --preload -- "$DIR/bin/slow0"

# Nothing listens in plaintext: a server that lost the queue, or has no place.
port=$(free_port)
cat >"$DIR/closes.py" <<'END'
import ctypes, os, socket, sys
if sys.argv[2] == "behind":	# past every library
    libc = ctypes.CDLL(None)
    # No close(2) but the kernel's own: code of our own that calls it.
    import mmap
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(b"\x48\xc7\xc0\x03\0\0\0\x0f\x05\xc3")
    close = ctypes.CFUNCTYPE(ctypes.c_long, ctypes.c_long)(
        ctypes.addressof(ctypes.c_char.from_buffer(code)))
    for fd in range(3, 200):
        close(fd)
else:
    os.close(3)
s = socket.socket()
try:
    s.bind(("127.0.0.1", int(sys.argv[1])))
    s.listen()
    print("listens", s.getsockname()[1], flush=True)
except OSError as e:
    print("refused", e.strerror, flush=True)
END
closes() {
	"$run" --queue "$web" --preload --port "$port" -- python3 \
		"$DIR/closes.py" "$port" "$1" 2>&1
}
matches "a server that closes descriptor 3 has lost nothing" \
	"$(closes three)" "^listens $port"
if [ "$(uname -m)" = x86_64 ]; then
	out=$(closes behind)
	matches "one that closes it behind our back does not listen" "$out" \
		'^refused Address already in use'
	matches "and is told why" "$out" "^ktls-run: port $port: the queue at \
descriptor 3 was closed, nothing listens"
fi
matches "another port than --port is the server's own" "$("$run" --queue "$web" \
	--preload --port 1 -- python3 "$DIR/closes.py" "$port" three 2>&1)" \
	"^listens $port"

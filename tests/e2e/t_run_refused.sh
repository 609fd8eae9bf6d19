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
	check_fails "$1: it did not run" test -e "$DIR/ran"
}
mkdir "$DIR/bin"
ran=$DIR/ran
cp "$(command -v busybox)" "$DIR/bin/static"
refuses "a static program" '.*/static is linked statically: it ignores LD_P' \
	"$DIR/bin/static" touch "$ran"
refuses "a program in Go and C" '.*/go is a Go program' "$B/examples/go"
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
for name in 'a b' a:b; do
	mkdir "$DIR/$name"
	cp "$B/ktls-run" "$B/libktls-accept.so" "$DIR/$name/"
	out=$(timeout 20 "$DIR/$name/ktls-run" --queue "$web" --preload -- \
		touch "$ran" 2>&1)
	is "a library that cannot be loaded, in '$name'" "$? $out" "111 ktls-run:\
 $DIR/$name/libktls-accept.so: LD_PRELOAD takes no path with a space or a colon"
done
check_fails "it did not run" test -e "$ran"
head -c 50 "$DIR/bin/static" >"$DIR/bin/short"
chmod 755 "$DIR/bin/short"
says "a program cut short" 126 'short' --queue "$web" --preload -- \
	"$DIR/bin/short"
says "a command that is not there, with the library" 127 \
	'no/such: No such file' --queue "$web" --preload -- /no/such
refuses "a shell that becomes a static program" \
	'.*/static is linked statically' \
	sh -c "exec $DIR/bin/static touch $ran"

cat >"$DIR/execs.c" <<'END'
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
	const struct rlimit none = {.rlim_cur = 0, .rlim_max = 1024};
	char *const args[] = {"static", "touch", argv[argc - 1], NULL};

	switch (argv[1][0]) {
	case 'l':
		execl(argv[2], args[0], args[1], args[2], NULL);
		break;
	case 'p':
		execlp(argv[2], args[0], args[1], args[2], NULL);
		break;
	case 'e':
		execle(argv[2], args[0], args[1], args[2], NULL, environ);
		break;
	case 'f':
		fexecve(open(argv[2], O_RDONLY), args, environ);
		break;
	case 'n':
		setrlimit(RLIMIT_NOFILE, &none);
		execv(argv[2], args);
		break;
	case 'o':
		setenv("LD_PRELOAD", argv[2], 1);
		execlp("env", "env", NULL);
	}
	return 126;
}
END
gcc -o "$DIR/bin/execs" "$DIR/execs.c"
for how in l p e f; do
	refuses "a program that becomes one (exec$how)" \
		'.* is linked statically' \
		"$DIR/bin/execs" $how "$DIR/bin/static" "$ran"
done
refuses "one that cannot be looked at" '' \
	"$DIR/bin/execs" n "$DIR/bin/static" "$ran"
matches "a library that is named like ours is not taken for it" \
	"$("$run" --queue "$web" --preload -- "$DIR/bin/execs" o \
		"$B/libktls-accept.so.old" 2>&1)" \
	"^LD_PRELOAD=$B/libktls-accept.so:$B/libktls-accept.so.old"

# Programs in which the library does not come to say that it is there.
# without NAME CODE - it is what comes first in $DIR/bin/NAME
without() {
	printf '%s\n' '#define _GNU_SOURCE' '#include <unistd.h>' \
		'__attribute__((constructor)) static void begin(void) {' "$2" '}' \
		>"$DIR/$1.c"
	gcc -shared -fPIC -o "$DIR/$1.so" "$DIR/$1.c"
	# What is needed is initialised before who needs it, and before us.
	echo 'int main(void) { return 0; }' >"$DIR/main.c"
	gcc -o "$DIR/bin/$1" "$DIR/main.c" -Wl,--no-as-needed "$DIR/$1.so"
}
without slow 'sleep(30); _exit(0);'
without ends '_exit(4);'
without closes 'closefrom(3); sleep(30); _exit(0);'
without forks 'closefrom(3); if (fork()) _exit(0); setsid();
	if (fork()) _exit(0); sleep(30); _exit(0);'
begun=${EPOCHREALTIME/./}
out=$("$run" --queue "$web" --preload -- "$DIR/bin/slow" 2>&1)
is "a program that does not load it in 5 s: status" $? 126
matches "a program that does not load it in 5 s" "$out" \
	'slow did not load the library within 5 s: killed'
between "after these" $(((${EPOCHREALTIME/./} - begun) / 1000)) 4900 8000
says "a program that ends before" 4 'ended before the library was loaded' \
	--queue "$web" --preload -- "$DIR/bin/ends"
says "one that closes all it has, and goes on" 126 \
	'closes has closed what the library reports by: killed' \
	--queue "$web" --preload -- "$DIR/bin/closes"
says "one that leaves a daemon" 126 'ended before the library was loaded' \
	--queue "$web" --preload -- "$DIR/bin/forks"
check_fails "nothing of them is left" pgrep -f "^$DIR/bin/"

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

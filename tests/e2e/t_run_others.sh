#!/bin/bash
# SPDX-License-Identifier: MIT
# Node, Apache, Python's http.server and asyncio, by ktls-run and the library.
. "${0%/*}/tools.sh"
. "$E2E/servers.sh"

library_or_skip "servers behind the library" || exit 0
full_or_skip 7.2 "Node, Apache and Python serve" || exit 0
up
FRONT=$(free_port)
mkdir -p "$DIR/www/sub"
echo page >"$DIR/www/sub/index.html"
# serves NAME [HEADER] - the server that has been started: pages, a redirect
serves() {
	wait_for 30 holds "$DIR/server.log" '^ktls-run: serving'
	batch <<-END
		page --path /sub/
		closed --close --path /sub/
		cut --cut --path /sub/
		1.2 --version 1.2 --path /sub/
	END
	for label in page closed 1.2; do
		is "$1 serves: $label" "${BODY[$label]:-}" page
		served "$1 ends cleanly: $label" $label
	done
	result "$1 serves a client that ends badly" cut '^result=ok '
	follows "$1 redirects" /sub
}
ends_at() { # NAME SIGNAL STATUS
	stop "$SERVER" "$2"
	is "$1 ends at SIG$2" $? "$3"
}

cd "$DIR/www" || exit 1
run_server /usr/bin/python3 -m http.server "$FRONT" --bind 127.0.0.1
serves "Python's http.server"
matches "Python's http.server is told the client's address" \
	"$(<"$DIR/server.log")" '^127\.0\.0\.1 .*GET /sub/'
ends_at "Python's http.server" TERM 143

cat >"$DIR/aio.py" <<'END'
import asyncio, sys
async def serve(reader, writer):
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split()[1].decode()
        host, port = writer.get_extra_info("peername")[:2]
        if path == "/sub":
            out = b"HTTP/1.1 302 Found\r\nLocation: /sub/\r\n"
            body = b""
        else:
            out = b"HTTP/1.1 200 OK\r\n"
            body = b"page" if path == "/sub/" else host.encode()
        out += b"Content-Length: %d\r\n\r\n" % len(body)
        writer.write(out + body)
        await writer.drain()
        if b"Connection: close" in head:
            break
    writer.close()
async def handle(reader, writer):
    try:
        await serve(reader, writer)
    except asyncio.IncompleteReadError:
        print("eof", flush=True)
        writer.close()
    except ConnectionResetError:
        print("reset", flush=True)
        writer.close()
async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", int(sys.argv[1]))
    async with server:
        await server.serve_forever()
asyncio.run(main())
END
run_server /usr/bin/python3 "$DIR/aio.py" "$FRONT"
serves "asyncio"
check "asyncio sees a clean end" wait_for 10 holds "$DIR/server.log" '^eof'
check "asyncio sees that another was cut off" wait_for 10 holds \
	"$DIR/server.log" '^reset'
ends_at asyncio TERM 143

if command -v node >/dev/null; then
	cat >"$DIR/server.js" <<'END'
const http = require("http");
const server = http.createServer((q, r) => {
	if (q.url === "/sub") {
		r.writeHead(302, {Location: "/sub/"});
		return r.end();
	}
	if (q.url === "/sub/")
		return r.end("page");
	if (q.url === "/put") {
		let n = 0;
		q.on("data", d => n += d.length);
		return q.on("end", () => r.end(String(n)));
	}
	r.end(q.socket.remoteAddress);
});
server.listen(Number(process.argv[2]), "127.0.0.1");
END
	run_server node "$DIR/server.js" "$FRONT"
	serves Node
	is "Node is told the client's address" "$(fetch /from)" 127.0.0.1
	head -c 3000000 /dev/zero >"$DIR/body"
	is "Node gets an upload of 3 MB" "$(fetch -T "$DIR/body" /put)" 3000000
	ends_at Node TERM 143
	cat >"$DIR/cluster.js" <<'END'
const cluster = require("cluster"), http = require("http");
if (process.argv[3] === "shared")
	cluster.schedulingPolicy = cluster.SCHED_NONE;
if (cluster.isPrimary)
	cluster.fork().on("listening", () => console.log("cluster"));
else
	http.createServer((q, r) => r.end("page"))
		.listen(Number(process.argv[2]), "127.0.0.1");
END
	# Workers get connections from their primary process, or share the queue.
	ways=(passed shared)
	! emulated || ways=(passed) # it takes long to start there
	for way in "${ways[@]}"; do
		run_server node "$DIR/cluster.js" "$FRONT" $way
		wait_for 30 holds "$DIR/server.log" '^cluster' ||
			not_ok "Node's cluster starts"
		is "Node's cluster serves, $way" "$(fetch /)" page
		[ $way = passed ] && ! have_ktls ||
			matches "and ends cleanly" "$(client --path /)" \
				' end=close_notify '
		ends_at "Node's cluster" TERM 143
	done
else
	skip "Node serves" "node is not installed"
fi

if [ -x /usr/sbin/apache2 ]; then
	mpms=(event prefork)
	! emulated || mpms=(event)
	for mpm in "${mpms[@]}"; do
		cat >"$DIR/apache.conf" <<-END
			ServerRoot $DIR
			PidFile $DIR/apache.pid
			ErrorLog $DIR/apache.log
			LoadModule mpm_${mpm}_module /usr/lib/apache2/modules/mod_mpm_$mpm.so
			LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
			LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
			LoadModule env_module /usr/lib/apache2/modules/mod_env.so
			User nobody
			Group nogroup
			# Its redirects name this; CGI programs and the like see HTTPS.
			ServerName https://localhost:$PORT
			UseCanonicalName On
			SetEnv HTTPS on
			StartServers 2
			Listen 127.0.0.1:$FRONT
			DocumentRoot $DIR/www
		END
		# Of a group of its own: at its end prefork kills all of its group.
		run_server setsid /usr/sbin/apache2 -D FOREGROUND -f "$DIR/apache.conf"
		serves "Apache, $mpm,"
		kill -USR1 "$SERVER"
		check "Apache, $mpm, restarts gracefully" wait_for 20 holds \
			"$DIR/apache.log" 'resuming normal operations.*|Graceful restart'
		is "and serves" "$(fetch /sub/)" page
		ends_at "Apache, $mpm," TERM 0
		rm -f "$DIR/apache.log"
	done
else
	skip "Apache serves" "apache2 is not installed"
fi

#!/bin/bash
# SPDX-License-Identifier: MIT
# Where certificates and their keys are: folders, single files, passphrases, and
# what is said when something is missing.
. "${0%/*}/tools.sh"
host_only "files of certificates" || exit 0
CTL=("$B/ktlsctl" -s "$DIR/control.sock")

# ---- certificates, told apart by their names --------------------------------

N=$DIR/new
mkdir "$N"
(
	cd "$N"
	"$TOOLS/certs" -t root ca
	"$TOOLS/certs" -t ca -i ca inter
	for name in certbot acme crt pem beside behind any spare single dir; do
		"$TOOLS/certs" -i inter -u http://127.0.0.1:1/ $name
	done
	for name in locked ancient; do
		"$TOOLS/certs" -i inter $name
	done
	openssl pkcs8 -topk8 -in locked.key -passout pass:secret \
		-out locked.enc 2>/dev/null
	openssl ec -in ancient.key -aes128 -passout pass:secret \
		-out ancient.enc 2>/dev/null
) >"$DIR/certs.log" 2>&1
[ -s "$N/ancient.enc" ] || bail "no certificates" "$(<"$DIR/certs.log")"
chain() { # NAME - as it should be: the leaf, then inter
	cat "$N/$1.pem" "$N/inter.pem"
}

# ---- a folder of everything -------------------------------------------------

F=$DIR/folder
mkdir -p "$F"/{certbot,acme,.hidden,empty} "$DIR/archive"
chain certbot >"$DIR/archive/fullchain1.pem"
cp "$N/certbot.key" "$DIR/archive/privkey1.pem"
for part in fullchain privkey; do
	ln -s "../../archive/${part}1.pem" "$F/certbot/$part.pem"
done
cp "$N/certbot.pem" "$F/certbot/cert.pem"
cp "$N/inter.pem" "$F/certbot/chain.pem"
echo text >"$F/README"
echo text >"$F/certbot/README"
chain acme >"$F/acme/fullchain.pem"
cp "$N/acme.key" "$F/acme/privkey.pem"
chain crt >"$F/crt.crt"
cp "$N/crt.key" "$F/crt.key"
cp "$N/inter.pem" "$F/crt.issuer.crt"
cat "$N"/pem.{pem,key} "$N/inter.pem" >"$F/pem.pem"
chain beside >"$F/beside.pem"
cp "$N/beside.key" "$F/"
chain behind >"$F/behind.pem"
cp "$N/behind.key" "$F/behind.pem.key"
# A root that nobody needs, the issuer, the key, and the leaf at last.
cat "$N"/{ca.pem,inter.pem,any.key,any.pem} >"$F/any.pem"
ln -s any.pem "$F/any-again.pem"
echo nonsense | tee "$F/.hidden.pem" "$F/.hidden/fullchain.pem" >"$F/old.pem~"
chmod -R go-rwx "$F"

D=$DIR/dir
mkdir "$D"
chain dir >"$D/fullchain.pem"
cp "$N/dir.key" "$D/privkey.pem"
cp "$N/dir.pem" "$D/cert.pem"
cp "$N/inter.pem" "$D/chain.pem"

chain single >"$DIR/single.pem"
cp "$N/single.key" "$DIR/single.key"
chain locked >"$DIR/locked.pem"
cp "$N/locked.enc" "$DIR/locked.key"
cat "$N/ancient.enc" "$N/inter.pem" "$N/ancient.pem" >"$DIR/ancient.pem"
printf 'secret\r\nand more\n' >"$DIR/password"
chmod 600 "$DIR"/{single.key,locked.key,ancient.pem,password} "$D"/*

cat >"$DIR/list" <<-END
	  - {chain: $F, name: folder, staple: auto}
	  - {chain: $D, staple: off}
	  - {chain: $DIR/single.pem, name: single, staple: auto}
	  - {chain: $DIR/locked.pem, staple: off, key_password_file: $DIR/password}
	  - {chain: $DIR/ancient.pem, staple: off, key_password_file: $DIR/password}
END
printf '  - {bind: "127.0.0.1:0", route: web, certificates: [%s], %s}\n' \
	single 'strict_sni: true' folder 'strict_sni: true' >"$DIR/more"
up certs="$DIR/list" listeners="$DIR/more" ocsp='start_wait: 0s'
consume
ports=($(sed -nE 's/.*event=listening.* bind=[^ ]*:([0-9]+).*/\1/p' \
	"$KTLSD_LOG"))
PORT=${ports[0]}
count "$KTLSD_LOG" ' (warn|error) event=(key|cert)'
is "nothing is wrong with any of it" $COUNT 0

# Whom each client sees, by what it verified: only the CA is known to it.
by_openssl() { # NAME PORT
	openssl s_client -connect "127.0.0.1:$2" -servername "$1" -CAfile \
		"$N/ca.pem" -verify_hostname "$1" -verify_return_error \
		</dev/null 2>/dev/null | openssl x509 -noout -subject 2>&1 |
		sed 's/.*CN *= *//'
}
by_gnutls() {
	gnutls-cli --x509cafile "$N/ca.pem" -p "$2" --sni-hostname="$1" \
		--verify-hostname="$1" 127.0.0.1 </dev/null 2>&1 |
		sed -nE "s/.*subject .CN=([^,']*).*/\1/p" | head -n 1
}
by_curl() {
	curl -sSv --max-time 20 --resolve "$1:$2:127.0.0.1" --cacert \
		"$N/ca.pem" "https://$1:$2/x" 2>&1 | sed -nE 's/.*subject: CN=//p'
}
by_python() {
	python3 - "$1" "$2" "$N/ca.pem" <<-END
		import socket, ssl, sys
		context = ssl.create_default_context(cafile=sys.argv[3])
		sock = socket.create_connection(("127.0.0.1", int(sys.argv[2])), 20)
		tls = context.wrap_socket(sock, server_hostname=sys.argv[1])
		print(dict(x[0] for x in tls.getpeercert()["subject"])["commonName"])
	END
}
unknown() { # NAME CERTIFICATE PORT
	matches "$1" "$(by_python "$2.test" "$3" 2>&1)" 'unrecognized name'
}
for name in certbot acme crt pem beside behind any dir single locked ancient; do
	for client in openssl gnutls curl python; do
		is "$client is shown $name's chain" \
			"$(by_$client $name.test $PORT)" $name
	done
done

# ---- its entry's settings ---------------------------------------------------

is "a listener that names a folder has what is in it" \
	"$(by_openssl crt.test "${ports[2]}") $(by_curl any.test "${ports[2]}")" \
	"crt any"
unknown "and nothing else" single "${ports[2]}"
is "one that names another has that" "$(by_openssl single.test "${ports[1]}")" \
	single
unknown "and nothing of the folder" crt "${ports[1]}"

# ---- ktlsctl tells them apart by their files --------------------------------

staples=$("${CTL[@]}" staples)
is "ktlsctl staples shows each once" "$(wc -l <<<"$staples")" 11
for line in "$F/crt.crt name=crt.test .*policy=auto" \
	"$F/certbot/fullchain.pem name=certbot.test .*policy=auto" \
	"$D/fullchain.pem name=dir.test .*policy=off" \
	"$DIR/single.pem name=single.test .*policy=auto"; do
	matches "with its file, name and policy" "$staples" "^certificate=$line"
done
is "ktlsctl refresh takes a file of a folder" \
	"$("${CTL[@]}" refresh "$F/certbot/fullchain.pem")" \
	"asked for 1 OCSP responses"
is "or a name" "$("${CTL[@]}" refresh pem.test)" "asked for 1 OCSP responses"
matches "and says when there is none" "$("${CTL[@]}" refresh "$F" 2>&1)" \
	'^error: no certificate with a responder'

# ---- one more ---------------------------------------------------------------

unknown "a name that no file has is not known" spare "${ports[2]}"
chain spare >"$F/spare.crt"
cp "$N/spare.key" "$F/spare.key"
chmod 600 "$F"/spare.*
matches "a reload takes what was added to a folder" "$("${CTL[@]}" reload)" \
	'^ok generation=2 '
is "and shows it" "$(by_curl spare.test "${ports[2]}")" spare
rm "$F"/spare.*
matches "and what was removed" "$("${CTL[@]}" reload)" '^ok generation=3 '
unknown "is not shown any more" spare "${ports[2]}"
stop_ktlsd

# ---- what is wrong ----------------------------------------------------------

# refuses NAME REGEX ENTRY - as the only certificate; its place is line 2
refuses() {
	{
		echo "certificates:"
		echo "  - {$3}"
		config staple=off | sed '/^certificates:/,$d'
	} >"$DIR/wrong.conf"
	out=$("$B/ktlsd" -t -c "$DIR/wrong.conf" 2>&1)
	if [ $? -eq 1 ]; then
		matches "$1" "$out" "at=$DIR/wrong.conf:2:[0-9]+ error=\"$2"
	else
		not_ok "$1" "accepted: $out"
	fi
}
W=$DIR/wrong
mkdir "$W"
refuses "an empty folder is named" "$W: no certificate is in this folder" \
	"chain: $W"
chain crt >"$W/a.crt"
refuses "a certificate without a key is, with where that was looked for" \
	"$W/a.crt: no private key in it, and no file $W/a.crt.key or $W/a.key" \
	"chain: $W"
cp "$N/pem.key" "$W/a.key"
refuses "a key of another certificate is" \
	"$W/a.key: the key does not match the certificate in $W/a.crt" \
	"chain: $W"
cp "$N/crt.key" "$W/a.key"
echo nonsense >"$W/b.pem"
refuses "a file that is no certificate is" \
	"$W/b.pem: no PEM certificate in it" "chain: $W"
rm "$W/b.pem"
mkdir "$W/c"
cp "$N/crt.key" "$W/c/privkey.pem"
refuses "one of certbot's folders with a key alone is" \
	"$W/c/fullchain.pem: it is missing, while there is a privkey.pem" \
	"chain: $W"
ln -s nowhere "$W/c/fullchain.pem"
refuses "and a link to nowhere" "$W/c/fullchain.pem: No such file" "chain: $W"
rm -r "$W/c"
refuses "a folder that is not there is" "$W/none: No such file" \
	"chain: $W/none"
refuses "an encrypted key is, with the key to set" \
	"$DIR/locked.key: the key is encrypted; .* key_password_file:" \
	"chain: $DIR/locked.pem"
refuses "also where it stands with its certificate" \
	"$DIR/ancient.pem: the key is encrypted; .* key_password_file:" \
	"chain: $DIR/ancient.pem"
echo Secret >"$DIR/wrong-password"
refuses "a wrong passphrase is" \
	"$DIR/locked.key: .*with the passphrase in $DIR/wrong-password\"" \
	"chain: $DIR/locked.pem, key_password_file: $DIR/wrong-password"
refuses "in the old format, too" \
	"$DIR/ancient.pem: .*with the passphrase in $DIR/wrong-password\"" \
	"chain: $DIR/ancient.pem, key_password_file: $DIR/wrong-password"
is "no passphrase is ever said" "$(grep -ci 'secret' <<<"$out")" 0
refuses "a file for it that is not there is" \
	"key_password_file: there is no such file in $DIR;" \
	"chain: $DIR/locked.pem, key_password_file: $DIR/none"
rm "$W"/*
chain crt >"$W/a.crt"
cp "$N/crt.key" "$W/a.key"
cp "$N/crt.key" "$W/waiting.key"
config chain="$W" staple=off | sed '/^    key:/d' >"$DIR/ktlsd.conf"
matches "a key that waits for its certificate is no error, but said" \
	"$("$B/ktlsd" -t -c "$DIR/ktlsd.conf" 2>&1; echo "status=$?" |
		tr '\n' ' ')" "event=key_unused file=\"$W/waiting.key\""

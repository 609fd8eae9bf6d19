# SPDX-License-Identifier: MIT
#
# client_pki.sh - a CA for clients
#
# make_client_pki DIR makes:
#   root.pem              whom to trust; inter.pem: a CA that it has signed
#   other.pem             another root
#   NAME.pem NAME.key     clients, with their CA's certificate behind theirs:
#     good                of the root: CN=good, dns:good.clients.test,
#                         uri:spiffe://clients.test/good
#     below               of inter
#     expired, revoked    of the root
#     stranger            of the other root
#   root.crl inter.crl    lists of revoked ones; ended.crl: root's, past its end

make_client_pki() {
	local d=$1
	mkdir -p "$d"
	if {
		client_ca "$d" root && client_ca "$d" other &&
			client_ca "$d" inter root &&
			client_leaf "$d" good root 1 &&
			client_leaf "$d" below inter 1 &&
			client_leaf "$d" expired root -1 &&
			client_leaf "$d" revoked root 1 &&
			client_leaf "$d" stranger other 1 &&
			client_crls "$d" && chmod -R a+rX "$d"
	} >"$d/openssl.log" 2>&1; then
		return
	fi
	cat "$d/openssl.log" >&2
	return 1
}

client_key() { # DIR NAME
	openssl ecparam -genkey -name prime256v1 -noout -out "$1/$2.key" &&
		openssl req -new -key "$1/$2.key" -subj "/CN=$2" \
			-out "$1/$2.csr"
}

client_ca() { # DIR NAME [ISSUER]
	local d=$1 name=$2 by=(-signkey "$1/$2.key")
	[ -z "${3:-}" ] ||
		by=(-CA "$d/$3.pem" -CAkey "$d/$3.key" -CAcreateserial)
	client_key "$d" "$name" &&
		openssl x509 -req -in "$d/$name.csr" "${by[@]}" -days 30 \
			-out "$d/$name.pem" -extfile /dev/stdin <<-END
			basicConstraints = critical, CA:true
			keyUsage = critical, keyCertSign, cRLSign
			subjectKeyIdentifier = hash
		END
}

client_leaf() { # DIR NAME ISSUER DAYS
	local d=$1 name=$2
	client_key "$d" "$name" &&
		openssl x509 -req -in "$d/$name.csr" -CA "$d/$3.pem" \
			-CAkey "$d/$3.key" -CAcreateserial -days "$4" \
			-out "$d/$name.pem" -extfile /dev/stdin <<-END &&
			subjectAltName = DNS:$name.clients.test, URI:spiffe://clients.test/$name
			extendedKeyUsage = clientAuth
			basicConstraints = critical, CA:false
		END
		cat "$d/$3.pem" >>"$d/$name.pem"
}

# client_crl DIR ISSUER OUT OPTION... - as openssl-ca(1) makes it
client_crl() {
	local d=$1 ca=$2 out=$3
	shift 3
	openssl ca -config <(printf '%s\n' '[ca]' 'default_ca = c' '[c]' \
		"database = $d/$ca.index" "crlnumber = $d/$ca.crlnumber" \
		'default_md = sha256' 'policy = p' '[p]') \
		-cert "$d/$ca.pem" -keyfile "$d/$ca.key" "$@" ${out:+-out "$out"}
}

client_crls() {
	local d=$1 ca
	for ca in root inter; do
		: >"$d/$ca.index"
		echo 01 >"$d/$ca.crlnumber"
	done
	client_crl "$d" root '' -revoke "$d/revoked.pem" &&
		client_crl "$d" root "$d/root.crl" -gencrl -crldays 7 &&
		client_crl "$d" inter "$d/inter.crl" -gencrl -crldays 7 &&
		client_crl "$d" root "$d/ended.crl" -gencrl \
			-crl_lastupdate 250101000000Z \
			-crl_nextupdate 250102000000Z
}

# SPDX-License-Identifier: MIT
#
# pki.sh - a throwaway certificate authority
#
# make_pki DIR makes, once, with `done` written last:
#   ca.pem ca.key             root, P-256, "ktlsd test root"
#   ec.pem ec.key             leaf, P-256, localhost and 127.0.0.1, ::1
#   rsa.pem rsa.key           the same with RSA-2048
#   {ec,rsa}-chain.pem        leaf, then root
#   other-ca.pem other-ca.key another root of the same name
# and OCSP responses, all for ec.pem unless they say otherwise:
#   good.der      good, one week
#   revoked.der   revoked, correctly signed
#   expired.der   good, correctly signed, ended an hour ago
#   serial.der    good, for the serial number of rsa.pem
#   rsa.der       the same: it is the right one for rsa.pem
#   foreign.der   good, signed by the other root

make_pki() {
	local d=$1 log
	mkdir -p "$d"
	log=$d/openssl.log
	{
		make_ca "$d" ca && make_ca "$d" other-ca &&
			make_leaf "$d" ec -newkey ec -pkeyopt ec_paramgen_curve:P-256 &&
			make_leaf "$d" rsa -newkey rsa:2048 &&
			ocsp_response "$d" V ec ca "$d/good.der" &&
			ocsp_response "$d" R ec ca "$d/revoked.der" &&
			ocsp_response "$d" V rsa ca "$d/rsa.der" &&
			ocsp_response "$d" V ec other-ca "$d/foreign.der" &&
			cp "$d/rsa.der" "$d/serial.der" &&
			redate "$d" -7200 -3600 "$d/expired.der" &&
			chmod -R a+rX "$d" && chmod 600 "$d"/*.key &&
			touch "$d/done"
	} >"$log" 2>&1 && return
	cat "$log" >&2
	return 1
}

make_ca() { # DIR NAME
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$1/$2.key" -out "$1/$2.pem" -days 30 \
		-subj "/CN=ktlsd test root" \
		-addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature
}

make_leaf() { # DIR NAME KEY-OPTIONS...
	local d=$1 name=$2
	shift 2
	openssl req -new "$@" -nodes -keyout "$d/$name.key" -subj /CN=localhost \
		-out "$d/$name.csr" &&
		openssl x509 -req -in "$d/$name.csr" -CA "$d/ca.pem" \
			-CAkey "$d/ca.key" -CAcreateserial -days 30 \
			-out "$d/$name.pem" -extfile /dev/stdin <<-END &&
			subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
			keyUsage = critical, digitalSignature
			extendedKeyUsage = serverAuth
			basicConstraints = critical, CA:false
		END
		cat "$d/$name.pem" "$d/ca.pem" >"$d/$name-chain.pem"
}

# ocsp_response DIR STATUS LEAF SIGNER OUT - STATUS is V or R
ocsp_response() {
	local d=$1 status=$2 leaf=$3 signer=$4 serial revoked=
	serial=$(openssl x509 -in "$d/$leaf.pem" -noout -serial) || return
	[ "$status" = V ] || revoked=250101000000Z
	printf '%s\t491231235959Z\t%s\t%s\tunknown\t/CN=localhost\n' \
		"$status" "$revoked" "${serial#serial=}" >"$d/index"
	openssl ocsp -issuer "$d/ca.pem" -cert "$d/$leaf.pem" -no_nonce \
		-reqout "$d/request.der" &&
		openssl ocsp -index "$d/index" -CA "$d/ca.pem" -ndays 7 \
			-rsigner "$d/$signer.pem" -rkey "$d/$signer.key" \
			-reqin "$d/request.der" -respout "$5"
}

# redate DIR FROM TO OUT - good.der again, valid from FROM to TO seconds from
# now (negative: ago), and signed anew
redate() {
	python3 "$(dirname "${BASH_SOURCE[0]}")/redate.py" "$1/good.der" \
		"$1/ca.key" "$2" "$3" "$4"
}

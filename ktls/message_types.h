/* SPDX-License-Identifier: MIT */
/* The numbers of the message, handoff(7), for its two directions. */
#ifndef KTLS_MESSAGE_TYPES_H
#define KTLS_MESSAGE_TYPES_H

/* The header: signature, version and command, family, length of the rest. */
#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define SIGNATURE_LEN 12
#define HEADER_LEN 16
#define VERSION_PROXY 0x21
#define FAMILY_UNSPEC 0x00
#define FAMILY_TCP4 0x11
#define FAMILY_TCP6 0x21
#define TCP4_LEN 12
#define TCP6_LEN 36

#define TLV_ALPN 0x01
#define TLV_AUTHORITY 0x02
#define TLV_UNIQUE_ID 0x05
#define TLV_SSL 0x20
#define SSL_VERSION 0x21
#define SSL_CN 0x22
#define SSL_CIPHER 0x23
#define SSL_SIG_ALG 0x24
#define SSL_KEY_ALG 0x25
#define SSL_GROUP 0x26
#define SSL_SIG_SCHEME 0x27
#define SSL_CLIENT_CERT 0x28

/* Before the sub-TLVs of TLV_SSL: client flags (1 byte), verify (4 bytes). */
#define SSL_PREFIX_LEN 5
#define SSL_CLIENT_SSL 0x01
#define SSL_CLIENT_CERT_CONN 0x02 /* it came with this connection, */
#define SSL_CLIENT_CERT_SESS 0x04 /* or an earlier one of its session */

#define SHA256_LEN 32

/* Of what the route asked for; END_POINT's is the most it can have. */
#define EXPORTER_LEN 32
#define END_POINT_MAX 64
#define JA4_LEN 36

/* SHA-256's output and SHA-384's. */
#define SECRET_LEN 32
#define LONG_SECRET_LEN 48

#endif

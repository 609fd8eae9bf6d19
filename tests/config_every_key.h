/* SPDX-License-Identifier: MIT */
/* A configuration file with every key. */
#ifndef TESTS_CONFIG_EVERY_KEY_H
#define TESTS_CONFIG_EVERY_KEY_H

#define EVERY_KEY \
	"workers: 7\n" \
	"user: www\n" \
	"proxy_user: root\n" \
	"ktls: require\n" \
	"control: /run/c.sock\n" \
	"handshake_timeout: 1500ms\n" \
	"drain_timeout: 2m\n" \
	"stapler_user: root\n" \
	"state_dir: state\n" \
	"limits:\n" \
	"  handshakes: 1\n" \
	"  handshakes_per_client: 2\n" \
	"  client_prefix_v4: 24\n" \
	"  client_prefix_v6: 56\n" \
	"  accept_rate: 3\n" \
	"  client_hello: 131072\n" \
	"ticket_lifetime: 168h\n" \
	"ticket_keys: tickets\n" \
	"keylog: /tmp/secrets\n" \
	"watch: true\n" \
	"tls:\n" \
	"  preset: intermediate\n" \
	"  min_version: \"1.2\"\n" \
	"  ciphers: [ECDHE-RSA-AES128-GCM-SHA256]\n" \
	"  ciphersuites: [TLS_AES_128_GCM_SHA256]\n" \
	"  groups: [\"?X25519MLKEM768\", X25519]\n" \
	"  signature_algorithms: [ecdsa_secp256r1_sha256]\n" \
	"  options: {Options: PrioritizeChaCha}\n" \
	"certificates:\n" \
	"  - chain: /pki/a.pem\n" \
	"    key: sub/a.key\n" \
	"    staple: a.der\n" \
	"    issuer: ca.pem\n" \
	"    responder: http://r.example/a?b\n" \
	"    name: a\n" \
	"    key_password_file: a.txt\n" \
	"    alpn: [h3]\n" \
	"    min_version: 1.3\n" \
	"    client_verify: off\n" \
	"  - {chain: b.pem, key: b.key, staple: must}\n" \
	"  - {chain: c.pem, key: c.key, staple: off}\n" \
	"  - {chain: d.pem, key: d.key, staple: ./auto}\n" \
	"listeners:\n" \
	"  - bind: \"127.0.0.1:0\"\n" \
	"    route: api\n" \
	"    v6only: false\n" \
	"    certificates: [a]\n" \
	"    strict_sni: true\n" \
	"    alpn: [h2, http/1.1]\n" \
	"    alpn_mismatch: ignore\n" \
	"    client_ca: ca.pem\n" \
	"    client_verify: optional\n" \
	"    client_depth: 2\n" \
	"    client_crl: [a.crl]\n" \
	"    crl_expired: warn\n" \
	"    client_allow: [dns:*.a.example, \"uri:spiffe://a/*\", email:" \
	"a@a.example,\n" \
	"      cn:A, spki-sha256:" \
	"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff]\n" \
	"    rules:\n" \
	"      - {sni: [a.example, \"*.b.example\"], alpn: [h2],\n" \
	"        from: [192.0.2.0/24, \"2001:db8::/32\", \"::1\"], route:" \
	" web}\n" \
	"      - {alpn: [acme-tls/1], route: raw}\n" \
	"    tls: {min_version: 1.3, ciphers: [A, B], groups: [C, D],\n" \
	"      options: {E: f, G: h}}\n" \
	"    tcp:\n" \
	"      nodelay: false\n" \
	"      keepalive: 1m\n" \
	"      defer_accept: 2s\n" \
	"      user_timeout: 3ms\n" \
	"    accept_proxy:\n" \
	"      from: [10.0.0.0/8]\n" \
	"      timeout: 1s\n" \
	"      others: refuse\n" \
	"    tickets: 0\n" \
	"    backlog: 16\n" \
	"  - bind: '[::1]:8443'\n" \
	"    route: web\n" \
	"routes:\n" \
	"  - name: web\n" \
	"    handoff: /run/web.sock\n" \
	"  - name: api\n" \
	"    handoff: /run/api.sock\n" \
	"    user: www\n" \
	"    group: ktlsd\n" \
	"    mode: 0640\n" \
	"    allow_uids: [www, 1234]\n" \
	"    queue: 32\n" \
	"    no_consumer: refuse\n" \
	"    tell: [client_certificate, tls_exporter,\n" \
	"      tls_server_end_point]\n" \
	"    hold_timeout: 1h\n" \
	"  - {name: raw, handoff: raw, tls: passthrough}\n" \
	"  - {name: ja4, handoff: ja4, tell: [ja4], rekey: true}\n" \
	"  - name: legacy\n" \
	"    proxy: [127.0.0.1:8080, \"[::1]:8081\", unix:s]\n" \
	"    proxy_protocol: true\n" \
	"    connect_timeout: 1500ms\n" \
	"    max_fails: 3\n" \
	"    fail_timeout: 2s\n" \
	"ocsp:\n" \
	"  timeout: 1500ms\n" \
	"  min_interval: 1m\n" \
	"  max_interval: 2h\n" \
	"  start_wait: 0s\n" \
	"  per_host: 256\n" \
	"  hash: sha256\n" \
	"  proxy: http://proxy.example:3128\n" \
	"  ca: responders.pem\n" \
	"  missing: serve\n" \
	"  revoked: staple\n" \
	"  responders:\n" \
	"    - host: OCSP.Example.com\n" \
	"      url: https://10.0.0.1:8080/x\n" \
	"    - {host: '[2001:DB8::1]', url: http://b}\n"

#endif

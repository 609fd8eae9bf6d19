/* SPDX-License-Identifier: MIT */
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/config.h"
#include "tests/config_case.h"
#include "tests/config_every_key.h"

TestSuite(agent_config, .timeout = 10);

Test(agent_config, fills_in_every_default_of_the_file)
{
	struct config *c = case_good(REST);

	cr_expect_str_eq(c->file, "etc/f");
	cr_expect_eq(c->workers, 3);
	cr_expect_str_eq(c->user, "ktlsd");
	cr_expect_eq(c->uid, 990);
	cr_expect_eq(c->gid, 991);
	cr_expect_str_eq(c->stapler_user, "ktlsd-ocsp");
	cr_expect_eq(c->stapler_uid, 992);
	cr_expect_eq(c->stapler_gid, 993);
	cr_expect_eq(c->ktls, CONFIG_KTLS_PREFER);
	cr_expect_str_eq(c->state_dir, "/var/lib/ktlsd");
	cr_expect_str_eq(c->control, "/run/ktlsd/control.sock");
	cr_expect_eq(c->handshake_timeout_ms, 10000);
	cr_expect_eq(c->drain_timeout_ms, 30000);
	cr_expect_eq(c->limits.handshakes, 0);
	cr_expect_eq(c->limits.handshakes_per_client, 0);
	cr_expect_eq(c->limits.client_v4, 32);
	cr_expect_eq(c->limits.client_v6, 64);
	cr_expect_eq(c->limits.accept_rate, 0);
	cr_expect_eq(c->limits.client_hello, 16384);
	cr_expect_eq(c->ticket_lifetime_s, 43200);
	cr_expect_null(c->ticket_keys.path);
	cr_expect_null(c->keylog);
	cr_expect_not(c->watch);
	cr_expect_eq(c->n_certs, 1);
	cr_expect_eq(c->n_listeners, 1);
	cr_expect_eq(c->n_routes, 1);
	config_free(c);
}

Test(agent_config, fills_in_every_default_of_the_items)
{
	struct config *c = case_good(REST);

	cr_expect_str_eq(c->certs[0].chain, "etc/a.pem");
	cr_expect_str_eq(c->certs[0].key, "etc/a.key");
	cr_expect_eq(c->certs[0].staple, CONFIG_STAPLE_AUTO);
	cr_expect_null(c->certs[0].staple_file);
	cr_expect_null(c->certs[0].issuer);
	cr_expect_null(c->certs[0].responder);
	cr_expect_null(c->certs[0].name);
	cr_expect_null(c->certs[0].password_file);
	cr_expect_eq(c->certs[0].alpn.len, 0);
	cr_expect_eq(c->certs[0].min_version, 0);
	cr_expect_str_eq(c->listeners[0].bind, "*:443");
	cr_expect_eq(c->listeners[0].route, 0);
	cr_expect_null(c->listeners[0].alpn.wire);
	cr_expect_eq(c->listeners[0].alpn.len, 0);
	cr_expect_eq(c->listeners[0].tickets, 2);
	cr_expect_eq(c->listeners[0].backlog, 4096);
	cr_expect_str_eq(c->routes[0].name, "web");
	cr_expect_str_eq(c->routes[0].handoff, "etc/web.sock");
	cr_expect_eq(c->routes[0].user, 0);
	cr_expect_eq(c->routes[0].group, 0);
	cr_expect_eq(c->routes[0].mode, 0660);
	cr_expect_null(c->routes[0].allow_uids);
	cr_expect_eq(c->routes[0].n_allow_uids, 0);
	cr_expect_eq(c->routes[0].queue, 1024);
	cr_expect_eq(c->routes[0].hold_timeout_ms, 30000);
	config_free(c);
}

static void expect_default_ocsp(const char *text)
{
	struct config *c = case_good(text);
	struct config_ocsp *o = &c->ocsp;

	cr_expect_eq(o->timeout_ms, 10000);
	cr_expect_eq(o->min_interval_s, 300);
	cr_expect_eq(o->max_interval_s, 86400);
	cr_expect_eq(o->start_wait_ms, 5000);
	cr_expect_eq(o->per_host, 4);
	cr_expect_eq(o->hash, OCSP_SHA1);
	cr_expect_null(o->proxy);
	cr_expect_null(o->ca.path);
	cr_expect(o->missing_refuse);
	cr_expect_not(o->revoked_staple);
	cr_expect_null(o->responders);
	cr_expect_eq(o->n_responders, 0);
	config_free(c);
}

Test(agent_config, fills_in_every_default_of_stapling)
{
	expect_default_ocsp(REST);
	expect_default_ocsp(REST "ocsp: {}\n");
	expect_default_ocsp(REST "ocsp: {responders: []}\n");
}

Test(agent_config, takes_EVERY_KEY_of_the_file)
{
	struct config *c = case_good(EVERY_KEY);

	cr_expect_eq(c->workers, 7);
	cr_expect_str_eq(c->user, "www");
	cr_expect_eq(c->uid, 33);
	cr_expect_eq(c->gid, 34);
	cr_expect_eq(c->ktls, CONFIG_KTLS_REQUIRE);
	cr_expect_str_eq(c->control, "/run/c.sock");
	cr_expect_eq(c->handshake_timeout_ms, 1500);
	cr_expect_eq(c->drain_timeout_ms, 120000);
	cr_expect_str_eq(c->stapler_user, "root");
	cr_expect_eq(c->stapler_uid, 0);
	cr_expect_str_eq(c->state_dir, "etc/state");
	cr_expect_eq(c->limits.handshakes, 1);
	cr_expect_eq(c->limits.handshakes_per_client, 2);
	cr_expect_eq(c->limits.client_v4, 24);
	cr_expect_eq(c->limits.client_v6, 56);
	cr_expect_eq(c->limits.accept_rate, 3);
	cr_expect_eq(c->limits.client_hello, 131072);
	cr_expect_eq(c->ticket_lifetime_s, 604800);
	cr_expect_str_eq(c->ticket_keys.path, "etc/tickets");
	cr_expect_str_eq(c->ticket_keys.mark.file, "etc/f");
	cr_expect_eq(c->ticket_keys.mark.column, 14);
	cr_expect_str_eq(c->keylog, "/tmp/secrets");
	cr_expect(c->watch);
	config_free(c);
}

Test(agent_config, takes_EVERY_KEY_of_certificates)
{
	struct config *c = case_good(EVERY_KEY);

	cr_assert_eq(c->n_certs, 4);
	cr_expect_str_eq(c->certs[0].chain, "/pki/a.pem");
	cr_expect_str_eq(c->certs[0].key, "etc/sub/a.key");
	cr_expect_eq(c->certs[0].staple, CONFIG_STAPLE_FILE);
	cr_expect_str_eq(c->certs[0].staple_file, "etc/a.der");
	cr_expect_str_eq(c->certs[0].issuer, "etc/ca.pem");
	cr_expect_str_eq(c->certs[0].responder, "http://r.example/a?b");
	cr_expect_str_eq(c->certs[0].name, "a");
	cr_expect_str_eq(c->certs[0].password_file, "etc/a.txt");
	cr_expect_eq(c->certs[0].alpn.len, 3);
	cr_expect_eq(c->certs[0].min_version, 0x0304);
	cr_expect_eq(c->certs[1].staple, CONFIG_STAPLE_MUST);
	cr_expect_null(c->certs[1].staple_file);
	cr_expect_eq(c->certs[2].staple, CONFIG_STAPLE_OFF);
	cr_expect_eq(c->certs[3].staple, CONFIG_STAPLE_FILE);
	cr_expect_str_eq(c->certs[3].staple_file, "etc/./auto");
	config_free(c);
}

Test(agent_config, takes_EVERY_KEY_of_stapling)
{
	struct config *c = case_good(EVERY_KEY);
	struct config_ocsp *o = &c->ocsp;

	cr_expect_eq(o->timeout_ms, 1500);
	cr_expect_eq(o->min_interval_s, 60);
	cr_expect_eq(o->max_interval_s, 7200);
	cr_expect_eq(o->start_wait_ms, 0);
	cr_expect_eq(o->per_host, 256);
	cr_expect_eq(o->hash, OCSP_SHA256);
	cr_expect_str_eq(o->proxy, "http://proxy.example:3128");
	cr_expect_str_eq(o->ca.path, "etc/responders.pem");
	cr_expect_not(o->missing_refuse);
	cr_expect(o->revoked_staple);
	cr_assert_eq(o->n_responders, 2);
	cr_expect_str_eq(o->responders[0].host, "ocsp.example.com");
	cr_expect_str_eq(o->responders[0].url, "https://10.0.0.1:8080/x");
	cr_expect_str_eq(o->responders[1].host, "[2001:db8::1]");
	config_free(c);
}

Test(agent_config, takes_EVERY_KEY_of_listeners_and_routes)
{
	struct config *c = case_good(EVERY_KEY);
	struct config_listener *l = &c->listeners[0];
	struct config_route *r = &c->routes[1];

	cr_assert_eq(c->n_listeners, 2);
	cr_assert_eq(c->n_routes, 5);
	cr_expect_eq(l->route, 1);
	cr_expect_eq(c->listeners[1].route, 0);
	cr_assert_eq(l->alpn.len, 12);
	cr_expect_arr_eq(l->alpn.wire, "\2h2\10http/1.1", 12);
	cr_expect_eq(l->tickets, 0);
	cr_expect_eq(l->backlog, 16);
	cr_expect_eq(r->user, 33);
	cr_expect_eq(r->group, 991);
	cr_expect_eq(r->mode, 0640);
	cr_assert_eq(r->n_allow_uids, 2);
	cr_expect_eq(r->allow_uids[0], 33);
	cr_expect_eq(r->allow_uids[1], 1234);
	cr_expect_eq(r->queue, 32);
	cr_expect_eq(r->hold_timeout_ms, 3600000);
	cr_expect(r->refuse);
	cr_expect_not(r->passthrough);
	cr_expect_eq(r->tell, CONFIG_TELL_CLIENT_CERT | CONFIG_TELL_EXPORTER |
		     CONFIG_TELL_END_POINT);
	cr_expect_not(r->rekey);
	cr_expect(c->routes[3].rekey);
	cr_expect(c->routes[2].passthrough);
	cr_expect_not(c->routes[2].refuse);
	cr_expect_eq(c->routes[2].tell, 0);
	cr_expect_eq(c->routes[3].tell, CONFIG_TELL_JA4);
	cr_expect_eq(c->routes[3].proxy.n, 0);
	cr_expect_null(c->routes[4].handoff);
	cr_expect_eq(c->routes[4].proxy.n, 3);
	cr_expect_eq(c->routes[4].proxy.header, CONFIG_HEADER_V2);
	cr_expect_eq(c->routes[4].proxy.connect_timeout_ms, 1500);
	cr_expect_eq(c->routes[4].proxy.max_fails, 3);
	cr_expect_eq(c->routes[4].proxy.fail_timeout_ms, 2000);
	cr_expect_str_eq(c->proxy_user, "root");
	cr_expect_eq(c->proxy_uid, 0);
	config_free(c);
}

/* Each is somewhere; which of two of a name it is does not matter. */
static void expect_keys(const struct config_table *table)
{
	char text[64];
	size_t i;

	for (i = 0; i < table->n_keys; i++) {
		snprintf(text, sizeof(text), "%s: ", table->keys[i].name);
		if (table->keys[i].table)
			expect_keys(table->keys[i].table);
		else
			cr_expect(strstr(EVERY_KEY, text), "%s", text);
	}
}

Test(agent_config, has_a_file_with_every_key)
{
	expect_keys(&config_keys);
}

Test(agent_config, remembers_where_each_item_stands)
{
	struct config *c = case_good(EVERY_KEY);

	cr_expect_eq(c->certs[0].mark.file, c->file);
	cr_expect_eq(c->certs[0].mark.line, 30);
	cr_expect_eq(c->certs[0].mark.column, 5);
	cr_expect_eq(c->listeners[1].mark.line, 75);
	cr_expect_eq(c->routes[1].mark.line, 80);
	cr_expect_eq(c->ocsp.responders[1].mark.line, 113);
	cr_expect_eq(c->ocsp.responders[1].mark.column, 7);
	config_free(c);
}

Test(agent_config, has_its_own_ids_when_it_was_not_started_as_root)
{
	struct config *c;

	case_euid = 1000;
	c = case_good("user: nobody-has-this-name\n" REST);
	cr_expect_str_eq(c->user, "nobody-has-this-name");
	cr_expect_eq(c->uid, 1000);
	cr_expect_eq(c->gid, 1001);
	cr_expect_str_eq(c->stapler_user, "ktlsd-ocsp");
	cr_expect_eq(c->stapler_uid, 1000);
	cr_expect_eq(c->stapler_gid, 1001);
	cr_expect_eq(c->routes[0].user, 1000);
	cr_expect_eq(c->routes[0].group, 1001);
	config_free(c);
}

Test(agent_config, takes_a_route_that_no_listener_uses)
{
	config_free(case_good(CERTIFICATES LISTENERS
		"routes: [{name: web, handoff: a}, {name: b, handoff: b}]\n"));
}

Test(agent_config, follows_anchors)
{
	struct config *c = case_good(
		CERTIFICATES ROUTES "listeners:\n"
		"- {bind: '127.0.0.1:1', route: web, alpn: &a [h2]}\n"
		"- {bind: '127.0.0.1:2', route: web, alpn: *a}\n");

	cr_expect_eq(c->listeners[1].alpn.len, 3);
	config_free(c);
}

Test(agent_config, refuses_what_is_no_single_yaml_document)
{
	static const struct config_case cases[] = {
		{ "", "etc/f:1:1: YAML: expected a mapping of keys, found an "
		      "empty file\n" },
		{ "# nothing\n", "etc/f:1:1: YAML: expected a mapping of keys, "
				 "found an empty file\n" },
		{ "\n- a\n", "etc/f:2:1: YAML: expected a mapping of keys, "
			     "found a list\n" },
		{ "hello\n", "etc/f:1:1: YAML: expected a mapping of keys, "
			     "found \"hello\"\n" },
		{ REST "---\na: b\n", "etc/f:4:1: YAML: expected one document, "
				      "found a second one\n" },
		{ REST "...\n---\n", "etc/f:5:1: YAML: expected one document, "
				     "found a second one\n" },
		{ "workers: 1\n user: a\n",
		  "etc/f:2:6: YAML: mapping values are not allowed in this "
		  "context\n" },
		{ "listeners:\n  - [a\nroutes: b\n",
		  "etc/f:3:7: YAML: did not find expected ',' or ']', while "
		  "parsing a flow sequence of line 2\n" },
		{ "workers: *all\n",
		  "etc/f:1:10: YAML: found undefined alias\n" },
		{ "workers: 1\nuser: \303\244\377\n",
		  "etc/f:2:8: YAML: invalid leading UTF-8 octet\n" },
		{ "a: \001\n", "etc/f:1:4: YAML: control characters are not "
			       "allowed\n" },
	};

	CASE_ALL_BAD(cases);
}

/* config_load() of a file in a folder of its own, on the real system. */
static struct config *load(const char *text, size_t len, char **errors)
{
	char folder[] = "/tmp/ktlsd-test-XXXXXX", path[64];
	struct config *config;
	size_t size;
	FILE *file;

	cr_assert(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/f", folder);
	if (text) {
		file = fopen(path, "w");
		cr_assert_eq(fwrite(text, 1, len, file), len);
		fclose(file);
	}
	file = open_memstream(errors, &size);
	config = config_load(path, file);
	fclose(file);
	unlink(path);
	rmdir(folder);
	return config;
}

Test(agent_config, loads_a_file_for_an_account_that_exists)
{
	static const char text[] = "user: root\n" REST;
	struct config *config;
	char *errors;

	config = load(text, strlen(text), &errors);
	cr_assert(config, "%s", errors);
	cr_expect_eq(config->uid, geteuid());
	cr_expect_geq(config->workers, 1);
	cr_expect_str_empty(errors);
	config_free(config);
	free(errors);
}

Test(agent_config, refuses_files_that_cannot_be_read)
{
	char *errors, *big;

	cr_expect_null(load(NULL, 0, &errors));
	cr_expect(strstr(errors, "/f: expected a file that can be read, found: "
			 "No such file or directory\n"), "%s", errors);
	free(errors);

	big = calloc(1, (16 << 20) + 1);
	memset(big, '\n', (16 << 20) + 1);
	cr_expect_null(load(big, (16 << 20) + 1, &errors));
	cr_expect(strstr(errors, "/f: expected at most 16777216 bytes, found "
			 "more\n"), "%s", errors);
	free(errors);
	cr_expect_null(load(big, 16 << 20, &errors));
	cr_expect(strstr(errors, "found an empty file\n"), "%s", errors);
	free(errors);
	free(big);
}

Test(agent_config, refuses_a_folder)
{
	size_t size;
	char *errors;
	FILE *out = open_memstream(&errors, &size);

	cr_expect_null(config_load("/", out));
	fclose(out);
	cr_expect_str_eq(errors, "/: expected a file that can be read, found: "
			 "Is a directory\n");
	free(errors);
}

Test(agent_config, frees_nothing)
{
	config_free(NULL);
}

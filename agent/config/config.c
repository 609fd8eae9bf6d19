/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema.h"
#include "cpus.h"

#define MAX_FILE (16 << 20)	/* bytes; 10,000 certificates take 2 MiB */

static int find_user(const char *name, uid_t *uid, gid_t *gid)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(name);
	if (!pw)
		return errno ? -errno : -ENOENT;
	*uid = pw->pw_uid;
	*gid = pw->pw_gid;
	return 0;
}

static int find_group(const char *name, gid_t *gid)
{
	const struct group *gr;

	errno = 0;
	gr = getgrnam(name);
	if (!gr)
		return errno ? -errno : -ENOENT;
	*gid = gr->gr_gid;
	return 0;
}

static const struct config_env system_env = {
	.geteuid = geteuid,
	.getegid = getegid,
	.find_user = find_user,
	.find_group = find_group,
	.cpus = cpus_auto,
};

/* Where byte @offset of the text is, for errors that come without a mark. */
static yaml_mark_t mark_of_byte(const char *text, size_t len, size_t offset)
{
	yaml_mark_t mark = { 0 };
	size_t i;

	for (i = 0; i < len && i < offset; i++) {
		mark.column += (text[i] & 0xc0) != 0x80;
		if (text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

/*
 * Whether the problem stands right behind one of what means something to YAML,
 * as in a bind: without quotes. @index counts characters.
 */
static bool wants_quotes(const char *text, size_t len, size_t index)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++)
		if ((text[i] & 0xc0) != 0x80 && n++ == index)
			break;
	return i && memchr("[{*&}]", text[i - 1], 6);
}

static void syntax_error(struct config_reader *r, const yaml_parser_t *parser,
			 const char *text, size_t len)
{
	yaml_mark_t mark = parser->problem_mark;
	const char *hint = "";

	if (parser->error == YAML_MEMORY_ERROR) {
		r->no_memory = true;
		return;
	}
	if (parser->error == YAML_READER_ERROR)
		mark = mark_of_byte(text, len, parser->problem_offset);
	else if (wants_quotes(text, len, mark.index))
		hint = "; a text that begins like this needs quotes";
	if (parser->context)
		config_error(r, &mark, "YAML", "%s, %s of line %zu%s",
			     parser->problem, parser->context,
			     parser->context_mark.line + 1, hint);
	else
		config_error(r, &mark, "YAML", "%s", parser->problem);
}

/* One document was read: is it the only one? */
static void check_end(struct config_reader *r, yaml_parser_t *parser,
		      const char *text, size_t len)
{
	yaml_document_t second;
	const yaml_node_t *root;

	if (!yaml_parser_load(parser, &second)) {
		syntax_error(r, parser, text, len);
		return;
	}
	root = yaml_document_get_root_node(&second);
	if (root)
		config_error(r, &second.start_mark, "YAML",
			     "expected one document, found a second one");
	yaml_document_delete(&second);
}

static void read_document(struct config_reader *r, const char *text, size_t len)
{
	static const yaml_mark_t start;
	yaml_document_t document;
	yaml_parser_t parser;
	const yaml_node_t *root;

	if (!yaml_parser_initialize(&parser)) {
		r->no_memory = true;
		return;
	}
	yaml_parser_set_input_string(&parser, (const yaml_char_t *)text, len);
	if (!yaml_parser_load(&parser, &document)) {
		syntax_error(r, &parser, text, len);
		goto out;
	}
	r->document = &document;
	root = yaml_document_get_root_node(&document);
	if (!root) {
		config_error(r, &start, "YAML",
			     "expected a mapping of keys, found an empty file");
	} else {
		config_read_mapping(r, "YAML", &config_keys, root, r->config);
		check_end(r, &parser, text, len);
	}
	yaml_document_delete(&document);
out:
	yaml_parser_delete(&parser);
}

struct config *config_parse(const char *file, const char *text, size_t len,
			    const struct config_env *env, FILE *errors)
{
	struct config_reader r = { .file = file, .env = env };

	r.config = calloc(1, sizeof(*r.config));
	r.no_memory = !r.config || !(r.config->file = strdup(file));
	if (!r.no_memory)
		read_document(&r, text, len);
	free(r.names);
	config_print_errors(&r, errors);
	if (!r.no_memory && !r.n_errors)
		return r.config;
	config_free(r.config);
	return NULL;
}

/* Returns bytes, -EFBIG when there are more than MAX_FILE, another -errno. */
static ssize_t read_file(const char *path, char *text)
{
	FILE *file = fopen(path, "re");
	ssize_t len;

	if (!file)
		return -errno;
	errno = 0;
	len = fread(text, 1, MAX_FILE + 1, file);
	if (ferror(file))
		len = errno ? -errno : -EIO;
	else if (len > MAX_FILE)
		len = -EFBIG;
	fclose(file);
	return len;
}

struct config *config_load(const char *path, FILE *errors)
{
	struct config *config = NULL;
	char *text = malloc(MAX_FILE + 1);
	ssize_t len = text ? read_file(path, text) : -ENOMEM;

	if (len == -EFBIG)
		fprintf(errors, "%s: expected at most %u bytes, found more\n",
			path, MAX_FILE);
	else if (len < 0)
		fprintf(errors, "%s: expected a file that can be read, "
			"found: %s\n", path, strerror(-len));
	else
		config = config_parse(path, text, len, &system_env, errors);
	free(text);
	return config;
}

static void free_proxy(struct config_proxy *proxy)
{
	size_t i;

	for (i = 0; i < proxy->n; i++)
		free(proxy->backends[i].text);
	free(proxy->backends);
}

static void free_routes(struct config_route *routes, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(routes[i].name);
		free(routes[i].handoff);
		free_proxy(&routes[i].proxy);
		free(routes[i].allow_uids);
	}
	free(routes);
}

static void free_texts(struct config_texts *texts)
{
	size_t i;

	for (i = 0; i < texts->n; i++)
		free(texts->text[i]);
	free(texts->text);
}

static void free_rules(struct config_rule *rules, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free_texts(&rules[i].sni);
		free(rules[i].alpn.wire);
		free(rules[i].from.prefix);
	}
	free(rules);
}

static void free_client(struct config_client *client)
{
	free(client->ca);
	free_texts(&client->crls);
	free_texts(&client->allow);
}

static void free_tls(struct config_tls *tls)
{
	size_t i;

	free(tls->ciphers);
	free(tls->ciphersuites);
	free(tls->groups);
	free(tls->signature_algorithms);
	for (i = 0; i < tls->n_options; i++) {
		free(tls->options[i].name);
		free(tls->options[i].value);
	}
	free(tls->options);
}

static void free_listeners(struct config_listener *listeners, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(listeners[i].bind);
		free_rules(listeners[i].rules, listeners[i].n_rules);
		free(listeners[i].certs);
		free(listeners[i].alpn.wire);
		free_client(&listeners[i].client);
		free_tls(&listeners[i].tls);
		free(listeners[i].accept_proxy.from.prefix);
	}
	free(listeners);
}

static void free_certs(struct config_cert *certs, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		free(certs[i].name);
		free(certs[i].chain);
		free(certs[i].key);
		free(certs[i].password_file);
		free_client(&certs[i].client);
		free(certs[i].alpn.wire);
		free(certs[i].staple_file);
		free(certs[i].issuer);
		free(certs[i].responder);
	}
	free(certs);
}

static void free_ocsp(struct config_ocsp *ocsp)
{
	size_t i;

	for (i = 0; i < ocsp->n_responders; i++) {
		free(ocsp->responders[i].host);
		free(ocsp->responders[i].url);
	}
	free(ocsp->responders);
	free(ocsp->proxy);
	free(ocsp->ca.path);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	free_certs(config->certs, config->n_certs);
	free_listeners(config->listeners, config->n_listeners);
	free_routes(config->routes, config->n_routes);
	free_ocsp(&config->ocsp);
	free_tls(&config->tls);
	free(config->ticket_keys.path);
	free(config->keylog);
	free(config->control);
	free(config->state_dir);
	free(config->stapler_user);
	free(config->proxy_user);
	free(config->user);
	free(config->file);
	free(config);
}

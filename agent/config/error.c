/* SPDX-License-Identifier: MIT */
#include "error.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"

bool config_too_many_errors(const struct config_reader *r)
{
	return r->n_errors == CONFIG_MAX_ERRORS;
}

/* Nothing from the file may end a line, or talk to a terminal. */
static void make_printable(char *text, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	}
}

static void add_error(struct config_reader *r, const yaml_mark_t *at,
		      const char *key, const char *text)
{
	struct config_error *e;

	if (config_too_many_errors(r))
		return;
	e = &r->errors[r->n_errors];
	e->order = r->n_errors++;
	e->line = at->line + 1;
	e->column = at->column + 1;
	snprintf(e->text, sizeof(e->text), "%s: %s", key, text);
	make_printable(e->text, strlen(e->text));
}

void config_error(struct config_reader *r, const yaml_mark_t *at,
		  const char *key, const char *format, ...)
{
	char text[336];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add_error(r, at, key, text);
}

void config_expected(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, const char *format, ...)
{
	char text[176];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	config_error(r, &node->start_mark, key->name, "expected %s, found %s",
		     text, config_found(node).text);
}

/* Bytes of @text to show: all, or some that end between two characters. */
static size_t shown(const unsigned char *text, size_t len, size_t max)
{
	if (len <= max)
		return len;
	while (max && (text[max] & 0xc0) == 0x80)
		max--;
	return max;
}

static struct config_found found_text(const unsigned char *text, size_t len)
{
	static const size_t max = sizeof(struct config_found) - 8;
	struct config_found found = { "\"" };
	size_t n = shown(text, len, max);

	memcpy(found.text + 1, text, n);
	make_printable(found.text + 1, n);
	strcpy(found.text + 1 + n, n < len ? "\"..." : "\"");
	return found;
}

bool config_is_pem(const yaml_node_t *node)
{
	static const char begin[] = "-----BEGIN ";

	return node->type == YAML_SCALAR_NODE &&
	       memmem(node->data.scalar.value, node->data.scalar.length, begin,
		      strlen(begin));
}

/* 32 bytes in base64; hexadecimal digits are some of its own. */
#define KEY_MIN 43

/*
 * Nothing of a text that may be a key in base64, in one or several lines, that
 * came to a place where something else is expected.
 */
static bool may_be_key(const unsigned char *text, size_t len)
{
	size_t n = 0, i;

	for (i = 0; i < len; i++) {
		if (isspace(text[i]))
			continue;
		if (!text[i] ||
		    (!isalnum(text[i]) && !strchr("+/=", text[i])))
			return false;
		n++;
	}
	return n >= KEY_MIN;
}

struct config_found config_found(const yaml_node_t *node)
{
	if (node->type == YAML_SEQUENCE_NODE)
		return (struct config_found){ "a list" };
	if (node->type == YAML_MAPPING_NODE)
		return (struct config_found){ "a mapping" };
	if (!node->data.scalar.length &&
	    node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		return (struct config_found){ "nothing" };
	if (config_is_pem(node))
		return (struct config_found){ "the text of a PEM file" };
	if (may_be_key(node->data.scalar.value, node->data.scalar.length))
		return (struct config_found){ "a text that may be a key" };
	return found_text(node->data.scalar.value, node->data.scalar.length);
}

static int by_place(const void *a, const void *b)
{
	const struct config_error *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

void config_print_errors(struct config_reader *r, FILE *errors)
{
	size_t i;

	qsort(r->errors, r->n_errors, sizeof(r->errors[0]), by_place);
	for (i = 0; i < r->n_errors; i++)
		fprintf(errors, "%s:%zu:%zu: %s\n", r->file,
			r->errors[i].line, r->errors[i].column,
			r->errors[i].text);
	if (config_too_many_errors(r))
		fprintf(errors, "%s: too many errors, stopped here\n", r->file);
	if (r->no_memory)
		fprintf(errors, "%s: out of memory\n", r->file);
}

/* SPDX-License-Identifier: MIT */
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* 2^32 - 1 means "nobody in particular" to chown(2) and the like. */
#define MAX_ID (UINT32_MAX - 1)

static const struct unit {
	const char *name;
	unsigned int ms;
} units[] = {
	{ "h", 3600000 }, { "m", 60000 }, { "s", 1000 }, { "ms", 1 },
};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

char *config_copy(struct config_reader *r, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		r->no_memory = true;
	return copy;
}

const char *config_text(struct config_reader *r, const struct config_key *key,
			const yaml_node_t *node, const char *expected)
{
	const char *text;

	if (node->type != YAML_SCALAR_NODE || !node->data.scalar.length ||
	    config_is_pem(node)) {
		config_expected(r, key, node, "%s", expected);
		return NULL;
	}
	text = (const char *)node->data.scalar.value;
	if (strlen(text) != node->data.scalar.length) {
		config_error(r, &node->start_mark, key->name,
			     "expected %s, found a NUL character", expected);
		return NULL;
	}
	return text;
}

int config_parse_number(const char *text, size_t len, unsigned int max,
			unsigned int *number)
{
	uint64_t n = 0;
	size_t i;

	if (!len || strspn(text, "0123456789") < len)
		return -EINVAL;
	for (i = 0; i < len && n <= max; i++)
		n = n * 10 + (text[i] - '0');
	if (n > max)
		return -ERANGE;
	*number = n;
	return 0;
}

static void read_number(struct config_reader *r, const struct config_key *key,
			const yaml_node_t *node, void *item, const char *or)
{
	char expected[64];
	const char *text;
	unsigned int n;

	snprintf(expected, sizeof(expected), "%sa number from %u to %u", or,
		 key->min, key->max);
	text = config_text(r, key, node, expected);
	if (!text)
		return;
	if (config_parse_number(text, strlen(text), key->max, &n) ||
	    n < key->min)
		config_expected(r, key, node, "%s", expected);
	else
		*(unsigned int *)config_field(key, item) = n;
}

CONFIG_READER(config_read_number)
{
	read_number(r, key, node, item, "");
}

CONFIG_READER(config_read_workers)
{
	if (node->type == YAML_SCALAR_NODE && node->data.scalar.length == 4 &&
	    !memcmp(node->data.scalar.value, "auto", 4))
		*(unsigned int *)config_field(key, item) = r->env->cpus();
	else
		read_number(r, key, node, item, "auto or ");
}

static int parse_duration(const char *text, unsigned int max, unsigned int *ms)
{
	size_t digits = strspn(text, "0123456789"), i;
	int ret;

	for (i = 0; i < N_UNITS; i++) {
		if (strcmp(text + digits, units[i].name))
			continue;
		ret = config_parse_number(text, digits, max / units[i].ms, ms);
		if (!ret)
			*ms *= units[i].ms;
		return ret;
	}
	return -EINVAL;
}

struct duration_text {
	char text[16];
};

static struct duration_text duration_text(unsigned int ms)
{
	struct duration_text d;
	const struct unit *unit = units;

	while (unit->ms > 1 && (ms % unit->ms || !ms))
		unit++;
	snprintf(d.text, sizeof(d.text), "%u%s", ms / unit->ms, unit->name);
	return d;
}

static int find_duration(struct config_reader *r, const struct config_key *key,
			 const yaml_node_t *node, unsigned int *ms)
{
	static const char *const form =
		"a duration such as 500ms, 10s, 2m or 1h";
	const char *text = config_text(r, key, node, form);
	int ret;

	if (!text)
		return -EINVAL;
	ret = parse_duration(text, key->max, ms);
	if (!ret && *ms >= key->min)
		return 0;
	if (ret == -EINVAL)
		config_expected(r, key, node, "%s", form);
	else
		config_expected(r, key, node, "a duration from %s to %s",
				duration_text(key->min).text,
				duration_text(key->max).text);
	return -EINVAL;
}

CONFIG_READER(config_read_duration)
{
	unsigned int ms;

	if (!find_duration(r, key, node, &ms))
		*(unsigned int *)config_field(key, item) = ms;
}

CONFIG_READER(config_read_seconds)
{
	unsigned int ms;

	if (find_duration(r, key, node, &ms))
		return;
	if (ms % 1000)
		config_expected(r, key, node, "a duration of whole seconds");
	else
		*(unsigned int *)config_field(key, item) = ms / 1000;
}

/* "prefer, require or off" */
static void join_words(const char *const *words, char *text, size_t size)
{
	size_t i, len = 0;

	for (i = 0; words[i]; i++)
		len += snprintf(text + len, size - len, "%s%s",
				!i ? "" : words[i + 1] ? ", " : " or ",
				words[i]);
}

int config_parse_word(struct config_reader *r, const struct config_key *key,
		      const yaml_node_t *node, unsigned int *index)
{
	char expected[96];
	const char *text;
	unsigned int i;

	join_words(key->words, expected, sizeof(expected));
	text = config_text(r, key, node, expected);
	if (!text)
		return -EINVAL;
	for (i = 0; key->words[i]; i++) {
		if (!strcmp(key->words[i], text)) {
			*index = i;
			return 0;
		}
	}
	config_expected(r, key, node, "%s", expected);
	return -EINVAL;
}

CONFIG_READER(config_read_word)
{
	unsigned int i;

	if (!config_parse_word(r, key, node, &i))
		memcpy(config_field(key, item), &i, sizeof(i));
}

const char *const config_bool_words[] = { "false", "true", NULL };

CONFIG_READER(config_read_choice)
{
	unsigned int i;

	if (!config_parse_word(r, key, node, &i))
		*(bool *)config_field(key, item) = i;
}

char *config_path(struct config_reader *r, const char *path)
{
	const char *slash = path[0] == '/' ? NULL : strrchr(r->file, '/');
	int folder = slash ? slash + 1 - r->file : 0;
	char *whole;

	if (asprintf(&whole, "%.*s%s", folder, r->file, path) >= 0)
		return whole;
	r->no_memory = true;
	return NULL;
}

char *config_path_entry(struct config_reader *r, const struct config_key *key,
			const yaml_node_t *node)
{
	const char *path = config_text(r, key, node, "a path");

	return path ? config_path(r, path) : NULL;
}

void config_store_path(struct config_reader *r, const struct config_key *key,
		       const char *path, void *item)
{
	*(char **)config_field(key, item) = config_path(r, path);
}

CONFIG_READER(config_read_path)
{
	const char *path = config_text(r, key, node, "a path");

	if (path)
		config_store_path(r, key, path, item);
}

CONFIG_READER(config_read_file)
{
	struct config_file *file = config_field(key, item);

	file->mark = config_mark(r, node);
	file->path = config_path_entry(r, key, node);
}

CONFIG_READER(config_read_mode)
{
	static const char *const form = "an octal file mode from 0000 to 0777";
	const char *text = config_text(r, key, node, form);
	size_t digits;

	if (!text)
		return;
	digits = strspn(text, "01234567");
	if (text[digits] || digits < 3 || digits > 4 ||
	    (digits == 4 && text[0] != '0'))
		config_expected(r, key, node, "%s", form);
	else
		*(mode_t *)config_field(key, item) = strtoul(text, NULL, 8);
}

/* @error: of the lookup that did not find @node's name. */
static void no_account(struct config_reader *r, const struct config_key *key,
		       const yaml_node_t *node, const char *what, int error)
{
	if (error == -ENOENT)
		config_expected(r, key, node, "%s or its number", what);
	else
		config_expected(r, key, node, "%s (%s)", what,
				strerror(-error));
}

int config_parse_uid(struct config_reader *r, const struct config_key *key,
		     const yaml_node_t *node, uid_t *uid)
{
	static const char *const what = "an account that exists";
	const char *text = config_text(r, key, node, what);
	gid_t gid;
	int ret;

	if (!text)
		return -EINVAL;
	if (!config_parse_number(text, strlen(text), MAX_ID, uid))
		return 0;
	ret = r->env->find_user(text, uid, &gid);
	if (!ret)
		return 0;
	no_account(r, key, node, what, ret);
	return -EINVAL;
}

CONFIG_READER(config_read_uid)
{
	uid_t uid;

	if (!config_parse_uid(r, key, node, &uid))
		*(uid_t *)config_field(key, item) = uid;
}

CONFIG_READER(config_read_gid)
{
	static const char *const what = "a group that exists";
	const char *text = config_text(r, key, node, what);
	gid_t gid;
	int ret;

	if (!text)
		return;
	ret = config_parse_number(text, strlen(text), MAX_ID, &gid);
	if (ret)
		ret = r->env->find_group(text, &gid);
	if (ret)
		no_account(r, key, node, what, ret);
	else
		*(gid_t *)config_field(key, item) = gid;
}

// SPDX-License-Identifier: MIT
#include "tools/probe/report.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "fetch/text.h"

static const char *const words[] = { "ok", "note", "lacks", "fatal" };

int report_begin(struct report *r, bool json, FILE *out)
{
	*r = (struct report){ .out = out, .section = "" };
	if (!json)
		return 0;
	r->root = json_pack("{s:[]}", "notes");
	return r->root ? 0 : -ENOMEM;
}

const char *report_escape(const char *text, char out[static 256])
{
	return fetch_escape(text, strlen(text), out, 256);
}

static void add_line(struct report *r, const char *section, const char *item,
		     enum report_state state, const char *text)
{
	if (strcmp(section, r->section))
		fprintf(r->out, "%s%s\n", *r->section ? "\n" : "", section);
	fprintf(r->out, "  %-5s  %-26s  %s\n", words[state], item, text);
}

static void add_json(struct report *r, const char *section, const char *item,
		     json_t *value, enum report_state state, const char *text)
{
	json_t *items = json_object_get(r->root, section);

	if (!items) {
		items = json_object();
		json_object_set_new(r->root, section, items);
	}
	json_object_set_new(items, item, value);
	if (state != REPORT_OK)
		json_array_append_new(json_object_get(r->root, "notes"),
				      json_pack("{s:s, s:s, s:s, s:s}",
						"section", section, "item",
						item, "state", words[state],
						"text", text));
}

void report_add(struct report *r, const char *section, const char *item,
		json_t *value, enum report_state state, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (state > r->worst) {
		r->worst = state;
		snprintf(r->why, sizeof(r->why), "%s %s: %.120s", section,
			 item, text);
	}
	if (r->root) {
		add_json(r, section, item, value, state, text);
	} else {
		add_line(r, section, item, state, text);
		json_decref(value);
	}
	r->section = section;
}

int report_flush(FILE *out)
{
	if (!fflush(out) && !ferror(out))
		return 0;
	fputs("ktls-probe: cannot write\n", stderr);
	return PROBE_FAILED;
}

int report_dump(json_t *root, FILE *out)
{
	if (!root) {
		fputs("ktls-probe: out of memory\n", stderr);
		return PROBE_FAILED;
	}
	json_dumpf(root, out, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(root);
	fputc('\n', out);
	return report_flush(out);
}

int report_end(struct report *r)
{
	static const char *const verdicts[] = {
		"all that ktlsd wants is there",
		"all that ktlsd wants is there; see the notes",
		"ktlsd runs here, but not with all of kTLS",
		"ktlsd cannot run here",
	};
	static const int statuses[] = { 0, 0, PROBE_LACKS, PROBE_FAILED };
	const bool bad = r->worst >= REPORT_LACKS;
	char text[256];

	snprintf(text, sizeof(text), "%s%s%s", verdicts[r->worst],
		 bad ? "; first: " : "", bad ? r->why : "");
	if (!r->root) {
		fprintf(r->out, "\n%s\n", text);
		return report_flush(r->out) ? PROBE_FAILED :
					      statuses[r->worst];
	}
	json_object_set_new(r->root, "verdict", json_string(text));
	json_object_set_new(r->root, "status", json_integer(statuses[r->worst]));
	return report_dump(r->root, r->out) ? PROBE_FAILED : statuses[r->worst];
}

/* SPDX-License-Identifier: MIT */
/* What was found, item by item: as a table at once, or as JSON at the end. */
#ifndef TOOLS_PROBE_REPORT_H
#define TOOLS_PROBE_REPORT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Exit statuses; see ktls-probe(1). */
#define PROBE_LACKS 1
#define PROBE_FAILED 2
#define PROBE_USAGE 100

/*
 * enum report_state - what an item means for ktlsd
 * NOTE: of no harm to most; LACKS: it relays, or offers less; FATAL: it cannot
 * run here
 */
enum report_state { REPORT_OK, REPORT_NOTE, REPORT_LACKS, REPORT_FATAL };

/*
 * struct report
 * @root:    the JSON, or NULL: a table
 * @section: of the line before
 * @worst:   of all states, and @why, the text of the first that has it
 */
struct report {
	FILE *out;
	json_t *root;
	const char *section;
	enum report_state worst;
	char why[160];
};

/* report_begin - @json: not a table. Returns 0 or -ENOMEM. */
int report_begin(struct report *r, bool json, FILE *out);

/*
 * report_add - one item
 * @section: a string that lives as long as @r
 * @value:   for JSON; taken over. @format: for people
 */
void report_add(struct report *r, const char *section, const char *item,
		json_t *value, enum report_state state, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* report_end - say what it comes to; returns the exit status, frees @r's JSON */
int report_end(struct report *r);

/*
 * report_escape - bytes that somebody else has chosen, as fetch_escape(): then
 * they print, and are UTF-8
 */
const char *report_escape(const char *text, char out[static 256]);

/* report_flush - out with it. 0, or PROBE_FAILED when any of it was lost: said */
int report_flush(FILE *out);

/* report_dump - one document and its line end; frees it. 0, or PROBE_FAILED */
int report_dump(json_t *root, FILE *out);

#endif

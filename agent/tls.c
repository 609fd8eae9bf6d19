/* SPDX-License-Identifier: MIT */
#include "tls.h"

#include <stdlib.h>

#include "log.h"

/* Both in one piece of memory. */
struct settings {
	struct hs_tls tls;
	struct hs_option options[];
};

static struct settings *translate(const struct config_tls *c)
{
	static const enum hs_preset presets[] = {
		[CONFIG_PRESET_NONE] = HS_PRESET_NONE,
		[CONFIG_PRESET_MODERN] = HS_PRESET_MODERN,
		[CONFIG_PRESET_INTERMEDIATE] = HS_PRESET_INTERMEDIATE,
	};
	struct settings *s = malloc(sizeof(*s) +
				    c->n_options * sizeof(s->options[0]));
	size_t i;

	if (!s)
		return NULL;
	s->tls = (struct hs_tls){
		.preset = presets[c->preset],
		.min_version = c->min_version,
		.ciphers = c->ciphers,
		.ciphersuites = c->ciphersuites,
		.groups = c->groups,
		.signature_algorithms = c->signature_algorithms,
		.options = s->options,
		.n_options = c->n_options,
	};
	for (i = 0; i < c->n_options; i++)
		s->options[i] = (struct hs_option){ c->options[i].name,
						    c->options[i].value };
	return s;
}

/* The option at fault, the listener's or the file's tls, or the listener. */
static const struct config_mark *
mark_of(const struct config_listener *listener, const struct settings *s,
	const struct hs_option *option)
{
	const struct config_tls *c = &listener->tls;

	if (option)
		return &c->options[option - s->options].mark;
	return c->mark.line ? &c->mark : &listener->mark;
}

struct hs_tls *tls_settings(const struct config_listener *listener,
			    unsigned int pairs)
{
	struct settings *s = translate(&listener->tls);
	const struct hs_option *option = NULL;
	const struct config_mark *mark;
	char error[512] = "out of memory";

	if (s && !hs_tls_check(&s->tls, pairs, &option, error, sizeof(error)))
		return &s->tls;
	mark = mark_of(listener, s, option);
	log_error("event=tls_refused at=%s:%u:%u error=\"%s\"", mark->file,
		  mark->line, mark->column, error);
	free(s);
	return NULL;
}

/* CONFIG_DENY is none of them. */
static unsigned int told(const struct config *config, unsigned int route)
{
	return route < config->n_routes ? config->routes[route].tell : 0;
}

unsigned int tls_told(const struct config *config,
		      const struct config_listener *listener)
{
	unsigned int all = told(config, listener->route);
	size_t i;

	for (i = 0; i < listener->n_rules; i++)
		all |= told(config, listener->rules[i].route);
	return all;
}

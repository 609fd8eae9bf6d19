/* SPDX-License-Identifier: MIT */
#include "rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "prefix.h"

#define NAME_MAX_LEN 255	/* RFC 1035 2.3.4 */

/*
 * A rule is found by what it asks for that the fewest clients have: its names;
 * else the prefixes they come from; else it is looked at for all of them. What
 * else it asks for is then compared.
 */
enum kind { KIND_ANY, KIND_NAME, KIND_WILDCARD, KIND_PREFIX };

/*
 * struct entry - one way to find a rule
 * @key: a name; what follows the "*" of a wildcard; or a prefix's length and
 *       then its address; sorted by all of these
 */
struct entry {
	enum kind kind;
	const uint8_t *key;
	size_t len;
	unsigned int rule;
};

struct range {
	uint8_t first[PREFIX_LEN], last[PREFIX_LEN];
};

struct rule {
	const struct config_rule *config;
	bool by_offer;		/* its protocols are compared with the offer */
	struct range *ranges;	/* ascending, apart from each other */
	size_t n_ranges;
};

struct rules {
	struct rule *rules;
	unsigned int n, n_early;	/* before the first about a hello */
	unsigned int otherwise;		/* the route where none fits */
	bool may_pass;
	struct entry *entries;
	size_t n_entries;
	uint8_t *keys, *keys_end;	/* of the entries, their bytes */
	struct range *ranges, *ranges_end;	/* of all rules */
	uint8_t bits[129];		/* lengths that prefixes have */
	unsigned int n_bits;
};

/* As names are compared. Returns its length, 0 for one that is too long. */
static size_t fold(const char *name, uint8_t *to)
{
	size_t len = strlen(name), i;

	if (len > NAME_MAX_LEN)
		return 0;
	for (i = 0; i < len; i++)
		to[i] = (uint8_t)tolower((unsigned char)name[i]);
	return len;
}

/* --- finding ------------------------------------------------------------- */

static int compare_keys(const struct entry *a, const struct entry *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return a->len ? memcmp(a->key, b->key, a->len) : 0;
}

static int compare_entries(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	int order = compare_keys(a, b);

	return order ? order : (a->rule > b->rule) - (a->rule < b->rule);
}

/* The first entry that has this key, or where it would be. */
static size_t find(const struct rules *r, const struct entry *key)
{
	size_t low = 0, high = r->n_entries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_keys(&r->entries[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Is this protocol, with its length before it, in the list? */
static bool lists(const uint8_t *list, size_t list_len, const uint8_t *protocol)
{
	const uint8_t *end = list + list_len;

	for (; list < end && list + 1 + *list <= end; list += 1 + *list)
		if (*list == *protocol &&
		    !memcmp(list + 1, protocol + 1, *list))
			return true;
	return false;
}

static bool fits_offer(const struct config_alpn *alpn, struct ocsp_bytes offer)
{
	const uint8_t *p = alpn->wire, *end = p + alpn->len;

	for (; p < end; p += 1 + *p)
		if (lists(offer.data, offer.len, p))
			return true;
	return false;
}

static bool fits_protocol(const struct rule *rule,
			  const struct rules_client *client)
{
	const struct config_alpn *alpn = &rule->config->alpn;
	uint8_t agreed[256];

	if (!alpn->len)
		return true;
	if (rule->by_offer)
		return fits_offer(alpn, client->offered);
	if (!client->protocol.len || client->protocol.len > 255)
		return false;
	agreed[0] = (uint8_t)client->protocol.len;
	memcpy(agreed + 1, client->protocol.data, client->protocol.len);
	return lists(alpn->wire, alpn->len, agreed);
}

static bool fits_address(const struct rule *rule,
			 const struct sockaddr_storage *peer)
{
	size_t low = 0, high = rule->n_ranges;
	uint8_t addr[PREFIX_LEN];

	if (!rule->n_ranges)
		return true;
	if (!prefix_address(peer, addr))
		return false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(rule->ranges[middle].first, addr, PREFIX_LEN) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low && memcmp(addr, rule->ranges[low - 1].last, PREFIX_LEN) <= 0;
}

/* The first rule before @best that is found by @key and fits, or @best. */
static unsigned int first_fit(const struct rules *r, struct entry key,
			      const struct rules_client *client,
			      unsigned int best)
{
	size_t i = find(r, &key);

	for (; i < r->n_entries; i++) {
		const struct entry *e = &r->entries[i];

		if (e->rule >= best || compare_keys(e, &key))
			break;
		if (fits_protocol(&r->rules[e->rule], client) &&
		    fits_address(&r->rules[e->rule], client->peer))
			return e->rule;
	}
	return best;
}

static unsigned int first_by_name(const struct rules *r,
				  const struct rules_client *client,
				  unsigned int best)
{
	uint8_t name[NAME_MAX_LEN];
	size_t len = fold(client->server_name, name);
	const uint8_t *dot;

	if (!len)
		return best;
	best = first_fit(r, (struct entry){ KIND_NAME, name, len, 0 }, client,
			 best);
	dot = memchr(name, '.', len);
	if (!dot || dot == name)
		return best;
	len -= (size_t)(dot - name);
	return first_fit(r, (struct entry){ KIND_WILDCARD, dot, len, 0 },
			 client, best);
}

static unsigned int first_by_prefix(const struct rules *r,
				    const struct rules_client *client,
				    unsigned int best)
{
	uint8_t key[1 + PREFIX_LEN], addr[PREFIX_LEN];
	unsigned int i;

	if (!prefix_address(client->peer, addr))
		return best;
	for (i = 0; i < r->n_bits; i++) {
		key[0] = r->bits[i];
		memcpy(key + 1, addr, PREFIX_LEN);
		prefix_mask(key + 1, r->bits[i]);
		best = first_fit(r, (struct entry){ KIND_PREFIX, key,
				 sizeof(key), 0 }, client, best);
	}
	return best;
}

unsigned int rules_choose(const struct rules *r,
			  const struct rules_client *client)
{
	unsigned int best;

	best = first_fit(r, (struct entry){ .kind = KIND_ANY }, client, r->n);
	best = first_by_name(r, client, best);
	best = first_by_prefix(r, client, best);
	return best < r->n ? r->rules[best].config->route : r->otherwise;
}

bool rules_choose_early(const struct rules *r,
			const struct sockaddr_storage *peer,
			unsigned int *route)
{
	struct rules_client client = { .server_name = "", .peer = peer };
	unsigned int best;

	best = first_fit(r, (struct entry){ .kind = KIND_ANY }, &client,
			 r->n_early);
	best = first_by_prefix(r, &client, best);
	*route = best < r->n_early ? r->rules[best].config->route :
				     r->otherwise;
	return best < r->n_early || r->n_early == r->n;
}

bool rules_may_pass(const struct rules *r)
{
	return r->may_pass;
}

/* --- preparing ----------------------------------------------------------- */

static void add_entry(struct rules *r, enum kind kind, size_t len,
		      unsigned int rule)
{
	r->entries[r->n_entries++] = (struct entry){ kind, r->keys_end, len,
						     rule };
	r->keys_end += len;
}

static void add_name(struct rules *r, const char *name, unsigned int rule)
{
	bool wildcard = name[0] == '*' && name[1] == '.';
	size_t len = fold(name + wildcard, r->keys_end);

	if (len)
		add_entry(r, wildcard ? KIND_WILDCARD : KIND_NAME, len, rule);
}

static void add_prefix(struct rules *r, const struct config_prefix *prefix,
		       unsigned int rule)
{
	r->keys_end[0] = (uint8_t)prefix->bits;
	memcpy(r->keys_end + 1, prefix->addr, PREFIX_LEN);
	prefix_mask(r->keys_end + 1, prefix->bits);
	if (!memchr(r->bits, (int)prefix->bits, r->n_bits))
		r->bits[r->n_bits++] = (uint8_t)prefix->bits;
	add_entry(r, KIND_PREFIX, 1 + PREFIX_LEN, rule);
}

static void add_entries(struct rules *r, unsigned int rule)
{
	const struct config_rule *config = r->rules[rule].config;
	size_t i;

	for (i = 0; i < config->sni.n; i++)
		add_name(r, config->sni.text[i], rule);
	for (i = 0; i < config->from.n && !config->sni.n; i++)
		add_prefix(r, &config->from.prefix[i], rule);
	if (!config->sni.n && !config->from.n)
		add_entry(r, KIND_ANY, 0, rule);
}

static int compare_ranges(const void *x, const void *y)
{
	const struct range *a = x, *b = y;
	int order = memcmp(a->first, b->first, PREFIX_LEN);

	/* Of two with the same beginning, first the one that has the other. */
	return order ? order : memcmp(b->last, a->last, PREFIX_LEN);
}

/* Of prefixes, two are apart, or one lies in the other and can go. */
static void add_ranges(struct rules *r, struct rule *rule)
{
	const struct config_prefixes *from = &rule->config->from;
	struct range *range = r->ranges_end;
	size_t i, j;

	for (i = 0; i < from->n; i++) {
		memcpy(range[i].first, from->prefix[i].addr, PREFIX_LEN);
		prefix_mask(range[i].first, from->prefix[i].bits);
		memset(range[i].last, 0xff, PREFIX_LEN);
		prefix_mask(range[i].last, from->prefix[i].bits);
		for (j = 0; j < PREFIX_LEN; j++)
			range[i].last[j] = (uint8_t)(range[i].first[j] |
						     ~range[i].last[j]);
	}
	rule->ranges = range;
	qsort(range, from->n, sizeof(*range), compare_ranges);
	for (i = 0; i < from->n; i++)
		if (!rule->n_ranges ||
		    memcmp(range[i].first, range[rule->n_ranges - 1].last,
			   PREFIX_LEN) > 0)
			range[rule->n_ranges++] = range[i];
	r->ranges_end += rule->n_ranges;
}

static int allocate(struct rules *r, const struct config_listener *l)
{
	size_t names = 0, prefixes = 0, i, j, key_bytes = 0;

	for (i = 0; i < l->n_rules; i++) {
		names += l->rules[i].sni.n;
		prefixes += l->rules[i].from.n;
		for (j = 0; j < l->rules[i].sni.n; j++)
			key_bytes += strlen(l->rules[i].sni.text[j]) + 1;
	}
	key_bytes += prefixes * (1 + PREFIX_LEN);
	r->rules = calloc(l->n_rules + 1, sizeof(*r->rules));
	r->entries = calloc(l->n_rules + names + prefixes + 1,
			    sizeof(*r->entries));
	r->keys = r->keys_end = malloc(key_bytes + 1);
	r->ranges = r->ranges_end = calloc(prefixes + 1, sizeof(*r->ranges));
	return r->rules && r->entries && r->keys && r->ranges ? 0 : -1;
}

static void note_route(struct rules *r, const struct config_route *routes,
		       unsigned int route)
{
	if (route != CONFIG_DENY && routes[route].passthrough)
		r->may_pass = true;
}

static bool is_by_offer(const struct config_rule *config,
			const struct config_route *routes)
{
	return config->route == CONFIG_DENY || routes[config->route].passthrough;
}

/* Returns false for a rule that fits everybody: the last that matters. */
static bool add_rule(struct rules *r, const struct config_rule *config,
		     const struct config_route *routes)
{
	struct rule *rule = &r->rules[r->n];

	rule->config = config;
	rule->by_offer = is_by_offer(config, routes);
	add_ranges(r, rule);
	add_entries(r, r->n);
	note_route(r, routes, config->route);
	if (r->n_early == r->n && !config->sni.n && !config->alpn.len)
		r->n_early++;
	r->n++;
	return config->sni.n || config->alpn.len || config->from.n;
}

struct rules *rules_new(const struct config_listener *listener,
			const struct config_route *routes)
{
	struct rules *r = calloc(1, sizeof(*r));
	size_t i;

	if (!r || allocate(r, listener)) {
		rules_free(r);
		return NULL;
	}
	r->otherwise = listener->route;
	for (i = 0; i < listener->n_rules; i++)
		if (!add_rule(r, &listener->rules[i], routes))
			break;
	if (i == listener->n_rules)
		note_route(r, routes, r->otherwise);
	qsort(r->entries, r->n_entries, sizeof(*r->entries), compare_entries);
	return r;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	free(r->rules);
	free(r->entries);
	free(r->keys);
	free(r->ranges);
	free(r);
}

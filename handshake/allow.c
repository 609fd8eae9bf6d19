// SPDX-License-Identifier: MIT
/*
 * Entries such as "dns:*.example.com", compared with a certificate's names. The
 * names have come through hs_peer_new(): none of them holds a NUL.
 */
#include "handshake/allow.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "handshake/client.h"

#define DIGEST 32
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define HOST_BYTES LOWER UPPER DIGITS "-_."
#define SCHEME_BYTES LOWER UPPER DIGITS "+-."

struct hs_allow_entry {
	const struct kind *kind;
	char *value;		/* behind the kind's prefix */
	uint8_t digest[DIGEST];	/* of a key */
};

struct kind {
	const char *prefix;
	bool (*parse)(struct hs_allow_entry *entry);
	/* @name: one of the certificate's, of this kind */
	bool (*fits)(const char *entry, const char *name);
};

static bool is_printable(const char *text)
{
	while (*text > ' ' && *text <= '~')
		text++;
	return !*text;
}

/* Addresses look like names, but certificates have them elsewhere. */
static bool is_host(const char *host)
{
	const char *last = strrchr(host, '.');

	last = last ? last + 1 : host;
	return !host[strspn(host, HOST_BYTES)] && host[0] != '.' &&
	       !strstr(host, "..") && last[strspn(last, DIGITS)];
}

static bool parse_dns(struct hs_allow_entry *entry)
{
	const char *host = entry->value;

	return is_host(!strncmp(host, "*.", 2) ? host + 2 : host);
}

/* RFC 6125 6.4.3, the other way round: "*" is one label, and not none. */
static bool fits_dns(const char *entry, const char *name)
{
	const char *dot = strchr(name, '.');

	if (entry[0] != '*')
		return !strcasecmp(entry, name);
	return dot && dot > name && !strcasecmp(entry + 1, dot);
}

/*
 * Where the bytes of a URI begin that compare with their case: behind the scheme
 * and, where there is one, the host (RFC 5280 7.4).
 */
static size_t behind_host(const char *uri)
{
	size_t colon = strcspn(uri, ":");

	if (strncmp(uri + colon, "://", 3))
		return colon;
	return colon + 3 + strcspn(uri + colon + 3, "/?#");
}

/* A tail begins where a part of the name does: never within a host's. */
static bool parse_uri(struct hs_allow_entry *entry)
{
	const char *uri = entry->value;
	size_t colon = strspn(uri, SCHEME_BYTES);
	size_t path = behind_host(uri);
	size_t star = strcspn(uri, "*");

	if (!isalpha((unsigned char)uri[0]) || uri[colon] != ':' ||
	    !is_printable(uri))
		return false;
	/* What stands before "@" would have to compare in another way. */
	if (memchr(uri, '@', path) || !uri[colon + 1])
		return false;
	if (!uri[star])
		return true;
	return !uri[star + 1] && star > path &&
	       (uri[star - 1] == '/' || uri[star - 1] == ':');
}

/* Is "." or ".." among the path's segments, encoded perhaps? */
static bool has_dots(const char *path)
{
	for (;; path++) {
		size_t dots = 0;

		for (;; dots++) {
			if (*path == '.')
				path++;
			else if (!strncasecmp(path, "%2e", 3))
				path += 3;
			else
				break;
		}
		if ((dots == 1 || dots == 2) && strchr("/?#", *path))
			return true;
		path += strcspn(path, "/");
		if (!*path)
			return false;
	}
}

static bool fits_uri(const char *entry, const char *uri)
{
	size_t path = behind_host(entry);
	size_t len = strlen(entry);

	if (strncasecmp(entry, uri, path))
		return false;
	if (entry[len - 1] != '*')
		return !strcmp(entry + path, uri + path);
	return !strncmp(entry + path, uri + path, len - 1 - path) &&
	       !has_dots(uri + path);
}

static bool parse_email(struct hs_allow_entry *entry)
{
	const char *at = strrchr(entry->value, '@');

	return at && at > entry->value && is_host(at + 1) &&
	       is_printable(entry->value) && !strchr(entry->value, '*');
}

/* RFC 5280 7.5: the host without case */
static bool fits_email(const char *entry, const char *name)
{
	const char *at = strrchr(name, '@');
	size_t local = strrchr(entry, '@') - entry;

	return at && (size_t)(at - name) == local &&
	       !memcmp(entry, name, local) && !strcasecmp(entry + local, at);
}

/* Who writes "*" means more than that name. */
static bool parse_cn(struct hs_allow_entry *entry)
{
	return entry->value[0] && !strchr(entry->value, '*');
}

static bool fits_cn(const char *entry, const char *name)
{
	return !strcmp(entry, name);
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool parse_spki(struct hs_allow_entry *entry)
{
	const char *hex = entry->value;

	if (strlen(hex) != 2 * DIGEST)
		return false;
	for (size_t i = 0; i < DIGEST; i++) {
		int high = nibble(hex[2 * i]);
		int low = nibble(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		entry->digest[i] = high << 4 | low;
	}
	return true;
}

static const struct kind kinds[] = {
	{ "dns:", parse_dns, fits_dns },
	{ "uri:", parse_uri, fits_uri },
	{ "email:", parse_email, fits_email },
	{ "cn:", parse_cn, fits_cn },
	{ "spki-sha256:", parse_spki, NULL },
};
#define KINDS (sizeof(kinds) / sizeof(*kinds))

static const struct kind *kind_of(const char *text)
{
	for (size_t i = 0; i < KINDS; i++)
		if (!strncmp(text, kinds[i].prefix, strlen(kinds[i].prefix)))
			return &kinds[i];
	return NULL;
}

static int parse(struct hs_allow_entry *entry, const char *text)
{
	entry->kind = kind_of(text);
	if (!entry->kind)
		return -EINVAL;
	entry->value = strdup(text + strlen(entry->kind->prefix));
	if (!entry->value)
		return -ENOMEM;
	return entry->kind->parse(entry) ? 0 : -EINVAL;
}

int hs_client_check_allow(const char *text)
{
	struct hs_allow_entry entry = { 0 };
	int err = parse(&entry, text);

	free(entry.value);
	return err;
}

int hs_allow_init(struct hs_allow *allow, const char *const *entries, size_t n,
		  size_t *bad)
{
	int err = 0;

	allow->entry = calloc(n + 1, sizeof(*allow->entry));
	if (!allow->entry)
		return -ENOMEM;
	while (!err && allow->n < n) {
		*bad = allow->n;
		err = parse(&allow->entry[allow->n], entries[allow->n]);
		allow->n++;
	}
	return err;
}

void hs_allow_fini(struct hs_allow *allow)
{
	for (size_t i = 0; i < allow->n; i++)
		free(allow->entry[i].value);
	free(allow->entry);
}

static bool fits(const struct hs_allow_entry *entry,
		 const struct hs_peer *peer)
{
	const char *san = (const char *)peer->sans.data;
	const char *end = san + peer->sans.len;
	size_t prefix = strlen(entry->kind->prefix);

	if (!entry->kind->fits)
		return !memcmp(entry->digest, peer->spki_sha256, DIGEST);
	if (entry->kind->fits == fits_cn)
		return peer->cn.len &&
		       fits_cn(entry->value, (const char *)peer->cn.data);
	for (; san < end; san += strlen(san) + 1)
		if (!strncmp(san, entry->kind->prefix, prefix) &&
		    entry->kind->fits(entry->value, san + prefix))
			return true;
	return false;
}

bool hs_allow_fits(const struct hs_allow *allow, const struct hs_peer *peer)
{
	for (size_t i = 0; i < allow->n; i++)
		if (fits(&allow->entry[i], peer))
			return true;
	return !allow->n;
}

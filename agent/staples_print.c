/* SPDX-License-Identifier: MIT */
/* What ktlsctl(1) shows of the staples, and asks for. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "metrics.h"
#include "staples_table.h"

/* What ktlsd says holds, workers send, but for its last second. */
#define SKEW (ocsp_default_limits.skew)

static int64_t wall_clock(void)
{
	return (int64_t)time(NULL);
}

static bool holds(const struct delivery_item *item, int64_t now)
{
	return item->generation && ocsp_holds(&item->times, SKEW, now);
}

static const char *chain(const struct staples *s, const struct staple *staple)
{
	return certs_chain(s->setup.certs, staple->slot->cert);
}

static const char *cert_name(const struct staples *s,
			     const struct staple *staple)
{
	return hs_cert_name(s->setup.certs->cert[staple->slot->cert]);
}

/* Text is in quotes where scripts could misread it, or @quoted. */
static void print_text(FILE *out, const char *key, const char *text,
		       bool quoted)
{
	const char *p;

	if (!text || !text[0]) {
		fprintf(out, "%s=-", key);
		return;
	}
	for (p = text; *p && !quoted; p++)
		quoted = *p <= ' ' || *p > '~' || *p == '"';
	fprintf(out, "%s=%s", key, quoted ? "\"" : "");
	for (p = text; *p; p++)
		fputc(*p == '"' ? '\'' : *p < ' ' || *p > '~' ? '?' : *p, out);
	if (quoted)
		fputc('"', out);
}

static void print_time(FILE *out, const char *key, bool known, int64_t seconds)
{
	time_t t = (time_t)seconds;
	char text[32];
	struct tm tm;

	if (known && gmtime_r(&t, &tm) &&
	    strftime(text, sizeof(text), "%FT%TZ", &tm))
		fprintf(out, "%s=%s", key, text);
	else
		fprintf(out, "%s=-", key);
}

static void print_hex(FILE *out, const uint8_t bytes[OCSP_FINGERPRINT_LEN])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < OCSP_FINGERPRINT_LEN; i++) {
		fputc(digits[bytes[i] >> 4], out);
		fputc(digits[bytes[i] & 15], out);
	}
}

/* @times: of a response, NULL: there is none */
static void print_held(const char *status, bool delivered,
		       const struct ocsp_times *times, int64_t now, FILE *out)
{
	fprintf(out, " status=%s delivered=%s", status,
		delivered ? "yes" : "no");
	print_time(out, " this_update", times, times ? times->this_update : 0);
	print_time(out, " next_update", times, times ? times->next_update : 0);
	if (times)
		fprintf(out, " seconds_left=%" PRId64,
			ocsp_holds(times, SKEW, now) ?
				times->next_update - now : 0);
	else
		fputs(" seconds_left=-", out);
}

static void print_attempt(const struct staple *staple, FILE *out)
{
	bool any = staple->attempts;
	bool answer = any && staple->result == FETCH_ANSWER;

	print_text(out, " responder", any && staple->url ? staple->url :
		   staple->slot->urls, false);
	print_time(out, " last_attempt", any, staple->last);
	print_text(out, " result", any ? fetch_result_word(staple->result) :
		   NULL, false);
	print_text(out, " verdict", answer ? ocsp_word(staple->verdict) : NULL,
		   false);
	print_text(out, " error", staple->error, true);
	print_time(out, " next_attempt", staple->planned, staple->next);
}

static void print_cert(const struct staples *s, size_t cert,
		       unsigned int depth, const uint8_t *fingerprint,
		       const char *policy, FILE *out)
{
	print_text(out, "certificate", certs_chain(s->setup.certs, cert),
		   false);
	print_text(out, " name", hs_cert_name(s->setup.certs->cert[cert]),
		   false);
	fprintf(out, " position=%u fingerprint=", depth);
	print_hex(out, fingerprint);
	fprintf(out, " policy=%s", policy);
}

static void print_slot(const struct staples *s, size_t i, int64_t now,
		       FILE *out)
{
	const struct delivery_item *item = &s->list.item[i];
	const struct staple *staple = &s->staple[i];
	bool held = item->generation;

	print_cert(s, staple->slot->cert, staple->slot->depth,
		   staple->fingerprint, staple->slot->must ? "must" : "auto",
		   out);
	print_held(staple->revoked ? "revoked" : holds(item, now) ? "good" :
		   "none", held && s->setup.everywhere(s->setup.arg, i),
		   held ? &item->times : NULL, now, out);
	print_attempt(staple, out);
	fputc('\n', out);
}

static const char *why_no_file(const struct ocsp_times *times, int64_t now)
{
	if (!times)
		return "the response in its file was past at the start";
	if (ocsp_holds(times, SKEW, now))
		return NULL;
	return ocsp_reason(now < times->next_update ? OCSP_NOT_YET :
						      OCSP_EXPIRED);
}

/* A leaf for which nothing is fetched. */
static void print_unfetched(const struct staples *s, size_t cert, int64_t now,
			    FILE *out)
{
	const struct certs_unasked *unasked = &s->setup.certs->unasked[cert];
	enum config_staple staple = certs_entry(s->setup.config, s->setup.certs,
						cert)->staple;
	const struct hs_cert *c = s->setup.certs->cert[cert];
	bool is_file = staple == CONFIG_STAPLE_FILE;
	uint8_t fingerprint[OCSP_FINGERPRINT_LEN];
	struct ocsp_times found, *times;

	times = hs_cert_staple_times(c, 0, &found) ? &found : NULL;
	ocsp_fingerprint(hs_cert_der(c, 0), fingerprint);
	print_cert(s, cert, 0, fingerprint, is_file ? "file" :
		   staple == CONFIG_STAPLE_OFF ? "off" :
		   unasked->must ? "must" : "auto", out);
	print_held(times && ocsp_holds(times, SKEW, now) ? "good" : "none",
		   times, times, now, out);
	fputs(" responder=- last_attempt=- result=- verdict=-", out);
	print_text(out, " error", is_file ? why_no_file(times, now) :
		   unasked->why, true);
	fputs(" next_attempt=-\n", out);
}

/* Slots come by certificate; those between have none, or not for the leaf. */
void staples_print(const struct staples *s, FILE *out)
{
	int64_t now = wall_clock();
	size_t i, cert = 0;

	for (i = 0; i < s->list.n; i++) {
		const struct certs_slot *slot = s->staple[i].slot;

		while (cert < slot->cert + !!slot->depth)
			print_unfetched(s, cert++, now, out);
		print_slot(s, i, now, out);
		cert = slot->cert + 1;
	}
	while (cert < s->setup.certs->n)
		print_unfetched(s, cert++, now, out);
}

void staples_refresh(struct staples *s, const char *name, FILE *out)
{
	size_t i, n = 0;

	for (i = 0; i < s->list.n; i++) {
		if (name && strcmp(name, chain(s, &s->staple[i])) &&
		    strcmp(name, cert_name(s, &s->staple[i])))
			continue;
		s->staple[i].refresh = true;
		n++;
	}
	if (name && !n) {
		fprintf(out, "error: no certificate with a responder has this "
			"chain file or name: %s\n", name);
		return;
	}
	fprintf(out, "asked for %zu OCSP responses\n", n);
	if (s->phase != STAPLES_REFRESH)
		return;		/* they are told after the rest */
	s->next = 0;
	staples_speak(s);
}

static void print_gauge(const struct staples *s, size_t i, const char *name,
			int64_t value, FILE *out)
{
	const struct staple *staple = &s->staple[i];

	fprintf(out, "ktlsd_staple_%s{certificate=\"", name);
	metrics_label(out, chain(s, staple));
	fputc('"', out);
	if (staple->slot->depth)
		fprintf(out, ",position=\"%u\"", staple->slot->depth);
	fprintf(out, "} %" PRId64 "\n", value);
}

static void print_failures(const struct staples *s, FILE *out)
{
	unsigned int i;

	fputs("# TYPE ktlsd_staple_fetch_failures_total counter\n", out);
	for (i = FETCH_ANSWER + 1; i < FETCH_RESULTS; i++)
		fprintf(out, "ktlsd_staple_fetch_failures_total"
			"{reason=\"%s\"} %" PRIu64 "\n", fetch_result_word(i),
			s->failures[i]);
}

void staples_print_metrics(const struct staples *s, FILE *out)
{
	const struct delivery_item *item = s->list.item;
	int64_t now = wall_clock();
	size_t n = s->list.n, i;

	print_failures(s, out);
	fputs("# TYPE ktlsd_staple_age_seconds gauge\n", out);
	for (i = 0; i < n; i++)
		if (item[i].generation)
			print_gauge(s, i, "age_seconds",
				    now - item[i].times.this_update, out);
	fputs("# TYPE ktlsd_staple_expires_in_seconds gauge\n", out);
	for (i = 0; i < n; i++)
		if (item[i].generation)
			print_gauge(s, i, "expires_in_seconds",
				    item[i].times.next_update - now, out);
	fputs("# TYPE ktlsd_staple_revoked gauge\n", out);
	for (i = 0; i < n; i++)
		print_gauge(s, i, "revoked", s->staple[i].revoked, out);
}

// SPDX-License-Identifier: MIT
#include "tools/probe/sections.h"

#include <errno.h>
#include <string.h>

#include "ktls/install.h"
#include "tools/probe/names.h"

static json_t *result(int err)
{
	return err ? json_string(strerrorname_np(-err)) : json_string("ok");
}

static const char *say(int err)
{
	return err ? strerror(-err) : "yes";
}

static void add_pair(struct report *r, int i, int tx, int rx)
{
	const uint16_t version = i < KTLS_CIPHERS ? KTLS_TLS12 : KTLS_TLS13;
	char item[64];

	snprintf(item, sizeof(item), "%s %s", name_version(version),
		 name_cipher((enum ktls_cipher)(i % KTLS_CIPHERS)));
	report_add(r, "ktls", item,
		   json_pack("{s:o, s:o}", "tx", result(tx), "rx", result(rx)),
		   tx || rx ? REPORT_LACKS : REPORT_OK, "tx: %s, rx: %s",
		   say(tx), say(rx));
}

static void add_more(struct report *r, const char *item, bool has,
		     const char *without)
{
	report_add(r, "ktls", item, json_boolean(has),
		   has || !*without ? REPORT_OK : REPORT_NOTE, "%s%s",
		   has ? "yes" : "no", has ? "" : without);
}

/* @err: the trial could not begin; or @found, it found this */
static void add_none(struct report *r, int err, int found)
{
	report_add(r, "ktls", "available", err ? json_null() : json_false(),
		   REPORT_LACKS, "%s%s", err ?
		   "not known, without a connection over loopback: " :
		   "no, every connection is relayed: ",
		   !err && found == -ENOENT ? "modprobe tls" :
		   strerror(-(err ? err : found)));
}

void section_ktls(struct report *r)
{
	struct ktls_support support;
	const int err = ktls_probe(&support);
	int i;

	if (err || support.error) {
		add_none(r, err, support.error);
		return;
	}
	report_add(r, "ktls", "available", json_true(), REPORT_OK, "yes");
	for (i = 0; i < KTLS_PAIRS; i++)
		add_pair(r, i, support.tx[i], support.rx[i]);
	add_more(r, "rekey", support.rekey, ": a client's KeyUpdate ends its "
		 "connection; Linux 6.14 or newer");
	add_more(r, "max_payload", support.max_payload, ": clients that ask "
		 "for short records (RFC 6066) are relayed");
	add_more(r, "no_pad", support.no_pad, "");
}

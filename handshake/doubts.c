// SPDX-License-Identifier: MIT
#include "handshake/doubts.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "handshake/admit.h"
#include "handshake/crls.h"
#include "handshake/internal.h"

__attribute__((format(printf, 2, 3)))
static void tell(const struct hs_doubts *to, const char *format, ...)
{
	char text[320];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	to->say(to->arg, text);
}

#define FAULT_SIZE 48

/* "ended at ...", "begins at ...", in @buf; NULL: it holds. @end may be NULL. */
static const char *untimely(const ASN1_TIME *begin, const ASN1_TIME *end,
			    time_t now, char buf[static FAULT_SIZE])
{
	bool over = end && X509_cmp_time(end, &now) < 0;
	struct tm tm;

	if (!over && X509_cmp_time(begin, &now) < 0)
		return NULL;
	if (!ASN1_TIME_to_tm(over ? end : begin, &tm) ||
	    !strftime(buf, FAULT_SIZE, over ? "ended at %Y-%m-%dT%H:%M:%SZ" :
		      "begins at %Y-%m-%dT%H:%M:%SZ", &tm))
		return "has no time that can be read";
	return buf;
}

static const char *cert_fault(const X509 *cert, time_t now,
			      char buf[static FAULT_SIZE])
{
	return untimely(X509_get0_notBefore(cert), X509_get0_notAfter(cert),
			now, buf);
}

static const char *list_fault(const X509_CRL *crl, time_t now,
			      char buf[static FAULT_SIZE])
{
	return untimely(X509_CRL_get0_lastUpdate(crl),
			X509_CRL_get0_nextUpdate(crl), now, buf);
}

void hs_cert_doubts(const struct hs_cert *cert, const struct hs_doubts *to)
{
	char buf[FAULT_SIZE];
	const char *fault = cert_fault(cert->leaf, to->now, buf);

	if (fault)
		tell(to, "it %s: clients will not accept it", fault);
}

/* The first of @name's lists that holds now, else the first; NULL: none. */
static X509_CRL *find_list(const struct hs_client *client,
			   const X509_NAME *name, time_t now)
{
	X509_CRL *first = NULL;
	char buf[FAULT_SIZE];

	for (int i = 0; i < sk_X509_CRL_num(client->crls); i++) {
		X509_CRL *crl = sk_X509_CRL_value(client->crls, i);

		if (X509_NAME_cmp(X509_CRL_get_issuer(crl), name))
			continue;
		if (!list_fault(crl, now, buf))
			return crl;
		first = first ? first : crl;
	}
	return first;
}

static void doubt_ca(const struct hs_client *client, const X509 *ca,
		     const struct hs_doubts *to)
{
	const X509_NAME *name = X509_get_subject_name(ca);
	char text[128], buf[FAULT_SIZE];
	const char *fault = cert_fault(ca, to->now, buf);

	hs_name_text(name, text, sizeof(text));
	if (fault)
		tell(to, "the CA %s %s: its clients are refused", text, fault);
	if (sk_X509_CRL_num(client->crls) &&
	    !find_list(client, name, to->now))
		tell(to, "client_crl has no list of the CA %s: its clients "
		     "are refused", text);
}

/* Of several lists of a CA, one that holds is enough. */
static void doubt_list(const struct hs_client *client, X509_CRL *crl,
		       const struct hs_doubts *to)
{
	const X509_NAME *name = X509_CRL_get_issuer(crl);
	char text[128], buf[FAULT_SIZE];
	const char *fault = list_fault(crl, to->now, buf);

	if (!fault || find_list(client, name, to->now) != crl)
		return;
	hs_name_text(name, text, sizeof(text));
	tell(to, "the list of the CA %s %s: its clients are refused", text,
	     fault);
}

void hs_client_doubts(const struct hs_client *client,
		      const struct hs_doubts *to)
{
	STACK_OF(X509_OBJECT) *objects =
		X509_STORE_get0_objects(client->store);

	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		const X509 *ca = X509_OBJECT_get0_X509(
			sk_X509_OBJECT_value(objects, i));

		if (ca)
			doubt_ca(client, ca, to);
	}
	for (int i = 0; !client->crl_expired_warn &&
			i < sk_X509_CRL_num(client->crls); i++)
		doubt_list(client, sk_X509_CRL_value(client->crls, i), to);
}

// SPDX-License-Identifier: MIT
#include <ctype.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "request.h"

/* The rest of a head's line NAME, in @value; "-" when there is none. */
static void header(const struct request *r, const char *name, char *value,
		   size_t size)
{
	size_t len = strlen(name);
	const char *line = strchr(r->head, '\n');

	snprintf(value, size, "-");
	for (; line; line = strchr(line + 1, '\n')) {
		if (strncasecmp(line + 1, name, len) || line[len + 1] != ':')
			continue;
		line += len + 2;
		line += strspn(line, " \t");
		snprintf(value, size, "%.*s", (int)strcspn(line, "\r\n"), line);
		return;
	}
}

/* Receive the head, and what came with it of the body. */
static int read_head(struct request *r, int fd)
{
	char *end;
	ssize_t n;

	for (;;) {
		if (r->head_len == sizeof(r->head) - 1)
			return 431;
		n = recv(fd, r->head + r->head_len,
			 sizeof(r->head) - 1 - r->head_len, 0);
		if (n <= 0)
			return 0;
		r->head_len += n;
		r->head[r->head_len] = '\0';
		end = strstr(r->head, "\r\n\r\n");
		if (end)
			break;
	}
	r->body_len = r->head_len - (end + 4 - r->head);
	if (r->body_len > sizeof(r->der))
		return 413;
	memcpy(r->der, end + 4, r->body_len);
	end[2] = '\0';
	return 200;
}

static int read_body(struct request *r, int fd)
{
	char value[32];
	ssize_t n;

	header(r, "Content-Length", value, sizeof(value));
	r->der_len = strtoul(value, NULL, 10);
	if (r->der_len > sizeof(r->der))
		return 413;
	while (r->body_len < r->der_len) {
		n = recv(fd, r->der + r->body_len, r->der_len - r->body_len, 0);
		if (n <= 0)
			return 0;
		r->body_len += n;
	}
	return strcasecmp(r->type, "application/ocsp-request") ? 415 : 200;
}

static int hex_digit(char c)
{
	return isdigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The last segment of the path is base64 with +, / and = escaped. */
static int decode_path(struct request *r)
{
	const char *in = strrchr(r->path, '/');
	char plain[REQUEST_HEAD_MAX];
	uint8_t out[REQUEST_HEAD_MAX];
	size_t len = 0, pad = 0;
	int n;

	for (in = in ? in + 1 : ""; *in; in++) {
		plain[len] = *in;
		if (*in == '%' && isxdigit(in[1]) && isxdigit(in[2])) {
			plain[len] = hex_digit(in[1]) << 4 | hex_digit(in[2]);
			in += 2;
		} else if (strchr("+=", *in)) {
			return 400;
		}
		len++;
	}
	while (pad < 2 && pad < len && plain[len - 1 - pad] == '=')
		pad++;
	n = EVP_DecodeBlock(out, (uint8_t *)plain, len);
	if (n <= 0 || (size_t)n > sizeof(r->der))
		return 400;
	r->der_len = n - pad;
	memcpy(r->der, out, r->der_len);
	return 200;
}

static int read_serial(struct request *r)
{
	const uint8_t *p = r->der;
	OCSP_REQUEST *request = d2i_OCSP_REQUEST(NULL, &p, r->der_len);
	ASN1_INTEGER *serial = NULL;
	BIGNUM *number;
	char *hex;

	if (!request || OCSP_request_onereq_count(request) != 1 ||
	    p != r->der + r->der_len) {
		OCSP_REQUEST_free(request);
		return 400;
	}
	OCSP_id_get0_info(
		NULL, NULL, NULL, &serial,
		OCSP_onereq_get0_id(OCSP_request_onereq_get0(request, 0)));
	number = ASN1_INTEGER_to_BN(serial, NULL);
	hex = BN_bn2hex(number);
	snprintf(r->serial, sizeof(r->serial), "%s", hex);
	OPENSSL_free(hex);
	BN_free(number);
	OCSP_REQUEST_free(request);
	return 200;
}

int request_read(struct request *r, int fd)
{
	int status;

	memset(r, 0, sizeof(*r));
	strcpy(r->serial, "-");
	status = read_head(r, fd);
	if (status != 200)
		return status;
	header(r, "Host", r->host, sizeof(r->host));
	header(r, "Content-Type", r->type, sizeof(r->type));
	if (sscanf(r->head, "%15[A-Z] %8191[^ \r\n] HTTP/1.", r->method,
		   r->path) != 2)
		return 400;
	if (!strcmp(r->method, "GET"))
		status = decode_path(r);
	else if (!strcmp(r->method, "POST"))
		status = read_body(r, fd);
	else
		return 405;
	return status == 200 ? read_serial(r) : status;
}

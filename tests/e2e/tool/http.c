// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* Returns the bytes of @data that belong to the head. */
static size_t take_head(struct http *h, const char *data, size_t len)
{
	size_t before = h->head_len;
	char *end, *value;

	if (len > sizeof(h->head) - 1 - before)
		len = sizeof(h->head) - 1 - before;
	if (!len)
		die("the response's head is too long");
	memcpy(h->head + before, data, len);
	h->head_len += len;
	h->head[h->head_len] = '\0';
	end = strstr(h->head, "\r\n\r\n");
	if (!end)
		return len;
	end[2] = '\0';
	h->head_done = true;
	h->status = h->head_len > 12 ? atoi(h->head + 9) : 0;
	value = strcasestr(h->head, "content-length:");
	h->content_length = value ? strtoull(value + 15, NULL, 10) : 0;
	return end + 4 - h->head - before;
}

static void take_body(struct http *h, const char *data, size_t len)
{
	size_t room = sizeof(h->text) - 1 - h->text_len;

	if (h->sha)
		EVP_DigestUpdate(h->sha, data, len);
	h->body += len;
	if (room > len)
		room = len;
	memcpy(h->text + h->text_len, data, room);
	h->text_len += room;
}

void http_take(struct http *h, const char *data, size_t len)
{
	size_t n;

	while (len) {
		if (h->head_done) {
			take_body(h, data, len);
			return;
		}
		n = take_head(h, data, len);
		data += n;
		len -= n;
	}
}

bool http_complete(const struct http *h)
{
	return h->head_done && h->body >= h->content_length;
}

/* SPDX-License-Identifier: MIT */
#include "fetch/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

char *fetch_escape(const char *text, size_t len, char *out, size_t out_len)
{
	char piece[5];
	size_t i, n, used = 0;

	for (i = 0; i < len; i++) {
		if (text[i] < ' ' || text[i] > '~' || text[i] == '\\' ||
		    text[i] == '"')
			n = (size_t)sprintf(piece, "\\x%02x",
					    (unsigned char)text[i]);
		else
			n = (size_t)sprintf(piece, "%c", text[i]);
		if (used + n >= out_len)
			break;
		memcpy(out + used, piece, n);
		used += n;
	}
	out[used] = '\0';
	return out;
}

void fetch_append(char *out, size_t out_len, const char *format, ...)
{
	size_t used = strlen(out);
	va_list ap;

	va_start(ap, format);
	vsnprintf(out + used, out_len - used, format, ap);
	va_end(ap);
}

/* SPDX-License-Identifier: BSD-3-Clause */
/* Hexadecimal text to bytes and back. */
#include "bytes.h"

#include <errno.h>

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_decode(const char *text, uint8_t *ret_data, size_t capacity)
{
	size_t n = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	while (*text) {
		if (n > 0 && (*text == ':' || *text == '_'))
			text++;
		int high = digit_value(text[0]);
		int low = high < 0 ? -1 : digit_value(text[1]);
		if (low < 0)
			return -EINVAL;
		if (n == capacity)
			return -ENOSPC;
		ret_data[n++] = (uint8_t)(high << 4 | low);
		text += 2;
	}
	return (int)n;
}

char *hex_encode(struct bytes b, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";
	char *out = ret_text;

	for (size_t i = 0; i < b.len; i++) {
		*out++ = digits[b.data[i] >> 4];
		*out++ = digits[b.data[i] & 15];
	}
	*out = '\0';
	return ret_text;
}

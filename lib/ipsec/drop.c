/* SPDX-License-Identifier: BSD-3-Clause */
/* Keywords and texts of the drop reasons, out of their table. */
#include "drop.h"

#define DROP_KEYWORD(name, keyword, text) [name] = keyword,
#define DROP_TEXT(name, keyword, text)    [name] = text,

const char *drop_keyword(enum drop_reason r)
{
	static const char *const keywords[DROP_REASON_COUNT] = { DROP_REASONS(DROP_KEYWORD) };

	return r < DROP_REASON_COUNT ? keywords[r] : "unknown";
}

const char *drop_text(enum drop_reason r)
{
	static const char *const texts[DROP_REASON_COUNT] = { DROP_REASONS(DROP_TEXT) };

	return r < DROP_REASON_COUNT ? texts[r] : "unknown";
}
